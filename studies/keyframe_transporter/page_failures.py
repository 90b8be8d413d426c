# ruff: noqa: E501 - prose templates
"""Of the page: what goes wrong where the full arm fails, and what a prior on turns does about it."""

from typing import Any

import numpy as np
from harness import Tables, table
from page_search import FEWEST, told

from orbitscope.systems.manipulation import wilson

FAR, TURNED = 0.04, 45.0  # m from the axis: past the ring; degrees of a turn


def failures(t: Tables | None, meant: dict[str, str], above: Any) -> str:
    """Table and words; `above`: successes of the study's own runs."""
    if t is None or not len(t["episodes"]):
        return ""
    f: Any = t["episodes"]
    s, rows = t.meta["settings"], []
    for condition in s["conditions"]:
        for arm in s["arms"]:
            some = f[(f.condition == condition) & (f.arm == arm)]
            if len(some):
                rows.append([condition, arm, f"{some.seed.nunique()}", _done(some), *_asked(some)])
    head = [
        "condition",
        "arm",
        "seeds",
        "done [%]",
        f"first keyframe opens, or is more than {100 * FAR:g} cm off [%]",
        "turn on the way down, median [degrees]",
        f"of it more than {TURNED:g} degrees [%]",
    ]
    arms = "\n".join(f"* *{arm}*: {meant[arm]}." for arm in s["arms"] if "prior" in arm)
    return f"""## What goes wrong

Episodes of the runs with {s["steps"]} steps once more, looked at keyframe by keyframe (`failures.py`). A demonstrator brings the ring above the pole with the least turn of the hand and lowers it with hardly any. How much a policy turns while it lowers the ring, and whether it went wrong before, is:

{table(head, rows)}

{arms}

{_anew(f, above)}

{_why(f)}

{_mended(f, s)}"""


def _anew(f: Any, above: Any) -> str:
    """Successes of the full arm here and in the study, where both are known: the same settings, other roundings."""
    rows = []
    for condition in dict.fromkeys(f.condition):
        here = f[(f.arm == "transporter") & (f.condition == condition)].groupby("seed").done.sum()
        there = above[(above.arm == "transporter") & (above.condition == condition)].groupby("seed").successes.sum()
        both = sorted(set(here.index) & set(there.index))
        if both:
            rows.append(f"{condition}, {_each(here, both)} here and {_each(there, both)} above (seeds {', '.join(map(str, both))})")
    if not rows:
        return ""
    return f"Models are trained anew here, on the same demonstrations with the same first weights; clouds may be padded by some empty rows less, which changes nothing but roundings. What comes out is not the same: episodes that the full arm did are {'; '.join(rows)}. Differences between seeds contain this too."


def _each(counts: Any, seeds: list[int]) -> str:
    return ", ".join(f"{int(counts[k])}" for k in seeds)


def _done(some: Any) -> str:
    low, high = wilson(int(some.done.sum()), len(some))
    return f"{100 * some.done.mean():.0f} ({100 * low:.0f} to {100 * high:.0f})"


def _asked(some: Any) -> list[str]:
    """Of the first keyframe how often it is wrong; of the second, where the first was right, the turn of the hand."""
    bad = _lost(some)
    turns = np.rad2deg(some[~bad].second_turn.dropna())
    wide = f"{100 * (turns > TURNED).mean():.0f}" if len(turns) else "–"
    return [f"{100 * bad.mean():.0f}", f"{turns.median():.0f}" if len(turns) else "–", wide]


def _lost(some: Any) -> Any:
    return (some.first_opens > 0) | (some.first_off > FAR)


def _why(f: Any) -> str:
    """The full arm's failures by their first cause, in words."""
    lines = []
    for condition in dict.fromkeys(f.condition):
        some = f[(f.condition == condition) & (f.arm == "transporter")]
        failed = some[some.done == 0]
        if not len(failed):
            continue
        opens, far = failed.first_opens > 0, (failed.first_opens == 0) & (failed.first_off > FAR)
        turned = ~opens & ~far & (np.rad2deg(failed.second_turn) > TURNED)
        parts = (
            (opens, "the fingers open at the first keyframe"),
            (far, "the first keyframe is off the pole"),
            (turned, f"the hand turns by more than {TURNED:g} degrees on the way down"),
        )
        words = ", ".join(f"{int(which.sum())} where {what}" for which, what in parts if which.any())
        left = len(failed) - int((opens | far | turned).sum())
        words = ", ".join(part for part in (words, f"{left} for other reasons" if left else "") if part)
        lines.append(f"* {condition}, {len(failed)} of {len(some)} episodes: {words}.")
    if not lines:
        return ""
    causes = "\n".join(lines)
    return f"""Failures of the full arm, by what went wrong first:

{causes}

Turns are a property of the construction and no fault of its code. With the lift, a turn of the thing in the hand is undone by the answer, exactly: scores know what is held, and not how. Poses of the ring about the pole are as good as each other, quarter turns of the scene's networks take them into each other, and what the scores see of the hand, its bones in the scene, does not say how the ring lies in it, so that none of these poses is near or far. A demonstrator takes the near one, and so can a network for the hand that sees things in the hand's own frame (*scene only*, *neither*). To count all of them as right (*modulo*) makes the training easier and leaves the choice where it was. Fingers are told from correlations of features that read colours, and no training shows other colours or a second thing on the table."""


def _mended(f: Any, s: dict[str, Any]) -> str:
    """The prior beside the same arms without it, seed by seed."""
    rates = f.groupby(["condition", "arm", "seed"]).done.mean().mul(100).unstack("arm")
    lines = []
    for condition in s["conditions"]:
        for one, other in (("turn prior", "transporter"), ("turn prior", "neither"), ("turn prior", "neither, turn prior")):
            if not {one, other} <= set(rates) or condition not in rates.index:
                continue
            gap = (rates.loc[condition][one] - rates.loc[condition][other]).dropna().to_numpy(float)
            each = ", ".join(f"{g:+.0f}" for g in gap)
            found = f"{told(gap)} points (seeds: {each})" if len(gap) >= FEWEST else f"{each} points, too few seeds to judge"
            lines.append(f"* {condition}, *{one}* less *{other}*: {found}.")
    if not lines:
        return ""
    return (
        f"A weight $w$ that is learnt at each level, $-10\\,w\\,(1 - \\cos\\theta)$ for a turn of the hand by $\\theta$, says what the scores cannot (`turn_prior=true`). It keeps the symmetry of the scene and gives up that of what is held, on purpose: a demonstrator's choice among poses that are as good does not have it either. It was added after seeds {', '.join(map(str, s['seeds']))} of the other arms had been seen, and tried with seed 100 on layouts 2000 to 2015 first.\n\n"
        + "\n".join(lines)
    )
