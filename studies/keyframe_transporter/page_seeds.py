# ruff: noqa: E501 - prose templates
"""Of the page: seeds that were added, layouts that were seen before, what is not there."""

from typing import Any

from experiments import SHOWN
from harness import Tables

SETTLED = ("few", "settled")  # sets of runs whose settings were fixed before they were run
EARLY = 3  # seeds that were run, and their results seen, before others were added
TRIED = range(2000, 2016)  # layouts of episodes on which settings were tried
ENOUGH = 100  # episodes that a cell should have


def fresh(s: dict[str, Any]) -> bool:
    """Whether settings were fixed before any of these seeds was run: those of the first runs are below ten."""
    return min(s["seeds"]) >= 10


def late(seeds: list[int]) -> str:
    """That seeds were added since the interval of the first ones reached across the bar."""
    more = [k for k in seeds if k >= EARLY]
    return f" Seeds {_listed(more)} were added after the first ones had been seen, whose interval reached across the bar." if more else ""


def added(s: dict[str, Any]) -> str:
    """That seeds were added after others had been seen, and why."""
    if fresh(s):
        return ""
    late = [k for k in s["seeds"] if k >= EARLY]
    if not late:
        return ""
    count = s["episodes"] * len(s["seeds"])
    enough = f"a cell should have {ENOUGH} episodes, and has {count} now" if count >= ENOUGH else f"more episodes in a cell, now {count}"
    return f" Seeds {_listed(late)} were added after seeds {_listed(range(EARLY))} had been seen, for two reasons: intervals over seeds reached across the bar, and {enough}. As more seeds were asked for with results in sight, what the added ones alone say stands beside each judgement below."


def layouts(s: dict[str, Any]) -> str:
    """Which layouts demonstrations are of, and whether settings were tried on some of them."""
    most = max([s["demonstrations"], *s["more"]])
    again = [k for k in s["seeds"] if set(range(SHOWN + 200 * k, SHOWN + 200 * k + most)) & set(TRIED)]
    here = "none of these layouts is used here"
    if again:
        here = f"episodes and keyframes here are on none of these layouts, but demonstrations of seed{'s' if len(again) > 1 else ''} {_listed(again)} are on some of the latter"
    first = ", ".join(f"{SHOWN + 200 * k:d}" for k in s["seeds"])
    return f"{here}. Demonstrations are those of the layouts from {first} on for seed{'s' if len(s['seeds']) > 1 else ''} {_listed(s['seeds'])}"


def not_here(t: Tables) -> str:
    """What was not done; what was, is not said to be missing."""
    f: Any = t["success"]
    most = int(f.demonstrations.max()) if len(f) else 0
    few = [] if most >= ENOUGH else [f"{ENOUGH} demonstrations"]
    return ", ".join([*few, "real clouds", "an arm with joints"])


def _listed(numbers: Any) -> str:
    words = [str(n) for n in numbers]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
