"""What the study measures of emulators, beside the simulator that they stand for."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import Folder
from mocks import Rows, data_file
from torch import Tensor

from orbitscope.data import Examples, load_examples, save_examples
from orbitscope.probe import coherence_blocks
from orbitscope.systems import SystemRun, train_system
from orbitscope.systems.galaxies import (
    SYSTEM,
    CorrelationEmulator,
    HaloConfig,
    alignment_statistics,
    calibration,
    conformal,
    expected_galaxies,
    flips,
    make_halos,
    points_of,
    populate,
    published_moments,
    xi_examples,
)
from orbitscope.training import FitConfig

_MANY = 30_000
DRAWS = 20  # of the dropout of the published network
NAMES = ("xi", "omega", "eta")


def draws_of(model: str) -> int:
    return DRAWS if model == "iaemu" else 0


def trained(place: Folder, model: str, seed: int) -> SystemRun:
    """The run of a model and a seed, gone on with where it stopped."""
    s = place.settings
    defaults = dict(SYSTEM.model(model).defaults)
    epochs = s.published_epochs if model == "iaemu" else s.epochs
    config = FitConfig(**{**defaults, "epochs": epochs})
    return train_system(data_file(place), model, place.out / "runs" / f"{model}-{seed}", config, seeds=(seed,), progress=None)[0]


def emulator(run: SystemRun) -> CorrelationEmulator:
    assert isinstance(run.model, CorrelationEmulator)
    return run.model


def halos_of(place: Folder) -> Any:
    s = place.settings
    return make_halos(0, HaloConfig(box=s.box, grid=s.grid, lightest=s.lightest))


def simulated(halos: Any, theta: np.ndarray, seed: int, index: int) -> np.ndarray:
    """xi, omega, eta of one mock, [3, R], with NaN where there is no pair."""
    mock = populate(halos, theta, seed, index=index)
    return alignment_statistics(mock.positions, mock.axes, mock.box)


def beyond_file(place: Folder) -> Path:
    return place.out / "beyond.nc"


def beyond(place: Folder, model: str, seed: int) -> Rows:
    """Points outside the region: one occupation number of a point of the training moved out of its band by a quarter to a half of its
    width; mocks of very many galaxies, which take minutes to count, are left out."""
    rng = np.random.default_rng(7)
    found = load_examples(data_file(place))
    region = SYSTEM.model("alignment_emulator").make(found, width=2, depth=0, members=1).region
    assert isinstance(found.x, Tensor)
    points = torch.unique(found.x, dim=0)
    halos, rows, values = halos_of(place), [], []
    many = place.settings.realisations
    for index in range(place.settings.beyond):
        while True:
            theta = points[int(rng.integers(len(points)))].clone()
            j = int(rng.choice([4, 5, 6]))
            low, high = (b[j] for b in region.bounds(theta[2]))
            step = float(rng.uniform(0.25, 0.5)) * (high - low)
            theta[j] = high + step if rng.uniform() < 0.5 else low - step
            if theta[6] > 0.05 and 500 < expected_galaxies(halos, theta.numpy()) < _MANY:
                break
        for r in range(many):
            rows.append(theta.numpy())
            values.append(simulated(halos, theta.numpy(), 1000, index * many + r))
    y = torch.from_numpy(np.array(values))
    known = torch.isfinite(y)
    unit = np.repeat(np.arange(place.settings.beyond), many)
    about = {"edges": found.about["edges"]}
    made = Examples(
        torch.from_numpy(np.array(rows)),
        (torch.nan_to_num(y), known),
        unit,
        np.tile(np.arange(many), len(np.unique(unit))),
        "beyond",
        about,
    )
    save_examples(made, beyond_file(place), force=True)
    inside = int(region.contains(made.x).sum())  # pyright: ignore[reportArgumentType]
    return {"outside": [{"points": place.settings.beyond, "inside": inside}]}


def train(place: Folder, model: str, seed: int) -> Rows:
    """Train, and look at the error bars on points that were held out, inside the region and beyond."""
    began = time.process_time()
    run = trained(place, model, seed)
    seconds = time.process_time() - began
    net, test, draws = emulator(run), run.examples["test"], draws_of(model)
    found = calibration(net, test, draws)
    rows = []
    for k, name in enumerate(NAMES):
        for b in range(net.bins):
            one = found.isel(statistic=k, bin=b)
            row = {
                "statistic": name,
                "bin": b,
                "radius": float(one["radius"]),
                "rows": found.attrs["rows"],
                "points": found.attrs["points"],
            }
            row |= {v: float(one[v]) for v in ("percent", "clear", "excess", "floor_one", "floor_mean", "chi2", "z_mean", "sharpness")}
            row |= {v: float(one[v]) for v in ("aleatoric_ratio", "epistemic_ratio")}
            row |= {"covered68": float(one["coverage"][0]), "covered95": float(one["coverage"][1])}
            rows.append(row)
    pit = [
        {"statistic": n, "quantile": float(q), "share": float(np.nanmean(found["pit"].values[k, :, i]))}
        for k, n in enumerate(NAMES) for i, q in enumerate(found["quantile"].values)
    ]  # fmt: skip
    metrics = {f"validation_{k}": v for k, v in run.fit.metrics["validation"].items() if k != "examples"}
    fitted = {"seconds": seconds, "parameters": run.fit.parameters, "epochs": len(run.fit.history), "best": run.fit.epoch, **metrics}
    tables: Rows = {"calibration": rows, "pit": pit, "training": [fitted]}
    tables["conformal"] = _recalibrated(run, draws)
    tables["knowing"] = [_knowing(net, test, draws, "inside"), _knowing(net, load_examples(beyond_file(place)), draws, "beyond")]
    if model == "alignment_emulator":
        tables["flips"] = _flips(net, test)
    return tables


def _recalibrated(run: SystemRun, draws: int) -> list[dict[str, Any]]:
    rows, points = [], len(run.examples["validation"].units)
    for level in (0.68, 0.95):
        if (points + 1) * level > points:
            continue
        made = conformal(emulator(run), run.examples["validation"], level, draws)
        covered = made.coverage(run.examples["test"])
        for k, name in enumerate(NAMES):
            rows.append(
                {
                    "statistic": name,
                    "level": level,
                    "covered": float(covered[k].nanmean()),
                    "worst": float((covered[k] - level).abs().nan_to_num().max()),
                }
            )
    return rows


def _knowing(net: CorrelationEmulator, examples: Examples, draws: int, where: str) -> dict[str, Any]:
    """Error and epistemic deviation in the noise of one realisation, root mean squares over points and bins with pairs in all rows."""
    p = points_of(net, examples, draws)
    good = (p.rows >= p.rows.max()) & (p.scatter > 0)
    noise = torch.where(good, p.scatter, torch.nan)
    free = p.rows.max() - 1
    square = ((p.predicted - p.mean) / noise).square() * (free - 2) / free - 1 / p.rows.max()
    said = (p.epistemic / noise).square() * (free - 2) / free
    middle = lambda v: float(v.nanmedian(0).values.nanmean())  # noqa: E731
    return {
        "where": where, "error": float(square.nanmean().clamp_min(0).sqrt()), "epistemic": float(said.nanmean().sqrt()),
        "error_median": middle(square.clamp_min(0).sqrt()), "epistemic_median": middle(said.sqrt()),
        "told": float(_ranked(square, said)),
    }  # fmt: skip


def _ranked(square: Tensor, said: Tensor) -> float:
    """Rank correlation over points of the mean squared error and what the emulator says of it."""
    from scipy.stats import spearmanr

    a, b = square.flatten(1).nanmean(1).numpy(), said.flatten(1).nanmean(1).numpy()
    fine = np.isfinite(a) & np.isfinite(b)
    return float(spearmanr(a[fine], b[fine])[0])


def _flips(net: CorrelationEmulator, test: Examples) -> list[dict[str, Any]]:
    """How far one mock teaches xi at the flipped alignments, against mocks of other points: coherence of the gradients."""
    found = coherence_blocks(SYSTEM.seen(net), xi_examples(test), flips(net.bins), trajectories=24, times=None, seed=0)
    names = [str(n) for n in found["ket_element"].values]
    return [
        {"element": n, "coherence": float(found["coherence"][0, k]), "null": float(found["null"][0, k])} for k, n in enumerate(names)
    ]  # fmt: skip


def speed(place: Folder, model: str, seed: int) -> Rows:
    """Seconds of processor for one mock and for one answer of an emulator, in one process on one thread."""
    test = trained(place, "alignment_emulator", seed).examples["test"]
    assert isinstance(test.x, Tensor)
    theta = torch.unique(test.x, dim=0)
    theta = theta[torch.linspace(0, len(theta) - 1, min(60, len(theta))).round().long()].numpy()
    halos = halos_of(place)
    simulated(halos, theta[0], 5, 0)  # compiles
    began = time.process_time()
    for k, one in enumerate(theta):
        simulated(halos, one, 5, k)
    mock = (time.process_time() - began) / len(theta)
    rows = [{"what": "mock", "seconds": mock, "calls": len(theta), "ratio": 1.0}]
    rows += [_peer(halos, theta, mock)]
    many = torch.from_numpy(np.resize(theta, (4096, theta.shape[1]))).float()
    for name in place.settings.models:
        net = emulator(trained(place, name, seed))
        some, count = (many, 20) if name != "iaemu" else (many[:512], 2)  # convolutions are slow
        for what, work, calls, each in (
            ("batched", lambda net=net, some=some: net(some), count, len(some)), ("single", lambda net=net: net(many[:1]), 20 * count, 1),
            ("single with covariance", lambda net=net: net.predict(many[:1], outside="ignore"), 10 * count, 1),
        ):  # fmt: skip
            with torch.no_grad():
                work()
                began = time.process_time()
                for _ in range(calls):
                    work()
                seconds = (time.process_time() - began) / (calls * each)
            rows.append({"what": f"{name}, {what}", "seconds": seconds, "calls": calls * each, "ratio": mock / seconds})
    return {"speed": rows}


def _peer(halos: Any, theta: np.ndarray, mock: float) -> dict[str, Any]:
    """The same mocks by halotools, its own estimators included."""
    import warnings

    from halotools.mock_observables import tpcf
    from halotools.mock_observables.ia_correlations import ed_3d, ee_3d

    from orbitscope.systems.galaxies import edges, populate_halotools

    some = theta[:: max(1, len(theta) // 6)]
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in some:
            made = populate_halotools(halos, one, 5)
            bins, box = edges(), made.box
            tpcf(made.positions, bins, period=box)
            ed_3d(made.positions, made.axes, made.positions, bins, period=box)
            ee_3d(made.positions, made.axes, made.positions, made.axes, bins, period=box)
    seconds = (time.process_time() - began) / len(some)
    return {"what": "mock by halotools", "seconds": seconds, "calls": len(some), "ratio": mock / seconds}


def published(place: Folder, model: str, seed: int) -> Rows:
    """Deviations of xi by the published formulas and by the right ones beside the measured scatter, for the published network."""
    name = "iaemu" if "iaemu" in place.settings.models else place.settings.models[0]
    run = trained(place, name, seed)
    net, test = emulator(run), run.examples["test"]
    p = points_of(net, test, draws_of(name))
    with torch.no_grad():
        latent, covariance = net.latent(p.theta.float())
    if net.links[0] != "log":
        return {"published": []}
    mean, variance = latent[:, 0, 0].double(), covariance[:, 0].diagonal(dim1=-2, dim2=-1)[:, : net.bins].double()
    said = published_moments(mean, variance, torch.zeros_like(mean))
    rows = []
    for b in range(net.bins):
        good = (p.rows[:, 0, b] > 3) & (p.scatter[:, 0, b] > 0) & (p.mean[:, 0, b] > 0)
        ratio = lambda v, b=b, good=good: float((v[good, b] / p.scatter[good, 0, b]).median())  # noqa: E731
        rows.append({
            "bin": b, "xi": float(p.mean[good, 0, b].median()), "right": ratio(p.aleatoric[:, 0]),
            "published": ratio(said.aleatoric.sqrt()),
        })  # fmt: skip
    return {"published": rows}
