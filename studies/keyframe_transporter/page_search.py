# ruff: noqa: E501 - prose templates
"""Of the page: coarse to fine beside flat scoring."""

from itertools import product
from typing import Any

import numpy as np
from harness import Tables, table
from judgement import interval
from page_seeds import late

FEWER, NEAR = 50.0, 2.0  # flat poses over those of a search; points that a search may be behind flat scoring
FEWEST = 3  # seeds that judge


def told(ahead: np.ndarray) -> str:
    """The mean over seeds and Student's 95 % interval, within what points can be."""
    low, high = np.clip(interval(ahead), -100, 100)
    return f"{ahead.mean():+.0f} ({low:+.0f} to {high:+.0f})"


def search(t: Tables, success: Any, flat: Tables | None) -> str:
    """The search beside flat scoring: by a network that was trained flat, by the fine network, by one coarser level; `success`: of the arms."""
    parts = [_fair(flat), _untrained(t), _one_level(t, success)]
    return "\n\n".join(part for part in parts if part) or "Not measured yet."


def beside_flat(flat: Tables) -> tuple[np.ndarray, float]:
    """Points by which coarse to fine is right more often than flat scoring, seed by seed; flat poses over those of the search."""
    f, r = flat["keyframes"], flat["runs"]
    rates = 100 * f.groupby(["seed", "arm"]).right.mean().unstack("arm")
    poses = r.groupby(["seed", "arm"]).scores.max().unstack("arm")
    if not {"transporter", "flat"} <= set(rates):
        return np.empty(0), float("nan")
    return (rates["transporter"] - rates["flat"]).dropna().to_numpy(float), float((poses["flat"] / poses["transporter"]).min())


def judged(ahead: np.ndarray, ratio: float) -> str:
    """In words, for differences in points seed by seed."""
    bar = f"The bar (at most {NEAR:g} points behind flat scoring, at no more than 1/{FEWER:g} of its poses)"
    if len(ahead) < FEWEST:
        return f"{bar} is not judged with {len(ahead)} seed{'s' if len(ahead) != 1 else ''}."
    low, high = interval(ahead)
    word = "missed" if high < -NEAR or ratio < FEWER else "met" if low >= -NEAR else "not decided"
    return f"{bar} is {word}: {told(ahead)} points at 1/{ratio:,.0f} of the poses (seeds: {', '.join(f'{g:+.0f}' for g in ahead)})."


def _fair(flat: Tables | None) -> str:
    """Coarse to fine beside a network that was trained flat, on the same keyframes."""
    if flat is None or not len(flat["keyframes"]):
        return ""
    f: Any = flat["keyframes"]
    r, s, rows = flat["runs"], flat.meta["settings"], []
    for arm, words in (("transporter", "coarse to fine"), ("flat", "flat")):
        some, run = f[f.arm == arm], r[r.arm == arm]
        if len(some):
            shares = [f"{100 * some[some.condition == c].right.mean():.0f}" for c in s["conditions"]]
            sizes = [f"{int(run.scores.max()):,}", f"{int(run.parameters.max()):,}"]
            off = [f"{1000 * some.place.median():.0f}", f"{np.rad2deg(some.turn.median()):.0f}", f"{some.seconds.mean():.2f}"]
            rows.append([words, *sizes, str(some.seed.nunique()), f"{100 * some.right.mean():.0f}", *shares, *off])
    count = f.groupby(["arm", "seed"]).size().max()
    text = f"""A rival that was trained flat (`flat.py`): one level at the fine voxels, every place on the table at every orientation of both levels, scored at once. It has the demonstrations, steps, batch, rate and width of the full arm. Its softmax is sampled in training ([FlatTransporter](../api.md)): the right pose, 9 orientations in 8 x 8 x 8 voxels about it, and 16 orientations at every second voxel along each axis, drawn anew for each keyframe of each step and counted by one over their probability; in tests a softmax over all poses comes out to rounding where all are drawn. Whether draws are counted so, or as if they were all, was decided with demonstrations and first weights of seed 100 on keyframes of layouts 6000 to 6007, for the former. Other rates, numbers of draws and widths were not tried for it, nor more steps{_dearer(flat)}: what the bar is judged by is a rival of the same training, and not the best that flat scoring could be. Both arms answer the same {count} keyframes with every seed; right is within 2 cm and 20 degrees, modulo what the thing's own turns make as good and the half turn of the hand.{late(s["seeds"])} Episodes were not run: a flat answer takes seconds, and an episode has up to 14.

"""
    head = ["search", "poses scored", "weights", "seeds", "right [%]", *(f"{c} [%]" for c in s["conditions"])]
    text += table([*head, "place, median [mm]", "turn, median [degrees]", "processor seconds"], rows)
    return text + "\n\n" + judged(*beside_flat(flat))


def _dearer(flat: Tables) -> str:
    """How much more its training costs, in words: processor time less that of the answers."""
    cost = flat["processor"].groupby("arm").cpu_seconds.sum() - flat["keyframes"].groupby("arm").seconds.sum()
    return (
        f", of which each costs it {cost['flat'] / cost['transporter']:.0f} times as much"
        if {"flat", "transporter"} <= set(cost.index)
        else ""
    )


def _untrained(t: Tables) -> str:
    """The fine network of the search, asked for everything."""
    f: Any = t["search"]
    if not len(f):
        return ""
    count, ratio, rows = len(f), float((f.flat / f.coarse_to_fine).min()), []
    for name, words in (("coarse_to_fine", "coarse to fine"), ("flat", "its fine network, flat")):
        place, turn = 1000 * f[f"{name}_place"].median(), np.rad2deg(f[f"{name}_turn"].median())
        right, seconds = f"{100 * f[f'{name}_right'].mean():.0f}", f"{f[f'{name}_seconds'].mean():.2f}"
        rows.append([words, f"{f[name].max():,}", right, f"{place:.0f}", f"{turn:.0f}", seconds])
    said = f"The same trained network of the fine level, asked for every place on the table at every orientation of the two levels, at {count} keyframes that were held out ({f.seed.nunique()} seeds). It was trained near the right pose only, so that this rival is handicapped and judges nothing; it shows what the coarse level is for, at 1/{ratio:,.0f} of the poses."
    return said + "\n\n" + table(["search", "poses scored", "right [%]", "place [mm]", "turn [degrees]", "processor seconds"], rows)


def _one_level(t: Tables, f: Any) -> str:
    """Coarse to fine beside the arm of one coarser level, by success and by poses."""
    r, lines = t["runs"], []
    for name, condition in product(t.meta["settings"]["tasks"], t.meta["settings"]["conditions"]):
        some = f[(f.task == name) & (f.condition == condition)]
        rates = some.assign(rate=100 * some.successes / some.episodes).pivot_table(index="seed", columns="arm", values="rate")
        if not {"transporter", "one level"} <= set(rates):
            continue
        gap = (rates["transporter"] - rates["one level"]).dropna().to_numpy(float)
        if len(gap) < FEWEST:
            continue
        poses = [float(r[(r.arm == arm) & (r.task == name)].scores.max()) for arm in ("one level", "transporter")]
        lines.append(
            f"* {name}, {condition}: {told(gap)} points, {len(gap)} seeds, at 1/{poses[0] / poses[1]:.1f} of {poses[0]:,.0f} poses."
        )
    if not lines:
        return ""
    head = f"In episodes, the arm *one level* is a flat rival too: every voxel of 25 mm over the whole table at every orientation of the coarse grid, at once. It has too few poses for a search to score 1/{FEWER:g} of them, so that it judges no bar. Success of coarse to fine less its own, seed by seed, with Student's 95 % interval:"
    return head + "\n\n" + "\n".join(lines)
