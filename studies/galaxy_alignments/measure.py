"""What the study measures of emulators, beside the simulator that they stand for."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import Folder
from mocks import Rows, data_file, judge_file
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
    lognormal_moments,
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
COLUMNS = (
    "percent", "percent_held", "percent_root", "clear", "excess", "floor_one", "floor_mean", "chi2", "z_mean", "sharpness",
    "aleatoric_ratio", "epistemic_ratio",
)  # fmt: skip


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
    rows = _by_bin(found, net.bins)
    judged = _by_bin(calibration(net, load_examples(judge_file(place)), draws), net.bins)
    pit = [
        {"statistic": n, "quantile": float(q), "share": float(np.nanmean(found["pit"].values[k, :, i]))}
        for k, n in enumerate(NAMES) for i, q in enumerate(found["quantile"].values)
    ]  # fmt: skip
    metrics = {f"validation_{k}": v for k, v in run.fit.metrics["validation"].items() if k != "examples"}
    fitted = {"seconds": seconds, "parameters": run.fit.parameters, "epochs": len(run.fit.history), "best": run.fit.epoch, **metrics}
    tables: Rows = {"calibration": rows, "errors": judged, "pit": pit, "training": [fitted]}
    tables["conformal"] = _recalibrated(run, draws)
    tables["knowing"] = [_knowing(net, test, draws, "inside"), _knowing(net, load_examples(beyond_file(place)), draws, "beyond")]
    if model == "alignment_emulator":
        tables["flips"] = _flips(net, test)
    if model == "alignment_emulator" and seed == place.settings.seeds[0]:
        tables["bands"] = _bands(net, test)
    return tables


def _by_bin(found: Any, bins: int) -> list[dict[str, Any]]:
    rows = []
    for k, name in enumerate(NAMES):
        for b in range(bins):
            one = found.isel(statistic=k, bin=b)
            row = {"statistic": name, "bin": b, "radius": float(one["radius"])}
            row |= {what: found.attrs[what] for what in ("rows", "points")} | {what: float(one[what]) for what in COLUMNS}
            rows.append(row | {"covered68": float(one["coverage"][0]), "covered95": float(one["coverage"][1])})
    return rows


def _bands(net: CorrelationEmulator, test: Examples) -> list[dict[str, Any]]:
    """What the emulator says at three test points, from the lightest to the heaviest halos, and what their mocks show."""
    p = points_of(net, test)
    order = p.theta[:, 2].argsort()
    chosen = order[torch.linspace(0.1, 0.9, 3).mul(len(order) - 1).round().long()]
    edges = np.asarray(test.about["edges"])
    radius = np.sqrt(edges[1:] * edges[:-1])
    return [
        {
            "point": int(u), "logMmin": float(p.theta[u, 2]), "statistic": name, "radius": float(radius[b]), "mean": float(p.mean[u, k, b]),
            "truth": float(p.truth[u, k, b]), "scatter": float(p.scatter[u, k, b]), "said": float(p.predicted[u, k, b]),
            "noise": float(p.aleatoric[u, k, b]), "doubt": float(p.epistemic[u, k, b]),
        }
        for u in chosen.tolist() for k, name in enumerate(NAMES) for b in range(net.bins)
    ]  # fmt: skip


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
    square = ((p.predicted - p.truth).square() - p.doubt) / noise.square() * (free - 2) / free
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


def published(place: Folder, model: str, seed: int) -> Rows:
    """Deviations of xi by the published formulas and by the right ones, both from the measured mean and variance of log xi over the mocks
    of a point, beside the measured deviation of xi itself: no network is in it."""
    found = load_examples(judge_file(place))
    value = found.y[0][:, 0]
    points = [value[torch.from_numpy(found.unit == u)].double() for u in found.units]
    rows = []
    for b in range(value.shape[1]):
        some = [p[:, b] for p in points if bool((p[:, b] > 0).all())]  # a logarithm wants xi above 0 in every mock
        if not some:
            continue
        logs, true = torch.stack([p.log() for p in some]), torch.stack([p.std() for p in some])
        given = logs.mean(1), logs.var(1), torch.zeros(len(some), dtype=torch.float64)
        right, said = (f(*given).aleatoric.sqrt() / true for f in (lognormal_moments, published_moments))
        rows.append({
            "bin": b, "xi": float(torch.stack(some).mean(1).median()), "right": float(right.median()), "published": float(said.median()),
            "points": len(some),
        })  # fmt: skip
    return {"published": rows, "between": _between(found)}


def _between(examples: Examples) -> list[dict[str, Any]]:
    """Correlation of the noise of neighbouring bins, and of two and four bins apart, over the mocks of a point; medians over points."""
    rows = []
    for k, name in enumerate(NAMES):
        with np.errstate(invalid="ignore", divide="ignore"):  # a bin without pairs in all mocks
            each = [np.corrcoef(examples.y[0][torch.from_numpy(examples.unit == u), k].numpy(), rowvar=False) for u in examples.units]
        c = np.array(each)
        rows += [
            {"statistic": name, "apart": step, "correlation": float(np.nanmedian(np.diagonal(c[:, half, half], step, 1, 2))), "bins": what}
            for what, half in (("small", slice(0, 10)), ("large", slice(10, 20))) for step in (1, 2, 4)
        ]  # fmt: skip
    return rows
