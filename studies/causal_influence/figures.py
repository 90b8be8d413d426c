"""The figures of the study, from its tables."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from harness import Tables
from judgement import interval
from study import ELEMENTS
from tables import BASELINES, PREDICTORS, Measured, ratios, tests, title

# Okabe and Ito's palette.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
MARKERS = ("o", "s", "^", "D")


def draw(t: Tables, found: list[Measured], s: pd.DataFrame, folder: Path) -> list[str]:
    """Every figure that has numbers; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, figure in (
        ("matrices", matrices(t, found)), ("tests", heat(t, s)), ("retrained", retrained(s)), ("horizon", horizon(t, found, s)),
    ):  # fmt: skip
        if figure is not None:
            figure.savefig(folder / f"causal-influence-{name}.png", dpi=110, metadata={"Software": None}, facecolor="white")
            plt.close(figure)
            made.append(name)
    return made


def _cells(frame: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(frame.cell))


def matrices(t: Tables, found: list[Measured]) -> plt.Figure | None:
    """What happened beside what was predicted, copies under g downwards, loss at h across: the first seed of every cell, late."""
    first = {(r.label["family"], r.label["network"]): r for r in reversed(found) if r.single() is not None}
    if not first:
        return None
    panels, steps = ("influence", "sign_ket", "coherence", "excess"), max(t.meta["settings"]["tune"]["steps"])
    figure, axes = plt.subplots(len(first), 6, figsize=(16.5, 3.0 * len(first)), squeeze=False)
    for row, (cell, run) in zip(axes, reversed(first.items()), strict=True):
        order = np.argsort(run.block["late"], kind="stable")
        names = [ELEMENTS[k] for k in order]
        tuned = {(w["optimiser"], w["phase"]): v for w, v in run.realised()}.get(("kept", "late"))
        single = run.single()
        assert single is not None
        loss = run.predicted["late"]["error"]
        shown = [
            ("retrained: log benefit at h", single),
            (f"{steps} steps, kept Adam: share of the loss", None if tuned is None else tuned / loss),
            *((PREDICTORS[n], run.predicted["late"][n]) for n in panels),
        ]  # fmt: skip
        for k, (axis, (words, values)) in enumerate(zip(row, shown, strict=True)):
            if values is None:
                axis.axis("off")
                continue
            part = values[np.ix_(order, order)]
            most = float(np.nanquantile(np.abs(part), 0.95)) or 1.0
            axis.imshow(part, cmap="RdBu", vmin=-most, vmax=most)
            for edge in np.flatnonzero(np.diff(run.block["late"][order])) + 0.5:
                axis.axhline(edge, color="0.1", lw=1.0)
                axis.axvline(edge, color="0.1", lw=1.0)
            axis.set_xticks(range(len(names)), names, fontsize=7)
            axis.set_yticks(range(len(names)), names, fontsize=7)
            axis.set_title(f"{title('/'.join(cell))}\n{words}" if k == 0 else words, fontsize=8.5)
        row[0].set_ylabel("copies under g")
    figure.tight_layout()
    return figure


def heat(t: Tables, s: pd.DataFrame) -> plt.Figure | None:
    """Mean over seeds and cells of the rank correlation of every predictor with every test: all pairs, and with the blocks taken out."""
    if s.empty:
        return None
    shown = [(words, pick(s)) for words, pick in tests(t)]
    shown = [(words, part) for words, part in shown if len(part)]
    figure, axes = plt.subplots(1, 2, figsize=(17.5, 6.2), sharey=True)
    for axis, column, words in ((axes[0], "all", "all pairs g ≠ h"), (axes[1], "inside", "blocks taken out")):
        grid = np.array([[float(part[part.predictor == n][column].mean()) for _, part in shown] for n in PREDICTORS])
        axis.imshow(grid, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
        for i, j in np.ndindex(grid.shape):
            text = "–" if not np.isfinite(grid[i, j]) else f"{grid[i, j]:.2f}"
            axis.text(j, i, text, ha="center", va="center", fontsize=7.5, color="white" if abs(grid[i, j]) > 0.7 else "black")
        axis.axhline(len(PREDICTORS) - len(BASELINES) - 0.5, color="black", lw=1)
        axis.set_xticks(
            range(len(shown)),
            [f"{w} ({len(part[part.predictor == 'influence'])})" for w, part in shown],
            rotation=40,
            ha="right",
            fontsize=8,
        )
        axis.set_yticks(range(len(PREDICTORS)), list(PREDICTORS.values()), fontsize=8.5)
        axis.set_title(f"rank correlation with what happened, {words}", fontsize=10)
    figure.tight_layout()
    return figure


def retrained(s: pd.DataFrame) -> plt.Figure | None:
    """Trained from scratch: mean over seeds and Student's interval, by predictor, cell and phase of the prediction."""
    part = s[s.test == "retrained"]
    if part.empty:
        return None
    columns = (("all", "all pairs g ≠ h"), ("inside", "blocks taken out"), ("to_e", "over g, at h = e"), ("subsets", "sets of elements"))
    figure, axes = plt.subplots(2, 4, figsize=(16.5, 9.2), sharex=True, sharey=True)
    for row, phase in zip(axes, ("early", "late"), strict=True):
        for axis, (column, words) in zip(row, columns, strict=True):
            for k, cell in enumerate(_cells(part)):
                block = part[(part.cell == cell) & (part.phase == phase)]
                for y, name in enumerate(PREDICTORS):
                    values = block[block.predictor == name][column].to_numpy(float)
                    low, high = np.clip(interval(values), -1, 1)
                    middle = float(np.nanmean(values)) if np.isfinite(values).any() else np.nan
                    where = y + 0.2 * (k - (len(_cells(part)) - 1) / 2)
                    axis.plot([low, high], [where, where], color=COLOURS[k], lw=1.2)
                    axis.plot(middle, where, MARKERS[k], color=COLOURS[k], ms=5, label=title(cell) if y == 0 else None)
            axis.axvline(0, color="0.3", lw=0.8, ls="--", zorder=0)
            axis.axhline(len(PREDICTORS) - len(BASELINES) - 0.5, color="0.3", lw=0.8)
            axis.set(title=f"predicted {phase}: {words}", xlim=(-1.05, 1.05))
            axis.title.set_fontsize(9.5)
            axis.grid(axis="x", color="#e4e4e4", lw=0.6)
        row[0].set_yticks(range(len(PREDICTORS)), list(PREDICTORS.values()), fontsize=8.5)
    axes[0, 0].invert_yaxis()
    for axis in axes[1]:
        axis.set_xlabel("rank correlation")
    return _finish(figure, axes)


def horizon(t: Tables, found: list[Measured], s: pd.DataFrame) -> plt.Figure | None:
    """SGD, late: realised over predicted fall, and rank correlations, by the number of steps."""
    size = ratios(found, "late")
    if size.empty:
        return None
    cells = _cells(size)
    figure, axes = plt.subplots(2, len(cells), figsize=(5.2 * len(cells), 7.4), squeeze=False, sharey="row", sharex=True)
    for column, cell in zip(axes.T, cells, strict=True):
        groups = size[size.cell == cell].groupby("steps").ratio
        steps = np.array(sorted(groups.groups), float)
        low, middle, high = (groups.quantile(q).to_numpy() for q in (0.25, 0.5, 0.75))
        column[0].fill_between(steps, low, high, color=COLOURS[0], alpha=0.25, lw=0, label="middle half of the pairs")
        column[0].plot(steps, middle, "o-", color=COLOURS[0], label="median")
        column[0].axhline(1, color="0.3", lw=0.8, ls="--")
        column[0].axhline(0, color="0.3", lw=0.8)
        column[0].set(title=title(cell), xscale="log", ylim=(-1, 2))
        tuned = s[(s.cell == cell) & (s.test == "tuned") & (s.phase == "late")]
        for k, name in enumerate(("influence", "sign_ket", "coherence", "excess")):
            for optimiser, style in (("sgd", "-"), ("kept", "--")):
                part = tuned[(tuned.predictor == name) & (tuned.optimiser == optimiser)].groupby("steps")["all"].mean()
                label = f"{PREDICTORS[name]}, {'SGD' if optimiser == 'sgd' else 'kept Adam'}"
                column[1].plot(part.index, part, style, marker=MARKERS[k], ms=5, color=COLOURS[k], label=label)
        column[1].axhline(0, color="0.3", lw=0.8)
        column[1].set(xlabel="steps", ylim=(-1, 1))
        column[1].set_xticks(steps, [f"{int(k)}" for k in steps])
        column[1].minorticks_off()
        for axis in column:
            axis.grid(color="#e4e4e4", lw=0.6)
    axes[0, 0].set_ylabel("realised / predicted (SGD)")
    axes[1, 0].set_ylabel("rank correlation, all pairs g ≠ h")
    return _finish(figure, axes)


def _finish(figure: plt.Figure, axes: np.ndarray) -> plt.Figure:
    found: dict[str, object] = {}
    for axis in axes.flat:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    rows = -(-len(found) // 5)
    figure.legend(list(found.values()), list(found), loc="lower center", ncols=min(5, len(found)), frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.26 * rows / figure.get_figheight() + 0.01, 1, 1))
    return figure
