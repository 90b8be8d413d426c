"""Noise of bins that goes together: the likelihood against dense matrices, what is found on a training set, and what it is worth."""

import numpy as np
import pytest
import torch
from torch import Tensor

from orbitscope import OrbitscopeError
from orbitscope.data import Examples
from orbitscope.systems.galaxies import (
    AlignmentEmulator,
    NUTSConfig,
    Posterior,
    data_vector,
    infer,
    noise_correlation,
    simulation_based_calibration,
)

from .standin import Oracle, design, mocks, truth

_K = 60
_FIXED = {"logMmin": 12.6, "sigma_logM": 0.4, "logM0": 12.3, "logM1": 13.5, "alpha": 1.0}


def _neighbours(strength: float) -> Tensor:
    """Correlation strength^|i - j| between all bins, whatever their statistic."""
    k = torch.arange(_K, dtype=torch.float64)
    return strength ** (k[:, None] - k).abs()


def _drawn(theta: Tensor, correlation: Tensor, seed: int) -> Tensor:
    mean, noise = truth(theta)
    z = torch.randn(len(theta), _K, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return mean + noise * (z @ torch.linalg.cholesky(correlation).mT).reshape(mean.shape)


def _random_correlation(seed: int) -> Tensor:
    root = torch.randn(_K, 80, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    c = root @ root.mT
    return c / c.diagonal().sqrt() / c.diagonal().sqrt()[:, None]


def _vector(y: Tensor, used: tuple[str, ...] = ("xi", "omega", "eta"), **more):
    return data_vector({n: y[k].numpy() for k, n in enumerate(("xi", "omega", "eta")) if n in used}, 20, **more)


@pytest.mark.parametrize("error", [True, False])
@pytest.mark.parametrize("used", [("xi", "omega", "eta"), ("xi", "eta")])
def test_likelihood_and_misfit_are_those_of_dense_matrices(error, used):
    model, theta, r = Oracle(says=0.3).eval(), design(3, 8), _random_correlation(1)
    data = _vector(_drawn(theta[:1], r, 2)[0], used)
    post = Posterior(model, data, None, error, r)
    at, said = data.used.flatten(), model.predict(theta, outside="ignore")
    level, misfit = post.log_likelihood(theta), post.misfit(theta)
    for k in range(3):
        size = torch.diag(said.aleatoric[k].diagonal().sqrt())
        c = (size @ r @ size + float(error) * said.epistemic[k]).detach()[at][:, at]
        gap = (data.value.flatten() - said.mean[k].flatten().detach())[at]
        square = gap @ torch.linalg.inv(c) @ gap
        slow = -0.5 * (square + torch.linalg.slogdet(c)[1] + int(at.sum()) * np.log(2 * np.pi))
        assert float(level[k].detach()) == pytest.approx(float(slow), rel=1e-10)
        assert float(misfit[k].detach()) == pytest.approx(float(square), rel=1e-10)


def test_the_identity_is_the_likelihood_of_independent_bins():
    model, theta = Oracle(says=0.3).eval(), design(4, 8)
    data = _vector(_drawn(theta[:1], _neighbours(0.0), 2)[0])
    found, old = (Posterior(model, data, None, True, c) for c in (torch.eye(_K), None))
    assert torch.allclose(found.log_likelihood(theta), old.log_likelihood(theta), rtol=1e-12, atol=0)
    u = torch.randn(4, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    slopes = [torch.autograd.grad(p.potential(u).sum(), u)[0] for p in (found, old)]
    assert torch.allclose(*slopes, rtol=1e-10, atol=1e-10)
    assert found.noise != old.noise == "emulator"


def _examples(points: int, realisations: int, correlation: Tensor, missing: float = 0.0) -> Examples:
    """Of the stand-in, with correlated noise; rows are not in the order of their points."""
    plain = mocks(points, realisations, 3, missing)
    assert isinstance(plain.x, Tensor) and isinstance(plain.y, Tensor)
    y = _drawn(plain.x, correlation, 5)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(1))
    none = plain.y[:, :1] == -1
    y = torch.where(none, plain.y, y)
    return Examples(plain.x[order], y[order], plain.unit[order.numpy()], plain.slot[order.numpy()], "stand-in", plain.about)


def test_what_is_found_is_what_loops_find():
    """Every sum by itself, over points with bins that have no value."""
    e, model = _examples(12, 4, _neighbours(0.6), missing=0.1), Oracle().eval()
    assert isinstance(e.x, Tensor) and isinstance(e.y, Tensor)
    y = e.y.clone()
    y[:, 1:] = torch.where(y[:, :1] == -1, torch.nan, y[:, 1:])  # no pair: no orientation
    y, unit = y.flatten(1).numpy(), np.asarray(e.unit)
    products = []
    for u in np.unique(unit):
        rows = y[unit == u]
        with torch.no_grad():
            size = model.predict(e.x[torch.from_numpy(unit == u)][:1], outside="ignore").deviation("aleatoric").flatten().numpy()
        w = np.zeros((_K, _K))
        gap = np.zeros_like(rows)
        for i in range(_K):
            there = np.isfinite(rows[:, i])
            if there.sum() > 1:
                gap[there, i] = (rows[there, i] - rows[there, i].mean()) / size[i]
        for row in gap:
            w += np.outer(row, row)
        products.append(w)
    total = sum(products)
    scale = np.sqrt(np.outer(np.diag(total), np.diag(total)))
    r = total / scale
    variance = len(products) * np.var([w / scale for w in products], axis=0, ddof=1)
    off = ~np.eye(_K, dtype=bool)
    shrunk = variance[off].sum() / (r[off] ** 2).sum()
    assert 0 < shrunk < 1
    slow = (1 - shrunk) * r + shrunk * np.eye(_K)
    assert np.abs(noise_correlation(model, e).numpy() - slow).max() < 1e-10


@pytest.mark.parametrize("strength", [0.7, 0.0])
def test_a_known_correlation_is_found(strength):
    """Nearly as it is from many points; nothing from none: there the rule shrinks what chance left."""
    e, c = _examples(300, 4, _neighbours(strength)), _neighbours(strength)
    found = noise_correlation(Oracle().eval(), e)
    assert float((found - c).abs().max()) < (0.12 if strength else 0.03)
    assert torch.equal(found, found.mT) and float(torch.linalg.eigvalsh(found)[0]) > 0
    twice = noise_correlation(Oracle(noise=2.0).eval(), e)  # an emulator that is wrong by a factor says the same
    assert torch.allclose(found, twice, atol=1e-12)


def test_posteriors_of_correlated_mocks_are_as_wide_as_they_should_be():
    """All bins of a mock go up and down together: intervals of independent bins hold the truth too seldom."""
    model, r = Oracle().eval(), _neighbours(0.8)
    theta = model.region.from_cube(torch.rand(60, 7, generator=torch.Generator().manual_seed(7), dtype=torch.float64))
    y = _drawn(theta, r, 9)
    joint, apart = (
        simulation_based_calibration(model, theta, y, chains=3, warmup=60, draws=20, correlation=c) for c in (r, None)
    )  # fmt: skip
    held, alone = (float(f["covered"].sel(level=0.68).mean()) for f in (joint, apart))
    assert abs(held - 0.68) < 0.1 and alone < held - 0.08
    assert float(joint["p_value"].min()) > 1e-3


def test_a_posterior_says_what_noise_it_had():
    theta = torch.tensor([[0.5, 0.2, *_FIXED.values()]], dtype=torch.float64)
    data = _vector(_drawn(theta, _neighbours(0.5), 4)[0], ("omega", "eta"))
    found = infer(Oracle().eval(), data, NUTSConfig(draws=10, warmup=50, chains=1), fixed=_FIXED, correlation=_neighbours(0.5))
    assert found.attrs["noise"] == "emulator, bins correlated"


def test_wrong_correlations_are_named():
    model, theta = Oracle().eval(), design(2, 8)
    y = _drawn(theta[:1], _neighbours(0.0), 2)[0]
    data, tilted, loud, broken, flat = _vector(y), torch.eye(_K), 2 * torch.eye(_K), torch.eye(_K), torch.ones(_K, _K)
    tilted[0, 1] = 0.5
    broken[3, 3] = torch.nan
    cases = (
        (torch.eye(20), r"should be \[60, 60\]"), (tilted, "not symmetric"), (broken, "NaN"), (loud, "1 on its diagonal"),
        (flat, "not positive definite"),
    )  # fmt: skip
    for c, words in cases:
        with pytest.raises(OrbitscopeError, match=words):
            Posterior(model, data, correlation=c)
    with pytest.raises(OrbitscopeError, match="data bring a covariance"):
        Posterior(model, _vector(y, ("omega",), covariance=np.eye(20)), correlation=torch.eye(_K))
    with pytest.raises(OrbitscopeError, match="covariance of its own"):
        Posterior(AlignmentEmulator(mocks(20, 4), width=8, rank=2).eval(), data, correlation=torch.eye(_K))
    with pytest.raises(OrbitscopeError, match="0 parameter points have more than one realisation"):
        noise_correlation(model, mocks(20, 1))
    with pytest.raises(OrbitscopeError, match="training mode"):
        noise_correlation(Oracle().train(), mocks(20, 4))
