# ruff: noqa: E501 - prose templates
"""Of the page: success of one set of runs, arm by arm, by the number of demonstrations, and on the other tasks."""

from itertools import product
from typing import Any

import numpy as np
from arms import MEANT
from harness import Tables, table
from page_bars import above, main, rates, verdict
from page_seeds import added
from tabletop import CONDITIONS

from orbitscope.systems.manipulation import wilson


def success(t: Tables) -> str:
    """Every arm under every condition."""
    f, s = main(t), t.meta["settings"]
    if not len(f):
        return "Not measured yet."
    blocks, every = [], [*s["conditions"], *s["more_conditions"]]
    for name in s["tasks"]:
        rows = []
        for arm in s["arms"]:
            some = f[(f.task == name) & (f.arm == arm)]
            cells = [_rate(some[some.condition == c]) if c in s["conditions"] or arm in s["more_arms"] else "" for c in every]
            rows.append([arm, f"{some.seed.nunique()}", *cells])
        blocks.append(f"**{name}**, {s['demonstrations']} demonstrations\n\n" + table(["arm", "seeds", *every], rows))
    said = [above(f, name, s) for name in s["tasks"]]
    count = s["episodes"] * len(s["seeds"])
    head = f"Percent of episodes done, with the 95 % interval of Wilson over all episodes of all seeds: {s['episodes']} of each seed, on the same layouts for every arm and seed; {count} in a cell with all {len(s['seeds'])} seeds.{added(s)}"
    return "\n\n".join([head, *blocks, *(words for words in said if words)])


def definitions(sets: list[Tables]) -> str:
    """What the names of arms and conditions mean."""
    used = [t.meta["settings"] for t in sets]
    arms = {arm for s in used for arm in s["arms"]}
    conditions = {c for s in used for c in (*s["conditions"], *s["more_conditions"])}
    told = "\n".join(f"* *{arm}*: {MEANT[arm]}." for arm in MEANT if arm in arms)
    shown = "\n".join(f"* *{c}*: {CONDITIONS[c]}." for c in CONDITIONS if c in conditions)
    return f"{told}\n\n{shown}"


def more(t: Tables) -> str:
    """By the number of demonstrations; the first of the arms is ahead of the others, or not."""
    f: Any = t["success"]
    s = t.meta["settings"]
    counts, rows, said = sorted({s["demonstrations"], *s["more"]} & set(f.demonstrations)), [], []
    if len(counts) < 2:  # what is planned and not run is named with what is missing
        return ""
    full = s["more_arms"][0]
    for name, arm, condition in product(s["tasks"], s["more_arms"], [c for c in ("as shown", "hands held out") if c in s["conditions"]]):
        mine = f[(f.task == name) & (f.arm == arm) & (f.condition == condition)]
        rows.append([name, arm, condition, *(_rate(mine[mine.demonstrations == n]) for n in counts)])
    for name, n in product(s["tasks"], counts):
        some = rates(f[(f.task == name) & (f.demonstrations == n) & (f.condition == "hands held out")])
        for arm in (a for a in s["more_arms"] if a != full and a in some and full in some):
            ahead = (some[full] - some[arm]).dropna().to_numpy(float)
            said.append(f"* {name}, {n} demonstrations, *{full}* against *{arm}*: {verdict(ahead)}")
    text = table(["task", "arm", "condition", *(f"{n} demonstrations" for n in counts)], rows)
    return text + ("\n\nThe same bar, of things held otherwise, by the number of demonstrations:\n\n" + "\n".join(said)) * bool(said)


def suite(t: Tables) -> str:
    """A full arm on the other tasks."""
    f: Any = t["suite"]
    e: Any = t["suite_errors"]
    s, rows = t.meta["settings"], []
    if not s["suite"]:
        return ""
    if not len(f):
        return "Not measured yet."
    arm = s.get("suite_arm", "transporter")
    for name in s["suite"]:
        mine, off = f[f.task == name], e[e.task == name]
        if len(mine):
            shares = [_rate(mine[mine.policy == policy]) for policy in (arm, "nearest demonstration")]
            cells = [f"{1000 * off.place.mean():.0f}", f"{np.rad2deg(off.turn.mean()):.0f}", f"{100 * off.fingers.mean():.0f}"]
            rows.append([name, f"{mine.seed.nunique()}", *shares, *cells, f"{off.orientations.max():.0f}"])
    once = s.get("suite_seeds", 1) == 1
    said = f"The arm *{arm}* {'once on each, one seed' if once else 'on each'}, {s['suite_demonstrations']} demonstrations that hold things at every turn, the same {s['steps']} steps{': a sign and no judgement' * once}. Percent of {s['episodes']} episodes{' of each seed' * (not once)} with Wilson's interval; medians of the errors at keyframes that were held out{', means over seeds' * (not once)}."
    head = ["task", "seeds", arm, "nearest demonstration", "place [mm]", "turn [degrees]", "wrong fingers [%]", "coarse orientations"]
    return said + "\n\n" + table(head, rows)


def _rate(some: Any) -> str:
    if not len(some):
        return "not run"
    done, count = int(some.successes.sum()), int(some.episodes.sum())
    low, high = wilson(done, count)
    return f"{100 * done / count:.0f} ({100 * low:.0f} to {100 * high:.0f})"
