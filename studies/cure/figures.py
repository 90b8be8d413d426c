"""The figures of the study, from its tables."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from harness import Tables
from matplotlib.axes import Axes
from study import NETWORKS, TREATMENTS
from tables import missing, outcomes

# Okabe and Ito's palette; every treatment also has its own marker.
LOOKS = {
    "plain": ("#000000", "o"), "more": ("#777777", "s"), "augmented": ("#D55E00", "^"), "framed": ("#0072B2", "v"),
    "averaging": ("#56B4E9", "D"), "strict": ("#009E73", "P"), "relaxed": ("#CC79A7", "X"), "free": ("#E69F00", "*"),
    "averaged": ("#56B4E9", "d"), "framed_after": ("#0072B2", "<"),
}  # fmt: skip
ELEMENTS = ("e", "r", "r2", "r3", "s", "sr", "sr2", "sr3")


def draw(tables: Tables, folder: Path) -> list[str]:
    """Every figure; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    found, made = outcomes(tables), []
    absent = ", ".join(missing(tables)[0])
    for name, figure in (
        ("errors", errors(found, absent)),
        ("elements", elements(tables)),
        ("speed", speed(tables)),
        ("trade-off", trade_off(found, absent)),
    ):
        figure.savefig(folder / f"cure-{name}.png", dpi=110, metadata={"Software": None}, facecolor="white")
        plt.close(figure)
        made.append(name)
    return made


def errors(found: pd.DataFrame, absent: str) -> plt.Figure:
    """Error as it is and moved, per treatment: median and range over seeds."""
    nets = _nets(found)
    figure, axes = plt.subplots(1, len(nets), figsize=(5.6 * len(nets), 4.2), sharex=True, squeeze=False)
    for axis, net in zip(axes[0], nets, strict=True):
        block = found[found.network == net]
        names = [t for t in TREATMENTS if t in set(block.treatment)][::-1]
        for column, colour, marker, shift, words in (
            ("original", "#0072B2", "o", 0.13, "as it is"), ("moved", "#D55E00", "s", -0.13, f"moved by {absent}"),
        ):  # fmt: skip
            values = [block[block.treatment == t][column] for t in names]
            middle = np.array([v.median() for v in values])
            gaps = [middle - [v.min() for v in values], [v.max() for v in values] - middle]
            where, style = np.arange(len(names)) + shift, {"ls": "", "ms": 6, "capsize": 3, "color": colour, "marker": marker}
            axis.errorbar(middle, where, xerr=np.clip(gaps, 0, None), label=words, **style)
        axis.axvline(1, color="#444444", lw=0.8, ls="--", zorder=0)
        axis.set_yticks(range(len(names)), [TREATMENTS[t].title for t in names])
        axis.set(xscale="log", title=NETWORKS[net], xlabel="test error / error of persistence")
        axis.grid(axis="x", color="#e4e4e4", lw=0.6, which="both")
        axis.set_axisbelow(True)
    return _finish(figure, axes)


def elements(t: Tables) -> plt.Figure:
    """Relative error (left) and coherence (right) by treatment and element, medians over seeds."""
    frame = t["elements"]
    nets = _nets(frame)
    heights = [frame[frame.network == n].treatment.nunique() for n in nets]
    figure, axes = plt.subplots(
        len(nets), 2, figsize=(12.5, 0.42 * sum(heights) + 1.6), squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    top = max(2.0, float(frame.relative_error.max()))
    for row, net in zip(axes, nets, strict=True):
        names = [x for x in TREATMENTS if x in set(frame[frame.network == net].treatment)]
        for axis, value, words in ((row[0], "relative_error", "relative error"), (row[1], "response", "coherence")):
            grid = frame[frame.network == net].pivot_table(index="treatment", columns="element", values=value, aggfunc="median")
            grid = grid.reindex(index=names, columns=list(ELEMENTS)).dropna(axis=1, how="all")
            if value == "relative_error":
                axis.imshow(np.log10(grid), cmap="Oranges", vmin=0, vmax=np.log10(top), aspect="auto")
            else:
                axis.imshow(grid, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
            dark = (grid > top**0.6) if value == "relative_error" else (grid.abs() > 0.7)
            for i, j in np.ndindex(grid.shape):
                ink = "white" if dark.iloc[i, j] else "black"
                text = f"{grid.iloc[i, j]:.3g}" if value == "relative_error" else f"{grid.iloc[i, j]:.2f}"
                axis.text(j, i, text, ha="center", va="center", fontsize=8, color=ink)
            axis.set_xticks(range(grid.shape[1]), grid.columns)
            axis.set_yticks(range(len(names)), [TREATMENTS[x].title for x in names] if value == "relative_error" else [""] * len(names))
            axis.set_title(f"{NETWORKS[net]}: {words}", fontsize=10)
    figure.tight_layout()
    return figure


def speed(t: Tables) -> plt.Figure:
    """Validation error by step: as it is (top) and moved (bottom), median over seeds; thin lines: the seeds."""
    curve, settings = t["curve"], t.meta["settings"]
    nets = _nets(curve)
    figure, axes = plt.subplots(2, len(nets), figsize=(5.6 * len(nets), 7.2), sharex="col", sharey="row", squeeze=False)
    for column, net in zip(axes.T, nets, strict=True):
        block = curve[curve.network == net]
        for axis, value in ((column[0], "validation"), (column[1], "moved")):
            for treatment in (x for x in TREATMENTS if x in set(block.treatment)):
                part, (colour, marker) = block[block.treatment == treatment], LOOKS[treatment]
                for _, one in part.groupby("seed"):
                    axis.plot(one.step, one[value], color=colour, lw=0.5, alpha=0.35)
                middle = part.groupby("step")[value].median()
                axis.plot(middle.index, middle, color=colour, marker=marker, ms=4, lw=1.3, label=TREATMENTS[treatment].title)
            axis.set_yscale("log")
            axis.grid(axis="y", color="#e4e4e4", lw=0.6, which="both")
        column[0].axhline(settings["models"][net]["reach"], color="#444444", lw=0.9, ls="--")
        column[0].set_title(NETWORKS[net])
        column[1].set_xlabel("step")
    axes[0, 0].set_ylabel("validation error, as it is")
    axes[1, 0].set_ylabel(f"validation error, moved by {settings['unseen']}")
    return _finish(figure, axes)


def trade_off(found: pd.DataFrame, absent: str) -> plt.Figure:
    """Coupling against what it is said to do: a point per trained model and seed."""
    frame = found[[TREATMENTS[t].trained for t in found.treatment]]
    nets = _nets(frame)
    pairs = (("response", "moved"), ("uniformity", "moved"), ("uniformity", "reach_validation"))
    words = {
        "response": f"coherence on {absent}", "uniformity": "uniformity over the group", "moved": "moved error / persistence",
        "reach_validation": "steps to the stated error",
    }  # fmt: skip
    figure, axes = plt.subplots(len(nets), 3, figsize=(13, 3.6 * len(nets) + 0.6), squeeze=False)
    for row, net in zip(axes, nets, strict=True):
        for axis, (x, y) in zip(row, pairs, strict=True):
            for treatment, part in frame[frame.network == net].groupby("treatment", sort=False):
                colour, marker = LOOKS[str(treatment)]
                known = part[np.isfinite(part[y])]
                axis.plot(known[x], known[y], marker, color=colour, ms=7, alpha=0.8, label=TREATMENTS[str(treatment)].title)
            axis.set(xlabel=words[x], ylabel=words[y], title=NETWORKS[net])
            if y == "moved":
                axis.set_yscale("log")
            axis.grid(color="#e4e4e4", lw=0.6)
            axis.set_axisbelow(True)
    return _finish(figure, axes)


def _nets(frame: pd.DataFrame) -> list[str]:
    return [n for n in NETWORKS if n in set(frame.network)]


def _finish(figure: plt.Figure, axes: np.ndarray) -> plt.Figure:
    found: dict[str, object] = {}
    for axis in axes.flat:
        assert isinstance(axis, Axes)
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    rows = -(-len(found) // 4)
    figure.legend(list(found.values()), list(found), loc="lower center", ncols=min(4, len(found)), frameon=False)
    figure.tight_layout(rect=(0, 0.26 * rows / figure.get_figheight() + 0.01, 1, 1))
    return figure
