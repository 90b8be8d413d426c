"""The grid of a state from the coordinates of its file: metres on a plane, a box of degrees, what stands on land."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ...symmetry import Boundary, Centring, Grid
from .._uniform import fault, uniform_step
from ._coordinates import Axis

EARTH_RADIUS = 6.371e6
"""Metres."""
_DEGREE = np.pi / 180 * EARTH_RADIUS


def boxed(axes: Mapping[str, Axis], box: Sequence[float] | None, where: str) -> tuple[dict[str, Axis], str]:
    """The axes within (west, east, south, north), which is in the units of the coordinates, and a note. Longitudes count modulo 360."""
    if "x" not in axes or "y" not in axes or axes["x"].values is None or axes["y"].values is None:
        if box is not None:
            raise OrbitscopeError(f"box: {where} has no coordinates x and y (longitude and latitude) to choose a box by.")
        return dict(axes), "area: all points"
    x, y = axes["x"].values, axes["y"].values
    marks = (" E", " N") if axes["x"].unit == "degree" else ("", "")
    area = f"{x.min():g} to {x.max():g}{marks[0]}, {y.min():g} to {y.max():g}{marks[1]}"
    if box is None:
        return dict(axes), f"area: {area}"
    west, east, south, north = box
    rows = np.flatnonzero((y >= south) & (y <= north))
    if axes["x"].unit == "degree":
        away = np.where(x > east, (x - west) % 360, x - west)
        away = np.where(away < 0, (x - west) % 360, away)
        columns = np.flatnonzero(away <= (east - west if east >= west else (east - west) % 360))
        columns = columns[np.argsort(away[columns], kind="stable")]
        turned = west + away
    else:
        columns, turned = np.flatnonzero((x >= west) & (x <= east)), x
    if len(columns) < 2 or len(rows) < 2:
        raise OrbitscopeError(f"box: (west, east, south, north) = {tuple(box)} holds no area of {where}, which covers {area}.")
    chosen = axes["x"].take(columns)
    chosen = Axis(chosen.dim, chosen.index, turned[columns], chosen.unit, chosen.name, chosen.standard, chosen.reversed)
    found = {**axes, "x": chosen, "y": axes["y"].take(rows)}
    x, y = turned[columns], y[rows]
    return found, f"area: {x.min():g} to {x.max():g}{marks[0]}, {y.min():g} to {y.max():g}{marks[1]}, a box of {area}"


def grid_of(
    axes: Mapping[str, Axis],
    shape: tuple[int, ...],
    where: str,
    *,
    grid: Grid | None,
    extent: Sequence[float] | None,
    boundary: Sequence[str] | None,
    default: Boundary = "open",
    why_default: str = "the file does not say, this claims least",
) -> tuple[Grid, str]:
    """What the caller declared, else the grid of the coordinates, and a note on every decision."""
    if grid is not None:
        if grid.shape != shape:
            raise OrbitscopeError(f"grid: {grid} does not fit the area of {' x '.join(map(str, shape))} points in {where}.")
        return grid, f"grid: {grid}, extent {' x '.join(f'{e:g}' for e in grid.extent)}; declared by the caller"
    names = list(axes)
    bare = [n for n in names if axes[n].values is None]
    if bare and extent is None:
        example = f"extent=({', '.join('1.0' for _ in names)}), boundary=({', '.join(repr('periodic') for _ in names)})"
        raise OrbitscopeError(
            f"grid: {where} has no coordinate along {', '.join(f'{axes[n].dim!r}' for n in bare)}, so the size of the box is unknown. "
            f"Pass it with the boundary: load(path, {example})."
        )
    steps = {n: _step(axes[n], where) for n in names if axes[n].values is not None and len(axes[n].index) > 1}
    sphere = all(axes[n].unit == "degree" for n in names) and names == ["x", "y"] and not bare
    if any(axes[n].unit == "degree" for n in names) and not sphere and extent is None and len(names) > 1:
        raise OrbitscopeError(
            f"grid: in {where} some axes are in degrees and some are not ({', '.join(f'{n}: {axes[n].unit or 1}' for n in names)}), which "
            "gives no grid in metres. Take one point of the others (select=), or pass extent=(...)."
        )
    notes, chosen = [], _boundaries(axes, names, steps, boundary, default, why_default)
    centring: Centring = "cell"
    if extent is not None:
        size = tuple(float(e) for e in extent)
        notes.append("size declared by the caller")
    elif sphere:
        size, words = _plane(axes, steps)
        notes.append(words)
    else:
        centring = _centring(axes, names, steps, chosen[0])
        counts = [n - (centring == "node" and b != "periodic") for n, b in zip(shape, chosen[0], strict=True)]
        size = tuple(float(f"{steps.get(a, 1.0) * max(1, n):.9g}") for a, n in zip(names, counts, strict=True))
        units = dict.fromkeys(axes[n].unit or "units of the file" for n in names)
        notes.append(f"from the coordinates {', '.join(axes[n].name for n in names)} in {', '.join(units)}")
    made = Grid(shape, size, chosen[0], centring)
    return made, f"grid: {made}, extent {' x '.join(f'{e:g}' for e in made.extent)}; {'; '.join([*notes, chosen[1]])}"


def _step(axis: Axis, where: str) -> float:
    assert axis.values is not None
    step = uniform_step(axis.values if axis.unit != "degree" else axis.values.astype(np.float32))
    if step is None:
        raise OrbitscopeError(
            f"grid: in {where} the coordinate {axis.name!r} {fault(axis.values)}. A grid has one step: put the values on a uniform axis "
            f"first (xarray: dataset.interp({axis.name}=...)), take a part (box=...), or pass grid=Grid(...) to insist."
        )
    return float((axis.values[-1] - axis.values[0]) / (len(axis.values) - 1))


def _boundaries(
    axes: Mapping[str, Axis],
    names: list[str],
    steps: Mapping[str, float],
    said: Sequence[str] | None,
    default: Boundary,
    why: str,
) -> tuple[tuple[Boundary, ...], str]:
    if said is not None:
        return tuple(said), "boundary declared by the caller"  # pyright: ignore[reportReturnType]
    x = axes.get("x")
    around = x is not None and x.unit == "degree" and abs(steps.get("x", 0.0) * len(x.index) - 360) < 0.01 * steps.get("x", 1.0)
    found: list[Boundary] = ["periodic" if n == "x" and around else default for n in names]
    words = "longitude goes around the Earth, so it is periodic; else " if around else ""
    return tuple(found), f"{words}boundary {default}: {why}"


def _plane(axes: Mapping[str, Axis], steps: Mapping[str, float]) -> tuple[tuple[float, ...], str]:
    """Metres on a plane that touches the middle of the area."""
    north: NDArray[Any] | None = axes["y"].values
    assert north is not None
    shrink = np.cos(np.deg2rad(north))
    middle = float(np.cos(np.deg2rad(north.mean())))
    size = (
        float(steps.get("x", 0.0) * _DEGREE * middle * len(axes["x"].index)),
        float(steps.get("y", 0.0) * _DEGREE * len(north)),
    )
    spread = (shrink.max() - shrink.min()) / max(middle, 1e-12)
    return size, (
        f"{size[0] / 1e3:.4g} x {size[1] / 1e3:.4g} km; a degree east is {_DEGREE * middle / 1e3:.4g} km at the middle and differs by "
        f"{spread:.1%} over the area"
    )


def _centring(axes: Mapping[str, Axis], names: list[str], steps: Mapping[str, float], boundary: Sequence[str]) -> Centring:
    """Nodes where a coordinate begins at 0, else cells."""
    firsts = [abs(axes[n].values[0]) / steps[n] for n in names if n in steps]  # pyright: ignore[reportOptionalSubscript]
    return "node" if firsts and all(f < 0.1 for f in firsts) else "cell"


def missing_note(dry: NDArray[np.bool_], axes: Mapping[str, Axis], land: float | None, where: str) -> str:
    """A note on the cells without a value, or the refusal that names the first of them. `dry` is [*space]."""
    if not dry.any():
        return "land: none, no value is missing in the first state"
    at = np.argwhere(dry)[0]
    count = f"{int(dry.sum())} of {dry.size} cells"
    marks = {"x": " E", "y": " N"}
    place = ", ".join(
        f"{axes[n].values[k]:g}{marks.get(n, '') if axes[n].unit == 'degree' else ''}" if axes[n].values is not None else f"{n} {k}"  # pyright: ignore[reportOptionalSubscript]
        for n, k in zip(axes, at.tolist(), strict=True)
    )
    if land is None:
        raise OrbitscopeError(
            f"land: {count} of {where} have no value (land, sea floor or a gap), the first at {place}. Take a box of open sea, "
            "load(path, box=(west, east, south, north)), or say what shall stand there: load(path, land=0.0)."
        )
    return f"land: {count} without a value hold {land:g}, as the caller asked; a coast there breaks every symmetry"
