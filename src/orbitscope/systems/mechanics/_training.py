"""What the training of maps of motion minimises, and what it is told beside the examples."""

import torch
from torch import Tensor

from ..._seed import derive
from ...symmetry import State, parts
from ...training import Loss
from ._about import Motion


class MotionLoss(Loss):
    r"""Mean square error with coordinates and momenta in units of one constant each, dimensionless.

    * `motion`: whose sizes these are.

    A model that computes its own loss in training (`DHN`) hands it over beside its answer, and it is taken as it is.
    """

    name = "motion"

    def __init__(self, motion: Motion) -> None:
        self.sizes = [motion.sizes[0]] * motion.pairs + [motion.sizes[1]] * motion.pairs

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """[B], of frames [B, 2d]."""
        answer, *own = parts(prediction)
        if own:
            return own[0]
        (wanted,) = parts(target)
        return ((answer - wanted) / torch.tensor(self.sizes, dtype=answer.dtype, device=answer.device)).square().mean(-1)


class CoordinateError(Loss):
    """The mean square error of the coordinates alone, in the unit of `MotionLoss`.

    * `motion`: whose sizes these are.
    """

    name = "coordinates"

    def __init__(self, motion: Motion) -> None:
        self.pairs, self.size = motion.pairs, motion.sizes[0]

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """[B], of frames [B, 2d]."""
        gap = parts(prediction)[0] - parts(target)[0]
        return (gap[..., : self.pairs] / self.size).square().mean(-1)


class EndsKnown:
    """Hands the true next frame to the model in training, and random numbers: implicit maps need no solve, denoising its noise.

    Of the context so many random pairs of neighbours are kept, as a code is a mean over pairs: a quarter of the time of a step. (A window
    of neighbouring pairs does not do: their mean lies off that of all, and what was learnt from the one fails with the other.)

    * `numbers`: random ones for each example. `pairs`: of the context that are kept; None: all frames as they are.
    """

    def __init__(self, numbers: int = 1, pairs: int | None = 4) -> None:
        self.numbers, self.pairs = numbers, pairs
        self.name = f"ends known, {numbers} drawn, {pairs} pairs of the context"

    def draw(self, length: int, seed: int, epoch: int, step: int) -> Tensor:
        """Standard normal, and numbers between 0 and 1 for the pairs in the last places, [length, numbers + pairs].

        * `length`: number of examples. `seed`, `epoch`, `step`: of the training; the numbers depend on these alone.
        """
        generator = torch.Generator().manual_seed(derive(seed, "motion noise", epoch * 2**20 + step))
        normal = torch.randn(length, self.numbers, generator=generator, dtype=torch.float64)
        return torch.cat([normal, torch.rand(length, self.pairs or 1, generator=generator, dtype=torch.float64)], 1)

    def __call__(self, drawn: Tensor, x: State, y: State, /) -> tuple[State, ...]:
        """The examples with the next frame and the numbers as two more parts of x."""
        past, direction, context, numbers = parts(x)
        (end,) = parts(y)
        if self.pairs is not None and self.pairs < context.shape[1] - 1:
            first = (drawn[:, self.numbers :] * (context.shape[1] - 1)).long()
            rows = torch.arange(len(context), device=context.device)[:, None]
            context = torch.stack([context[rows, first], context[rows, first + 1]], 2)
        return (past, direction, context, numbers, end, drawn[:, : self.numbers].to(end)), y
