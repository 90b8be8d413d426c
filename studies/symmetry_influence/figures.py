"""The figures of the study, from its tables."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from harness import Tables
from matplotlib.axes import Axes
from study import DATASETS, MODELS, SCHEDULES, TITLES, V4
from tables import early_and_late

# Okabe and Ito's palette; every series also has its own marker and line.
COLOUR, MARKER = {"unet": "#0072B2", "vit": "#D55E00", "small": "#009E73"}, {"unet": "o", "vit": "s", "small": "^"}
LINE = {"constant": "-", "cosine": ":"}
ELEMENTS = ("e", "r", "r2", "r3", "s", "sr", "sr2", "sr3")


def draw(tables: Tables, folder: Path) -> list[str]:
    """Every figure for which there are numbers; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, make, needs in (
        ("d4", d4, "d4"), ("shifts", shifts, "shift_error"), ("epochs", epochs, "epochs"), ("time", time, "lag"),
        ("losses", losses, "losses"), ("optimisation", optimisation, "history"), ("early", early, "epochs"),
        ("matrix", matrix, "matrix"), ("basin", basin, "basin"),
    ):  # fmt: skip
        if not tables[needs].empty:
            figure = make(tables)
            figure.savefig(folder / f"symmetry-influence-{name}.png", dpi=110, metadata={"Software": None}, facecolor="white")
            plt.close(figure)
            made.append(name)
    return made


def d4(tables: Tables) -> plt.Figure:
    """Relative error and coherence per element; a bar spans all seeds. Grey: the null."""
    frame = tables["d4"]
    frame = frame[frame.metric == "gauss_newton"]
    sets = _present(frame)
    figure, axes = plt.subplots(2, len(sets), figsize=(4.1 * len(sets), 6.2), sharex=True, sharey="row", squeeze=False)
    for column, name in zip(axes.T, sets, strict=True):
        series = list(frame[frame.dataset == name].groupby(["model", "schedule"], sort=False))
        for (model, schedule), offset in zip([k for k, _ in series], np.linspace(-0.27, 0.27, len(series)), strict=True):
            block = dict(series)[(model, schedule)]
            where = np.arange(8) + offset
            style = {"color": COLOUR[model], "marker": MARKER[model], "mfc": COLOUR[model] if schedule == "constant" else "white"}
            for axis, value in ((column[0], "relative_error"), (column[1], "response")):
                _spread(
                    axis, where, [block[block.element == g][value] for g in ELEMENTS], f"{MODELS[model]}, {SCHEDULES[schedule]}", **style
                )
            null = [block[block.element == g]["null"].median() for g in ELEMENTS]
            column[1].plot(where, null, "_", color="#777777", ms=9, mew=2, label="null (unrelated states)")
        column[0].axhspan(0.8, 1.25, color="#000000", alpha=0.08, lw=0)
        column[0].set(yscale="log", title=TITLES[name])
        low, high = frame.relative_error.min(), frame.relative_error.max()
        column[0].set_ylim(min(0.5, 0.7 * low), max(2.0, 1.5 * high))
        _plain(column[0])
        column[1].set(xticks=range(8), xticklabels=ELEMENTS, xlabel="element of D4")
        _zero(column[1])
    axes[0, 0].set_ylabel("relative error")
    axes[1, 0].set_ylabel("coherence, Gauss-Newton")
    return _finish(figure, axes)


def shifts(tables: Tables) -> plt.Figure:
    """Relative error and coherence by shift; a band spans the seeds."""
    error, shared = tables["shift_error"], tables["shift_coherence"]
    keys = [(d, a) for d in _present(error) for a in ("tx", "ty")]
    figure, axes = plt.subplots(2, len(keys), figsize=(3.4 * len(keys) + 0.6, 6), sharex=True, sharey="row", squeeze=False)
    for column, (name, word) in zip(axes.T, keys, strict=True):
        for axis, frame, value in ((column[0], error, "relative_error"), (column[1], shared, "response")):
            for model, block in frame[(frame.dataset == name) & (frame.axis == word)].groupby("model", sort=False):
                whole = block[block["shift"] % 1 == 0].groupby("shift")[value].agg(["median", "min", "max"])
                axis.plot(
                    whole.index, whole["median"], "-", marker=MARKER[str(model)], ms=3, color=COLOUR[str(model)], label=MODELS[str(model)]
                )
                axis.fill_between(whole.index, whole["min"], whole["max"], color=COLOUR[str(model)], alpha=0.15, lw=0)
                half = block[block["shift"] % 1 != 0].groupby("shift")[value].median()
                axis.plot(half.index, half, "x", ms=4, color=COLOUR[str(model)], label=f"{MODELS[str(model)]}, half cells")
        null = shared[(shared.dataset == name) & (shared.axis == word)].groupby("shift")["null"].median()
        column[1].plot(null.index, null, color="#777777", lw=1, ls="--", label="null (unrelated states)")
        column[0].set(title=f"{TITLES[name]}, along {word[1]}", yscale="log")
        low, high = error.relative_error.min(), error.relative_error.max()
        column[0].set_ylim(min(0.8, 0.9 * low), max(1.25, 1.1 * high))
        _plain(column[0])
        column[1].set_xlabel("shift / cells")
        _zero(column[1])
    axes[0, 0].set_ylabel("relative error")
    axes[1, 0].set_ylabel("coherence, sketched")
    return _finish(figure, axes)


def epochs(tables: Tables) -> plt.Figure:
    """Coherence by epoch on V4 without e and on D4 without V4; a band spans seeds and elements."""
    frame = tables["epochs"]
    frame = frame[frame.element != "e"]
    sets, models = _present(frame), [m for m in MODELS if m in set(frame.model)]
    figure, axes = plt.subplots(len(models), len(sets), figsize=(4.1 * len(sets), 2.9 * len(models) + 0.6), sharey=True, squeeze=False)
    for row, model in zip(axes, models, strict=True):
        for axis, name in zip(row, sets, strict=True):
            block = frame[(frame.dataset == name) & (frame.model == model)]
            if block.empty:
                axis.set_visible(False)
                continue
            for inside, words, colour in ((True, "V4 without e", "#0072B2"), (False, "D4 without V4", "#D55E00")):
                for schedule, part in block[block.element.isin(V4) == inside].groupby("schedule", sort=False):
                    q = part.groupby("epoch")["response"].quantile([0.25, 0.5, 0.75]).unstack()
                    axis.plot(q.index, q[0.5], LINE[str(schedule)], marker="o" if inside else "s", ms=4, color=colour,
                              label=f"{words}, {SCHEDULES[str(schedule)]}")  # fmt: skip
                    axis.fill_between(q.index, q[0.25], q[0.75], color=colour, alpha=0.1, lw=0)
            null = block.groupby(["schedule", "epoch"])["null"].median()
            for schedule in dict.fromkeys(null.index.get_level_values(0)):
                axis.plot(null[schedule].index, null[schedule], LINE[schedule], color="#777777", lw=1, label=f"null, {SCHEDULES[schedule]}")
            axis.set(title=f"{TITLES[name]}, {MODELS[model]}")
            _zero(axis)
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    for axis in axes[:, 0]:
        axis.set_ylabel("coherence")
    return _finish(figure, axes)


def time(tables: Tables) -> plt.Figure:
    """Coherence of x with itself at another time, by lag; and between classes of initial conditions."""
    lag, classes = tables["lag"], tables["classes"]
    sets = _present(lag)
    figure, axes = plt.subplots(2, len(sets), figsize=(4.1 * len(sets), 6.2), squeeze=False)
    for (top, bottom), name in zip(axes.T, sets, strict=True):
        block = lag[(lag.dataset == name) & (lag.element == "e")]
        for (model, schedule), part in block.groupby(["model", "schedule"], sort=False):
            by = part.groupby("lag")["coherence"].agg(["median", "min", "max"])
            top.plot(by.index, by["median"], LINE[str(schedule)], marker=MARKER[str(model)], ms=4, color=COLOUR[str(model)],
                     label=f"{MODELS[str(model)]}, {SCHEDULES[str(schedule)]}")  # fmt: skip
            top.fill_between(by.index, by["min"], by["max"], color=COLOUR[str(model)], alpha=0.1, lw=0)
        top.set(title=TITLES[name], xlabel="time lag / steps")
        part = classes[(classes.dataset == name) & (classes.element == "e")]
        order = list(dict.fromkeys(part.bra_class))
        matrix = part.pivot_table(index="bra_class", columns="ket_class", values="coherence", aggfunc="median").reindex(order)[order]
        bottom.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
        for i, j in np.ndindex(matrix.shape):
            value = matrix.iloc[i, j]
            bottom.text(j, i, "–" if pd.isna(value) else f"{value:.2f}", ha="center", va="center", fontsize=9)
        bottom.set(xticks=range(len(order)), xticklabels=order, yticks=range(len(order)), yticklabels=order, xlabel="class of the ket")
        low = float(lag[lag.element == "e"].coherence.min())
        top.set_ylim(min(-0.1, low - 0.05), 1.05)
        _zero(top)
    axes[0, 0].set_ylabel("coherence within a trajectory")
    axes[1, 0].set_ylabel("class of the bra")
    return _finish(figure, axes)


def losses(tables: Tables) -> plt.Figure:
    """Cosine of a step on the data loss with conservation losses at gx."""
    frame = tables["losses"]
    sets = _present(frame)
    figure, axes = plt.subplots(1, len(sets), figsize=(4.3 * len(sets), 3.6), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], sets, strict=True):
        block = frame[frame.dataset == name]
        ticks = list(dict.fromkeys(zip(block.bra_loss, block.element, strict=True)))
        series = list(block.groupby("model", sort=False))
        for (model, part), offset in zip(series, np.linspace(-0.15, 0.15, max(len(series), 2)), strict=False):
            values = [part[(part.bra_loss == loss) & (part.element == g)]["response"] for loss, g in ticks]
            _spread(axis, np.arange(len(ticks)) + offset, values, MODELS[str(model)], color=COLOUR[str(model)], marker=MARKER[str(model)])
        null = [block[(block.bra_loss == loss) & (block.element == g)]["null"].median() for loss, g in ticks]
        axis.plot(range(len(ticks)), null, "_", color="#777777", ms=11, mew=2, label="null (unrelated states)")
        axis.set_xticks(range(len(ticks)), [f"{loss} {g}" for loss, g in ticks], rotation=60, ha="right")
        axis.set_title(TITLES[name])
        _zero(axis)
    axes[0, 0].set_ylabel("coherence")
    return _finish(figure, axes)


def optimisation(tables: Tables) -> plt.Figure:
    """Validation error by epoch; one line per seed."""
    frame = tables["history"]
    frame = frame[frame.model != "small"]
    sets = _present(frame)
    figure, axes = plt.subplots(1, len(sets), figsize=(4.1 * len(sets), 3.6), squeeze=False)
    for axis, name in zip(axes[0], sets, strict=True):
        for (model, schedule, _), part in frame[frame.dataset == name].groupby(["model", "schedule", "seed"], sort=False):
            axis.plot(part.epoch, part.validation, LINE[str(schedule)], color=COLOUR[str(model)], lw=1.2,
                      label=f"{MODELS[str(model)]}, {SCHEDULES[str(schedule)]}")  # fmt: skip
        axis.set(yscale="log", title=TITLES[name], xlabel="epoch")
        axis.grid(axis="y", color="#e4e4e4", lw=0.6)
    axes[0, 0].set_ylabel("validation SMSE (units of the state)")
    return _finish(figure, axes)


def early(tables: Tables) -> plt.Figure:
    """Excess early in training against the error at its end, a point per run and element."""
    frame = early_and_late(tables["epochs"], tables.meta["settings"]["checkpoints"])
    parts = sorted(p for p in set(frame.part) if p > 0) or sorted(set(frame.part))
    figure, axes = plt.subplots(1, len(parts), figsize=(max(8.0, 3.6 * len(parts)), 3.9), sharey=True, squeeze=False)
    shade = {"navier-stokes": "#0072B2", "navier-stokes-swapped": "#D55E00", "euler": "#009E73"}
    for axis, part in zip(axes[0], parts, strict=True):
        for name, block in frame[frame.part == part].groupby("dataset", sort=False):
            axis.plot(block.excess, block.relative_error_late, "o", ms=3, alpha=0.6, color=shade[str(name)], label=TITLES[str(name)])
        axis.set(yscale="log", xlabel="excess coherence then", title=f"after {100 * part:.0f} % of the training")
        axis.axvline(0, color="#444444", lw=0.8, ls="--")
    low, high = frame.relative_error_late.min(), frame.relative_error_late.max()
    axes[0, 0].set_ylim(min(0.5, 0.7 * low), max(2.0, 1.5 * high))
    _plain(axes[0, 0])
    axes[0, 0].set_ylabel("relative error at the end")
    return _finish(figure, axes)


def matrix(tables: Tables) -> plt.Figure:
    """Standardised influence, element x mini-batch of all seeds; below, what each element would have if all shared alike."""
    frame = tables["matrix"]
    frame = frame[(frame.metric == "gauss_newton") & (frame.schedule == tables.meta["settings"]["main_schedule"])]
    known = {key: block for key, block in frame.groupby(["dataset", "model"])}
    cells = [(d, m) for d in DATASETS for m in MODELS if (d, m) in known]
    figure, axes = plt.subplots(1, len(cells), figsize=(2.9 * len(cells) + 0.9, 3.9), sharey=True, squeeze=False, layout="constrained")
    limit, image = float(frame.standardised.abs().quantile(0.98)), None
    for axis, key in zip(axes[0], cells, strict=True):
        block = known[key]
        wide = block.pivot_table(index="element", columns=["seed", "mini_batch"], values="standardised").reindex(ELEMENTS)
        uniform = block.pivot_table(columns=["seed", "mini_batch"], values="uniform").loc["uniform"]
        image = axis.imshow(np.vstack([wide, uniform]), vmin=-limit, vmax=limit, cmap="RdBu_r", aspect="auto")
        axis.axhline(7.5, color="black", lw=1.5)
        seeds = wide.columns.get_level_values(0)
        for edge in np.flatnonzero(np.diff(seeds)) + 0.5:
            axis.axvline(edge, color="black", lw=0.8)
        middle = [float(np.mean(np.flatnonzero(seeds == s))) for s in dict.fromkeys(seeds)]
        axis.set_xticks(middle, [f"seed {s}" for s in dict.fromkeys(seeds)], fontsize=8)
        axis.set_title(f"{TITLES[key[0]]},\n{MODELS[key[1]]}", fontsize=9)
    axes[0, 0].set_yticks(range(9), [*ELEMENTS, "uniform"])
    axes[0, 0].set_ylabel("element of D4")
    figure.supxlabel("mini-batches", fontsize=9)
    if image is not None:
        figure.colorbar(image, ax=axes, label="standard deviations between\nunrelated mini-batches")
    return figure


def basin(tables: Tables) -> plt.Figure:
    """Loss along each kind of line over that of its first end at e; a line per element, median over seeds."""
    frame = tables["basin"]
    titles = {"checkpoints": "first checkpoint to last", "seeds": "one seed to the next", "average": "model to its D4 average (answers)"}
    known = {key: block for key, block in frame.groupby(["dataset", "model"])}
    cells = [(d, m) for d in DATASETS for m in MODELS if (d, m) in known]
    kinds = [k for k in titles if k in set(frame.kind)]
    figure, axes = plt.subplots(
        len(kinds), len(cells), figsize=(2.9 * len(cells) + 0.6, 2.3 * len(kinds) + 0.9), squeeze=False, sharex=True
    )
    for row, kind in zip(axes, kinds, strict=True):
        for axis, key in zip(row, cells, strict=True):
            part = known[key][known[key].kind == kind]
            if part.empty:  # not measured for this network
                axis.set_visible(False)
                continue
            start = part[(part.element == "e") & (part.position == 0)].set_index("seed").loss
            scaled = part.assign(loss=part.loss / part.seed.map(start))
            for g in (g for g in ELEMENTS if g in set(part.element)):
                by = _fine(scaled[scaled.element == g].groupby("position")["loss"].agg(["median", "min", "max"]), kind == "average")
                colour = "#000000" if g == "e" else "#0072B2" if g in V4 else "#D55E00"
                label = "e" if g == "e" else "V4 without e" if g in V4 else "D4 without V4"
                axis.plot(by.index, by["median"], "-" if g in V4 else "--", color=colour, lw=1.2, label=label)
                axis.fill_between(by.index, by["min"], by["max"], color=colour, alpha=0.06, lw=0)
            if scaled.loss.max() > 5:
                axis.set_yscale("log")
            else:
                axis.set_ylim(0, 1.05 * scaled.loss.max())
            axis.grid(axis="y", color="#e4e4e4", lw=0.6)
            if kind == kinds[0]:
                axis.set_title(f"{TITLES[key[0]]},\n{MODELS[key[1]]}", fontsize=9)
        row[0].set_ylabel(f"{titles[kind]}\nloss / first end at e", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("position on the line", fontsize=9)
    return _finish(figure, axes)


def _fine(curve: pd.DataFrame, quadratic: bool) -> pd.DataFrame:
    """The curve as it is; along a line of answers a squared error is a parabola, which three points say."""
    if not quadratic:
        return curve
    where = np.linspace(0, 1, 21)
    return pd.DataFrame({k: np.polyval(np.polyfit(curve.index, curve[k], 2), where) for k in curve}, index=where)


def _present(frame: pd.DataFrame) -> list[str]:
    return [d for d in DATASETS if d in set(frame.dataset)]


def _spread(axis: Axes, where: np.ndarray, values: list[pd.Series], label: str, **style: str) -> None:
    """Median with a bar from the least to the largest."""
    middle = np.array([v.median() for v in values])
    gaps = [middle - np.array([v.min() for v in values]), np.array([v.max() for v in values]) - middle]
    axis.errorbar(where, middle, yerr=np.clip(gaps, 0, None), ls="", ms=5, lw=1.1, capsize=2, label=label, **style)  # pyright: ignore[reportArgumentType]


def _plain(axis: Axes) -> None:
    """A logarithmic axis that names numbers such as 0.5 and 2, and powers of ten where it spans many."""
    low, high = axis.get_ylim()
    steps = [s for s in (1e-3, 1e-2, 0.1, 0.5, 0.8, 1, 1.25, 2, 5, 10, 100, 1e3, 1e4, 1e5) if low <= s <= high]
    if high / low > 30:
        steps = [s for s in steps if s not in (0.5, 0.8, 1.25, 2, 5)]
    axis.set_yticks(steps, [f"{s:g}" for s in steps])
    axis.minorticks_off()


def _zero(axis: Axes) -> None:
    axis.axhline(0, color="#444444", lw=0.8, ls="--", zorder=0)
    axis.grid(axis="y", color="#e4e4e4", lw=0.6)
    axis.set_axisbelow(True)


def _finish(figure: plt.Figure, axes: np.ndarray) -> plt.Figure:
    found: dict[str, object] = {}
    for axis in axes.flat:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    rows = -(-len(found) // 4)
    figure.legend(list(found.values()), list(found), loc="lower center", ncols=min(4, len(found)), frameon=False)
    figure.tight_layout(rect=(0, 0.26 * rows / figure.get_figheight() + 0.01, 1, 1))
    return figure
