"""Keyframes that are as good as the demonstrated one, because a thing looks the same after a turn about its axis."""

import itertools

import numpy as np

from ...symmetry import Rigid
from ._episode import Episode
from ._poses import Array, about, pose
from ._scene import flattened, unflattened
from ._task import Task

EQUIVALENTS = 24
"""How many poses are written down for every keyframe; where fewer are as good they repeat."""
_ORDERS = {"so2": 24, "c4": 4, "c2": 2}
_WAY = 0.1  # m: what a hand that is nearly there does next goes on with the turn that it has
_FAST = 0.01  # m by which a thing may slip in the hand


def equivalents(task: Task, episode: Episode, look: int, goal: int) -> Array:
    r"""Poses of the hand that are as good at a keyframe, [24, 12], the demonstrated one first.

    * `task`: whose things have symmetries of their own (`Task.own`). `episode`: of it. `look`, `goal`: steps of `decisions`.

    A thing in the hand may be turned about its axis, $a \mapsto P s P^{-1} a$ with its pose P at the keyframe and s of its own symmetry,
    and so may a fixture that is alone on the table; an empty hand may come from any side that its nearest thing does not tell apart. A
    hand that is within 10 cm goes on with the turn that it has: there, and where nothing has a symmetry, all are the demonstrated pose.
    """
    hand, there = unflattened(episode.hand[look]), unflattened(episode.hand[goal])
    away = there.offset - hand.offset
    if float(np.sqrt(away @ away)) < _WAY or not task.own:
        return np.repeat(flattened(there)[None], EQUIVALENTS, 0)
    names = (*task.fixtures, *task.things)
    before, after = ({n: unflattened(row) for n, row in zip(names, episode.bodies[t], strict=True)} for t in (look, goal))
    held = [n for n in task.things if _goes_along(before[n], after[n], hand, there)]
    centres = [(after[n], task.own[n]) for n in held if n in task.own]
    if not held:
        nearest = min(names, key=lambda n: float(np.sum((before[n].offset - there.offset) ** 2)))
        centres = [(before[nearest], task.own[nearest])] if nearest in task.own else []
    elif len(names) == 2:
        centres += [(before[n], task.own[n]) for n in task.fixtures if n in task.own]
    orbits = [[where @ _turn(k, word) @ where.inverse() for k in range(_ORDERS[word])] for where, word in centres]
    if len(orbits) == 2 and len(orbits[0]) * len(orbits[1]) > EQUIVALENTS:
        orbits = [max(orbits, key=len)]
    found = [flattened(_product(motions) @ there) for motions in itertools.product(*orbits)]
    return np.stack([found[k % len(found)] for k in range(EQUIVALENTS)])


def _turn(k: int, word: str) -> Rigid:
    return pose(np.zeros(3), about(2, 2 * np.pi * k / _ORDERS[word]))


def _product(motions: tuple[Rigid, ...]) -> Rigid:
    whole = pose(np.zeros(3))
    for motion in motions:
        whole = motion @ whole
    return whole


def _goes_along(before: Rigid, after: Rigid, hand: Rigid, there: Rigid) -> bool:
    """Whether a thing moves with the hand."""
    slip = (hand.inverse() @ before).offset - (there.inverse() @ after).offset
    return float(np.sqrt(slip @ slip)) < _FAST
