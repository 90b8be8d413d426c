"""From the finished cases to tables, and the numbers that the page and the reports draw their conclusions from."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness import Tables, collect, spearman
from judgement import SKILL
from study import TREATMENTS, Place, runs
from trivial import TRIVIAL

LABEL = ["network", "treatment", "seed"]
TOLERANCE = 1.25  # of the verdict: a relative error up to it holds
OF_PHYSICS = "symmetry of the physics"
COUPLINGS = {
    "response": "coherence on the missing elements", "excess": "excess on the missing elements", "uniformity": "uniformity over the group",
    "early_response": "the same coherence early in training", "early_uniformity": "the same uniformity early in training",
}  # fmt: skip
OUTCOMES = {
    "moved": "error on the moved set", "reach_validation": "steps to the stated validation error",
    "reach_train": "steps to the same training loss",
}  # fmt: skip


def collect_all(place: Place, results: Path) -> None:
    """Write results/<table>.csv and meta.json, each whole or not at all. Same cases, same bytes."""
    collect(place, results, [r.label for r in runs(place.settings)], {})


def missing(t: Tables) -> tuple[list[str], bool]:
    """The elements to cure, and whether there are any: the physics has them, and every plain network fails on them.

    Fails: median relative error over seeds above the tolerance of the verdict. Where there are none, the one that trainings are watched on.
    """
    plain = t["elements"][t["elements"].treatment == "plain"]
    worst = plain.groupby(["element", "network"])["relative_error"].median().unstack().min(axis=1)
    held = [str(g) for g, words in zip(t["audit"].element, t["audit"].verdict, strict=True) if str(words).startswith(OF_PHYSICS)]
    found = [g for g in held if g in worst.index and worst[g] > TOLERANCE]
    return (found, True) if found else ([t.meta["settings"]["unseen"]], False)


def outcomes(t: Tables) -> pd.DataFrame:
    """One row per network, treatment and seed; see the columns.

    `original`, `moved`: error on the test set as it is, and its mean over the missing elements, in parts of persistence's;
    `relative_error`, `commutator`: medians over transitions, of these elements the mean; `response`, `null`, `excess`: means over them;
    `skill`: `original` over the error of the best forecast that costs nothing;
    `uniformity`: 1 minus the range of the response over all elements but the identity; `reach_*`: steps to the level of the settings,
    infinite where never reached; `moved_lower` and the `*_ratio`s: against the plain network of the same seed.
    """
    absent, _ = missing(t)
    rows = []
    for key, block in t["elements"].groupby(LABEL, sort=False):
        inner = block[block.element.isin(absent)]
        row: dict[str, Any] = dict(zip(LABEL, key, strict=True))
        row |= {"original": float(block[block.element == "e"].error.iloc[0]), "moved": float(inner.error.mean())}
        row |= {n: float(inner[n].mean()) for n in ("relative_error", "commutator", "response", "null", "excess")}
        row["uniformity"] = uniformity(block)
        rows.append(row)
    found = pd.DataFrame(rows).merge(t["words"], on=LABEL).merge(t["runs"], on=LABEL).merge(_early(t, absent), on=LABEL, how="left")
    found = found.merge(_speeds(t), on=LABEL, how="left")
    found["skill"] = found.original / float(t["trivial"][list(TRIVIAL)].min(axis=1).iloc[0])
    plain = found[found.treatment == "plain"].set_index(["network", "seed"])
    own = [plain.loc[(n, s)] if (n, s) in plain.index else None for n, s in zip(found.network, found.seed, strict=True)]
    known = pd.Series([o is not None for o in own], index=found.index)
    found, own = found[known].reset_index(drop=True), pd.DataFrame([o for o in own if o is not None]).reset_index(drop=True)
    found["moved_lower"], found["original_ratio"] = own.moved / found.moved, found.original / own.original
    for name in ("cpu_seconds", "forward_mflop", "parameters", "reach_validation"):
        found[f"{name}_ratio"] = found[name] / own[name]
    order = {name: k for k, name in enumerate(TREATMENTS)}
    return found.sort_values(["network", "treatment", "seed"], key=lambda c: c.map(order) if c.name == "treatment" else c, kind="stable")


def skilled(found: pd.DataFrame) -> pd.DataFrame:
    """The networks whose skill, median over seeds, is at most one half: the others have no say."""
    return found[found.groupby(["network", "treatment"]).skill.transform("median") <= SKILL]


def uniformity(block: pd.DataFrame) -> float:
    """1 minus the range of the coherence over all elements but the identity: 1 is the same on all."""
    others = block[block.element != "e"].response
    return float(1 - (others.max() - others.min()))


def _early(t: Tables, absent: list[str]) -> pd.DataFrame:
    rows = []
    for key, block in t["early"].groupby(LABEL, sort=False):
        inner = block[block.element.isin(absent)]
        rows.append({**dict(zip(LABEL, key, strict=True)), "early_response": inner.response.mean(), "early_uniformity": uniformity(block)})
    return pd.DataFrame(rows, columns=[*LABEL, "early_response", "early_uniformity"])


def _speeds(t: Tables) -> pd.DataFrame:
    rows = []
    for key, curve in t["curve"].groupby(LABEL, sort=False):
        level = t.meta["settings"]["models"][str(key[0])]["reach"]
        rows.append({**dict(zip(LABEL, key, strict=True)), **{f"reach_{n}": reach(curve, n, level) for n in ("validation", "train")}})
    return pd.DataFrame(rows, columns=[*LABEL, "reach_validation", "reach_train"])


def reach(curve: pd.DataFrame, column: str, level: float) -> float:
    """Steps until `column` is first at `level` or below, between two points on a straight line of its logarithm; infinite if never."""
    known = curve[np.isfinite(curve[column])].sort_values("step")
    steps, values = known.step.to_numpy(float), known[column].to_numpy(float)
    below = np.flatnonzero(values <= level)
    if not len(below):
        return float("inf")
    k = int(below[0])
    if k == 0:
        return float(steps[0])
    part = np.log(values[k - 1] / level) / np.log(values[k - 1] / values[k])
    return float(steps[k - 1] + part * (steps[k] - steps[k - 1]))


def correlations(found: pd.DataFrame) -> pd.DataFrame:
    """Rank correlation of coupling with outcome over trained models; ranks within each network, the interval over network x treatment.

    Seeds of one treatment are no independent evidence on a treatment: the bootstrap resamples treatments, all their seeds together. A level
    that is never reached ranks behind all that are.
    """
    trained = found[np.array([TREATMENTS[t].trained for t in found.treatment], bool)].replace(np.inf, 1e9)
    free = trained[np.array([not TREATMENTS[t].strict for t in trained.treatment], bool)]
    rows = []
    for which, frame in (("all", trained), ("not symmetric by construction", free)):
        for coupling in COUPLINGS:
            for outcome in OUTCOMES:
                ranks = [frame.groupby("network")[c].rank(pct=True) for c in (coupling, outcome)]
                value, low, high = spearman(*ranks, resamples=1000, units=frame.network + frame.treatment)
                rows.append({"models": which, "coupling": coupling, "outcome": outcome, "rank": value, "low": low, "high": high})
    return pd.DataFrame(rows)


def span(values: pd.Series, digits: int = 3) -> str:
    """Median and range over seeds, in words."""
    known = values[np.isfinite(values)]
    if known.empty:
        return "never" if len(values) and np.isinf(values).any() else "–"
    text = [f"{v:.{digits}g}" for v in (values.median(), values.min(), values.max())]
    text = ["never" if x == "inf" else x for x in text]
    return text[0] if len(set(text)) == 1 else f"{text[0]} ({text[1]}–{text[2]})"
