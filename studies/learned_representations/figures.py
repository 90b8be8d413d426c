"""The figures of the page: exact answers against the length of words, and against the number of training words."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from study import CAST, TASKS

from orbitscope._whole import write_whole

COLOURS = {
    "matrixnet": "#0072B2", "householder": "#0072B2", "householder, classes": "#7570B3", "fixed": "#555555",
    "LSTM": "#D55E00", "transformer": "#CC79A7",
    "perceptron": "#E69F00", "published, tanh": "#009E73", "published, tanh and relations": "#56B4E9", "expm": "#009E73",
    "expm, twice the size": "#56B4E9", "matrixnet, whole product": "#8C564B", "fixed, same head": "#BBBBBB",
}  # fmt: skip


def draw(models: pd.DataFrame, lengths: pd.DataFrame, docs: Path) -> None:
    """Write the figures."""
    tasks = [t for t in TASKS if TASKS[t].beyond and (lengths["task"] == t).any()]
    columns = min(3, len(tasks))
    rows = -(-len(tasks) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.6 * columns, 2.9 * rows), layout="constrained", squeeze=False)
    for ax in axes.flat[len(tasks) :]:
        ax.axis("off")
    for ax, task in zip(axes.flat, tasks, strict=False):
        _lengths(ax, task, models, lengths)
    _save(figure, docs / "learned-representations-length.png")
    few = models[(models["task"] == "braid3")]
    if few["part"].nunique() > 1:
        figure, ax = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
        few = few.assign(words=few.groupby("part")["training_words"].transform("median"))  # which differs a little from seed to seed
        for name in COLOURS:
            mine = few[(few["model"] == name) & few["model"].isin(few.loc[few["part"] < 1, "model"])]
            if len(mine):
                _line(ax, mine, "words", name)
        ax.set(xscale="log", xlabel="training words", ylabel="exact on held-out braids", ylim=(0, 1.02), title="Braids of three strands")
        ticks = sorted(few["words"].unique())
        ax.set_xticks(ticks, [f"{k:,.0f}" for k in ticks], fontsize=8)
        ax.minorticks_off()
        ax.legend(fontsize=7, frameon=False)
        _save(figure, docs / "learned-representations-few.png")


def _lengths(ax: plt.Axes, task: str, models: pd.DataFrame, lengths: pd.DataFrame) -> None:
    held = models[(models["task"] == task) & (models["part"] == 1)].assign(length=TASKS[task].length)
    longer = lengths[lengths["task"] == task]
    for name in CAST[task]:
        if name in COLOURS and (longer["model"] == name).any():
            both = pd.concat([held[held["model"] == name], longer[longer["model"] == name]])
            _line(ax, both, "length", name)
    ax.axvline(TASKS[task].length, color="#999999", lw=1, ls=":")
    ticks = sorted({TASKS[task].length, *TASKS[task].beyond})
    ax.set(xscale="log", ylim=(0, 1.02), title=task, xlabel="letters of a word", ylabel="part exactly right")
    ax.set_xticks(ticks, [str(t) for t in ticks], fontsize=7)
    ax.minorticks_off()
    ax.legend(fontsize=6, frameon=False, loc="lower left")


def _line(ax: plt.Axes, rows: pd.DataFrame, x: str, name: str) -> None:
    found = rows.groupby(x)["exact"].agg(["median", "min", "max"])
    ax.plot(found.index, found["median"], "o-", ms=3, lw=1.3, color=COLOURS[name], label=name)
    ax.fill_between(found.index.to_numpy(float), np.asarray(found["min"]), np.asarray(found["max"]), color=COLOURS[name], alpha=0.15, lw=0)


def _save(figure: plt.Figure, path: Path) -> None:
    write_whole(path, lambda part: figure.savefig(part, dpi=120, format="png"))
    plt.close(figure)
