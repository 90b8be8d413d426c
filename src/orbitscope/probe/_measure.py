"""What all instruments share: answers in batches, the commutator and its floor, the error of an answer, and the baselines of skill."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..emulators import smse
from ..symmetry import Action, Classes, GridAction
from ._gradients import Loss
from ._packing import PackedAction

TINY = 1e-30
SAMPLE = 4
_FOLDS = 5
_RIDGE = 1e-3


def predict(model: nn.Module, states: Tensor, batch: int) -> Tensor:
    """The answers, `batch` states at a time, without derivatives."""
    with torch.no_grad():
        return torch.cat([model(part) for part in states.split(batch)])


def precision_floor(model: nn.Module, x: Tensor, plain: Tensor, output: Action | None = None, sample: int = SAMPLE) -> float:
    """Relative distance of the answers to those of the same model in float64; a model that cannot be converted gets ten rounding units."""
    from ._subject import doubled

    if plain.dtype == torch.float64:
        return 10 * torch.finfo(torch.float64).eps
    try:
        exact = predict(doubled(model), x[:sample].double() if x.is_floating_point() else x[:sample], sample)
    except (RuntimeError, TypeError, NotImplementedError):
        return 10 * torch.finfo(plain.dtype).eps
    if output is None or isinstance(output, GridAction):
        return float((plain[:sample].double() - exact).norm() / (exact.norm() + TINY))
    return float(output.relative(plain[:sample].double(), exact).square().mean().sqrt())


def commutator(answer: Tensor, expected: Tensor, output: Action, element: object) -> Tensor:
    r"""$\|f(g x) - g f(x)\| / \|f(x)\|$ in the distance of the output's action, [N]: `answer` is f(gx), `expected` g f(x)."""
    return output.relative(answer, expected, element)


def numpy(values: Tensor) -> np.ndarray:
    """As float64 on the CPU."""
    return values.double().cpu().numpy()


@dataclass(frozen=True)
class ErrorOf:
    """The error of answers: per example, per channel; of fields on a grid the scaled mean squared error."""

    name: str
    each: Callable[[Tensor, Tensor], Tensor]
    """(answer, truth) -> [N]."""
    channel: Callable[[Tensor, Tensor], Tensor]
    """(answer, truth) -> [N, channel]."""


def error_of(output: Action, truth: Tensor) -> ErrorOf:
    """SMSE on a grid; elsewhere squares per place and channel, each field in units of its mean square in `truth`."""
    if isinstance(output, GridAction):
        return ErrorOf("SMSE", lambda a, b: smse(a, b, "none"), lambda a, b: smse(a, b, "channel"))
    scales = output.scales(truth)
    places = torch.cat([torch.full((b.shape[1],), float(b.shape[2])) for b in output.blocks(truth[:1])])
    weight = 1 / (scales * places.double())

    def channel(a: Tensor, b: Tensor) -> Tensor:
        return output.squares(a, b) * weight.to(a.device)

    return ErrorOf("squared error", lambda a, b: channel(a, b).mean(1), channel)


class FieldLoss:
    r"""Mean over channels and places of squared errors, each field in units of its mean square $s^2$ in the data:
    $\mathrm{mean}_{c,p} (\hat y - y)_{cp}^2 / s_c^2$.

    Invariant under every action that mixes the components of a field by an orthogonal matrix and exchanges places.
    """

    def __init__(self, output: Action, truth: Tensor) -> None:
        self.__name__, self.output, self.scales = "field_loss", output, output.scales(truth)

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Of one example or the mean over several."""
        gaps = zip(self.output.blocks(prediction), self.output.blocks(target), strict=True)
        means = torch.cat([(p - q).square().mean((0, 2)) for p, q in gaps])
        return (means / self.scales.to(means)).mean()


class ClassLoss:
    """Cross-entropy of logits [N, K], or of probabilities, with class numbers [N]."""

    def __init__(self, *, logits: bool) -> None:
        self.__name__, self.logits = "cross_entropy", logits

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Of one example or the mean over several."""
        chances = prediction.log_softmax(-1) if self.logits else (prediction + TINY).log()
        if target.is_floating_point():
            return -(chances * target).sum(-1).mean()
        return -chances.gather(-1, target.long().reshape(-1, 1)).mean()


def default_loss(output: Action, truth: Tensor) -> Loss:
    """What a model with such answers is usually trained on."""
    inner = output.action if isinstance(output, PackedAction) else output
    if isinstance(inner, GridAction):
        return smse
    if isinstance(inner, Classes):
        return ClassLoss(logits=inner.logits)
    return FieldLoss(output, truth)


def baselines(x: Tensor, y: Tensor, unit: np.ndarray, output: Action) -> dict[str, Tensor]:
    """What a map without physics would answer, in `features` [N, F]: the best constant, and the best linear map of x where x is small.

    Fitted without the unit that is asked (in up to five folds), so that they are forecasts and no memory.
    """
    target, flat = output.features(y).double(), x.double().flatten(1)
    folds = np.searchsorted(np.unique(unit), unit) % min(_FOLDS, len(np.unique(unit)))
    found = {"constant": torch.empty_like(target)}
    linear = x.is_floating_point() and flat.shape[1] <= 512
    if linear:
        found["linear"] = torch.empty_like(target)
    for k in np.unique(folds):
        held, rest = torch.as_tensor(folds == k), torch.as_tensor(folds != k)
        if not bool(rest.any()):
            rest = held
        mean = target[rest].mean(0)
        found["constant"][held] = mean
        if linear:
            centre = flat[rest].mean(0)
            a = flat[rest] - centre
            gram = a.T @ a
            ridge = _RIDGE * float(gram.diagonal().mean()) + TINY
            slope = torch.linalg.solve(
                gram + ridge * torch.eye(len(gram), dtype=gram.dtype, device=gram.device), a.T @ (target[rest] - mean)
            )
            found["linear"][held] = mean + (flat[held] - centre) @ slope
    return found


def skill_of(plain: Tensor, x: Tensor, y: Tensor, unit: np.ndarray, output: Action) -> tuple[Tensor, str]:
    """Squared error over that of the best baseline, [N], and the baseline's name."""
    if len(np.unique(unit)) < 2:
        raise OrbitscopeError("skill: one unit leaves nothing to fit a baseline on. Take at least two units of examples.")
    weight, truth = output.weights(y).to(plain.device), output.features(y).double()

    def error(answer: Tensor) -> Tensor:
        return ((answer.double() - truth) * weight).square().sum(1)

    errors = {name: error(answer) for name, answer in baselines(x, y, unit, output).items()}
    best = min(errors, key=lambda name: float(errors[name].mean()))
    return error(output.features(plain)) / (errors[best] + TINY), best
