# ruff: noqa: E501 - prose templates
"""docs/studies/equivariant-planning.md from the tables of the study: no number in it is typed in by hand."""

import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import figures
import numpy as np
import pandas as pd
from harness import Tables, bootstrap, table, took, versions

from orbitscope._whole import write_whole

PAGE = "equivariant-planning.md"
BAR = 1e-12
FREE = ("none", "c2")
"""Planners whose decisions need not turn with D4 or the cube's rotations."""
MEANT = {
    "plain": "plain networks, plain sampling", "plain+sampling": "plain networks, copies of the noise", "augmented": "plain networks on moved batches, plain sampling",
    "equivariant": "equivariant networks, plain sampling", "equivariant+sampling": "both",
}  # fmt: skip


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, ["world", "method", "agent", "seed"])


def with_beside(results: Path) -> list[Tables]:
    """Tables of learning: those of the study and, where they are there, those of c2.toml."""
    found, beside = [tables_of(results)], results.parent / "c2"
    return [*found, tables_of(beside)] if results.name == "small" and (beside / "meta.json").exists() else found


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    t = tables_of(results)
    learnt = with_beside(results)
    obstacle, learning = figures.draw_obstacle(t, docs), figures.draw_learning(learnt, docs)
    meta, s = t.meta, t.meta["settings"]
    parts = [
        _head(t),
        _errors(t),
        _planning(t),
        f"## A tie that cannot be broken\n\n{_obstacle(t)}\n\n{obstacle}",
        f"## A model that is learnt\n\n{_learning(learnt)}\n\n{learning}",
    ]
    parts += [
        f"""## Settings, and what is not here

* Planning: horizon {s["horizon"]}, {s["episodes"]} episodes of {s["length"]} actions, the same starts and noise streams for every group; softmax temperature 0.1 (MPPI) and 0.2 with an eighth of the sequences as elites in 3 iterations (mixture). The world is a ball of 1 kg with friction, not a robot; planning steps are MuJoCo's Euler step, batched (a test compares the two).
* Learning: {s["steps"]} steps of the environment in MuJoCo, a step of learning for every second one, balls in the plane under D4, in space under the turns of a cube; hidden layers of 48 channels, or of as many regular fields as have about as many weights. Settings were chosen on seed 100 and are those of no other paper; seeds {", ".join(map(str, s["seeds"]))} were run once.
{_published(t)}
* {_left_out(learnt)}
* {speed()}
* Processor time: {_cost(t)}.

Runs: {meta["measured_runs"]} of {meta["planned_runs"]} planned. {took(meta)[0].upper() + took(meta)[1:]}; {versions(meta)}; {meta["date"]}.

    python studies/equivariant_planning/run.py --config {s["name"]}.toml"""
    ]
    path = docs / PAGE
    text = "\n\n".join(parts) + "\n"
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))
    return path


def _head(t: Tables) -> str:
    missing = t.meta["planned_runs"] - t.meta["measured_runs"]
    state = (
        "All planned runs are here."
        if not missing
        else f"{missing} of {t.meta['planned_runs']} planned runs are not done yet; what is missing is named where it would stand."
    )
    return f"""# Planners whose decisions turn with the world

Zhao et al. ([arXiv 2412.12237](https://arxiv.org/abs/2412.12237)) try every sampled sequence of actions in all its copies under a group, and prove that the best one then turns with the world.
The weighted mean of MPPI and of TD-MPC's mixture does too, where copies are made of white noise before it is shaped ([how-to](../how-to/planning.md)). Three questions: does it hold to rounding, what
does it buy with the true model, and what with a learnt one? {state}"""


def _errors(t: Tables) -> str:
    f = t["planning"]
    if not len(f):
        return "## Decisions\n\nNot measured yet."
    rows = []
    for group, some in f.groupby("group", sort=False):
        worst, free = float(some.decision_error.max()), group in FREE
        word = "–" if free else "met" if worst <= BAR else f"missed by a factor of {worst / BAR:.2g}"
        rows.append([str(group), ", ".join(sorted(set(some.world))), f"{worst:.1e}", "–" if free else f"≤ {BAR:.0e}", word])
    return (
        "## Decisions\n\nLargest difference between a decision in the turned world and the turned decision, over elements of D4 or of the cube's rotations, random warm starts and both methods; actions are at most 1. C2 tries each sequence and its opposite, which commutes with the half turn alone.\n\n"
        + table(["group of the planner", "worlds", "error", "bar", ""], rows)
    )


def comparisons(t: Tables) -> list[tuple[Any, ...]]:
    """(world, method, budget, group, first row without and with it, mean return without, (difference, low, high)) of every pair."""
    found = []
    for key, some in t["planning"].groupby(["world", "method", "budget", "size"], sort=False):
        world, method, budget, _ = map(str, np.ravel(np.array(key, dtype=object)))
        wide = some.pivot(index="episode", columns="group", values="return")
        for group in (g for g in wide if g != "none"):
            gap = bootstrap((wide[group] - wide["none"]).to_numpy(float).tolist(), np.mean)
            plain, count = some[some.group == "none"].iloc[0], some[some.group == group].iloc[0]
            found.append((world, method, budget, group, plain, count, float(wide["none"].mean()), gap))
    return found


def _planning(t: Tables) -> str:
    """Paired differences in return to the planner without a group."""
    f, rows = t["planning"], []
    if not len(f):
        return "## The true model\n\nNot measured yet."
    found = comparisons(t)
    better, worse = sum(d[1] > 0 for *_, d in found), sum(d[2] < 0 for *_, d in found)
    equal: dict[str, list[float]] = defaultdict(list)
    for world, method, budget, group, plain, count, without, (mean, low, high) in found:
        if budget == "equal roll-outs" and group != "c2":
            equal[method].append(mean)
        ratio = count.seconds_per_decision / plain.seconds_per_decision
        rows.append(
            [world, method, budget, f"{plain.rollouts} / {count.rollouts}", group.upper(), f"{without:.2f}",
             f"{mean:+.2f} ({low:+.2f} to {high:+.2f})", f"{ratio:.2f}"]
        )  # fmt: skip
    said = ", and ".join(f"{method} changes by {min(v):+.2f} to {max(v):+.2f}" for method, v in sorted(equal.items()))
    return f"""## The true model

Paired differences in return (of 100) over the same episodes, with 95 % bootstrap intervals. At equal roll-outs the group has as many sequences, of which fewer are independent; at equal base samples it tries as many independent ones, in all copies, and pays for them.
C2 is the rival that needs no symmetry of the world: each sequence and its opposite, antithetic noise. Of {len(rows)} comparisons the interval lies above 0 in {better} and below 0 in {worse}; {0.05 * len(rows):.1f} would do so by chance.
At equal roll-outs {said}.

""" + table(["world", "method", "budget", "roll-outs: none / group", "group", "return without", "difference", "time, ratio"], rows)


def _obstacle(t: Tables) -> str:
    f = t["obstacle"]
    if not len(f):
        return "Not measured yet."
    rows = [
        [r.method, r.group, f"{r.offset:g}", f"{100 * r.arrived:.0f} %", f"{100 * r.hit:.0f} %", f"{r['return']:.1f}"]
        for _, r in f.iterrows()
    ]
    on, off = f[(f.offset == 0) & (f.group != "none")], f[(f.offset == 0) & (f.group == "none")]
    said = f"""The world is symmetric, and so is the state: an element of the group leaves start, obstacle and target alone, so a decision that commutes must be left alone too. From the line itself {100 * on.arrived.mean():.0f} % of episodes with a group reach the target, and {100 * off.arrived.mean():.0f} % of those without; noise breaks the tie there.
A broken tie is worth more than symmetry here: perturb the state, or plan without the group, where ties can come."""
    return said + "\n\n" + table(["method", "group", "start beside the line (m)", "reach the target", "touch the obstacle", "return"], rows)


def _learning(every: list[Tables]) -> str:
    rows, lines = [], []
    for t in every:
        _add_learning(t, rows, lines)
    return f"""The 2 x 2 of networks and sampling, and moved batches as a third way. Return at the end of each seed; the mean over the whole curve says how soon it learns; the decision's error is of the trained agent, in float32.

{" ".join(line for line in lines if line)}

""" + table(["world", "agent", "return at the end, by seed", "mean over the curve", "decision error", "weights", "seconds"], rows)


def _add_learning(t: Tables, rows: list[list[str]], lines: list[str]) -> None:
    """A row for each agent in each world, a line for each world."""
    f, s = t["learnt"], t.meta["settings"]
    for tasks, agents in (
        (s["tasks"], s["agents"]), (s["broken_tasks"], s["broken_agents"]), (s.get("suite_tasks", []), s.get("suite_agents", [])),
    ):  # fmt: skip
        for task, agent in itertools.product(tasks, agents):
            some = f[(f.world == task) & (f.agent == agent)] if len(f) else f
            if not len(some):
                rows.append([task, MEANT[agent], "not run yet", "–", "–", "–", "–"])
                continue
            curve = t["learning"][(t["learning"].world == task) & (t["learning"].agent == agent)]
            values = ", ".join(f"{v:.1f}" for v in some["return"])
            rows.append(
                [
                    task,
                    MEANT[agent],
                    values,
                    f"{np.mean(curve['return']):.1f}",
                    f"{some.decision_error.max():.1e}",
                    f"{some.parameters.iloc[0]:,}",
                    f"{some.seconds.mean():.0f}",
                ]
            )
        lines += [judged(t, task) for task in tasks]


def judged(t: Tables, task: str) -> str:
    """Each ingredient against plain, on the mean over the curve, seed by seed; fewer than three seeds judge nothing."""
    f = t["learning"]
    if not len(f) or not len(f[f.world == task]):
        return ""
    curve = f[f.world == task].pivot_table(index="seed", columns="agent", values="return")
    if "plain" not in curve:
        return ""
    words = []
    for agent in (a for a in MEANT if a != "plain" and a in curve):
        gaps = (curve[agent] - curve["plain"]).dropna().to_numpy(float)
        each = ", ".join(f"{g:+.1f}" for g in gaps)
        if len(gaps) < 3:
            words.append(f"{MEANT[agent]}: not judged with {len(gaps)} seeds")
        elif (gaps > 0).all() or (gaps < 0).all():
            words.append(
                f"{MEANT[agent]}: {'ahead' if gaps.mean() > 0 else 'behind'} in all {len(gaps)} seeds, {gaps.mean():+.1f} ({each})"
            )
        else:
            words.append(f"{MEANT[agent]}: no clear difference ({each})")
    return f"On `{task}`, mean over the curve against plain: " + "; ".join(words) + "." if words else ""


def _published(t: Tables) -> str:
    """TD-MPC's own curve beside what was learnt of the same task, which is less."""
    s, f = t.meta["settings"], t["learnt"]
    tasks = s.get("suite_tasks", [])
    there = [task for task in tasks if len(f) and task in set(f.world)]
    words = "* As published, not measured here: TD-MPC's own curve, without any symmetry, stands at a return of 904 of 1000 after 60 thousand steps of reacher-easy, and at 667 after 60 and 865 after 120 thousand of reacher-hard (Hansen, Wang and Su, arXiv 2203.04955, as its repository gives it)."
    if not there:
        return f"{words} Nothing here is compared with it: no task of the suite was learnt."
    steps = s["suite_steps"] * s["repeat"]
    told = ", ".join(f"`{task}`" for task in there)
    return f"{words} Agents here are a fraction of its size, and {told} are learnt for {steps:,} steps of the task ({s['suite_steps']:,} decisions that hold for {s['repeat']} steps, under the declared group), so that the two curves cannot be laid over each other; our own plain arm is the baseline. `reacher` is reacher-easy{_hard(f, there)}."


def _hard(f: pd.DataFrame, there: list[str]) -> str:
    """What there is of the small target."""
    easy = f[f.world == "reacher"]["return"].max()
    if "reacher-hard" not in there:
        return f"; reacher-hard, with its small target, was not run: in these steps no arm comes near to solving the easy one (the best run ends at {easy:.0f} of 1000)"
    best = f[f.world == "reacher-hard"].groupby(["agent", "seed"])["return"].max()
    agent = MEANT[str(best.idxmax()[0])]
    return f", whose best run ends at {easy:.0f} of 1000; of reacher-hard, with its small target, the best run ({agent}) ends at {best.max():.0f}"


def _left_out(every: list[Tables]) -> str:
    """Which worlds of the planners no agent has learnt."""
    worlds = {str(world) for t in every for world in t["learnt"].get("world", [])}
    known = {"ball3d": "balls in three dimensions", "cartpole": "tasks whose group has two elements, such as cartpole"}
    said = [words for world, words in known.items() if world not in worlds]
    return f"Not learnt here, for want of time: {'; '.join(said)} (`c2.toml`)." if said else "Every world of the planners is learnt here."


def _cost(t: Tables) -> str:
    c = t["cost"]
    if not len(c):
        return "–"
    by = pd.Series(c.groupby("experiment").cpu_seconds.sum() / 60)
    return ", ".join(f"{name} {minutes:.1f} minutes" for name, minutes in by.items())


def speed() -> str:
    """Beside pytorch-mppi, from the committed benchmark."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "planner.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    ratios = [row["ratio"] for row in found["rows"]]
    ahead = sum(r >= 1 for r in ratios)
    word = (
        "met" if ahead == len(ratios) else f"missed in {len(ratios) - ahead} of {len(ratios)} sizes, where the ratio is {min(ratios):.2f}"
    )
    return f"Wall-clock of one decision beside pytorch-mppi {found['pytorch-mppi']} on the same problem, {len(ratios)} sizes and precisions, best processor seconds: theirs over ours {min(ratios):.2f} to {max(ratios):.2f}; the bar, at least as fast, is {word} (`benchmarks/planner.py`, {found['machine']}, other programs were running). A group adds no time: fewer numbers are drawn."
