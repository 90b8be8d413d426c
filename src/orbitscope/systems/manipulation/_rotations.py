"""Sets of rotations that a planner scores: whole grids of SO(3) that quarter turns permute, and small ones about a rotation."""

import itertools

import numpy as np

from ..._errors import OrbitscopeError
from ._poses import Array, about, angle_of, turned

_DOWN = np.diag([1.0, -1.0, -1.0])


def rotation_grid(spacing: float, tilt: float = np.pi) -> Array:
    r"""Orientations of a hand, [R, 3, 3]: $R_z(\alpha) R_y(\beta) R_z(\gamma) D$, D the hand that points down, even about the vertical.

    * `spacing`: of neighbours, radians; whole fractions of a quarter turn. `tilt`: the largest angle between the fingers and the vertical.

    Turning all by a quarter about the vertical permutes them, which is what makes scores of a turned scene exact. Raises `OrbitscopeError`
    for a spacing that does not divide a quarter turn.
    """
    per = round(np.pi / 2 / spacing) if spacing > 0 else 0
    if per < 1 or abs(per * spacing - np.pi / 2) > 1e-6:
        raise OrbitscopeError(f"rotation_grid: `spacing` should divide a quarter turn, pi / 2, got {spacing}.")
    found = []
    for b in np.arange(0, np.pi + 1e-9, spacing):
        if b > tilt + 1e-9:
            break
        at_pole = min(b, np.pi - b) < 1e-6
        around = 1 if at_pole else 4 * max(1, round(per * np.sin(b)))
        for a, c in itertools.product(range(around), range(4 * per)):
            found.append(about(2, 2 * np.pi * a / around) @ about(1, b) @ about(2, c * spacing) @ _DOWN)
    return np.stack(found)


def small_turns(spacing: float) -> Array:
    """The 27 small rotations [27, 3, 3] whose rotation vectors have entries 0 and +- `spacing`; a quarter turn permutes their vectors."""
    return np.stack([turned(spacing * np.array(v, dtype=np.float64)) for v in itertools.product((-1, 0, 1), repeat=3)])


def nearest_rotation(turns: Array, wanted: Array) -> int:
    """The number of the rotation in `turns` [R, 3, 3] that is nearest to `wanted` [3, 3]."""
    return int(np.argmax(np.einsum("rij,ij->r", turns, wanted)))


def used_rotations(turns: Array, wanted: Array) -> Array:
    """The rotations of a grid that are nearest to some that are wanted, and their quarter turns about the vertical.

    * `turns` [R, 3, 3]: the grid. `wanted` [N, 3, 3]: those of demonstrations. Raises `OrbitscopeError` where nothing is wanted.
    """
    if not len(wanted):
        raise OrbitscopeError("used_rotations: `wanted` should be at least one rotation, got none.")
    kept = {nearest_rotation(turns, about(2, np.pi / 2 * k) @ w) for w in wanted for k in range(4)}
    kept |= {nearest_rotation(turns, about(2, np.pi / 2 * k) @ turns[r]) for r in kept for k in range(4)}  # ties of rounding
    return turns[sorted(kept)]


def angle_modulo(found: Array, wanted: Array, turns: int = 1) -> float:
    """The angle between two orientations of a hand, radians, least over `turns` even turns about the fingers that nobody would see.

    * `found`, `wanted` [3, 3]: the orientations. `turns`: 2 for a parallel jaw, whose two fingers are alike.
    """
    return min(angle_of((found @ about(2, 2 * np.pi * k / turns)).T @ wanted) for k in range(turns))
