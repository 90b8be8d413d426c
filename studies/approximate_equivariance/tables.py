"""From the finished cases to one tidy table per question, and the numbers that the page draws its conclusions from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import numpy as np
import pandas as pd
import xarray as xr
from harness import Tables, collect
from judgement import SKILL, side
from study import RELAXED, Place, runs
from trivial import TRIVIAL

from orbitscope._whole import write_whole

SET = ["data", "level", "seed"]
KEY = [*SET, "model", "alpha", "group"]
TURNS = ("r", "r2", "r3")
Statistic = Callable[[pd.DataFrame], float]


def collect_all(place: Place, results: Path) -> None:
    """Write results/<table>.csv, pictures.nc and meta.json, each whole or not at all. Same cases, same bytes."""
    by_element = lambda f: f.groupby([*KEY, "element"], as_index=False, dropna=False)[["broken", "share"]].mean()  # noqa: E731
    collect(place, results, [r.label for r in runs(place.settings)], {"relaxation": by_element})
    _pictures(place, results)


def _pictures(place: Place, results: Path) -> None:
    """Truth and forecasts of all models on the most broken set of rounds, first seed, each at the alpha that validation chose."""
    top = max((r.level for r in runs(place.settings) if r.data == "ramp"), default=0.0)
    best = chosen(Tables(results, [*KEY, "element"]))
    wanted = {(str(r.data), r.level, r.seed, str(r.model)): r.alpha for r in best.itertuples()}
    found = {}
    for run in runs(place.settings):
        path = place.case_file(run.key, "run").with_suffix(".nc")
        own = wanted.get((run.data, run.level, run.seed, run.model))
        if run.data == "ramp" and run.level == top and path.exists() and (run.alpha is None or run.alpha == own):
            found[run.model] = xr.load_dataset(path, engine="h5netcdf")
    if found:
        whole = xr.concat(list(found.values()), dim=pd.Index(list(found), name="model"))
        whole["truth"] = whole["truth"].isel(model=0)
        whole.attrs["level"] = top
        content = whole.to_netcdf(engine="h5netcdf", encoding={k: {"zlib": True, "complevel": 9} for k in whole.data_vars})
        write_whole(results / "pictures.nc", lambda part: part.write_bytes(content))


def chosen(t: Tables) -> pd.DataFrame:
    """One row of KEY per set, model and group: the alpha, of those that may be chosen, with the least validation error of the velocity."""
    frame, settings = t["errors"], t.meta["settings"]
    if frame.empty:
        return pd.DataFrame(columns=KEY)
    frame = frame[(frame.part == "validation") & (frame.field == "velocity")]
    found = frame.assign(square=frame.rmse**2).groupby(KEY, as_index=False, dropna=False).square.mean()
    may = [settings["others"].get(d, settings["models"])[m].get("alphas") for d, m in zip(found.data, found.model, strict=True)]
    found = found[[w is None or bool(np.isclose(a, w).any()) for a, w in zip(found.alpha, may, strict=True)]]
    best = found.groupby([k for k in KEY if k != "alpha"], dropna=False).square.idxmin()
    return found.loc[sorted(best), KEY].reset_index(drop=True)


def own(t: Tables, name: str) -> pd.DataFrame:
    """The rows of a table at the alpha that validation chose (the others belong to the question about alpha)."""
    frame = t[name]
    return frame if frame.empty else frame.merge(chosen(t), on=KEY)


def whole_errors(frame: pd.DataFrame) -> pd.DataFrame:
    """Per run, part and field: RMSE over all steps of the forecast (the root of the mean square), of the first and of the last step.

    `trivial`: over all steps, of the best of the forecasts that cost nothing; these are columns too.
    """
    if frame.empty:
        return frame
    names, keys = ["rmse", *TRIVIAL], [*KEY, "part", "field"]
    found = frame.assign(**{n: frame[n] ** 2 for n in names}).groupby(keys, as_index=False, dropna=False)[names].mean()
    found[names] = found[names] ** 0.5
    found["trivial"] = found[list(TRIVIAL)].min(axis=1)
    for name, horizon in (("first", frame.horizon.min()), ("last", frame.horizon.max())):
        one = frame[frame.horizon == horizon][[*keys, "rmse"]].rename(columns={"rmse": name})
        found = found.merge(one, on=keys)
    return found


def true_breaking(t: Tables) -> pd.DataFrame:
    """Per set: departure of the law under the quarter turns (or the elements that the set has), and the published data error."""
    law, sets = t["law"], t["sets"]
    if sets.empty:
        return sets
    turns = law[law.element.isin(TURNS) | (law.data == "translation")] if not law.empty else law
    truth = turns.groupby(SET, as_index=False).departure.mean().rename(columns={"departure": "law"})
    return sets.merge(truth, on=SET, how="left")


def learnt(t: Tables) -> pd.DataFrame:
    """Per run at its chosen alpha: departure of the network under the turns, change of its kernels, departure of the law."""
    gone, weights, truth = own(t, "departure"), own(t, "relaxation"), true_breaking(t)
    if gone.empty:
        return gone
    gone = gone[gone.element.isin(TURNS)].groupby(KEY, as_index=False, dropna=False).departure.mean()
    if not weights.empty:
        kernels = weights[weights.element.isin(TURNS)].groupby(KEY, as_index=False, dropna=False).broken.mean()
        gone = gone.merge(kernels, on=KEY, how="left")
    return gone.merge(truth[[*SET, "law", "data_error", "relative_data_error"]], on=SET)


def spearman(frame: pd.DataFrame, a: str, b: str, resamples: int = 2000) -> tuple[float, float, float]:
    """Rank correlation of two columns over rows (one per data set, drawn and trained by itself), and its bootstrap 95 % interval."""
    frame = frame[[a, b]].dropna()
    if len(frame) < 5:
        return float("nan"), float("nan"), float("nan")
    return harness.spearman(frame[a], frame[b], resamples)


def by_element(t: Tables) -> pd.DataFrame:
    """Per relaxed run on the sets of rounds and element: the law's departure, the network's, and the kernels' change.

    Inverse elements (r, r3) have the same kernel change by definition; only one of each pair is kept.
    """
    law, gone, weights = t["law"], own(t, "departure"), own(t, "relaxation")
    if law.empty or weights.empty:
        return pd.DataFrame()
    joined = weights.merge(gone, on=[*KEY, "element"]).merge(law.rename(columns={"departure": "law"}), on=[*SET, "element"])
    return joined[(joined.element != "r3") & joined.model.isin(RELAXED) & joined.data.isin(["one", "axis"])]


def pointing(frame: pd.DataFrame, value: str) -> float:
    """Of all pairs of an element that the law keeps and one that it breaks, the share where the broken one has the larger `value`.

    Kept: departure below a tenth of the set's largest. 1/2 is chance, 1 is a perfect pointer.
    """
    largest = frame.law.max()
    kept, broken = frame[frame.law < 0.1 * largest][value].to_numpy(), frame[frame.law >= 0.1 * largest][value].to_numpy()
    if not len(kept) or not len(broken):
        return float("nan")
    return float((broken[:, None] > kept[None]).mean() + 0.5 * (broken[:, None] == kept[None]).mean())


def compared(errors: pd.DataFrame, a: str, b: str) -> tuple[str, float]:
    """Which of two models is better ("" for neither), and the median ratio of a's error to b's; rows of one set and part.

    Better: the 95 % interval over seeds of the logarithm of the ratio lies on its side of 0, and the better one has skill.
    """
    wide = errors.pivot_table(index="seed", columns="model", values="rmse")
    if a not in wide or b not in wide:
        return "", float("nan")
    ratio = (wide[a] / wide[b]).dropna()
    if ratio.empty:
        return "", float("nan")
    word = {-1: a, 1: b, 0: ""}[side(ratio.to_numpy())]
    return (word if word and has_skill(errors, word) else ""), float(ratio.median())


def has_skill(errors: pd.DataFrame, model: str) -> bool:
    """Whether the median over seeds of the squared error is at most half of the best trivial forecast's; rows of one set and part."""
    own = errors[errors.model == model]
    return bool(((own.rmse / own.trivial) ** 2).median() <= SKILL)


def number(value: Any, digits: int = 3) -> str:
    """Three digits, or a dash."""
    return "–" if value is None or not np.isfinite(value) else f"{float(value):.{digits}g}"


def interval(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}"


def errors(t: Tables) -> pd.DataFrame:
    """Velocity errors of whole forecasts at the alpha that validation chose."""
    frame = whole_errors(own(t, "errors"))
    return frame[frame.field == "velocity"] if not frame.empty else frame
