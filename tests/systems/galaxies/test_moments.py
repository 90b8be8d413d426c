"""Moments against random numbers, and what the published formulas say instead."""

import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.systems.galaxies import from_latent, lognormal_moments, physical, published_moments, to_latent

_LINKS = ("log", "identity", "log")


def _drawn(mean: float, aleatoric: float, epistemic: float, count: int = 2000):
    """Nested draws: rows share a mean of their own, antithetic in both levels."""
    g = torch.Generator().manual_seed(3)
    outer = torch.randn(count, 1, generator=g, dtype=torch.float64)
    inner = torch.randn(1, count, generator=g, dtype=torch.float64)
    outer, inner = torch.cat([outer, -outer]), torch.cat([inner, -inner], 1)
    outer, inner = (v / v.square().mean().sqrt() for v in (outer, inner))
    return mean + epistemic**0.5 * outer + aleatoric**0.5 * inner


@pytest.mark.parametrize("point", [(1.5, 0.04, 0.02), (-0.3, 0.1, 0.05), (0.0, 0.02, 0.08)])
def test_moments_are_those_of_random_numbers(point):
    found = lognormal_moments(*(torch.tensor(v, dtype=torch.float64) for v in point))
    y = torch.exp(_drawn(*point))
    scale = float(y.std())
    assert float(found.mean) == pytest.approx(float(y.mean()), abs=0.01 * scale)
    assert float(found.aleatoric) == pytest.approx(float(y.var(1).mean()), rel=0.03)
    assert float(found.epistemic) == pytest.approx(float(y.mean(1).var()), rel=0.06)
    assert float(found.variance) == pytest.approx(float(y.var()), rel=0.03)


def test_published_error_bars_miss_by_the_size_of_xi():
    """xi = 100 with 10 per cent: the right bar is 10, the published ones are 1 and 0.2."""
    point = torch.log(torch.tensor(100.0, dtype=torch.float64)), torch.tensor(0.01, dtype=torch.float64), torch.tensor(0.0)
    right, said = lognormal_moments(*point), published_moments(*point)
    assert float(right.aleatoric.sqrt()) == pytest.approx(10, rel=0.02)
    assert float(said.aleatoric.sqrt()) == pytest.approx(1, rel=1e-6)
    right, said = lognormal_moments(point[0], point[2], point[1]), published_moments(point[0], point[2], point[1])
    assert float(right.epistemic.sqrt()) == pytest.approx(10, rel=0.02)
    assert float(said.epistemic.sqrt()) == pytest.approx(0.2146, rel=1e-3)
    assert float(said.mean) < float(right.mean)


def test_joint_moments_are_those_of_random_numbers():
    g = torch.Generator().manual_seed(1)
    mean = torch.tensor([[1.0, -0.2], [0.3, 0.1], [0.5, 2.0]], dtype=torch.float64)
    root = 0.15 * torch.randn(6, 6, generator=g, dtype=torch.float64)
    z = torch.randn(200_000, 6, generator=g, dtype=torch.float64)
    z = torch.cat([z, -z])
    z = z @ torch.linalg.inv(torch.linalg.cholesky(z.mT @ z / len(z))).mT  # exactly white
    found, covariance = physical(mean, root @ root.mT, _LINKS)
    y = from_latent((mean.flatten() + z @ root.mT).reshape(-1, 3, 2), _LINKS).flatten(1)
    assert torch.allclose(found, y.mean(0), atol=2e-3)
    assert torch.allclose(covariance, torch.cov(y.T), atol=3e-3 * float(covariance.diagonal().max()))


def test_joint_moments_have_the_diagonal_of_the_single_ones():
    mean = torch.tensor([[1.0], [0.3], [0.5]], dtype=torch.float64)
    variance = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    found, covariance = physical(mean, torch.diag(variance), _LINKS)
    zero = torch.zeros((), dtype=torch.float64)
    first, last = lognormal_moments(mean[0, 0], variance[0], zero), lognormal_moments(mean[2, 0], variance[2], zero)
    assert torch.allclose(found, torch.stack([first.mean, mean[1, 0], last.mean]), atol=1e-12)
    assert torch.allclose(covariance.diagonal(), torch.stack([first.variance, variance[1], last.variance]), atol=1e-12)
    assert float(covariance[0, 2].abs()) < 1e-14


def test_what_is_learnt_goes_back_and_log_drops_rows_that_noise_made_negative():
    y = torch.tensor([[[2.0, -0.5], [0.1, -0.1]], [[3.0, 0.5], [0.2, 0.3]]], dtype=torch.float64)
    known = torch.ones_like(y, dtype=torch.bool)
    latent, there = to_latent(y, known, ("log", "identity"))
    assert not bool(there[0].any()) and bool(there[1].all())
    assert torch.isfinite(latent).all()
    assert torch.allclose(from_latent(latent, ("log", "identity"))[1], y[1], atol=1e-14)
    with pytest.raises(OrbitscopeError, match="links: should be log"):
        to_latent(y, known, ("cube", "identity"))  # pyright: ignore[reportArgumentType]


def test_log_of_positive_values_alone_is_biased():
    """Half a noise away from 0 the rows that are left have a mean far above the true one, even with the right moments."""
    g = torch.Generator().manual_seed(0)
    xi = 0.05 + 0.1 * torch.randn(20_000, 1, 1, generator=g, dtype=torch.float64)
    latent, there = to_latent(xi, torch.ones_like(xi, dtype=torch.bool), ("log",))
    kept = latent[there]
    assert float(lognormal_moments(kept.mean(), kept.var(), torch.zeros(())).mean) > 0.09
    assert float(xi.mean()) == pytest.approx(0.05, abs=0.003)
