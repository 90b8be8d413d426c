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
    DataVector,
    NUTSConfig,
    Posterior,
    alignment_amplitude,
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
PER_POINT = 6  # mocks at each point of it
NOISE = 400  # mocks at the truth, for the covariance
RANKS = 19  # draws that a truth is ranked among
FINE = 101  # points a side at which a likelihood on two parameters is taken
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
    together = noise_correlation(net, run.examples["train"])
    config = NUTSConfig(draws=s.draws, warmup=max(50, s.draws // 2), chains=s.chains, seed=seed)
    (place.out / OUT).unlink(missing_ok=True)  # of a start that was killed before its case was written; draws stay, and are gone on with
    found = posterior(net, data, config, correlation=together, out=place.out / OUT)
    rows = []
    for k, name in enumerate(found["parameter"].values):
        low, middle, high = np.quantile(found["sample"].values[..., k], [0.16, 0.5, 0.84])
        rows.append({
            "parameter": str(name), "truth": float(truth[PARAMETERS.index(str(name))]), "low": low, "median": middle, "high": high,
            "r_hat": float(found["r_hat"][k]), "ess": float(found["ess"][k]),
        })  # fmt: skip
    a = found.attrs
    chains = {
        "r_hat": float(found["r_hat"].max()), "noise": a["noise"],
        "seconds": a["seconds"], "ess_per_second": a["ess_per_second"], "chi2": a["chi2"], "bins": a["bins"], "p_value": a["p_value"],
        "divergent": int(found["divergent"].sum()), "gradients": int(found["gradients"].sum()), "ess": float(found["ess"].min()),
    }  # fmt: skip
    walked = _walked(Posterior(net, data, correlation=together), s.steps)
    names = [str(n) for n in found["parameter"].values]
    draws = found["sample"].values.reshape(-1, len(names))
    sample = [dict(zip(names, map(float, row), strict=True)) for row in draws[:: max(1, len(draws) // SHOWN)]]
    return {
        "posterior": rows, "chains": [chains | walked], "direct": _direct(place, net, truth, y, together), "sample": sample,
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


def _walked(target: Posterior, steps: int) -> dict[str, Any]:
    """Evaluations of the likelihood for an effective draw, of walkers that need no gradient: what a direct method would need."""
    from pyro.ops.stats import effective_sample_size

    walkers = 32
    g = torch.Generator().manual_seed(0)
    start = torch.logit(torch.rand(1, 20 * walkers, len(target.names), generator=g, dtype=torch.float64).clamp(0.01, 0.99))
    with torch.no_grad():
        best = target.potential(start[0]).argsort()[:walkers]
    path, _ = stretch_walkers(target.potential, start[:, best], steps, 0)
    kept = path[steps // 3 :, 0].transpose(0, 1)  # [walker, step, k]
    effective = float(effective_sample_size(kept, chain_dim=0, sample_dim=1).min())
    return {"evaluations_per_draw": kept.shape[0] * kept.shape[1] / max(effective, 1e-9)}


def _direct(place: Folder, net: CorrelationEmulator, truth: Tensor, y: Tensor, together: Tensor) -> list[dict[str, Any]]:
    """The two alignments with the occupation held at its true values, from omega and eta: mocks on a grid and the emulator in one
    likelihood, with the variances and with the covariance of mocks at the truth; and the emulator with its own noise, as `infer` has it."""
    halos, began = halos_of(place), time.process_time()
    rows = np.array([simulated(halos, truth.numpy(), 77, k)[1:] for k in range(NOISE)])
    axis = np.linspace(-1, 1, SIDE)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    means = []
    for n, mu in enumerate(grid):
        theta = np.array([*np.clip(mu, -0.999, 0.999), *truth.numpy()[2:]])
        means.append(np.nanmean([simulated(halos, theta, 78, n * PER_POINT + k)[1:] for k in range(PER_POINT)], 0))
    mocks, seconds = len(grid) * PER_POINT + len(rows), time.process_time() - began
    points = np.stack(np.meshgrid(*[np.linspace(-1, 1, FINE)] * 2, indexing="ij"), -1).reshape(-1, 2)
    simulator = _by_amplitudes(np.clip(grid, -0.999, 0.999), np.array(means), points)
    theta = torch.cat([torch.from_numpy(points), truth[2:].expand(len(points), -1)], 1)
    with torch.no_grad():
        said = net.moments(theta)[0].mean(1).reshape(len(points), 3, -1)[:, 1:].numpy()
    measured = y[1:].numpy()
    used = np.isfinite(measured) & np.isfinite(rows).all(0) & np.isfinite(simulator).all(0) & (rows.std(0) > 0)
    whole = np.cov(rows[:, used], rowvar=False) * (NOISE - 1) / (NOISE - used.sum() - 2)  # its inverse is unbiased (Hartlap et al. 2007)
    found = []
    for noise, covariance in (("apart", np.diag(rows[:, used].var(0, ddof=1))), ("together", whole)):
        inverse = np.linalg.inv(covariance)
        for what, mean in (("mocks on a grid", simulator), ("emulator, noise of these mocks", said)):
            gap = measured[used] - mean[:, used]
            found += _two(what, noise, points, -0.5 * np.einsum("ni,ij,nj->n", gap, inverse, gap), truth)
        own = DataVector(torch.nan_to_num(y), torch.from_numpy(np.concatenate([np.zeros_like(used[:1]), used])))
        held = dict(zip(PARAMETERS[2:], truth[2:].tolist(), strict=True))
        target = Posterior(net, own, held, correlation=together if noise == "together" else None)
        with torch.no_grad():
            found += _two("emulator, its own noise", noise, points, target.log_likelihood(theta).numpy(), truth)
    nothing = {"mocks": 0, "seconds": 0.0, "bins": int(used.sum())}
    return [row | nothing | ({"mocks": mocks, "seconds": seconds} if row["method"] == "mocks on a grid" else {}) for row in found]


def _by_amplitudes(grid: np.ndarray, means: np.ndarray, points: np.ndarray) -> np.ndarray:
    """omega and eta [N, 2, R] at `points` from their `means` [G, 2, R] at those of the grid: with places held they are exactly linear and
    quadratic in the two amplitudes, so that least squares is all that there is between the points."""
    amplitude = np.vectorize(alignment_amplitude)

    def bases(mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        c, s = amplitude(mu).T
        return np.stack([c, s], -1), np.stack([c * c, c * s, s * s], -1)

    solved = [np.linalg.lstsq(b, np.nan_to_num(means[:, k]), rcond=None)[0] for k, b in enumerate(bases(grid))]
    found = np.stack([b @ w for b, w in zip(bases(points), solved, strict=True)], 1)
    return np.where(np.isfinite(means).all(0), found, np.nan)


def _two(method: str, noise: str, points: np.ndarray, level: np.ndarray, truth: Tensor) -> list[dict[str, Any]]:
    """Means and deviations of the two alignments from their likelihood at the points of a grid."""
    w = np.exp(level - level.max())
    w /= w.sum()
    middle = w @ points
    spread = np.sqrt(w @ (points - middle) ** 2)
    return [
        {"method": method, "noise": noise, "parameter": name, "truth": float(truth[k]), "mean": middle[k], "deviation": spread[k]}
        for k, name in enumerate(MUS)
    ]


def ranks(place: Folder, model: str, seed: int) -> Rows:
    """Ranks of the truth in posteriors of mocks of the simulator, with bins taken as independent."""
    return _ranked(place, model, seed, together=False)


def correlated(place: Folder, model: str, seed: int) -> Rows:
    """The same mocks with the correlation of the noise of bins in the likelihood, found on the mocks of the training alone, and mocks that
    are drawn from this likelihood, which test the sampler."""
    return _ranked(place, model, seed, together=True)


def _ranked(place: Folder, model: str, seed: int, together: bool) -> Rows:
    run = trained(place, model, seed)
    net, test = emulator(run), run.examples["test"]
    assert isinstance(test.x, Tensor)
    value, known = values_and_known(test.y)
    last = np.flatnonzero(np.append(np.diff(test.unit) != 0, True))  # the last mock of each point: the first ones were looked at before
    chosen = torch.from_numpy(last[np.linspace(0, len(last) - 1, min(place.settings.mocks, len(last))).round().astype(int)])
    used = known[chosen].all(0)  # bins that every one of these mocks has
    correlation = noise_correlation(net, run.examples["train"]) if together else None
    own = net.region.from_cube(torch.rand(len(chosen), 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    drawn = drawn_from_likelihood(net, own, seed + 1, correlation)
    name, rows, chains = "correlated" if together else "ranks", [], []
    sets = [("simulator", test.x[chosen].double(), value[chosen].double()), ("emulator", own, drawn)]
    for what, t, d in sets if together else sets[:1]:  # one control of the sampler is enough
        s = place.settings
        found = simulation_based_calibration(
            net, t, d, chains=s.rank_chains, warmup=s.rank_warmup, draws=s.rank_draws, ranks=RANKS, used=used, seed=seed,
            correlation=correlation,
        )  # fmt: skip
        for k, parameter in enumerate(found["parameter"].values):
            rows.append({
                "mocks_of": what, "parameter": str(parameter), "p_value": float(found["p_value"][k]), "mocks": len(t),
                "bins": int(used.sum()), "covered68": float(found["covered"][0, k]), "covered95": float(found["covered"][1, k]),
                "ranks": " ".join(str(int(c)) for c in np.histogram(found["rank"][:, k], np.linspace(0, RANKS + 1, 11))[0]),
            })  # fmt: skip
        ess, r_hat = found["ess"].values.min(1), found["r_hat"].values.max(1)  # of the worst parameter of each mock
        chains.append({
            "noise": "together" if together else "apart", "mocks_of": what, "ess_least": ess.min(), "ess_tenth": np.quantile(ess, 0.1),
            "ess_median": np.median(ess), "r_hat_median": np.median(r_hat), "r_hat_most": r_hat.max(), "unmixed": int((r_hat > 1.05).sum()),
        })  # fmt: skip
    return {name: rows, "rank_chains": chains}


def drawn_from_likelihood(net: CorrelationEmulator, theta: Tensor, seed: int, correlation: Tensor | None) -> Tensor:
    """One data vector for each row of `theta`, [D, 3, R], by the very law that `Posterior` takes for it."""
    bins = len(net.links), net.bins
    target = Posterior(net, DataVector(torch.zeros(bins, dtype=torch.float64), torch.ones(bins, dtype=torch.bool)), correlation=correlation)
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        mean, variance, factor = target.expected(theta)
    z = torch.randn(mean.shape, generator=g, dtype=mean.dtype)
    z = z if correlation is None else z @ torch.linalg.cholesky(correlation).mT
    more = (torch.randn(*factor.shape[:2], 1, generator=g, dtype=mean.dtype) * factor).sum(1)
    return (mean + variance.sqrt() * z + more).reshape(-1, *bins)
