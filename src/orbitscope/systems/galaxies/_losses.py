"""What the training of emulators minimises: Gaussian likelihoods of what is learnt, with bins left out that there are not."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ...symmetry import State, parts
from ...training import Loss
from ._moments import Link, from_latent, to_latent
from ._targets import values_and_known

_LOG_2PI = math.log(2 * math.pi)


class BetaNLL(Loss):
    r"""Negative log-likelihood, tempered in training: $\sum_k \tfrac12 [(t_k - m_k)^2 / v_k + \ln v_k]\, \mathrm{sg}(v_k / s_k^2)^\beta$,
    per bin, averaged over members; sg stops the gradient, s is the scale of the emulator.

    * `links`: what each statistic goes through before it is learnt.

    In training an emulator hands over the last factor beside its answer, and the covariance between bins, where it has any, is learnt from
    the likelihood of what its mean leaves; otherwise this is the plain negative log-likelihood per known bin, in nats, in units of what is
    learnt. Bins without pairs count for nothing. Lower is better, and it may be negative.

    Source: Seitzer et al., arXiv:2203.09168, eq. 2.
    """

    name = "beta_nll"

    def __init__(self, links: Sequence[Link]) -> None:
        self.links = tuple(links)

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """[B]: of `prediction` (mean, variance [B, M, S, R], factors [B, M, K, S, R], tempering in training) and `target`."""
        mean, variance, factor, *tempering = parts(prediction)
        value, known = values_and_known(target)
        latent, there = to_latent(value.to(mean), known, self.links)
        gap = torch.where(there[:, None], latent[:, None] - mean, torch.zeros_like(mean))
        count = there.sum((-2, -1)).clamp_min(1)
        joint = factor.shape[2] > 0
        if not tempering:
            found = (
                gaussian_nll(gap, variance, factor, there[:, None]) if joint else marginal_nll(gap, variance, there[:, None]).sum((-2, -1))
            )
            return found.mean(1) / count
        total = variance + factor.square().sum(2)
        found = (marginal_nll(gap, total, there[:, None]) * tempering[0]).sum((-2, -1))
        if joint:
            found = found + gaussian_nll(gap.detach(), variance, factor, there[:, None])
        if len(tempering) > 1:
            found = found + _of_parts(tempering[1:], parts(target), known[:, 1:2])
        return found.mean(1) / count


def _of_parts(said: Sequence[Tensor], target: Sequence[Tensor], paired: Tensor) -> Tensor:
    """[B, M]: of the parts that omega and eta are made of, where there are pairs."""
    value, variance, weight = said
    if len(target) < 3:
        raise OrbitscopeError("beta_nll: this emulator learns from the parts of omega and eta, and these examples have none.")
    known = paired[:, None].expand_as(value)
    gap = torch.where(known, target[2].to(value)[:, None] - value, torch.zeros_like(value))
    return (marginal_nll(gap, variance.expand_as(value), known) * weight).sum((-2, -1))


def marginal_nll(gap: Tensor, variance: Tensor, there: Tensor) -> Tensor:
    r"""$\tfrac12 [g^2 / v + \ln 2 \pi v]$ of each bin, 0 where there is none.

    * `gap`: target minus mean, 0 where unknown, [..., S, R]. `variance`: [..., S, R]. `there`: booleans.
    """
    nll = 0.5 * (gap.square() / variance + variance.log() + _LOG_2PI)
    return torch.where(there, nll, torch.zeros_like(nll))


def gaussian_nll(gap: Tensor, variance: Tensor, factor: Tensor, there: Tensor) -> Tensor:
    r"""$\tfrac12 [g^T C^{-1} g + \ln \det 2 \pi C]$ with $C = \mathrm{diag}(v) + F^T F$, over the bins that there are, [...].

    * `gap`: target minus mean, 0 where unknown, [..., S, R]. `variance`: v, [..., S, R]. `factor`: F, [..., K, S, R].
    * `there`: which bins there are; leaving rows of F out is exactly the marginal over the others.
    """
    g = gap.flatten(-2)
    known = there.expand_as(gap).flatten(-2)
    v = torch.where(known, variance.flatten(-2), torch.ones_like(g))
    f = torch.where(known[..., None, :], factor.flatten(-2), torch.zeros_like(factor.flatten(-2)))
    scaled = f / v[..., None, :]
    inner = torch.eye(f.shape[-2], dtype=f.dtype, device=f.device) + scaled @ f.mT
    root = torch.linalg.cholesky(inner)
    solved = torch.linalg.solve_triangular(root, (scaled * g[..., None, :]).sum(-1, keepdim=True), upper=False)[..., 0]
    square = (g.square() / v).sum(-1) - solved.square().sum(-1)
    logdet = v.log().sum(-1) + 2 * root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return 0.5 * (square + logdet + _LOG_2PI * known.to(g).sum(-1))


class StatisticError(Loss):
    r"""Root mean square over the known bins of one statistic of (median - y) over a scale, dimensionless.

    * `statistic`: its number. `scale`: of each bin, such as the spread over the training, [R]. `links`: of all statistics. `name`: of it.
    """

    def __init__(self, statistic: int, scale: Tensor, links: Sequence[Link], name: str) -> None:
        self.statistic, self.scale, self.links, self.name = statistic, scale, tuple(links), name

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """[B]: of `prediction` and `target` as of `BetaNLL`."""
        mean = parts(prediction)[0]
        value, known = values_and_known(target)
        median = from_latent(mean, self.links).mean(1)
        there = known[:, self.statistic]
        gap = (median - value.to(mean))[:, self.statistic] / self.scale.to(mean)
        square = torch.where(there, gap.square(), torch.zeros_like(gap)).sum(-1) / there.sum(-1).clamp_min(1)
        return square.sqrt()
