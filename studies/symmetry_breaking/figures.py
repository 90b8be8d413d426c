"""The figures of the page."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from laws_page import line
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from tables import IRREPS, of
from tasks import COMPARED, SCANNED, TASKS, VARIANTS

from orbitscope.systems.points import SYSTEM

COLOURS = {
    "relaxed": "#0072B2", "strict": "#555555", "residual": "#CC79A7", "coordinates": "#E69F00", "one-stage": "#009E73", "single": "#D55E00",
}  # fmt: skip
MARKERS = {"relaxed": "o", "strict": "s", "residual": "^", "coordinates": "D", "one-stage": "v", "single": "x"}


def draw(frame: pd.DataFrame, docs: Path) -> None:
    """All of them into `docs`."""
    docs.mkdir(parents=True, exist_ok=True)
    _pattern(frame, docs / "symmetry-breaking-pattern.png")
    _forbidden(frame, docs / "symmetry-breaking-forbidden.png")
    _amplitude(frame, docs / "symmetry-breaking-amplitude.png")
    _errors(frame, docs / "symmetry-breaking-errors.png")


def _save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, dpi=110, metadata={"Software": None}, facecolor="white")
    plt.close(figure)


def _pattern(frame: pd.DataFrame, path: Path) -> None:
    """What the answer owes to each irrep, median over seeds, task by task."""
    tasks = [name for name in TASKS if len(of(frame, name))]
    values = np.array([[of(frame, name)[f"owed_{i}"].median() for i in IRREPS] for name in tasks])
    figure, axis = plt.subplots(figsize=(8.2, 0.42 * len(tasks) + 1.5), layout="constrained")
    image = axis.imshow(np.log10(np.maximum(values, 1e-18)), vmin=-18, vmax=0, cmap="Blues", aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        words = "0" if value == 0 else f"{value:.2g}" if value > 1e-3 else f"1e{int(np.floor(np.log10(value)))}"
        axis.text(column, row, words, ha="center", va="center", fontsize=7.5, color="white" if value > 1e-7 else "#333333")
    axis.set_xticks(range(len(IRREPS)), IRREPS)
    axis.set_yticks(range(len(tasks)), [TASKS[name].title for name in tasks], fontsize=8.5)
    axis.set_xlabel("irrep of O(3) of the relaxed weights")
    bar = figure.colorbar(image, ax=axis, pad=0.02)
    bar.set_label("share of the answer, power of ten", fontsize=8)
    _save(figure, path)


def _forbidden(frame: pd.DataFrame, path: Path) -> None:
    """The largest forbidden component of every run against its training error: the loss does not tell."""
    names = [name for name in COMPARED if len(of(frame, name, "single"))]
    figure, axes = plt.subplots(1, max(1, len(names)), figsize=(11, 3.5), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], names, strict=False):
        for variant in ("relaxed", "one-stage", "single"):
            rows = of(frame, name, variant)
            axis.scatter(
                rows.train, rows.forbidden.clip(lower=1e-18), s=26, color=COLOURS[variant], marker=MARKERS[variant],
                label=VARIANTS[variant] if axis is axes[0][0] else None, linewidths=1,
            )  # fmt: skip
        axis.axhline(1e-12, color="#999999", lw=0.8, ls="--")
        axis.set(yscale="log", title=TASKS[name].title, xlabel="training error (squared, relative)", ylim=(3e-19, 10))
        axis.title.set_fontsize(9.5)
        axis.xaxis.set_major_locator(MaxNLocator(3))
        axis.grid(color="#e6e6e6", lw=0.5)
    axes[0][0].set_ylabel("largest forbidden component")
    figure.legend(loc="lower center", ncol=3, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    _save(figure, path)


def _amplitude(frame: pd.DataFrame, path: Path) -> None:
    """The order parameter of every amplitude, of all seeds, in units of each seed's slope: a panel for each phase."""
    figure, axes = plt.subplots(1, len(SCANNED), figsize=(8.6, 3.2), sharey=True)
    for axis, phase in zip(axes, SCANNED, strict=True):
        rows = of(frame, f"batio3-{phase}")
        largest = SYSTEM.scenario("crystal.batio3").parameters["amplitude"]
        if len(rows):
            sizes, along, _ = line(rows, phase)
            for run in sizes:
                axis.plot(largest * along, largest * run, "o", ms=4, color=COLOURS["relaxed"], alpha=0.5)
        axis.plot([0, largest], [0, largest], color="#999999", lw=0.9, ls="--", label="amplitude itself")
        axis.set_title(f"Pm-3m to {phase}", fontsize=9)
        _label(axis, "order parameter over its slope [Å]" if phase == SCANNED[0] else "")
    axes[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    _save(figure, path)


def _label(axis: Axes, words: str) -> None:
    axis.set(xlabel="amplitude of the displacement [Å]", ylabel=words)
    axis.grid(color="#e6e6e6", lw=0.5)


def _errors(frame: pd.DataFrame, path: Path) -> None:
    """Held-out errors of all seeds, kind by kind."""
    tasks = [name for name in TASKS if TASKS[name].baselines and name != "perovskite-Pm-3m" and len(of(frame, name))]
    figure, axis = plt.subplots(figsize=(9.5, 4.2))
    shown = ("relaxed", "residual", "coordinates", "strict")
    for number, variant in enumerate(shown):
        for place, name in enumerate(tasks):
            rows = of(frame, name, variant)
            x = np.full(len(rows), place + 0.17 * (number - 1.5))
            axis.scatter(
                x, rows.test.clip(lower=1e-16), s=20, color=COLOURS[variant], marker=MARKERS[variant],
                label=VARIANTS[variant] if place == 0 else None, linewidths=0.8, alpha=0.8,
            )  # fmt: skip
    axis.set_xticks(range(len(tasks)), [TASKS[name].title.replace(", ", ",\n") for name in tasks], fontsize=7.5, rotation=35, ha="right")
    axis.set(yscale="log", ylabel="held-out error (squared, relative)")
    axis.axhline(1, color="#bbbbbb", lw=0.8, ls=":")
    axis.grid(axis="y", color="#e6e6e6", lw=0.5)
    axis.legend(frameon=False, fontsize=8, ncol=4, loc="upper center", bbox_to_anchor=(0.5, 1.12))
    figure.tight_layout()
    _save(figure, path)
