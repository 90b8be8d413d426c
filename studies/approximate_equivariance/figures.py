"""The figures of the study, from its tables."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from harness import Tables
from matplotlib.axes import Axes
from study import DATA, MODELS
from tables import SET, by_element, learnt, own, true_breaking, whole_errors

# Okabe and Ito's palette; every series also has its own marker.
COLOUR = {
    "plain": "#000000",
    "strict": "#0072B2",
    "single": "#56B4E9",
    "group": "#D55E00",
    "steerable": "#009E73",
    "translation": "#D55E00",
    "residual": "#CC79A7",
}
MARKER = {"plain": "x", "strict": "s", "single": "P", "group": "o", "steerable": "^", "translation": "o", "residual": "D"}
STEM = "approximate-equivariance"


def draw(tables: Tables, results: Path, folder: Path) -> list[str]:
    """Every figure for which there are numbers; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, make, needs in (
        ("error", error, "errors"),
        ("learnt", learning, "departure"),
        ("elements", elements, "relaxation"),
        ("alpha", alpha, "departure"),
    ):
        if not tables[needs].empty and (figure := make(tables)) is not None:
            made.append(_save(figure, folder, name))
    if (results / "pictures.nc").exists():
        made.append(_save(plumes(xr.load_dataset(results / "pictures.nc", engine="h5netcdf")), folder, "plumes"))
    return made


def _save(figure: plt.Figure, folder: Path, name: str) -> str:
    figure.savefig(folder / f"{STEM}-{name}.png", dpi=110, metadata={"Software": None}, facecolor="white")
    plt.close(figure)
    return name


def error(t: Tables) -> plt.Figure | None:
    """Error over that of the best trivial forecast against the law's departure, on the sets of rounds and on smoke-R."""
    frame = whole_errors(own(t, "errors")).merge(true_breaking(t)[[*SET, "law"]], on=SET)
    frame = frame[(frame.field == "velocity") & frame.data.isin(["ramp", "rotation"])]
    if frame.empty:
        return None
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), sharex=True)
    for axis, part, title in zip(axes, ("domain", "future"), ("unseen rounds", "later times of the training rounds"), strict=True):
        for model, block in _by_model(frame[(frame.part == part) & (frame.data == "ramp")]):
            by = block.assign(value=block.rmse / block.trivial).groupby("level").agg({"law": "mean", "value": ["median", "min", "max"]})
            _line(axis, by["law"]["mean"], by["value"], model)
        for model, block in _by_model(frame[(frame.part == part) & (frame.data == "rotation")]):
            value = (block.rmse / block.trivial).median()
            axis.plot(block.law.mean(), value, MARKER[model], color=COLOUR[model], mfc="none" if model != "plain" else None, ms=9)
        axis.set(title=title, xlabel="departure of the law under quarter turns")
        axis.grid(color="#e4e4e4", lw=0.6)
    axes[0].set_ylabel("RMSE (velocity) / best trivial forecast")
    return _finish(figure, axes)


def _line(axis: Axes, x: pd.Series, value: pd.DataFrame, model: str) -> None:
    axis.plot(x, value["median"], "-", marker=MARKER[model], color=COLOUR[model], ms=5, label=MODELS[model])
    axis.fill_between(x, value["min"], value["max"], color=COLOUR[model], alpha=0.12, lw=0)


def learning(t: Tables) -> plt.Figure | None:
    """What the networks and their kernels broke against what the law breaks, a point per training."""
    frame = learnt(t)
    frame = frame[frame.data.isin(["ramp", "rotation"]) & ~frame.model.isin(["strict", "single"])] if not frame.empty else frame
    if frame.empty:
        return None
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.4))
    for axis, value, title in ((axes[0], "departure", "the network"), (axes[1], "broken", "its kernels, mean over layers")):
        for model, block in _by_model(frame):
            block = block[block[value].notna()] if value in block else block[:0]
            if len(block):
                for data, part in block.groupby("data", sort=False):
                    face = {"mfc": "none"} if data == "rotation" and model != "plain" else {}
                    axis.plot(part.law, part[value], MARKER[model], color=COLOUR[model], ms=6, label=MODELS[model], **face)
        axis.set(title=title, xlabel="departure of the law under quarter turns", yscale="log")
        axis.grid(color="#e4e4e4", lw=0.6)
    same = np.geomspace(1e-3, max(frame.law.max(), 2e-3), 60)
    axes[0].plot(same, same, color="#777777", lw=1, ls="--", label="equal to the law's")
    axes[0].set_ylabel("departure of the network under quarter turns")
    axes[1].set_ylabel("relative change of a kernel under quarter turns")
    return _finish(figure, axes)


def elements(t: Tables) -> plt.Figure | None:
    """Element by element, where the law keeps some and breaks others: D4 networks, one side stronger, and one axis stronger."""
    frame = by_element(t)
    if frame.empty:
        return None
    sets = [d for d in ("one", "axis") if d in set(frame.data)]
    figure, axes = plt.subplots(3, len(sets), figsize=(5.2 * len(sets), 7.5), sharex="col", squeeze=False)
    for column, data in zip(axes.T, sets, strict=True):
        block = frame[frame.data == data]
        names = list(dict.fromkeys(block.element))
        law = block.groupby("element").law.mean().reindex(names)
        column[0].bar(range(len(names)), law, color="#bbbbbb")
        column[0].set(title=DATA[data])
        for axis, value in ((column[1], "departure"), (column[2], "broken")):
            kinds = [m for m, _ in _by_model(block)]
            for kind, shift in zip(kinds, np.linspace(-0.22, 0.22, len(kinds)), strict=True):
                part = block[block.model == kind].groupby("element")[value].agg(["median", "min", "max"]).reindex(names)
                gaps = [part["median"] - part["min"], part["max"] - part["median"]]
                axis.errorbar(np.arange(len(names)) + shift, part["median"], yerr=gaps, ls="", marker=MARKER[kind], color=COLOUR[kind],
                              capsize=2, ms=5, lw=1, label=MODELS[kind])  # fmt: skip
            axis.set_yscale("log")
        column[2].set(xticks=range(len(names)), xticklabels=names, xlabel="element of D4")
    for axis, label in zip(axes[:, 0], ("departure of the law", "departure of the network", "change of the kernels"), strict=True):
        axis.set_ylabel(label)
    for axis in axes.flat:
        axis.grid(axis="y", color="#e4e4e4", lw=0.6)
        axis.set_axisbelow(True)
    return _finish(figure, axes)


def alpha(t: Tables) -> plt.Figure | None:
    """Departure at exact symmetry by the weight of the penalty."""
    frame = t["departure"]
    frame = frame[(frame.data == "ramp") & (frame.level == 0) & frame.element.isin(["r", "r2"])]
    kinds = [m for m in ("group", "steerable", "residual") if m in set(frame.model)]
    if not kinds:
        return None
    figure, axis = plt.subplots(figsize=(6.4, 4.4))
    least = frame.alpha[frame.alpha > 0].min()
    for model in kinds:
        runs = frame[frame.model == model].groupby(["alpha", "seed"]).departure.mean()
        by = runs.groupby("alpha").agg(["median", "min", "max"])
        x = np.where(by.index > 0, by.index, least / 10)
        axis.plot(x, by["median"], "-", marker=MARKER[model], color=COLOUR[model], label=MODELS[model])
        axis.fill_between(x, by["min"], by["max"], color=COLOUR[model], alpha=0.12, lw=0)
    plain = frame[frame.model == "plain"].groupby("seed").departure.mean()
    if len(plain):
        axis.axhline(plain.median(), color="#000000", lw=1, ls="--", label=f"{MODELS['plain']} (median)")
    known = sorted(set(frame.alpha[frame.alpha > 0]))
    axis.set(xscale="log", xlabel="weight alpha of the penalty (leftmost: 0)", ylabel="departure under quarter turns, exact data")
    axis.set_yscale("log")
    axis.set_xticks([least / 10, *known], ["0", *[f"{a:g}" for a in known]])
    axis.minorticks_off()
    axis.grid(color="#e4e4e4", lw=0.6)
    return _finish(figure, np.array([axis]))


def plumes(found: xr.Dataset) -> plt.Figure:
    """Smoke of unseen plumes at the end of a forecast: truth, then every model."""
    models, sides = [str(m) for m in found["model"].values], found["side"].values
    figure, axes = plt.subplots(len(sides), 1 + len(models), figsize=(1.75 * (1 + len(models)), 1.75 * len(sides) + 0.4), squeeze=False)
    for k, (row, side) in enumerate(zip(axes, sides, strict=True)):
        truth = found["truth"].sel(side=side).values
        for axis, image, title in zip(row, [truth, *(found["forecast"].sel(side=side, model=m).values for m in models)],
                                      ["truth", *(MODELS[m] for m in models)], strict=True):  # fmt: skip
            axis.imshow(image.T, origin="lower", cmap="magma", vmin=0, vmax=float(np.quantile(truth, 0.995)))
            axis.set(xticks=[], yticks=[])
            if k == 0:
                axis.set_title(title.replace("relaxed ", "relaxed\n").replace("residual ", "residual\n"), fontsize=9)
        row[0].set_ylabel(("bottom", "right", "top", "left")[int(side)])
    figure.tight_layout()
    return figure


def _by_model(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each network, in one order for all figures."""
    return [(m, frame[frame.model == m]) for m in MODELS if m in set(frame.model)]


def _finish(figure: plt.Figure, axes: np.ndarray) -> plt.Figure:
    found: dict[str, object] = {}
    for axis in axes.flat:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    across = max(2, round(figure.get_figwidth() / 2))
    rows = -(-len(found) // across)
    figure.legend(list(found.values()), list(found), loc="lower center", ncols=min(across, len(found)), frameon=False)
    figure.tight_layout(rect=(0, 0.26 * rows / figure.get_figheight() + 0.01, 1, 1))
    return figure
