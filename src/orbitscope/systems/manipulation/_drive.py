"""From keyframes to actions: the hand goes straight to each, turns on the way, waits, and lets its fingers move."""

from collections.abc import Iterator, Sequence

import numpy as np

from ...symmetry import Rigid
from ._mjcf import FINGERS
from ._poses import Array, vector_of
from ._scene import RATE, SPEED, TURN, Scene
from ._task import Keyframe

_NEAR = (0.002, 0.02)  # m and radians within which a keyframe is reached
_PATIENCE, FINGER_REST, _MOST = 12, 3, 160  # control steps: waiting to be near, resting there, at most in all
_FINGERS = 12  # at most, for the fingers


def drive(scene: Scene, keyframe: Keyframe) -> Iterator[Array]:
    """The actions [7] that bring the hand of `scene` to `keyframe`, each to be done before the next is asked for.

    The fingers stay as they are on the way. A keyframe that is not reached in time is left, as a person would go on with what there is.
    """
    word = 1.0 if scene.open else -1.0
    waited = 0
    for _ in range(_MOST):
        step = toward(scene, keyframe.pose)
        arrived = not step.any()
        waited += arrived
        if arrived and (gap(scene.hand, keyframe.pose) < 1.0 or waited > _PATIENCE):
            break
        yield np.append(step, word)
    for _ in range(FINGER_REST):
        yield np.append(np.zeros(6), word)
    if keyframe.open == scene.open:
        return
    word = 1.0 if keyframe.open else -1.0
    for _ in range(_FINGERS):
        yield np.append(np.zeros(6), word)
        if scene.grip in FINGERS:
            break
    for _ in range(FINGER_REST):
        yield np.append(np.zeros(6), word)


def follow(scene: Scene, way: Sequence[Keyframe]) -> Iterator[Array]:
    """The actions [7] that bring the hand of `scene` along a `way` and to its last keyframe, as `drive` does.

    What lies nearer than a control step reaches is passed by; the fingers stay as they are until the end.
    """
    word, left = 1.0 if scene.open else -1.0, list(way)
    for _ in range(_MOST):
        while len(left) > 1 and reached(scene, left[0].pose):
            del left[0]
        if len(left) == 1:
            break
        yield np.append(toward(scene, left[0].pose), word)
    yield from drive(scene, left[-1])


def reached(scene: Scene, goal: Rigid) -> bool:
    """Whether the target of the hand comes to a pose within one control step."""
    away, turn = goal.offset - scene.target.offset, vector_of(goal.matrix @ scene.target.matrix.T)
    return float(np.sqrt(away @ away)) < SPEED / RATE and float(np.sqrt(turn @ turn)) < TURN / RATE


def toward(scene: Scene, goal: Rigid) -> Array:
    """The motion part [6] of the action that brings the target of the hand straight toward a pose, turning evenly on the way."""
    way = (goal.offset - scene.target.offset) / (SPEED / RATE)
    turn = vector_of(goal.matrix @ scene.target.matrix.T) / (TURN / RATE)
    longest = max(float(np.sqrt(way @ way)), float(np.sqrt(turn @ turn)), 1.0)
    step = np.concatenate([way, turn]) / longest
    return np.zeros(6) if np.abs(step).max() < 1e-6 else step


def gap(hand: Rigid, goal: Rigid) -> float:
    """How far a pose is from another, in units of what counts as there: below 1 it is."""
    away, turn = hand.offset - goal.offset, vector_of(goal.matrix @ hand.matrix.T)
    return max(float(np.sqrt(away @ away)) / _NEAR[0], float(np.sqrt(turn @ turn)) / _NEAR[1])
