# ruff: noqa: E501 - prose templates
"""docs/studies/denoising-hamiltonian.md from the tables of the study: no number in it is typed in by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import figures
import numpy as np
import pandas as pd
from harness import Tables, table, versions

from orbitscope._whole import write_whole

PAGE = "denoising-hamiltonian.md"
CONSISTENT = "hamiltonian_map"
NAMES = {
    "hamiltonian_map": "midpoint generating function", "dhn": "DHN (4, 2) as published, perceptrons", "hnn": "HNN, leapfrog", "motion_mlp": "residual perceptron",
}  # fmt: skip


@dataclass(frozen=True)
class Bar:
    """One bar: what is measured, of the table and rows that `of` takes, and whether every seed has to lie below or above the limit."""

    words: str
    of: Callable[[Tables], pd.Series]
    limit: float
    above: bool = False

    def judged(self, t: Tables) -> list[str]:
        """The row of the page."""
        values = self.of(t).dropna().to_numpy(float)
        sign = "≥" if self.above else "≤"
        if not len(values):
            return [self.words, f"{sign} {_n(self.limit)}", "–", "not measured"]
        fine = values >= self.limit if self.above else values <= self.limit
        word = "met" if fine.all() else f"missed by {int((~fine).sum())} of {len(fine)} seeds"
        if not fine.all():
            worst = values.min() / self.limit if self.above else values.max() / self.limit
            word += f", worst {_n(worst)} of the bar"
        return [self.words, f"{sign} {_n(self.limit)}", ", ".join(map(_n, values)), word]


def _n(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:.3g}"


def _forecast(horizon: int) -> Callable[[Tables], pd.Series]:
    def of(t: Tables) -> pd.Series:
        f = t["forecast"]
        return f[(f.model == CONSISTENT) & (f.codes == "fit") & (f.horizon == horizon)]["median"]

    return of


def _energy(what: str) -> Callable[[Tables], pd.Series]:
    return lambda t: t["energy"][(t["energy"].model == CONSISTENT) & (t["energy"].codes == "fit")][what]


def _structure(what: str) -> Callable[[Tables], pd.Series]:
    return lambda t: t["structure"][t["structure"].model == CONSISTENT].get(what, pd.Series(dtype=float))


def _ahead(gap: int) -> Callable[[Tables], pd.Series]:
    def of(t: Tables) -> pd.Series:
        r = t["refine"]
        r = r[(r.model == CONSISTENT) & (r.gap == gap)].pivot(index="seed", columns="method", values="median")
        return r["Hermite, true velocity"] / r["map"] if "map" in r else pd.Series(dtype=float)

    return of


BARS = (
    Bar("error of the angle, median, up to 32 frames", _forecast(32), 3e-4),
    Bar("the same up to 120 frames", _forecast(120), 3e-3),
    Bar("energy, root mean square in the last quarter (J)", _energy("rms"), 0.03),
    Bar("energy, secular part (J)", _energy("secular"), 0.01),
    Bar("symplectic defect of 16 frames", _structure("defect16"), 1e-10),
    Bar("reversal after 16 frames", _structure("reversal16"), 1e-10),
    Bar("R² of a linear probe of the code for the length, new systems", lambda t: t["probe"][(t["probe"].model == CONSISTENT) & (t["probe"].codes == "fit")].r2, 0.98, True),
    Bar("super-resolution, every 4th frame known: times ahead of Hermite with the true velocity (median)", _ahead(4), 3, True),
    Bar("the same, every 8th", _ahead(8), 50, True),
)  # fmt: skip


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    t = Tables(results, ["model", "seed", "codes"])
    drawn = figures.draw(t, docs)
    parts = [_head(t), _bars(t), drawn, _forecasts(t), _kept(t), _refined(t), _probes(t), _questions(t), _missing(t)]
    write_whole(docs / PAGE, lambda part: part.write_text("\n\n".join(p for p in parts if p) + "\n", encoding="utf-8"))
    return docs / PAGE


def _head(t: Tables) -> str:
    s, m = t.meta["settings"], t.meta
    cost = t["cost"].groupby("model").cpu_seconds.mean() if len(t["cost"]) else pd.Series(dtype=float)
    spent = ", ".join(f"{NAMES.get(str(k), str(k))} {v:.0f} s" for k, v in cost.items())
    return f"""# Study: mechanics without integrators

The Denoising Hamiltonian Network (Deng et al., arXiv:2503.07596) learns operators between blocks of frames; its two scalar networks are not tied to each other, so its forecasts are not symplectic. Here it stands beside a consistent variant, one midpoint generating function S with $x_1 = x_0 + \\Omega \\nabla S((x_0 + x_1)/2; z)$, and beside two baselines. What a map is asked for is stricter than in the paper: {s["systems"]} pendulums of unknown length with four starts each; 70 of 100 are trained on, and for a *new* pendulum the code z is known from 16 frames of one motion, while its *other three* motions are forecast and refined.

`python studies/denoising_hamiltonian/run.py --config {s["name"]}.toml` makes this page. Trained here: {m["measured_runs"]} of {m["planned_runs"]} planned runs, seeds {", ".join(map(str, s["seeds"]))}, {s["epochs"]} epochs, batches of {s["batch"]}. Processor seconds of a training with its measurement: {spent} ({m["timing"].get("machine", "machine not known")}); {versions(m)}.

Errors of an angle are mean squares in units of a right angle, as published, up to a horizon; the median over motions stands first, as a few lost motions decide a mean. A frame is 10/128 s; 120 frames are 4 to 7 periods. Codes are fitted (Levenberg-Marquardt with the prior of the training's codes) unless "reader" is said: the encoder that is trained with the map."""


def _bars(t: Tables) -> str:
    rows = [bar.judged(t) for bar in BARS]
    planned, have = len(t.meta["settings"]["seeds"]), int((t["cost"].model == CONSISTENT).sum()) if len(t["cost"]) else 0
    text = f"One number per seed; a bar is met where every seed that is trained so far meets it: {have} of {planned} planned."
    return f"## Bars for the consistent variant\n\n{text}\n\n" + table(["measure", "bar", "seeds", "judged"], rows)


def _each(values: pd.Series) -> str:
    return ", ".join(map(_n, values.to_numpy(float))) if len(values) else "–"


def _models(frame: pd.DataFrame) -> list[str]:
    return [m for m in NAMES if m in set(frame.model)]


def _forecasts(t: Tables) -> str:
    f, rows = t["forecast"], []
    horizons = sorted(set(f.horizon))
    for codes in ("fit", "reader"):
        for model in _models(f):
            some = f[(f.model == model) & (f.codes == codes)]
            rows.append(
                [
                    NAMES[model],
                    codes,
                    *(f"{_each(some[some.horizon == h]['median'])} / {_each(some[some.horizon == h]['mean'])}" for h in horizons),
                ]
            )
    still = [f"{_n(f[f.horizon == h].persistence_median.median())} / –" for h in horizons]
    rows.append(["persistence", "–", *still])
    return "## Forecasts of other motions of new systems\n\nMedian / mean, a number per seed.\n\n" + table(
        ["map", "codes", *(f"{h} frames" for h in horizons)], rows
    )


def _kept(t: Tables) -> str:
    e, s, rows = t["energy"], t["structure"], []
    for model in _models(e):
        some, form = e[(e.model == model) & (e.codes == "fit")], s[s.model == model]
        defect = [_each(form[k].dropna()) if k in form else "–" for k in ("defect1", "defect16")]
        rows.append([NAMES[model], _each(some.rms), _each(some.secular), *defect, _each(form.reversal16)])
    mean = _n(e["mean"].mean()) if len(e) else "–"
    return f"""## What is kept

Energy from the true H, in J (its mean above the least start: {mean} J). Symplectic defect $|J^\\top \\Omega J - \\Omega|_F$ by automatic differentiation, worst of several states; it is not defined for a map of overlapping blocks, and is left out there. Reversal: 16 frames on, momenta reversed, 16 frames back; worst motion.

""" + table(["map", "energy rms, last quarter", "secular", "defect, 1 frame", "16 frames", "reversal"], rows)


def _refined(t: Tables) -> str:
    r, rows = t["refine"], []
    gaps = sorted(set(r.gap))
    for method in ("cubic spline", "Hermite, true velocity"):
        some = r[r.method == method].drop_duplicates(["gap"]).set_index("gap")
        rows.append([method, *(f"{_n(some.loc[g, 'median'])} / {_n(some.loc[g, 'mean'])}" for g in gaps)])
    for model in _models(r):
        some = r[(r.model == model) & (r.method == "map")]
        if len(some):
            rows.append([NAMES[model], *(f"{_each(some[some.gap == g]['median'])} / {_each(some[some.gap == g]['mean'])}" for g in gaps)])
    return (
        "## Super-resolution\n\nError over the filled frames only, median / mean; maps step on from the left and back from the right and blend. Hermite is given the true velocity at the known frames.\n\n"
        + table(["method", *(f"every {g}th frame" for g in gaps)], rows)
    )


def _probes(t: Tables) -> str:
    p = t["probe"]
    rows = [[NAMES[m], *(_each(p[(p.model == m) & (p.codes == c)].r2) for c in ("fit", "reader"))] for m in _models(p)]
    return (
        "## What the code tells\n\nR² of a linear fit of the length by the code, fitted on systems of the training, tested on new ones.\n\n"
        + table(["map", "fitted code", "reader's code"], rows)
    )


def _questions(t: Tables) -> str:
    f = t["forecast"]
    at = {m: f[(f.model == m) & (f.codes == "fit") & (f.horizon == 120)]["median"].to_numpy(float) for m in _models(f)}
    drift = {m: t["energy"][(t["energy"].model == m) & (t["energy"].codes == "fit")].secular.to_numpy(float) for m in _models(t["energy"])}
    said = []
    if len(at.get(CONSISTENT, [])):
        for other in ("dhn", "motion_mlp", "hnn"):
            if len(at.get(other, [])):
                ratio, drifts = np.median(at[other]) / np.median(at[CONSISTENT]), np.median(drift[other]) / np.median(drift[CONSISTENT])
                said.append(
                    f"* {NAMES[other]} against the consistent variant, medians over seeds: error at 120 frames {_n(ratio)} times as large, secular change of energy {_n(drifts)} times."
                )
    text = "## The three questions that the paper leaves open\n\n"
    text += "Does the consistent variant keep more?\n\n" + ("\n".join(said) or "Not answered: the other maps were not trained here.")
    return (
        text
        + "\n\nDoes denoising or the Hamiltonian structure do the work? Does block length help beyond a Lyapunov time? Neither is answered by this configuration: it has one block and stride, and a regular system."
    )


def _missing(t: Tables) -> str:
    planned = [(m, s) for m in t.meta["settings"]["models"] for s in t.meta["settings"]["seeds"]]
    have = set(zip(t["cost"].model, t["cost"].seed, strict=True)) if len(t["cost"]) else set()
    left = [f"{NAMES[m]}, seed {s}" for m, s in planned if (m, s) not in have]
    lines = [f"* Planned and not trained yet: {'; '.join(left)}." if left else "* All planned runs are here."]
    lines += [
        "* The DHN has perceptrons in place of its transformer and a reader in place of an autodecoder; the paper trains for hours. This is no ranking of the published model.",
        "* The double pendulum with valid times in Lyapunov times, other systems, noise, a Gaussian process and SympNets are not part of this configuration.",
        "* Super-resolution by the published network's own scheme is not measured: `refine` needs a map of single frames.",
    ]
    return "## What is missing\n\n" + "\n".join(lines)
