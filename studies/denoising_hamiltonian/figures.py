"""The figure of the study: errors of forecasts by horizon, and of filled frames by gap."""

import io
from pathlib import Path

import matplotlib.pyplot as plt
from harness import Tables

from orbitscope._whole import write_whole

STEM = "denoising-hamiltonian"
COLOURS = {"hamiltonian_map": "#0072B2", "dhn": "#D55E00", "hnn": "#009E73", "motion_mlp": "#666666"}
LABELS = {"hamiltonian_map": "generating function", "dhn": "DHN (4, 2)", "hnn": "HNN, leapfrog", "motion_mlp": "residual perceptron"}
SPLINES = {"cubic spline": ":", "Hermite, true velocity": "--"}


def draw(t: Tables, docs: Path) -> str:
    """Write the figure; the Markdown that shows it."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    f, r = t["forecast"], t["refine"]
    for model, colour in COLOURS.items():
        some = f[(f.model == model) & (f.codes == "fit")] if len(f) else f
        for n, (_, one) in enumerate(some.groupby("seed") if len(some) else ()):
            left.plot(one.horizon, one["median"], "o-", color=colour, label=LABELS[model] if not n else None, ms=4)
        some = r[(r.model == model) & (r.method == "map")] if len(r) else r
        for _, one in some.groupby("seed") if len(some) else ():
            right.plot(one.gap, one["median"], "o-", color=colour, ms=4)
    if len(f):
        still = f.drop_duplicates("horizon")
        left.plot(still.horizon, still.persistence_median, "k:", label="persistence")
    for method, style in SPLINES.items():
        some = r[r.method == method].drop_duplicates("gap") if len(r) else r
        if len(some):
            right.plot(some.gap, some["median"], style, color="k", label=method)
    for axis, words in ((left, "horizon (frames)"), (right, "known: every ... frame")):
        axis.set(xscale="log", yscale="log", xlabel=words, ylabel="mean square error of the angle")
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=8, frameon=False)
    for axis, ticks in ((left, sorted(set(f.horizon)) if len(f) else []), (right, sorted(set(r.gap)) if len(r) else [])):
        axis.set_xticks(ticks, [str(k) for k in ticks])
        axis.minorticks_off()
    left.set_title("forecasts of other motions of new systems", fontsize=10)
    right.set_title("frames filled in between", fontsize=10)
    stream = io.BytesIO()
    figure.savefig(stream, dpi=150, metadata={"Software": None})
    plt.close(figure)
    write_whole(docs / f"{STEM}-errors.png", lambda part: part.write_bytes(stream.getvalue()))
    words = "Median over motions, in units of a right angle squared, a line for each seed; left with fitted codes, right filled frames."
    return f"![{words}]({STEM}-errors.png)\n\n*{words}*"
