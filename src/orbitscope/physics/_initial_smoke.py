"""Tasks of the approximately symmetric smoke plumes: where the smoke comes in and how strongly it rises."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid, GridAction, dihedral
from ._initial import stream
from ._simulate import Scenario, register_scenario
from ._smoke import Smoke

_SOURCE = "Source: Wang, Walters and Yu, ICML 2022 (arXiv 2201.11969); the numbers are those of the notebook that made their data."
_BOX = 64.0  # the published box; lengths below are in 64ths of the side of the grid


def smoke_translation(
    grid: Grid, seed: int, index: int, dtype: torch.dtype = torch.float32, *, breaking: float = 1.0, radius: float = 5.0, rate: float = 1.0
) -> Tensor:
    r"""smoke-T: one law seen from 35 places, but for the buoyancy, which differs between the halves. State [6, n, n], at rest, no smoke.

    Task `index` = 5 i + j: inflow disc of `radius` centred at (8 + 8 i, 5 + 5 j), i < 7, j < 5, in 64ths of the side, `rate` smoke per
    unit time in every cell whose centre it covers. Buoyancy upwards (y): $0.15 - 0.05\,\mathrm{breaking}$ in the left half and
    $0.15 + 0.05\,\mathrm{breaking}$ in the right one; 0.1 and 0.2 as published. With `breaking=0` the force no longer depends on the
    place: tasks i and 6 - i are mirror images, and shifts hold but for the walls, which act at once, through the pressure.
    Nothing is random, `seed` is not used. Raises `OrbitscopeError` beyond the 35 tasks.
    """
    across, up = divmod(_task("smoke.translation", index, 35), 5)
    x = grid.coordinates()[0] - grid.extent[0] / 2
    force = 0.15 + 0.05 * breaking * torch.where(x.abs() > 1e-9 * grid.extent[0], x.sign(), 0.0)
    return _at_rest(grid, "smoke.translation", (8.0 + 8 * across, 5.0 + 5 * up), (0.0 * force, force), radius, rate, dtype)


def smoke_rotation(
    grid: Grid, seed: int, index: int, dtype: torch.dtype = torch.float32,
    *, breaking: float = 1.0, strength: float = 0.01, radius: float = 5.0, rate: float = 1.0, noise: float = 1e-3,
) -> Tensor:  # fmt: skip
    r"""smoke-R: plumes from the four sides, of unequal strength. State [6, n, n], at rest.

    Task `index` = 4 i + j, i < 9: side j = 0, 1, 2, 3 is bottom, right, top, left; inflow 5/64 of the side off that wall, buoyancy
    into the box. As published its strength is (index + 1) * `strength`, and 1.1 times that from the top: the count runs on from side to
    side, so the four plumes of a round differ. In general it is

    $$\text{strength} \cdot \big[(4i + 1) + \mathrm{breaking} \cdot \big((4i + 1 + j)\,(1.1 \text{ if top else } 1) - (4i + 1)\big)\big];$$

    `breaking=0` gives the four plumes of a round the strength of the one from the bottom: they are each other's quarter turns, to the
    last bit, for as long as one likes. `strength=0.025` and no extra at the top was the first published version.

    `noise`: the four plumes of a round start with the same puff, turned: smoke between 0 and `noise` * `rate`, uniform, in each cell of
    the inflow disc, by (`seed`, i). Published runs start empty, and `noise=0` does; but then a plume from the middle of a side keeps its
    mirror image for ever, because this solver does (theirs presumably lost it to its own rounding). Raises beyond the 36 tasks.
    """
    turns, side = divmod(_task("smoke.rotation", index, 36), 4)
    fair, published = 4 * turns + 1, (index + 1) * (1.1 if side == 2 else 1.0)
    force = strength * (fair + breaking * (published - fair))
    state = _at_rest(grid, "smoke.rotation", (32.0, 5.0), (0.0, force), radius, rate, torch.float64)
    state = _puff(state, noise, seed, "smoke.rotation", turns).to(dtype)
    action, quarter = GridAction(Smoke.layout, grid), dihedral(4)["r"]
    for _ in range(side):
        state = action(quarter, state)
    return state


def smoke_scale(
    grid: Grid, seed: int, index: int, dtype: torch.dtype = torch.float32,
    *, breaking: float = 1.0, strength: float = 0.1, radius: float = 5.0, rate: float = 1.0, noise: float = 1e-3,
) -> Tensor:  # fmt: skip
    r"""smoke-S: plumes in boxes of 38 sizes, in units of the box. State [6, n, n], at rest.

    Task `index`: a box f = 1 + 0.1 index times larger (up to 4.7), its inflow scaled alike, lengths and velocities divided by f, as the
    published set stores them: so the inflow is the same for all, and the buoyancy is $\text{strength} \cdot f^{-\mathrm{breaking}}$.

    With `breaking=0` gravity grows with the box and all tasks coincide. That is the published law; there, tasks differ only because
    the larger boxes were given more cells (int(64 f), resampled to 64), that is by the error of the solver. For whole f that knob is
    `refine=f` here. With `breaking=1`, the default and our choice, gravity is the same in all boxes, as in a laboratory, and the force
    of task f is off by the factor 1 / f. `noise` is as for smoke.rotation, the same puff for all tasks of a `seed`. Raises
    `OrbitscopeError` beyond the 38 tasks.
    """
    factor = 1.0 + 0.1 * _task("smoke.scale", index, 38)
    state = _at_rest(grid, "smoke.scale", (32.0, 5.0), (0.0, strength * factor**-breaking), radius, rate, torch.float64)
    return _puff(state, noise, seed, "smoke.scale", 0).to(dtype)


def smoke_equivariance(
    grid: Grid, seed: int, index: int, dtype: torch.dtype = torch.float32,
    *, breaking: float = 1.0, strength: float = 0.005, radius: float = 5.0, rate: float = 1.0, noise: float = 1e-3,
) -> Tensor:  # fmt: skip
    r"""smoke-E: one plume from the bottom at 50 strengths, to build sets of known error. State [6, n, n], at rest.

    Task `index`: buoyancy $\text{strength} \cdot (1 + \mathrm{breaking} \cdot \mathrm{index})$, that is 0.005 (index + 1) as published.
    Their ten sets take tasks (1, 1 + m, 1 + 2 m, 1 + 3 m), m = 0 ... 9, and turn them by 0, 90, 180, 270 degrees: exact C4 data for m = 0,
    ever less so for larger m. Do the turns with `GridAction`, which is exact. `noise` is as for smoke.rotation, the same puff for all
    tasks of a `seed`. Raises `OrbitscopeError` beyond the 50 tasks.
    """
    force = strength * (1.0 + breaking * _task("smoke.equivariance", index, 50))
    state = _at_rest(grid, "smoke.equivariance", (32.0, 5.0), (0.0, force), radius, rate, torch.float64)
    return _puff(state, noise, seed, "smoke.equivariance", 0).to(dtype)


def _puff(state: Tensor, noise: float, seed: int, purpose: str, index: int) -> Tensor:
    if not noise >= 0.0:
        raise OrbitscopeError(f"{purpose}: `noise` should be a number >= 0, got {noise}.")
    draw = stream(seed, purpose, index).random(tuple(state.shape[1:]))
    state[0] = noise * state[3] * torch.from_numpy(draw)
    return state


def _task(name: str, index: int, count: int) -> int:
    if not 0 <= index < count:
        raise OrbitscopeError(
            f"{name}: there are {count} tasks, numbered 0 .. {count - 1}, got `index` {index}. Ask for at most {count} trajectories; "
            f"more would only repeat them. Another `seed` or other parameters (radius=, rate=) give others."
        )
    return index


def _at_rest(
    grid: Grid, name: str, centre: tuple[float, float], force: tuple[Any, Any], radius: float, rate: float, dtype: torch.dtype
) -> Tensor:
    if grid.boundary != ("wall", "wall") or grid.centring != "cell" or not grid.alike(0, 1):
        raise OrbitscopeError(f"{name}: `grid` should be a cell-centred square with walls, equation('smoke').grid(n), got {grid}.")
    if not radius > 0.0:
        raise OrbitscopeError(f"{name}: `radius` should be positive, got {radius}.")
    unit = grid.extent[0] / _BOX
    x, y = grid.coordinates() / unit
    # The margin keeps a cell on the rim on the same side of it after any turn, whatever the rounding.
    inside = (x - centre[0]).square() + (y - centre[1]).square() <= radius**2 * (1 + 1e-9)
    if not inside.any():
        raise OrbitscopeError(f"{name}: no cell centre lies in the inflow disc of `radius` {radius} (64ths of the side). Use more points.")
    state = torch.zeros(6, *grid.shape, dtype=torch.float64)
    state[3], state[4], state[5] = rate * inside, force[0], force[1]
    return state.to(dtype)


_HALF = partial(Smoke, self_advection=0.5)
_OPEN = (
    "Not PhiFlow's numbers: another scheme for the same law (see Smoke). Velocity here sits at cell centres, from time "
    "0 on; the published files hold face velocities, from the first step on (rotation, scale: from the second; equivariance: steps 11-60). "
)  # fmt: skip
_PUFF = "The first smoke (`noise`) is ours: published runs start empty. "
_SLOW = "The published script advects velocity with half the time step of everything else: self_advection = 0.5. "
for _scenario in (
    Scenario("smoke.translation", _HALF, smoke_translation, "35 inflow places, buoyancy 0.1 left and 0.2 right", "smoke-T",
             t_end=310.0, frames=311, notes=_OPEN + _SLOW + _SOURCE),
    Scenario("smoke.rotation", Smoke, smoke_rotation, "smoke from four sides, 36 strengths", "smoke-R",
             t_end=310.0, frames=311, notes=_OPEN + _PUFF + _SOURCE),
    Scenario("smoke.scale", _HALF, smoke_scale, "38 box sizes in units of the box, the same gravity for all", "smoke-S",
             t_end=310.0, frames=311, notes=_OPEN + _PUFF + _SLOW + "What breaks the scale symmetry is ours: see `breaking`. " + _SOURCE),
    Scenario("smoke.equivariance", _HALF, smoke_equivariance, "50 strengths of one plume, to be turned into sets of known error", "smoke-E",
             t_end=61.0, frames=62, notes=_OPEN + _PUFF + _SLOW + _SOURCE),
):  # fmt: skip
    register_scenario(_scenario)
