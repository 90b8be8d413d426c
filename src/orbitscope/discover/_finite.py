"""What finite motions along the found directions do, beside random ones of the hypothesis, and whether they leave the data."""

import numpy as np
import torch
from torch import Tensor

from ..symmetry import State, mapped, parts
from ._problem import Array, Problem

SIZES = (0.1, 0.3, 0.6)
_DRAWS = 8
_NEIGHBOURS = 512
_WIDE = 64


def finite_check(problem: Problem, algebra: Array, *, sizes: tuple[float, ...] = SIZES) -> dict[str, Array]:
    r"""Change of the answers under random elements $e^X$ with $\|X\|_F$ of each of `sizes`, relative to unrelated answers.

    * `problem`: its first predictor is asked. `algebra`: matrices [k, N, N]. `sizes`: of X, for the matrices as they come.

    Rows "found", along random directions of `algebra`, and "hypothesis", along random directions of the whole hypothesis:
    $\sqrt{\sum |f(g x) - g f(x)|^2 / \sum |f(x') - f(x)|^2}$, x' another example. "outside": the part of moved inputs whose nearest
    held-out neighbour is farther than that of 99 % of the held-out inputs: answers there are extrapolated. NaN where inputs are too large
    for neighbours to mean anything (more than 64 numbers).
    """
    rng = np.random.default_rng([problem.seed, 0xF1])
    x = mapped(lambda t: (t.double() if t.is_floating_point() else t)[:_NEIGHBOURS], problem.examples.x)
    with torch.no_grad():
        answers = problem.answer(0, x)
        strangers = problem.hypothesis.output.squares(mapped(lambda t: t.roll(1, 0), answers), answers).sum()
        rows: dict[str, list[float]] = {"size": [], "found": [], "hypothesis": [], "outside": []}
        for size in sizes:
            found = [_moved(problem, algebra, size, rng, x, answers) for _ in range(_DRAWS)] if len(algebra) else []
            other = [_moved(problem, problem.basis(), size, rng, x, answers) for _ in range(_DRAWS)]
            rows["size"].append(size)
            for what, some in (("found", found), ("hypothesis", other)):
                rows[what].append(float(np.sqrt(np.mean([float(s / strangers) for s, _ in some]))) if some else float("nan"))
            rows["outside"].append(float(np.mean([o for _, o in found])) if found else float("nan"))
    return {k: np.array(v) for k, v in rows.items()}


def _moved(problem: Problem, algebra: Array, size: float, rng: np.random.Generator, x: State, answers: State) -> tuple[Tensor, float]:
    """The squared commutator with one random element, and the part of moved inputs outside of the data."""
    direction = np.tensordot(rng.standard_normal(len(algebra)), algebra, 1)
    g = problem.group.exp(size * direction / np.linalg.norm(direction))
    moved = problem.hypothesis.input(g, x)
    gap = problem.hypothesis.output.squares(problem.answer(0, moved), problem.hypothesis.output(g, answers)).sum()
    return gap, _outside(x, moved)


def _outside(x: State, moved: State) -> float:
    flat, other = (torch.cat([p.double().flatten(1) for p in parts(s)], 1) for s in (x, moved))
    if flat.shape[1] > _WIDE:
        return float("nan")
    own = torch.cdist(flat, flat).fill_diagonal_(float("inf")).min(1).values
    return float((torch.cdist(other, flat).min(1).values > own.quantile(0.99)).double().mean())
