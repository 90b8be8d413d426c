"""From the finished cases to one tidy table per experiment, and the numbers that the page draws its conclusions from."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from harness import Tables, collect, restore, spearman
from study import MODELS, Place, owner, runs

from orbitscope._whole import write_whole

SKILL = 0.2  # an error above this part of the best trivial forecast's is no skill
TRIVIAL = ["persistence", "increment", "parabola"]
LABEL = ["dataset", "model", "schedule", "seed"]


def collect_all(place: Place, results: Path) -> None:
    """Write results/<table>.csv, coherence_<experiment>.nc and meta.json, each whole or not at all. Same cases, same bytes."""
    by_lag = lambda frame: frame.groupby([*LABEL, "element", "lag"], as_index=False).median()  # noqa: E731
    collect(place, results, [r.label for r in runs(place.settings)], {"lag": by_lag})
    for name in ("d4", "times"):
        _coherences(place, results, name)


def _coherences(place: Place, results: Path, experiment: str) -> None:
    """The whole distribution: all coherences in one file, [run, element, bra_time, bra_trajectory, ket_time, ket_trajectory]."""
    paths = sorted((place.out / "cases").glob(f"*/{experiment}.nc"))
    if not paths:
        return
    parts = [xr.load_dataset(p, engine="h5netcdf") for p in paths]
    whole = xr.concat(parts, dim=pd.Index([p.parent.name for p in paths], name="run"), join="outer")
    whole["coherence"] = (whole["coherence"] * 1e4).round() / 1e4  # compresses; the fifth digit is noise
    whole["coherence"].attrs.update(long_name="cosine-normalised influence, Gauss-Newton metric", units="1")
    content = whole.to_netcdf(engine="h5netcdf", encoding={"coherence": {"zlib": True, "complevel": 9, "dtype": "float32"}})
    write_whole(results / f"coherence_{experiment}.nc", lambda part: part.write_bytes(content))


def restore_all(place: Place, results: Path) -> int:
    """The finished cases from their tables and coherences (`harness.restore`); weights do not come back."""
    for path in sorted(results.glob("coherence_*.nc")):
        whole = xr.load_dataset(path, engine="h5netcdf")
        for key in whole["run"].values:
            one = whole.sel(run=key, drop=True)
            for dim in one.sizes:  # a run has no more of them than it had before all were put into one file
                one = one.dropna(dim, how="all")
            target = place.case_file(str(key), path.stem.removeprefix("coherence_")).with_suffix(".nc")
            content = one.to_netcdf(engine="h5netcdf")
            write_whole(target, lambda part, content=content: part.write_bytes(content))
    return restore(place, results, LABEL, owner)


def equal_error(epochs: pd.DataFrame) -> pd.DataFrame:
    """Constant against annealed rate where their validation errors are nearest, run by run, off the identity.

    Over all pairs of a measured epoch with a constant rate and one with an annealed rate, untrained ones left out, the pair in the second
    half of the training (of either) whose validation errors differ by the smallest factor.
    """
    rows = []
    if epochs.empty:
        return pd.DataFrame()
    for (dataset, model, seed), block in epochs[(epochs.element != "e") & (epochs.epoch > 0)].groupby(["dataset", "model", "seed"]):
        if set(block.schedule) != {"constant", "cosine"}:
            continue
        means = block.groupby(["schedule", "epoch"])[["validation", "response", "null", "excess", "relative_error", "commutator"]].median()
        half = block.epoch.max() / 2
        pairs = [(a, b) for a in means.loc["constant"].index for b in means.loc["cosine"].index if min(a, b) >= half]
        for kind, chosen in (("nearest error", pairs), ("last epoch", [(block.epoch.max(), block.epoch.max())])):
            gap = lambda p, m=means: abs(np.log(m.loc[("constant", p[0]), "validation"] / m.loc[("cosine", p[1]), "validation"]))  # noqa: E731
            a, b = min(chosen, key=gap)
            one, other = means.loc[("constant", a)], means.loc[("cosine", b)]
            row = {"dataset": dataset, "model": model, "seed": seed, "kind": kind, "constant_epoch": a, "cosine_epoch": b}
            row |= {f"constant_{k}": float(v) for k, v in one.items()} | {f"cosine_{k}": float(v) for k, v in other.items()}
            rows.append(row)
    return pd.DataFrame(rows)


def early_and_late(epochs: pd.DataFrame, checkpoints: list[float]) -> pd.DataFrame:
    """Excess at each early checkpoint against the last relative error and commutator, per run and element off the identity.

    `part`: the one of `checkpoints` (parts of a training) that the epoch was rounded from, the same for runs of different lengths.
    """
    if epochs.empty:
        return pd.DataFrame()
    known = epochs[epochs.element != "e"]
    last = known[known.epoch == known.groupby(LABEL)["epoch"].transform("max")]
    early = known[known.epoch < known.groupby(LABEL)["epoch"].transform("max")].copy()
    final = known.groupby(LABEL)["epoch"].max().rename("last_epoch").reset_index()
    early = early.merge(final, on=LABEL)
    gaps = np.abs((early.epoch / early.last_epoch).to_numpy()[:, None] - np.array(checkpoints)[None, :])
    early["part"] = np.round(np.array(checkpoints)[gaps.argmin(1)], 3)
    merged = early.merge(last[[*LABEL, "element", "relative_error", "commutator"]], on=[*LABEL, "element"], suffixes=("", "_late"))
    merged["run"] = merged[LABEL].astype(str).agg("_".join, axis=1)
    return merged


def metric_ranks(metrics: pd.DataFrame) -> pd.DataFrame:
    """Per metric: distance from the full Gauss-Newton metric, and the rank correlation of its elements' responses with that metric's."""
    rows = []
    if metrics.empty:
        return pd.DataFrame()
    for (dataset, metric), block in metrics.groupby(["dataset", "metric"], sort=False):
        truth = metrics[(metrics.dataset == dataset) & (metrics.metric == "gauss_newton_full")]
        both = block.merge(truth, on=[*LABEL, "element"], suffixes=("", "_true"))
        off = both[both.element != "e"]
        rows.append(
            {
                "dataset": dataset, "metric": metric, "distance": float(off.distance.median()), "residual": float(block.residual.max()),
                "rank": spearman(off.response, off.response_true, 0)[0], "seconds": float(block.seconds.median()),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def skills(tables: Tables, dataset: str, schedule: str | None = None) -> pd.Series:
    """Skill of every network, median over seeds: error of one step over that of the best trivial forecast, all test transitions.

    Both in units of the state, means over classes. Trivial are persistence and, though they see more states than the networks, the last
    increment repeated and a parabola.
    """
    frame = tables["skill"]
    if frame.empty:
        return pd.Series(dtype=float)
    chosen = frame.schedule == (schedule or tables.meta["settings"]["main_schedule"])
    means = frame[(frame.dataset == dataset) & chosen].groupby(["model", "seed"])[["error", *TRIVIAL]].mean()
    return (means.error / means[TRIVIAL].min(axis=1)).groupby("model").median()


def skilled(tables: Tables, dataset: str) -> set[str]:
    """The networks with skill; all others have no say."""
    return {str(model) for model, value in skills(tables, dataset).items() if value <= SKILL}


def told_skill(tables: Tables, dataset: str) -> str:
    """The skill of every network in words."""
    found = skills(tables, dataset).drop("small", errors="ignore")
    return ", ".join(f"{MODELS[str(m)]} {number(v)}" for m, v in found.items()) or "–"


def spread(values: pd.Series | np.ndarray) -> str:
    """Least to largest, three digits."""
    v = np.asarray(values, float)
    v = v[np.isfinite(v)]
    return f"{number(v.min())} to {number(v.max())}" if v.size else "–"


def number(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
