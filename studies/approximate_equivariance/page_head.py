# ruff: noqa: E501 - prose templates
"""The head of the page: what was trained on what, and with which choices."""

from typing import Any

import pandas as pd
from harness import Tables, took, versions
from study import MODELS
from tables import chosen
from trivial import TRIVIAL


def head_part(t: Tables) -> str:
    s = t.meta["settings"]
    runs, window = t["runs"], s["window"]
    seeds = sorted(set(runs.seed) & set(s["seeds"])) if len(runs) else []
    rounds, size = s["rounds"], s["resolution"]
    steps = {d: s["dt"].get(d, s["dt"]["rounds"]) for d in ("rounds", "rotation", "translation", "scale")}
    short = "" if t.meta["measured_runs"] == t.meta["planned_runs"] else " **The study is not finished: what is missing is missing below.**"
    return f"""# Study: networks that are only approximately equivariant

Written by `studies/approximate_equivariance/run.py --config {s["name"]}.toml`; every number below comes from its result files, and every
conclusion from a rule that stands beside it. The study repeats, in kind, Wang, Walters and Yu, "Approximately equivariant networks for imperfectly
symmetric dynamics", ICML 2022 (arXiv 2201.11969), with smoke plumes of orbitscope's own solver, whose symmetry is broken by a known amount.
Layers: [Build symmetries in, and relax them](../how-to/relax.md).

* The sets of *rounds*: in each round the same puff of smoke at the bottom, right, top and left wall, with forces in the ratio 1 : 1+m : 1+2m : 1+3m (the
  published "equivariance test", m = 0 ... 9), here with the same mean force for all m, so that only the symmetry changes. Rounds: {rounds["train"]} for training, {rounds["domain"]} unseen, {rounds["validation"]} to validate on, from which the weight of the penalty is chosen and nothing else.
  {_published_sets(runs)} {size} x {size} cells. Networks see smoke and velocity, not inflow and buoyancy: these hide what breaks the symmetry.
* Times: trained on {window["train"]} steps per task, forecasts of {window["rollout"]} steps. *Unseen tasks*: rounds, places or boxes never trained on, in the same window of time. *Later times*: the training tasks after the window. A forecast of later times starts from the last state of the window, and no state after that was trained on; turned or mirrored copies of a task are always in the same part. Step: {", ".join(f"{k} {v:g}" for k, v in steps.items())} time units.
* Networks: residual networks, blocks: {_depth(s)}, with 3 x 3 kernels, one frame in, the increment out, mirrored walls; normalisation from the training states only. Within a set all get the same steps of AdamW (rounds: {s["train"]["epochs"]} epochs, batch {s["train"]["batch"]}); the last weights are used.
  Rotation sets: *plain* (no group), *strict* (C4), *relaxed by element* or *by cell* of the kernel, *residual pathway*. All have the same number of channels and, as relaxed layers do, the sum of two kernels in each layer; strict is the relaxed network with its weights of elements held equal, and plain the same without a group. *Strict, one kernel a layer* is the usual strict network: a sum of two kernels can be no other function, but it trains otherwise (by how much stands below the table of contests), and a comparison of a relaxed network with it alone would count that as a merit of relaxing. {_others(runs)}
* Weights alpha of the penalty: {_alphas(s)}; of these each training set takes the one with the least error of the velocity on its validation rounds (chosen: {_chosen(t)}). No test data take part.
* Skill is against the best forecast that costs nothing, over the whole forecast: {", ".join(f"{w}" for w in TRIVIAL.values())} (in the table of the sets). The last two use states before the one that the networks are given.
* Seeds: {", ".join(map(str, seeds))}{_more_seeds(s)}; a seed changes the data (puffs, strengths{"; not in smoke-T, which has nothing random" if "translation" in set(runs.get("data", [])) else ""}) and the initial weights. {t.meta["measured_runs"]} of {t.meta["planned_runs"]} planned runs, {t.meta["date"]}, {took(t.meta)}; processor time of the trainings: {_minutes(runs)} minutes; {versions(t.meta)}.{short}"""


def _more_seeds(s: dict[str, Any]) -> str:
    """Where blocks of the plan have seeds of their own."""
    more = [f"{', '.join(map(str, b['seeds']))} at m = {', '.join(f'{x:g}' for x in b['levels'])} alone" for b in s["plan"] if "seeds" in b]
    return f" ({'; '.join(more)})" if more else ""


def _minutes(runs: pd.DataFrame) -> str:
    return f"{runs.cpu_seconds.sum() / 60:.0f}" if len(runs) else "–"


def _published_sets(runs: pd.DataFrame) -> str:
    """The published sets that were run, in words."""
    said = {
        "rotation": "*smoke-R* (unequal sides)",
        "translation": "*smoke-T* (twice the buoyancy in the right half)",
        "scale": "*smoke-S* (boxes of 38 sizes)",
    }
    known = [words for data, words in said.items() if len(runs) and data in set(runs.data)]
    return f"The published sets here: {', '.join(known)}." if known else "None of the published sets is measured here."


def _others(runs: pd.DataFrame) -> str:
    said = {
        "translation": "smoke-T: strict is a convolutional network, plain is told its place, *relaxed by place* has weights for every place.",
        "scale": "smoke-S: strict has features on a ladder of scales, residual a free network beside it (`orbitscope.nn` has no relaxed scale layer).",
    }
    return " ".join(words for data, words in said.items() if len(runs) and data in set(runs.data))


def _chosen(t: Tables) -> str:
    """How often each alpha was chosen, by network, over all sets and seeds."""
    best = chosen(t)
    best = best[best.alpha.notna()]
    words = []
    for model in (m for m in MODELS if m in set(best.model)):
        counts = best[best.model == model].alpha.value_counts().sort_index()
        words.append(f"{MODELS[model]} {', '.join(f'{a:g} in {n}' for a, n in counts.items())}")
    return "; ".join(words) or "none"


def _depth(s: dict[str, Any]) -> str:
    return str(s["models"]["plain"]["overrides"]["depth"])


def _alphas(s: dict[str, Any]) -> str:
    found = {MODELS[m]: o["alphas"] for m, o in s["models"].items() if "alphas" in o}
    found |= {MODELS[m]: o["alphas"] for block in s["others"].values() for m, o in block.items() if "alphas" in o}
    return "; ".join(f"{name} {', '.join(f'{a:g}' for a in alphas)}" for name, alphas in found.items())
