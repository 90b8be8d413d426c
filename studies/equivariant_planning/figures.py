"""The figures of the study: planning with the true model, an obstacle straight ahead, learning."""

import io
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from harness import Tables

from orbitscope._whole import write_whole

STEM = "equivariant-planning"
COLOURS = {"none": "#666666", "c2": "#CC79A7", "d4": "#0072B2", "d8": "#D55E00", "o": "#0072B2", "oh": "#D55E00"}
AGENTS = {
    "plain": ("#666666", "--"), "plain+sampling": ("#666666", "-"), "augmented": ("#009E73", "--"), "equivariant": ("#0072B2", "--"),
    "equivariant+sampling": ("#0072B2", "-"),
}  # fmt: skip


def draw_obstacle(t: Tables, docs: Path) -> str:
    """How often the target is reached, by the distance from the line through the obstacle."""
    f = t["obstacle"]
    if not len(f):
        return ""
    methods = sorted(set(f.method))
    figure, axes = plt.subplots(1, len(methods), figsize=(4.4 * len(methods), 3.2), layout="constrained", squeeze=False, sharey=True)
    for axis, method in zip(axes[0], methods, strict=True):
        some = f[f.method == method]
        offsets = sorted(set(some.offset))
        for n, (group, one) in enumerate(some.groupby("group", sort=False)):
            axis.bar(
                np.arange(len(offsets)) + 0.25 * (n - 1), one.sort_values("offset").arrived, 0.22, color=COLOURS[str(group)], label=group
            )
        axis.set_xticks(range(len(offsets)), [f"{o:g}" for o in offsets])
        axis.set(xlabel="start beside the line (m)", title=method, ylim=(0, 1.05))
    axes[0, 0].set_ylabel("part that reaches the target")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8, title="group")
    words = "An obstacle between start and target: the part of episodes that reach the target, by how far the start lies beside the line."
    return _written(figure, docs / f"{STEM}-obstacle.png", words)


def draw_learning(every: list[Tables], docs: Path) -> str:
    """Returns by steps of the environment, a thin line for each seed, a thick one for the mean."""
    f = pd.concat([t["learning"] for t in every])
    if not len(f):
        return ""
    tasks, long = sorted(set(f.world)), {task for t in every for task in t.meta["settings"].get("suite_tasks", [])}
    wide = min(3, len(tasks))
    tall = -(-len(tasks) // wide)
    figure, axes = plt.subplots(tall, wide, figsize=(4.8 * wide, 3.4 * tall), layout="constrained", squeeze=False)
    for axis in axes.ravel()[len(tasks) :]:
        axis.set_visible(False)
    for axis, task in zip(axes.ravel(), tasks, strict=False):
        for agent, (colour, style) in AGENTS.items():
            some = f[(f.world == task) & (f.agent == agent)]
            for _, one in some.groupby("seed"):
                axis.plot(one.step, one["return"], style, color=colour, lw=0.6, alpha=0.6)
            if len(some):
                mean = some.pivot_table(index="step", values="return")
                axis.plot(mean.index, mean["return"], style, color=colour, lw=2.2, label=agent)
        most = 1000 if task in long else 100
        axis.set(xlabel="decisions", ylabel=f"return ({most} at most)", title=task)
        axis.grid(alpha=0.3)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8, title="agent")
    words = "Returns while the model is learnt; thin lines are seeds, thick ones their mean. The wind has a quarter of the largest force."
    return _written(figure, docs / f"{STEM}-learning.png", words)


def _written(figure: Any, path: Path, words: str) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, dpi=150, metadata={"Software": None})
    plt.close(figure)
    write_whole(path, lambda part: part.write_bytes(stream.getvalue()))
    return f"![{words}]({path.name})\n\n*{words}*"
