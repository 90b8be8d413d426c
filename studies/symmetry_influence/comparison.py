# ruff: noqa: E501 - prose templates
"""Published results, rules for agreement in kind, and what came out here. Thresholds stand in the rules' own words, on the page."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from harness import Tables
from scipy.stats import pearsonr
from study import MODELS, SWAPPED, V4
from tables import spearman

NS, CE = "navier-stokes", "euler"
TOLERANCE, FAR, COHERENT, NONE, GAP, RANK = 1.25, 10.0, 0.1, 0.1, 0.1, 0.5


@dataclass(frozen=True)
class Line:
    """One line of the comparison."""

    key: str
    what: str
    published: str
    rule: str
    here: str
    agrees: bool | None

    @property
    def word(self) -> str:
        return {True: "yes", False: "no", None: "not judged"}[self.agrees]


def compare(tables: Tables) -> list[Line]:
    """Every line; those without numbers say so."""
    makers: list[Callable[[Tables], list[Line]]] = [_euler_shifts, _ripples, _euler_d4, _flow_d4, _training, _errors, _times, _metrics]
    return [line for make in makers for line in make(tables)]


def main_part(tables: Tables, frame: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """The rows of a data set with the main schedule, without the small models."""
    if frame.empty:
        return frame
    return frame[(frame.dataset == dataset) & (frame.schedule == tables.meta["settings"]["main_schedule"]) & (frame.model != "small")]


def skilled(frame: pd.DataFrame, agrees: bool) -> bool | None:
    """The judgement, or None where a model is little better than persistence: as wrong on gx as on x, its relative error says nothing."""
    return agrees if frame.groupby("model")["skill"].median().max() <= 0.5 else None


def spread(values: pd.Series | np.ndarray) -> str:
    """Least to largest, three digits."""
    v = np.asarray(values, float)
    v = v[np.isfinite(v)]
    return f"{number(v.min())} to {number(v.max())}" if v.size else "–"


def number(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def medians(frame: pd.DataFrame, value: str, by: tuple[str, ...] = ("model", "element")) -> pd.Series:
    """Median over the seeds."""
    return frame.groupby(list(by))[value].median()


def _euler_shifts(t: Tables) -> list[Line]:
    error, shared = main_part(t, t["shift_error"], CE), main_part(t, t["shift_coherence"], CE)
    rule_e = f"every whole shift at most {TOLERANCE}"
    rule_c = "every median positive off the identity"
    if error.empty or shared.empty:
        return [Line("ce-shift", "Euler, translations", "error within 1 % of 1, coherence 0.5 to 1.0", rule_e, "–", None)]
    whole = medians(error[(error["shift"] % 1 == 0) & (error["shift"] > 0)], "relative_error", ("model", "axis", "shift"))
    coherent = medians(shared[(shared["shift"] % 1 == 0) & (shared["shift"] > 0)], "response", ("model", "axis", "shift"))
    return [
        Line("ce-shift-error", "Euler, translations: relative error", "median about 1 % or less over 1.0 (third quartile to 1.06–1.08)",
             rule_e, spread(whole), bool((whole <= TOLERANCE).all())),
        Line("ce-shift-coherence", "Euler, translations: coherence", "0.5 to 1.0, always positive", rule_c, spread(coherent),
             bool((coherent > 0).all())),
    ]  # fmt: skip


def _ripples(t: Tables) -> list[Line]:
    frame = main_part(t, t["shift_period"], CE)
    published = "ViT structured, with the period of patches and tokens; UNet nearly uniform with small 8-cell ripples"
    rule = "ViT error has a period that explains at least half of its variance over shifts, a multiple of the patch (4 cells)"
    if frame.empty or "vit" not in set(frame.model):
        return [Line("ripples", "Euler, ripples over translations", published, rule, "–", None)]
    words = [
        f"{MODELS[str(m)]}: period {p:.0f} explains {x:.2f}"
        for m, p, x in frame.groupby("model")[["period", "explained"]].median().itertuples()
    ]
    vit = frame[frame.model == "vit"]
    agrees = bool((vit.explained.median() >= 0.5) and (vit.period.median() > 1) and (vit.period.median() % 4 == 0))
    return [Line("ripples", "Euler, ripples over translations", published, rule, "; ".join(words), agrees)]


def _euler_d4(t: Tables) -> list[Line]:
    frame = t["d4"]
    frame = main_part(t, frame[frame.metric == "gauss_newton"] if len(frame) else frame, CE)
    frame = frame[frame.element != "e"]
    if frame.empty:
        return []
    error, coherent = medians(frame, "relative_error"), medians(frame, "response")
    r = float(pearsonr(error, coherent).statistic) if len(error) > 2 and np.ptp(error) > 0 and np.ptp(coherent) > 0 else float("nan")
    return [
        Line("ce-d4-error", "Euler, D4: relative error", "0.95 to 1.15", f"every element at most {TOLERANCE}", spread(error),
             skilled(frame, bool((error <= TOLERANCE).all()))),
        Line("ce-d4-coherence", "Euler, D4: coherence off the identity", "broadly uniform, 0.3 to 0.6",
             "per model, every element positive, and largest minus least at most 0.3", spread(coherent),
             bool((coherent > 0).all() and coherent.groupby("model").agg(np.ptp).max() <= 0.3)),
        Line("ce-d4-pearson", "Euler, D4: Pearson correlation of error and coherence", "-0.17 ± 0.01", "negative, and weaker than 0.5",
             number(r), bool(-0.5 < r < 0)),
    ]  # fmt: skip


def _flow_d4(t: Tables) -> list[Line]:
    out = []
    frame = t["d4"]
    frame = frame[frame.metric == "gauss_newton"] if len(frame) else frame
    for name, words in ((NS, "right convention"), (SWAPPED, "components swapped")):
        part = main_part(t, frame, name)
        part = part[part.element != "e"]
        if part.empty:
            continue
        inside, outside = part[part.element.isin(V4)], part[~part.element.isin(V4)]
        a, b = medians(inside, "relative_error"), medians(outside, "relative_error")
        out.append(
            Line(f"{name}-error", f"Navier-Stokes, D4, {words}: relative error", "about 1 on V4 = {e, r2, sr, sr3}, 100 to 10,000 elsewhere",
                 f"V4 at most {TOLERANCE}, others at least {FAR:.0f}", f"V4 {spread(a)}; others {spread(b)}",
                 skilled(part, bool((a <= TOLERANCE).all() and (b >= FAR).all())))
        )  # fmt: skip
        c, d = medians(inside, "response"), medians(outside, "response")
        out.append(
            Line(f"{name}-coherence", f"Navier-Stokes, D4, {words}: coherence", "high on V4, about 0 elsewhere",
                 f"V4 without e above {COHERENT}, others within {NONE} of 0 (medians)", f"V4 without e {spread(c)}; others {spread(d)}",
                 bool(c.median() > COHERENT and abs(d.median()) < NONE))
        )  # fmt: skip
    return out


def _training(t: Tables) -> list[Line]:
    out = []
    for name, words in ((NS, "right convention"), (SWAPPED, "components swapped")):
        part = main_part(t, t["epochs"], name)
        part = part[part.element != "e"] if len(part) else part
        if part.empty:
            continue
        gap = (
            part[part.element.isin(V4)].groupby("epoch")["response"].median()
            - part[~part.element.isin(V4)].groupby("epoch")["response"].median()
        )
        first, later = float(gap.iloc[0]), gap.iloc[1:]
        out.append(
            Line(f"{name}-training", f"Navier-Stokes, over training, {words}: coherence on V4 without e minus that on D4 without V4",
                 "equal at initialisation, apart within the first epochs and from then on",
                 f"within {GAP} of 0 before training, above {GAP} at every later epoch measured",
                 f"{first:.2f} before; {spread(later)} later", bool(abs(first) < GAP and (later > GAP).all()) if gap.index[0] == 0 else None)
        )  # fmt: skip
    return out


def _errors(t: Tables) -> list[Line]:
    out = []
    for name, published in ((CE, "10^-1.5 to about 10^-3"), (NS, "10^-1 to about 10^-5")):
        part = main_part(t, t["runs"], name)
        if part.empty:
            continue
        m = part.groupby("model")[["test_smse", "persistence_smse"]].median()
        here = "; ".join(f"{MODELS[str(k)]} {v.test_smse:.1e} (persistence {v.persistence_smse:.1e})" for k, v in m.iterrows())
        both = {"unet", "vit"} <= set(m.index)
        below = bool(m.loc["vit", "test_smse"] < m.loc["unet", "test_smse"]) if both else None
        what = "Euler" if name == CE else "Navier-Stokes"
        out.append(
            Line(f"{name}-smse", f"{what}, test SMSE over training", f"{published}; ViT below UNet", "ViT below UNet (the values depend on size)",
                 here, below)
        )  # fmt: skip
    return out


def _times(t: Tables) -> list[Line]:
    out = []
    for name, title in ((CE, "Euler"), (NS, "Navier-Stokes")):
        lag, classes, far = (main_part(t, t[k], name) for k in ("lag", "classes", "rollout"))
        if lag.empty:
            continue
        lag, classes = lag[lag.element == "e"], classes[classes.element == "e"]
        curve = lag[lag.lag > 0].groupby("lag")["coherence"].median()
        rho, _, _ = spearman(curve.index, curve, 0)
        out.append(
            Line(f"{name}-lag", f"{title}, coherence by time lag (companion paper)", "decays with the lag",
                 f"rank correlation of lag and median coherence at most -{RANK}",
                 f"{curve.iloc[0]:.2f} at lag {curve.index[0]}, {curve.iloc[-1]:.2f} at {curve.index[-1]}; rank correlation {number(rho)}",
                 bool(rho <= -RANK) if np.isfinite(rho) else None)
        )  # fmt: skip
        same, cross = classes[classes.bra_class == classes.ket_class], classes[classes.bra_class != classes.ket_class]
        a, b = float(same["coherence"].median()), float(cross["coherence"].median())
        known = np.isfinite(a) and np.isfinite(b)
        out.append(
            Line(f"{name}-classes", f"{title}, coherence across classes of initial conditions", "low across classes",
                 f"across classes below {COHERENT} or below half of that within",
                 f"{number(b)} across, {number(a)} within (other trajectories, same time)", bool(b < COHERENT or b < a / 2) if known else None)
        )  # fmt: skip
        rho, low, high = spearman(far["cross_time_coherence"], far["rollout_error"], units=far["seed"].astype(str) + far["model"])
        out.append(
            Line(f"{name}-rollout", f"{title}, cross-time coherence and roll-out error", "negative correlation",
                 "rank correlation over trajectories, models and seeds negative, its interval below 0",
                 f"{number(rho)} (95 % interval {number(low)} to {number(high)})", bool(high < 0) if np.isfinite(rho) else None)
        )  # fmt: skip
    return out


def _metrics(t: Tables) -> list[Line]:
    frame = t["damping"]
    frame = frame[(frame.element != "e") & frame.damping.between(0.9e-6, 1.1e-4)] if len(frame) else frame
    if frame.empty:
        return []
    wide = frame.pivot_table(index=["dataset", "model", "schedule", "seed", "element"], columns="damping", values="response")
    gap = float((wide.iloc[:, -1] - wide.iloc[:, 0]).abs().median())
    return [
        Line("damping", "All, damping 1e-6 against 1e-4", "results do not depend on it",
             "median absolute change of an element's coherence at most 0.05", number(gap), gap <= 0.05)
    ]  # fmt: skip
