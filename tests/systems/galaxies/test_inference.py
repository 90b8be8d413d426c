"""Inference: chains against a dense grid, ranks that are uniform, what goes wrong, and a run that was stopped."""

import json

import numpy as np
import pytest
import torch
from torch import Tensor

from orbitscope import OrbitscopeError
from orbitscope.systems.galaxies import (
    DataVector,
    NUTSConfig,
    Posterior,
    corner_figure,
    data_vector,
    fit_figure,
    hamiltonian_chains,
    infer,
    read_vector,
    run_nuts,
    say,
    simulation_based_calibration,
    stretch_walkers,
)

from .standin import EDGES, Oracle, design, truth

_SHORT = NUTSConfig(draws=60, warmup=50, chains=2, seed=1)
_FIXED = {"logMmin": 12.6, "sigma_logM": 0.4, "logM0": 12.3, "logM1": 13.5, "alpha": 1.0}


@pytest.fixture(scope="module")
def model() -> Oracle:
    return Oracle(says=0.3).eval()


def _truth(mu: tuple[float, float] = (0.5, 0.2)) -> Tensor:
    return torch.tensor([[*mu, *_FIXED.values()]], dtype=torch.float64)


def _measured(theta: Tensor, seed: int = 4, size: float = 1.0) -> Tensor:
    mean, noise = truth(theta)
    g = torch.Generator().manual_seed(seed)
    return (mean + size * noise * torch.randn(mean.shape, generator=g, dtype=torch.float64))[0]


def _vector(y: Tensor, used: tuple[str, ...] = ("xi", "omega", "eta"), **more) -> DataVector:
    return data_vector({n: y[k].numpy() for k, n in enumerate(("xi", "omega", "eta")) if n in used}, 20, **more)


def test_likelihood_is_torchs_with_own_noise_and_with_a_covariance(model):
    y, theta = _measured(_truth()), design(3, 8)
    g = torch.Generator().manual_seed(2)
    root = 0.02 * torch.randn(20, 30, generator=g, dtype=torch.float64)
    for data, extra in ((_vector(y), None), (_vector(y, ("omega",), covariance=(root @ root.mT).numpy()), root @ root.mT)):
        at = data.used.flatten()
        for error in (True, False):
            found = Posterior(model, data, None, error).log_likelihood(theta)
            said = model.predict(theta, outside="ignore")
            for k in range(3):
                c = extra if extra is not None else said.aleatoric[k][at][:, at]
                c = c + said.epistemic[k][at][:, at] * float(error)
                law = torch.distributions.MultivariateNormal(said.mean[k].flatten()[at], c)
                assert float((found[k] - law.log_prob(y.flatten()[at])).detach()) == pytest.approx(0, abs=1e-6)


def test_chains_agree_with_a_dense_grid(model):
    """Two free parameters: means, deviations and correlation of the draws are those of 120 x 120 points."""
    data = _vector(_measured(_truth()))
    found = infer(model, data, NUTSConfig(draws=120, warmup=80, chains=2, seed=3), fixed=_FIXED)
    post = Posterior(model, data, _FIXED)
    assert post.names == ("mu_cen", "mu_sat")
    low, high = (b[:2].numpy() for b in post.model.region.bounds(torch.tensor(12.6, dtype=torch.float64)))
    middle, spread = found["sample"].values.reshape(-1, 2).mean(0), found["sample"].values.reshape(-1, 2).std(0)
    axes = [np.linspace(max(a, m - 5 * s), min(b, m + 5 * s), 120) for a, b, m, s in zip(low, high, middle, spread, strict=True)]
    mean, deviation = _grid(post, axes)
    assert np.abs((middle - mean) / deviation).max() < 0.25
    assert np.abs(spread / deviation - 1).max() < 0.2
    assert float(found["r_hat"].max()) < 1.1 and float(found["ess"].min()) > 60
    assert found.attrs["p_value"] > 0.01 and json.loads(found.attrs["fixed"]) == _FIXED
    assert len(say(found)) == 4 and "such parameters give such data" in say(found)[-1]


def _grid(post: Posterior, axes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of two free parameters, from the likelihood at all points of a grid."""
    grid = torch.from_numpy(np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2))
    with torch.no_grad():
        level = post.log_likelihood(torch.cat([grid, _truth()[:, 2:].expand(len(grid), -1)], 1)).numpy()
    w = np.exp(level - level.max())
    w /= w.sum()
    mean = w @ grid.numpy()
    return mean, np.sqrt(w @ (grid.numpy() - mean) ** 2)


def test_error_of_the_emulator_widens_a_posterior():
    data, axes = _vector(_measured(_truth()), ("omega", "eta")), [np.linspace(-1, 1, 60)] * 2
    wide, narrow = (_grid(Posterior(Oracle(says=2.0).eval(), data, _FIXED, e), axes)[1][0] for e in (True, False))
    assert wide > 1.1 * narrow


def test_seven_parameters_stay_in_the_region(model):
    data = _vector(_measured(design(1, 30)))
    post = Posterior(model, data)
    u = 8 * torch.randn(300, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert bool(model.region.contains(post.theta(u)).all())
    value = torch.zeros(1, 7, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(post.potential(value).sum(), value)
    for j, e in enumerate(torch.eye(7, dtype=torch.float64)):
        with torch.no_grad():
            gap = (post.potential(value + 1e-5 * e) - post.potential(value - 1e-5 * e)) / 2e-5
        assert float(gap[0]) == pytest.approx(float(slope[0, j]), rel=1e-4, abs=1e-3)


def test_a_fixed_pivot_is_held(model):
    post = Posterior(model, _vector(_measured(_truth())), {"logMmin": 12.6})
    theta = post.theta(torch.randn(5, 6, dtype=torch.float64))
    assert torch.allclose(theta[:, 2], torch.tensor(12.6, dtype=torch.float64)) and len(post.names) == 6


_SHAPE = torch.tensor([[1.0, 0.6], [0.6, 2.0]], dtype=torch.float64)


def _gaussian(u: Tensor) -> Tensor:
    return 0.5 * ((u @ torch.linalg.inv(_SHAPE)) * u).sum(-1)


def test_walkers_and_chains_find_the_same_gaussian():
    g = torch.Generator().manual_seed(0)
    path, accepted = stretch_walkers(_gaussian, torch.randn(3, 16, 2, generator=g, dtype=torch.float64), 700, 0, keep=2)
    draws = path[50:].transpose(0, 1).flatten(1, 2)
    for one in draws:
        assert torch.allclose(torch.cov(one.T), _SHAPE, atol=0.4)
    assert bool((accepted > 0.3).all())
    chains = run_nuts(_gaussian, 2, NUTSConfig(draws=300, warmup=60, chains=1))
    assert np.allclose(np.cov(chains.u.reshape(-1, 2).T), _SHAPE, atol=0.5)
    with pytest.raises(OrbitscopeError, match="at least 4 walkers"):
        stretch_walkers(_gaussian, torch.zeros(1, 2, 2, dtype=torch.float64), 1, 0)


def test_hamiltonian_chains_of_several_posteriors():
    """Each has a place and width of its own, one ends where its density is half of the largest, and the first guess of the shape is wrong
    by a factor: moments to what some hundred independent draws allow."""
    width = torch.tensor([1.0, 0.05, 1.0], dtype=torch.float64)

    def potential(u: Tensor, of: Tensor) -> Tensor:
        x = (u - of[:, None]) / width[of][:, None]
        lost = torch.where((of == 2) & (x[:, 0] < 0), torch.full_like(x[:, 0], torch.inf), torch.zeros_like(x[:, 0]))
        return _gaussian(x) + lost

    g = torch.Generator().manual_seed(0)
    start = torch.arange(3.0, dtype=torch.float64)[:, None, None] + 0.05 * torch.rand(3, 6, 2, generator=g, dtype=torch.float64)
    guess = 0.3 * torch.eye(2, dtype=torch.float64).expand(3, -1, -1)
    found = hamiltonian_chains(potential, start, guess, 300, 80, 0)
    assert found.u.shape == (3, 6, 300, 2) and bool(((found.accepted > 0.6) & (found.accepted < 0.97)).all())
    draws = found.u.flatten(1, 2)
    for k in range(2):
        assert torch.allclose((draws[k].mean(0) - k) / width[k], torch.zeros(2, dtype=torch.float64), atol=0.25)
        assert torch.allclose(torch.cov(draws[k].T) / width[k] ** 2, _SHAPE, atol=0.4)
    half = draws[2, :, 0] - 2
    assert bool((half >= 0).all()) and float(half.mean()) == pytest.approx((2 / np.pi) ** 0.5, abs=0.15)
    short = hamiltonian_chains(potential, start, guess, 20, 80, 0)  # the same moves, fewer of them
    assert torch.equal(found.u[:, :, :20], short.u)
    for scale, warmup, words in ((guess[0], 20, r"`scale` should be \[3, 2, 2\]"), (guess, 2, "`warmup` should be at least 20")):
        with pytest.raises(OrbitscopeError, match=words):
            hamiltonian_chains(potential, start, scale, 10, warmup, 0)


@pytest.mark.parametrize(("noise", "good"), [(1.0, True), (0.4, False)])
def test_ranks_are_uniform_if_and_only_if_the_noise_is_right(noise, good):
    """Mocks of the truth, 60 of them; the posterior of an emulator that claims too little noise is too narrow."""
    model = Oracle(noise=noise).eval()
    u = torch.rand(60, 7, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    theta = model.region.from_cube(u)
    y = torch.stack([_measured(t[None], seed=k) for k, t in enumerate(theta)])
    found = simulation_based_calibration(model, theta, y, chains=3, warmup=60, draws=20)
    assert found["r_hat"].shape == found["ess"].shape == (60, 7)
    with pytest.raises(OrbitscopeError, match="too few to rank a truth among 19"):
        simulation_based_calibration(model, theta, y, chains=2, draws=5)
    covered = float(found["covered"].sel(level=0.68).mean())
    if good:
        assert float(found["p_value"].min()) > 1e-3 and abs(covered - 0.68) < 0.1
    else:
        assert covered < 0.5


def test_a_run_that_was_stopped_ends_with_the_same_draws(model, tmp_path):
    data = _vector(_measured(_truth()), ("omega",))
    whole = infer(model, data, _SHORT, fixed=_FIXED, out=tmp_path / "whole.nc")

    def stop(stage: str, done: float, total: float) -> None:
        if stage.startswith("chain 2") and done > 105:
            raise KeyboardInterrupt

    out = tmp_path / "parts.nc"
    with pytest.raises(KeyboardInterrupt):
        infer(model, data, _SHORT, fixed=_FIXED, out=out, progress=stop)
    assert not out.exists() and (tmp_path / "parts.nc.draws" / "chain-1.npz").exists()
    with pytest.raises(OrbitscopeError, match="holds draws of other data"):
        infer(model, data, NUTSConfig(draws=80, warmup=50, chains=2), fixed=_FIXED, out=out)
    found = infer(model, data, _SHORT, fixed=_FIXED, out=out)
    for name in ("sample", "potential", "acceptance", "divergent"):
        assert np.array_equal(found[name].values, whole[name].values)
    assert out.exists() and not (tmp_path / "parts.nc.draws").exists()
    with pytest.raises(OrbitscopeError, match="exists"):
        infer(model, data, _SHORT, fixed=_FIXED, out=out)
    for figure in (corner_figure(found, {"mu_cen": 0.5}), fit_figure(found)):
        figure.savefig(tmp_path / "picture.png")


def test_data_of_no_such_model_are_told_apart(model):
    y = _measured(_truth())
    y[1] = y[1] + 0.1 * torch.cos(3 * torch.arange(20.0, dtype=torch.float64))
    found = infer(model, _vector(y), NUTSConfig(draws=20, warmup=50, chains=1), fixed=_FIXED)
    assert found.attrs["p_value"] < 1e-6 and "no parameters of this model" in say(found)[-1]


def test_wrong_data_are_named(model, tmp_path):
    y = _measured(_truth()).numpy()
    with pytest.raises(OrbitscopeError, match=r"omega should have the 20 bins of the emulator, got \[14\]"):
        data_vector({"omega": y[1, :14]}, 20)
    broken = y[1].copy()
    broken[[3, 7]] = np.nan
    with pytest.warns(UserWarning, match="2 bins without a value are left out: omega 3, omega 7"):
        data = data_vector({"omega": broken}, 20, np.diag(np.arange(1.0, 21)))
    assert data.covariance is not None and data.covariance.diagonal().tolist() == [k + 1 for k in range(20) if k not in (3, 7)]
    singular = np.ones((20, 20))
    with pytest.raises(OrbitscopeError, match="not positive definite"):
        data_vector({"omega": y[1]}, 20, singular)
    tilted = np.eye(20)
    tilted[0, 1] = 0.5
    for covariance, words in ((tilted, "not symmetric"), (np.eye(7), r"should be \[20, 20\]"), (np.full((20, 20), np.nan), "NaN")):
        with pytest.raises(OrbitscopeError, match=words):
            data_vector({"omega": y[1]}, 20, covariance)
    with pytest.raises(OrbitscopeError, match="are not those of the emulator"):
        data_vector({"xi": y[0]}, 20, edges=2 * EDGES.numpy(), expected=EDGES.tolist())
    with pytest.raises(OrbitscopeError, match="no statistic 'wp'"):
        data_vector({"wp": y[0]}, 20)
    with pytest.raises(OrbitscopeError, match="no bin has a value"):
        data_vector({}, 20)
    with pytest.raises(OrbitscopeError, match="logM1 = 3 lies outside"):
        Posterior(model, _vector(torch.from_numpy(y)), {"logM1": 3.0})
    with pytest.raises(OrbitscopeError, match="nothing is left to infer"):
        Posterior(model, _vector(torch.from_numpy(y)), {**_FIXED, "mu_cen": 0.0, "mu_sat": 0.0})
    with pytest.raises(OrbitscopeError, match="`warmup` should be at least 50"):
        NUTSConfig(warmup=3)
    np.savez(tmp_path / "data.npz", y=y, edges=EDGES.numpy())
    assert torch.equal(read_vector(tmp_path / "data.npz", 20, EDGES.tolist()).value, torch.from_numpy(y))
    np.savez(tmp_path / "other.npz", flux=y)
    (tmp_path / "text.npz").write_text("no archive")
    for name, words in (
        ("other.npz", "'flux', which has no meaning"),
        ("text.npz", "no archive of numbers"),
        ("none.npz", "there is no file"),
    ):
        with pytest.raises(OrbitscopeError, match=words):
            read_vector(tmp_path / name, 20)
