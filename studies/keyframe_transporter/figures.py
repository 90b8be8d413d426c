"""The figures of the study: success by arm and condition, and by the number of demonstrations."""

import io
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from harness import Tables

from orbitscope._whole import write_whole
from orbitscope.systems.manipulation import wilson

STEM = "keyframe-transporter"
COLOURS = {
    "transporter": "#0072B2", "modulo": "#00305A",
    "scene only": "#56B4E9", "hand only": "#009E73", "neither": "#D55E00", "not told apart": "#CC79A7",
    "turn prior": "#0072B2", "scene only, turn prior": "#56B4E9", "hand only, turn prior": "#009E73", "neither, turn prior": "#D55E00",
    "transporter, not turned": "#0072B2", "hand only, not turned": "#009E73", "turn prior, not turned": "#0072B2",
    "hand only, turn prior, not turned": "#009E73", "one level": "#E69F00", "mlp": "#666666", "nearest demonstration": "#BBBBBB",
}  # fmt: skip


def draw_success(t: Tables, docs: Path, which: str = "") -> str:
    """Success of each arm under two conditions, with intervals; `which`: of the sets of runs, in the name of the file."""
    f: Any = t["success"]
    s = t.meta["settings"]
    f = f[f.demonstrations == s["demonstrations"]]
    if not len(f):
        return ""
    tasks, conditions = s["tasks"], [c for c in ("as shown", "hands held out") if c in s["conditions"]]
    figure, axes = plt.subplots(1, len(tasks), figsize=(6.2 * len(tasks), 3.4), layout="constrained", squeeze=False, sharey=True)
    for axis, name in zip(axes[0], tasks, strict=True):
        arms = [a for a in s["arms"] if len(f[(f.task == name) & (f.arm == a)])]
        for k, condition in enumerate(conditions):
            points = [_rate(f[(f.task == name) & (f.arm == a) & (f.condition == condition)]) for a in arms]
            at = np.arange(len(arms)) + 0.38 * (k - 0.5)
            rate, low, high = (100 * np.array(v) for v in zip(*points, strict=True))
            bars = axis.bar(at, rate, 0.34, color=[COLOURS[a] for a in arms], alpha=1.0 if k else 0.45, label=condition)
            axis.errorbar(at, rate, np.maximum([rate - low, high - rate], 0), fmt="none", ecolor="#222222", lw=1, capsize=2)
            bars.set_label(f"{condition} ({'dark' if k else 'pale'})")
        axis.set_xticks(range(len(arms)), arms, rotation=30, ha="right", fontsize=8)
        axis.set(title=name, ylim=(0, 105))
        axis.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.06), ncols=2)
    axes[0, 0].set_ylabel("episodes done (%)")
    words = "Episodes done, all seeds together, 95 % intervals of Wilson: things held as in the demonstrations (pale) and otherwise (dark)."
    return _written(figure, docs / f"{STEM}-success{which}.png", words)


def draw_demonstrations(t: Tables, docs: Path) -> str:
    """Success by the number of demonstrations under hands that were held out."""
    f: Any = t["success"]
    s = t.meta["settings"]
    f = f[(f.condition == "hands held out") & f.arm.isin(s["more_arms"])]
    if not len(f) or f.demonstrations.nunique() < 2:
        return ""
    figure, axes = plt.subplots(1, len(s["tasks"]), figsize=(4.6 * len(s["tasks"]), 3.2), layout="constrained", squeeze=False, sharey=True)
    for axis, name in zip(axes[0], s["tasks"], strict=True):
        for n, arm in enumerate(s["more_arms"]):
            some = f[(f.task == name) & (f.arm == arm)]
            counts = sorted(set(some.demonstrations))
            if not counts:
                continue
            rate, low, high = (100 * np.array(v) for v in zip(*(_rate(some[some.demonstrations == c]) for c in counts), strict=True))
            at = np.array(counts) * 1.03 ** (n - 1)
            axis.errorbar(at, rate, np.maximum([rate - low, high - rate], 0), marker="o", ms=4, color=COLOURS[arm], capsize=2, label=arm)
        axis.set(xscale="log", xlabel="demonstrations", title=name, ylim=(0, 105))
        axis.set_xticks(sorted(set(f.demonstrations)), [str(c) for c in sorted(set(f.demonstrations))])
        axis.minorticks_off()
        axis.legend(frameon=False, fontsize=8)
    axes[0, 0].set_ylabel("episodes done (%)")
    words = "Episodes done by the number of demonstrations, things held otherwise than in them; 95 % intervals of Wilson."
    return _written(figure, docs / f"{STEM}-demonstrations.png", words)


def _rate(some: Any) -> tuple[float, float, float]:
    done, count = int(some.successes.sum()), int(some.episodes.sum())
    low, high = wilson(done, count) if count else (float("nan"), float("nan"))
    return (done / count if count else float("nan")), low, high


def _written(figure: Any, path: Path, words: str) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, dpi=150, metadata={"Software": None})
    plt.close(figure)
    write_whole(path, lambda part: part.write_bytes(stream.getvalue()))
    return f"![{words}]({path.name})\n\n*{words}*"
