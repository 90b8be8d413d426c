"""The two figures: error and drift under every move; drift with and without pretraining, by part of the labels."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from tables import NAMES, PRETEXTS, of, summary

from orbitscope._whole import write_whole

COLOURS = {
    "mlp": "#0072B2", "graph": "#D55E00", "token": "#CC79A7", "codebook": "#E69F00", "quadrature": "#009E73", "integral": "#000000",
}  # fmt: skip
_OF_PRETEXT = {"none": "#D55E00", "autoencoder": "#0072B2", "masked": "#CC79A7", "contrast": "#009E73"}


def draw(frame: pd.DataFrame, docs: Path) -> None:
    """Write the figures."""
    moves = [m for m in dict.fromkeys(frame["move"]) if m != "e"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    whole = frame[(frame["pretext"] == "none") & np.isclose(frame["labels"], 1.0)]
    for model in [m for m in NAMES if (whole["model"] == m).any()]:
        for augmented, style in ((0, "o-"), (1, "s--")):
            mine = whole[(whole["model"] == model) & (whole["augmented"] == augmented)]
            if mine.empty:
                continue
            for axes, column, names in ((left, "nmse", ["e", *moves]), (right, "drift", moves)):
                middle = mine.groupby("move")[column].mean().reindex(names)
                axes.plot(range(len(names)), middle, style, color=COLOURS[model], ms=4, lw=1.2, mfc="white" if augmented else None)
    for axes, names, words in ((left, ["e", *moves], "nMSE"), (right, moves, "drift, over the variance of the truth")):
        _axes(axes, names, words)
    right.axhline(0.01, color="#777777", lw=0.9, ls=":")
    handles = [Line2D([], [], color=COLOURS[m], marker="o", ms=4, label=NAMES[m]) for m in NAMES if (whole["model"] == m).any()]
    handles += [Line2D([], [], color="#555555", ls="--", marker="s", mfc="white", ms=4, label="trained on re-meshed shapes")]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8.5, frameon=False)
    _save(figure, docs / "mesh-topology-moves.png")
    _pretraining(summary(frame), docs)


def _axes(axes: Axes, names: list[str], words: str) -> None:
    axes.set(ylabel=words)
    if words.startswith("drift"):
        axes.set(yscale="log")
    else:
        axes.set_ylim(0)
    axes.set_xticks(
        range(len(names)), ["as it was" if n == "e" else n.replace("+", "\n+ ") for n in names], rotation=55, ha="right", fontsize=8
    )
    axes.grid(alpha=0.3)


def _pretraining(runs: pd.DataFrame, docs: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.7), layout="constrained", sharex=True)
    parts = sorted(runs.loc[runs["model"] == "graph", "labels"].unique())
    for augmented, style in ((0, "o-"), (1, "s--")):
        for pretext in PRETEXTS:
            found = [of(runs, "graph", pretext, augmented, share) for share in parts]
            if sum(len(f) > 0 for f in found) < 1:
                continue
            for panel, column in zip(axes, ("moved", "drift"), strict=True):
                known = [(100 * share, f[column]) for share, f in zip(parts, found, strict=True) if len(f)]
                panel.plot([x for x, _ in known], [v.mean() for _, v in known], style, color=_OF_PRETEXT[pretext], ms=4.5, lw=1.2,
                           mfc="white" if augmented else None)  # fmt: skip
                for x, v in known:
                    panel.plot([x] * len(v), v, ".", color=_OF_PRETEXT[pretext], alpha=0.45, ms=4)
    for panel, words in zip(axes, ("nMSE, mean over exact moves", "drift, mean over exact moves"), strict=True):
        panel.set(xscale="log", xlabel="labelled shapes, per cent", ylabel=words)
        panel.set_ylim(0)
        panel.set_xticks([100 * s for s in parts], [f"{100 * s:.0f}" for s in parts])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    shown = [p for p in PRETEXTS if (runs["pretext"] == p).any()]
    handles = [Line2D([], [], color=_OF_PRETEXT[p], marker="o", ms=4, label=PRETEXTS[p]) for p in shown]
    handles += [Line2D([], [], color="#555555", ls="--", marker="s", mfc="white", ms=4, label="trained on re-meshed shapes")]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8.5, frameon=False)
    _save(figure, docs / "mesh-topology-pretraining.png")


def _save(figure: plt.Figure, path: Path) -> None:
    write_whole(path, lambda part: figure.savefig(part, dpi=120, format="png"))
    plt.close(figure)
