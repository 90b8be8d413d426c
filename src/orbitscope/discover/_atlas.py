"""A basis of the algebra learnt by moving examples far: one predictor per chart, sampled group elements (AtlasD)."""

import copy
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._errors import OrbitscopeError
from .._expect import expect_number
from .._seed import derive, permutation
from ..symmetry import State, length, mapped, parts, taken
from ._carried import carry, inside
from ._problem import COLLAPSED, Directions, Method, Problem, Tell, silent
from ._rates import answer_unit, is_classes

_NEAR, _FIRST = 0.3, 0.3  # of the reach, for the first look; norm of the coefficients at the start
_PARTS = 256  # examples at a time where nothing is learnt


@dataclass(frozen=True)
class Atlas(Method):
    r"""A basis $B_1 .. B_k$ of the algebra by gradient descent on the commutator with finite elements $g = e^{\sum_i \eta_i B_i}$.

    $$ L = E\, \|f(g x) - [g f(x)]\|^2 / E\, \|f(x') - f(x)\|^2 + r_1 \sum_{i < j} |\cos(B_i, B_j)| - \frac{r_3}{k} \sum_i \|\bar B_i\|_F $$

    with $\eta \sim N(0, \sigma^2)$ for every example and chart, no gradient through the moved answer [.], x' an unrelated example, and
    $\bar B$ with entries cut to $\pm r_2$.
    Where answers live on patches, only what a moved answer defines is compared. The predictors are trained
    before, and take turns.

    * `generators`: k, how many to look for. One that is too many ends with a large score.
    * `steps`, `batch`, `learning_rate`: of Adam, which falls along a cosine.
    * `similarity`: $r_1$, keeps generators apart. `magnitude`: $r_3$, lets them grow. `largest`: $r_2$, the entry beyond which growth earns
      nothing, in the units of the algebra.
    * `sparse`: compare the absolute values of entries in $r_1$, which favours generators with entries in different places.
    * `reach`: $\sigma$ at the end; it grows from a tenth of that over the first half of the steps, so that far elements trap no start.
    * `starts`: how many random directions are looked at near the identity; the one with the smallest loss is where learning begins.

    It sees further than derivatives do: directions that the data cannot tell apart to first order differ at finite size. It needs
    predictors that are right where moved examples lie, and takes many times as long as `gradient`. It fails where k is larger than the
    number of symmetries (see the scores; without `magnitude` such a one shrinks to the identity, which is said) and, as every method here,
    sees the identity component only (`components` finds the others).

    Source: AtlasD, arXiv:2504.10777, ICML 2025; the scale by unrelated examples, the masks, several predictors and the acting matrix
    itself (the published code gives minus its transpose) are this library's. Raises `OrbitscopeError` for a setting out of range.
    """

    generators: int = 1
    steps: int = 300
    batch: int = 32
    learning_rate: float = 0.03
    similarity: float = 0.5
    magnitude: float = 0.1
    largest: float = 1.0
    sparse: bool = False
    reach: float = 1.0
    starts: int = 32

    name = "atlas"

    def __post_init__(self) -> None:
        for what in ("generators", "steps", "batch", "starts"):
            expect_number(getattr(self, what), f"Atlas: `{what}`", whole=True)
            if getattr(self, what) < 1:
                raise OrbitscopeError(f"Atlas: `{what}` should be at least 1, got {getattr(self, what)}.")
        for what in ("learning_rate", "similarity", "magnitude", "largest", "reach"):
            expect_number(getattr(self, what), f"Atlas: `{what}`")
            if not 0 <= getattr(self, what) < math.inf or (what in ("learning_rate", "largest", "reach") and getattr(self, what) == 0):
                raise OrbitscopeError(f"Atlas: `{what}` should be positive and finite, got {getattr(self, what)}.")

    def search(self, problem: Problem, tell: Tell = silent) -> Directions:
        """The learnt basis for `problem`, of Frobenius norm 1, each with its own commutator as score; `tell` hears of the progress."""
        if self.generators > problem.size:
            raise OrbitscopeError(
                f"Atlas: `generators` = {self.generators} are more than the {problem.size} of {problem.group.name}. Take fewer."
            )
        commutator = Commutator(problem)
        words = f"learning {self.generators} generator{'s' if self.generators > 1 else ''}"
        total = self.steps + self.starts
        rows = _batches(length(commutator.x), self.batch, 1, derive(problem.seed, "atlas rows", 1))[0]
        tried = []
        for start in range(self.starts):
            first = torch.randn(self.generators, problem.size, generator=_generator(problem, start), dtype=torch.float64)
            first = first / first.norm(dim=1, keepdim=True)
            tried.append((first, self._near(commutator, first, rows) if self.starts > 1 else 0.0))
            tell(start + 1, total, "looking for a start")
        first = _FIRST * min(tried, key=lambda pair: pair[1])[0]
        weights = self._learn(commutator, first, lambda k: tell(self.starts + k, total, words))
        return self._directions(commutator, weights)

    def _directions(self, commutator: "Commutator", weights: Tensor) -> Directions:
        """The directions of coefficients [k, m], by their own commutator."""
        problem = commutator.problem
        collapsed = int((weights.norm(dim=1) < COLLAPSED * _FIRST).sum())
        weights = weights / weights.norm(dim=1, keepdim=True).clamp_min(1e-300)
        draws = torch.randn(length(commutator.x), 2, generator=_generator(problem, -1), dtype=torch.float64)
        scores = np.array([commutator.breaking(draws[:, :1] * w, draws[:, 1:] * w) for w in weights])
        order = np.argsort(scores, kind="stable")
        return Directions(np.tensordot(weights.numpy()[order], problem.basis(), 1), scores[order], collapsed)

    def _near(self, commutator: "Commutator", weights: Tensor, rows: Tensor) -> float:
        """The loss of coefficients [k, m] for elements near the identity."""
        lead = () if commutator.problem.charts is None else (commutator.problem.charts,)
        eta = torch.randn(len(rows), *lead, len(weights), generator=_generator(commutator.problem, 999), dtype=torch.float64)
        with torch.no_grad():
            return float(commutator(0, rows, _NEAR * self.reach * eta @ weights))

    def _learn(self, commutator: "Commutator", first: Tensor, tell: Callable[[int], object]) -> Tensor:
        """Coefficients [k, m] learnt from `first` on."""
        problem, k, steps = commutator.problem, self.generators, self.steps
        generator, weights = _generator(problem, 1000), first.clone().requires_grad_()
        matrices = torch.as_tensor(problem.basis())
        optimiser = torch.optim.Adam([weights], lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, 0.01 * self.learning_rate)
        lead = () if problem.charts is None else (problem.charts,)
        for step, rows in enumerate(_batches(length(commutator.x), self.batch, steps, derive(problem.seed, "atlas rows"))):
            eta = torch.randn(len(rows), *lead, k, generator=generator, dtype=torch.float64)
            eta = eta * (self.reach * min(1.0, 0.1 + 1.8 * step / steps))
            loss = commutator(step % len(problem.predictors), rows, eta @ weights)
            total = loss + self._regular(torch.tensordot(weights, matrices, 1))
            optimiser.zero_grad()
            total.backward(inputs=[weights])
            optimiser.step()
            schedule.step()
            tell(step + 1)
        return weights.detach()

    def _regular(self, basis: Tensor) -> Tensor:
        """The regularisers of a basis [k, N, N]."""
        flat = basis.flatten(1)
        unit = flat / flat.norm(dim=1, keepdim=True).clamp_min(1e-12)
        unit = unit.abs() if self.sparse else unit
        similar = (unit @ unit.T).triu(1).abs().sum()
        return self.similarity * similar - self.magnitude * flat.clamp(-self.largest, self.largest).norm(dim=1).mean()


class Commutator:
    r"""The squared commutator $\|f(g x) - g f(x)\|^2$ of a problem's predictors over what unrelated answers differ by: 0 to about 1.

    * `problem`: hypothesis, examples and predictors. Elements are coefficients in its orthonormal basis, [N, m] or [N, chart, m].
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.x: State = mapped(lambda t: t.double() if t.is_floating_point() else t, problem.examples.x)
        basis = problem.basis()
        self.input = carry(problem.hypothesis.input, problem.group, basis)
        self.output = carry(problem.hypothesis.output, problem.group, basis)
        self.inside = inside(problem.hypothesis.output, problem.group, basis)
        self.answers = [_in_parts(lambda s, p=p: problem.answer(p, s), self.x) for p in range(len(problem.predictors))]
        self.units = [answer_unit(problem, a) for a in self.answers]
        self.scale = [
            float(unit(mapped(lambda t: t.roll(1, 0) - t, a), a).square().sum((1, 2)).mean())
            for a, unit in zip(self.answers, self.units, strict=True)
        ]

    def at(self, start: Any) -> "Commutator":
        """The same with elements $e^X c$, c the element `start` of any component."""
        made, problem, basis = copy.copy(self), self.problem, self.problem.basis()
        made.input = carry(problem.hypothesis.input, problem.group, basis, start)
        made.output = carry(problem.hypothesis.output, problem.group, basis, start)
        made.inside = inside(problem.hypothesis.output, problem.group, basis, start)
        return made

    def error(self) -> float:
        """The mean squared error of the predictors on held-out examples, in the same unit.

        Of classes half of what two predictors differ by (0 for a single one): a class has no distance to logits.
        """
        truth = self.problem.examples.y
        if is_classes(self.problem):
            pairs = [(a, b, 0.5) for a, b in itertools.pairwise(self.answers)]
        else:
            pairs = [(a, mapped(lambda t: t.double(), truth), 1.0) for a in self.answers]
        found = [
            share * float(unit(mapped(torch.sub, a, b), a).square().sum((1, 2)).mean()) / max(scale, 1e-300)
            for (a, b, share), unit, scale in zip(pairs, self.units, self.scale, strict=False)
        ]
        return float(np.mean(found)) if found else 0.0

    def __call__(self, number: int, rows: Tensor, coefficients: Tensor) -> Tensor:
        """The mean over the examples `rows` and charts for predictor `number` and the elements `coefficients` [rows, ..., m]."""
        moved = self.input(coefficients, taken(self.x, rows))
        answers = taken(self.answers[number], rows)
        with torch.no_grad():
            expected, mask = self.output(coefficients, answers), self.inside(coefficients)
        found = self.problem.predictors[number](*parts(moved))
        gap = mapped(torch.sub, found, expected)
        if mask is not None:
            share = mask.double().flatten(len(coefficients.shape) - 1).mean(-1).clamp_min(0.05)
            gap = gap * mask / share.reshape(*share.shape, *[1] * (gap.ndim - share.ndim)).sqrt()
        return self.units[number](gap, answers).square().sum((1, 2)).mean() / max(self.scale[number], 1e-300)

    def breaking(self, *coefficients: Tensor) -> float:
        """Root of the mean over examples, predictors and each of `coefficients` [N, m], the same element for all charts of an example."""
        total, count = 0.0, 0
        for elements in coefficients:
            wide = elements.double() if self.problem.charts is None else elements.double()[:, None].expand(-1, self.problem.charts, -1)
            for number in range(len(self.problem.predictors)):
                for start in range(0, len(wide), _PARTS):
                    rows = torch.arange(start, min(start + _PARTS, len(wide)))
                    with torch.no_grad():
                        total += float(self(number, rows, wide[rows])) * len(rows)
                    count += len(rows)
        return math.sqrt(total / count)


def _in_parts(f: Callable[[State], State], x: State) -> State:
    found = [f(taken(x, slice(k, k + _PARTS))) for k in range(0, length(x), _PARTS)]
    return torch.cat(found) if isinstance(found[0], Tensor) else tuple(torch.cat(some) for some in zip(*found, strict=True))


def _batches(count: int, batch: int, steps: int, seed: int) -> Sequence[Tensor]:
    """`steps` batches in passes over shuffled examples."""
    batch = min(batch, count)
    each = count // batch
    return [permutation(count, seed, "atlas batches", s // each)[(s % each) * batch : (s % each + 1) * batch] for s in range(steps)]


def _generator(problem: Problem, index: int) -> torch.Generator:
    return torch.Generator().manual_seed(derive(problem.seed, "atlas", index + 1))
