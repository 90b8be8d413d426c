"""A dataset with named axes into channels of a state: the one way for every format that is not ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..._errors import OrbitscopeError
from ...symmetry import Grid, Layout
from .._axes import named
from .._decode import float_type, require_numbers
from .._hdf5 import contents, open_hdf5
from ._coordinates import Axis, curvilinear, dimension_roles, require_roles, spatial_axis
from ._fields import Mapped, checked, conventional, inventory, layout_of, suggestion
from ._grid import boxed, grid_of, missing_note
from ._opened import Opened
from ._selected import selected
from ._source import Channel, DatasetArray
from ._staggered import staggered_shifts, trimmed
from ._time import Times
from ._units import conversion
from ._wanted import Wanted, candidates, renamed


@dataclass
class Part:
    """One dataset, not yet given a time step: its array, layout, grid, times and what was decided."""

    source: DatasetArray
    layout: Layout
    grid: Grid
    times: Times | None
    notes: tuple[str, ...]
    provenance: dict[str, Any]


def part_of(opened: Opened, wanted: Wanted, where: str, kind: str, boundary: tuple[Any, str] = ("open", "")) -> Part:
    """Which variables, axes, units, area and times; values stay unread but for the first state, whose gaps are looked at."""
    dataset = renamed(opened, wanted)
    names = candidates(dataset)
    fields, why = _fields(opened, names, wanted, where, kind)
    checked(fields, dataset, where, names)
    variables = [v for m in fields for v in m.variables]
    for name in variables:
        require_numbers(dataset[name].attrs, dataset[name].dtype, f"fields: {name!r} of {where}")
    dims = list(dict.fromkeys(str(d) for v in variables for d in dataset[v].dims))
    roles = dimension_roles(dataset, dims, wanted.dims)
    fixed, picked = selected(dataset, dims, roles, wanted, where, three=any(len(m.variables) == 3 for m in fields))
    for name in variables:
        require_roles(dataset, name, roles, where, fixed)
    roles = {d: r for d, r in roles.items() if d not in fixed and r is not None}
    space = _space(roles)
    mapped, components = _components(dataset, fields, roles, where)
    layout, conversions, unit_note = _units(dataset, mapped, wanted, len(space), where)
    roles = {d: space.get(r, r) for d, r in roles.items()}
    channels = [
        Channel(v, tuple((roles[str(d)], str(d)) for d in dataset[v].dims if str(d) in roles and roles[str(d)] != "channel"),
                tuple((d, k) for d, k in {**fixed, **component}.items() if d in dataset[v].dims), *convert)
        for (v, component), convert in zip(components, conversions, strict=True)
    ]  # fmt: skip
    channels, centres, shift_note = staggered_shifts(dataset, layout, channels, wanted.staggered, where)
    sizes = _sizes(dataset, channels, centres, where)
    axes = {
        r: spatial_axis(dataset, centres[r], _original(r, space), where, centres.get("y" if r == "x" else "x"))
        for r in list(space.values())
    }
    axes = trimmed(axes, dataset, channels)
    axes, box_note = boxed(axes, wanted.box, where)
    _require_aligned(dataset, variables, axes, centres, wanted, where)
    shape = tuple(len(axes[r].index) for r in axes)
    grid, grid_note = grid_of(
        axes, shape, where, grid=wanted.grid, extent=wanted.extent, boundary=wanted.boundary, default=boundary[0],
        **({"why_default": boundary[1]} if boundary[1] else {}),
    )  # fmt: skip
    dtype = np.dtype(max((float_type(dataset[v].dtype, dataset[v].attrs) for v in variables), key=lambda d: d.itemsize))
    index = {"trajectory": np.arange(sizes["trajectory"]), "time": np.arange(sizes["time"]), **{r: a.index for r, a in axes.items()}}
    source = DatasetArray(opened, tuple(channels), ("trajectory", "time", *axes), index, dtype)
    first = source.read((np.arange(1), np.arange(1), np.arange(len(channels)), *(np.arange(n) for n in shape)))
    dry = np.isnan(first[0, 0]).any(0)
    land_note = missing_note(dry, axes, wanted.land, where)
    source.land, source.dry = wanted.land, dry
    others = [n for n in names if n not in variables]
    turned = [r for r, a in axes.items() if a.reversed]
    notes = (
        f"format: {kind}, {', '.join(f'{v} {list(dataset[v].shape)}' for v in dict.fromkeys(variables))}",
        f"axes: stored [{', '.join(f'{d} = {roles.get(d, d)}' for d in dims if d in roles)}]"
        + (f", turned into [trajectory, time, channel, {', '.join(axes)}]")
        + (f"; {', '.join(turned)} descends in the file, reversed" if turned else ""),
        *picked,
        f"channels: {layout}; {why}; {unit_note}" + (f"; left out: {', '.join(others[:12])}" if others else ""),
        *([shift_note] if shift_note else []),
        box_note,
        land_note,
        grid_note,
    )
    title = str(dataset.attrs.get("title") or dataset.attrs.get("name") or where.rsplit("/", 1)[-1])
    return Part(source, layout, grid, _times(dataset, roles, where), notes, {"scenario": title, "parameters": {}})


def _fields(opened: Opened, names: list[str], wanted: Wanted, where: str, kind: str) -> tuple[tuple[Mapped, ...], str]:
    dataset = opened.dataset
    if wanted.fields is not None:
        return wanted.fields, "as the caller mapped them"
    found = conventional(dataset, names)
    if found is not None:
        return found, f"{', '.join(found[0].variables)} declare themselves eastward and northward"
    example = suggestion(dataset, names)
    held = f"\n{inventory(dataset, names)}\n" if names else f" {_in_groups(opened)}. "
    raise OrbitscopeError(
        f"path: {where} is {kind}, and nothing says which of its variables are the fields of a state. It holds:{held}"
        + (
            f'Name them, for example: load(path, fields="{example}") or --load fields="{example}". '
            "A word is name=variable,variable:representation:unit. "
            if names
            else 'Variables in a group: load(path, fields="name=group/variable", axes="trajectory,time,y,x"). '
        )
        + "If one variable is [trajectory, time, channel, x, y], name it: load(path, variable=..., layout=Layout.of(...))."
    )


def _in_groups(opened: Opened) -> str:
    """What an HDF5 file holds below its root."""
    if opened.memory is not None or opened.build is not None or opened.engine != "h5netcdf":
        return "nothing with axes"
    with open_hdf5(opened.path) as file:
        return contents(file)


def _space(roles: Mapping[str, str | None]) -> dict[str, str]:
    """The spatial roles of the file and what they are called in a state: always x, then y, then z."""
    present = [r for r in "xyz" if r in roles.values()]
    if not present:
        raise OrbitscopeError("dims: these fields have no axis in space. Say which it is: load(path, dims={...=x}).")
    return dict(zip(present, "xyz", strict=False))


def _original(name: str, space: Mapping[str, str]) -> str:
    return next(r for r, s in space.items() if s == name)


def _components(
    dataset: xr.Dataset, fields: Sequence[Mapped], roles: Mapping[str, str | None], where: str
) -> tuple[list[tuple[Mapped, int]], list[tuple[str, dict[str, int]]]]:
    """Each field with its number of channels, and every channel as a variable and a position on its axis of components."""
    mapped: list[tuple[Mapped, int]] = []
    channels: list[tuple[str, dict[str, int]]] = []
    for one in fields:
        mine: list[tuple[str, dict[str, int]]] = []
        for v in one.variables:
            inner = [str(d) for d in dataset[v].dims if roles.get(str(d)) == "channel"]
            if len(inner) > 1:
                raise OrbitscopeError(f"fields: {v!r} of {where} has two axes of components, {', '.join(inner)}. Take one with select=.")
            mine += [(v, {inner[0]: k}) for k in range(dataset.sizes[inner[0]])] if inner else [(v, {})]
        mapped.append((one, len(mine)))
        channels += mine
    return mapped, channels


def _units(
    dataset: xr.Dataset, mapped: Sequence[tuple[Mapped, int]], wanted: Wanted, ndim: int, where: str
) -> tuple[Layout, list[tuple[float, float]], str]:
    """The layout, and how each channel is converted to its field's unit."""
    given = list(wanted.layout.fields) if wanted.layout else None
    if wanted.layout is not None and (
        wanted.layout.ndim != ndim or [f.representation.size(ndim) for f in wanted.layout.fields] != [n for _, n in mapped]
    ):
        held = ", ".join(f"{m.name} ({n})" for m, n in mapped)
        two = "two currents " if [n for _, n in mapped] == [2] else ""
        raise OrbitscopeError(f"layout: {where} is read as its {two}{held} in {ndim} dimensions, got {wanted.layout}.")
    conversions: list[tuple[float, float]] = []
    rows: list[tuple[Mapped, int, str]] = []
    said: list[str] = []
    for k, (one, size) in enumerate(mapped):
        units = [str(dataset[v].attrs.get("units", "")).strip() for v in one.variables]
        target = (given[k].unit if given and given[k].unit != "1" else "") or one.unit or next((u for u in units if u), "")
        each = size // len(one.variables)
        for v, unit in zip(one.variables, units, strict=True):
            if unit and target:
                factor = conversion(unit, target, f"fields: {v!r} of {where}")
                if factor != (1.0, 0.0):
                    said.append(f"{v} converted from {unit} to {target}")
            else:
                factor = (1.0, 0.0)
                if target and not unit:
                    said.append(f"{v} has no unit in the file, taken as {target}")
            conversions += [factor] * each
        rows.append((one, size, target))
    layout = layout_of(rows, ndim)
    if wanted.layout is not None:
        layout = wanted.layout
    return layout, conversions, "; ".join(said) or "units as in the file"


def _sizes(dataset: xr.Dataset, channels: Sequence[Channel], centres: Mapping[str, str], where: str) -> dict[str, int]:
    """Length of the trajectory and time axes, after a check that all channels have the same axes."""
    found: dict[str, int] = {"trajectory": 1, "time": 1}
    have = {c.variable: {r for r, _ in c.dims} for c in channels}
    if len({frozenset(h) for h in have.values()}) != 1:
        told = "; ".join(f"{v}: {', '.join(map(str, dataset[v].dims))}" for v in have)
        raise OrbitscopeError(
            f"fields: the variables of {where} lie on different axes ({told}). A state has the same axes for every channel."
        )
    for c in channels:
        for role, dim in c.dims:
            if role in ("trajectory", "time"):
                if found.setdefault(role, 1) not in (1, dataset.sizes[dim]):
                    raise OrbitscopeError(f"fields: the variables of {where} differ in the length of {role}.")
                found[role] = dataset.sizes[dim]
    return found


def _require_aligned(
    dataset: xr.Dataset, variables: Sequence[str], axes: Mapping[str, Axis], centres: Mapping[str, str], wanted: Wanted, where: str
) -> None:
    """Refuse eastward components on a grid whose axes do not point east, and curvilinear grids, unless the caller declares the grid."""
    if "x" not in axes or "y" not in axes:
        return
    bent = curvilinear(dataset, centres["x"], centres["y"]) if axes["x"].values is None else []
    if bent and wanted.grid is None and wanted.extent is None:
        raise OrbitscopeError(
            f"grid: {where} lies on a curvilinear grid ({', '.join(bent[:2])} vary along both axes). "
            "Put it on regular degrees first (xesmf, or cdo remapbil), or pass grid=Grid(...) for a part that is nearly regular, with "
            "components along the grid."
        )
    oblique = axes["x"].standard in ("grid_longitude", "projection_x_coordinate")
    east = [v for v in variables if "eastward_" in str(dataset[v].attrs.get("standard_name", ""))]
    if oblique and east and wanted.grid is None:
        raise OrbitscopeError(
            f"fields: {east[0]!r} of {where} points east, and the x axis of its grid ({axes['x'].name}) does not. Rotate the components to "
            "the grid first, or pass grid=Grid(...) to insist."
        )


def _times(dataset: xr.Dataset, roles: Mapping[str, str], where: str) -> Times | None:
    """The coordinate along the time axis; None where there is no axis or no coordinate."""
    from ._coordinates import numbers

    dim = next((d for d, r in roles.items() if r == "time"), None)
    if dim is None:
        flat = [str(n) for n, v in dataset.variables.items() if v.ndim == 0 and "time" in str(n).lower() and v.attrs.get("units")]
        return Times.of(dataset[flat[0]].variable, flat[0]) if flat else None
    own = [dim] if dim in dataset.variables else []
    along = [str(n) for n, v in dataset.variables.items() if v.dims == (dim,) and n not in dataset.data_vars]
    others = [n for n in along if "time" in n.lower() or str(dataset[n].attrs.get("standard_name", "")) == "time"]
    name = next(iter([*own, *others]), None)
    if name is None:
        both = [str(n) for n, v in dataset.variables.items() if v.ndim == 2 and dim in v.dims and "time" in str(n).lower()]
        if not both:
            return None
        rows = np.asarray(dataset[both[0]].transpose(..., dim).values)
        if (rows != rows[0]).any():
            raise OrbitscopeError(
                f"path: {where}: the times {both[0]!r} differ between trajectories; take those that agree (select=), or pass dt=..."
            )
        return Times.of(xr.Variable((dim,), rows[0], dataset[both[0]].attrs), both[0])
    variable = dataset[name].variable
    if variable.dtype.kind not in "fiuMmO":
        raise OrbitscopeError(f"path: {where}: the times {name!r} hold {variable.dtype}, not numbers. Pass dt=...")
    return Times.of(xr.Variable((dim,), numbers(variable), variable.attrs) if named(dim) else variable, name)
