"""Figures of the study of galaxy alignments, from its tables."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np  # noqa: E402
from harness import Tables  # noqa: E402
from matplotlib.collections import LineCollection  # noqa: E402
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
    if len(t["ranks"]) or len(t["correlated"]):
        _save(_ranks(t), docs / "galaxy-alignments-ranks.png")
        parts.append(
            "![Ranks of the truth](galaxy-alignments-ranks.png)\n\nRanks of the true parameters among draws of their posteriors, in ten "
            "classes; the band holds 95 % of the counts that chance allows. Full at both ends: too narrow; full in the middle: too wide."
        )
    for name, make, words in _PICTURES:
        if len(t[name]):
            _save(make(t), docs / f"galaxy-alignments-{name}.png")
            parts.append(f"![{words.split('.')[0]}](galaxy-alignments-{name}.png)\n\n{words}")
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
    ours = t["calibration"][t["calibration"].model == "alignment_emulator"]
    left.set(title="error over the noise of one mock", ylim=(0.97, max(1.25, 1.05 * float(ours.floor_one.max()))))
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
    kinds = [("ranks", "simulator", "simulator,\nindependent bins"), ("correlated", "simulator", "simulator,\nwith correlation")]
    kinds = [k for k in (*kinds, ("correlated", "emulator", "likelihood,\nwith correlation")) if len(t[k[0]])]
    names = list(dict.fromkeys(t[kinds[0][0]].parameter))
    figure = Figure(figsize=(11, 0.6 + 1.6 * len(kinds)))
    axes = figure.subplots(len(kinds), len(names), sharey="row", squeeze=False)
    for row, (table, what, words) in enumerate(kinds):
        for ax, name in zip(axes[row], names, strict=True):
            some = t[table][(t[table].mocks_of == what) & (t[table].parameter == name)]
            counts = np.sum([[int(c) for c in str(r).split()] for r in some.ranks], 0)
            expected = counts.sum() / len(counts)
            half = 1.96 * np.sqrt(expected * (1 - 1 / len(counts)))
            ax.axhspan(max(expected - half, 0), expected + half, color="#888888", alpha=0.25, lw=0)
            ax.bar(np.arange(len(counts)), counts, 0.9, color="#0072B2")
            ax.set_xticks([])
            ax.tick_params(labelsize=7)
            if row == 0:
                ax.set_title(name, fontsize=9)
        axes[row, 0].set_ylabel(f"mocks of the\n{words}", fontsize=7)
    figure.tight_layout()
    return figure


def _bands(t: Tables) -> Figure:
    figure = Figure(figsize=(11, 3.6))
    for ax, name in zip(figure.subplots(1, 3), COLOURS, strict=True):
        for k, (_, some) in enumerate(t["bands"][t["bands"].statistic == name].groupby("logMmin")):
            both = np.hypot(some.noise, some.doubt)
            ax.plot(some.radius, some.said, color=f"C{k}", lw=1.2, label=f"log Mmin {some.logMmin.iloc[0]:.2f}")
            ax.fill_between(some.radius, some.said - both, some.said + both, color=f"C{k}", alpha=0.18, lw=0)
            ax.fill_between(some.radius, some.said - some.doubt, some.said + some.doubt, color=f"C{k}", alpha=0.4, lw=0)
            ax.errorbar(some.radius, some["mean"], some.scatter, color=f"C{k}", fmt="o", ms=2.5, lw=0.7)
            if name != "xi":
                ax.plot(some.radius, some.truth, color="black", ls="", marker="_", ms=6, mew=0.8)
        ax.set(xscale="log", xlabel="r [Mpc/h]", title=name)
        ax.title.set_fontsize(10)
        ax.axhline(0, color="#888888", lw=0.6, zorder=0)
        if name == "xi":
            ax.set_yscale("symlog", linthresh=1.0)
            ax.set_ylim(bottom=-0.5)
            ax.legend(fontsize=8, frameon=False)
    figure.tight_layout()
    return figure


def _slice(t: Tables) -> Figure:
    s = t["slice"]
    figure = Figure(figsize=(6.2, 6.2))
    ax = figure.subplots()
    for central, colour, words in ((1, COLOURS["xi"], "centrals"), (0, COLOURS["omega"], "satellites")):
        some = s[s.central == central]
        half = 1.6 * some[["along_x", "along_y"]].to_numpy()
        place = some[["x", "y"]].to_numpy()
        ax.add_collection(LineCollection(list(np.stack([place - half, place + half], 1)), colors=colour, lw=0.9))
        ax.plot([], [], color=colour, label=f"{len(some)} {words}")
    ax.set(aspect="equal", xlabel="x [Mpc/h]", ylabel="y [Mpc/h]")
    ax.autoscale_view()
    ax.legend(fontsize=8, loc="upper right")
    figure.tight_layout()
    return figure


def _corner(t: Tables) -> Figure:
    truth = t["posterior"].set_index("parameter").truth
    names = [n for n in truth.index if n in t["sample"]]
    draws = t["sample"][names].to_numpy()
    figure = Figure(figsize=(9, 9))
    axes = figure.subplots(len(names), len(names))
    for i, row in enumerate(names):
        for j, column in enumerate(names):
            ax = axes[i, j]
            if j > i:
                ax.axis("off")
                continue
            if i == j:
                ax.hist(draws[:, i], 20, color=COLOURS["xi"])
                ax.set_yticks([])
            else:
                ax.plot(draws[:, j], draws[:, i], ".", ms=1.6, color=COLOURS["xi"], alpha=0.5)
                ax.axhline(truth[row], color="#D55E00", lw=0.8)
            ax.axvline(truth[column], color="#D55E00", lw=0.8)
            ax.tick_params(labelsize=6)
            if i == len(names) - 1:
                ax.set_xlabel(column, fontsize=8)
            else:
                ax.set_xticklabels([])
            if j == 0 and i:
                ax.set_ylabel(row, fontsize=8)
            elif j:
                ax.set_yticklabels([])
    figure.subplots_adjust(hspace=0.08, wspace=0.08)
    return figure


def _measured(t: Tables) -> Figure:
    figure = Figure(figsize=(5.6, 3.6))
    ax = figure.subplots()
    for colour, (what, some) in zip(("#D55E00", "#0072B2"), t["tng300_omega"].groupby("data", sort=False), strict=False):
        ax.errorbar(some.radius, some.omega, some.noise, color=colour, fmt="o", ms=3, lw=0.8, label=f"{what}, error of the fit")
        ax.plot(some.radius, some.fit, color=colour, lw=1.1, label=f"best fit to {what}")
    ax.axhline(0, color="#888888", lw=0.6)
    ax.set(xscale="log", xlabel="r [Mpc/h]", ylabel="omega")
    ax.legend(fontsize=7.5, frameon=False)
    figure.tight_layout()
    return figure


_PICTURES = (
    (
        "bands", _bands,
        "The three functions at three test points. Lines are the ensemble's mean; dark bands what it does not know, light ones with the "
        "noise of one mock; points the mean of the mocks with the scatter of one, dashes the mean over long axes with places held.",
    ),
    (
        "slice", _slice,
        "A slice through the mock of the posterior below. Lines are long axes, as long as they are in the plane; 20 Mpc/h thick.",
    ),
    ("sample", _corner, "Draws of the posterior of all seven numbers from one mock. Lines are the truth."),
    (
        "tng300_omega", _measured,
        "omega of TNG300 and of a mock with the published strengths, each with its best fit by mocks of the same occupation.",
    ),
)  # fmt: skip
