"""The laws that a transition is held against: a number each, lower fits better, and the limit below which the law counts as kept."""

import numpy as np
import torch
from torch import Tensor

from ...physics import Equation, SolverError
from ...symmetry import Grid, Layout
from ._readings import Reading
from ._snapshot_laws import snapshot_residuals

SOLVED = 0.5
"""Of a step's change: a solver with somewhat different parameters still does better."""
KEPT = 0.1
"""A constraint's residual below which it counts as kept on a coarse grid."""
SURE = 0.01
"""A solver's residual below which nothing needs a second look."""
DYNAMIC = {"solver": SOLVED, "transport": 0.25, "mass": 0.25}
"""Laws in time, whose residual has an error of the time step too."""
_CROSSINGS = 5
_ROUNDING = 1e-6  # of the state's size: a change below it is rounding in single precision


def limit(check: str, timed: bool = False) -> float:
    """Where a law counts as kept; another time step can be told by laws in time alone."""
    if check in DYNAMIC:
        return DYNAMIC[check]
    return 0.0 if timed else KEPT


def stepped(law: Equation, x: Tensor, dt: float, grid: Grid) -> Tensor:
    """The solver's step on the file's grid, as long as no fluid crosses the box more than `_CROSSINGS` times: after that neither a solver
    nor anybody else knows where it is, and the steps would go into the millions (raw packed integers read as a velocity).

    Raises `SolverError` for such a state, and what the solver raises.
    """
    for field in law.layout.fields:
        if field.name in ("velocity", "momentum"):
            speed = x[:, law.layout.slice(field.name)].abs().flatten(1).amax(1)
            if field.name == "momentum" and law.layout.fields[0].name == "density":
                speed = (x[:, 1 : 1 + law.layout.ndim] / x[:, :1].clamp_min(1e-12)).abs().flatten(1).amax(1)
            fast = (speed * dt > _CROSSINGS * min(grid.extent)).nonzero().flatten()
            if len(fast):
                raise SolverError(f"{law.name}: the fluid crosses the box more than {_CROSSINGS} times in one step.", int(fast[0]), 0.0)
    return law.step(x, dt, grid)


def solver_residual(law: Equation, x: Tensor, y: Tensor, dt: float, grid: Grid, *, rounding: float = 0.0) -> Tensor:
    r"""$\|S_{dt}(x) - y\| / \|y - x\|$ per transition [N]: 0 if the solver makes y from x, about 1 if it predicts no better than
    persistence. `rounding` times |x| is added below, so that a state at rest is not judged by its rounding.

    inf where the state is unphysical for the solver.
    """
    change = (y - x).flatten(1).norm(dim=1) + rounding * x.flatten(1).norm(dim=1) + 1e-300
    try:
        return (stepped(law, x, dt, grid) - y).flatten(1).norm(dim=1) / change
    except SolverError:
        values = []
        for a, b, c in zip(x, y, change, strict=True):
            try:
                values.append(float((stepped(law, a[None], dt, grid)[0] - b).norm() / c))
            except SolverError:
                values.append(float("inf"))
        return torch.tensor(values, dtype=torch.float64)


def residuals(
    reading: Reading, x: Tensor, y: Tensor, layout: Layout, grid: Grid, dt: float, law: Equation | None, *, solver: bool = True
) -> dict[str, Tensor]:
    """Every check [N] of the transitions as the reading has them; without `solver` only the laws of two snapshots."""
    a, b = reading.pair(x, y, layout, grid)
    dt, grid = reading.factor * dt, reading.box(grid)
    found = {} if law is None else dict(law.constraints(a, b, dt, grid))
    found |= snapshot_residuals(a, b, dt, layout, grid, law)
    if law is not None and solver:
        found["solver"] = solver_residual(law, a, b, dt, grid, rounding=_ROUNDING)
    return found


def medians(found: dict[str, Tensor]) -> dict[str, float]:
    """The typical transition."""
    return {name: float(v.median()) for name, v in found.items()}


def judged(checks: tuple[str, ...], row: dict[str, float]) -> list[str]:
    """The checks that count: two snapshots say nothing about a step that the solver has repeated and they are too far apart for."""
    if row.get("solver", np.inf) < SURE:
        return [c for c in checks if c == "solver" or c not in DYNAMIC]
    return list(checks)


def listing(row: dict[str, float]) -> str:
    """Such as "divergence 2e-07, solver 0"."""
    return ", ".join(f"{c} {s:.2g}" for c, s in row.items())


__all__ = ["DYNAMIC", "KEPT", "SOLVED", "SURE", "judged", "limit", "listing", "medians", "residuals", "solver_residual", "stepped"]
