"""What a map of one frame answers: frames between known ones, and frames behind noise."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..._errors import OrbitscopeError

if TYPE_CHECKING:
    from ._models import MotionModel


def blended(model: "MotionModel", frames: Tensor, known: Tensor, z: Tensor) -> Tensor:
    """The unknown frames from the known ones on both sides: steps onwards and back, weighted by their distance, scaled [B, T, 2d].

    * `model`: a map that reads one frame. `frames`: scaled, [B, T, 2d]; unknown ones are not looked at. `known`: bool [T]. `z`: codes.
    """
    if model.history != 1:
        raise OrbitscopeError(
            f"refine: {type(model).__name__} reads {model.history} frames, and a single known one between gaps is no block."
        )
    at = known.nonzero()[:, 0].tolist()
    found = frames.clone()
    for a, b in zip([None, *at], [*at, None], strict=True):
        first, last = (-1 if a is None else a), (frames.shape[1] if b is None else b)
        if last - first < 2:
            continue
        onward, backward = {}, {}
        if a is not None:
            x = frames[:, a]
            for t in range(a + 1, last):
                onward[t] = x = model.advance(x[:, None], z)
        if b is not None:
            x = frames[:, b]
            for t in range(b - 1, first, -1):
                backward[t] = x = model.advance(x[:, None], z, -1.0)
        for t in range(first + 1, last):
            if t in onward and t in backward:
                w = (t - first) / (last - first)
                found[:, t] = (1 - w) * onward[t] + w * backward[t]
            else:
                found[:, t] = onward[t] if t in onward else backward[t]
    return found


def smoothed(
    model: "MotionModel", frames: Tensor, known: Tensor, z: Tensor, noise: float, slack: float, rounds: int = 6
) -> tuple[Tensor, Tensor]:
    r"""All frames from noisy known ones: the least of $\sum_t |r(x_t, x_{t+1}; z)|^2 / s^2 + \sum_{t\ \mathrm{known}} |x_t - d_t|^2 /
    \sigma^2$, by Gauss and Newton, and the standard deviations of the posterior, linearised; scaled [B, T, 2d] both.

    * `model`: a map that reads one frame. `frames`: d, scaled, [B, T, 2d]. `known`: bool [T]. `z`: codes. `noise`: $\sigma$, scaled.
    * `slack`: s, the root mean square of the map's own scaled residual. `rounds`: steps.
    """
    x = blended(model, frames, known, z)
    batch, count, wide = x.shape
    on, codes = torch.ones(batch * (count - 1), 1, dtype=x.dtype), z.repeat_interleave(count - 1, 0)
    weight = known.to(x.dtype) / noise**2
    eye, curvature = torch.eye(wide, dtype=x.dtype), x.new_zeros(0)

    def left(first: Tensor, then: Tensor) -> Tensor:
        return model.step(first[:, None], on, codes, then) - then

    for _ in range(rounds):
        first, then = x[:, :-1].reshape(-1, wide), x[:, 1:].reshape(-1, wide)
        r = left(first, then).reshape(batch, count - 1, wide)
        held = (first, then)
        sides = [
            torch.stack([_along(left, held, e, side) for e in eye], -1).reshape(batch, count - 1, wide, wide) / slack for side in (0, 1)
        ]
        curvature = x.new_zeros(batch, count, wide, count, wide)
        t = torch.arange(count)
        curvature[:, t, :, t, :] += (weight[:, None, None] * eye)[:, None]
        slope = weight[:, None] * torch.where(known[:, None], x - frames, 0.0)
        for a, off in ((0, t[:-1]), (1, t[1:])):
            slope[:, off] += (sides[a].mT @ r[..., None])[..., 0] / slack
            for b, other in ((0, t[:-1]), (1, t[1:])):
                curvature[:, off, :, other, :] += (sides[a].mT @ sides[b]).movedim(1, 0)
        flat = curvature.reshape(batch, count * wide, count * wide)
        x = x - torch.linalg.solve(flat, slope.reshape(batch, -1)).reshape(x.shape)
    spread = torch.linalg.inv(curvature.reshape(batch, count * wide, -1)).diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt()
    return x, spread.reshape(x.shape)


def _along(function: Callable[..., Tensor], held: tuple[Tensor, Tensor], way: Tensor, side: int) -> Tensor:
    """The derivative at `held` along one coordinate of the first or the second argument."""
    tangents = [torch.zeros_like(h) for h in held]
    tangents[side] = way.expand_as(held[side]).clone()
    return torch.func.jvp(function, held, tuple(tangents))[1]
