# ruff: noqa: E501 - prose templates
"""Of the page: every bar, what was found, and a word; differences are taken seed by seed."""

import figures
import numpy as np
import pandas as pd
from harness import Tables, table
from judgement import interval
from study import ARMS, BOTH, CLOSED, FULL, HANDS, NEAREST

SEEDS = 3  # fewer judge nothing
AHEAD, EXACT = 20.0, 1e-5  # points before the flat policy; m
LONG = ("place", "drawer", "stack")  # tasks of four keyframes and more, of which the bar speaks
COPIES = "no equivariance, turned copies"


def main(t: Tables, name: str) -> pd.DataFrame:
    """A table without the runs with other numbers of demonstrations."""
    return t[name][t[name]["demos"].isin(t.meta["settings"]["demos"])]


def share(cells: pd.DataFrame, task: str, arm: str, demos: int) -> pd.Series:
    """Per cent of episodes done, by seed."""
    own = cells[(cells["task"] == task) & (cells["arm"] == arm) & (cells["demos"] == demos)].set_index("seed").sort_index()
    return 100 * own["successes"] / own["episodes"]


def gains(cells: pd.DataFrame, other: str) -> list[tuple[str, pd.Series]]:
    """By task, how many points the policy is ahead of an arm, seed by seed on the same demonstrations and layouts."""
    found = []
    for task in dict.fromkeys(cells["task"]):
        demos = figures.most(cells, task)
        found.append((task, (share(cells, task, FULL, demos) - share(cells, task, other, demos)).dropna()))
    return [(task, gain) for task, gain in found if len(gain)]


def told(gain: pd.Series) -> str:
    """The mean over seeds, and Student's 95 % interval where there are three."""
    low, high = np.clip(interval(gain.tolist()), -100, 100)
    return f"{gain.mean():+.0f}" + (f" ({low:+.0f} to {high:+.0f})" if low == low else "")


def bars(cells: pd.DataFrame, turns: pd.DataFrame, voxel: float) -> list[list[str]]:
    """Every bar: what, how much is wanted, what was found, by how many seeds, and a word; `voxel`: of the high level, m."""
    rows = []
    for arm in ARMS:
        if arm in (FULL, NEAREST, CLOSED, HANDS, BOTH, "flat diffusion"):
            continue
        by_task = gains(cells, arm)
        what = [f"Points ahead of *{arm}*, mean over " + (", ".join(task for task, _ in by_task) or "tasks"), "above 0"]
        found = judged(pd.concat([g for _, g in by_task], axis=1).dropna().mean(axis=1), 0.0) if by_task else ["–", "0", "not run"]
        rows.append([*what, *found])
    for task, gain in gains(cells, "flat diffusion"):
        found = judged(gain, AHEAD)
        if task not in LONG:
            found[-1] = "not judged: a short task"
        rows.append([f"Points ahead of *flat diffusion*, {task}", f"at least {AHEAD:g} on long tasks", *found])
    return rows + commuting(turns, FULL, "", voxel) + commuting(turns, HANDS, f" of *{HANDS}*", voxel)


def commuting(turns: pd.DataFrame, arm: str, said_of: str, voxel: float) -> list[list[str]]:
    """Bars of how far the answers of an arm move with the scene; `said_of`: words for the arm."""
    own, rows = turns[turns["arm"] == arm], []
    exact = ("quarter turn", "shift")
    others = tuple(dict.fromkeys(own.loc[~own["motion"].isin(exact), "motion"]))
    every = [*(((m,), EXACT, f"at most {EXACT:g}", "") for m in exact)]
    for motions, wanted, said, task in every + [(others, voxel, f"below a voxel, {voxel:g}", t) for t in dict.fromkeys(own["task"])]:
        mine = own[own["motion"].isin(motions) & (own["task"] == task if task else True)]
        if len(mine):
            worst, count = float(mine["largest"].max()), mine["seed"].nunique()
            word = ("met" if worst <= wanted else "missed") if count >= SEEDS else f"not judged with fewer than {SEEDS} seeds"
            rows.append(
                [
                    f"Equivariance error of trained policies{said_of}, {' and '.join(motions)}{', ' * bool(task)}{task}, single precision, m",
                    f"{said}, every answer",
                    f"{worst:.1e}",
                    str(count),
                    word,
                ]
            )
    return rows


def judged(gain: pd.Series, wanted: float) -> list[str]:
    """Met where the interval over seeds lies at or above what is wanted, missed where it lies below, else not decided."""
    low, high = interval(gain.tolist())
    if low != low:
        return [told(gain), str(len(gain)), f"not judged with fewer than {SEEDS} seeds"]
    word = "met" if low >= wanted and gain.mean() > 0 else "missed" if high < wanted else "not decided: the interval reaches across"
    return [told(gain), str(len(gain)), word]


def all_bars(t: Tables) -> str:
    return f"""## Bars

Differences are taken seed by seed: the same demonstrations, the same layouts. A bar is met where the whole 95 % interval over seeds lies on its side.

{table(["what", "bar", "found", "seeds", ""], bars(t["cells"], main(t, "turns"), t.meta["settings"]["model"]["edge"]))}

The same differences by task; no bar speaks of them alone:

{table(["points ahead of", *(tasks := list(dict.fromkeys(t["cells"]["task"])))], _by_task(t["cells"], tasks))}{_both(t["cells"])}"""


def _by_task(cells: pd.DataFrame, tasks: list[str]) -> list[list[str]]:
    rows = []
    for arm in [a for a in ARMS if a != FULL and (cells["arm"] == a).any()]:
        found = dict(gains(cells, arm))
        rows.append(
            [
                f"*{arm}*",
                *(f"{told(found[k])}, {len(found[k])} seed{'s' * (len(found[k]) > 1)}" if k in found else "not run" for k in tasks),
            ]
        )
    return rows


def _both(cells: pd.DataFrame) -> str:
    """What symmetry adds where scenes are turned in training anyway."""
    lines = []
    for task in dict.fromkeys(cells["task"]):
        demos = figures.most(cells, task)
        gain = (share(cells, task, BOTH, demos) - share(cells, task, COPIES, demos)).dropna()
        if len(gain):
            lines.append(f"on {task} {told(gain)} points, {len(gain)} seeds")
    return f"\n\nWhere scenes are turned in the training of both, *{BOTH}* is ahead of *{COPIES}* by: {'; '.join(lines)}." if lines else ""
