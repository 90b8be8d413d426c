"""Which way time runs in a file, and how long a step it really takes."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...physics import Equation, SolverError
from ...symmetry import Grid, Layout
from ._checks import SOLVED, stepped
from ._readings import Reading

_FACTORS = (1e-3, 0.01, 0.03, 0.1, 0.2, 0.33, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.5, 7.5, 10.0)
_NICE = sorted({*range(1, 21), *(1 / k for k in range(1, 21)), 24, 25, 30, 50, 60, 100, 1000, 1 / 24, 1 / 25, 1 / 50, 1 / 60, 0.01, 0.001})
_LIKELY = (1e-3, 0.01, 0.1, 0.2, 0.25, 1 / 3, 0.5, 2, 3, 4, 5, 10, 100, 1000)
_TRANSITIONS, _MARCHED, _SHORT = 4, 3, 0.02
WRITABLE = 0.1
"""The widest relative margin with which a number may be written into a file."""
_SAME = 0.05  # factors closer to 1 than this are left alone: a solver of another order may run that much ahead


def timed_by_solver(
    readings: tuple[Reading, ...], x: Tensor, y: Tensor, layout: Layout, grid: Grid, dt: float, law: Equation
) -> list[Reading]:
    r"""The readings, forward and backward, whose direction of change agrees best with the solver's, each with the `factor` of `dt` that
    fits best.

    The direction is the cosine between y - x and $S_h(x) - S_0(x)$ for a short h, which knows no `dt`. The three best and the declared
    one are marched once to 10 dt; the factor is the minimum of the residual along the way, between 1e-3 and 10.
    """
    x, y = x[:_TRANSITIONS], y[:_TRANSITIONS]
    agreement: list[tuple[float, Reading]] = []
    for reading in readings:
        for one in (reading, replace(reading, name=_backward(reading), reverse=not reading.reverse)):
            if not reading.reverse and not reading.faces:
                agreement.append((_cosine(law, *one.pair(x, y, layout, grid), dt, grid), one))
    agreement.sort(key=lambda pair: -pair[0])
    best = [reading for _, reading in agreement[:_MARCHED]]
    # The declared reading is marched in any case: over a long step the flow has turned, and the directions tell little.
    best += [r for r in readings[:1] if r not in best]
    found = []
    for reading in best:
        factor, residual = _marched(law, *reading.pair(x, y, layout, grid), dt, grid)
        if factor < 2 * _FACTORS[0] / 10 or residual >= SOLVED:  # the end of the search, or nothing found: no number
            continue
        # A solver that misses the file by so much fixes the factor no better than by some share of that.
        found.append(with_factor(reading, factor, min(max(0.015, 0.3 * residual), 0.15)))
    return found


def timed_by_snapshots(reading: Reading, residual: Callable[[float], Tensor]) -> Reading | None:
    """The reading with the factor that makes `residual(factor)` [N] smallest; None where that is no positive one, or where 1 is within its
    margin.

    The laws between two snapshots are linear in the time step, so the squared residual is a parabola through 1 at 0. The factor found
    is off even for a right file, because two snapshots some way apart bracket the flow badly, and what is left of the residual at the
    best factor says by how much: over scenarios, seeds and lags the logarithm of a right file's factor stays within `null_width` of 0.
    """
    ahead, back = residual(1.0).square(), residual(-1.0).square()
    bend = (ahead + back) / 2 - 1
    factor = float(((back - ahead) / (4 * bend.clamp_min(1e-12))).median())
    if not factor > 1e-4:
        return None
    width = null_width(float(residual(factor).median()))
    return None if abs(math.log(factor)) <= width else with_factor(reading, factor, width)


def null_width(residual: float) -> float:
    """How far the logarithm of a right file's factor may be from 0 where that much of the change is unexplained at the best factor.

    Measured by docs/make_audit_calibration.py on right files of ten scenarios.
    """
    return 0.01 + 2.5 * residual


def with_factor(reading: Reading, factor: float, tolerance: float) -> Reading:
    """The reading with that factor, which is good to a relative `tolerance`; unchanged near 1.

    Where the tolerance is small the factor is rounded to a likely one (2, 1/3, 60) within it; the margin that the reading carries then
    still covers the estimate's own.
    """
    if abs(math.log(factor)) < max(_SAME, tolerance):
        return reading
    near = min(_NICE if tolerance < 0.04 else _LIKELY, key=lambda n: abs(math.log(n / factor)))
    off = abs(math.log(near / factor))
    if off < tolerance <= WRITABLE:
        factor, tolerance = near, tolerance + off
    start = "" if reading.name == "declared" else f"{reading.name}, "
    return replace(reading, name=f"{start}dt x {factor:.4g}", factor=factor, uncertainty=tolerance)


def _backward(reading: Reading) -> str:
    return "time reversed" if reading.name == "declared" else f"{reading.name}, time reversed"


def _cosine(law: Equation, x: Tensor, y: Tensor, dt: float, grid: Grid) -> float:
    try:
        change = (stepped(law, x, _SHORT * dt, grid) - stepped(law, x, 0.0, grid)).flatten(1)
    except SolverError:
        return -1.0
    stored = (y - x).flatten(1)
    return float((torch.sum(change * stored, 1) / (change.norm(dim=1) * stored.norm(dim=1) + 1e-300)).median())


def _marched(law: Equation, x: Tensor, y: Tensor, dt: float, grid: Grid) -> tuple[float, float]:
    """The best factor and its residual: coarsely on the way to 10 dt, then finely from the last state before it."""
    change = (y - x).flatten(1).norm(dim=1) + 1e-300
    states, residuals, now = [x], [1.0], 0.0
    try:
        for factor in _FACTORS:
            states.append(stepped(law, states[-1], (factor - now) * dt, grid))
            residuals.append(float(((states[-1] - y).flatten(1).norm(dim=1) / change).median()))
            now = factor
            if residuals[-1] > 4 * min(residuals) and residuals[-1] > 2:
                break  # long past
    except SolverError:
        pass
    best = int(np.argmin(residuals[1:])) if len(residuals) > 1 else 0
    if len(residuals) < 2:
        return 1.0, 1.0
    low = _FACTORS[best - 1] if best else _FACTORS[0] / 10
    high = _FACTORS[min(best + 1, len(_FACTORS) - 1)]
    start, origin = (states[best], _FACTORS[best - 1]) if best else (x, 0.0)

    def residual(log_factor: float) -> float:
        try:
            moved = stepped(law, start, (math.exp(log_factor) - origin) * dt, grid)
        except SolverError:
            return float("inf")
        return float(((moved - y).flatten(1).norm(dim=1) / change).median())

    from scipy.optimize import minimize_scalar

    found = minimize_scalar(residual, bounds=(math.log(low), math.log(high)), method="bounded", options={"xatol": 1e-4, "maxiter": 18})
    return math.exp(float(found.x)), float(residual(float(found.x)))


__all__ = ["WRITABLE", "timed_by_snapshots", "timed_by_solver", "with_factor"]
