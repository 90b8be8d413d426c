"""The figures of the page: returns against the measured breaking, learning curves."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from study import ARMS

from orbitscope._whole import write_whole

COLOURS = {
    "plain": "#555555", "augmented": "#E69F00", "exact": "#0072B2", "wider": "#56B4E9", "relaxed": "#D55E00", "residual": "#009E73",
    "gated": "#CC79A7",
}  # fmt: skip
LEVELS = "measured breaking (share of unrelated)"


def draw(agents: pd.DataFrame, curves: pd.DataFrame, environments: pd.DataFrame, docs: Path) -> None:
    """Write the figures."""
    names = _several(agents)
    figure, axes = plt.subplots(len(names), 2, figsize=(7.6, 3.1 * len(names)), layout="constrained", squeeze=False)
    for row, name in zip(axes, names, strict=True):
        epsilon = environments[environments["environment"] == name].set_index("size")["transition_share"]
        mine = agents[agents["environment"] == name]
        for ax, column, label in zip(row, ("return", "policy_asymmetry"), ("return", "commutator of the policy"), strict=True):
            _against(ax, mine, epsilon, column)
            ax.set(xlabel=LEVELS, ylabel=label)
            ax.set_title(name, fontsize=9)
    legend(figure)
    save(figure, docs / "approximate-equivariance-rl-return.png")
    _curves(curves, docs / "approximate-equivariance-rl-curves.png")


def _curves(curves: pd.DataFrame, path: Path) -> None:
    """A row of panels for each environment, a panel for each size of its breaking."""
    sizes = {str(name): sorted(mine["size"].unique()) for name, mine in curves.groupby("environment", sort=False)}
    width = max(map(len, sizes.values()))
    figure, axes = plt.subplots(len(sizes), width, figsize=(3.4 * width, 2.9 * len(sizes)), layout="constrained", squeeze=False)
    for row, name in zip(axes, sizes, strict=True):
        for ax in row[len(sizes[name]) :]:
            ax.set_visible(False)
        for ax, size in zip(row, sizes[name], strict=False):
            some = curves[(curves["environment"] == name) & (curves["size"] == size)]
            for arm in ARMS:
                band(ax, some[some["arm"] == arm], "steps", arm)
            ax.set(xlabel="steps of the agent", ylabel="return")
            ax.set_title(f"{name}, broken by {size:g}" if size else f"{name}, exact", fontsize=9)
    legend(figure)
    save(figure, path)


def draw_bounds(bounds: pd.DataFrame, environments: pd.DataFrame, docs: Path) -> None:
    """Write the figure of critics: asymmetry over the span of values against measured breaking, beside the tightest bound."""
    names = _several(bounds)
    figure, axes = plt.subplots(len(names), 2, figsize=(7.6, 3.1 * len(names)), layout="constrained", squeeze=False)
    shares = bounds.assign(**{c: bounds[c] / bounds["span"] for c in ("asymmetry", "mean_asymmetry", "own_bound")})
    for row, name in zip(axes, names, strict=True):
        epsilon = environments[environments["environment"] == name].set_index("size")["transition_share"]
        mine = shares[shares["environment"] == name]
        for ax, column, label in zip(row, ("asymmetry", "mean_asymmetry"), ("largest", "rms"), strict=True):
            _against(ax, mine, epsilon, column)
            limit = mine.groupby("size")["own_bound"].mean()
            ax.plot(epsilon.loc[limit.index], limit, "--", lw=1, color="black", label="bound by V, mean of runs")
            ax.axhline(1.0, lw=0.8, color="#999999")
            ax.text(0.01, 1.05, "span of Q", fontsize=7, color="#777777", transform=ax.get_yaxis_transform(), va="bottom")
            ax.set_yscale("symlog", linthresh=1e-3)
            ax.set(xlabel=LEVELS, ylabel=f"{label} asymmetry over span of Q", ylim=(-1e-4, None))
            ax.set_title(name, fontsize=9)
    legend(figure)
    save(figure, docs / "approximate-equivariance-rl-critics.png")


def _several(rows: pd.DataFrame) -> list[str]:
    """Environments with more than one size of breaking, or all where none has: one size is no axis."""
    counts = rows.groupby("environment", sort=False)["size"].nunique()
    return [str(n) for n in (counts[counts > 1] if (counts > 1).any() else counts).index]


def legend(figure: Any) -> None:
    """One for the whole figure, each arm once, beside the panels."""
    found = {label: handle for ax in figure.axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    order = sorted(found, key=[*ARMS, *found].index)
    figure.legend([found[k] for k in order], order, loc="outside right upper", fontsize=7, frameon=False)


def _against(ax: Any, rows: pd.DataFrame, epsilon: pd.Series, column: str) -> None:
    for number, arm in enumerate(a for a in ARMS if (rows["arm"] == a).any()):
        found = rows[rows["arm"] == arm].groupby("size")[column].agg(["mean", "min", "max"])
        x = epsilon.loc[found.index].to_numpy(float)
        width = (float(epsilon.max()) or 1.0) * 0.012
        x = x + width * (number - 3)  # side by side, so that no bar hides another
        low, high = found["mean"] - found["min"], found["max"] - found["mean"]
        ax.errorbar(x, found["mean"], [low, high], fmt="o-", ms=4, lw=1.2, capsize=2, color=COLOURS[arm], label=arm)


def band(ax: Any, rows: pd.DataFrame, x: str, arm: str) -> None:
    """One curve, mean over seeds, shaded from the worst to the best."""
    if not len(rows):
        return
    found = rows.groupby(x)["return"].agg(["mean", "min", "max"])
    ax.plot(found.index, found["mean"], "o-", ms=3, lw=1.3, color=COLOURS[arm], label=arm)
    ax.fill_between(found.index.to_numpy(float), np.asarray(found["min"]), np.asarray(found["max"]), color=COLOURS[arm], alpha=0.12, lw=0)


def save(figure: Any, path: Path) -> None:
    """Whole or not at all."""
    write_whole(path, lambda part: figure.savefig(part, format="png", dpi=130))
    plt.close(figure)
