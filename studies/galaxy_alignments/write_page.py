# ruff: noqa: E501 - prose templates
"""docs/studies/galaxy-alignments.md from the tables of the study: no number in it is typed in by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import figures
import numpy as np
import pandas as pd
from harness import Tables, table, took, versions
from judgement import FEWEST

from orbitscope._whole import write_whole

PAGE = "galaxy-alignments.md"
OURS = "alignment_emulator"
COLUMNS = ["part", "model", "seed", "statistic", "what", "parameter", "ranks", "mocks_of"]


def _n(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


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
            return f"{_n(self.low)} to {_n(self.high)}"
        return f"≥ {_n(self.low)}" if np.isfinite(self.low) else f"≤ {_n(self.high)}"

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
            off = [_n(v / self.high) if v > self.high else _n(v / self.low) for v in values[~fine]]
            word = f"missed by {int((~fine).sum())} of {len(values)}, {', '.join(off)} of the bar"
        return [self.words, self.limits, ", ".join(map(_n, values)), word]


def _seeds(of: Callable[[pd.DataFrame], float], statistic: str | None = None) -> Callable[[Tables], list[float]]:
    """A number of the rows of each seed of the ensemble."""

    def found(t: Tables) -> list[float]:
        c = t["calibration"]
        c = c[c.model == OURS]
        if statistic is not None:
            c = c[c.statistic == statistic]
        return [float(of(some)) for _, some in c.groupby("seed")]

    return found


def _percent(c: pd.DataFrame) -> float:
    return float(np.average(c.percent, weights=c.clear)) if c.clear.sum() else float("nan")


def _coverage(column: str, level: float) -> Callable[[pd.DataFrame], float]:
    """The largest distance in points of a statistic's coverage, averaged over bins."""
    return lambda c: float(100 * (c.groupby("statistic")[column].mean() - level).abs().max())


def _ratio(what: str) -> Callable[[Tables], list[float]]:
    return lambda t: [float(v) for v in t["speed"][t["speed"].what == f"{OURS}, {what}"].get("ratio", [])]


def _control_fails(r: pd.DataFrame) -> bool:
    """Whether the sampler fails on the emulator's own mocks, where every rank has to be uniform."""
    return bool(len(r)) and float(r[r.mocks_of == "emulator"].p_value.min()) < 0.05 / 7


def _least_p(t: Tables) -> list[float]:
    r = t["ranks"]
    if _control_fails(r):
        return []
    r = r[r.mocks_of == "simulator"] if len(r) else r
    return [float(some.p_value.min()) for _, some in r.groupby("seed")]


BARS = (
    Bar("xi: mean error in %, bins where the signal exceeds the noise", _seeds(_percent, "xi"), high=3.0),
    Bar("omega: the same", _seeds(_percent, "omega"), high=5.0),
    Bar("error over the noise of one mock, the worst bin of all three", _seeds(lambda c: c.floor_one.max()), high=1.2),
    Bar("eta: squared z-score of a bin, the lowest bin", _seeds(lambda c: c.chi2.min(), "eta"), 0.9, 1.1),
    Bar("eta: the same, the highest bin", _seeds(lambda c: c.chi2.max(), "eta"), 0.9, 1.1),
    Bar("coverage of 68 % intervals, points off, the worst statistic", _seeds(_coverage("covered68", 0.68)), high=3.0),
    Bar("coverage of 95 % intervals, points off, the worst statistic", _seeds(_coverage("covered95", 0.95)), high=3.0),
    Bar("times faster than one mock on the same core, batched", _ratio("batched"), 10_000, single=True),
    Bar("times faster than one mock on the same core, a single query", _ratio("single"), 300, single=True),
    Bar("uniform ranks of the truth, mocks of the simulator: the least p of seven (the level .05 shared by seven)", _least_p, 0.05 / 7, single=True),
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
        _posterior(t),
        _ranks(t),
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

Training set: {_n(float(made.get("points", np.nan)))} parameter points with {s["realisations"]} mocks each, {_n(float(made.get("rows", np.nan)))} in all, {_n(galaxies)} galaxies in a mean one, in one periodic box of {s["box"]:.0f} Mpc/h with halos of at least {s["lightest"]:.0e} solar masses / h; log Mmin from {s["low"]} to {s["high"]}, the other numbers around the published lines in it. This is far less than was published (some 10^5 points) and a narrower range. 70 % of the points are trained on, 15 % choose the epoch, 15 % are the test; mocks of a point never part. {_n(float(made.get("rows_with_xi_below_0", np.nan)))} mocks have a bin with xi ≤ 0: the published training drops them, the ensemble keeps them, as its noise is Gaussian in xi itself and the mean of 1 + xi is given by its logarithm. Settings (width, batch, epochs) were chosen with seed 100 on the validation points; the test points were looked at once, with the seeds below. All halos are those of one box, so that no error here holds the scatter from box to box."""


def _bars(t: Tables) -> str:
    rows = [bar.judged(t) for bar in BARS]
    met = sum(row[-1] == "met" for row in rows)
    text = f"{met} of {len(rows)} are met. Numbers of the ensemble, one for each seed of its training, every one of which has to meet a bar; speeds and ranks are of one run. The counter of pairs has its bar in the benchmarks."
    return f"## Bars\n\n{text}\n\n" + table(["measure", "bar", "found", "judged"], rows)


def _errors(t: Tables) -> str:
    c, rows = t["calibration"], []
    for (model, name), some in c.groupby(["model", "statistic"], sort=False):
        each = [g for _, g in some.groupby("seed")]
        say = lambda f, each=each: ", ".join(_n(float(f(g))) for g in each)  # noqa: E731
        rows.append([
            figures.SHORT.get(str(model), str(model)), str(name), say(_percent), say(lambda g: g.floor_one.median()), say(lambda g: g.floor_one.max()),
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
        "error, %",
        "error / noise of one mock, median bin",
        "worst bin",
        "error / noise of the mean, median bin",
        "68 % holds",
        "95 % holds",
        "chi2, median bin",
        "predicted / measured noise",
        "width / signal's spread",
    ]
    text = "## Errors and error bars on new points\n\nOne number for each seed. The error over the noise of one mock is $\\sqrt{1 + \\delta^2}$ with the emulator's own squared error $\\delta^2$ in units of that noise, the noise of the test mocks taken out; against the mean of all mocks of a point, $\\sqrt{1 + R \\delta^2}$, little errors show more.\n\n"
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
        [figures.SHORT.get(str(m), str(m)), str(w), *(", ".join(map(_n, some[c])) for c in ("error", "epistemic", "error_median", "epistemic_median", "told"))]
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
    rows = [[str(int(r.bin)), _n(r.xi), _n(r.right), _n(r.published)] for r in p.itertuples()]
    wide = (
        " **This network is far from trained**, its noise of log xi is much too wide, so that neither column says how good a trained one is."
        if p.right.median() > 1.5
        else ""
    )
    return (
        "## The published formulas\n\nNoise of xi as the published network predicts it for log xi, turned into a deviation of xi by the right formula (a log-normal's) and by the published one, over the measured scatter of mocks; medians over test points. 1 is right."
        + wide
        + "\n\n"
        + table(["bin", "xi", "log-normal", "published"], rows)
    )


def _speed(t: Tables) -> str:
    s = t["speed"]
    if not len(s):
        return ""
    rows = [[str(r.what), f"{r.seconds * 1e6:,.1f}", _n(r.ratio), _n(float(r.calls))] for r in s.itertuples()]
    return (
        "## Speed\n\nProcessor time on one core, one process, mean over points of the test set; a mock is populated and counted by this package, the halos are there. An emulator's answer is the mean and the noise of one point; the *mean* of mocks as good as that would cost many of them.\n\n"
        + table(["what", "microseconds", "times faster than a mock", "measured on"], rows)
    )


def _posterior(t: Tables) -> str:
    p, c, d = t["posterior"], t["chains"], t["direct"]
    if not len(p):
        return ""
    rows = [
        [str(r.parameter), _n(r.truth), f"{_n(r.median)} ({_n(r.low)} to {_n(r.high)})", _n(r.r_hat), _n(r.ess)] for r in p.itertuples()
    ]
    one = c.iloc[0]
    mock = t["speed"][t["speed"].what == "mock"].seconds if len(t["speed"]) else pd.Series(dtype=float)
    per = float(mock.iloc[0]) if len(mock) else float("nan")
    direct = 1 / (one.evaluations_per_draw * 10 * per) if np.isfinite(per) and per > 0 else float("nan")
    text = f"""## A posterior

All seven numbers from the 60 bins of one mock near the middle of the region, its truth unknown to the training: the No-U-Turn sampler, {int(t.meta["settings"]["chains"])} chains of {int(t.meta["settings"]["draws"])} draws.

{table(["parameter", "truth", "median (68 %)", "R-hat", "effective draws"], rows)}

The fit: chi-squared {_n(one.chi2)} on {int(one.bins)} bins, p = {_n(one.p_value)}; {int(one.divergent)} divergent draws, {_n(float(one.gradients))} gradients, {_n(one.seconds)} s of processor: **{_n(one.ess_per_second)} effective draws a second**. Walkers without gradients need {_n(one.evaluations_per_draw)} likelihoods for an effective draw; with ten mocks for each likelihood, which is not much, direct simulation would make {_n(direct)} a second, {_n(one.ess_per_second / direct)} times fewer."""
    if len(d):
        made = d[d.mocks > 0].iloc[0]
        text += f"\n\nThe two alignments alone, from omega and eta of the same mock with the occupation held at its truth: {int(made.mocks)} mocks on a grid ({_n(made.seconds)} s of processor) against the emulator in the same likelihood.\n\n" + table(
            ["method", "parameter", "truth", "mean", "deviation"], [[str(r.method), str(r.parameter), _n(r.truth), _n(r["mean"]), _n(r.deviation)] for _, r in d.iterrows()]
        )  # fmt: skip
    return text


def _ranks(t: Tables) -> str:
    r = t["ranks"]
    if not len(r):
        return ""
    rows = [
        [str(x.mocks_of), str(x.parameter), str(int(x.mocks)), f"{x.p_value:.2g}", f"{x.covered68:.0%}", f"{x.covered95:.0%}"]
        for x in r.itertuples()
    ]
    control = ""
    if _control_fails(r):
        control = f" **The control fails**: ranks of the emulator's own mocks are not uniform either, so the walkers took too few steps ({int(t.meta['settings']['steps'])} in all) to settle, and this table judges the sampler, not the emulator; the bar is not measured."
    return (
        f"## Are posteriors right on average?\n\nSimulation-based calibration: one mock of each of many test points, and as many of the emulator's own, on the {int(r.bins.iloc[0])} bins that all have. Mocks of the emulator test the sampler; those of the simulator also the emulator, and the prior, which is not quite the design (points with too few galaxies were drawn again).{control}\n\n"
        + table(["mocks of", "parameter", "mocks", "p of uniform ranks", "68 % holds", "95 % holds"], rows)
    )


def _flips(t: Tables) -> str:
    f = t["flips"]
    if not len(f):
        return ""
    names = {"e": "itself", "r": "both signs", "s": "sign of mu_cen", "sr": "sign of mu_sat"}
    rows = [
        [names.get(str(e), str(e)), ", ".join(map(_n, some.coherence)), ", ".join(map(_n, some.null))]
        for e, some in f.groupby("element", sort=False)
    ]
    return (
        "## Which simulations teach which?\n\nxi counts pairs, whatever the axes do: flipping the sign of an alignment leaves it alone. Nobody told the networks. Coherence of the gradients of xi at a point and at the flipped one (1: a step on one lowers the loss of the other as its own would), beside other points: what is above that is shared by the symmetry and not by all points alike.\n\n"
        + table(["flipped", "coherence, seeds", "other points"], rows)
    )


def _missing(t: Tables) -> str:
    s, m = t.meta["settings"], t.meta
    left = m["planned_runs"] - m["measured_runs"]
    lines = [
        f"- {left} planned parts were not run." if left else "- All planned parts are here.",
        f"- The published network is trained with one seed and {s['published_epochs']} epochs of {_n(float(t['set'].rows.iloc[0] * 0.7) if len(t['set']) else np.nan)} mocks (published: 500 epochs of a hundred times as many), so its errors here are no judgement of it; its formulas are.",
        "- Bolshoi-Planck halos, the TNG fit and the published error table cannot be had here. One cosmology, one redshift, one box.",
        "- Ranks and speeds are of one trained seed.",
    ]
    return "## What is missing\n\n" + "\n".join(lines)
