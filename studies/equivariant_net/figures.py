"""The figures of the study, from its tables."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from harness import Tables
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from more_figures import COLOUR, MARKER, band, complexity, divergences, norms, plain_axis, present, scales, trivial_lines
from skill import known
from study import BACKBONES, OWN, SHORT, SYMMETRIES, TESTS, TITLES, VARIANTS
from tables import read_pictures, settings_of


def draw(tables: Tables, results: Path, folder: Path) -> list[str]:
    """Every figure for which there are numbers; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    made, found = [], read_pictures(results)
    for dataset in dict.fromkeys(str(d) for d in tables["tests"].get("dataset", [])):
        drawn = {
            "rmse": rmse(tables, dataset), "steps": steps(tables, dataset), "spectra": spectra(tables, dataset),
            "errors": equivariance(tables, dataset), "pictures": pictures(found, dataset), "scales": scales(tables, dataset),
            "complexity": complexity(tables, dataset), "divergence": divergences(tables, dataset),
            "norms": norms(found, dataset, settings_of(tables, dataset)["steps"]),
        }  # fmt: skip
        for name, figure in drawn.items():
            if figure is None:
                continue
            key = f"{name}-{dataset}" if dataset != "rayleigh-benard" else name
            figure.savefig(folder / f"equivariant-net-{key}.png", dpi=110, metadata={"Software": None}, facecolor="white")
            plt.close(figure)
            made.append(key)
    return made


def rmse(tables: Tables, dataset: str) -> plt.Figure:
    """RMSE of every network on every test set (median over seeds); colour: over the plain network's. Last: what costs nothing."""
    frame, still = tables["tests"], tables["persistence"]
    frame, still = frame[frame.dataset == dataset], still[still.dataset == dataset].set_index("test")
    free = known(still.reset_index())
    backbones = present(frame, "backbone", BACKBONES)
    columns = present(frame, "test", TESTS)
    rows = {b: present(frame[frame.backbone == b], "variant", VARIANTS) for b in backbones}
    lines = -(-len(backbones) // 2)
    height = 0.34 * (max(len(r) for r in rows.values()) + len(free)) + 1.9
    figure, axes = plt.subplots(lines, min(2, len(backbones)), figsize=(1.9 + 6.4 * min(2, len(backbones)), height * lines), squeeze=False)
    for axis in axes.flat[len(backbones) :]:
        axis.set_visible(False)
    for axis, backbone in zip(axes.flat, backbones, strict=False):
        median = frame[frame.backbone == backbone].groupby(["variant", "test"])["rmse"].median()
        own = [[median.get((v, t), np.nan) for t in columns] for v in rows[backbone]]
        values = np.array(own + [[still.loc[t, c] for t in columns] for c in free])
        names = [*rows[backbone], *free.values()]
        plain = np.array([median.get(("plain", t), np.nan) for t in columns])
        shade = np.log2(values / plain)
        axis.imshow(shade, cmap="RdBu_r", vmin=-2, vmax=2, aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            dark = abs(shade[i, j]) > 1.3
            own = columns[j] in OWN.get(names[i].removeprefix("augmented "), ())
            axis.text(j, i, f"{value:.{2 + (value < 0.1)}f}", ha="center", va="center", fontsize=7.5, color="white" if dark else "black",
                      fontweight="bold" if own else "normal")  # fmt: skip
        axis.set_xticks(range(len(columns)), columns, rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
        axis.set_yticks(range(len(names)), [SHORT.get(v, v) for v in names], fontsize=8)
        axis.set_title(f"{TITLES[dataset]}, {BACKBONES[backbone]}", fontsize=10)
        axis.tick_params(length=0)
        for side in axis.spines.values():
            side.set_visible(False)
    figure.tight_layout()
    return figure


def steps(tables: Tables, dataset: str) -> plt.Figure:
    """RMSE by step on the original set and on each symmetry's own: plain, augmented, built in, persistence."""
    frame, still = tables["steps"], tables["persistence_steps"]
    frame, still = frame[frame.dataset == dataset], still[still.dataset == dataset]
    backbones = present(frame, "backbone", BACKBONES)
    known = set(frame.variant)  # a column that no network has anything for is not drawn
    shown = [(s, t) for s, own in OWN.items() for t in own if t in set(frame.test) and {s, f"augmented {s}"} & known]
    figure, axes = plt.subplots(
        len(backbones), len(shown), figsize=(2.5 * len(shown), 2.5 * len(backbones) + 0.7), sharex=True, sharey="col", squeeze=False
    )
    for row, backbone in zip(axes, backbones, strict=True):
        for axis, (symmetry, test) in zip(row, shown, strict=True):
            block = frame[(frame.backbone == backbone) & (frame.test == test)]
            if not {symmetry, f"augmented {symmetry}"} & set(block.variant):
                axis.set_visible(False)
                continue
            for variant, name, line, colour in (
                ("plain", "plain", "-", "#000000"),
                (f"augmented {symmetry}", "augmented", "--", "#777777"),
                (symmetry, "built in", "-", COLOUR[symmetry]),
            ):
                band(axis, block[block.variant == variant], "step", name, color=colour, ls=line)
            trivial_lines(axis, still[still.test == test])
            axis.set_title(f"{BACKBONES[backbone]}, {test}", fontsize=9)
            axis.set_ylim(0, 1.05 * max(block.rmse.max(), still[still.test == test].rmse.max()))
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
            plain_axis(axis)
            axis.legend(fontsize=6.5, frameon=False)
        row[0].set_ylabel("RMSE / unit")
    for axis in axes[-1]:
        axis.set_xlabel("step")
    figure.tight_layout()
    return figure


def spectra(tables: Tables, dataset: str) -> plt.Figure:
    """E(k) of the forecasts over that of the truth, original test set; the truth itself in the first panel."""
    frame, truth = tables["spectra"], tables["true_spectrum"]
    frame, truth = frame[frame.dataset == dataset], truth[truth.dataset == dataset].set_index("shell")["energy"]
    backbones = present(frame, "backbone", BACKBONES)
    figure, axes = plt.subplots(1, 1 + len(backbones), figsize=(3.6 * (1 + len(backbones)), 3.3), squeeze=False)
    axes[0, 0].plot(truth.index, truth.values, "k.-")
    axes[0, 0].set(yscale="log", xlabel="waves per window", ylabel="E(k) / unit²", title="truth")
    for axis, backbone in zip(axes[0, 1:], backbones, strict=True):
        for variant in [v for v in present(frame, "variant", VARIANTS) if v in COLOUR]:
            block = frame[(frame.backbone == backbone) & (frame.variant == variant)].copy()
            block["rmse"] = block.energy.values / truth.reindex(block.shell).values
            band(axis, block, "shell", SHORT[variant], color=COLOUR[variant], marker=MARKER[variant], ms=3)
        axis.axhline(1, color="#777777", lw=0.8)
        axis.set(yscale="log", xlabel="waves per window", ylabel="E(k), forecast over truth", title=BACKBONES[backbone])
        axis.yaxis.set_major_locator(LogLocator(2))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_locator(NullLocator())
        axis.legend(fontsize=7, frameon=False)
    for axis in axes[0]:
        plain_axis(axis)
    figure.tight_layout()
    return figure


def equivariance(tables: Tables, dataset: str) -> plt.Figure:
    """|T f(x) - f(T x)| per symmetry, over the mean size of the predicted increment."""
    frame = tables["equivariance"]
    frame = frame[frame.dataset == dataset]
    backbones, columns = present(frame, "backbone", BACKBONES), present(frame, "symmetry", ("translation", *SYMMETRIES))
    figure, axes = plt.subplots(1, len(backbones), figsize=(4.6 * len(backbones), 3.4), sharey=True, squeeze=False)
    for axis, backbone in zip(axes[0], backbones, strict=True):
        variants = [v for v in present(frame, "variant", VARIANTS) if v in COLOUR]
        for variant, offset in zip(variants, np.linspace(-0.25, 0.25, len(variants)), strict=True):
            block = frame[(frame.backbone == backbone) & (frame.variant == variant)]
            values = [np.maximum(block[block.symmetry == s].error / block[block.symmetry == s].increment, 1e-8) for s in columns]
            where = np.arange(len(columns)) + offset
            middle = [v.median() if len(v) else np.nan for v in values]
            reach = [[m - v.min() if len(v) else 0 for m, v in zip(middle, values, strict=True)],
                     [v.max() - m if len(v) else 0 for m, v in zip(middle, values, strict=True)]]  # fmt: skip
            axis.errorbar(where, middle, reach, fmt=MARKER[variant], color=COLOUR[variant], ms=5, lw=1, label=SHORT[variant])
        axis.set(yscale="log", title=BACKBONES[backbone], xticks=range(len(columns)))
        axis.set_xticklabels(columns, fontsize=8)
        axis.set_ylim(3e-8, 30)
        plain_axis(axis)
        axis.legend(fontsize=7, frameon=False)
    axes[0, 0].set_ylabel("equivariance error / increment")
    figure.tight_layout()
    return figure


def pictures(found: dict[tuple[str, str], np.ndarray], dataset: str) -> plt.Figure | None:
    """One window half-way through the forecast: truth and what the plain, the augmented and the equivariant network say."""
    runs = {run for run, _ in found}
    backbone = next((b for b in BACKBONES if any(r.startswith(f"{dataset}_{b}_") for r in runs)), "")
    seed = min((r.rsplit("_", 1)[1] for r in runs), default="")
    shown = []
    for symmetry, own in OWN.items():
        test = own[-1].replace(" ", "_").replace("/", "-")
        columns = {"plain": "plain", "augmented": f"augmented-{symmetry}", SHORT[symmetry]: symmetry}
        states = {name: found[key, test] for name, kind in columns.items() if (key := f"{dataset}_{backbone}_{kind}_{seed}", test) in found}
        if SHORT[symmetry] in states:
            shown.append((own[-1], states))
    if not shown:
        return None
    figure, axes = plt.subplots(len(shown), 4, figsize=(8.2, 2.05 * len(shown) + 0.3), squeeze=False)
    vector = False
    for row, (test, states) in zip(axes, shown, strict=True):
        truth = next(iter(states.values()))[0]
        vector = len(truth) == 2
        limit = np.quantile(np.abs(_seen(truth)), 0.995) + 1e-12
        for axis, (name, state) in zip(row, [("truth", truth), *((n, s[1]) for n, s in states.items())], strict=False):
            axis.imshow(_seen(state).T, origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
            axis.set_title(name, fontsize=9)
        for axis in row:
            axis.set(xticks=[], yticks=[])
            axis.set_frame_on(False)
        row[0].set_ylabel(test, fontsize=9)
    figure.suptitle(f"{TITLES[dataset]}, {BACKBONES[backbone]}: {'vorticity' if vector else 'temperature'}", fontsize=10)
    figure.tight_layout()
    return figure


def _seen(state: np.ndarray) -> np.ndarray:
    """Vorticity of a velocity, in units per cell; a scalar as it is."""
    if len(state) == 1:
        return state[0]
    return np.gradient(state[1], axis=0) - np.gradient(state[0], axis=1)
