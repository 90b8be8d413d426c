"""One point of every dimension that is no axis of the state: a level, a member, whatever has length one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..._errors import OrbitscopeError
from ._wanted import Wanted


def selected(
    dataset: xr.Dataset, dims: Sequence[str], roles: Mapping[str, str | None], wanted: Wanted, where: str, *, three: bool
) -> tuple[dict[str, int], list[str]]:
    """One position along every dimension that is no axis of the state, and notes."""
    fixed: dict[str, int] = {}
    notes: list[str] = []
    planar = {"x", "y"} <= {r for d, r in roles.items() if dataset.sizes[d] > 1}
    for dim, value in wanted.select.items():
        if dim not in dims:
            raise OrbitscopeError(f"select: {dim!r} is no axis of these fields of {where}, which have {', '.join(dims)}.")
        fixed[dim] = _position(dataset, dim, value, where)
        notes.append(f"level: {dim} {_value(dataset, dim, fixed[dim])}, chosen by the caller")
    used_depth = False
    for dim in dims:
        size, role = dataset.sizes[dim], roles[dim]
        if dim in fixed:
            continue
        if role == "z" and planar and not three:
            if not 0 <= wanted.depth < size:
                raise OrbitscopeError(f"depth: {wanted.depth} is not one of the {size} levels of {where}, numbered from 0.")
            fixed[dim], used_depth = wanted.depth, True
            notes.append(f"level: {dim} {wanted.depth} of {size} ({_value(dataset, dim, wanted.depth)}); depth= or select= takes another")
        elif role is None and size == 1:
            fixed[dim] = 0
    if wanted.depth and not used_depth:
        raise OrbitscopeError(f"depth: {where} has no vertical axis to take level {wanted.depth} of; its axes are {', '.join(dims)}.")
    return fixed, notes


def _position(dataset: xr.Dataset, dim: str, value: Any, where: str) -> int:
    """The position of a coordinate's value along a dimension; without a coordinate the value is the position."""
    size = dataset.sizes[dim]
    if dim not in dataset.variables:
        if isinstance(value, int) and 0 <= value < size:
            return value
        raise OrbitscopeError(f"select: {dim!r} of {where} has no coordinate; give a position from 0 to {size - 1}, got {value!r}.")
    held = np.asarray(dataset[dim].values)
    if held.dtype.kind in "fiu":
        try:
            near = np.flatnonzero(np.isclose(held.astype(np.float64), float(value), rtol=1e-5, atol=1e-9))
        except (TypeError, ValueError):
            near = np.zeros(0, dtype=int)
    else:
        near = np.flatnonzero(held.astype(str) == str(value))
    if len(near) != 1:
        some = ", ".join(map(str, held[:8].tolist())) + (", ..." if size > 8 else "")
        raise OrbitscopeError(f"select: {value!r} is not on the axis {dim!r} of {where}, which has {some}.")
    return int(near[0])


def _value(dataset: xr.Dataset, dim: str, k: int) -> str:
    if dim not in dataset.variables or dataset[dim].dtype.kind not in "fiu":
        return f"position {k}"
    unit = dataset[dim].attrs.get("units", "")
    return f"{float(dataset[dim].values[k]):g}" + (f" {unit}" if unit else "")
