"""The figure of the suite: what holds and what does not, case by case, and a planted breaking against what was measured of it."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter
from study import EVERY
from tables import planted

from orbitscope._whole import write_whole

HELD, BROKEN, LIMIT = "#0072B2", "#D55E00", "#555555"


def draw(frame: pd.DataFrame, crooked: pd.DataFrame, limit: float, docs: Path) -> list[str]:
    """Write the figures; their names. `crooked`: the table with planted breakings."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 5), gridspec_kw={"width_ratios": [1.7, 1]}, layout="constrained")
    _spectrum(left, frame, limit)
    _planted(right, crooked, limit)
    write_whole(docs / "discovery-suite.png", lambda part: figure.savefig(part, dpi=110, format="png"))
    plt.close(figure)
    return ["suite"]


def _spectrum(axes: plt.Axes, frame: pd.DataFrame, limit: float) -> None:
    plain = frame[(frame["method"] == "gradient") & (frame["planted"] == 0)]
    names = [n for n in EVERY if (plain["case"] == n).any()]
    for k, name in enumerate(names):
        mine = plain[plain["case"] == name]
        spread = np.linspace(-0.25, 0.25, len(mine)) if len(mine) > 1 else np.zeros(1)
        for column, colour in (("accepted", HELD), ("refused", BROKEN)):
            size = np.sqrt(mine[column].clip(lower=1e-6))
            axes.plot(size, k + spread, "o", ms=3.5, color=colour, alpha=0.8, lw=0)
    axes.axvline(np.sqrt(limit), color=LIMIT, lw=1, ls="--")
    axes.set(
        xscale="log", yticks=range(len(names)), yticklabels=names, xlabel="breaking, over that of unrelated examples",
        title="Largest of the accepted directions (blue), smallest of the refused (red)",
    )  # fmt: skip
    axes.title.set_fontsize(9)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)


def _planted(axes: plt.Axes, frame: pd.DataFrame, limit: float) -> None:
    found = planted(frame)
    found = found[found.index > 0]
    axes.errorbar(
        found.index, found["size"], [found["size"] - found["low"], found["high"] - found["size"]], fmt="o-", color=HELD, ms=4, capsize=2
    )  # fmt: skip
    axes.axhline(np.sqrt(limit), color=LIMIT, lw=1, ls="--")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="size of the planted breaking",
        ylabel="measured breaking",
        title="circle, breaking planted",
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    axes.set_xticks(list(found.index), [f"{size:g}" for size in found.index])
    axes.title.set_fontsize(9)
    axes.grid(alpha=0.3)
