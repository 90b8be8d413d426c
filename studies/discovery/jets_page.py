# ruff: noqa: E501 - prose templates
"""The section on jets of the study's page, and its figure, from the tables of `jets.py`: no number in it is typed in by hand."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from harness import Tables, table, took, versions

FIGURE = "discovery-jets.png"
TARGETS = {"label": "top against background", "girth": "width above its median (control)", "shuffled": "shuffled labels (control)"}
FORMS = {
    "crossed": "crossed form, Frobenius norm",
    "mean": "mean of the two taggers' forms",
    "library": "the library's own, S / D",
    "atlas": "AtlasD's search, 7 generators",
}
COLUMNS = {
    "six": "six, no seventh", "six_in_seven": "six within seven (published score)", "width_three": "three, {Kz, Rxy, D}", "metric": "metric", "l3/l4": "l3/l4",
    "l6/l7": "l6/l7", "l7/l8": "l7/l8",
}  # fmt: skip
# (target, column, whether more is better, full, quick); on the crossed form, every pool has to meet it.
BARS = (
    ("label", "six", True, 0.999, 0.99), ("label", "metric", True, 0.9999, 0.9999), ("label", "l6/l7", False, 0.3, 0.6),
    ("label", "l7/l8", False, 0.03, None), ("girth", "width_three", True, 0.999, None), ("girth", "six", False, 0.5, None),
    ("shuffled", "six_in_seven", False, 0.6, 0.6),
)  # fmt: skip
_LIKE = {
    "Kx": "boost x",
    "Ky": "boost y",
    "Kz": "boost along the beam",
    "Rxy": "turn about the beam",
    "Rxz": "turn xz",
    "Ryz": "turn yz",
    "D": "dilation",
}


def section(results: Path, quick: Path | None = None) -> str:
    """Markdown of the section from the folder of the full study's tables, and of the quick one's where there is one."""
    t = Tables(results)
    parts = [
        _head(t),
        _bars(t, 3),
        _answers(t),
        f"![Spectra of the forms](discovery-jets.png)\n\n*{_caption()}*",
        _scores(t),
        _trap(t),
        _along(t),
        _finite(t),
    ]
    if quick is not None and (quick / "meta.json").exists():
        q = Tables(quick)
        parts += [f"### The quick configuration: {q.meta['settings']['jets']:,} jets", _bars(q, 4), _answers(q)]
    return "\n\n".join(p for p in parts if p)


def draw(results: Path, docs: Path) -> Path:
    """The spectra of the crossed forms of all targets and pools; returns the picture's path."""
    spectrum = Tables(results)["spectrum"]
    spectrum = spectrum[spectrum.form == "crossed"]
    figure, axes = plt.subplots(1, len(TARGETS), figsize=(11, 3.4), sharex=True)
    for axis, (target, words) in zip(axes, TARGETS.items(), strict=True):
        for (pool, block), marker in zip(spectrum[spectrum.target == target].groupby("pool"), "osD^v", strict=False):
            size = block.value.abs()
            axis.plot(block.direction, size, marker=marker, ms=4, lw=0.8, label=f"pool {pool}", color="#0072B2", mfc="white")
            axis.plot(block.direction[block.value < 0], size[block.value < 0], marker="x", ls="", color="#D55E00")
        for gap in (3.5, 6.5, 7.5):
            axis.axvline(gap, color="#bbbbbb", lw=0.6, ls=":")
        axis.set(yscale="log", title=words, xlabel="direction of gl(4)")
        axis.grid(axis="y", color="#e4e4e4", lw=0.6)
    axes[0].set_ylabel("squared change of the logit")
    axes[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    docs.mkdir(parents=True, exist_ok=True)
    figure.savefig(docs / FIGURE, dpi=110, metadata={"Software": None}, facecolor="white")
    plt.close(figure)
    return docs / FIGURE


def _caption() -> str:
    return "Eigenvalues of the crossed form of two taggers on held-out jets, a line per pool; crosses: negative within the noise, size drawn. Dotted: after three, six and seven directions. Top: six, then dilation, then the nine that leave the light cone; the width: three, then four; shuffled: nothing."


def _head(t: Tables) -> str:
    s, data = t.meta["settings"], t["data"]
    pools = sorted(data.pool.unique())
    medians = {label: data[data.label == label].mass_50.median() for label in (0, 1)}
    skill = t["answers"]
    areas = skill[skill.target == "label"][["area_1", "area_2"]].to_numpy()
    return f"""## Jets of top quarks

Can so(1,3) be found from jets alone? {len(pools)} independent pool{"s" if len(pools) > 1 else ""} of {s["jets"]:,} jets each, made here by Pythia and FastJet (14 TeV, truth level, anti-kT of radius 0.8, 550 to 1000 GeV, half of them tops; median masses {medians[1]:.0f} and {medians[0]:.0f} GeV).
The spectrum of pT is flattened and the events' weights are ignored. A tagger sees the four-momenta of three exclusive-kT subjets in the detector's frame, in units of 100 GeV, and no mass, no metric and no moved copy.
Two taggers are trained on halves that share no event; all that follows is measured on a fifth of the jets that neither has seen. The Frobenius norm on gl(4) supposes E and p in one unit, c = 1.
Areas under the taggers' curves: {areas.min():.3f} to {areas.max():.3f}. {took(t.meta)}; {versions(t.meta)}; {t.meta["date"]}. Processor time without the jets: {skill.cpu_seconds.sum() / 60:.0f} minutes."""


def _bars(t: Tables, column: int) -> str:
    """Each bar with the worst pool's figure: met or missed."""
    when = "with settings fixed on other jets before any tagger saw these" if column == 3 else "on the jets on which settings were chosen"
    words = f"Judged on the crossed form under the Frobenius norm, {when}:\n\n"
    rows = [[*row[:-1], row[-1] if row[-1] == "met" else f"**{row[-1]}**"] for row in bars(t, column)]
    return words + table(["Target", "Measured: smallest cosine, or ratio of squares", "Bar, for every pool", "Found", ""], rows)


def bars(t: Tables, column: int = 3) -> list[list[str]]:
    """Every bar of the full study (3) or the quick one (4): target, what is measured, bar, every pool's figure, "met" or "missed"."""
    scores, rows = t["scores"], []
    for bar in BARS:
        target, name, more, limit = *bar[:3], bar[column]
        if limit is None:
            continue
        found = scores[(scores.target == target) & (scores.form == "crossed")][name]
        if not len(found):
            continue
        worst = found.min() if more else found.max()
        met = worst > limit if more else worst < limit
        every = ", ".join(f"{v:.5f}" if more else f"{v:.3f}" for v in found)
        rows.append([TARGETS[target], COLUMNS[name], f"{'>' if more else '<'} {limit:g}", every, "met" if met else "missed"])
    return rows


def _answers(t: Tables) -> str:
    lines = []
    for _, a in (
        t["answers"]
        .sort_values(["target", "pool"], key=lambda c: c.map({k: i for i, k in enumerate(TARGETS)}) if c.name == "target" else c)
        .iterrows()
    ):
        said = a.sentence if a["found"] != "nothing" or "no skill" not in a.sentence else "refused, the taggers have no skill"
        lines.append(f"* {TARGETS[a.target]}, pool {a.pool}: {said}")
    rule = "\n\nThe rule by which the library tells a gap among what holds was settled with these spectra in view; the bars do not depend on it."
    return 'What the library answers (`discover_symmetry(jets, "gl4")`):\n\n' + "\n".join(lines) + rule


def _scores(t: Tables) -> str:
    rows = []
    for target, words in TARGETS.items():
        for form, title in FORMS.items():
            block = t["scores"][(t["scores"].target == target) & (t["scores"].form == form)]
            if len(block):
                rows.append([words, title, *(_range(block[c], 3 if "/" in c else 5) for c in COLUMNS)])
    return "Smallest principal cosines and ratios of neighbours in the spectrum, median (range) over pools:\n\n" + table(
        ["Target", "Form", *COLUMNS.values()], rows
    )


def _range(values: pd.Series, digits: int) -> str:
    known = values.dropna()
    if not len(known):
        return "–"
    digits = digits if known.median() > 0.9 else 3
    middle = f"{known.median():.{digits}f}"
    return middle if len(known) == 1 else f"{middle} ({known.min():.{digits}f} to {known.max():.{digits}f})"


def _trap(t: Tables) -> str:
    """The published score, and what passes it."""
    s = t["scores"]
    girth, label = (s[(s.target == k) & (s.form == "crossed")] for k in ("girth", "label"))
    if not len(girth):
        return ""
    return f"""**The published score certifies collimation.** It asks whether so(1,3) lies within seven directions. The label passes it at {_range(label.six_in_seven, 5)}; a width in the detector's frame, which no boost across the beam leaves alone, passes it too, at {_range(girth.six_in_seven, 5)}.
Jets are narrow, and whatever depends on their opening angles changes much more along the nine directions that leave the light cone than along the seven that keep it. What tells the two apart is the gap within the seven: the label's lowest six are so(1,3) (l6/l7 {_range(label["l6/l7"], 3)}), the width's lowest three are the boost and the turn along the beam and dilation (l3/l4 {_range(girth["l3/l4"], 3)})."""


def _along(t: Tables) -> str:
    frame = t["along"].pivot_table(index="generator", columns="target", values="value", aggfunc="median", sort=False)
    rows = [[f"{k}, {_LIKE[k]}", *(f"{frame.loc[k, c]:.3g}" if c in frame else "–" for c in TARGETS)] for k in _LIKE if k in frame.index]
    text = "The crossed form along each true generator (median over pools):\n\n" + table(["Generator", *TARGETS.values()], rows)
    if "label" in frame:
        ratio = np.sqrt(frame.loc["D", "label"] / frame.loc[["Kx", "Ky"], "label"].mean())
        text += f"\n\nBoosts across the beam are a little broken, {ratio:.1f} times less than dilation in size: so(1,3) is an approximate symmetry of this label in this window of pT, not an exact one of the tagger."
    return text


def _finite(t: Tables) -> str:
    frame = t["finite"][t["finite"].target == "label"]
    if not len(frame):
        return ""
    wide = frame.pivot_table(index="motion", columns="size", values="change", aggfunc="median")
    rows = [[m, *(f"{wide.loc[m, c]:.3f}" for c in wide.columns)] for m in ("found", "so(1,3)", "dilation", "gl(4)") if m in wide.index]
    return (
        "Finite motions, the label: change of the answers over that of unrelated jets, by the motion's size (Frobenius norm of X):\n\n"
        + table(["Along", *(f"{c:g}" for c in wide.columns)], rows)
    )
