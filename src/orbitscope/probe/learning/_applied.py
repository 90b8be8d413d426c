"""Metrics that act on whole vectors: what each of them has to say."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from .._gradients import gram
from .._subject import Subject
from ._engine import Answer, ElementEngine, Engine, Task, rowwise
from ._metric import Metric
from ._response import Response

Inverse = Callable[[Tensor], tuple[Tensor, float]]
"""Vectors [K, p] -> (inverse metric times each, largest relative residual; NaN where nothing was iterated)."""


class Applied(Metric):
    """A metric that acts on whole vectors: write `inverse`, and everything else follows."""

    fixed: ClassVar[bool] = True
    estimated: ClassVar[bool] = False
    """Whether the metric is an estimate from random draws, so that every coherence has a standard error."""

    @abstractmethod
    def inverse(self, subject: Subject, x: Tensor, chunk: int) -> Inverse:
        """The inverse metric at the parameters of `subject`, taken over the states `x` [N, C, *grid], `chunk` of them at a time."""

    def inverses(self, subject: Subject, x: Tensor, chunk: int) -> "tuple[Inverse, list[Inverse], float]":
        """The inverse metric; where it is an estimate, the same without one fold of its draws each, for a jackknife; and the share of the
        jackknife's variance that counts (below 1 where the draws are a large part of all that there are, 0 where the metric is exact).

        * `subject`, `x`, `chunk`: as of `inverse`.
        """
        return self.inverse(subject, x, chunk), [], 0.0

    def engine(self, task: Task) -> Engine:
        return AppliedEngine(task, self)

    @property
    def by_element(self) -> bool:
        return type(self).engine is Applied.engine

    def directions(self, task: Task, gradients: Tensor, bras: Tensor, picked: Tensor) -> Tensor:
        return self.inverse(task.subject, task.pairs.x, task.plan.chunk)(gradients[picked])[0]

    def lift(self, subject: Subject, x: Tensor, chunk: int, who: str) -> Callable[[Tensor], Tensor]:
        inverse = self.inverse(subject, x, chunk)
        return lambda vectors: inverse(vectors)[0]

    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
        raise OrbitscopeError(f"{self.name}: inner products do not determine this metric; it acts on vectors (`inverse`).")


class AppliedEngine(ElementEngine):
    """Metrics whose inverse acts on vectors."""

    def __init__(self, task: Task, metric: "Applied") -> None:
        super().__init__(task)
        self.inverse, self.folds, self.share = metric.inverses(task.subject, task.pairs.x, task.plan.chunk)
        self.lifted, self.residual = self.inverse(self.kets)
        self.ket_self = rowwise(self.kets, self.lifted)
        self.estimated = bool(self.folds) or metric.estimated
        self.of_folds = [fold(self.kets)[0] for fold in self.folds]

    def answer(self, bras: Tensor, loss: Tensor) -> Answer:
        if bras is self.kets:
            own, residual = self.ket_self, self.residual
        else:
            lifted, residual = self.inverse(bras)
            own = rowwise(bras, lifted)
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
            own, ket = rowwise(bras, fold(bras)[0]), rowwise(self.kets, lifted)
            found.append(Response(gram(bras, lifted), own, ket, 0, float("nan")).coherence)
        count, values = len(found), torch.stack(found)
        return (self.share * (count - 1) / count * (values - values.mean(0)).square().sum(0)).sqrt()
