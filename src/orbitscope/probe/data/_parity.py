"""Does every field transform as it is declared to? Reflections tell a scalar from a pseudoscalar."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ...physics import Equation, SolverError
from ...symmetry import Grid, GridAction, Isometry, Layout, parse_group, representation
from ._checks import stepped
from ._snapshot_laws import derivative

_OTHERS = {"scalar": ("pseudoscalar", "vertical"), "pseudoscalar": ("scalar",), "vertical": ("scalar",)}
_OTHERS |= {"vector": ("pseudovector",), "pseudovector": ("vector",)}
_SPIN = {"scalar": (0, 1), "pseudoscalar": (0, -1), "vector": (1, 1), "pseudovector": (1, -1)}
_RELATED = 0.95  # correlation above which one field is the derivative of another
_SOLVED = 0.5  # of a step's change


@dataclass(frozen=True)
class ParityReport:
    """The fields that transform otherwise than declared: one entry per way to put it right, (field, representation) each, and why.

    `residual`: per way ("declared" first), how badly the law is broken by reflected transitions.
    """

    ways: tuple[tuple[tuple[str, str], ...], ...] = ()
    why: str = ""
    residual: tuple[tuple[str, float], ...] = ()


def check_parity(x: Tensor, y: Tensor, layout: Layout, grid: Grid, dt: float, law: Equation | None) -> ParityReport:
    """By the equivariance of the solver where there is one, else by what is the curl, gradient or divergence of what.

    A law that is odd or even in several fields together leaves a choice (an electric scalar and a magnetic pseudovector obey the same
    laws as a pseudoscalar and a vector); all ways with the fewest changes are reported. A file whose representations are those
    that the equation declares is right by definition and costs nothing.
    """
    if law is None:
        return _by_derivatives(x, layout, grid)
    if [f.representation for f in layout.fields] == [f.representation for f in law.layout.fields]:
        return ParityReport()
    return _by_solver(x, y, layout, grid, dt, law)


def alternatives(layout: Layout, changes: int) -> Iterator[tuple[tuple[tuple[str, str], ...], Layout]]:
    """Layouts with `changes` (1 or 2) fields of another representation of the same size."""
    single = [(f.name, other) for f in layout.fields for other in _OTHERS.get(f.representation.name, ())]
    chosen = [(s,) for s in single] if changes == 1 else [(a, b) for i, a in enumerate(single) for b in single[i + 1 :] if a[0] != b[0]]
    for change in chosen:
        true = dict(change)
        fields = (replace(f, representation=representation(true.get(f.name, f.representation))) for f in layout.fields)
        yield change, Layout(tuple(fields), layout.ndim)


def _by_solver(x: Tensor, y: Tensor, layout: Layout, grid: Grid, dt: float, law: Equation) -> ParityReport:
    moves = _moves(grid, law)
    floor = _worst(x, y, law, layout, grid, dt, [Isometry(tuple(map(tuple, np.eye(grid.ndim, dtype=int).tolist())))])
    declared = _worst(x, y, law, layout, grid, dt, moves)
    tolerance = max(3 * floor, 1e-3)
    if not moves or not floor < _SOLVED or declared <= tolerance:
        return ParityReport()
    scores = [("declared", declared)]
    for changes in (1, 2):
        ways = []
        for change, other in alternatives(layout, changes):
            residual = _worst(x, y, law, other, grid, dt, moves)
            scores.append((words(change), residual))
            if residual <= tolerance:
                ways.append(change)
        if ways:
            named = " or ".join(map(words, ways))
            why = f"Reflected transitions break {law.name} as declared (residual {declared:.2g}); that {named} restores it "
            return ParityReport(tuple(ways), why + f"({dict(scores)[words(ways[0])]:.2g}).", tuple(scores))
    return ParityReport((), "", tuple(scores))


def words(change: tuple[tuple[str, str], ...]) -> str:
    """Such as "coriolis is a pseudoscalar"."""
    return " and ".join(
        f"{name} is a {rep}" if rep != "vertical" else f"{name} is odd under a flip of the last axis" for name, rep in change
    )


def _moves(grid: Grid, law: Equation) -> list[Isometry]:
    """Reflections of the law in one axis, or where it has none, those in a diagonal."""
    points = {g.linear: g for name in law.symmetries for g in parse_group(name, points=grid.shape) if g.is_lattice}
    mirrors = [Isometry(linear) for linear, g in points.items() if np.linalg.det(g.matrix) < 0]
    flips = [g for g in mirrors if np.array_equal(np.abs(g.matrix), np.eye(grid.ndim))]
    return (flips or mirrors)[:3]


def _worst(x: Tensor, y: Tensor, law: Equation, layout: Layout, grid: Grid, dt: float, moves: list[Isometry]) -> float:
    action, worst = GridAction(layout, grid), 0.0
    for g in moves:
        try:
            a, b = action.pair(g, x, y)
            residual = (stepped(law, a, dt, grid) - b).flatten(1).norm(dim=1) / ((b - a).flatten(1).norm(dim=1) + 1e-300)
        except SolverError:
            return float("inf")
        except OrbitscopeError:  # a "vertical" field and a turn: that layout cannot be moved by g
            return float("inf")
        worst = max(worst, float(residual.median()))
    return worst


def _by_derivatives(x: Tensor, layout: Layout, grid: Grid) -> ParityReport:
    if not grid.periodic or layout.ndim not in (2, 3) or len(layout.fields) < 2:
        return ParityReport()
    known = {
        f.name: (x[:, layout.slice(f.name)].double(), *_SPIN[f.representation.name])
        for f in layout.fields
        if f.representation.name in _SPIN
    }
    for source, (field, spin, parity) in known.items():
        for what, derived, new_spin, new_parity in _derivatives(field, spin, parity, grid):
            for name, (values, its_spin, its_parity) in known.items():
                if name == source or its_spin != new_spin or its_parity == new_parity or _correlation(derived, values) < _RELATED:
                    continue
                true = {s: n for n, s in _SPIN.items()}
                ways = ((name, true[its_spin, -its_parity]),), ((source, true[spin, -parity]),)
                because = f"{name} is the {what} of {source}, so not both can be as declared: {words(ways[0])}, or {words(ways[1])}."
                return ParityReport(ways, because)
    return ParityReport()


def _derivatives(field: Tensor, spin: int, parity: int, grid: Grid) -> Iterator[tuple[str, Tensor, int, int]]:
    """(name, values [N, components, *grid], spin, parity) of what first derivatives make of a field."""
    d = grid.ndim
    slope = [[derivative(field[:, c], a, grid) for a in range(d)] for c in range(field.shape[1])]  # component, direction
    if spin == 0:
        yield "gradient", torch.stack(slope[0], 1), 1, parity
        if d == 2:
            yield "rotated gradient", torch.stack([slope[0][1], -slope[0][0]], 1), 1, -parity
        return
    yield "divergence", torch.stack([slope[i][i] for i in range(d)]).sum(0)[:, None], 0, parity
    if d == 2:
        yield "curl", (slope[1][0] - slope[0][1])[:, None], 0, -parity
    else:
        curl = [slope[(i + 2) % 3][(i + 1) % 3] - slope[(i + 1) % 3][(i + 2) % 3] for i in range(3)]
        yield "curl", torch.stack(curl, 1), 1, -parity


def _correlation(a: Tensor, b: Tensor) -> float:
    """|cosine| of two fields over all samples, the mean of each sample and component removed: a derivative has none."""
    axes = tuple(range(2, a.ndim))
    a, b = a - a.mean(axes, keepdim=True), b - b.mean(axes, keepdim=True)
    size = float(a.norm() * b.norm())
    return abs(float((a * b).sum())) / size if size > 0 else 0.0


__all__ = ["ParityReport", "alternatives", "check_parity", "words"]
