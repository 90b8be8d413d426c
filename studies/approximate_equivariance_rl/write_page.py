# ruff: noqa: E501 - prose templates
"""docs/studies/approximate-equivariance-rl.md from the tables of the study: no number in it is typed in by hand."""

from pathlib import Path

import figures
import pandas as pd
from bars import HEADS, bars, differences, differences_to_wider, of, spread
from harness import Tables, table, took, versions
from pictures import pictures, wrong_words
from study import ARMS

from orbitscope._whole import write_whole

PAGE = "approximate-equivariance-rl.md"


def tables_of(results: Path) -> Tables:
    """The tables of the study."""
    return Tables(results, ["environment", "size", "arm", "seed", "return", "steps", "noise", "level"])


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    t = tables_of(results)
    docs.mkdir(parents=True, exist_ok=True)
    figures.draw(t["agents"], t["curves"], t["environments"], docs)
    parts = [_head(t), _bars(t), _environments(t), _agents(t)]
    if len(t["bounds"]):
        figures.draw_bounds(t["bounds"], t["environments"], docs)
        parts.append(_critics(t))
    parts.append(_noise(t))
    if (beside := results.parent / "pixels" / "meta.json").exists() and results.name == "small":
        parts.append(pictures(tables_of(beside.parent), docs))
    if (counted := results.parent / "words.csv").exists() and results.name == "small":
        parts.append(wrong_words(pd.read_csv(counted)))
    parts.append(_limits(t))
    write_whole(docs / PAGE, lambda part: part.write_text("\n\n".join(parts) + "\n", encoding="utf-8"))
    return docs / PAGE


def _head(t: Tables) -> str:
    s = t.meta["settings"]
    return f"""# Study: agents in worlds that are only nearly symmetric

Written by `studies/approximate_equivariance_rl/run.py --config {s["name"]}.toml`; every number below comes from result files. SAC of stable-baselines3 with actors and critics that have none of a symmetry, all of it, or a way out of it (Park et al., AISTATS 2025, with other layers: here every arm but the first two is exactly equivariant at the start). The environment is broken by a known size, and what that does to rewards and steps is *measured* by [paired steps in the simulator](../how-to/control.md), so that the axis is measured and not a knob.

![Left: return against the measured breaking, the root mean square change of a step under the group over that between unrelated actions; mean over seeds, bars from the worst to the best; environments with one size of breaking are in the tables alone. Right: how far the learnt policy is from turning with the world.](approximate-equivariance-rl-return.png)"""


def _bars(t: Tables) -> str:
    return f"""## Bars

{table(HEADS, bars(t))}

The bar on broken symmetry asks for two middle sizes: sizes between none and the largest that was run. The word goes by the mean. Beside it stands what the seeds decide: Student's 95 % interval of the difference of returns, seed by seed; "decided" where all intervals (for "not ahead" one) lie on the side of the word. Few seeds decide large differences only. Differences to the exact arm, in the same way:

{table(["environment", "broken by", "arm", "mean difference of return to the exact arm (95 %)", "seeds"], differences(t))}

Is it only that the relaxed arm has more numbers? It has about twice those of the exact one, and a step of Adam moves a product of weights and two banks further than one bank. {_wider(t)}"""


def _environments(t: Tables) -> str:
    rows = [
        [r["environment"], f"{r['size']:g}", f"{r['epsilon_r']:.3g}", f"{r['epsilon_p']:.3g}", f"{r['transition_share']:.2g}", f"{r['rollout_error']:.2g}"]
        for _, r in t["environments"].sort_values(["environment", "size"]).iterrows()
    ]  # fmt: skip
    kind = t.meta["settings"]["kind"]
    return f"""## How broken the environments are

Broken by "{kind}" of `Broken`. Epsilon R is the largest change of a reward, epsilon P the largest change of a next state in units of the sizes of its fields; the share is the root mean square of that change over that between unrelated actions (0.5 and more: not a symmetry), the last column the change after fifty steps.

{table(["environment", "broken by", "epsilon R", "epsilon P", "share of unrelated", "after 50 steps"], rows)}"""


def _agents(t: Tables) -> str:
    rows = []
    for (environment, size), mine in t["agents"].groupby(["environment", "size"]):
        for arm in (a for a in ARMS if (mine["arm"] == a).any()):
            one = mine[mine["arm"] == arm]
            cells = [spread(one["return"]), spread(one["area"]), spread(one["policy_asymmetry"], 3), spread(one["critic_asymmetry"], 3)]
            rows.append(
                [
                    str(environment),
                    f"{size:g}",
                    arm,
                    *cells,
                    f"{one['parameters'].iloc[0]:,.0f}",
                    f"{1000 * one['step_seconds'].mean():.1f}",
                    str(len(one)),
                ]
            )
    arms = "\n".join(f"* {name}: {words}." for name, words in ARMS.items())
    return f"""## What the arms reach

{arms}

The return is the mean of the last two evaluations, the area the mean of all. The commutator of the policy is the root mean square of its departure from turning with the world, over the size of its actions; that of the critic is in units of the spread of its values. Times are of the processor, on a machine with other work on it.

{table(["environment", "broken by", "arm", "return", "area", "commutator of the policy", "of the critic", "parameters", "ms a step", "seeds"], rows)}

![Learning curves: mean over seeds, shaded from the worst to the best.](approximate-equivariance-rl-curves.png)"""


def _critics(t: Tables) -> str:
    rows, bounds = [], t["bounds"]
    for (environment, size), mine in bounds.groupby(["environment", "size"]):
        for arm in (a for a in ARMS if (mine["arm"] == a).any()):
            one = mine[mine["arm"] == arm]
            shares = [one[c] / one["span"] for c in ("mean_asymmetry", "asymmetry")]
            beyond = int((one["asymmetry"] > one["own_bound"] + 1e-4 * one["span"]).sum())
            cells = [f"{one[c].mean():.3g}" for c in ("reward_epsilon", "step_epsilon", "regularity", "own_epsilon", "span")]
            cells += [spread(share, 3) for share in shares]
            cells += [f"{(one[c] / one['span']).mean():.3g}" for c in ("own_bound", "bound")]
            rows.append([str(environment), f"{size:g}", arm, *cells, f"{beyond} of {len(one)}"])
    broken = bounds[bounds["size"] > 0]
    empty = int((broken["own_bound"] > broken["span"]).sum())
    names = [
        "environment",
        "broken by",
        "arm",
        "epsilon R met",
        "epsilon P met",
        "rho",
        "epsilon V met",
        "span of Q",
        "rms asymmetry, of span",
        "largest, of span",
    ]
    names += ["bound by V, of span", "bound by rho, of span", "runs beyond the bound by V"]
    return f"""## Are the critics as symmetric as the bound asks?

Values of a nearly symmetric decision process are nearly symmetric: |Q*(s, a) - Q*(gs, ga)| <= (epsilon R + gamma rho epsilon P) / (1 - gamma). `learnt_bound` measures the left side on the learnt critic, over states and actions that the agent itself visits, and every part of the right side there: the epsilons over the same steps, rho as the steepest slope of the learnt V between visited states. In the metric that V itself makes (epsilon V, the largest difference of V between the moved next state and the next state of the moved) the bound is tightest. The bound is one on optimal values: a learnt critic beyond it is wrong about its environment for want of learning; one below it may be wrong as well. The span of Q bounds every asymmetry, with no symmetry at all: a bound beyond the span says nothing, and of the runs in broken environments that holds for {empty} of {len(broken)}, even in the tightest metric. {len(bounds)} of {len(t["agents"])} agents have this measurement{_unmeasured(t)}.

{table(names, rows)}

![Asymmetry of the learnt critics over the span of their values against the measured breaking, largest and root mean square; dashed the bound in the metric of V. Linear below 0.001, logarithmic above.](approximate-equivariance-rl-critics.png)"""


def _unmeasured(t: Tables) -> str:
    """Why some have not."""
    return "" if len(t["bounds"]) == len(t["agents"]) else "; the others had been trained, and not kept, before it was there"


def _noise(t: Tables) -> str:
    noise, last = t["noise"], t["curves"][t["curves"]["steps"] == t["curves"]["steps"].max()]
    kinds = list(dict.fromkeys(zip(noise["noise"], noise["level"], strict=True)))
    rows = []
    for (environment, size), mine in noise.groupby(["environment", "size"]):
        for arm in (a for a in ARMS if (mine["arm"] == a).any()):
            one = mine[mine["arm"] == arm]
            cells = [spread(one[(one["noise"] == k) & (one["level"] == level)]["return"]) for k, level in kinds]
            rows.append([str(environment), f"{size:g}", arm, spread(of(last, str(environment), float(size), arm)), *cells])
    names = [f"{k} noise {level:g}" for k, level in kinds]
    return f"""## Noise that was not there in training

Returns of the policies at the end of training, in the last evaluation without noise and with normal noise on observations, in units of the size of each field, and on actions, in units of half their box.

{table(["environment", "broken by", "arm", "without", *names], rows)}"""


def _limits(t: Tables) -> str:
    s, meta, agents = t.meta["settings"], t.meta, t["agents"]
    names = sorted(agents["environment"].unique())
    seeds = ", ".join(map(str, sorted(agents["seed"].unique())))
    added = (
        " Seeds from 3 on, the size 0.4 and the reacher without a breaking were added when the first three seeds had been seen."
        if agents["seed"].max() > 2
        else ""
    )
    return f"""## Limits

* {len(names)} environment{"s" * (len(names) != 1)} ({", ".join(names)}), {s["steps"]:,} steps of the agent with actions held for {s["repeat"]} steps of the task, networks of width {s["width"]}: far from what the suite's tasks take to be solved, so returns are those of early learning. Settings were chosen on seed 100 of one arm (exact) in one run in cartpole-swingup; the seeds here ({seeds}) were run once.{added}
* {meta["measured_runs"]} of {meta["planned_runs"]} planned runs are finished{_missing(t)}. The published study has other environments and pixels; none of its numbers is repeated here.
* One kind of breaking. A gate, a penalty and their weights were not tuned; with other weights the order of the arms may change.
* {agents["training_seconds"].sum() / 60:.0f} minutes of the processor in training, {took(meta)}; {versions(meta)}."""


def _wider(t: Tables) -> str:
    found = differences_to_wider(t)
    if not found:
        return "An exact arm with another width or rate was not run, so where the relaxed arm leads without any breaking, it may lead by its optimisation and not by its symmetry."
    return f"Its return minus that of an exact arm with about as many numbers is: {found} (mean over seeds, 95 % as above). An exact arm with another rate was not run, so where the relaxed arm leads without any breaking, that may be its optimisation."


def _missing(t: Tables) -> str:
    """Which planned runs are not there, by environment and breaking."""
    found = {(r["environment"], float(r["size"]), r["arm"], int(r["seed"])) for _, r in t["agents"].iterrows()}
    lines: dict[tuple[str, float], list[str]] = {}
    for w in t.meta["settings"].get("waves", []):
        for size in map(float, w["sizes"]):
            for arm in w["arms"]:
                seeds = [str(k) for k in w["seeds"] if (w["environment"], size, arm, k) not in found]
                if seeds:
                    lines.setdefault((w["environment"], size), []).append(f"{arm} (seed{'s' * (len(seeds) > 1)} {', '.join(seeds)})")
    said = "; ".join(f"{environment} broken by {size:g}: {', '.join(runs)}" for (environment, size), runs in lines.items())
    return f"; not run for want of time: {said}" if said else ""
