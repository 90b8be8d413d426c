"""Moments of what an emulator predicts: from Gaussians of log xi or asinh xi to means and variances of xi itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..._errors import OrbitscopeError

Link = Literal["log", "asinh", "identity"]
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


def sinh_normal_moments(mean: Tensor, aleatoric: Tensor, epistemic: Tensor) -> Moments:
    r"""Moments of $y = \sinh t$ with $t \sim N(m, a)$ and $m \sim N(\mu, e)$:
    $E y = e^{(a + e)/2} \sinh \mu$; total variance $\tfrac12 (e^v - 1)(e^v \cosh 2\mu + 1)$ with v = a + e; epistemic
    $e^a\, \tfrac12 (e^e - 1)(e^e \cosh 2\mu + 1)$; aleatoric what is left.

    * `mean`: $\mu$, of asinh y, [...]. `aleatoric`, `epistemic`: a and e, variances of asinh y, [...], at least 0.

    For large y these are the log-normal ones, for small y those of a Gaussian; y may be 0 or negative.
    """

    def spread(v: Tensor) -> Tensor:
        return 0.5 * torch.expm1(v) * (torch.exp(v) * torch.cosh(2 * mean) + 1)

    unknown = torch.exp(aleatoric) * spread(epistemic)
    return Moments(
        torch.exp((aleatoric + epistemic) / 2) * torch.sinh(mean), spread(aleatoric + epistemic) - unknown, unknown
    )  # fmt: skip


def to_latent(y: Tensor, known: Tensor, links: Sequence[Link]) -> tuple[Tensor, Tensor]:
    """What is learnt in place of the statistics, and which of it there is.

    * `y`: statistics [..., S, R], dimensionless. `known`: which bins there are, [..., S, R], booleans. `links`: of each statistic, S of
      them.

    Bins that are not known are 0 in the answer. "log" drops a whole row [S, R] in which a value that is known is not positive, as the
    published training does; this selects rows by their noise, and biases the mean of rare pairs. "asinh" keeps all: asinh xi is linear
    below 1, where xi is a small excess and its noise additive, and logarithmic above, where noise is a part of xi; xi >= -1 always.
    Raises `OrbitscopeError` for an unknown link.
    """
    made, there = [], known
    for k, link in enumerate(links):
        value = torch.where(known[..., k, :], y[..., k, :], torch.ones_like(y[..., k, :]))
        if link == "log":
            bad = (value <= 0).any(-1)
            there = there & ~bad[..., None, None]
            made.append(torch.where(value > 0, value, torch.ones_like(value)).log())
        elif link == "asinh":
            made.append(torch.asinh(value))
        elif link == "identity":
            made.append(value)
        else:
            raise OrbitscopeError(f"links: should be log, asinh or identity, got {link!r}.")
    latent = torch.stack(made, -2)
    return torch.where(there, latent, torch.zeros_like(latent)), there


def from_latent(latent: Tensor, links: Sequence[Link]) -> Tensor:
    """The statistics of what is learnt, without any noise: the median.

    * `latent`: [..., S, R]. `links`: of each statistic.
    """
    inverse = {"log": torch.exp, "asinh": torch.sinh, "identity": lambda t: t}
    return torch.stack([inverse[link](latent[..., k, :]) for k, link in enumerate(links)], -2)


def physical(mean: Tensor, covariance: Tensor, links: Sequence[Link]) -> tuple[Tensor, Tensor]:
    r"""Mean [..., K] and covariance [..., K, K] of statistics whose latent values are jointly Gaussian.

    * `mean`: of the latent values, [..., S, R]. `covariance`: [..., K, K] with K = S R, positive semi-definite.
    * `links`: of each statistic.

    Exact: with u = exp of a latent value, $\mathrm{Cov}(e^a, e^b) = E e^a\, E e^b\, (e^{c} - 1)$ and $\mathrm{Cov}(e^a, b) = c\, E e^a$;
    sinh is half the difference of two exponentials.
    """
    size, count = len(links), mean.shape[-1]
    m = mean.flatten(-2)
    # Each value is a sum of at most two signed exponentials e^{s a}, or a itself (s = 0 marks it).
    signs, weights = [], []
    for link in links:
        s, w = {"log": ((1.0, 0.0), (1.0, 0.0)), "asinh": ((1.0, -1.0), (0.5, -0.5)), "identity": ((0.0, 0.0), (1.0, 0.0))}[link]
        signs += [s] * count
        weights += [w] * count
    s, w = (torch.tensor(v, dtype=mean.dtype, device=mean.device) for v in (signs, weights))  # [K, 2]
    variance = covariance.diagonal(dim1=-2, dim2=-1)
    linear = torch.tensor([link == "identity" for link in links for _ in range(count)], device=mean.device)
    assert len(signs) == size * count
    level = w * torch.exp(s * m[..., None] + 0.5 * s.square() * variance[..., None])  # E of each term, [..., K, 2]
    slope = torch.where(linear, torch.ones_like(m), (s * level).sum(-1))  # E of the derivative of the value by its latent one
    found = torch.where(linear, m, level.sum(-1))
    crossed = s[:, None, :, None] * s[None, :, None, :] * covariance[..., None, None]  # [..., K, K, 2, 2]
    both = (level[..., :, None, :, None] * level[..., None, :, None, :] * torch.expm1(crossed)).sum((-2, -1))
    straight = slope[..., :, None] * slope[..., None, :] * covariance
    either = linear[:, None] | linear[None, :]
    return found, torch.where(either, straight, both)
