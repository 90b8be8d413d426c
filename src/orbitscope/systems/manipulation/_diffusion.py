"""Diffusion of small vectors: how noise is mixed in, and how samples are drawn, by all steps or by few."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError

Denoiser = Callable[[Tensor, Tensor], Tensor]  # (noisy values [B, ...], step numbers [B]) -> what it predicts
_MOST = 0.999  # largest share of variance that one step adds


class Diffusion(nn.Module):
    r"""A chain of Gaussian noise, $x_k = \sqrt{\bar\alpha_k}\, x_0 + \sqrt{1 - \bar\alpha_k}\, \epsilon$, and its way back.

    * `steps`: of the chain, at least 2. `predicts`: what a denoiser answers, "noise" ($\epsilon$, as published) or "sample" ($x_0$).

    $\bar\alpha_k = \cos^2(\frac{k/K + s}{1 + s} \frac{\pi}{2})$ with s = 0.008, each step's share of new variance at most 0.999. Both
    samplers are linear in (sample, noise): a group that acts orthogonally on values and noise alike commutes with them to rounding, if it
    commutes with the denoiser. Raises `OrbitscopeError` for other arguments.

    Sources: Ho et al., arXiv 2006.11239 (DDPM); Song et al., arXiv 2010.02502, eq. 12 (DDIM); Nichol and Dhariwal, arXiv 2102.09672
    (cosine).
    """

    kept: Tensor
    """Share of signal in the variance after each step, [steps]."""

    def __init__(self, steps: int = 100, predicts: str = "noise") -> None:
        super().__init__()
        if steps < 2:
            raise OrbitscopeError(f"Diffusion: `steps` should be at least 2, got {steps}.")
        if predicts not in ("noise", "sample"):
            raise OrbitscopeError(f"Diffusion: `predicts` should be 'noise' or 'sample', got {predicts!r}.")
        self.steps, self.predicts = steps, predicts
        level = np.cos((np.arange(steps + 1) / steps + 0.008) / 1.008 * np.pi / 2) ** 2
        added = np.minimum(1 - level[1:] / level[:-1], _MOST)
        self.register_buffer("kept", torch.tensor(np.cumprod(1 - added), dtype=torch.float64), persistent=False)

    def noised(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Values after some steps.

        * `x`, `noise` [B, ...]: clean values and standard normal numbers. `step` [B]: whole numbers from 0 to steps - 1.
        """
        kept = self._at(step, x)
        return kept.sqrt() * x + (1 - kept).sqrt() * noise

    def wanted(self, x: Tensor, noise: Tensor) -> Tensor:
        """What the denoiser should answer: `noise`, or the clean `x`."""
        return noise if self.predicts == "noise" else x

    def clean(self, noisy: Tensor, answer: Tensor, step: Tensor) -> Tensor:
        """The clean values that an answer of the denoiser stands for.

        * `noisy`, `answer` [B, ...]: what it saw and what it said. `step` [B]: which.
        """
        if self.predicts == "sample":
            return answer
        kept = self._at(step, noisy)
        return (noisy - (1 - kept).sqrt() * answer) / kept.sqrt()

    def sample(
        self, denoiser: Denoiser, start: Tensor, *, fresh: Tensor | None = None, steps: int = 10,
        bound: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:  # fmt: skip
        """Values drawn from what the denoiser has learnt, [B, ...].

        * `denoiser`: (noisy [B, ...], step [B]) -> its answer. `start` [B, ...]: standard normal numbers.
        * `fresh` [self.steps, B, ...]: those of each step, for DDPM over all steps; None: DDIM, which needs no more noise.
        * `steps`: of DDIM, evenly spread. `bound`: applied to every guess of the clean values, or None; must commute with the group.

        Raises `OrbitscopeError` for more steps than the chain has.
        """
        if not 1 <= steps <= self.steps:
            raise OrbitscopeError(f"sample: `steps` should be between 1 and {self.steps}, got {steps}.")
        marks = np.arange(self.steps) if fresh is not None else np.linspace(0, self.steps - 1, steps + 1).round().astype(int)[1:]
        x = start
        for place in range(len(marks) - 1, -1, -1):
            step = torch.full((len(x),), int(marks[place]), device=x.device)
            guess = self.clean(x, denoiser(x, step), step)
            guess = guess if bound is None else bound(guess)
            if place == 0:
                return guess
            before = torch.full_like(step, int(marks[place - 1]))
            x = self._stepped(x, guess, step, before, None if fresh is None else fresh[place])
        return x

    def _stepped(self, x: Tensor, guess: Tensor, step: Tensor, before: Tensor, fresh: Tensor | None) -> Tensor:
        """One step back, to the noise level of `before`."""
        now, then = self._at(step, x), self._at(before, x)
        if fresh is None:
            noise = (x - now.sqrt() * guess) / (1 - now).sqrt()
            return then.sqrt() * guess + (1 - then).sqrt() * noise
        alpha = now / then
        mean = then.sqrt() * (1 - alpha) / (1 - now) * guess + alpha.sqrt() * (1 - then) / (1 - now) * x
        return mean + ((1 - alpha) * (1 - then) / (1 - now)).sqrt() * fresh

    def _at(self, step: Tensor, like: Tensor) -> Tensor:
        return self.kept.to(like)[step].reshape(-1, *[1] * (like.ndim - 1))
