"""From gradients to responses, element by element; every metric names the engine that fits it."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..._errors import LearningError, OrbitscopeError
from ...symmetry import Symmetry
from .._gradients import Loss, check_pushforward, example_gradients, gram, pushforward, unflatten
from .._sample import Transitions
from .._subject import Subject
from ._memory import Plan
from ._response import Response

_PUSHFORWARD_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Answer:
    """One element: its responses, the bra losses, and what the metric was made of (for a sweep over dampings)."""

    response: Response
    loss: Tensor
    gram: Tensor | None = None
    pushed: Tensor | None = None
    error: Tensor | None = None
    """Standard error of the coherence, [bra, ket], where the metric was sketched."""

    def to(self, device: torch.device) -> "Answer":
        """The same on another device, as a worker's answer may be."""
        moved = {f.name: _there(getattr(self, f.name), device) for f in fields(self)}
        response = {f.name: _there(getattr(self.response, f.name), device) for f in fields(self.response)}
        return Answer(**{**moved, "response": Response(**response)})


def _there(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, Tensor) else value


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

    def unreached(self, sample: int = 4) -> list[str]:
        """Names of the parameter tensors whose gradient is exactly 0 for each of some transitions.

        Raises `OrbitscopeError` where that is all of them: then nothing can be said of the learning.
        """
        some = torch.linspace(0, len(self.pairs.x) - 1, min(sample, len(self.pairs.x))).round().long().to(self.pairs.x.device)
        x, y = self._targets(self.ket_loss, self.pairs.x[some], self.pairs.y[some])
        row = example_gradients(self.subject, self.ket_loss, x, y, min(sample, self.plan.chunk))[0].abs().amax(0)
        found = [name for name, part in unflatten(row, self.subject.parameters).items() if not bool(part.any())]
        if len(found) == len(self.subject.parameters):
            raise LearningError(
                "model: no gradient reaches its parameters, so its learning cannot be measured. forward runs under no_grad or "
                "inference_mode, or works with filters that were cached in eval() (escnn, re-parametrised layers): take that away, or "
                "probe the errors alone (`equivariance`)."
            )
        if cached := self._cached(found, x, y):
            raise LearningError(
                f"model: gradients reach {', '.join(cached[:3])} in train() only: in eval() it works with filters that were cached. Hand "
                "over model.train() where it has neither dropout nor batch normalisation, or an exported copy."
            )
        return found

    def _cached(self, names: list[str], x: Tensor, y: Tensor) -> list[str]:
        """Those of the parameters that a gradient reaches as soon as the module is told that it trains."""
        if not names or self.subject.module.training:
            return []
        try:
            module = copy.deepcopy(self.subject.module).train()
            with torch.enable_grad():
                known = {n: p.requires_grad_(True) for n, p in module.named_parameters()}
                answer = module(x)
                found = torch.autograd.grad(answer.square().sum(), list(known.values()), allow_unused=True)
        except Exception:  # somebody's train() may do anything; then there is no such sign
            return []
        sizes = {n: 0.0 if g is None or not g.numel() else float(g.abs().max()) for n, g in zip(known, found, strict=True)}
        # Where only rounding reaches a tensor (attention over a single key), it may be exactly 0 the one time and not the other.
        rounding = 1e3 * torch.finfo(x.dtype).eps * max(sizes.values(), default=0.0)
        return [n for n in names if sizes.get(n, 0.0) > rounding]

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


@runtime_checkable
class InnerProducts(Protocol):
    """What a `GramEngine` asks of its metric."""

    needs_pushforward: ClassVar[bool]

    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response: ...


class GramEngine(ElementEngine):
    """Metrics that inner products determine."""

    def __init__(self, task: Task, metric: InnerProducts) -> None:
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


def blocks(own: Tensor, cross: Tensor, other: Tensor) -> Tensor:
    """[kets, bras] x [kets, bras] from its three parts, `cross` being [bra, ket]."""
    return torch.cat([torch.cat([own, cross.T], 1), torch.cat([cross, other], 1)], 0)


def rowwise(a: Tensor, b: Tensor) -> Tensor:
    """Inner products of rows that stand at one place, float64."""
    return torch.stack([(x.double() * y.double()).sum() for x, y in zip(a, b, strict=True)])
