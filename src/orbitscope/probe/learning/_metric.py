"""Metrics on parameter space: what "the same update" means. Each knows its engine, its memory, its step and its settings."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from .._gradients import gram
from .._subject import Subject
from ._engine import Engine, GramEngine, Task
from ._response import Response


class Metric(ABC):
    """An inverse metric on the span of some gradients, from inner products alone.

    To add one, write a frozen dataclass with a `name`, whether it `needs_pushforward`, and `response`; an instance goes wherever a
    name goes. Everything else follows and may be written better: `engine`, `kept` (bytes), `advice`, `directions` (of a step),
    `settings`, `sweep`, `sketched`. For a metric whose inverse acts on whole vectors (an optimiser's preconditioner) see `Applied`.
    """

    name: ClassVar[str]
    needs_pushforward: ClassVar[bool] = False
    fixed: ClassVar[bool] = False
    """Whether `directions` are the same whatever the bras are."""

    @property
    def by_element(self) -> bool:
        """Whether the answer for an element is the same whichever other elements are asked for, so that workers can share them.

        So it is with the engine of this class, by inner products; a metric with an engine of its own says so itself.
        """
        return type(self).engine is Metric.engine

    @abstractmethod
    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
        r"""Influences from inner products of the gradients G, kets first, then any number of bras.

        * `gram`: $K = G^\top G$, float64.
        * `pushed`: $H = (JG)^\top (JG) / M$, float64, where the metric `needs_pushforward`; else None.
        * `kets`: how many of the gradients are those of kets.
        * `dtype`: the precision in which the gradients were taken.
        """

    def engine(self, task: Task) -> Engine:
        """What takes the gradients of `task` and asks this metric."""
        return GramEngine(task, self)

    def kept(self, subject: Subject, x: Tensor, elements: int) -> int:
        """Bytes that live through a run of `subject` over the states `x` and so many `elements`, from shapes alone."""
        pushed = len(x) * subject.outputs(x) * x.element_size() if self.needs_pushforward else 0
        return 2 * len(x) * subject.count * x.element_size() + pushed

    @property
    def advice(self) -> str:
        """What else would help where the memory does not suffice, beginning with a comma."""
        return ""

    def directions(self, task: Task, gradients: Tensor, bras: Tensor, picked: Tensor) -> Tensor:
        r"""$\chi^{-1} k$ for the `picked` kets, [kets, p], as far as the span of `gradients` [N, p] and `bras` [B, p] goes.

        * `task`: the model, the transitions and how they are taken in pieces.

        From the products $R = G^\top \chi^{-1} k$ of the kets with everything, as $G K^+ R$, K the Gram matrix of everything.
        """
        span = gradients if bras is gradients else torch.cat([gradients, bras])
        both = torch.cat([gradients, span])
        pushed = None
        if self.needs_pushforward:
            wide = task.push(both)
            pushed = gram(wide, wide) / wide.shape[1]
        products = self.response(gram(both, both), pushed, len(gradients), gradients.dtype).cross[:, picked]
        inner = gram(span, span)
        combine = torch.linalg.pinv(inner, rtol=cutoff(span.dtype, len(inner)), hermitian=True) @ products
        return (combine.T @ span.double()).to(span.dtype)

    def lift(self, subject: Subject, x: Tensor, chunk: int, who: str) -> Callable[[Tensor], Tensor]:
        """The inverse metric on vectors [K, p]; raises `OrbitscopeError` for one that only knows inner products.

        * `subject`: the model.
        * `x`, `chunk`: the states that the metric is taken over, and how many of them at a time.
        * `who`: begins the message.
        """
        raise OrbitscopeError(
            f"{who}: `metric` should be euclidean, gauss_newton or one that acts on vectors (Kronecker, Adam), got {self.name!r}."
        )

    def sketched(self, draws: int) -> "Metric":
        """The same with `draws` random probes in place of every bra's curvature; raises `OrbitscopeError` where that makes no sense."""
        raise OrbitscopeError(f"influence: `sketch` goes with metric='gauss_newton' and span='element', not with {self.name!r}.")

    @property
    def settings(self) -> dict[str, Any]:
        """For the attributes of a result."""
        return {"metric": self.name}

    def sweep(self) -> tuple["Metric", ...]:
        """The same metric with other dampings, to see whether conclusions depend on it; empty where there is none."""
        return ()


@dataclass(frozen=True)
class Euclidean(Metric):
    r"""$\chi = 1$: influence is the inner product of gradients, one step of plain gradient descent of unit rate."""

    name: ClassVar[str] = "euclidean"
    fixed: ClassVar[bool] = True

    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
        diagonal = gram.diagonal()
        rank, condition = _rank(gram, dtype)
        return Response(gram[kets:, :kets], diagonal[kets:], diagonal[:kets], rank, condition)

    def directions(self, task: Task, gradients: Tensor, bras: Tensor, picked: Tensor) -> Tensor:
        return gradients[picked]

    def lift(self, subject: Subject, x: Tensor, chunk: int, who: str) -> Callable[[Tensor], Tensor]:
        return lambda vectors: vectors


def _rank(gram: Tensor, dtype: torch.dtype) -> tuple[int, float]:
    values = torch.linalg.eigvalsh(gram)
    kept = values[values > values[-1] * cutoff(dtype, len(gram))]
    return len(kept), float(kept[-1] / kept[0]) if len(kept) else float("nan")


def cutoff(dtype: torch.dtype, size: int) -> float:
    """Relative eigenvalue of a Gram matrix below which a direction is rounding: (2N eps)^2, no finer than float64 resolves."""
    return max((size * torch.finfo(dtype).eps) ** 2, 1e-14)
