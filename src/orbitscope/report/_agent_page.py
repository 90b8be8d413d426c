"""The page of trained agents: return, what was broken, whether policy and critic turn with the world, the bound on their values."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr

from .._errors import OrbitscopeError
from ._agent_figures import asymmetry_figure, curve_figure
from ._captions import Caption
from ._case import Case
from ._discovery_page import Words
from ._page import Counter, SectionView, versions
from ._relaxed_figures import relaxed_caption, relaxed_figure
from ._tables import TextTable, integer
from ._text import MISSING, as_float, count, join, number, percent, span

KIND = "orbitscope summary of an agent"
Tree = xr.DataTree
_ROUNDING = 1e-5  # of float32 networks
_ARMS = {
    "plain": "a plain network, which knows of no symmetry",
    "augmented": "a plain network, shown moved copies of what it saw",
    "exact": "an equivariant actor with invariant critics, whatever their weights",
    "relaxed": "equivariant at the start, with a weight per element of the group to leave by",
    "residual": "equivariant at the start, with a free matrix beside each equivariant one",
    "gated": "an equivariant and a plain network, mixed by a learnt gate",
}


def agent_view(trees: Sequence[Tree]) -> dict[str, Any]:
    """Everything that the template needs, except title and command."""
    wrong = [t.attrs.get("kind") for t in trees if t.attrs.get("kind") != KIND]
    if not trees or wrong:
        raise OrbitscopeError(f"report: needs summaries of agents, as `agent_summary` makes them, got {wrong or 'none'}.")
    numbers = Counter()
    parts = (_curve(trees, numbers), *_broken(trees, numbers), _turns(trees, numbers), _bound(trees))
    return {
        "kicker": "Trained agent", "words": _words(trees), "sections": [p for p in parts if p], "figures": numbers.value,
        "provenance": _provenance(trees), "next": _next(trees), "versions": versions(),
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }  # fmt: skip


def name_of(tree: Tree, trees: Sequence[Tree]) -> str:
    """What tells this run from the others of the page."""
    told = f"{tree.attrs['agent']} {tree.attrs['policy']}"
    told += f" in {tree.attrs['environment']}" * (len({t.attrs["environment"] for t in trees}) > 1)
    return f"{told}, seed {tree.attrs['seed']}" if len(trees) > 1 else told


def _part(tree: Tree, name: str) -> xr.Dataset:
    node = tree.children.get(name)
    return xr.Dataset() if node is None else node.to_dataset()


def _returns(tree: Tree) -> np.ndarray:
    """Of every evaluation, [evaluations, episodes]."""
    curve = _part(tree, "curve")
    return np.asarray(curve["returns"].values if curve.sizes.get("steps") else np.full((1, 1), math.nan), dtype=float)


def _words(trees: Sequence[Tree]) -> Words:
    first = trees[0].attrs
    tops, worlds = [_returns(t).mean(1).max() for t in trees], list(dict.fromkeys(t.attrs["environment"] for t in trees))
    ends = [_returns(t)[-1].mean() for t in trees]
    answer = f"Return {span(tops)} in {join(worlds)} in the best evaluation and {span(ends)} in the last"
    answer += (f", over {len(trees)} runs" if len(trees) > 1 else "") + "."
    worst = {m: [_worst(t, m) for t in trees] for m in ("policy", "critic")}
    answer += f" The policy departs from turning with the world by {_range(worst['policy'])} of the size of its actions"
    answer += f", the critic by {_range(worst['critic'])} of the spread of its values."
    policies = dict.fromkeys(t.attrs["policy"] for t in trees)
    steps = join([f"{int(s):,}" for s in dict.fromkeys(t.attrs["steps"] for t in trees)], "or")
    open_runs = sum(not t.attrs["finished"] for t in trees)
    known = [
        ("What was built in", "; ".join(f"{p}: {_ARMS.get(p, p)}" for p in policies) + f". The group is {first['group']}."),
        ("How long it learnt", f"{steps} steps" + (f"; {count(open_runs, 'run')} not finished" if open_runs else "") + "."),
        (
            "How it was measured",
            "Returns are those of whole episodes under the mean policy. What is broken, departures and bounds are those of the weights of "
            "the best evaluation, which is the largest of several and so a little too good. Departures are root mean squares over the "
            "agent's own roll-outs, of the worst element of the group.",
        ),
    ]
    return Words(answer, tuple(known))


def _worst(tree: Tree, which: str) -> float:
    return float(_part(tree, "asymmetry")["relative"].sel(map=which).max())


def _range(values: Sequence[float]) -> str:
    low, high = (percent(v) if v > _ROUNDING else "nothing beyond rounding" for v in (min(values), max(values)))
    return high if low == high else f"{low} to {high}"


def _curve(trees: Sequence[Tree], numbers: Counter) -> SectionView | None:
    plot = curve_figure([(name_of(t, trees), _part(t, "curve")) for t in trees])
    if plot is None:
        return None
    text = "Return of whole episodes under the mean policy after every stage of training: mean, and from the worst to the best episode."
    rows = []
    for t in trees:
        found, steps = _returns(t), _part(t, "curve")["steps"].values
        best = int(found.mean(1).argmax())
        seconds = float(_part(t, "curve")["seconds"].sum())
        rows.append(
            (
                name_of(t, trees),
                number(found[-1].mean()),
                f"{number(found[best].mean())} at {int(steps[best]):,}",
                number(found.mean()),
                f"{1000 * seconds / max(int(steps[-1]), 1):.3g} ms",
            )  # fmt: skip
        )
    head = ("run", "return, last evaluation", "best evaluation, at steps", "mean of all evaluations", "processor time a step")
    table = TextTable("Returns", head, tuple(rows))
    return SectionView("curve", "What it learnt", [], [numbers("Learning curve", Caption(text), plot, main=True)], [], "", [table])


def _broken(trees: Sequence[Tree], numbers: Counter) -> list[SectionView]:
    found: list[SectionView] = []
    for k, tree in enumerate(trees):
        title = "What its layers broke" + (f": {name_of(tree, trees)}" if len(trees) > 1 else "")
        if "broken" in tree.children:
            case = Case("", {}, None, None, (), relaxation=_part(tree, "broken"))
            plot = relaxed_figure(case)
            if plot is not None:
                figures = [numbers("Broken, layer by layer", Caption(relaxed_caption(case)), plot, main=k == 0)]
                found.append(SectionView(f"broken-{k + 1}", title, [], figures, []))
        elif "opened" in tree.attrs:
            opened = percent(tree.attrs["opened"])
            words = f"The gate of the actor is open by {opened} in the mean over its roll-outs: so much of an action, before it is cut, is "
            words += "the plain network's. It starts at 12 %."
            found.append(SectionView(f"broken-{k + 1}", title, [], [], [], words))
    return found


def _turns(trees: Sequence[Tree], numbers: Counter) -> SectionView:
    named = [(name_of(t, trees), _part(t, "asymmetry")) for t in trees]
    text = (
        "How far policy and critic are from turning with the world, element by element: the root mean square of π(go) − gπ(o) over that "
        "of the actions, and of Q(go, ga) − Q(o, a) over the standard deviation of Q, on the agent's own roll-outs. 0: exactly; 1.4: a "
        "policy whose answers to moved observations have nothing to do with its moved answers. This says nothing of the return."
    )
    rows = tuple(
        (f"{name}: {which}, {g}", number(as_float(v)), number(as_float(gap)))
        for name, data in named
        for which in data["map"].values.tolist()
        for g, v, gap in zip(
            data["element"].values.tolist(), data["relative"].sel(map=which).values, data["gap"].sel(map=which).values, strict=True
        )
    )
    figure = numbers("Departure from turning with the world", Caption(text), asymmetry_figure(named), main=True)
    table = TextTable("Departures", ("map and element", "relative", "in the unit of actions or values"), rows)
    return SectionView("turns", "Does it turn with the world?", [], [figure], [table])


def _bound(trees: Sequence[Tree]) -> SectionView | None:
    rows = []
    for t in (t for t in trees if "bound" in t.children):
        v = {str(k): as_float(values.values) for k, values in _part(t, "bound").items()}
        rows.append(
            (
                name_of(t, trees),
                *(number(v[k]) for k in ("reward_epsilon", "step_epsilon", "regularity", "mean_asymmetry", "asymmetry")),
                number(v["own_bound"]),
                number(v["bound"]),
                number(v["span"]),
                _verdict(v),
            )  # fmt: skip
        )
    if not rows:
        return None
    head = ("run", "ε of rewards", "ε of steps", "slope of V", "asymmetry of Q, rms", "largest", "bound by V", "bound by slope")
    table = TextTable("Asymmetry and bound", (*head, "span of Q", "so"), tuple(rows))
    words = (
        "Where the world is only nearly symmetric, optimal values are only nearly symmetric, by at most (ε of rewards + γ · slope · ε of "
        "steps) / (1 − γ), measured where the agent goes. A learnt critic beyond the bound has more asymmetry than its world can ask for: "
        "error of learning. The span of Q bounds it too, without any symmetry; a bound beyond the span says nothing. The bound by V takes "
        "the change of a step as the learnt V sees it and is tighter."
    )
    return SectionView("bound", "Is so much asymmetry called for?", [], [], [], words, [table])


def _verdict(v: dict[str, float]) -> str:
    if v["asymmetry"] <= 1e-4 * v["span"]:
        return "symmetric"
    if v["asymmetry"] > v["own_bound"]:
        return "more than the world asks for"
    return "the bound says nothing" if v["own_bound"] >= v["span"] else "within the bound"


def _next(trees: Sequence[Tree]) -> list[str]:
    path, world = trees[0].attrs["path"], trees[0].attrs["environment"]
    return [
        f"`orbitscope audit {world}` measures how true the symmetry is in the environment, element by element.",
        f"`orbitscope probe {path} --out probe.nc` asks whether what is learnt at one observation is learnt at the moved one too; "
        "`orbitscope report probe.nc probe.critic.nc` shows it.",
    ]


def _provenance(trees: Sequence[Tree]) -> TextTable:
    rows = []
    for t in trees:
        a, config = t.attrs, json.loads(t.attrs["config"])
        settings = {**{k: config[k] for k in ("repeat", "every", "episodes") if k in config}, **config["networks"], **config["options"]}
        told = ", ".join(f"{k} = {v}" for k, v in settings.items()) or MISSING
        rows.append((name_of(t, trees), str(a["path"]), integer(a["parameters"]), integer(a["steps"]), told))
    return TextTable("Runs", ("run", "folder", "parameters", "steps", "settings"), tuple(rows))
