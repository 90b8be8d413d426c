"""Losses and measures of answers to words."""

import torch
from torch import Tensor

from ...symmetry import State, parts
from ...training import Loss, as_loss


class WordLoss(Loss):
    """A loss of the answers, plus what a `MatrixNet` in training adds for the relations that its matrices break.

    * `base`: "mse" or "cross_entropy".
    """

    def __init__(self, base: str) -> None:
        self.base = as_loss(base)
        self.name = f"words_{base}"

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """[B]: the base loss of each word plus the relation error."""
        answer, *broken = parts(prediction)
        return sum(broken, self.base.each(answer, target))


class ExactMatch(Loss):
    """The part of words whose answer is right in every number: the likeliest class, or all whole numbers after rounding."""

    name = "exact"

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """[B]: 1 where the answer is right, else 0."""
        answer, (wanted,) = parts(prediction)[0], parts(target)
        right = answer.argmax(1) == wanted if wanted.ndim == 1 else (answer.round() == wanted).flatten(1).all(1)
        return right.to(torch.float32)


class RelativeError(Loss):
    """The distance of an answer from the truth over the truth's size (at least 1): long words have large labels."""

    name = "relative"

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """[B]."""
        answer, (wanted,) = parts(prediction)[0], parts(target)
        return (answer - wanted).flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1).clamp_min(1)
