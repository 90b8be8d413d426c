# ruff: noqa: E501 - prose templates
"""docs/studies/galaxy-alignments.md from the tables of the study: no number in it is typed in by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import figures
import numpy as np
import pandas as pd
from harness import Tables, table, took, versions
from judgement import FEWEST
from sections import least_p, least_p_correlated, number, posterior, ranks, tng300

from orbitscope._whole import write_whole

PAGE = "galaxy-alignments.md"
OURS = "alignment_emulator"
COLUMNS = ["part", "model", "seed", "statistic", "what", "parameter", "ranks", "mocks_of"]


@dataclass(frozen=True)
class Bar:
    """One bar: numbers of the tables, one a seed, or one of a run where `single` says so; between `low` and `high`, both included."""

    words: str
    of: Callable[[Tables], list[float]]
    low: float = -np.inf
    high: float = np.inf
    single: bool = False

    @property
    def limits(self) -> str:
        if np.isfinite(self.low) and np.isfinite(self.high):
            return f"{number(self.low)} to {number(self.high)}"
        return f"≥ {number(self.low)}" if np.isfinite(self.low) else f"≤ {number(self.high)}"

    def judged(self, t: Tables) -> list[str]:
        """The row of the page."""
        values = np.array([v for v in self.of(t) if np.isfinite(v)])
        if not len(values):
            return [self.words, self.limits, "–", "not measured"]
        fine = (values >= self.low) & (values <= self.high)
        if len(values) < FEWEST and not self.single:
            word = f"not judged: {len(values)} of at least {FEWEST} seeds"
        elif fine.all():
            word = "met"
        else:
            off = [number(v / self.high) if v > self.high else number(v / self.low) for v in values[~fine]]
            word = f"missed by {int((~fine).sum())} of {len(values)}, {', '.join(off)} of the bar"
        return [self.words, self.limits, ", ".join(map(number, values)), word]


def _seeds(of: Callable[[pd.DataFrame], float], statistic: str | None = None, name: str = "calibration") -> Callable[[Tables], list[float]]:
    """A number of the rows of each seed of the ensemble, of the table of that name."""

    def found(t: Tables) -> list[float]:
        c = t[name]
        if not len(c):
            return []
        c = c[c.model == OURS]
        if statistic is not None:
            c = c[c.statistic == statistic]
        return [float(of(some)) for _, some in c.groupby("seed")]

    return found


def _percent(c: pd.DataFrame, column: str = "percent_root") -> float:
    """Over bins and points where the signal exceeds the noise."""
    c = c[(c.clear > 0) & c[column].notna()] if column in c else c[:0]
    return float(np.average(c[column], weights=c.clear)) if len(c) else float("nan")


def _held_percent(c: pd.DataFrame) -> float:
    return _percent(c, "percent_held")


def _published_percent(c: pd.DataFrame) -> float:
    return _percent(c, "percent")


def _coverage(column: str, level: float) -> Callable[[pd.DataFrame], float]:
    """The largest distance in points of a statistic's coverage, averaged over bins."""
    return lambda c: float(100 * (c.groupby("statistic")[column].mean() - level).abs().max())


def _ratio(what: str) -> Callable[[Tables], list[float]]:
    return lambda t: [float(v) for v in t["speed"][t["speed"].what == f"{OURS}, {what}"].get("ratio", [])]


BARS = (
    Bar("xi: root mean square error in %, bins where the signal exceeds the noise, the noise of the truth taken out", _seeds(_percent, "xi", "errors"), high=3.0),
    Bar("omega: the same", _seeds(_percent, "omega", "errors"), high=5.0),
    Bar("xi: mean absolute error in % against means of mocks, with their noise (as published)", _seeds(_published_percent, "xi", "errors"), high=3.0),
    Bar("omega: the same", _seeds(_published_percent, "omega", "errors"), high=5.0),
    Bar("error over the noise of one mock, the worst bin of all three", _seeds(lambda c: c.floor_one.max()), high=1.2),
    Bar("eta: squared z-score of a bin, the lowest bin", _seeds(lambda c: c.chi2.min(), "eta"), 0.9, 1.1),
    Bar("eta: the same, the highest bin", _seeds(lambda c: c.chi2.max(), "eta"), 0.9, 1.1),
    Bar("coverage of 68 % intervals, points off, the worst statistic", _seeds(_coverage("covered68", 0.68)), high=3.0),
    Bar("coverage of 95 % intervals, points off, the worst statistic", _seeds(_coverage("covered95", 0.95)), high=3.0),
    Bar("times faster than one mock of this package on the same core, batched", _ratio("batched"), 10_000, single=True),
    Bar("times faster than one mock of this package on the same core, a single query", _ratio("single"), 300, single=True),
    Bar("uniform ranks of the truth, mocks of the simulator, bins taken as independent: the least p of seven (the level .05 shared by seven)", least_p, 0.05 / 7, single=True),
    Bar("the same, with the correlation of the noise of bins in the likelihood", least_p_correlated, 0.05 / 7, single=True),
)  # fmt: skip


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    t = Tables(results, COLUMNS)
    parts = [
        _head(t),
        _bars(t),
        figures.draw(t, docs),
        _errors(t),
        _knowing(t),
        _published(t),
        _speed(t),
        posterior(t),
        ranks(t),
        tng300(t),
        _flips(t),
        _missing(t),
    ]
    write_whole(docs / PAGE, lambda part: part.write_text("\n\n".join(p for p in parts if p) + "\n", encoding="utf-8"))
    return docs / PAGE


def _head(t: Tables) -> str:
    s, m = t.meta["settings"], t.meta
    made = t["set"].iloc[0] if len(t["set"]) else {}
    cost = t["cost"].groupby("part").cpu_seconds.sum() if len(t["cost"]) else pd.Series(dtype=float)
    spent = ", ".join(f"{k} {v:.0f} s" for k, v in cost.items())
    galaxies = t["shards"].galaxies.sum() / t["shards"].rows.sum() if len(t["shards"]) else float("nan")
    return f"""# Study: galaxy alignments

IAEmu (arXiv:2504.05235) emulates three correlation functions of galaxies, position-position (xi), position-orientation (omega) and orientation-orientation (eta), from seven numbers of a halo occupation. Here stand beside each other, on mocks of this package: the published network with moments that are right, and an ensemble of small networks with a noise of its own in every bin. What is asked is less how small an error is than whether the emulator's error bars are true, and what they do to a posterior.

`python studies/galaxy_alignments/run.py --config {s["name"]}.toml` makes this page; {m["measured_runs"]} of {m["planned_runs"]} planned parts are done ({m["date"]}, {took(m)}). Processor seconds: {spent}; {versions(m)}.

Training set: {number(float(made.get("points", np.nan)))} parameter points with {s["realisations"]} mocks each, {number(float(made.get("rows", np.nan)))} in all, {number(galaxies)} galaxies in a mean one, in one periodic box of {s["box"]:.0f} Mpc/h with halos of at least {s["lightest"]:.0e} solar masses / h; log Mmin from {s["low"]} to {s["high"]}, the other numbers around the published lines in it. This is far less than was published (some 10^5 points) and a narrower range. 70 % of the points are trained on, 15 % choose the epoch, 15 % are the test; mocks of a point never part. {number(float(made.get("rows_with_xi_below_0", np.nan)))} mocks have a bin with xi ≤ 0: the published training drops them, the ensemble keeps them, as its noise is Gaussian in xi itself and the mean of 1 + xi is given by its logarithm. Settings (width, batch, rate, decay, epochs, where the noise starts) were chosen with seed 100 on its validation points, some of which are test points of other seeds; that noise which is learnt apart from means counts untempered in the loss was chosen with seeds 100 to 102 in the same way, after the noise of eta had missed its bar in an earlier run; the {s["judge_points"]} points that errors in per cent are judged at were not looked at for that. All halos are those of one box, so that no error here holds the scatter from box to box."""


def _bars(t: Tables) -> str:
    rows = [bar.judged(t) for bar in BARS]
    met = sum(row[-1] == "met" for row in rows)
    text = f"{met} of {len(rows)} are met. Numbers of the ensemble, one for each seed of its training, every one of which has to meet a bar; speeds and ranks are of one run. The counter of pairs has its bar in the benchmarks."
    return f"## Bars\n\n{text}\n\n" + table(["measure", "bar", "found", "judged"], rows)


def _errors(t: Tables) -> str:
    c, e, rows = t["calibration"], t["errors"], []
    for (model, name), some in c.groupby(["model", "statistic"], sort=False):
        each = [g for _, g in some.groupby("seed")]
        well = [g for _, g in e[(e.model == model) & (e.statistic == name)].groupby("seed")] if len(e) else []

        def say(f: Any, each: list[Any] = each) -> str:
            return ", ".join(number(float(f(g))) for g in each)

        rows.append([
            figures.SHORT.get(str(model), str(model)), str(name), *(", ".join(number(f(g)) for g in well) for f in (_percent, _held_percent, _published_percent)), say(lambda g: g.floor_one.median()), say(lambda g: g.floor_one.max()),
            say(lambda g: g.floor_mean.median()), say(lambda g: 100 * g.covered68.mean()), say(lambda g: 100 * g.covered95.mean()), say(lambda g: g.chi2.median()),
            say(lambda g: g.aleatoric_ratio.median()), say(lambda g: g.sharpness.median()),
        ])  # fmt: skip
    again = []
    for (model, name, level), some in t["conformal"].groupby(["model", "statistic", "level"], sort=False) if len(t["conformal"]) else []:
        again.append(
            [
                figures.SHORT.get(str(model), str(model)),
                str(name),
                f"{level:.0%}",
                ", ".join(f"{v:.1%}" for v in some.covered),
                ", ".join(f"{100 * v:.1f}" for v in some.worst),
            ]
        )
    head = [
        "emulator",
        "function",
        "error, %, no noise of the truth",
        "error, %, against the truth",
        "error, %, against means of mocks",
        "error / noise of one mock, median bin",
        "worst bin",
        "error / noise of the mean, median bin",
        "68 % holds",
        "95 % holds",
        "chi2, median bin",
        "predicted / measured noise",
        "width / signal's spread",
    ]
    s = t.meta["settings"]
    points, many = s["judge_points"], s["judge_realisations"]
    text = f"## Errors and error bars on new points\n\nOne number for each seed. The error over the noise of one mock is $\\sqrt{{1 + \\delta^2}}$ with the emulator's own squared error $\\delta^2$ in units of that noise, the noise of the test mocks taken out; against the mean of all mocks of a point, $\\sqrt{{1 + R \\delta^2}}$, little errors show more. Three errors in per cent of the signal, where it exceeds the noise of one mock, at {points} points of their own with {many} mocks each: a root mean square without the noise of the truth; the mean of absolute errors against the truth, which for omega and eta is the mean over long axes with the places of all mocks held, so that only the noise of places is in it; and the published one against plain means of the mocks. xi knows no better truth than its mean.\n\n"
    text += table(head, rows) if rows else "Not measured yet."
    ours = c[c.model == OURS] if len(c) else c
    high = [str(n) for n, some in ours.groupby("statistic", sort=False) if some.aleatoric_ratio.median() > 1.15] if len(ours) else []
    if high:
        text += f"\n\nThe ensemble predicts more noise than the mocks have for {' and '.join(high)}: with few points a likelihood cannot tell its own error from the noise, so that the intervals are nearly right and their split into noise and ignorance is not."
    if again:
        text += "\n\nIntervals recalibrated on the validation points (split conformal), counted on the test points:\n\n" + table(
            ["emulator", "function", "level", "holds", "worst bin, points off"], again
        )
    return text


def _knowing(t: Tables) -> str:
    k = t["knowing"]
    if not len(k):
        return ""
    rows = [
        [figures.SHORT.get(str(m), str(m)), str(w), *(", ".join(map(number, some[c])) for c in ("error", "epistemic", "error_median", "epistemic_median", "told"))]
        for (m, w), some in k.groupby(["model", "where"], sort=False)
    ]  # fmt: skip
    made = t["outside"].iloc[0] if len(t["outside"]) else {"points": 0, "inside": 0}
    return (
        f"## Does it know what it does not know?\n\nError of the mean and what members (or {20} draws of dropout) say of it, in the noise of one mock: root mean squares over points and bins, medians of bins, and the rank correlation between points of squared error and claim. Beyond: {int(made['points'])} points with one of log M0, log M1, alpha outside its band.\n\n"
        + table(["emulator", "points", "error", "claimed", "error, median", "claimed, median", "rank correlation"], rows)
    )


def _published(t: Tables) -> str:
    p = t["published"]
    if not len(p):
        return ""
    rows = [[str(int(r.bin)), number(r.xi), number(r.right), number(r.published)] for r in p.itertuples()]
    return (
        "## The published formulas\n\nThe mean and the variance of log xi over the mocks of a point, which is all that a network of log xi can learn, turned into a deviation of xi by the right formula (a log-normal's) and by the published one, over the measured deviation of xi itself; medians over the points at which xi is above 0 in all mocks. 1 is right; no network is in it.\n\n"
        + table(["bin", "xi", "log-normal", "published"], rows)
    )


def _speed(t: Tables) -> str:
    s = t["speed"]
    if not len(s):
        return ""
    peer = s[s.what == "mock by halotools"].seconds
    slow = float(peer.iloc[0]) if len(peer) else np.nan
    rows = [
        [str(r.what), f"{r.seconds * 1e6:,.1f}", number(r.ratio), number(slow / r.seconds), number(float(r.calls))] for r in s.itertuples()
    ]
    return (
        "## Speed\n\nProcessor time on one core, one process, mean over points of the test set; a mock is populated and counted by this package, the halos are there. The ensemble is asked through `QuickEmulator`, and by torch, which gradients need; the published network here has first weights, which are as fast as trained ones. An emulator's answer is the mean and the noise of one point; the *mean* of mocks as good as that would cost many of them.\n\n"
        + table(["what", "microseconds", "times faster than a mock", "than one by halotools", "measured on"], rows)
        + _limit(s)
    )


def _limit(s: pd.DataFrame) -> str:
    """What keeps an answer from being faster."""
    at = s.set_index("what").seconds
    whole, products = at.get(f"{OURS}, batched"), at.get(f"{OURS}, matrix products alone, batched")
    if whole is None or products is None:
        return ""
    return f"\n\nOf the {1e6 * float(whole):.2f} microseconds of a batched answer {1e6 * float(products):.2f} are matrix products of the networks of the mean and of the noise, at the pace of the linear algebra library on one core; without anything else they would be {number(float(at['mock'] / products))} times faster than a mock. Nonlinearities, numbers of halos, and means over the ensemble with their deviations are one compiled pass each."


def _flips(t: Tables) -> str:
    f = t["flips"]
    if not len(f):
        return ""
    names = {"e": "itself", "r": "both signs", "s": "sign of mu_cen", "sr": "sign of mu_sat"}
    rows = [
        [names.get(str(e), str(e)), ", ".join(map(number, some.coherence)), ", ".join(map(number, some.null))]
        for e, some in f.groupby("element", sort=False)
    ]
    return (
        "## Which simulations teach which?\n\nxi counts pairs, whatever the axes do: flipping the sign of an alignment leaves it alone. The ensemble is built so that its xi cannot see a strength, so that a mock teaches the flipped point all that it teaches its own; the same instrument shows it. Coherence of the gradients of xi at a point and at the flipped one (1: a step on one lowers the loss of the other as its own would), beside other points: what is above that is shared by the symmetry and not by all points alike.\n\n"
        + table(["flipped", "coherence, seeds", "other points"], rows)
    )


def _of_published(t: Tables) -> str:
    s, c = t.meta["settings"], t["calibration"]
    if not len(c) or not (c.model == "iaemu").any():
        return "- The published network was not trained: some tens of epochs on this set take hours on one core. Its formulas and its speed are here, its errors are not."
    mocks = number(float(t["set"].rows.iloc[0] * 0.7) if len(t["set"]) else np.nan)
    return f"- The published network is trained with one seed and {s['published_epochs']} epochs of {mocks} mocks (published: 500 epochs of a hundred times as many), so its errors here are no judgement of it; its formulas are. Of xi they are errors of the mean of a log-normal, $e^{{m + s^2/2}}$: after so few epochs the network claims at a few points, while dropout is drawn, a variance of log xi that makes this mean astronomically large; with fixed weights it does not. The published formula, which takes the median for the mean, would hide that; intervals, which do not need the mean, are fair."


def _missing(t: Tables) -> str:
    m = t.meta
    left = m["planned_runs"] - m["measured_runs"]
    lines = [
        f"- {left} planned parts were not run." if left else "- All planned parts are here.",
        _of_published(t),
        "- Bolshoi-Planck halos, the jackknife covariance of TNG300 and the published error table cannot be had here. One cosmology, one redshift, one box.",
        "- Ranks and speeds are of one trained seed"
        + (
            ", the posterior and its grid of one mock."
            if len(t["posterior"])
            else "; the posterior of one mock beside direct simulation is among the parts that were not run."
        ),
        f"- {t.meta['settings']['shards'] * t.meta['settings']['points']:,} points with {t.meta['settings']['realisations']} mocks each were made, fewer than the 5,000 with 10 that were planned: the machine was shared, not the mocks too costly.",
        "- Satellites are aligned with a constant strength: no law of it with the distance from the centre.",
    ]
    return "## What is missing\n\n" + "\n".join(lines)
