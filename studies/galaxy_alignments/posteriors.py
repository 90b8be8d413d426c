"""The study's posteriors: chains beside direct simulation, and ranks of many mocks."""

import time
import warnings
from typing import Any

import numpy as np
import torch
from harness import Folder
from measure import NAMES, emulator, halos_of, simulated, trained
from mocks import Rows
from torch import Tensor

from orbitscope.data import Examples
from orbitscope.systems.galaxies import (
    PARAMETERS,
    CorrelationEmulator,
    NUTSConfig,
    Posterior,
    data_vector,
    noise_correlation,
    populate,
    simulation_based_calibration,
    stretch_walkers,
    values_and_known,
)
from orbitscope.systems.galaxies import infer as posterior

MUS = PARAMETERS[:2]
SIDE = 7  # of the grid of alignments that is simulated
PER_POINT = 6  # mocks at each point of it, and ten times as many for the covariance
OUT = "posterior.nc"
SHOWN = 300  # draws in the corner plot
SIDE_SHOWN, THICK = 125.0, 20.0  # of the slice, Mpc/h


def middle_point(test: Examples, region: Any) -> int:
    """The parameter point of the test part that lies nearest to the middle of the region, by its row."""
    assert isinstance(test.x, Tensor)
    return int(region.features(test.x).square().sum(1).argmin())


def infer(place: Folder, model: str, seed: int) -> Rows:
    """All seven parameters from one mock, and the two alignments beside direct simulation."""
    run = trained(place, "alignment_emulator", seed)
    net, test = emulator(run), run.examples["test"]
    row = middle_point(test, net.region)
    assert isinstance(test.x, Tensor)
    truth, (value, known) = test.x[row].double(), values_and_known(test.y)
    y = torch.where(known[row], value[row], torch.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bins without pairs are left out
        data = data_vector({n: y[k].numpy() for k, n in enumerate(NAMES)}, net.bins)
    s = place.settings
    config = NUTSConfig(draws=s.draws, warmup=max(50, s.draws // 2), chains=s.chains, seed=seed)
    found = posterior(net, data, config, out=place.out / OUT, force=True)
    rows = []
    for k, name in enumerate(found["parameter"].values):
        low, middle, high = np.quantile(found["sample"].values[..., k], [0.16, 0.5, 0.84])
        rows.append({
            "parameter": str(name), "truth": float(truth[PARAMETERS.index(str(name))]), "low": low, "median": middle, "high": high,
            "r_hat": float(found["r_hat"][k]), "ess": float(found["ess"][k]),
        })  # fmt: skip
    a = found.attrs
    chains = {
        "seconds": a["seconds"], "ess_per_second": a["ess_per_second"], "chi2": a["chi2"], "bins": a["bins"], "p_value": a["p_value"],
        "divergent": int(found["divergent"].sum()), "gradients": int(found["gradients"].sum()), "ess": float(found["ess"].min()),
    }  # fmt: skip
    walked = _walked(net, data, min(s.steps, 600))
    names = [str(n) for n in found["parameter"].values]
    draws = found["sample"].values.reshape(-1, len(names))
    sample = [dict(zip(names, map(float, row), strict=True)) for row in draws[:: max(1, len(draws) // SHOWN)]]
    return {
        "posterior": rows, "chains": [chains | walked], "direct": _direct(place, net, truth, y), "sample": sample,
        "slice": _slice(place, truth.numpy()),
    }  # fmt: skip


def _slice(place: Folder, theta: np.ndarray) -> list[dict[str, Any]]:
    """Galaxies of one mock in a thin slice of a part of the box: places and long axes in its plane."""
    mock = populate(halos_of(place), theta, 3)
    side = min(mock.box, SIDE_SHOWN)
    near = (np.abs(mock.positions[:, 2] - mock.box / 2) < THICK / 2) & (mock.positions[:, :2] < side).all(1)
    return [
        {"x": p[0], "y": p[1], "along_x": e[0], "along_y": e[1], "central": int(c)}
        for p, e, c in zip(mock.positions[near], mock.axes[near], mock.central[near], strict=True)
    ]


def _walked(net: CorrelationEmulator, data: Any, steps: int) -> dict[str, Any]:
    """Evaluations of the likelihood for an effective draw, of walkers that need no gradient: what a direct method would need."""
    from pyro.ops.stats import effective_sample_size

    target, walkers = Posterior(net, data), 32
    g = torch.Generator().manual_seed(0)
    start = torch.logit(torch.rand(1, 20 * walkers, len(target.names), generator=g, dtype=torch.float64).clamp(0.01, 0.99))
    with torch.no_grad():
        best = target.potential(start[0]).argsort()[:walkers]
    path, _ = stretch_walkers(target.potential, start[:, best], steps, 0)
    kept = path[steps // 3 :, 0].transpose(0, 1)  # [walker, step, k]
    effective = float(effective_sample_size(kept, chain_dim=0, sample_dim=1).min())
    return {"evaluations_per_draw": kept.shape[0] * kept.shape[1] / max(effective, 1e-9)}


def _direct(place: Folder, net: CorrelationEmulator, truth: Tensor, y: Tensor) -> list[dict[str, Any]]:
    """The two alignments with the occupation held at its true values: omega and eta of mocks on a grid, and the emulator, in one
    likelihood with the variances of mocks at the truth."""
    halos, began = halos_of(place), time.process_time()
    rows = np.array([simulated(halos, truth.numpy(), 77, k) for k in range(10 * PER_POINT)])
    noise = np.nanvar(rows, 0, ddof=1)[1:]
    axis = np.linspace(-1, 1, SIDE)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    means = []
    for n, mu in enumerate(grid):
        theta = np.array([*np.clip(mu, -0.999, 0.999), *truth.numpy()[2:]])
        means.append(np.nanmean([simulated(halos, theta, 78, n * PER_POINT + k)[1:] for k in range(PER_POINT)], 0))
    mocks, seconds = len(grid) * PER_POINT + len(rows), time.process_time() - began
    basis = lambda m: np.stack([m[:, 0] ** i * m[:, 1] ** j for i in range(5) for j in range(5 - i)], -1)  # noqa: E731
    used = np.isfinite(y[1:].numpy()) & np.isfinite(noise) & (noise > 0) & np.isfinite(np.array(means)).all(0)
    weights = np.linalg.lstsq(basis(grid), np.array(means)[:, used], rcond=None)[0]
    fine = np.linspace(-1, 1, 101)
    points = np.stack(np.meshgrid(fine, fine, indexing="ij"), -1).reshape(-1, 2)
    with torch.no_grad():
        said = net.moments(torch.cat([torch.from_numpy(points), truth[2:].expand(len(points), -1)], 1))[0].mean(1)
    found = []
    answers = said.reshape(len(points), 3, -1)[:, 1:].numpy()[:, used]
    for what, mean in (("mocks on a grid", basis(points) @ weights), ("emulator", answers)):
        level = -0.5 * ((y[1:].numpy()[used] - mean) ** 2 / noise[used]).sum(-1)
        w = np.exp(level - level.max())
        w /= w.sum()
        middle = w @ points
        spread = np.sqrt(w @ (points - middle) ** 2)
        for k, name in enumerate(MUS):
            found.append({
                "method": what, "parameter": name, "truth": float(truth[k]), "mean": middle[k], "deviation": spread[k],
                "mocks": mocks if what != "emulator" else 0, "seconds": seconds if what != "emulator" else 0.0,
            })  # fmt: skip
    return found


def ranks(place: Folder, model: str, seed: int) -> Rows:
    """Ranks of the truth in posteriors of mocks of the simulator, and of the emulator's own, which test the sampler alone."""
    return {"ranks": _ranked(place, model, seed, together=False)}


def correlated(place: Folder, model: str, seed: int) -> Rows:
    """The same mocks with the correlation of the noise of bins in the likelihood, found on the mocks of the training alone."""
    return {"correlated": _ranked(place, model, seed, together=True)}


def _ranked(place: Folder, model: str, seed: int, together: bool) -> list[dict[str, Any]]:
    run = trained(place, model, seed)
    net, test = emulator(run), run.examples["test"]
    assert isinstance(test.x, Tensor)
    value, known = values_and_known(test.y)
    _, first = np.unique(test.unit, return_index=True)
    chosen = torch.from_numpy(first[np.linspace(0, len(first) - 1, min(place.settings.mocks, len(first))).round().astype(int)])
    used = known[chosen].all(0)  # bins that every one of these mocks has
    theta, y = test.x[chosen].double(), value[chosen].double()
    own = net.region.from_cube(torch.rand(len(chosen), 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    with torch.no_grad():
        mean, variance, factor = net.moments(own)
    g = torch.Generator().manual_seed(seed + 1)
    member = torch.randint(mean.shape[1], (len(own),), generator=g)
    at = torch.arange(len(own))
    z = torch.randn(len(own), mean.shape[-1], generator=g, dtype=torch.float64)
    correlation = noise_correlation(net, run.examples["train"]) if together else None
    if correlation is not None:
        z = z @ torch.linalg.cholesky(correlation).mT
    more = torch.einsum("bf,bfk->bk", torch.randn(len(own), factor.shape[2], generator=g, dtype=torch.float64), factor[at, member])
    drawn = (mean[at, member] + variance[at, member].sqrt() * z + more).reshape(y.shape)
    rows = []
    for what, t, d in (("simulator", theta, y), ("emulator", own, drawn)):
        half = place.settings.steps // 2
        found = simulation_based_calibration(net, t, d, burn=half, steps=half, used=used, seed=seed, correlation=correlation)
        for k, name in enumerate(found["parameter"].values):
            rows.append({
                "mocks_of": what, "parameter": str(name), "p_value": float(found["p_value"][k]), "mocks": len(t), "bins": int(used.sum()),
                "covered68": float(found["covered"][0, k]), "covered95": float(found["covered"][1, k]),
                "ranks": " ".join(str(int(c)) for c in np.histogram(found["rank"][:, k], np.linspace(0, 40, 11))[0]),
            })  # fmt: skip
    return rows
