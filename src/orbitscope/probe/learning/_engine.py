"""From gradients to responses, element by element, for every kind of metric."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ...symmetry import Symmetry
from .._gradients import Loss, check_pushforward, example_gradients, gram, output_probes, pullback, pushforward
from .._sample import Transitions
from .._subject import Subject
from ._applied import Applied
from ._kronecker import Kronecker
from ._metric import GaussNewton, Metric, Response
from ._plan import Plan

_PUSHFORWARD_TOLERANCE = 1e-2
_FOLDS = 8


@dataclass(frozen=True)
class Answer:
    """One element: its responses, the bra losses, and what the metric was made of (for a sweep over dampings)."""

    response: Response
    loss: Tensor
    gram: Tensor | None = None
    pushed: Tensor | None = None
    error: Tensor | None = None
    """Standard error of the coherence, [bra, ket], where the metric was sketched."""


@dataclass(frozen=True)
class Task:
    """What every engine needs: the model, the transitions, the losses of both sides, the symmetry, and how much at a time."""

    subject: Subject
    pairs: Transitions
    ket_loss: Loss
    bra_loss: Loss
    symmetry: Symmetry
    plan: Plan

    @property
    def width(self) -> int:
        """Numbers in one answer."""
        return self.subject.outputs(self.pairs.x[:1])

    @property
    def outputs(self) -> int:
        """Numbers in all answers."""
        return self.subject.outputs(self.pairs.x)

    def kets(self) -> tuple[Tensor, Tensor]:
        """Gradients [N, p] and losses [N] of the untransformed transitions."""
        return example_gradients(self.subject, self.ket_loss, *self._targets(self.ket_loss, self.pairs.x, self.pairs.y), self.plan.chunk)

    def bras(self, g: Any) -> tuple[Tensor, Tensor]:
        """Gradients [N, p] and losses [N] of the moved transitions."""
        moved = self.symmetry.pair(g, self.pairs.x, self.pairs.y)
        return example_gradients(self.subject, self.bra_loss, *self._targets(self.bra_loss, *moved), self.plan.chunk)

    def push(self, directions: Tensor, x: Tensor | None = None) -> Tensor:
        """J v for each direction, over all untransformed states or over `x`."""
        return pushforward(self.subject, self.pairs.x if x is None else x, directions, self.plan.push_chunk, self.plan.together)

    def same(self, g: Any) -> bool:
        """Whether the bras are the kets."""
        return self.bra_loss is self.ket_loss and g.is_identity

    def _targets(self, loss: Loss, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        make = getattr(loss, "targets", None)
        return (x, y) if make is None else (x, make(self.subject.last(x), y))


class Engine(ABC):
    """Keeps the kets and what the metric needs of them."""

    check: float = float("nan")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.kets, self.ket_loss = task.kets()

    @abstractmethod
    def run(self, elements: Sequence[Any]) -> Iterator[Answer]:
        """The answers, in the order of the elements."""

    def _bras(self, g: Any) -> tuple[Tensor, Tensor]:
        """Gradients and losses of the moved transitions; the very kets where nothing moves."""
        return (self.kets, self.ket_loss) if self.task.same(g) else self.task.bras(g)

    def _verify(self, pushed: Tensor) -> float:
        sample = self.task.pairs.x[:1]
        gap = check_pushforward(self.task.subject, sample, self.kets[0], pushed)
        if not gap < _PUSHFORWARD_TOLERANCE:
            raise OrbitscopeError(
                f"model: its forward-mode derivative disagrees with its reverse-mode derivative by {gap:.2g} (relative), so one of them "
                "is wrong: a layer with a jvp of its own, most likely. metric='euclidean' needs the reverse mode only."
            )
        return gap


class ElementEngine(Engine):
    """One element after the other, each at the cost of its own bras only."""

    def run(self, elements: Sequence[Any]) -> Iterator[Answer]:
        for g in elements:
            yield self.answer(*self._bras(g))

    @abstractmethod
    def answer(self, bras: Tensor, loss: Tensor) -> Answer:
        """Responses of these bras; `bras is self.kets` where they are the kets."""


class GramEngine(ElementEngine):
    """Metrics that inner products determine."""

    def __init__(self, task: Task, metric: Metric) -> None:
        super().__init__(task)
        self.metric = metric
        self.own = gram(self.kets, self.kets)
        if metric.needs_pushforward:
            self.pushed = task.push(self.kets)
            self.pushed_own = gram(self.pushed, self.pushed)
            self.check = self._verify(self.pushed[0, : task.width])

    def answer(self, bras: Tensor, loss: Tensor) -> Answer:
        same = bras is self.kets
        matrix = blocks(self.own, gram(bras, self.kets), self.own if same else gram(bras, bras))
        pushed = None
        if self.metric.needs_pushforward:
            cross, own = (self.pushed_own, self.pushed_own) if same else self._pushed_products(bras)
            pushed = blocks(self.pushed_own, cross, own) / self.pushed.shape[1]
        return Answer(self.metric.response(matrix, pushed, len(self.kets), self.kets.dtype), loss, matrix, pushed)

    def _pushed_products(self, bras: Tensor) -> tuple[Tensor, Tensor]:
        """(J bras)(J kets)^T and (J bras)(J bras)^T, a few states at a time, so that J bras is never kept."""
        x, width = self.task.pairs.x, self.task.width
        cross = torch.zeros(len(bras), len(self.kets), dtype=torch.float64, device=bras.device)
        own = torch.zeros(len(bras), len(bras), dtype=torch.float64, device=bras.device)
        for start in range(0, len(x), self.task.plan.push_chunk):
            part = x[start : start + self.task.plan.push_chunk]
            moved = self.task.push(bras, part)
            cross += gram(moved, self.pushed[:, start * width : (start + len(part)) * width])
            own += gram(moved, moved)
        return cross, own


class OrbitEngine(Engine):
    """Gauss-Newton on the span of the kets and the bras of all elements together: one metric for the whole orbit."""

    def __init__(self, task: Task, metric: GaussNewton) -> None:
        super().__init__(task)
        self.metric = metric

    def run(self, elements: Sequence[Any]) -> Iterator[Answer]:
        made = [self._bras(g) for g in elements]
        distinct = [self.kets, *(b for b, _ in made if b is not self.kets)]
        everything = torch.cat(distinct)
        x = self.task.pairs.x
        pushed = torch.zeros(len(everything), len(everything), dtype=torch.float64, device=x.device)
        for part in x.split(self.task.plan.push_chunk):
            moved = self.task.push(everything, part)
            if math.isnan(self.check):
                self.check = self._verify(moved[0, : self.task.width])
            pushed += gram(moved, moved)
        whole, rank, condition = self.metric.products(gram(everything, everything), pushed / self.task.outputs, everything.dtype)
        n, position = len(self.kets), 1
        for bras, loss in made:
            at = slice(0, n) if bras is self.kets else slice(position * n, (position + 1) * n)
            position += bras is not self.kets
            response = Response(whole[at, :n], whole.diagonal()[at], whole.diagonal()[:n], rank, condition)
            yield Answer(response, loss)


class AppliedEngine(ElementEngine):
    """Metrics whose inverse acts on vectors."""

    def __init__(self, task: Task, metric: Applied) -> None:
        super().__init__(task)
        self.inverse, self.folds, self.share = metric.inverses(task.subject, task.pairs.x, task.plan.chunk)
        self.lifted, self.residual = self.inverse(self.kets)
        self.ket_self = _rowwise(self.kets, self.lifted)
        self.estimated = bool(self.folds) or isinstance(metric, Kronecker)
        self.of_folds = [fold(self.kets)[0] for fold in self.folds]

    def answer(self, bras: Tensor, loss: Tensor) -> Answer:
        if bras is self.kets:
            own, residual = self.ket_self, self.residual
        else:
            lifted, residual = self.inverse(bras)
            own = _rowwise(bras, lifted)
        cross = gram(bras, self.lifted)
        worst = max(residual, self.residual)
        response = Response(cross, own, self.ket_self, len(bras) + len(self.kets), float("nan"), worst)
        return Answer(response, loss, error=self._error(bras, response) if self.estimated else None)

    def _error(self, bras: Tensor, response: Response) -> Tensor:
        """Standard error of the coherence: a jackknife over the folds of an estimated metric; 0 where exact, NaN where none is known."""
        if self.share == 0.0:
            return torch.zeros_like(response.cross)
        if len(self.folds) < 2:
            return torch.full_like(response.cross, float("nan"))
        found = []
        for fold, lifted in zip(self.folds, self.of_folds, strict=True):
            own, ket = _rowwise(bras, fold(bras)[0]), _rowwise(self.kets, lifted)
            found.append(_coherence(Response(gram(bras, lifted), own, ket, 0, float("nan"))))
        count, values = len(found), torch.stack(found)
        return (self.share * (count - 1) / count * (values - values.mean(0)).square().sum(0)).sqrt()


class SketchEngine(ElementEngine):
    r"""Gauss-Newton where the curvature between bras is seen through random output probes, drawn once for all elements.

    Exact: the curvature $\eta k$ along every ket, hence all of $k^\top \eta k$ and $b^\top \eta k$. With $b = C^\top k + r$ and C chosen to
    make r short in $\eta$, only $r^\top \eta r$ is estimated, $\frac{1}{S M} \sum (J_n^\top w_{ns} \cdot r)^2$. A delete-one-fold jackknife
    over the draws gives the standard error of every coherence.
    """

    def __init__(self, task: Task, metric: GaussNewton, draws: int) -> None:
        super().__init__(task)
        self.metric, self.draws = metric, draws
        x = task.pairs.x
        pushed = task.push(self.kets)
        self.check = self._verify(pushed[0, : task.width])
        self.own = gram(self.kets, self.kets)
        self.curved = pullback(task.subject, x, pushed, task.plan.chunk, task.plan.together) / task.outputs
        self.pushed_own = gram(pushed, pushed) / task.outputs
        del pushed
        self.probes = output_probes(task.subject, x, draws, 0, task.plan.chunk)
        self.probed = self.probes @ self.kets.T  # [draws * N, N]
        ridge = 1e-12 * self.pushed_own.diagonal().mean()
        self.factor = torch.linalg.cholesky(self.pushed_own + ridge * torch.eye(len(self.kets), dtype=torch.float64, device=x.device))

    def answer(self, bras: Tensor, loss: Tensor) -> Answer:
        n, x = len(self.kets), self.task.pairs.x
        if bras is self.kets:
            matrix = blocks(self.own, self.own, self.own)
            pushed = blocks(self.pushed_own, self.pushed_own, self.pushed_own)
            response = self.metric.response(matrix, pushed, n, bras.dtype)
            return Answer(response, loss, matrix, pushed, torch.zeros_like(response.cross))
        matrix = blocks(self.own, gram(bras, self.kets), gram(bras, bras))
        cross = gram(bras, self.curved)  # exact
        combine = torch.cholesky_solve(cross.T, self.factor)  # [ket, bra]
        rest = (self.probes @ bras.T).double() - self.probed.double() @ combine
        folds = min(_FOLDS, self.draws)
        parts = [torch.einsum("dnb,dnc->bc", p, p) for p in rest.reshape(self.draws, len(x), -1).tensor_split(folds)]
        sizes = [len(p) for p in torch.arange(self.draws).tensor_split(folds)]
        total = torch.stack(parts).sum(0)

        def respond(sketched: Tensor, draws: int) -> tuple[Response, Tensor]:
            known = combine.T @ cross.T
            own = known + known.T - combine.T @ self.pushed_own @ combine + sketched / (draws * self.task.outputs)
            pushed = blocks(self.pushed_own, cross, (own + own.T) / 2)
            return self.metric.response(matrix, pushed, n, bras.dtype), pushed

        response, pushed = respond(total, self.draws)
        error = torch.full_like(response.cross, float("nan"))
        if folds > 1:
            left_out = torch.stack(
                [_coherence(respond(total - part, self.draws - size)[0]) for part, size in zip(parts, sizes, strict=True)]
            )
            error = ((folds - 1) / folds * (left_out - left_out.mean(0)).square().sum(0)).sqrt()
        return Answer(response, loss, matrix, pushed, error)


def make_engine(task: Task, metric: Metric, sketch: int | None) -> Engine:
    """The engine that fits the metric; raises `OrbitscopeError` for a sketch of a metric that has none."""
    if sketch is not None:
        if not isinstance(metric, GaussNewton) or metric.span != "element":
            raise OrbitscopeError(f"influence: `sketch` goes with metric='gauss_newton' and span='element', not with {metric.name!r}.")
        if sketch < 1:
            raise OrbitscopeError(f"influence: `sketch` should be a number of probes per example, at least 1, got {sketch}.")
        return SketchEngine(task, metric, sketch)
    if isinstance(metric, Applied):
        return AppliedEngine(task, metric)
    if isinstance(metric, GaussNewton) and metric.span == "orbit":
        return OrbitEngine(task, metric)
    return GramEngine(task, metric)


def blocks(own: Tensor, cross: Tensor, other: Tensor) -> Tensor:
    """[kets, bras] x [kets, bras] from its three parts, `cross` being [bra, ket]."""
    return torch.cat([torch.cat([own, cross.T], 1), torch.cat([cross, other], 1)], 0)


def _coherence(response: Response) -> Tensor:
    return response.cross / (response.bra[:, None] * response.ket[None, :]).sqrt()


def _rowwise(a: Tensor, b: Tensor) -> Tensor:
    return torch.stack([(x.double() * y.double()).sum() for x, y in zip(a, b, strict=True)])
