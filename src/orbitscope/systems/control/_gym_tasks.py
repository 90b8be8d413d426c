"""Walkers of gymnasium on MuJoCo whose symmetries are declared, and how their states are read and set."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...symmetry import Field, Layout, Pseudoscalar, Representation, TensorProduct, representation

Array = NDArray[np.float64]


def _unchanged(values: Array) -> Array:
    return values


@dataclass(frozen=True)
class GymTask:
    """What is declared of an environment of gymnasium.

    `id`, `options`: as `gymnasium.make` takes them. `group`, `largest`, `note`: as of the tasks of the suite. `observe(data)`,
    `get(data)`: observation and state in the order of their layouts. `put(data, state)`: sets positions and velocities.
    `order(action)`: from the declared order to that of the motors.
    """

    name: str
    id: str
    description: str
    group: str
    largest: str
    observation: tuple[str, ...] | Layout
    action: tuple[str, ...] | Layout
    state: tuple[str, ...] | Layout
    observe: Callable[[Any], Array]
    get: Callable[[Any], Array]
    put: Callable[[Any, Array], None]
    order: Callable[[Array], Array] = _unchanged
    options: dict[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, repr=False)
class Corners(Representation):
    """How D4 exchanges the corners of a square, numbered from (+, +) against the clock; a leg stands at each.

    >>> Corners().matrix([[-1, 0], [0, 1]]).astype(int).tolist()
    [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    """

    def size(self, ndim: int) -> int:
        return 4

    def matrix(self, element: Any, /) -> Array:
        corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
        turned = corners @ np.asarray(getattr(element, "matrix", element), dtype=float).T
        return (np.abs(corners[:, None] - turned[None]).max(-1) < 0.5).astype(float)

    def __repr__(self) -> str:
        return "corners"


def _layout(**fields: str | Representation) -> Layout:
    made = [Field(name, r if isinstance(r, Representation) else representation(r)) for name, r in fields.items()]
    return Layout(tuple(made), 2)


# Ant: the legs stand at the corners of a square, and to call another leg the first changes nothing in the world. Whoever does so turns
# the frame of the body, and a reflection of it goes with a mirror of the world across its way, whose reward is speed along the first axis.
_HIPS, _ANKLES = TensorProduct(Corners(), Pseudoscalar()), Corners()
_BENT = np.array([1.0, -1.0, -1.0, 1.0])  # a bent ankle is positive in the first leg and the last, negative in the others
_BODY = {
    "along": "vector", "along_up": "scalar", "across": "vector x pseudoscalar", "across_up": "pseudoscalar", "up": "vector",
    "up_up": "scalar",
}  # fmt: skip
_RATES = {
    "velocity": "scalar", "velocity_across": "pseudoscalar", "velocity_up": "scalar", "spin": "vector x pseudoscalar",
    "spin_up": "pseudoscalar", "hip_rates": _HIPS, "ankle_rates": _ANKLES,
}  # fmt: skip


def _legs(values: Array) -> Array:
    """Hips, and how far ankles are bent, leg by leg."""
    pairs = np.asarray(values).reshape(4, 2)
    return np.concatenate([pairs[:, 0], _BENT * pairs[:, 1]])


def _joints(values: Array) -> Array:
    return np.stack([values[:4], _BENT * values[4:]], 1).ravel()


def _ant_body(data: Any) -> Array:
    return Rotation.from_quat(data.qpos[3:7], scalar_first=True).as_matrix().ravel()


def _ant_observation(data: Any) -> Array:
    return np.concatenate([data.qpos[2:3], _ant_body(data), _legs(data.qpos[7:]), data.qvel[:6], _legs(data.qvel[6:])])


def _ant_state(data: Any) -> Array:
    return np.concatenate([data.qpos[:2], _ant_observation(data)])


def _put_ant(data: Any, state: Array) -> None:
    mujoco: Any = importlib.import_module("mujoco")  # here, as the table is read without it
    turned = np.zeros(4)  # by a function that takes left-handed frames too: a wrong declaration makes some, and an audit tries it
    mujoco.mju_mat2Quat(turned, np.ascontiguousarray(state[3:12]))
    data.qpos[:] = np.concatenate([state[:3], turned, _joints(state[12:20])])
    data.qvel[:] = np.concatenate([state[20:26], _joints(state[26:])])


def _ant_motors(action: Array) -> Array:
    return _joints(action).reshape(4, 2)[[3, 0, 1, 2]].ravel()  # the last leg comes first


_ANT = GymTask(
    "ant", "Ant-v5", "a body on four equal legs runs along the first axis", "d4", "d4",
    _layout(height="scalar", **_BODY, hips=_HIPS, ankles=_ANKLES, **_RATES), _layout(hips=_HIPS, ankles=_ANKLES),
    _layout(place="scalar", place_across="pseudoscalar", height="scalar", **_BODY, hips=_HIPS, ankles=_ANKLES, **_RATES),
    _ant_observation, _ant_state, _put_ant, _ant_motors,
    note="Its group exchanges the legs; the world turns with none of it, as the ant runs one way, but is mirrored across that way.",
)  # fmt: skip


def _flat_observation(data: Any) -> Array:
    return np.concatenate([data.qpos[1:], np.clip(data.qvel, -10, 10)])


def _flat_state(data: Any) -> Array:
    return np.concatenate([data.qpos, data.qvel])


def _put_flat(data: Any, state: Array) -> None:
    data.qpos[:], data.qvel[:] = np.split(state, [len(data.qpos)])


_LEGS, _MOVING = "legs:regular(d1) x (scalar*3)", "leg_velocity:regular(d1) x (scalar*3)"
_WALKER = GymTask(
    "walker2d", "Walker2d-v5", "two legs in a plane run along the first axis", "d1", "d1",
    ("root:scalar*2", _LEGS, "velocity:scalar*3", _MOVING), ("torque:regular(d1) x (scalar*3)",),
    ("root:scalar*3", _LEGS, "velocity:scalar*3", _MOVING), _flat_observation, _flat_state, _put_flat,
    note="The mirror exchanges the legs; it has no other symmetry, as it runs one way.",
)  # fmt: skip
_HOPPER = GymTask(
    "hopper", "Hopper-v5", "one leg in a plane hops along the first axis", "c1", "d1",
    ("height:scalar", "angles:pseudoscalar*4", "velocity:pseudoscalar", "velocity_up:scalar", "spin:pseudoscalar*4"),
    ("torque:pseudoscalar*3",),
    ("place:pseudoscalar", "height:scalar", "angles:pseudoscalar*4", "velocity:pseudoscalar", "velocity_up:scalar", "spin:pseudoscalar*4"),
    _flat_observation, _flat_state, _put_flat,
    note="It has no symmetry: one leg with toes in front, one way to go. Audit it with --group d1 to see what a mirror breaks.",
)  # fmt: skip

GYM_TASKS: dict[str, GymTask] = {t.name: t for t in (_ANT, _HOPPER, _WALKER)}
"""Name -> task."""
