# ruff: noqa: E501 - prose templates
"""Of the page: how far full arms are ahead of their ablations, and whether that meets the bar."""

from typing import Any

import numpy as np
from arms import FULL, full_of
from harness import Tables
from judgement import interval
from page_search import FEWEST, told
from page_seeds import EARLY, fresh

BAR = 10.0  # points ahead


def main(t: Tables) -> Any:
    """Successes of the arms at the number of demonstrations that the study is about."""
    f: Any = t["success"]
    return f[f.demonstrations == t.meta["settings"]["demonstrations"]]


def rates(some: Any) -> Any:
    """Percent of episodes done: a row for each seed, a column for each arm."""
    return some.assign(rate=100 * some.successes / some.episodes).pivot_table(index="seed", columns="arm", values="rate")


def gaps(t: Tables, first: int = 0) -> dict[tuple[str, str], np.ndarray]:
    """Points by which the full arm is ahead under hands that were held out, seed by seed from `first`, for every task and ablation."""
    f, s, found = main(t), t.meta["settings"], {}
    for name in s["tasks"]:
        some = rates(f[(f.task == name) & (f.condition == "hands held out")]) if len(f) else {}
        for arm in (a for a in s["arms"] if a in some and a not in (*FULL, "modulo")):
            if (full := full_of(arm)) in some:
                both = (some[full] - some[arm]).dropna()
                found[name, arm] = both[both.index >= first].to_numpy(float)
    return found


def verdict(ahead: np.ndarray) -> str:
    """In words, for differences in points seed by seed: met or missed where Student's whole 95 % interval lies on that side of the bar."""
    each = ", ".join(f"{g:+.0f}" for g in ahead)
    if len(ahead) < FEWEST:
        return f"not judged with {len(ahead)} seed{'s' if len(ahead) != 1 else ''} ({each})."
    low, high = interval(ahead)
    word = "met" if low >= BAR else "missed" if high < BAR else "not decided"
    return f"{word}, {told(ahead)} points (seeds: {each})."


RULE = f"""The bar: a full transporter ahead of each of its ablations by {BAR:g} points and more under hands held out. Differences are taken seed by seed, on the same layouts; the bar is met, or missed, where Student's whole 95 % interval of their mean over seeds lies on that side of it, and else not decided. Arms with a prior on turns, and arms whose scenes are not turned in training, have full arms of their own."""


def judged(t: Tables) -> str:
    """Each full arm against each of its ablations under hands that were held out, in words."""
    found, s = gaps(t), t.meta["settings"]
    late = {} if fresh(s) else gaps(t, EARLY)
    lines = [
        f"* {name}, *{full_of(arm)}* against *{arm}*: {verdict(ahead)}{_late(late.get((name, arm), np.empty(0)))}"
        for (name, arm), ahead in found.items()
    ]
    if fresh(s) or not any("turn prior" in arm for _, arm in found):
        head = "By the bar:"
    else:
        head = "By the bar, where arms with a prior on turns were added after failures of the others had been looked at on the seeds here:"
    return f"{head}\n\n" + ("\n".join(lines) + _worst(t) if lines else "Not judged yet.")


def _worst(t: Tables) -> str:
    """The worst training of each full arm under hands held out: a mean over seeds does not show one that failed."""
    f = main(t)
    held, words = f[f.condition == "hands held out"], []
    for arm in (a for a in FULL if a in set(held.arm)):
        own = rates(held[held.arm == arm])[arm]
        words.append(f"*{arm}* {own.min():.0f} % (seed {own.idxmin()}; median {own.median():.0f})")
    return f"\n\nThe worst training of each full arm under hands held out: {', '.join(words)}."


def _late(ahead: np.ndarray) -> str:
    """What the seeds say that were added after the first ones had been seen."""
    return f" Of the seeds that were added alone: {told(ahead)}." if len(ahead) >= FEWEST else ""


def above(f: Any, name: str, s: dict[str, Any]) -> str:
    """Which arms do better than their full one, condition by condition, on the seeds that both have: what is against it stays on the page."""
    lines = []
    for condition in [*s["conditions"], *s["more_conditions"]]:
        some, better = rates(f[(f.task == name) & (f.condition == condition)]), []
        for arm in (a for a in s["arms"] if a in some and a not in FULL and full_of(a) in some):
            both = some[[full_of(arm), arm]].dropna()
            full, own = both.mean()
            if len(both) and own > full:
                better.append(f"*{arm}* ({own:.0f} against {full:.0f}, {len(both)} seed{'s' * (len(both) > 1)})")
        if len(some):
            lines.append(f"{condition}: {', '.join(better) or 'none'}")
    words = (
        "Arms on {name} that do more often what is asked than their full one, in percent of episodes, on the seeds that both have: {lines}."
    )
    return words.format(name=name, lines="; ".join(lines)) if lines else ""


def meant(sets: list[Tables]) -> str:
    """What the judgements of several sets of runs say together, side by side; what an arm has beside symmetry explains where it is level."""
    if not sets:
        return ""
    lines = []
    for arm in dict.fromkeys(arm for t in sets for _, arm in gaps(t)):
        found = [
            f"{told(ahead)} with {t.meta['settings']['demonstrations']} demonstrations"
            for t in sets
            for (_, own), ahead in gaps(t).items()
            if own == arm and len(ahead) >= FEWEST
        ]
        if found:
            lines.append(f"* *{full_of(arm)}* ahead of *{arm}*: {', '.join(found)}.")
    if not lines:
        return ""
    return (
        "## What it says together\n\nPoints under hands held out, with Student's 95 % interval over seeds:\n\n"
        + "\n".join(lines)
        + "\n\nThe lift answers a turn of what is held that no demonstration had; a plain network for the hand has to guess it from the turns that it saw, and the fewer demonstrations there are, the less it saw. Symmetry on the scene's side is not missing from *hand only*: its scenes are turned by a new angle at every step of the training, as those of all arms are, and the task asks for no heading that training did not show. The arms whose scenes are not turned ask what building it in is worth. *One level* loses little where demonstrations suffice, since the ring may hang off the pole's axis by almost a voxel of its grid and the task is still done."
    )
