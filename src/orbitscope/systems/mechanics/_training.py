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

    The context is cut to a random window of it, as a code is a mean over pairs of frames: a quarter of the time of a step, and codes that
    a part of the frames gives as well.

    * `numbers`: random ones for each example. `window`: frames of the context that are kept; None: all.
    """

    def __init__(self, numbers: int = 1, window: int | None = 5) -> None:
        self.numbers, self.window = numbers, window
        self.name = f"ends known, {numbers} drawn, {window} of the context"

    def draw(self, length: int, seed: int, epoch: int, step: int) -> Tensor:
        """Standard normal, and a number between 0 and 1 in the last place, [length, numbers + 1]."""
        generator = torch.Generator().manual_seed(derive(seed, "motion noise", epoch * 2**20 + step))
        normal = torch.randn(length, self.numbers, generator=generator, dtype=torch.float64)
        return torch.cat([normal, torch.rand(length, 1, generator=generator, dtype=torch.float64)], 1)

    def __call__(self, drawn: Tensor, x: State, y: State, /) -> tuple[State, ...]:
        """The examples with the next frame and the numbers as two more parts of x."""
        past, direction, context, numbers = parts(x)
        (end,) = parts(y)
        if self.window is not None and self.window < context.shape[1]:
            first = (drawn[:, -1] * (context.shape[1] - self.window + 1)).long()
            rows = torch.arange(len(context), device=context.device)[:, None]
            context = context[rows, first[:, None] + torch.arange(self.window, device=context.device)]
        return (past, direction, context, numbers, end, drawn[:, :-1].to(end)), y
