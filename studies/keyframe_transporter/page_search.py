# ruff: noqa: E501 - prose templates
"""Of the page: coarse to fine beside flat scoring."""

from itertools import product
from typing import Any

import numpy as np
from harness import Tables, table
from judgement import interval

FEWER, NEAR = 50.0, 2.0  # flat poses over those of a search; points that a search may be behind flat scoring
FEWEST = 3  # seeds that judge


def told(ahead: np.ndarray) -> str:
    """The mean over seeds and Student's 95 % interval, within what points can be."""
    low, high = np.clip(interval(ahead), -100, 100)
    return f"{ahead.mean():+.0f} ({low:+.0f} to {high:+.0f})"


def search(t: Tables, success: Any) -> str:
    """The search beside flat scoring, by the same network and by one that was trained flat; `success`: of the arms."""
    f: Any = t["search"]
    if not len(f):
        return "Not measured yet."
    count, ratio = len(f), float((f.flat / f.coarse_to_fine).min())
    gaps = np.array([100 * float((some.coarse_to_fine_right - some.flat_right).mean()) for _, some in f.groupby("seed")])
    rows = []
    for name, words in (("coarse_to_fine", "coarse to fine"), ("flat", "flat")):
        place, turn = 1000 * f[f"{name}_place"].median(), np.rad2deg(f[f"{name}_turn"].median())
        rows.append(
            [
                words,
                f"{f[name].max():,}",
                f"{100 * f[f'{name}_right'].mean():.0f}",
                f"{place:.0f}",
                f"{turn:.0f}",
                f"{f[f'{name}_seconds'].mean():.2f}",
            ]
        )
    if len(gaps) < FEWEST:
        word = f"With {len(gaps)} seed{'s' if len(gaps) != 1 else ''} the bar (within 2 points at no more than 1/{FEWER:g} of the poses) is not judged."
    elif f.flat_right.mean() < f.coarse_to_fine_right.mean() / 2:
        word = f"Flat scoring is right in {100 * f.flat_right.mean():.0f} % and coarse to fine in {100 * f.coarse_to_fine_right.mean():.0f} %, with 1/{ratio:.0f} of the poses: a rival that is so handicapped cannot tell whether the bar (within 2 points at no more than 1/{FEWER:g} of the poses) is met, and it is not judged."
    else:
        fine = gaps.mean() >= -2.0 and ratio >= FEWER
        word = f"The bar, within 2 points at no more than 1/{FEWER:g} of the poses, is {'met' if fine else 'missed'}: {gaps.mean():+.0f} points at 1/{ratio:.0f}."
    said = f"The same trained network of the fine level, asked for every place on the table at every orientation of the two levels, at {count} keyframes that were held out; right is within 2 cm and 20 degrees. It was trained near the right pose only, so that flat scoring is not at its best. {word}"
    parts = [
        said,
        table(["search", "poses scored", "right [%]", "place [mm]", "turn [degrees]", "processor seconds"], rows),
        _flat_trained(t, success),
    ]
    return "\n\n".join(part for part in parts if part)


def _flat_trained(t: Tables, f: Any) -> str:
    """Coarse to fine beside the arm that was trained flat, by success and by poses."""
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
        low, high = interval(gap)
        near = "met" if low >= -NEAR else "missed" if high < -NEAR else "not decided"
        near = "missed" if poses[0] / poses[1] < FEWER else near
        lines.append(f"* {name}, {condition}: {told(gap)} points at 1/{poses[0] / poses[1]:.1f} of {poses[0]:,.0f} poses: {near}.")
    if not lines:
        return ""
    head = f"A rival that was trained flat is the arm *one level*: every voxel of 25 mm over the whole table at every orientation of the coarse grid, at once. It is coarser than the fine level, and a finer one cannot be trained here: the {int(t['search'].flat.max()):,} poses above would have to be scored, forward and backward, in every step. Success of coarse to fine less that of the rival, seed by seed, with Student's 95 % interval; the bar asks for at least -{NEAR:g} points at no more than 1/{FEWER:g} of the poses, so that this rival, of so few poses, misses it by its size alone:"
    return head + "\n\n" + "\n".join(lines)
