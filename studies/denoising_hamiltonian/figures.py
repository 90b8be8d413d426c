"""The figures of the study: errors of forecasts by horizon and of filled frames by gap, and valid times of the double pendulum."""

import io
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from harness import Tables
from matplotlib.figure import Figure
from page_names import NAMES, listed

from orbitscope._whole import write_whole

STEM = "denoising-hamiltonian"
COLOURS = {
    "hamiltonian_map": "#0072B2", "dhn": "#D55E00", "hnn": "#009E73", "motion_mlp": "#666666", "sympnet": "#CC79A7",
    "motion_transformer": "#E69F00",
}  # fmt: skip
SPLINES = {
    "cubic spline": ("k", ":"), "Hermite, true velocity": ("k", "--"), "Gaussian process": ("#8C564B", ":"),
    "Gaussian process, true velocity": ("#8C564B", "--"),
}  # fmt: skip
GAPS = ("every 4", "every 8", "every 16")


def draw(t: Tables, chaos: Tables | None, docs: Path) -> str:
    """Write the figures; the Markdown that shows them."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
    _horizons(axes[0], t)
    _gaps(axes[1], t)
    words = "Median over motions, in units of a right angle squared, a line for each seed; left with fitted codes, right filled frames,"
    words += " maps in the colours of the left."
    shown = _kept(figure, docs, "errors", words)
    if chaos is not None and len(chaos["chaos"]):
        figure, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
        _valid(axis, chaos)
        words = "Double pendulum: median valid time of chaotic trajectories in their Lyapunov times, a point for each seed; dashed the bar."
        shown += "\n\n" + _kept(figure, docs, "valid", words)
    return shown


def _kept(figure: Figure, docs: Path, name: str, words: str) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, dpi=150, metadata={"Software": None})
    plt.close(figure)
    write_whole(docs / f"{STEM}-{name}.png", lambda part: part.write_bytes(stream.getvalue()))
    return f"![{words}]({STEM}-{name}.png)\n\n*{words}*"


def _horizons(axis: plt.Axes, t: Tables) -> None:
    f = t["forecast"]
    if not len(f):
        return
    for model, colour in COLOURS.items():
        some = f[(f.model == model) & (f.codes == "fit")]
        for n, (_, one) in enumerate(some.groupby("seed")):
            axis.plot(one.horizon, one["median"], "o-", color=colour, label=None if n else NAMES[model], ms=4)
    still = f.drop_duplicates("horizon")
    axis.plot(still.horizon, still.persistence_median, "k:", label="persistence")
    axis.set(xscale="log", yscale="log", xlabel="horizon (frames)", ylabel="mean square error of the angle")
    axis.set_xticks(sorted(set(f.horizon)), [str(h) for h in sorted(set(f.horizon))])
    _tidy(axis, "forecasts of other motions of new systems", loc="center left", bbox_to_anchor=(0, 0.62))  # between the lines


def _gaps(axis: plt.Axes, t: Tables) -> None:
    r = t["refine"]
    gaps = [g for g in GAPS if len(r) and g in set(r.known)]
    for method, (colour, style) in SPLINES.items():
        some = r[r.method == method].drop_duplicates("known").set_index("known") if len(r) else r
        if len(some):
            axis.plot([int(g.split()[1]) for g in gaps], [some.loc[g, "median"] for g in gaps], style, color=colour, label=method)
    for model in ("hamiltonian_map", "hnn", "sympnet", "motion_mlp", "dhn/refine"):
        some = r[(r.model == model) & (r.method == "map")] if len(r) else r
        colour = COLOURS.get(model, COLOURS["dhn"])
        for n, (_, one) in enumerate(some.groupby("seed") if len(some) else ()):
            known = one[one.known.isin(gaps)]
            label = NAMES[model] if model == "dhn/refine" and not n else None
            axis.plot([int(g.split()[1]) for g in known.known], known["median"], "o-", color=colour, ms=4, label=label)
    axis.set(xscale="log", yscale="log", xlabel="known: every ... frame")
    axis.set_xticks([int(g.split()[1]) for g in gaps], [g.split()[1] for g in gaps])
    _tidy(axis, "frames filled in between")


def _valid(axis: plt.Axes, chaos: Tables) -> None:
    c = chaos["chaos"]
    some = c[c.kind == "chaotic"]
    names = listed(some)
    for shift, (where, marker, colour) in enumerate((("published start", "o", "#0072B2"), ("near it", "s", "#E69F00"))):
        one = some[some.start == where]
        axis.plot([names.index(m) + 0.2 * shift - 0.1 for m in one.model], one.lyapunov_times, marker, color=colour, label=where, ms=5)
    axis.axhline(1.7, color="k", ls="--", lw=0.8)
    axis.set_xticks(range(len(names)), [NAMES[m].replace("), ", "),\n").replace("midpoint ", "midpoint\n") for m in names], fontsize=8)
    axis.set(ylabel="valid time (Lyapunov times)", ylim=(0, None), xlim=(-0.6, len(names) - 0.4))
    axis.grid(alpha=0.3, axis="y")
    axis.legend(fontsize=8, frameon=False)


def _tidy(axis: plt.Axes, title: str, **legend: Any) -> None:
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    axis.set_title(title, fontsize=10)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=7, frameon=False, **legend)
