"""Two probes of the same data: has a model lost symmetry since the last one?"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from ..._errors import OrbitscopeError
from .._files import open_probe
from ._learning_words import CHANCE, OPPOSED, SHARED
from ._learnt import BROKEN, COSTS, EXACT, FREE, HOLDS

Outcome = Literal["same", "better", "worse", "not comparable"]
TOLERANCE = 0.01
# Where a number stands, what it is called, the word that goes with it, and whether more of it is better.
_NUMBERS = (
    ("verdict", "share", "output", False),
    ("verdict", "moved_error", "moving", False),
    ("influence", "excess", "learning", True),
)
_GOOD, _BAD = {EXACT, HOLDS, FREE, SHARED}, {BROKEN, COSTS, CHANCE, OPPOSED}
_OF_THE_TOOL = ("damping", "memory", "chunk")  # settings that change neither the data nor what is asked of them


@dataclass(frozen=True)
class Change:
    """One number of one element that moved by more than its intervals and the tolerance, or whose word changed sides.

    * `group`, `element`: names.
    * `quantity`: name of the number: "share", "moved_error" or "excess", each dimensionless.
    * `worse`: whether it tells of less symmetry; else of more.
    * `before`, `now`: value, lower and upper end of its interval, in each probe.
    * `words`: the verdict on it, before and now.
    """

    group: str
    element: str
    quantity: str
    worse: bool
    before: tuple[float, float, float]
    now: tuple[float, float, float]
    words: tuple[str, str]

    def __str__(self) -> str:
        before, now = (
            f"{v:.3g} ({low:.3g} to {high:.3g}, {word})" for (v, low, high), word in zip((self.before, self.now), self.words, strict=True)
        )
        return f"{self.group} {self.element}: {self.quantity} {'worse' if self.worse else 'better'}, {before} before, {now} now"


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    * `outcome`: "same", "better", "worse" or "not comparable".
    * `changes`: every number that moved; empty where none did.
    * `reasons`: why the two cannot be compared; empty where they can.
    """

    outcome: Outcome
    changes: tuple[Change, ...] = ()
    reasons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def compare(new: xr.DataTree | str | Path, old: xr.DataTree | str | Path, *, tolerance: float = TOLERANCE) -> Comparison:
    r"""Has a model become less symmetric between two probes of the same transitions?

    A number is worse where the intervals are apart by more than the tolerance, $l_\mathrm{new} > h_\mathrm{old} + t$ (for the excess
    coherence, of which more is better, $h_\mathrm{new} < l_\mathrm{old} - t$), or where its word went from the good side (exact, holds,
    costs nothing, shared) to the bad one. Looked at for every element but the identity: the share of the squared error that the broken
    symmetry carries, the squared error on moved states over that on the originals, and the excess coherence of the learning.

    * `new`, `old`: results of `examine`, or files of them.
    * `tolerance`: difference between the ends of two intervals that is let pass, in the units of each number (all are ratios).

    Returns a `Comparison`: "worse" where anything is worse, else "better" where anything is better, else "same"; "not comparable", with
    the reasons, where data, transitions, groups, elements or settings differ. The intervals take the transitions as independent samples
    although they are the same ones, so a small loss that is real can pass as "same". The size of the error itself is not judged.

    Raises `OrbitscopeError` for files that are no probes and a tolerance that is not finite or below 0.
    """
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 <= tolerance < float("inf"):
        raise OrbitscopeError(f"tolerance: should be a finite number from 0 up, got {tolerance!r}.")
    now, before = (_tree(name, tree) for name, tree in (("new", new), ("old", old)))
    if reasons := _differences(now, before):
        return Comparison("not comparable", reasons=tuple(reasons))
    changes = [
        change for group in _groups(now) for change in _changes(group, now.children[group], before.children[group], float(tolerance))
    ]
    outcome: Outcome = "worse" if any(c.worse for c in changes) else "better" if changes else "same"
    return Comparison(outcome, tuple(changes))


def _tree(name: str, tree: Any) -> xr.DataTree:
    if isinstance(tree, xr.DataTree):
        return tree
    if not isinstance(tree, str | Path):
        raise OrbitscopeError(f"compare: `{name}` should be the result of `examine` or a file of it, got {type(tree).__name__}.")
    return open_probe(tree)


def _groups(tree: xr.DataTree) -> list[str]:
    return [name for name, node in tree.children.items() if "verdict" in node.children]


def _differences(now: xr.DataTree, before: xr.DataTree) -> list[str]:
    """Why two probes cannot be compared, in words; empty where they can."""
    reasons = []
    for name, words in (("data_description", "data"), ("layout", "layout"), ("grid", "grid"), ("dt", "time step")):
        if now.attrs.get(name) != before.attrs.get(name):
            reasons.append(f"the {words} differ: {before.attrs.get(name)} before, {now.attrs.get(name)} now")
    mine, theirs = (json.loads(tree.attrs.get("settings", "{}")) for tree in (now, before))
    for name in sorted(set(mine) | set(theirs)):
        if mine.get(name) != theirs.get(name) and name not in _OF_THE_TOOL:
            reasons.append(f"the setting {name} differs: {theirs.get(name)} before, {mine.get(name)} now")
    if set(_groups(now)) != set(_groups(before)):
        reasons.append(f"the groups differ: {', '.join(_groups(before))} before, {', '.join(_groups(now))} now")
    elif not _groups(now):
        reasons.append("neither holds a verdict")
    if not reasons:
        reasons += [words for group in _groups(now) for words in _other_samples(group, now.children[group], before.children[group])]
    return reasons


def _other_samples(group: str, now: xr.DataTree, before: xr.DataTree) -> list[str]:
    """Elements, transitions or states that are not the same; the states are those of the example that every probe keeps."""
    for node, name, words in (
        ("verdict", "element", "elements"), ("equivariance", "trajectory", "transitions"), ("equivariance", "time", "transitions"),
        ("fields", "state", "states of the data"),
    ):  # fmt: skip
        here, there = (tree[node].to_dataset().get(name) if node in tree.children else None for tree in (now, before))
        if (here is None) != (there is None) or (here is not None and there is not None and not np.array_equal(here.values, there.values)):
            return [f"the {words} of {group} differ"]
    return []


def _changes(group: str, now: xr.DataTree, before: xr.DataTree, tolerance: float) -> list[Change]:
    said, was = now["verdict"].to_dataset(), before["verdict"].to_dataset()
    names = [str(n) for n in said["element"].values]
    identity = said["element_identity"].values if "element_identity" in said.coords else None
    found = []
    for node, quantity, word, more_is_better in _NUMBERS:
        sides = [tree[node].to_dataset() if node in tree.children else xr.Dataset() for tree in (now, before)]
        if not all(quantity in side for side in sides):
            continue
        for k, element in enumerate(names):
            if identity is not None and bool(identity[k]):
                continue
            here, there = (_at(side, quantity, element) for side in sides)
            words = str(was[word].values[k]), str(said[word].values[k])
            if (worse := _judge(here, there, words, more_is_better, tolerance)) is not None:
                found.append(Change(group, element, quantity, worse, there, here, words))
    return found


def _at(side: xr.Dataset, quantity: str, element: str) -> tuple[float, float, float]:
    """Value and interval of an element; NaN where it was not looked at."""
    if element not in side["element"].values.astype(str):
        return float("nan"), float("nan"), float("nan")
    row = side.isel(element=int(np.flatnonzero(side["element"].values.astype(str) == element)[0]))
    value, low, high = (float(row[f"{quantity}{end}"]) if f"{quantity}{end}" in row else float("nan") for end in ("", "_low", "_high"))
    return value, low, high


def _judge(
    now: tuple[float, float, float], before: tuple[float, float, float], words: tuple[str, str], more_is_better: bool, tolerance: float
) -> bool | None:
    """True for worse, False for better, None for neither. A comparison with NaN is neither."""
    if words[0] in _GOOD and words[1] in _BAD:
        return True
    if words[0] in _BAD and words[1] in _GOOD:
        return False
    up, down = now[1] > before[2] + tolerance, now[2] < before[1] - tolerance
    return up != more_is_better if up or down else None
