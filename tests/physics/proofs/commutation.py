"""Solve and act, or act and solve: the difference, element by element."""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from orbitscope.physics import Equation, scenario
from orbitscope.symmetry import Group, GridAction


class Commutation(NamedTuple):
    """One element of a declared group: the error, and how far the element moves the state (relative to its variation)."""

    group: Group
    element: str
    is_identity: bool
    error: float
    moved: float


def states(name: str, count: int, dtype: torch.dtype = torch.float64, n: int = 20, seed: int = 3) -> tuple[Equation, torch.Tensor]:
    """The solver of a scenario and `count` of its initial states on `n` points per axis."""
    plan = scenario(name)
    solver = plan.equation()
    return solver, torch.stack([plan.initial(solver.grid(n), seed, i, dtype) for i in range(count)])


def commutation(solver: Equation, x: torch.Tensor, dt: float, n: int) -> Iterator[Commutation]:
    """max |step(g x) - g step(x)| / max |step(x)| for every element g of every declared group, `n` points per axis."""
    action = GridAction(solver.layout, solver.grid(n))
    y = solver.step(x, dt)
    variation = (x - x.flatten(2).mean(2).reshape(*x.shape[:2], *[1] * (x.ndim - 2))).norm()
    for group in solver.groups(n):
        for g in group:
            error = float((solver.step(action(g, x), dt) - action(g, y)).abs().max() / y.abs().max())
            yield Commutation(group, g.name, g == group.identity, error, float((action(g, x) - x).norm() / variation))
