"""What the caller says of a dataset, and the dataset with the axes named as he says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from ..._errors import OrbitscopeError
from ...symmetry import Grid, Layout
from ._fields import Mapped
from ._opened import Opened


@dataclass(frozen=True)
class Wanted:
    """What the caller says of a dataset; see `DatasetReader` for the meaning of each."""

    fields: tuple[Mapped, ...] | None = None
    layout: Layout | None = None
    grid: Grid | None = None
    dt: float | None = None
    extent: tuple[float, ...] | None = None
    boundary: tuple[str, ...] | None = None
    dims: Mapping[str, str] = field(default_factory=dict)
    axes: tuple[str, ...] | None = None
    select: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 0
    land: float | None = None
    box: tuple[float, float, float, float] | None = None
    staggered: str | None = None


def renamed(opened: Opened, wanted: Wanted) -> xr.Dataset:
    """The dataset, its unnamed axes called as the option `axes` says."""
    if wanted.axes is None or opened.memory is not None and not wanted.axes:
        return opened.dataset
    rename = NamedAxes(wanted.axes, tuple(v for m in wanted.fields or () for v in m.variables), opened.prepare)
    if opened.memory is not None:
        opened.memory = rename(opened.memory)
    elif not isinstance(opened.prepare, NamedAxes):
        opened.prepare, opened._held = rename, None
    return opened.dataset


@dataclass(frozen=True)
class NamedAxes:
    """Gives the axes of some variables names, whatever they are called in the file."""

    axes: tuple[str, ...]
    variables: tuple[str, ...]
    before: Any = None

    def __call__(self, dataset: xr.Dataset, keep: bool = False) -> xr.Dataset:
        """The dataset with these variables on the named axes, and with the others too (`keep`) or what lies along the axes alone."""
        dataset = self.before(dataset) if self.before else dataset
        named_ones: dict[str, xr.Variable] = {}
        for name in self.variables or [str(n) for n, v in dataset.data_vars.items() if v.ndim == len(self.axes)]:
            if name not in dataset.variables:
                continue
            variable = dataset[name].variable
            if variable.ndim != len(self.axes) or len(set(self.axes)) != len(self.axes):
                raise OrbitscopeError(
                    f"axes: {', '.join(self.axes)} do not fit {name!r}, which has the shape {variable.shape}. Name every axis once, as it "
                    "lies."
                )
            named_ones[name] = xr.Variable(self.axes, variable._data, variable.attrs, variable.encoding)
        kept = {str(n): v for n, v in dataset.variables.items() if n not in named_ones and v.ndim <= 1}
        sizes = {d: n for v in named_ones.values() for d, n in zip(v.dims, v.shape, strict=True)}
        coords = {a: xr.Variable((a,), v._data, v.attrs, v.encoding) for a, v in kept.items() if a in sizes and v.shape == (sizes[a],)}
        others = {str(n): v for n, v in dataset.variables.items() if keep and n not in named_ones and n not in coords}
        return xr.Dataset({**named_ones, **others}, coords=coords, attrs=dataset.attrs)


def candidates(dataset: xr.Dataset) -> list[str]:
    """The variables that may be fields: numbers with at least two axes, no bounds, no coordinates."""
    bounds = {str(v.attrs.get(k)) for v in dataset.variables.values() for k in ("bounds", "climatology", "grid_mapping")}
    return [
        str(n)
        for n, v in dataset.data_vars.items()
        if v.ndim >= 2 and v.dtype.kind in "fiu" and n not in bounds and n not in dataset.coords
    ]
