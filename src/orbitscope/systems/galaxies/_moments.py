"""Moments of what an emulator predicts: from Gaussians of log xi to means and variances of xi itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..._errors import OrbitscopeError

Link = Literal["log", "identity"]
"""What a statistic goes through before it is learnt."""


@dataclass(frozen=True)
class Moments:
    r"""Mean of a quantity, and its variance in two parts: $\mathrm{Var}\, y = E[\mathrm{Var}(y | w)] + \mathrm{Var}(E[y | w])$, w the
    weights.

    * `mean`: [...], in the unit of y. `aleatoric`: the first part, realisation noise, in its square. `epistemic`: the second, what the
      emulator does not know.
    """

    mean: Tensor
    aleatoric: Tensor
    epistemic: Tensor

    @property
    def variance(self) -> Tensor:
        """Both parts together."""
        return self.aleatoric + self.epistemic


def lognormal_moments(mean: Tensor, aleatoric: Tensor, epistemic: Tensor) -> Moments:
    r"""Moments of $y = e^t$ with $t \sim N(m, a)$ and $m \sim N(\mu, e)$:
    $E y = e^{\mu + (a + e)/2}$, aleatoric $(e^a - 1)\, e^{2\mu + a + 2e}$, epistemic $(e^e - 1)\, e^{2\mu + a + e}$.

    * `mean`: $\mu$, of the logarithm, [...]. `aleatoric`, `epistemic`: a and e, variances of the logarithm, [...], at least 0.

    The two parts add up to the variance of a log-normal with a + e. exp(mu) alone is the median, which is smaller than the mean.
    """
    both = aleatoric + epistemic
    return Moments(
        torch.exp(mean + both / 2),
        torch.expm1(aleatoric) * torch.exp(2 * mean + aleatoric + 2 * epistemic),
        torch.expm1(epistemic) * torch.exp(2 * mean + aleatoric + epistemic),
    )


def published_moments(mean: Tensor, aleatoric: Tensor, epistemic: Tensor) -> Moments:
    r"""What the published emulator of alignments reports for $y = e^t$: mean $e^\mu$, variances $a\, e^\mu$ and $|e\, \mu|$.

    * `mean`, `aleatoric`, `epistemic`: as of `lognormal_moments`.

    Wrong: the mean is the median, the variances have not the dimension of $y^2$ and miss it by a factor near y and near $y^2 / \ln y$.
    It is here to be compared with.
    """
    return Moments(torch.exp(mean), aleatoric * torch.exp(mean), (epistemic * mean).abs())


def to_latent(y: Tensor, known: Tensor, links: Sequence[Link]) -> tuple[Tensor, Tensor]:
    """What is learnt in place of the statistics, and which of it there is.

    * `y`: statistics [..., S, R], dimensionless. `known`: which bins there are, [..., S, R], booleans. `links`: of each statistic, S of
      them.

    Bins that are not known are 0 in the answer. "log" drops a whole row [S, R] in which a value that is known is not positive, as the
    published training does: this selects rows by their noise, and biases the mean of rare pairs. Raises `OrbitscopeError` for an unknown
    link.
    """
    made, there = [], known
    for k, link in enumerate(links):
        value = torch.where(known[..., k, :], y[..., k, :], torch.ones_like(y[..., k, :]))
        if link == "log":
            bad = (value <= 0).any(-1)
            there = there & ~bad[..., None, None]
            made.append(torch.where(value > 0, value, torch.ones_like(value)).log())
        elif link == "identity":
            made.append(value)
        else:
            raise OrbitscopeError(f"links: should be log or identity, got {link!r}.")
    latent = torch.stack(made, -2)
    return torch.where(there, latent, torch.zeros_like(latent)), there


def from_latent(latent: Tensor, links: Sequence[Link]) -> Tensor:
    """The statistics of what is learnt, without any noise: the median.

    * `latent`: [..., S, R]. `links`: of each statistic.
    """
    return torch.stack([latent[..., k, :].exp() if link == "log" else latent[..., k, :] for k, link in enumerate(links)], -2)


def physical(mean: Tensor, covariance: Tensor, links: Sequence[Link]) -> tuple[Tensor, Tensor]:
    r"""Mean [..., K] and covariance [..., K, K] of statistics whose latent values are jointly Gaussian.

    * `mean`: of the latent values, [..., S, R]. `covariance`: [..., K, K] with K = S R, positive semi-definite.
    * `links`: of each statistic.

    Exact: $\mathrm{Cov}(e^a, e^b) = E e^a\, E e^b\, (e^{c} - 1)$ and $\mathrm{Cov}(e^a, b) = c\, E e^a$.
    """
    count = mean.shape[-1]
    m, variance = mean.flatten(-2), covariance.diagonal(dim1=-2, dim2=-1)
    log = torch.tensor([link == "log" for link in links for _ in range(count)], device=mean.device)
    found = torch.where(log, torch.exp(torch.where(log, m + variance / 2, 0.0)), m)
    slope = torch.where(log, found, 1.0)
    inner = torch.where(log[:, None] & log, torch.expm1(covariance), covariance)
    return found, slope[..., :, None] * slope[..., None, :] * inner
