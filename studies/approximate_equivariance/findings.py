# ruff: noqa: E501 - prose templates
"""What the page concludes, each by a rule: short texts from the tables."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from harness import Tables, bootstrap
from judgement import AGREES, CONTRADICTS, FEWEST, NOT_JUDGED, UNDETERMINED, judge, together
from scipy.stats import spearmanr
from study import MODELS
from tables import KEY, by_element, compared, errors, has_skill, interval, learnt, number, own, pointing, spearman
from wins import RULE, answer

# "Expected outputs" in the header of run_equiv_test.py of the published code (Approximately-Equivariant-Nets, commit 10346289): error of
# ten data sets and of the networks trained on them, means of absolute differences of velocities.
PUBLISHED_DATA = (0.0, 0.17, 0.313, 0.435, 0.541, 0.63, 0.709, 0.78, 0.84, 0.896)
PUBLISHED = {
    "plain (ConvNet)": (0.033, 0.042, 0.05, 0.079, 0.085, 0.098, 0.104, 0.128, 0.133, 0.146),
    "residual (RPP)": (0.044, 0.055, 0.064, 0.064, 0.092, 0.103, 0.108, 0.125, 0.135, 0.133),
    "relaxed by cell (RSteer)": (0.122, 0.2, 0.121, 0.438, 0.421, 0.274, 0.358, 0.623, 0.654, 0.692),
}
NEAR = 0.1
BETTER = f"one error is better than another if the 95 % interval over seeds (Student's t, at least {FEWEST}) of the logarithm of their ratio excludes 0 and the squared error is at most half of that of the best trivial forecast"


@dataclass(frozen=True)
class Finding:
    """A question, the rule, and what the rule says here."""

    question: str
    rule: str
    answer: str


def findings(t: Tables) -> list[Finding]:
    """All of them, in the order of the questions."""
    found = [_wins(t), _ranking(t), _taken_out(t), *_tracking(t), _places(t), *_pointing(t), *_zero(t), _published(t)]
    return [f for f in found if f is not None]


def _ranking(t: Tables) -> Finding | None:
    frame = errors(t)
    if frame.empty:
        return None
    words = []
    for data in ("rotation", "translation", "scale"):
        block = frame[(frame.data == data) & (frame.level == 1)]
        for part, name in (("domain", "unseen tasks"), ("future", "later times")):
            by = block[block.part == part].groupby("model").rmse.median().sort_values()
            if len(by) < 2:
                continue
            best, second = str(by.index[0]), str(by.index[1])
            sure = compared(block[block.part == part], best, second)[0] == best
            words.append(
                f"{_set(data)}, {name}: {MODELS[best]} ({number(by.iloc[0])}, next {MODELS[second]} {number(by.iloc[1])}{'' if sure else f', {UNDETERMINED}'})"
            )
    rule = f"lowest median RMSE of the velocity over the forecast; {BETTER} (smoke-S: the ladder has far fewer parameters, see the costs)"
    return Finding("Which network forecasts best on each published set?", rule, "; ".join(words) + ".") if words else None


def _set(data: str) -> str:
    return {"rotation": "smoke-R", "translation": "smoke-T", "scale": "smoke-S"}.get(data, data)


def _wins(t: Tables) -> Finding | None:
    said = answer(t)
    return Finding("Does a relaxed network ever win, and at which departure of the law?", RULE, said) if said != "." else None


def _taken_out(t: Tables) -> Finding | None:
    tight, frame = own(t, "tightened"), own(t, "errors")
    if tight.empty:
        return None
    frame = frame[(frame.field == "velocity") & (frame.part == "domain")]
    both = tight.merge(frame[[*KEY, "horizon", "rmse"]], on=[*KEY, "horizon"], suffixes=("_tight", ""))
    both = both[both.horizon == both.horizon.max()]
    both["ratio"] = both.rmse_tight / both.rmse
    words = []
    for model in (m for m in MODELS if m in set(both.model)):
        block = both[(both.data == "ramp") & (both.model == model)]
        shares = [f"{number(b.ratio.median())} at m = {level:g}" for level, b in block.groupby("level")]
        words += [f"{MODELS[model]}: {', '.join(shares)}"] if shares else []
    rule = "error of the last step on unseen rounds after `nn.strict(model)` over that before, median over seeds; above 1: what was relaxed is used (the free path of the residual one also holds what keeps the symmetry: compare with m = 0)"
    return Finding("Do the networks use what they relaxed?", rule, "; ".join(words) + ".")


def tracking_rows(t: Tables) -> list[dict[str, Any]]:
    """Rank correlation over levels and seeds of what was learnt with what the law breaks, by network; and seeds on which it always rises."""
    frame = learnt(t)
    rows: list[dict[str, Any]] = []
    if frame.empty:
        return rows
    frame = frame[frame.data == "ramp"]
    for model in (m for m in MODELS if m in set(frame.model) and m not in ("strict", "single")):
        block = frame[frame.model == model]
        for value, words in (("departure", "departure of the network"), ("broken", "change of its kernels")):
            if value not in block or not block[value].notna().any():
                continue
            rho, low, high = spearman(block, value, "law")
            top, zero = block[block.level == block.level.max()], block[block.level == 0]
            curves = [b.sort_values("law")[value].to_numpy() for _, b in block.groupby("seed") if len(b) > 1]
            rows.append(
                {"model": model, "value": value, "words": words, "count": len(block), "rho": rho, "low": low, "high": high,
                 "rises": sum(bool((np.diff(c) > 0).all()) for c in curves), "seeds": len(curves),
                 "zero": zero[value].median(), "top": top[value].median(), "law": top.law.median()}
            )  # fmt: skip
    return rows


def _tracking(t: Tables) -> list[Finding]:
    rows = tracking_rows(t)
    found = []
    for value, name, what in (
        ("departure", "network", "the departure of the *network*"),
        ("broken", "kernels", "the change of its *kernels* (`nn.relaxation(model)`)"),
    ):
        words = []
        for r in (r for r in rows if r["value"] == value):
            sure = (
                "too few" if not np.isfinite(r["low"]) else "tracks" if r["low"] > 0 else "opposite" if r["high"] < 0 else "does not track"
            )
            rises = f"rises with every level on {r['rises']} of {r['seeds']} seeds" if r["seeds"] else "one level only"
            words.append(
                f"{MODELS[r['model']]}: {number(r['rho'])} ({interval(r['low'], r['high'])}), {sure}; {rises}, from {number(r['zero'])} to {number(r['top'])} where the law has {number(r['law'])}"
            )
        if words:
            rule = f"Spearman over levels and seeds of {what} with that of the law; tracks if the whole bootstrap 95 % interval is above 0"
            found.append(Finding(f"Does the learnt breaking follow the true one? ({name})", rule, ". ".join(words) + "."))
    return found


def _places(t: Tables) -> Finding | None:
    """smoke-T: the weights by place with the same force everywhere, and with twice the force in the right half."""
    frame = own(t, "relaxation")
    frame = frame[(frame.data == "translation") & frame.element.isin(["tx", "ty"])] if not frame.empty else frame
    words = []
    for element, block in frame.groupby("element") if len(frame) else ():
        wide = block.pivot_table(index="seed", columns="level", values="broken").dropna()
        if len(wide) and wide.shape[1] > 1:
            low, high = wide[wide.columns.min()], wide[wide.columns.max()]
            word = judge(high - low, low=0.0)
            sure = {AGREES: "more", CONTRADICTS: "less"}.get(word, word)
            words.append(
                f"along {str(element)[1]}: {number(low.median())} with the same force everywhere, {number(high.median())} with the two halves, {sure}"
            )
    rule = "relative change of the weights by place under a shift by one cell (smoke-T); walls break shifts in both sets, and the halves differ along x; *more*: the 95 % interval over seeds of the difference lies above 0"
    return (
        Finding("Does the network relaxed by place break shifts more where the force depends on the place?", rule, "; ".join(words) + ".")
        if words
        else None
    )


def _pointing(t: Tables) -> list[Finding]:
    frame = by_element(t)
    if frame.empty:
        return []
    found = []
    for value, name in (("departure", "network"), ("broken", "kernels")):
        words = []
        for model, block in frame.groupby("model", sort=False):
            scores = [pointing(b, value) for _, b in block.groupby(["data", "seed"])]
            middle, low, high = bootstrap(scores, np.mean)
            sure = (
                "too few"
                if not np.isfinite(low)
                else "points"
                if low > 0.5
                else "points the wrong way"
                if high < 0.5
                else "no more than chance"
            )
            words.append(f"{MODELS[str(model)]}: {number(middle)} ({interval(low, high)}), {sure}")
        rule = "share of pairs (element that the law keeps, element that it breaks) where the broken one has the larger value, mean over runs (bootstrap 95 % over runs); chance 0.5"
        found.append(Finding(f"Is the element that is broken the one that was learnt to be? ({name})", rule, "; ".join(words) + "."))
    return found


def zero_rows(t: Tables) -> pd.DataFrame:
    """Departure under quarter turns at exact symmetry by model and alpha, over that of the plain network."""
    frame = t["departure"]
    if frame.empty:
        return frame
    frame = frame[(frame.data == "ramp") & (frame.level == 0) & frame.element.isin(["r", "r2"])]
    by = frame.groupby(["model", "alpha", "seed"], as_index=False, dropna=False).departure.mean()
    plain = by[by.model == "plain"][["seed", "departure"]].rename(columns={"departure": "plain"})
    by = by.merge(plain, on="seed")
    by["ratio"] = by.departure / by.plain
    return by


def _zero(t: Tables) -> list[Finding]:
    by = zero_rows(t)
    by = by[by.alpha.notna()] if not by.empty else by
    if by.empty:
        return []
    words = []
    for model, block in by.groupby("model", sort=False):
        parts = [
            f"{a:g}: {number(b.departure.median())}{' (near)' if judge(b.ratio, high=NEAR) == AGREES else ''}"
            for a, b in block.groupby("alpha")
        ]
        words.append(f"{MODELS[str(model)]}, alpha {', '.join(parts)}")
    rule = f"departure under quarter turns where the law breaks nothing; near equivariant if the 95 % interval over seeds of its share of the plain network's lies below {NEAR:g}"
    return [Finding("With exact data, does a relaxed network stay equivariant, and with which penalty?", rule, "; ".join(words) + ".")]


def _published(t: Tables) -> Finding | None:
    frame = errors(t)
    block = frame[frame.data == "rotation"] if not frame.empty else frame
    if block.empty or not {"group", "steerable"} <= set(block.model):
        return None
    words = []
    for part in ("domain", "future"):
        rows = block[block.part == part]
        better = compared(rows, "steerable", "group")[0]
        able = any(has_skill(rows, m) for m in ("steerable", "group")) and rows.seed.nunique() >= FEWEST
        words.append({"steerable": AGREES, "group": CONTRADICTS}.get(better, UNDETERMINED if able else NOT_JUDGED))
    answer = together(words)
    rule = f"published for smoke-R: RSteer below RGroup, unseen tasks and later times (0.67 against 0.73, 0.80 against 0.82, as quoted by an independent reproduction, which found the same order); {BETTER}"
    return Finding("Is the network relaxed by cell better than the one relaxed by element, as published?", rule, answer + ".")


def published_tracking() -> list[tuple[str, float, float, float]]:
    """Published networks: rank correlation of their error with the data error over the ten sets, least and largest error."""
    return [(name, float(spearmanr(PUBLISHED_DATA, v).statistic), min(v), max(v)) for name, v in PUBLISHED.items()]
