"""Figures over something that is turned up: the scale factor, the number of training windows; and what forecasts look like."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from harness import Tables
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator
from skill import best, known
from study import BACKBONES, FACTORS, OWN, SHORT, TITLES, VARIANTS

# Okabe and Ito's palette; every series also has its own marker and line.
COLOUR = {"plain": "#000000", "motion": "#0072B2", "magnitude": "#E69F00", "rotation": "#009E73", "scale": "#D55E00"}
MARKER = {"plain": "x", "motion": "o", "magnitude": "s", "rotation": "^", "scale": "D"}


def present(frame: pd.DataFrame, column: str, order: tuple[str, ...] | dict[str, str]) -> list[str]:
    """The values of a column that occur, in the order of the page."""
    return [v for v in order if v in set(frame[column])]


def style(variant: str) -> dict[str, object]:
    """Colour, marker and line of a network: dashed where it was trained on moved data."""
    kind = variant.removeprefix("augmented ")
    return {"color": COLOUR[kind], "marker": MARKER[kind], "ls": "-" if kind == variant else "--", "ms": 4}


def band(axis: Axes, block: pd.DataFrame, by: str, name: str, value: str = "rmse", **how: object) -> None:
    """Median over seeds and their range."""
    if block.empty:
        return
    summary = block.groupby(by)[value].agg(["median", "min", "max"])
    axis.plot(summary.index, summary["median"], label=name, lw=1.3, **how)
    axis.fill_between(summary.index, summary["min"], summary["max"], color=str(how["color"]), alpha=0.15, lw=0)


def plain_axis(axis: Axes) -> None:
    """No frame above and to the right."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)


def numbers_on(axis: Axes) -> None:
    """Plain numbers along a logarithmic axis, few of them."""
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axis.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.tick_params(which="minor", labelsize=7)


def scales(tables: Tables, dataset: str) -> plt.Figure | None:
    """RMSE over all steps, over the best trivial forecast's, and ESE (spectrum error of a scalar) against the scale factor."""
    frame, still = tables["tests"], tables["persistence"]
    frame = frame[(frame.dataset == dataset) & frame.test.isin(list(FACTORS))]
    if frame.test.nunique() < 3:
        return None
    base = best(still[still.dataset == dataset])
    frame = frame.assign(factor=frame.test.map(FACTORS), share=frame.rmse / frame.test.map(base))
    second = ("ese", "ESE") if frame.ese.notna().any() else ("spectrum", "E(k) error")
    backbones = [b for b in present(frame, "backbone", BACKBONES) if "scale" in set(frame[frame.backbone == b].variant)]
    if not backbones:
        return None
    figure, axes = plt.subplots(2, len(backbones), figsize=(0.8 + 3.9 * len(backbones), 5.6), sharex=True, sharey="row", squeeze=False)
    for column, backbone in zip(axes.T, backbones, strict=True):
        block = frame[frame.backbone == backbone]
        for variant in [v for v in VARIANTS if v in ("plain", "augmented scale", "scale", "magnitude", "rotation")]:
            for axis, value in zip(column, ("share", second[0]), strict=True):
                band(axis, block[block.variant == variant], "factor", SHORT[variant], value, **style(variant))
        column[0].axhline(1, color="#777777", lw=0.8)
        column[0].set_title(f"{TITLES[dataset]}, {BACKBONES[backbone]}", fontsize=10)
        column[1].set_xlabel("scale factor λ")
        for axis in column:
            axis.set(xscale="log", yscale="log")
            axis.set_xticks(list(FACTORS.values()), ["1/2", "2/3", "1", "3/2", "2"])
            axis.set_xticks([], minor=True)
            plain_axis(axis)
        for axis in column:
            numbers_on(axis)
    axes[0, 0].set_ylabel("RMSE / best trivial forecast")
    axes[1, 0].set_ylabel(second[1])
    axes[0, 0].legend(fontsize=7, frameon=False)
    figure.tight_layout()
    return figure


def complexity(tables: Tables, dataset: str) -> plt.Figure | None:
    """RMSE against the number of training windows, on the original set and on each symmetry's own."""
    few = tables["complexity"]
    few = few[few.dataset == dataset] if len(few) else few
    if few.empty:
        return None
    sizes, whole = tables["sizes"], tables["tests"]
    most = int(sizes[sizes.dataset == dataset].train.iloc[0])
    seeds = set(few.seed)
    full = whole[(whole.dataset == dataset) & whole.seed.isin(list(seeds))].assign(windows=most)
    frame = pd.concat([few, full], ignore_index=True)
    backbone = present(few, "backbone", BACKBONES)[0]
    frame = frame[frame.backbone == backbone]
    variants = present(few, "variant", VARIANTS)
    shown = ["original", *(t for s, own in OWN.items() if s in variants for t in own if t in set(few.test))]
    figure, axes = plt.subplots(1, len(shown), figsize=(2.7 * len(shown), 3.2), squeeze=False)
    for axis, test in zip(axes[0], shown, strict=True):
        for variant in variants:
            kind = variant.removeprefix("augmented ")
            if test == "original" or variant == "plain" or test in OWN[kind]:
                block = frame[(frame.variant == variant) & (frame.test == test)]
                band(axis, block, "windows", SHORT[variant], **style(variant))
        axis.set(xscale="log", yscale="log", xlabel="training windows")
        axis.set_title(test, fontsize=9)
        numbers_on(axis)
        axis.set_xticks(sorted(set(frame.windows)), [str(w) for w in sorted(set(frame.windows))])
        axis.set_xticks([], minor=True)
        plain_axis(axis)
        axis.legend(fontsize=6.5, frameon=False)
    axes[0, 0].set_ylabel(f"RMSE / unit, {BACKBONES[backbone]}")
    figure.tight_layout()
    return figure


def divergences(tables: Tables, dataset: str) -> plt.Figure | None:
    """Divergence of the forecasts over that of the truth, original set; every seed a mark."""
    frame, still = tables["tests"], tables["persistence"]
    frame = frame[(frame.dataset == dataset) & (frame.test == "original")]
    if "divergence" not in frame or frame.divergence.isna().all():
        return None
    truth = float(still[(still.dataset == dataset) & (still.test == "original")].divergence.iloc[0])
    backbones = present(frame, "backbone", BACKBONES)
    figure, axis = plt.subplots(figsize=(1.6 + 1.6 * len(backbones), 3.2))
    for at, backbone in enumerate(backbones):
        variants = [v for v in present(frame[frame.backbone == backbone], "variant", VARIANTS) if v in COLOUR]
        for variant, offset in zip(variants, np.linspace(-0.3, 0.3, len(variants)) if len(variants) > 1 else [0.0], strict=True):
            values = frame[(frame.backbone == backbone) & (frame.variant == variant)].divergence / truth
            shown = axis.get_legend_handles_labels()[1]
            name = SHORT[variant] if SHORT[variant] not in shown else None
            axis.plot([at + offset] * len(values), values, MARKER[variant], color=COLOUR[variant], ms=4, label=name)
    axis.axhline(1, color="#777777", lw=0.8)
    axis.set(yscale="log", ylabel="divergence, forecast over truth")
    numbers_on(axis)
    axis.set_xticks(range(len(backbones)), [BACKBONES[b] for b in backbones])
    plain_axis(axis)
    axis.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.tight_layout()
    return figure


def norms(found: dict[tuple[str, str], np.ndarray], dataset: str, steps: int) -> plt.Figure | None:
    """|w| of one window at the first, the middle and the last step: truth, and the networks of the first backbone."""
    runs = {run for run, test in found if test == "norms" and run.startswith(f"{dataset}_")}
    backbone = next((b for b in BACKBONES if any(r.startswith(f"{dataset}_{b}_") for r in runs)), None)
    if backbone is None:
        return None
    kinds = {r.split("_")[2]: found[r, "norms"] for r in sorted(runs) if r.startswith(f"{dataset}_{backbone}_")}
    kinds = {v: kinds[v] for v in VARIANTS if v in kinds}
    if not kinds or next(iter(kinds.values())).shape[2] != 2:
        return None
    truth = next(iter(kinds.values()))[0]
    columns = {"truth": truth, **{SHORT[v]: value[1] for v, value in kinds.items()}}
    numbers = [1, steps // 2, steps]
    figure, axes = plt.subplots(3, len(columns), figsize=(1.55 * len(columns) + 0.4, 5.1), squeeze=False)
    limit = np.quantile(np.linalg.norm(truth, axis=1), 0.995) + 1e-12
    for row, (at, number) in zip(axes, enumerate(numbers), strict=True):
        for axis, (name, states) in zip(row, columns.items(), strict=True):
            axis.imshow(np.linalg.norm(states[at], axis=0).T, origin="lower", cmap="viridis", vmin=0, vmax=limit, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.set_frame_on(False)
            if at == 0:
                axis.set_title(name, fontsize=9)
        row[0].set_ylabel(f"step {number}", fontsize=9)
    figure.suptitle(f"{TITLES[dataset]}, {BACKBONES[backbone]}: speed |w|", fontsize=10)
    figure.tight_layout()
    return figure


def trivial_lines(axis: Axes, base: pd.DataFrame) -> None:
    """Forecasts that cost nothing, by step."""
    lines = {"rmse": ("persistence", ":"), "increment": ("increment", "-."), "parabola": ("parabola", (0, (1, 4)))}
    for column, (name, line) in lines.items():
        if column in known(base):
            axis.plot(base.step, base[column], color="#999999", ls=line, lw=1, label=name)
