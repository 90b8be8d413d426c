"""The figures of the study: what was earned over the years, and how far positions are from the symmetries."""

import io
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from comparing import ARMS, RULES, months
from harness import Tables

from orbitscope._whole import write_whole

STEM = "trading"
COLOURS = {
    "plain": "#666666", "augmented-reflection*swap": "#009E73", "exact-reflection": "#56B4E9", "exact-swap": "#CC79A7",
    "exact-reflection*swap": "#0072B2", "relaxed-reflection*swap": "#D55E00", "residual-reflection*swap": "#E69F00", "flat": "#000000",
    "buy and hold": "#000000", "momentum": "#999999", "reversal": "#BBBBBB",
}  # fmt: skip
STYLES = {"flat": ":", "buy and hold": "--", "momentum": "-.", "reversal": ":"}


def draw_wealth(t: Tables, docs: Path) -> str:
    """Sums of net returns."""
    wide = months(t)
    if not len(wide):
        return ""
    figure, axis = plt.subplots(figsize=(8, 3.8), layout="constrained")
    days = np.asarray(wide.index, dtype="datetime64[M]")
    for name in (n for n in (*RULES, *ARMS) if n in wide):
        axis.plot(days, 100 * wide[name].cumsum(), STYLES.get(name, "-"), color=COLOURS[name], lw=1.3, label=ARMS.get(name, name))
    axis.set(ylabel="sum of net returns (% of the capital)", xlabel="month that was not learnt from")
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    words = "Net returns added up over the judged years: rules without learning in black and grey, networks (mean over seeds) in colours."
    return _written(figure, docs / f"{STEM}-wealth.png", words)


def draw_fit(t: Tables, docs: Path) -> str:
    """What each arm earned on days that it was fitted on, and on later ones."""
    f = t["earned"]
    if "arm" not in f or not len(f):
        return ""
    f = f[(f.case == "policy") & np.isclose(f.at_cost, t.meta["settings"]["cost"])]
    names = [a for a in ARMS if a in set(f.arm)]
    figure, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
    for k, (column, label, colour) in enumerate((("in_sample", "days fitted on", "#BBBBBB"), ("net", "the year after", "#0072B2"))):
        values = [100 * f[f.arm == a][column] for a in names]
        place = np.arange(len(names)) + 0.36 * (k - 0.5)
        axis.bar(place, [v.mean() for v in values], 0.34, color=colour, label=label)
        for x, v in zip(place, values, strict=True):
            axis.plot([x] * len(v), v, ".", color="k", ms=3)
    axis.axhline(0, color="k", lw=0.6)
    axis.set_xticks(range(len(names)), [ARMS[n].replace(", ", ",\n").replace(" and ", "\nand ") for n in names], fontsize=8)
    axis.set_ylabel("net return (% of the capital per year)")
    axis.legend(frameon=False, fontsize=8)
    words = "Net return on the days that a network was fitted on and on those of the year after: bars are means, dots are seeds."
    return _written(figure, docs / f"{STEM}-fit.png", words)


def _written(figure: Any, path: Path, words: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    write_whole(path, lambda part: part.write_bytes(buffer.getvalue()))
    return f"![{words}]({path.name})\n\n*{words}*"
