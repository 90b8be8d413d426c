# ruff: noqa: E501 - prose templates
"""Sections of the page on trainings and the loss landscape: skill, influence of mini-batches, element by element, and the loss along straight lines."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from harness import Tables, table
from judgement import AGREES, CONTRADICTS, NOT_JUDGED, UNDETERMINED, interval, judge
from study import DATASETS, MODELS, SCHEDULES, TITLES, V4
from tables import TRIVIAL, number, skilled

ALIKE = 0.5  # uniformity from which elements count as sharing alike
BARRIER = 0.1  # rise over the ends from which it counts as a barrier
Figure = Callable[[str], str]


def networks(t: Tables, frame: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """(data, network, rows) with the main rate."""
    if frame.empty:
        return []
    main = frame[frame.schedule == t.meta["settings"]["main_schedule"]]
    known = {key: rows for key, rows in main.groupby(["dataset", "model"])}
    return [(d, m, known[d, m]) for d in DATASETS for m in MODELS if (d, m) in known]


def word_of(t: Tables, dataset: str, model: str, values: np.ndarray, words: dict[str, str], low: float = -np.inf, high: float = np.inf) -> str:  # fmt: skip
    """Judgement of one number per run in the section's own words; networks without skill have none."""
    if model not in skilled(t, dataset):
        return f"{NOT_JUDGED} (no skill)"
    return {UNDETERMINED: UNDETERMINED, NOT_JUDGED: f"{NOT_JUDGED} (fewer than 3 runs)", **words}[judge(values, low, high)]


def between(values: np.ndarray, log: bool = False) -> str:
    """Median and 95 % interval over runs."""
    low, high = np.exp(interval(np.log(values))) if log else interval(values)
    middle = number(float(np.median(values)))
    return f"{middle} ({number(low)} to {number(high)})" if np.isfinite(low) else middle


def matrix_section(t: Tables, figure: Figure) -> str:
    """Standardised influence over (element x mini-batch), with uniformity as the baseline."""
    frame = t["matrix"]
    frame = frame[frame.metric == "gauss_newton"] if len(frame) else frame
    rows = []
    for dataset, model, block in networks(t, frame):
        medians = block.groupby(["seed", "element"])["standardised"].median().unstack()
        inside, outside = [g for g in V4 if g != "e"], [g for g in medians if g not in V4]
        uniform = block.drop_duplicates(["seed", "mini_batch"]).groupby("seed")[["uniform", "uniformity"]].median()
        alike = uniform.uniformity.to_numpy()
        words = {AGREES: "alike", CONTRADICTS: "not alike"}
        rows.append(
            [TITLES[dataset], MODELS[model], between(medians["e"].to_numpy()), between(medians[inside].median(axis=1).to_numpy()),
             between(medians[outside].median(axis=1).to_numpy()), between(uniform.uniform.to_numpy()), between(alike),
             word_of(t, dataset, model, alike, words, low=ALIKE)]
        )  # fmt: skip
    if not rows:
        return ""
    head = ["data", "network", "e", "V4 without e", "D4 without V4", "uniform", "uniformity", "word"]
    return (
        "## Influence of a mini-batch on its own copies\n\nInfluence (Gauss-Newton metric) of a mini-batch on its copy under each element, in standard deviations of what "
        "unrelated mini-batches do to each other: 1 is as large as one of those, 0 is nothing. A mini-batch is one trajectory of each class with all its probed times. "
        "*Uniform* is the mean over the elements off the identity: what each would be if all shared alike. *Uniformity* is 1 minus the range over those elements, over the "
        f"largest of them. Medians over mini-batches, then median and 95 % interval over runs. *Alike*: the interval of the uniformity lies above {ALIKE:g}; *not alike*: below.\n\n"
        + table(head, rows) + "\n\n" + figure("matrix")
    )  # fmt: skip


def basin_section(t: Tables, figure: Figure) -> str:
    """Loss along the lines, by element."""
    frame = t["basin"]
    if frame.empty:
        return ""
    titles = {"checkpoints": "first checkpoint to last weights", "seeds": "one seed to the next"}
    rows, averaged = [], []
    for dataset, model, block in networks(t, frame):
        for kind, title in titles.items():
            part = block[block.kind == kind].drop_duplicates(["seed", "element"])
            if part.empty:
                continue
            wide = part.pivot_table(index="seed", columns="element", values="relative_barrier")
            largest = wide.max(axis=1).to_numpy()
            words = {AGREES: "one basin", CONTRADICTS: "a barrier"}
            rows.append(
                [title, TITLES[dataset], MODELS[model], between(wide["e"].to_numpy()), between(largest),
                 word_of(t, dataset, model, largest, words, high=BARRIER)]
            )  # fmt: skip
        part = block[block.kind == "average"]
        if len(part):
            ends = part.pivot_table(index=["seed", "element"], columns="position", values="loss")
            ratio = (ends.iloc[:, -1] / ends.iloc[:, 0]).unstack()
            inside, outside = (ratio[[g for g in ratio if (g in V4) == known]].max(axis=1).to_numpy() for known in (True, False))
            words = {AGREES: "lower on every element", CONTRADICTS: "not lower on every element"}
            averaged.append(
                [TITLES[dataset], MODELS[model], between(ratio["e"].to_numpy(), True), between(inside, True), between(outside, True),
                 word_of(t, dataset, model, np.log(np.maximum(inside, outside)), words, high=0.0)]
            )  # fmt: skip
    text = (
        "## Basins: the loss along straight lines\n\nThe loss, in units of the state, along the line between two sets of weights, on test transitions that neither end was trained on, moved by every element. "
        "*Barrier*: by how much the loss rises above the straight line between its ends, over the larger end (1: the error doubles on the way). "
        f"*One basin*: the 95 % interval over runs of the largest barrier over the elements lies below {BARRIER:g}; *a barrier*: above. The pairs of seeds share their ends and are not independent.\n\n"
        + table(["line", "data", "network", "barrier at e", "largest over elements", "word"], rows)
    )
    if averaged:
        text += (
            "\n\nFrom a model to its average over D4. An average of *weights* over the group is not defined for these networks (strided convolutions and position embeddings have no action of D4 on their weights), so "
            "the line runs through the answers, $(1 - a) f + a F$ with F the mean over the elements of the answers to moved states, moved back; the loss along it is convex and has no barrier. Loss of the average over that of the model:\n\n"
            + table(["data", "network", "at e", "largest on V4", "largest on D4 without V4", "word"], averaged)
        )
    return text + "\n\n" + figure("basin")


def training_section(t: Tables, figure: Figure) -> str:
    """Errors of all trainings beside those of what costs nothing."""
    frame, tested = t["runs"], t["skill"]
    if frame.empty or tested.empty:
        return ""
    rows = []
    for (name, model, schedule), b in frame.groupby(["dataset", "model", "schedule"], sort=False):
        mine = tested[(tested.dataset == name) & (tested.model == model) & (tested.schedule == schedule)]
        means = mine.groupby("seed")[["error", *TRIVIAL]].mean()
        best = means[TRIVIAL].mean().idxmin()
        worst = (mine.error / mine[TRIVIAL].min(axis=1)).groupby(mine["class"]).median()
        rows.append(
            [TITLES[str(name)], MODELS[str(model)], SCHEDULES[str(schedule)], str(len(b)), f"{b.parameters.median():,.0f}", f"{b.seconds.median():.0f} s",
             f"{b.test_smse.median():.2e}", *(number(float(means[k].mean())) for k in TRIVIAL),
             f"{between((means.error / means[TRIVIAL].min(axis=1)).to_numpy())}, of {best}", f"{worst.idxmax()} {number(float(worst.max()))}"]
        )  # fmt: skip
    head = ["data", "model", "rate", "seeds", "parameters", "training", "test SMSE", *TRIVIAL, "skill (95 % interval)", "worst class"]
    text = "SMSE in units of the state (each field over its own root mean square in the state that goes in), dimensionless; one-step errors of all test transitions. *Skill*: error over that of the best trivial forecast: persistence, the last increment repeated, a parabola through the last three states (the last two see more than the networks, which are given one state). *Worst class*: the one with the largest. A seed decides weights, order of batches and the split."
    parts = ["## Training and skill", text, table(head, rows), figure("optimisation"), figure("epochs")]
    return "\n\n".join(p for p in parts if p)
