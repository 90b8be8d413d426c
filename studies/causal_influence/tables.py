"""From cases to tables, and from tables to the numbers of the page: what happened, beside every prediction of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from experiments import wanted
from harness import Tables, collect
from judgement import SKILL
from numpy.typing import NDArray
from scipy.stats import rankdata
from study import ELEMENTS, FAMILIES, NETWORKS, OPTIMISERS, PHASES, Place, Run, runs

from orbitscope._whole import write_whole

Array = NDArray[np.float64]
LABEL = ["family", "network", "seed"]
PREDICTORS = {
    "influence": "sum of influences, euclidean", "influence_adam": "sum of influences, Adam's metric",
    "influence_gauss_newton": "sum of influences, Gauss-Newton", "cosine": "cosine of the mean gradients",
    "cosine_adam": "cosine, Adam's metric",
    "cosine_gauss_newton": "cosine, Gauss-Newton", "sign_ket": "sign of the ket", "coherence": "coherence, euclidean",
    "excess": "excess, euclidean", "error": "error at h (baseline)", "ket_error": "error at g (baseline)",
    "distance": "distance of the data (baseline)",
}  # fmt: skip
BASELINES = ("error", "ket_error", "distance")
_APART = ~np.eye(len(ELEMENTS), dtype=bool)


class Finished(Place):
    """The same folder without the runs that were cut off before what matters most was there."""

    def cases(self) -> list[dict[str, Any]]:
        whole = {run for run in runs(self.settings) if all(self.case_file(run.key, n).exists() for n in wanted(self.settings, run, False))}
        return [case for case in super().cases() if Run(**case["run"]) in whole]


def collect_all(place: Place, results: Path) -> None:
    """Results of all runs that are there, and what each case cost."""
    place = Finished(place.out, place.settings)
    collect(place, results, [one.label for one in runs(place.settings)], {})
    spent = [{**case["run"], "case": case["experiment"], "cpu_seconds": case["seconds"]} for case in place.cases()]
    text = pd.DataFrame(spent).to_csv(index=False, float_format="%.1f", lineterminator="\n")
    write_whole(results / "cost.csv", lambda part: part.write_text(text, encoding="utf-8"))


def rank_correlation(a: Array, b: Array) -> float:
    """Spearman's; NaN where one side is constant or not known, or for fewer than three."""
    if len(a) < 3 or not (np.isfinite(a).all() and np.isfinite(b).all()) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def matrix(frame: pd.DataFrame, value: str) -> Array:
    """[ket, bra] of one run and phase from the table of pairs."""
    return frame.pivot(index="ket", columns="bra", values=value).loc[list(ELEMENTS), list(ELEMENTS)].to_numpy(float)


def blocks(frame: pd.DataFrame) -> NDArray[np.int64]:
    """The block of every element, of one run and phase."""
    return frame[frame.ket == ELEMENTS[0]].set_index("bra").block.loc[list(ELEMENTS)].to_numpy(np.int64)


class Measured:
    """One run: predictions by phase, blocks by phase, what happened."""

    def __init__(self, t: Tables, label: tuple[Any, ...]) -> None:
        self.label = dict(zip(LABEL, label, strict=True))

        def own(name: str) -> pd.DataFrame:
            frame = t[name]
            keep = np.ones(len(frame), bool)
            for key, value in self.label.items():
                keep &= (frame[key] == value).to_numpy(bool)
            return frame[keep]

        pairs, self.base, self.tuned, retrained = own("pairs"), own("base"), own("tuned"), own("retrained")
        self.predicted = {p: {n: matrix(part, n) for n in PREDICTORS} for p, part in pairs.groupby("phase")}
        self.block = {p: blocks(part) for p, part in pairs.groupby("phase")}
        plain = self.base[self.base.phase == "late"].set_index("element").loss.loc[list(ELEMENTS)].to_numpy(float)
        self.benefit = {
            tuple(str(a).split()): np.log(plain) - np.log(row)
            for a, row in zip(retrained.added, retrained[list(ELEMENTS)].to_numpy(float), strict=True)
        }

    def realised(self) -> Iterator[tuple[dict[str, Any], Array]]:
        """(phase, optimiser, steps) and the fall of the losses [ket, bra]."""
        for (phase, optimiser, steps), part in self.tuned.groupby(["phase", "optimiser", "steps"], sort=False):
            values = part.set_index("ket")[list(ELEMENTS)].loc[list(ELEMENTS)].to_numpy(float)
            yield {"phase": phase, "optimiser": optimiser, "steps": int(str(steps))}, values

    def single(self) -> Array | None:
        """The benefit [ket, bra] of adding the copies under one element; rows of what was not trained are NaN, as that of the identity."""
        if not all((g,) in self.benefit for g in ELEMENTS[1:]):
            return None
        return np.stack([self.benefit.get((g,), np.full(len(ELEMENTS), np.nan)) for g in ELEMENTS])


def measured(t: Tables) -> list[Measured]:
    """All runs."""
    return [Measured(t, key) for key, _ in t["pairs"].groupby(LABEL, sort=False)]


def scores(found: list[Measured]) -> pd.DataFrame:
    """A row per run, test and predictor.

    `all`: rank correlation over the pairs g != h; `inside`: the same with the blocks taken out; `to_e`: over g at h = e; `subsets`: over
    sets of elements, mean over h (retrained only).
    """
    rows = []
    for run in found:
        for test, values in run.realised():
            for name, p in run.predicted[test["phase"]].items():
                rows.append({**run.label, "test": "tuned", **test, "predictor": name, **_orders(p, values, run.block[test["phase"]])})
        single = run.single()
        for phase, predicted in run.predicted.items() if single is not None else ():
            assert single is not None
            for name, p in predicted.items():
                order = _orders(p[1:], single[1:], run.block["late"], skip=1)
                rows.append(
                    {**run.label, "test": "retrained", "phase": phase, "optimiser": "", "steps": 0, "predictor": name, **order,
                     "subsets": subset_score(p, run.benefit)}
                )  # fmt: skip
    columns = [*LABEL, "test", "phase", "optimiser", "steps", "predictor", "all", "inside", "to_e", "subsets"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["cell"] = frame.family + "/" + frame.network
    return frame


def _orders(p: Array, values: Array, block: Array, skip: int = 0) -> dict[str, float]:
    """`skip`: how many kets at the beginning are left out."""
    apart = _APART[skip:]
    return {
        "all": rank_correlation(p[apart], values[apart]), "inside": inside(p, values, block, skip),
        "to_e": rank_correlation(p[apart[:, 0], 0], values[apart[:, 0], 0]),
    }  # fmt: skip


def inside(p: Array, values: Array, block: Array, skip: int = 0) -> float:
    """The correlation of the ranks over all pairs g != h, less their mean over each (block of g, block of h): order inside the blocks.

    `p`, `values` [ket, bra], kets from `skip` on. NaN where nothing is left, as with blocks of one element each.
    """
    apart = _APART[skip:]
    cell = np.unique((block[skip:, None] * (int(block.max()) + 1) + block[None, :])[apart], return_inverse=True)[1]
    ranks = []
    for one in (p[apart], values[apart]):
        if not np.isfinite(one).all():
            return float("nan")
        r = rankdata(one)
        ranks.append(r - (np.bincount(cell, r) / np.bincount(cell))[cell])
    size = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float(ranks[0] @ ranks[1]) / size if size > 1e-9 else float("nan")


def subset_score(p: Array, benefit: dict[tuple[str, ...], Array]) -> float:
    """Over sets S of added elements, |S| / (|S| + 1) times the mean prediction over S against the benefit; mean over h."""
    where = {g: k for k, g in enumerate(ELEMENTS)}
    expected = np.stack([len(s) / (len(s) + 1) * p[[where[g] for g in s]].mean(0) for s in benefit])
    happened = np.stack(list(benefit.values()))
    each = [rank_correlation(expected[:, h], happened[:, h]) for h in range(len(ELEMENTS))]
    return float(np.mean(each)) if np.isfinite(each).all() else float("nan")


def datamodel(run: Measured) -> float:
    """How additive the benefits are: for sets of three, the mean over h of the rank correlation with what the single ones say."""
    single, triples = run.single(), {s: b for s, b in run.benefit.items() if len(s) > 1}
    if single is None or len(triples) < 3:
        return float("nan")
    return subset_score(np.nan_to_num(single), triples)


def ratios(found: list[Measured], phase: str, optimiser: str = "sgd") -> pd.DataFrame:
    """Realised over predicted fall of the loss, pair by pair (g != h), by the number of steps; of plain gradient descent."""
    rows = []
    for run in found:
        rate = run.tuned[(run.tuned.phase == phase) & (run.tuned.optimiser == optimiser)].rate
        for test, values in run.realised():
            if test["phase"] == phase and test["optimiser"] == optimiser:
                expected = float(rate.iloc[0]) * test["steps"] * run.predicted[phase]["influence"]
                ratio = (values / expected)[_APART]
                rows += [{**run.label, "steps": test["steps"], "ratio": float(v)} for v in ratio]
    frame = pd.DataFrame(rows, columns=[*LABEL, "steps", "ratio"])
    frame["cell"] = frame.family + "/" + frame.network
    return frame


def promises(found: list[Measured]) -> pd.DataFrame:
    """Of the pairs g != h at which a predictor is positive (late), the part that was helped; beside it the part of all pairs."""
    rows = []
    for run in found:
        happened: dict[str, Array] = {}
        for test, values in run.realised():  # by rising steps, so that the last one stays
            if (test["phase"], test["optimiser"]) == ("late", "kept"):
                happened["kept"] = values
        if (single := run.single()) is not None:
            happened["retrained"] = single
        for test, values in happened.items():
            known = _APART & np.isfinite(values)
            for name in ("influence", "influence_gauss_newton", "sign_ket", "coherence", "excess", "all"):
                p = np.ones_like(values) if name == "all" else run.predicted["late"][name]
                says = known & (p > 0)
                share = float((values[says] > 0).mean()) if says.any() else float("nan")
                rows.append({**run.label, "test": test, "predictor": name, "says": float(says.sum() / known.sum()), "helped": share})
    frame = pd.DataFrame(rows, columns=[*LABEL, "test", "predictor", "says", "helped"])
    frame["cell"] = frame.family + "/" + frame.network
    return frame


def skilled(t: Tables) -> set[str]:
    """Cells whose median error over seeds on the originals, late, is at most half of persistence's."""
    late = t["base"][(t["base"].phase == "late") & (t["base"].element == ELEMENTS[0])]
    middle = late.groupby(["family", "network"]).error.median()
    return {f"{family}/{network}" for (family, network), value in middle.items() if value <= SKILL}  # pyright: ignore[reportGeneralTypeIssues]


def title(cell: str) -> str:
    """A cell in words."""
    family, network = cell.split("/")
    return f"{FAMILIES[family]}, {NETWORKS[network]}"


def tests(t: Tables) -> list[tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]]:
    """What is shown in a figure, in words, and its rows of `scores`."""
    steps = [k for k in t.meta["settings"]["tune"]["steps"]]
    shown = []
    for phase in PHASES:
        for optimiser, words in OPTIMISERS.items():
            for k in (steps[0], steps[-1]):
                shown.append((f"{phase}, {words}, {k} step{'s' if k > 1 else ''}", _picker(phase, optimiser, k)))
        shown.append((f"retrained, predicted {phase}", lambda s, phase=phase: s[(s.test == "retrained") & (s.phase == phase)]))
    return shown


def _picker(phase: str, optimiser: str, steps: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda s: s[(s.test == "tuned") & (s.phase == phase) & (s.optimiser == optimiser) & (s.steps == steps)]
