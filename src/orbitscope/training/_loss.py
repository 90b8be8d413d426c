"""Losses as objects: what is compared, what is needed for it, and under which moves it does not change."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Layout, State, mapped, parts
from ._smse import smse


class SymmetryLike(Protocol):
    """What moves examples: elements, and how each acts on what goes into a map and on what comes out."""

    @property
    def input(self) -> Callable[[Any, State], State]: ...
    @property
    def output(self) -> Callable[[Any, State], State]: ...
    def elements(self) -> Sequence[Any]: ...


class Loss(ABC):
    """A loss: `loss(prediction, target)` is a number, the mean over the examples of a batch.

    A subclass says its `name`, which a run folder keeps, and writes `each`. With `needs_state` it is also given the states that the
    predictions were made from. `targets` may compare with something else than y. Any callable with two arguments goes where a loss
    goes (`as_loss`).
    """

    name: str
    needs_state: bool = False

    @abstractmethod
    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """The loss of each example, [B]; or [], where there is only a mean over examples.

        * `prediction`, `target`: [B, ...], tensors or tuples of tensors.
        * `state`: what the model was given, where the loss has a true attribute `needs_state`; else None.
        """

    def __call__(self, prediction: State, target: State, state: State = None) -> Tensor:
        """The mean over the examples, []."""
        return self.each(prediction, target, state).mean()

    def targets(self, x: State, y: State) -> State:
        """What the predictions for the states `x` are compared with; `y` unless a subclass says otherwise."""
        return y

    @property
    def __name__(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]  # of an object, not of its class
        return self.name

    def check_invariance(self, symmetry: SymmetryLike, x: State, y: State, prediction: State | None = None, seed: int = 0) -> float:
        """How much moving predictions and targets together changes this loss.

        * `symmetry`, `x`, `y`, `prediction`, `seed`: as of `invariance_error`.
        """
        return invariance_error(self, symmetry, x, y, prediction, seed)


@dataclass(frozen=True)
class SMSE(Loss):
    """`smse` as an object: the scaled mean squared error of each example.

    * `per`: "channel" or "field", whose rms divides. `layout`: which channels are components of one field, for "field".
    """

    per: Literal["channel", "field"] = "channel"
    layout: Layout | None = None

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """With the setting that is not the usual one."""
        return "smse" if self.per == "channel" else "smse per field"

    def each(self, prediction: Tensor, target: Tensor, state: State = None) -> Tensor:
        """Of [B, C, *space], the mean over channels, [B]."""
        return smse(prediction, target, "none", per=self.per, layout=self.layout)


@dataclass(frozen=True)
class MSE(Loss):
    r"""Mean squared error, $\mathrm{mean}\,(\hat y - y)^2$ over all numbers of an example; of a state of parts the sum over its parts.

    Invariant under every move that mixes components by an orthogonal matrix or exchanges places. Carries the unit of y squared.
    """

    name = "mse"

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """Of tensors or tuples of tensors [B, ...], [B]; raises where the shapes differ."""
        pairs = list(zip(parts(prediction), parts(target), strict=True))
        for p, t in pairs:
            if p.shape != t.shape:  # would be broadcast, silently
                raise OrbitscopeError(f"mse: `prediction` {tuple(p.shape)} and `target` {tuple(t.shape)} must have one shape.")
        rows = [(p - t).square().flatten(1).mean(1) if p.ndim > 1 else (p - t).square() for p, t in pairs]
        return torch.stack(rows).sum(0)


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Cross-entropy of logits [B, K] with class numbers [B] or probabilities [B, K]; in nats.

    Invariant where a symmetry leaves the classes alone, or exchanges logits and classes alike.
    """

    name = "cross_entropy"

    def each(self, prediction: Tensor, target: Tensor, state: State = None) -> Tensor:
        """Of logits and classes, [B]."""
        return torch.nn.functional.cross_entropy(prediction, target, reduction="none")


class OfCallable(Loss):
    """A function (prediction, target) -> mean over the examples, or -> [B], as a loss; `needs_state` and `targets` are taken over."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self.function = function
        self.name = str(getattr(function, "name", None) or getattr(function, "__name__", None) or type(function).__name__)
        self.needs_state = bool(getattr(function, "needs_state", False))

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """What the function says; raises where that is neither a number nor one per example."""
        found = self.function(prediction, target, state) if self.needs_state else self.function(prediction, target)
        if not isinstance(found, Tensor) or found.shape not in ((), parts(prediction)[0].shape[:1]):
            came = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
            raise OrbitscopeError(f"loss: {self.name} should return a number, or one per example, as a tensor; it returned {came}.")
        return found

    def targets(self, x: State, y: State) -> State:
        """Those of the function, where it has any."""
        own = getattr(self.function, "targets", None)
        return y if own is None else own(x, y)


LOSSES: dict[str, type[Loss]] = {"smse": SMSE, "mse": MSE, "cross_entropy": CrossEntropy}


def as_loss(loss: "str | Loss | Callable[..., Tensor]") -> Loss:
    """A `Loss` from any of the forms that one may be given in.

    * `loss`: a name ("smse", "mse", "cross_entropy"), a `Loss`, which stays as it is, or a callable (prediction, target) -> a number, or
      one per example, [B].

    Raises `OrbitscopeError` for an unknown name, and for what cannot be called.

    >>> as_loss("mse"), as_loss(torch.nn.functional.l1_loss).name
    (MSE(), 'l1_loss')
    """
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise OrbitscopeError(f"loss: none is called {loss!r}. Known: {', '.join(LOSSES)}; or give a callable (prediction, target).")
        return LOSSES[loss]()
    if loss is smse:
        return SMSE()
    if isinstance(loss, Loss):
        return loss
    if not callable(loss):
        raise OrbitscopeError(f"loss: should be a name, a Loss or a callable (prediction, target), got {type(loss).__name__}.")
    return OfCallable(loss)


def invariance_error(
    loss: "str | Loss | Callable[..., Tensor]",
    symmetry: SymmetryLike,
    x: State,
    y: State,
    prediction: State | None = None,
    seed: int = 0,
) -> float:
    r"""How much moving predictions and targets together changes a loss: $\max_g |L(g \hat y, g y) - L(\hat y, y)| / L(\hat y, y)$.

    * `loss`: a name, a `Loss` or a callable. `symmetry`: has `elements()`, and actions `input` and `output`, (element, state) -> state.
    * `x`, `y`: examples [N, ...], tensors or tuples of tensors. `prediction`: as y; None takes y with noise of half its own size.
    * `seed`: of the noise.

    Rounding is about 1e-7 in float32 and 1e-15 in float64. An invariant loss has equal gradients on the copies of an orbit, up to the
    copy's own frame; one that is not makes an equivariant model look as if it learnt its orbit unevenly. Each example counts as a batch
    of its own, so that one loss cannot hide another. Raises `OrbitscopeError` where a prediction is needed and not given: whole
    numbers, such as classes, have no noise.
    """
    made = as_loss(loss)
    if prediction is None:
        if not all(p.is_floating_point() for p in parts(y)):
            raise OrbitscopeError("invariance_error: `y` holds whole numbers, so say what a `prediction` looks like, for example logits.")
        generator = torch.Generator().manual_seed(seed)
        prediction = mapped(lambda t: t + 0.5 * t.std().to(t) * torch.randn(t.shape, generator=generator, dtype=t.dtype).to(t), y)

    def values(x: State, y: State, prediction: State) -> Tensor:
        target = made.targets(x, y)
        one = [[mapped(lambda t, i=i: t[i : i + 1], s) for s in (prediction, target, x)] for i in range(len(parts(y)[0]))]
        return torch.stack([made.each(*of).detach().mean() for of in one])

    plain, worst = values(x, y, prediction), 0.0
    for g in symmetry.elements():
        moved = values(symmetry.input(g, x), symmetry.output(g, y), symmetry.output(g, prediction))
        worst = max(worst, float(((moved - plain).abs() / plain.abs().clamp_min(torch.finfo(plain.dtype).tiny)).max()))
    return worst
