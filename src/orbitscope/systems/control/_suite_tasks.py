"""The tasks of the dm_control suite whose symmetries are declared, and how their states are read and set."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SuiteTask:
    """What is declared of a task: words of layouts, and what is read where the suite's own observation does not do.

    `group`: taken where none is asked for. `largest`: every group that is asked for lies within it. `note`: what a user should know.
    """

    domain: str
    task: str
    description: str
    group: str
    largest: str
    observation: tuple[str, ...]
    action: tuple[str, ...]
    state: tuple[str, ...]
    observe: Callable[[Any], Array] | None = None
    get: Callable[[Any], Array] | None = None
    put: Callable[[Any, Array], None] | None = None
    note: str = ""


def read_state(task: SuiteTask, physics: Any) -> Array:
    """The state that decides everything that follows."""
    if task.get is not None:
        return task.get(physics)
    return np.concatenate([physics.data.qpos, physics.data.qvel])


def write_state(task: SuiteTask, physics: Any, state: Array) -> None:
    """Set it, and what follows from it, without anything that the solver remembers of earlier states."""
    with physics.reset_context():
        if task.put is not None:
            task.put(physics, state)
        else:
            positions = physics.model.nq
            physics.data.qpos[:] = state[:positions]
            physics.data.qvel[:] = state[positions:]


def observed(task: SuiteTask, suite_task: Any, physics: Any) -> Array:
    """The observation, flat."""
    if task.observe is not None:
        return task.observe(physics)
    found = suite_task.get_observation(physics)
    return np.concatenate([np.atleast_1d(np.asarray(v, dtype=np.float64)).ravel() for v in found.values()])


def _reacher_observation(physics: Any) -> Array:
    # The suite shows the angles as they are; a turn of the world shifts the first, and no matrix moves that. Its direction is a vector.
    shoulder, wrist = physics.data.qpos
    turned = [np.cos(shoulder), np.sin(shoulder), np.cos(wrist), np.sin(wrist)]
    return np.concatenate([turned, physics.finger_to_target(), physics.data.qvel])


def _reacher_state(physics: Any) -> Array:
    shoulder, wrist = physics.data.qpos
    target = physics.named.model.geom_pos["target", :2]
    return np.concatenate([[np.cos(shoulder), np.sin(shoulder), wrist], physics.data.qvel, target])


def _put_reacher(physics: Any, state: Array) -> None:
    physics.data.qpos[:] = np.arctan2(state[1], state[0]), state[2]
    physics.data.qvel[:] = state[3:5]
    physics.named.model.geom_pos["target", :2] = state[5:7]


# The root of the swimmer turns about a point that lies so far behind the origin of its place; the chain lies along the second axis.
_ROOT = np.array([0.0, -0.05])


def _swimmer_state(physics: Any) -> Array:
    q, v = physics.data.qpos, physics.data.qvel
    target = physics.named.model.geom_pos["target", :2]
    return np.concatenate([q[:2] + _ROOT, [-np.sin(q[2]), np.cos(q[2])], q[3:], v, target])


def _put_swimmer(physics: Any, state: Array) -> None:
    joints = physics.model.nq - 3
    physics.data.qpos[:] = np.concatenate([state[:2] - _ROOT, [np.arctan2(-state[2], state[3])], state[4 : 4 + joints]])
    physics.data.qvel[:] = state[4 + joints : 7 + 2 * joints]
    physics.named.model.geom_pos["target", :2] = state[-2:]


def _cartpole(task: str, poles: int, words: str) -> SuiteTask:
    angles = tuple(f"{part}{k or ''}:{rep}" for k in range(poles) for part, rep in (("cos", "scalar"), ("sin", "pseudoscalar")))
    return SuiteTask(
        "cartpole", task, words, "d1", "d1", ("cart:pseudoscalar", *angles, f"velocity:pseudoscalar*{poles + 1}"),
        ("force:pseudoscalar",), (f"position:pseudoscalar*{poles + 1}", f"velocity:pseudoscalar*{poles + 1}"),
    )  # fmt: skip


def _reacher(task: str, words: str) -> SuiteTask:
    return SuiteTask(
        "reacher", task, words, "d2", "o2",
        ("arm:vector", "cos_wrist:scalar", "sin_wrist:pseudoscalar", "to_target:vector", "velocity:pseudoscalar*2"),
        ("torque:pseudoscalar*2",), ("arm:vector", "wrist:pseudoscalar", "velocity:pseudoscalar*2", "target:vector"),
        _reacher_observation, _reacher_state, _put_reacher,
        "The direction of the upper arm and of the wrist replace the two angles of the suite.",
    )  # fmt: skip


def _swimmer(task: str, links: int) -> SuiteTask:
    joints = links - 1
    bodies = tuple(w for k in range(links) for w in (f"across{k}:pseudoscalar", f"along{k}:scalar", f"spin{k}:pseudoscalar"))
    return SuiteTask(
        "swimmer", task, f"a chain of {links} links in a viscous plane swims to a target", "d1", "o2",
        (f"joints:pseudoscalar*{joints}", "to_target_across:pseudoscalar", "to_target_along:scalar", *bodies),
        (f"torque:pseudoscalar*{joints}",),
        (
            "place:vector", "heading:vector", f"joints:pseudoscalar*{joints}", "velocity:vector", "spin:pseudoscalar",
            f"joint_velocity:pseudoscalar*{joints}", "target:vector",
        ), None, _swimmer_state, _put_swimmer, "Everything is seen from the head, so rotations leave the observation alone.",
    )  # fmt: skip


def _walker(task: str) -> SuiteTask:
    return SuiteTask(
        "walker", task, f"two equal legs in a plane: {task}", "d1", "d1",
        ("torso:scalar*2", "legs:regular(d1) x (scalar*6)", "height:scalar", "velocity:scalar*3", "leg_velocity:regular(d1) x (scalar*3)"),
        ("torque:regular(d1) x (scalar*3)",),
        ("root:scalar*3", "legs:regular(d1) x (scalar*3)", "velocity:scalar*3", "leg_velocity:regular(d1) x (scalar*3)"),
        note="The mirror exchanges the legs; it has no other symmetry, as it walks one way.",
    )  # fmt: skip


_PENDULUM = SuiteTask(
    "pendulum", "swingup", "a pendulum with a weak motor swings up", "d1", "d1",
    ("cos:scalar", "sin:pseudoscalar", "velocity:pseudoscalar"),
    ("torque:pseudoscalar",), ("angle:pseudoscalar", "velocity:pseudoscalar"),
)  # fmt: skip


def _acrobot(task: str) -> SuiteTask:
    return SuiteTask(
        "acrobot", task, "two links, of which the second has a motor, swing up", "d1", "d1",
        ("sin:pseudoscalar*2", "cos:scalar*2", "velocity:pseudoscalar*2"), ("torque:pseudoscalar",),
        ("angle:pseudoscalar*2", "velocity:pseudoscalar*2"),
    )  # fmt: skip


_CUP = SuiteTask(
    "ball_in_cup", "catch", "a cup on a string catches its ball", "d1", "d1",
    ("cup:vector", "ball:vector", "cup_velocity:vector", "ball_velocity:vector"), ("force:vector",),
    ("cup:vector", "ball:vector", "cup_velocity:vector", "ball_velocity:vector"),
    note="The plane is vertical; the mirror flips its first axis, the horizontal one.",
)  # fmt: skip
_POINT_MASS = SuiteTask(
    "point_mass", "easy", "a point mass is brought to the origin of the plane", "d4", "d4", ("position:vector", "velocity:vector"),
    ("force:vector",), ("position:vector", "velocity:vector"),
)  # fmt: skip

TASKS: dict[str, SuiteTask] = {
    f"{t.domain}-{t.task}": t
    for t in (
        _acrobot("swingup"), _acrobot("swingup_sparse"), _CUP,
        _cartpole("swingup", 1, "a cart swings a pole up"), _cartpole("swingup_sparse", 1, "the same, rewarded at the top alone"),
        _cartpole("balance", 1, "a cart balances a pole"), _cartpole("balance_sparse", 1, "the same, rewarded at the top alone"),
        _cartpole("two_poles", 2, "a cart swings two poles up"), _cartpole("three_poles", 3, "a cart swings three poles up"),
        _PENDULUM, _POINT_MASS,
        _reacher("easy", "an arm of two links reaches a large target"), _reacher("hard", "an arm of two links reaches a small target"),
        _swimmer("swimmer6", 6), _swimmer("swimmer15", 15), _walker("stand"), _walker("walk"), _walker("run"),
    )
}  # fmt: skip
"""Name -> task: the names of the suite, joined by a hyphen."""

ALIASES = {
    "acrobot": "acrobot-swingup", "cartpole": "cartpole-swingup", "cup_catch": "ball_in_cup-catch", "ball_in_cup": "ball_in_cup-catch",
    "pendulum": "pendulum-swingup", "point_mass": "point_mass-easy", "reacher": "reacher-easy", "swimmer": "swimmer-swimmer6",
    "walker": "walker-walk",
}  # fmt: skip
"""Short names."""


def suite_task(name: str) -> SuiteTask:
    """The declared task of that `name`; raises `OrbitscopeError`, with those that there are, for another."""
    full = ALIASES.get(name, name)
    if full not in TASKS:
        raise OrbitscopeError(f"environment: no symmetry of a task {name!r} is declared. Declared are {', '.join(TASKS)}.")
    return TASKS[full]
