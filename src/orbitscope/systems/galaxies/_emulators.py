"""Emulators of correlation functions: what they share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Examples
from ._moments import Link, lognormal_moments, physical
from ._region import Outside, Region
from ._targets import Scales, checked

_WARM = 0.2  # part of the training in which beta is 1, as published


@dataclass(frozen=True, eq=False)
class Prediction:
    r"""What an emulator says of some parameters; K = S R numbers, statistics one after the other.

    * `mean`: of the statistics, [B, S, R]. `aleatoric`: covariance of one realisation around it, [B, K, K].
    * `epistemic`: covariance of the mean between members of the ensemble or draws of the dropout, [B, K, K]; 0 for a single one.

    Dimensionless. The mean is that of y itself, not the inverse of a mean logarithm, which is the median.
    """

    mean: Tensor
    aleatoric: Tensor
    epistemic: Tensor

    @property
    def covariance(self) -> Tensor:
        """Both together, [B, K, K]: what a single new realisation is held against."""
        return self.aleatoric + self.epistemic

    def deviation(self, part: Literal["aleatoric", "epistemic", "both"] = "both") -> Tensor:
        """Standard deviations, [B, S, R].

        * `part`: of which covariance.
        """
        covariance = {"aleatoric": self.aleatoric, "epistemic": self.epistemic}.get(part, self.covariance)
        return covariance.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt().reshape(self.mean.shape)


class CorrelationEmulator(nn.Module, ABC):
    r"""A map of parameters to Gaussians of the statistics, or of what stands for them (log xi).

    Scales and region come from the examples of the training alone, and are saved with the weights.

    * `examples`: of the training. `beta`: power of the variance in the loss of each statistic, after a first fifth of the training in
      which it is 1.
    """

    links: ClassVar[tuple[Link, ...]]
    mean: Tensor
    spread: Tensor
    beta: Tensor

    def __init__(self, examples: Examples, beta: Sequence[float]) -> None:
        super().__init__()
        x, value, _ = checked(examples)
        if len(beta) != value.shape[1] or value.shape[1] != len(self.links) or not all(0 <= b <= 1 for b in beta):
            raise OrbitscopeError(f"beta: should be {len(self.links)} numbers from 0 to 1, one for each statistic; got {tuple(beta)}.")
        self.bins, self.later = int(value.shape[2]), tuple(float(b) for b in beta)
        self.region = Region(x)
        scales = Scales.of(examples, self.links)
        self.register_buffer("mean", scales.mean)
        self.register_buffer("spread", scales.spread)
        self.register_buffer("beta", torch.ones(len(beta)))

    @abstractmethod
    def heads(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance [B, M, S, R] and factors [B, M, K, S, R] of what is learnt, in its own units, for parameters `theta` [B, D]."""

    def reference(self, mean: Tensor) -> Tensor:
        """Scale in the tempering of the loss, which broadcasts with `mean` [B, M, S, R]: an even weight of all bins is meant in its
        units."""
        return self.spread.to(mean)

    def forward(self, theta: Tensor) -> tuple[Tensor, ...]:
        """Mean and variance [B, M, S, R] and factors [B, M, K, S, R] of what is learnt; C = diag(variance) + F^T F.

        * `theta`: parameters [B, D]. In training a fourth part is the weight of each bin in the loss.
        """
        mean, variance, factor = self.heads(theta)
        if not self.training:
            return mean, variance, factor
        total = (variance + factor.square().sum(2)).detach() / self.reference(mean.detach()).square()
        return mean, variance, factor, total ** self.beta.to(mean)[:, None]

    def after_step(self, fraction: float, optimiser: torch.optim.Optimizer) -> None:
        """Set beta for the next step.

        * `fraction`: of the training that is done. `optimiser`: not looked at.
        """
        if fraction >= _WARM:
            self.beta.copy_(torch.tensor(self.later))

    @contextmanager
    def dropping(self) -> Iterator[None]:
        """Within the block dropout is random while everything else stays in evaluation; afterwards all is as it was."""
        layers = [m for m in self.modules() if isinstance(m, nn.Dropout)]
        before = [m.training for m in layers]
        try:
            for m in layers:
                m.train()
            yield
        finally:
            for m, was in zip(layers, before, strict=True):
                m.train(was)

    def latent(self, theta: Tensor, draws: int = 0) -> tuple[Tensor, Tensor]:
        """Means [B, M, S, R] and covariances [B, M, K, K] of what is learnt, of every member and draw; differentiable.

        * `theta`: parameters [B, D]. `draws`: of the dropout; 0: none is random.
        """
        if draws < 0:
            raise OrbitscopeError(f"draws: should be at least 0, got {draws}.")
        if draws and not any(isinstance(m, nn.Dropout) and m.p > 0 for m in self.modules()):
            raise OrbitscopeError("draws: this emulator has no dropout. Its members say what it does not know; leave `draws` out.")
        if self.training:
            raise OrbitscopeError("predict: the emulator is in training mode. Call eval() first.")
        if not draws:
            mean, variance, factor = self.heads(theta)
        else:
            with self.dropping():
                found = [self.heads(theta) for _ in range(draws)]
            mean, variance, factor = (torch.cat(p, 1) for p in zip(*found, strict=True))
        f = factor.flatten(-2)
        return mean, torch.diag_embed(variance.flatten(-2)) + f.mT @ f

    def moments(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Means, variances [B, M, K] and factors [B, M, F, K] of the statistics themselves, of every member; C = diag(variance) + F^T F.

        * `theta`: parameters [B, D].

        The same as `latent` and `physical` say, without a matrix for every row. Raises `OrbitscopeError` in training mode.
        """
        if self.training:
            raise OrbitscopeError("predict: the emulator is in training mode. Call eval() first.")
        mean, variance, factor = (p.double() for p in self.heads(theta.to(next(self.parameters()).dtype)))
        log = torch.tensor([link == "log" for link in self.links], device=mean.device)[:, None]
        if bool(log.any()):
            if factor.shape[2]:
                raise OrbitscopeError("moments: bins of a logarithm that vary together have no factors of their own.")
            said = lognormal_moments(torch.where(log, mean, 0.0), torch.where(log, variance, 0.0), torch.zeros_like(mean))
            mean, variance = torch.where(log, said.mean, mean), torch.where(log, said.aleatoric, variance)
        return mean.flatten(-2), variance.flatten(-2), factor.flatten(-2)

    def predict(self, theta: Tensor, draws: int = 0, outside: Outside = "warn") -> Prediction:
        r"""Mean, aleatoric and epistemic covariance of the statistics: $\overline{m_i}$, $\overline{C_i}$ and the covariance of $m_i$
        between members i, where $m_i, C_i$ are the exact moments of a member's distribution.

        * `theta`: parameters [B, D] or [D], in the units of the training. `draws`: of the dropout, in place of fixed weights.
        * `outside`: what to do outside the region of the training: "warn", "raise" or "ignore".

        Differentiable by `theta`. Raises `OrbitscopeError` for parameters that are not finite, of another number, or outside where that
        is refused.
        """
        theta = torch.as_tensor(theta)
        theta = theta[None] if theta.ndim == 1 else theta
        self.region.check(theta, outside)
        latent, covariance = self.latent(theta.to(next(self.parameters()).dtype), draws)
        means, inner = physical(latent.double(), covariance.double(), self.links)  # [B, M, K], [B, M, K, K]
        middle = means.mean(1)
        apart = means - middle[:, None]
        between = apart.mT @ apart / max(means.shape[1] - 1, 1)
        return Prediction(middle.reshape(len(theta), len(self.links), self.bins), inner.mean(1), between)
