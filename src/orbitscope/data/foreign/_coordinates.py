"""Which dimension of a dataset is which axis, and the coordinate along it: CF attributes first, then names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from .._axes import ROLES, named, roles_of
from .._decode import decoded, packed
from ._opened import quiet
from ._units import metres

_CF = {"longitude": "x", "latitude": "y", "vertical": "z", "time": "time", "X": "x", "Y": "y", "Z": "z", "T": "time"}
_LEADS = ("step", "prediction_timedelta", "lead_time", "lead", "forecast_period", "forecast_hour")
"""Time since the start of a forecast; beside it, `time` counts the forecasts."""
_MEMBERS = ("realization", "ensemble_member_index")


@dataclass(frozen=True)
class Axis:
    """A spatial axis: the stored positions in the order of growing coordinates, and these coordinates.

    `unit` is "degree", "m" (the values are converted) or "" (the file does not say). `values` is None where there is no coordinate.
    """

    dim: str
    index: NDArray[np.int64]
    values: NDArray[np.float64] | None
    unit: str = ""
    name: str = ""
    standard: str = ""
    reversed: bool = False

    def take(self, where: NDArray[np.int64]) -> "Axis":
        """Some of its points."""
        values = None if self.values is None else self.values[where]
        return Axis(self.dim, self.index[where], values, self.unit, self.name, self.standard, self.reversed)


def numbers(variable: xr.Variable) -> NDArray[Any]:
    """The values of a coordinate, unpacked where it is packed."""
    raw = np.asarray(variable.values)
    return decoded(raw, variable.attrs, np.dtype(np.float64)) if packed(variable.attrs) and raw.dtype.kind in "fiu" else raw


def dimension_roles(dataset: xr.Dataset, dims: Sequence[str], said: Mapping[str, str]) -> dict[str, str | None]:
    """The role of every dimension: what the caller says, else what CF attributes of its coordinate say, else what its name tells."""
    if wrong := [f"{d}={r}" for d, r in said.items() if r not in ROLES]:
        raise OrbitscopeError(f"dims: {wrong[0]}: an axis is one of {', '.join(ROLES)}.")
    if absent := [d for d in said if d not in dims]:
        raise OrbitscopeError(f"dims: {absent[0]!r} is no axis of these fields, which have {', '.join(dims)}.")
    by_name = roles_of(dims, said)
    stated = {d: r for d, r in _stated(dataset).items() if d in dims and d not in said}
    found: dict[str, str | None] = {d: said.get(d) or stated.get(d) or by_name[d] for d in dims}
    leads = [d for d in dims if d.lower() in _LEADS and d not in said]
    if leads and dataset.sizes[leads[0]] > 1:
        for d in dims:
            if found[d] == "time" and d not in said:
                found[d] = "trajectory"
        found[leads[0]] = "time"
    return found


def _stated(dataset: xr.Dataset) -> dict[str, str]:
    """Dimensions whose coordinate says in CF attributes what it is."""
    import cf_xarray  # noqa: F401  # registers the accessor

    found: dict[str, str] = {}
    own: dict[str, str] = {}
    with quiet():
        listed = [*dataset.cf.coordinates.items(), *dataset.cf.axes.items()]
    for key, names in listed:
        for name in names if key in _CF else ():
            if name in dataset.variables and dataset[name].ndim == 1:
                dim = str(dataset[name].dims[0])
                (own if name == dim else found).setdefault(dim, _CF[key])
    for dim in map(str, dataset.dims):
        if dim in dataset.variables and str(dataset[dim].attrs.get("standard_name", "")) in _MEMBERS:
            own[dim] = "trajectory"
    return {**found, **own}


def require_roles(dataset: xr.Dataset, variable: str, roles: Mapping[str, str | None], where: str, fixed: Mapping[str, int]) -> None:
    """Raise for axes whose role nothing tells, and for two of the same role, with the line to use; of `fixed` ones a point is taken."""
    dims = [str(d) for d in dataset[variable].dims if d not in fixed]
    unknown = [d for d in dims if roles[d] is None and dataset.sizes[d] > 1]
    known = [roles[d] for d in dims if roles[d] and dataset.sizes[d] > 1]
    twice = sorted({r for r in known if r and known.count(r) > 1})
    if not unknown and not twice:
        return
    sizes = ", ".join(f"{d if named(d) else '?'} {dataset.sizes[d]}{f' ({roles[d]})' if roles[d] else ''}" for d in dims)
    if twice:
        raise OrbitscopeError(
            f"dims: {variable!r} of {where} has two axes that are {twice[0]}: {sizes}. Say which is which, "
            f"load(path, dims={{...}}), or take one point of the other: load(path, select={{name: value}})."
        )
    free = [r for r in ("trajectory", "time", "y", "x") if r not in known][-len(unknown) :]
    point = dataset[unknown[0]].values.tolist()[0] if unknown[0] in dataset.variables else 0
    if all(named(d) for d in unknown):
        example = ",".join(f"{d}={r}" for d, r in zip(unknown, free, strict=False))
        how = f'load(path, dims="{example}") or --load dims={example}'
    else:
        rest = iter(free)
        guess = [roles[d] or next(rest, "...") for d in dims]
        how = f'load(path, axes="{",".join(guess)}"), one of {", ".join(ROLES)} for every axis as it lies'
    raise OrbitscopeError(
        f"dims: nothing says what the axes {', '.join(d if named(d) else '?' for d in unknown)} of {variable!r} in {where} are "
        f"({sizes}). Axes are never guessed. Say it, for example {how}; or take one point: load(path, select={{{unknown[0]!r}: {point}}})."
    )


def spatial_axis(dataset: xr.Dataset, dim: str, role: str, where: str, other: str | None) -> Axis:
    """The points along one spatial dimension, in the order of growing coordinates; longitudes that cross a date line are unwound."""
    found = _coordinate(dataset, dim, role, other)
    size = dataset.sizes[dim]
    if found is None:
        return Axis(dim, np.arange(size), None)
    name, raw, attributes = found
    values = np.asarray(raw, dtype=np.float64)
    standard = str(attributes.get("standard_name", ""))
    words = str(attributes.get("units", ""))
    unit = "degree" if words.lower().startswith("degree") else ""
    if not words and standard in ("longitude", "latitude"):
        unit = "degree"
    if not words and name.lower() in ("lat", "lon", "latitude", "longitude", "nav_lat", "nav_lon"):
        unit = "degree"
    if not unit and (scale := metres(words)) is not None:
        unit, values = "m", values * scale
    if unit == "degree" and role == "x":
        values = np.rad2deg(np.unwrap(np.deg2rad(values)))
        values = (np.round(values, 9) if raw.dtype == np.float64 else values).astype(np.float64)
    if not np.isfinite(values).all():
        raise OrbitscopeError(f"path: {where}: the coordinate {name!r} holds missing values. Take a box without them.")
    down = len(values) > 1 and values[0] > values[-1]
    below = role == "z" and str(attributes.get("positive", "")).lower() == "down"
    index = np.arange(size)[::-1].copy() if down else np.arange(size)
    values = values[index]
    if below:  # z points up
        index, values = index[::-1].copy(), -values[::-1]
    return Axis(dim, index, np.asarray(values, dtype=np.float64), unit, name, standard, reversed=down != below)


def _coordinate(dataset: xr.Dataset, dim: str, role: str, other: str | None) -> tuple[str, NDArray[Any], Mapping[str, Any]] | None:
    """The coordinate along a dimension: its own, one that CF attributes or its name make one, or a separable two-dimensional one."""
    if dim in dataset.variables and dataset[dim].ndim == 1 and dataset[dim].dtype.kind in "fiu":
        return dim, numbers(dataset[dim].variable), dataset[dim].attrs
    words = {"x": ("lon", "x"), "y": ("lat", "y"), "z": ("dep", "lev", "z")}[role]
    flat = [n for n, v in dataset.variables.items() if v.dims == (dim,) and v.dtype.kind in "fiu"]
    for name in map(str, flat):
        if any(w in name.lower() for w in words) or roles_of([name])[name] == role:
            return name, numbers(dataset[name].variable), dataset[name].attrs
    if other is None or role == "z":
        return None
    for name in map(str, curvilinear(dataset, dim, other)):
        if words[0] in str(dataset[name].attrs.get("standard_name", name)).lower():
            plane = np.asarray(numbers(dataset[name].transpose(dim, other).variable), dtype=np.float64)
            spread = np.nanmax(plane.max(1) - plane.min(1))
            if spread > 1e-3 * abs(np.diff(plane, axis=0)).max(initial=0.0) + 1e-9:
                return None
            return name, plane.mean(1), {"units": "degrees", **dataset[name].attrs}
    return None


def curvilinear(dataset: xr.Dataset, dim: str, other: str) -> list[str]:
    """Two-dimensional coordinates over these two dimensions, such as nav_lat(y, x)."""
    return [
        str(n)
        for n, v in dataset.variables.items()
        if set(v.dims) == {dim, other} and v.ndim == 2 and any(w in str(v.attrs.get("standard_name", n)).lower() for w in ("lat", "lon"))
    ]
