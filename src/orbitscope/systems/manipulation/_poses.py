"""Poses of hands and things as `Rigid`: the few constructions that tasks and scripts need."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._errors import OrbitscopeError
from ...symmetry import Rigid

Array = NDArray[np.float64]
_DOWN = np.diag([1.0, -1.0, -1.0])  # the hand's z, along its fingers, points down


def pose(position: ArrayLike, turn: Array | None = None) -> Rigid:
    """The pose at a position [3] with the orientation `turn` [3, 3], by default that of the axes."""
    return Rigid.trusted(np.eye(3) if turn is None else np.array(turn, dtype=np.float64), np.array(position, dtype=np.float64), "")


def about(axis: int, angle: float) -> Array:
    """The rotation [3, 3] by an angle in radians about x, y or z (`axis` 0, 1, 2)."""
    c, s = np.cos(angle), np.sin(angle)
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    out = np.eye(3)
    out[i, i], out[i, j], out[j, i], out[j, j] = c, -s, s, c
    return out


def flat(x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> Rigid:
    """The pose of a thing that stands upright, turned about the vertical by `yaw`."""
    return pose((x, y, z), about(2, yaw))


def pointing_down(position: ArrayLike, yaw_of: Array | None = None) -> Rigid:
    """The pose of a hand whose fingers point down, with its x axis along that of `yaw_of`, a rotation about the vertical."""
    return pose(position, (np.eye(3) if yaw_of is None else yaw_of) @ _DOWN)


def shifted(motion: Rigid, by: ArrayLike) -> Rigid:
    """The same orientation, moved by a vector in the world."""
    return Rigid.trusted(motion.matrix, motion.offset + np.asarray(by, dtype=np.float64), "")


def heading(turn: Array) -> Array:
    """The rotation about the vertical that is nearest to a rotation [3, 3]."""
    return about(2, np.arctan2(turn[1, 0] - turn[0, 1], turn[0, 0] + turn[1, 1]))


def angle_of(turn: Array) -> float:
    """The angle of a rotation [3, 3] in radians, accurate near 0 and near pi."""
    skew = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    return float(np.arctan2(np.sqrt(skew @ skew), np.trace(turn) - 1.0))


def turned(vector: Array) -> Array:
    """The rotation [3, 3] of a rotation vector [3] (axis times angle), by the formula of Rodrigues."""
    angle = float(np.sqrt(vector @ vector))
    x, y, z = vector
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    if angle < 1e-8:
        return np.eye(3) + k
    return np.eye(3) + np.sin(angle) / angle * k + (1 - np.cos(angle)) / angle**2 * (k @ k)


def vector_of(turn: Array) -> Array:
    """The rotation vector [3] of a rotation [3, 3], its angle within [0, pi]; at pi the axis has either sign."""
    angle = angle_of(turn)
    skew = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    if angle < 1e-8:
        return skew
    if angle < 3.0:
        return skew * (angle / np.sin(angle))
    outer = (turn + turn.T) / 2 - np.cos(angle) * np.eye(3)  # (1 - cos) a a^T
    axis = outer[:, int(np.argmax(np.diag(outer)))]
    axis = axis / np.sqrt(axis @ axis)
    return angle * (axis if axis @ skew >= 0 else -axis)


def nearest(wanted: Sequence[Rigid], now: Rigid) -> Rigid:
    """Of several poses that are as good, the one whose orientation is reached by the least turn from `now`."""
    if not wanted:
        raise OrbitscopeError("nearest: `wanted` should be at least one pose, got none.")
    return min(wanted, key=lambda p: round(angle_of(p.matrix @ now.matrix.T), 9))


def orthonormal(turn: Array) -> Array:
    """The rotation nearest to a matrix [3, 3] that is one but for rounding."""
    u, _, v = np.linalg.svd(turn)
    return u @ v
