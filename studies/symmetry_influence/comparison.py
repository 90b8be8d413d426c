# ruff: noqa: E501 - prose templates
"""Published results, rules for agreement in kind, and what came out here. Thresholds stand in the rules' own words, on the page."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from harness import Tables
from judgement import AGREES, NOT_JUDGED, Judged, Need, interval, judge, judge_runs
from scipy.stats import pearsonr, spearmanr
from study import MODELS, SWAPPED, TITLES, V4
from tables import number, skilled, spread, told_skill

NS, CE = "navier-stokes", "euler"
TOLERANCE, FAR, COHERENT, NONE, GAP, FALL = 1.25, 10.0, 0.1, 0.1, 0.1, 0.25
SHARED, STRUCTURED = 0.5, 0.1


@dataclass(frozen=True)
class Line:
    """One line of the comparison."""

    key: str
    what: str
    published: str
    rule: str
    here: str
    judged: Judged
    skill: str = "–"

    @property
    def word(self) -> str:
        return f"{self.judged.word} ({self.judged.why})" if self.judged.why else self.judged.word

    @property
    def agrees(self) -> bool:
        return self.judged.word == AGREES


def compare(tables: Tables) -> list[Line]:
    """Every line; those without numbers say so."""
    makers: list[Callable[[Tables], list[Line]]] = [_euler_shifts, _ripples, _euler_d4, _flow_d4, _training, _errors, _times, _metrics]
    return [line for make in makers for line in make(tables)]


def main_part(tables: Tables, frame: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """The rows of a data set with the main schedule, without the small models."""
    if frame.empty:
        return frame
    return frame[(frame.dataset == dataset) & (frame.schedule == tables.meta["settings"]["main_schedule"]) & (frame.model != "small")]


def medians(frame: pd.DataFrame, value: str, by: tuple[str, ...] = ("model", "element")) -> pd.Series:
    """Median over the seeds."""
    return frame.groupby(list(by))[value].median()


def largest(column: str) -> Callable[[pd.DataFrame], float]:
    return lambda run: float(run[column].max())


def least(column: str) -> Callable[[pd.DataFrame], float]:
    return lambda run: float(run[column].min())


def _line(t: Tables, dataset: str, key: str, what: str, published: str, rule: str, frame: pd.DataFrame, needs: list[Need], here: Callable[[], str]) -> Line:  # fmt: skip
    judged = judge_runs(frame, needs, skilled(t, dataset), name=lambda m: MODELS[m])
    return Line(key, what, published, rule, here() if len(frame) else "–", judged, told_skill(t, dataset))


def _whole(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame["shift"] % 1 == 0) & (frame["shift"] > 0)] if len(frame) else frame


def _euler_shifts(t: Tables) -> list[Line]:
    error, shared = (_whole(main_part(t, t[name], CE)) for name in ("shift_error", "shift_coherence"))
    by = ("model", "axis", "shift")
    return [
        _line(t, CE, "ce-shift-error", "Euler, translations: relative error", "median about 1 % or less over 1.0 (third quartile to 1.06–1.08)",
              f"largest over whole shifts at most {TOLERANCE}", error, [Need("largest", largest("relative_error"), high=TOLERANCE)],
              lambda: spread(medians(error, "relative_error", by))),
        _line(t, CE, "ce-shift-coherence", "Euler, translations: coherence", "0.5 to 1.0, always positive",
              f"least over whole shifts at least {SHARED:g}", shared, [Need("least", least("response"), low=SHARED)], lambda: spread(medians(shared, "response", by))),
    ]  # fmt: skip


def _ripples(t: Tables) -> list[Line]:
    frame = main_part(t, t["shift_period"], CE)
    shared = _whole(main_part(t, t["shift_coherence"], CE))
    both = pd.concat([frame, shared]) if len(frame) and len(shared) else frame
    vit = both[both.model == "vit"] if len(both) else both

    def told() -> str:
        rows = frame.groupby("model")[["period", "explained"]].median().itertuples()
        by = shared.groupby(["model", "seed"])["response"]
        ranges = (by.max() - by.min()).groupby("model").median()
        return "; ".join(
            f"{MODELS[str(m)]}: period {p:.0f} explains {x:.2f}, coherence ranges over {number(ranges[m])}" for m, p, x in rows
        )

    def explained(run: pd.DataFrame) -> float:
        known = run[run.period.notna()]
        return float(known.explained.where((known.period > 1) & (known.period % 4 == 0), 0.0).min())

    def ranges(run: pd.DataFrame) -> float:
        by = run.groupby("axis")["response"]
        return float((by.max() - by.min()).min())

    return [
        _line(t, CE, "ripples", "Euler, ripples over translations",
              "ViT structured, with the period of patches and tokens; UNet nearly uniform with small 8-cell ripples",
              f"on both axes ViT error has a period, a multiple of the patch (4 cells), that explains at least half of its variance over shifts, and its coherence ranges over at least {STRUCTURED:g}",
              vit, [Need("explained", explained, low=0.5), Need("range", ranges, low=STRUCTURED)], told)
    ]  # fmt: skip


def _euler_d4(t: Tables) -> list[Line]:
    frame = _d4(t, CE)
    if frame.empty:
        return []

    def pearson(run: pd.DataFrame) -> float:
        a, b = run.relative_error, run.response
        return float(pearsonr(a, b).statistic) if len(a) > 2 and np.ptp(a) > 0 and np.ptp(b) > 0 else float("nan")

    runs = [pearson(b) for _, b in frame.groupby(["model", "seed"])]
    return [
        _line(t, CE, "ce-d4-error", "Euler, D4: relative error", "0.95 to 1.15", f"largest over elements at most {TOLERANCE}", frame,
              [Need("largest", largest("relative_error"), high=TOLERANCE)], lambda: spread(medians(frame, "relative_error"))),
        _line(t, CE, "ce-d4-coherence", "Euler, D4: coherence off the identity", "broadly uniform, 0.3 to 0.6",
              "mean over elements from 0.2 to 0.7, and largest minus least at most 0.3", frame,
              [Need("mean", lambda run: float(run.response.mean()), 0.2, 0.7), Need("range", lambda run: float(np.ptp(run.response)), high=0.3)],
              lambda: spread(medians(frame, "response"))),
        _line(t, CE, "ce-d4-pearson", "Euler, D4: Pearson correlation of error and coherence", "-0.17 ± 0.01",
              "of each run, over elements; its mean over runs negative and weaker than 0.5", frame, [Need("mean", pearson, -0.5, 0.0, possible=(-1, 1))],
              lambda: f"{spread(np.array(runs))} over runs"),
    ]  # fmt: skip


def _d4(t: Tables, dataset: str) -> pd.DataFrame:
    """Gauss-Newton rows off the identity."""
    frame = t["d4"]
    frame = main_part(t, frame[frame.metric == "gauss_newton"] if len(frame) else frame, dataset)
    return frame[frame.element != "e"] if len(frame) else frame


def _inside(run: pd.DataFrame) -> pd.DataFrame:
    return run[run.element.isin(V4)]


def _outside(run: pd.DataFrame) -> pd.DataFrame:
    return run[~run.element.isin(V4)]


def _flow_d4(t: Tables) -> list[Line]:
    out = []
    for name, words in ((NS, "right convention"), (SWAPPED, "components swapped")):
        part = _d4(t, name)
        if part.empty:
            continue

        def halves(value: str, part: pd.DataFrame = part) -> str:
            return f"V4 without e {spread(medians(_inside(part), value))}; others {spread(medians(_outside(part), value))}"

        out += [
            _line(t, name, f"{name}-error", f"Navier-Stokes, D4, {words}: relative error",
                  "about 1 on V4 = {e, r2, sr, sr3}, 100 to 10,000 elsewhere", f"largest on V4 at most {TOLERANCE}, least of the others at least {FAR:.0f}",
                  part, [Need("largest on V4", lambda run: float(_inside(run).relative_error.max()), high=TOLERANCE),
                         Need("least of the others", lambda run: float(_outside(run).relative_error.min()), low=FAR, log=True)],
                  lambda h=halves: h("relative_error")),
            _line(t, name, f"{name}-coherence", f"Navier-Stokes, D4, {words}: coherence", "high on V4, about 0 elsewhere",
                  f"median on V4 without e above {COHERENT}, median of the others within {NONE} of 0",
                  part, [Need("V4", lambda run: float(_inside(run).response.median()), low=COHERENT),
                         Need("others", lambda run: float(_outside(run).response.median()), -NONE, NONE)],
                  lambda h=halves: h("response")),
        ]  # fmt: skip
    return out


def _gaps(run: pd.DataFrame) -> pd.Series:
    """Coherence on V4 without e minus that on D4 without V4, by epoch."""
    return _inside(run).groupby("epoch")["response"].median() - _outside(run).groupby("epoch")["response"].median()


def _training(t: Tables) -> list[Line]:
    out = []
    for name, words in ((NS, "right convention"), (SWAPPED, "components swapped")):
        part = main_part(t, t["epochs"], name)
        part = part[part.element != "e"] if len(part) else part
        if part.empty:
            continue
        needs = [
            Need("before", lambda run: float(_gaps(run).get(0, np.nan)), -GAP, GAP),
            Need("least later", lambda run: float(_gaps(run).drop(0, errors="ignore").min()), low=GAP),
        ]

        def told(part: pd.DataFrame = part) -> str:
            gap = _gaps(part)
            return f"{number(gap.get(0, np.nan))} before; {spread(gap.drop(0, errors='ignore'))} later"

        out.append(
            _line(t, name, f"{name}-training", f"Navier-Stokes, over training, {words}: coherence on V4 without e minus that on D4 without V4",
                  "equal at initialisation, apart within the first epochs and from then on",
                  f"within {GAP} of 0 before training, above {GAP} at every later epoch measured", part, needs, told)
        )  # fmt: skip
    return out


def _errors(t: Tables) -> list[Line]:
    out = []
    for name, published in ((CE, "10^-1.5 to about 10^-3"), (NS, "10^-1 to about 10^-5")):
        part = main_part(t, t["runs"], name)
        if part.empty:
            continue
        m = part.groupby("model")[["test_smse", "persistence_smse", "parameters", "seconds"]].median()
        here = "; ".join(
            f"{MODELS[str(k)]} {v.test_smse:.1e} (persistence {v.persistence_smse:.1e}; {v.parameters:,.0f} parameters, {v.seconds:.0f} s)"
            for k, v in m.iterrows()
        )
        both = part.pivot_table(index="seed", columns="model", values="test_smse")
        if not {"unet", "vit"} <= set(both.columns):
            judged = Judged(NOT_JUDGED, "not measured")
        elif not {"unet", "vit"} & skilled(t, name):
            judged = Judged(NOT_JUDGED, "no skill")
        elif m.parameters["vit"] >= m.parameters["unet"]:
            judged = Judged(NOT_JUDGED, "the ViT is not the smaller one")
        else:
            ratio = np.log((both.vit / both.unet).dropna())
            word, bounds = judge(ratio, high=0.0), np.exp(interval(ratio))
            told = f"ViT over UNet {bounds[0]:.3g} to {bounds[1]:.3g}" if word != NOT_JUDGED else ""
            judged = Judged(word, "fewer than 3 runs" if word == NOT_JUDGED else "", told)
        out.append(
            Line(f"{name}-smse", f"{TITLES[name]}, test SMSE over training", f"{published}; ViT below UNet with fewer parameters",
                 "the ViT has fewer parameters, one of the two has skill, and ViT is below UNet, seed by seed (after the training times that stand beside)",
                 here, judged, told_skill(t, name))
        )  # fmt: skip
    return out


def _fall(run: pd.DataFrame) -> float:
    """Part of the coherence at the shortest lag that is gone at the longest."""
    curve = run[run.lag > 0].groupby("lag")["coherence"].median()
    return float(1 - curve.iloc[-1] / curve.iloc[0]) if len(curve) > 1 and curve.iloc[0] > 0 else float("nan")


def _across(a: str, b: str) -> Callable[[pd.DataFrame], float]:
    """By how much the coherence across two classes exceeds what counts as low."""

    def excess(run: pd.DataFrame) -> float:
        wide = run.groupby(["bra_class", "ket_class"])["coherence"].median()
        across = [float(wide[pair]) for pair in ((a, b), (b, a)) if pair in wide]
        if not across or (a, a) not in wide or (b, b) not in wide:
            return float("nan")
        return float(np.mean(across)) - max(COHERENT, 0.5 * min(float(wide[a, a]), float(wide[b, b])))

    return excess


def _classes(frame: pd.DataFrame) -> list[Need]:
    known = sorted({str(c) for c in frame.bra_class})
    return [Need(f"{a} x {b}", _across(a, b), high=0.0) for i, a in enumerate(known) for b in known[i + 1 :]]


def _pairs(frame: pd.DataFrame) -> str:
    wide = frame.groupby(["bra_class", "ket_class"])["coherence"].median()
    words = [
        (", ".join(f"{a} {number(wide[a, a])}" for a in sorted({a for a, _ in wide.index}) if (a, a) in wide)),
        (", ".join(f"{a} x {b} {number(v)}" for (a, b), v in wide.items() if str(a) < str(b))),  # pyright: ignore[reportGeneralTypeIssues]
    ]
    return f"within {words[0]}; across {words[1]}"


def _rank(run: pd.DataFrame) -> float:
    a, b = run.cross_time_coherence, run.rollout_error
    return float(spearmanr(a, b).statistic) if len(a) > 3 and np.ptp(a) > 0 and np.ptp(b) > 0 else float("nan")


def _times(t: Tables) -> list[Line]:
    out = []
    for name, title in ((CE, "Euler"), (NS, "Navier-Stokes")):
        lag, classes, far = (main_part(t, t[k], name) for k in ("lag", "classes", "rollout"))
        if lag.empty:
            continue
        lag, classes = lag[lag.element == "e"], classes[classes.element == "e"]
        curve = lag[lag.lag > 0].groupby("lag")["coherence"].median()
        ranks = np.array([_rank(b) for _, b in far.groupby(["model", "seed"])])
        out += [
            _line(t, name, f"{name}-lag", f"{title}, coherence by time lag (companion paper)", "decays with the lag",
                  f"from the shortest lag to the longest the coherence loses at least {FALL:g} of itself", lag, [Need("lost", _fall, low=FALL)],
                  lambda c=curve: f"{c.iloc[0]:.2f} at lag {c.index[0]}, {c.iloc[-1]:.2f} at {c.index[-1]}"),
            _line(t, name, f"{name}-classes", f"{title}, coherence across classes of initial conditions", "low across classes",
                  f"for every pair of classes, across them below {COHERENT} or below half of the smaller one within (other trajectories, same time); the interval is of what exceeds that",
                  classes, _classes(classes), lambda c=classes: _pairs(c)),
            _line(t, name, f"{name}-rollout", f"{title}, cross-time coherence and roll-out error", "negative correlation",
                  "rank correlation over the trajectories of each run; its mean over runs negative", far, [Need("mean", _rank, high=0.0, possible=(-1, 1))],
                  lambda r=ranks: f"{spread(r)} over runs"),
        ]  # fmt: skip
    return out


def _metrics(t: Tables) -> list[Line]:
    frame = t["damping"]
    frame = frame[(frame.element != "e") & frame.damping.between(0.9e-6, 1.1e-4)] if len(frame) else frame
    parts = (
        [main_part(t, frame, name).assign(net=lambda f, name=name: name + " " + f.model) for name in (CE, NS, SWAPPED)]
        if len(frame)
        else []
    )
    if not sum(map(len, parts)):
        return []
    frame = pd.concat(parts)
    able = {f"{name} {model}" for name in (CE, NS, SWAPPED) for model in skilled(t, name)}

    def change(run: pd.DataFrame) -> float:
        wide = run.pivot_table(index="element", columns="damping", values="response")
        return float((wide.iloc[:, -1] - wide.iloc[:, 0]).abs().median())

    runs = np.array([change(b) for _, b in frame.groupby(["net", "seed"])])
    judged = judge_runs(frame, [Need("change", change, high=0.05)], able, by="net", name=_net)
    return [
        Line("damping", "All, damping 1e-6 against 1e-4", "results do not depend on it",
             "median absolute change of an element's coherence at most 0.05", f"{spread(runs)} over runs", judged,
             "; ".join(f"{TITLES[name]}: {told_skill(t, name)}" for name in (CE, NS, SWAPPED)))
    ]  # fmt: skip


def _net(name: str) -> str:
    dataset, model = name.rsplit(" ", 1)
    return f"{TITLES[dataset]} {MODELS[model]}"
