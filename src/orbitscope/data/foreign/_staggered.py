"""Staggered (Arakawa C) grids: components that lie on the faces of cells are averaged to their centres."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from ..._errors import OrbitscopeError
from ...symmetry import Layout
from ._coordinates import Axis
from ._source import Channel

SIDES = {"right": (-1, 0), "left": (0, 1), "outer": (0, 1), "inner": (-1, 0)}
"""Positions (i + a, i + b) on a component's own axis whose mean is the value at centre i."""
_C_GRID = ({"vozocrtx", "vomecrty"},)


def staggered_shifts(
    dataset: xr.Dataset, layout: Layout, channels: Sequence[Channel], side: str | None, where: str
) -> tuple[list[Channel], dict[str, str], str]:
    """The channels with their shifts, the dimension of the centres for every role, and a note.

    `side`: where component i of a vector lies on axis i, seen from the centre of the same number: "right" (NEMO), "left" (MITgcm),
    "outer" (one point more than centres), "inner" (one less, ROMS), "none" (on the centres). None: from `c_grid_axis_shift` of the axes.
    """
    if side not in (None, "none", *SIDES):
        raise OrbitscopeError(f"staggered: expected none, {', '.join(SIDES)}, got {side!r}.")
    by_role: dict[str, list[str]] = {}
    for c in channels:
        for role, dim in c.dims:
            by_role.setdefault(role, [])
            if dim not in by_role[role]:
                by_role[role].append(dim)
    differ = {r: dims for r, dims in by_role.items() if len(dims) > 1}
    if side is None and not differ and {c.variable for c in channels} in _C_GRID:
        raise OrbitscopeError(
            f"staggered: {', '.join(c.variable for c in channels)} of {where} are NEMO's, which lie on the faces of cells. Say where: "
            'load(path, staggered="right") averages them to the centres; "none" says that somebody has done so already.'
        )
    if side in (None, "none") and not differ:
        return list(channels), {r: dims[0] for r, dims in by_role.items()}, ""
    own = {c: "xyz"[k - layout.slice(f.name).start] for f in layout.fields if f.representation.name == "vector"
           for k in range(layout.channels)[layout.slice(f.name)] for c in [channels[k]]}  # fmt: skip
    centres = {r: _centre(dims, r, own, channels, side) for r, dims in by_role.items()}
    shifted: list[Channel] = []
    for c in channels:
        role = own.get(c)
        dim = dict(c.dims).get(role or "", "")
        mine = side or _from_attributes(dataset, dim) if role else None
        away = [d for r, d in c.dims if d != centres[r] and r != role]
        if away or (role and dim != centres[role] and mine in (None, "none")):
            raise OrbitscopeError(
                f"staggered: {c.variable!r} of {where} lies on {', '.join(d for _, d in c.dims)}, other channels on "
                f"{', '.join(centres.values())}. Say where its points are: load(path, staggered=...), one of {', '.join(SIDES)}."
            )
        shifted.append(replace(c, shift=(role, *SIDES[mine])) if role and mine in SIDES else c)
    told = ", ".join(f"{c.variable} along {c.shift[0]}" for c in shifted if c.shift)
    return shifted, centres, f"staggered: {told} averaged to the centres of cells ({side or 'c_grid_axis_shift'})"


def _centre(dims: Sequence[str], role: str, own: Mapping[Channel, str], channels: Sequence[Channel], side: str | None) -> str:
    """Of several dimensions along one axis that of the channels which are not staggered along it."""
    still = [d for c in channels if own.get(c) != role for r, d in c.dims if r == role]
    return still[0] if still else dims[0]


def _from_attributes(dataset: xr.Dataset, dim: str) -> str | None:
    shift = dataset[dim].attrs.get("c_grid_axis_shift") if dim in dataset.variables else None
    return None if shift is None else "left" if float(shift) < 0 else "right"


def trimmed(axes: dict[str, Axis], dataset: xr.Dataset, channels: Sequence[Channel]) -> dict[str, Axis]:
    """Without the centres at the edge that lack one of their two faces."""
    found = dict(axes)
    for c in channels:
        if c.shift is None:
            continue
        role, a, b = c.shift
        size = dataset.sizes[dict(c.dims)[role]]
        index = found[role].index
        whole = (index + min(a, b) >= 0) & (index + max(a, b) < size)
        found[role] = found[role].take(np.flatnonzero(whole))
    return found
