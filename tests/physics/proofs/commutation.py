"""Solve and act, or act and solve: the difference, element by element."""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from orbitscope.physics import Equation, equation, equations, initial_condition, scenario, scenarios
from orbitscope.symmetry import Grid, GridAction, Group


class Commutation(NamedTuple):
    """One element of a declared group: the error, and how far the element moves the state (relative to its variation)."""

    group: Group
    element: str
    is_identity: bool
    error: float
    moved: float


def states(name: str, count: int, dtype: torch.dtype = torch.float64, n: int = 20, seed: int = 3) -> tuple[Equation, torch.Tensor]:
    """The solver of a scenario, or of an equation that has none, and `count` initial states on `n` points per axis."""
    if name in scenarios():
        plan = scenario(name)
        solver, initial = plan.equation(), plan.initial
        return solver, torch.stack([initial(solver.grid(n), seed, i, dtype) for i in range(count)])
    solver = equation(name)
    flow = torch.stack([initial_condition("NS-Gauss")(Grid.square(n), seed, i, torch.float64) for i in range(count)])
    scalar = torch.stack([initial_condition("CE-RP")(Grid.square(n), seed, i, torch.float64)[:1] for i in range(count)])
    parts = {"heat": [scalar], "navier-stokes-tracer": [flow, scalar]}.get(name, [flow])
    return solver, torch.cat(parts, 1).to(dtype)


def cases() -> list[str]:
    """Every scenario, and every equation that has none."""
    used = {plan.equation().name for plan in scenarios().values()}
    return sorted(scenarios()) + [name for name in equations() if name not in used]


def commutation(solver: Equation, x: torch.Tensor, dt: float, n: int) -> Iterator[Commutation]:
    """max |step(g x) - g step(x)| / max |step(x)| for every element g of every declared group, `n` points per axis.

    Field by field, a vector as a whole, and the worst of them: a small field does not hide behind a large one. A field that is zero but
    for rounding has no size of its own and takes that of the largest.
    """
    action = GridAction(solver.layout, solver.grid(n))
    y = solver.step(x, dt)
    fields = [solver.layout.slice(f.name) for f in solver.layout.fields]
    sizes = [max(float(s[:, where].abs().max()) for s in (x, y)) for where in fields]
    scales = [size if size > 1e-9 * max(sizes) else max(sizes) or 1.0 for size in sizes]
    variation = (x - x.flatten(2).mean(2).reshape(*x.shape[:2], *[1] * (x.ndim - 2))).norm()
    for group in solver.groups(n):
        for g in group:
            gap = (solver.step(action(g, x), dt) - action(g, y)).abs()
            error = max(float(gap[:, where].max()) / scale for where, scale in zip(fields, scales, strict=True))
            yield Commutation(group, g.name, g == group.identity, error, float((action(g, x) - x).norm() / variation))
