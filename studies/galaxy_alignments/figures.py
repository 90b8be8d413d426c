"""Figures of the study of galaxy alignments, from its tables."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np  # noqa: E402
from harness import Tables  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from orbitscope._whole import write_whole  # noqa: E402

COLOURS = {"xi": "#0072B2", "omega": "#D55E00", "eta": "#009E73"}
SHORT = {"alignment_emulator": "ensemble", "iaemu": "published network"}


def draw(t: Tables, docs: Path) -> str:
    """All figures that the tables allow, as Markdown."""
    parts = []
    if len(t["calibration"]):
        _save(_bars(t), docs / "galaxy-alignments-error-bars.png")
        parts.append(
            "![Error over noise, coverage and scatter by separation](galaxy-alignments-error-bars.png)\n\n"
            "Left: error of the mean over the noise of one mock, 1 is the floor and the dotted line the bar. Middle: coverage of the 68 "
            "and 95 % intervals, bands of three points around. Right: the predicted noise over the measured one. Thin lines are seeds of "
            "the ensemble, dashed ones the published network."
        )
    if len(t["ranks"]):
        _save(_ranks(t), docs / "galaxy-alignments-ranks.png")
        parts.append(
            "![Ranks of the truth](galaxy-alignments-ranks.png)\n\nRanks of the true parameters among 39 draws of their posteriors, in ten "
            "classes; the band holds 95 % of the counts that chance allows. Full at both ends: too narrow; full in the middle: too wide."
        )
    return "\n\n".join(parts)


def _save(figure: Figure, path: Path) -> None:
    write_whole(path, lambda part: figure.savefig(part, format="png", dpi=110, facecolor="white"))


def _bars(t: Tables) -> Figure:
    figure = Figure(figsize=(11, 3.6))
    left, middle, right = figure.subplots(1, 3)
    for (model, seed, name), some in t["calibration"].groupby(["model", "seed", "statistic"], sort=False):
        style = {"color": COLOURS[str(name)], "lw": 1.0, "ls": "--" if model == "iaemu" else "-"}
        label = str(name) if model == "alignment_emulator" and seed == t["calibration"].seed.min() else None
        left.plot(some.radius, some.floor_one, label=label, **style)
        middle.plot(some.radius, 100 * some.covered68, **style)
        middle.plot(some.radius, 100 * some.covered95, **style)
        right.plot(some.radius, some.aleatoric_ratio, **style)
    left.axhline(1.2, color="black", lw=0.8, ls=":")
    left.set(title="error over the noise of one mock", ylim=(0.9, 3.0))
    left.legend(fontsize=8, frameon=False)
    for level in (68, 95):
        middle.axhspan(level - 3, level + 3, color="#888888", alpha=0.2, lw=0)
    middle.set(title="coverage, %", ylim=(30, 101))
    right.axhline(1, color="black", lw=0.8)
    right.set(title="predicted over measured noise", ylim=(0.3, 2.0))
    for ax in (left, middle, right):
        ax.set_xscale("log")
        ax.set_xlabel("r [Mpc/h]")
        ax.title.set_fontsize(10)
    figure.tight_layout()
    return figure


def _ranks(t: Tables) -> Figure:
    names = list(dict.fromkeys(t["ranks"].parameter))
    figure = Figure(figsize=(11, 3.8))
    axes = figure.subplots(2, len(names), sharey="row")
    for row, what in enumerate(("simulator", "emulator")):
        for ax, name in zip(axes[row], names, strict=True):
            some = t["ranks"][(t["ranks"].mocks_of == what) & (t["ranks"].parameter == name)]
            counts = np.sum([[int(c) for c in str(r).split()] for r in some.ranks], 0)
            expected = counts.sum() / len(counts)
            half = 1.96 * np.sqrt(expected * (1 - 1 / len(counts)))
            ax.axhspan(max(expected - half, 0), expected + half, color="#888888", alpha=0.25, lw=0)
            ax.bar(np.arange(len(counts)), counts, 0.9, color="#0072B2")
            ax.set_xticks([])
            ax.tick_params(labelsize=7)
            if row == 0:
                ax.set_title(name, fontsize=9)
        axes[row, 0].set_ylabel(f"mocks of the\n{what}", fontsize=8)
    figure.tight_layout()
    return figure
