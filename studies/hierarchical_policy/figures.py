"""The figures of the page: success of every arm, and the low level alone against planted errors of its keypose."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from study import ARMS, FULL

from orbitscope._whole import write_whole
from orbitscope.systems.manipulation import wilson

_SHADES = (
    "#0072B2", "#D55E00", "#E69F00", "#CC79A7", "#009E73", "#555555", "#56B4E9", "#882255", "#117733", "#AA4499", "#332288", "#999999",
)  # fmt: skip
COLOURS = dict(zip(ARMS, _SHADES, strict=True))


def draw(cells: pd.DataFrame, tolerance: pd.DataFrame, docs: Path) -> None:
    """Write the figures."""
    tasks = list(dict.fromkeys(cells["task"]))
    figure, axes = plt.subplots(1, len(tasks), figsize=(3.4 * len(tasks) + 1.6, 3.0), layout="constrained", squeeze=False, sharey=True)
    arms = [a for a in ARMS if (cells["arm"] == a).any()]  # the same lines for every task: they share an axis
    for ax, task in zip(axes.flat, tasks, strict=True):
        mine = cells[(cells["task"] == task) & (cells["demos"] == most(cells, task))]
        for place, arm in enumerate(reversed(arms)):
            own = mine[mine["arm"] == arm]
            if own.empty:
                continue
            good, tried = int(own["successes"].sum()), int(own["episodes"].sum())
            low, high = wilson(good, tried)
            ax.plot([100 * low, 100 * high], [place, place], color=COLOURS[arm], lw=2)
            ax.plot(100 * own["successes"] / own["episodes"], np.full(len(own), place), "o", ms=3, color=COLOURS[arm], alpha=0.5)
            ax.plot(100 * good / tried, place, "|", ms=12, mew=2, color=COLOURS[arm])
        ax.set(title=task, xlabel="episodes done, %", xlim=(-3, 103))
        ax.set_yticks(range(len(arms)), list(reversed(arms)))
        ax.grid(axis="x", alpha=0.3)
    _save(figure, docs / "hierarchical-policy-success.png")
    if len(tolerance):
        figure, ax = plt.subplots(figsize=(4.8, 3.1), layout="constrained")
        for task, own in tolerance[tolerance["arm"] == FULL].groupby("task", sort=False):
            mean = own.groupby("error")["found"].agg(["mean", "min", "max"])
            line = ax.plot(mean.index, 100 * mean["mean"], "o-", ms=3, label=task)[0]
            ax.fill_between(mean.index, 100 * mean["min"], 100 * mean["max"], alpha=0.2, color=line.get_color())
        ax.set(xlabel="planted error of the keypose, mm", ylabel="keyframes found, %", ylim=(-3, 103))
        ax.legend(frameon=False, fontsize=8)
        ax.grid(alpha=0.3)
        _save(figure, docs / "hierarchical-policy-tolerance.png")


def most(cells: pd.DataFrame, task: str) -> int:
    """The number of demonstrations for which a task has most cells; the larger of two."""
    counts = cells[cells["task"] == task]["demos"].value_counts()
    return int(counts[counts == counts.max()].index.max())


def _save(figure: plt.Figure, path: Path) -> None:
    write_whole(path, lambda part: figure.savefig(part, dpi=110, format="png"))
    plt.close(figure)
