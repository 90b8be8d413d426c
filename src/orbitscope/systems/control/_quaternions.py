"""Quaternions as vectors that a group can move: a quaternion itself moves by no representation of rotations, as q and -q are one turn."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from ..._errors import OrbitscopeError

Array = NDArray[np.float64]
_ROUNDING = 1e-6


def body_axes(quaternion: ArrayLike) -> Array:
    r"""The axes of a body in the world, one after the other: $(R e_1, R e_2, R e_3)$ with $R = R(q)$, [..., 9].

    * `quaternion`: q = (w, x, y, z) as MuJoCo has it, [..., 4], of any length but 0.

    Under rotations they move as "vector*3". A mirror would make a left-handed body of them: declare the axis across the plane of which
    the body is its own mirror image as a "pseudovector", the other two as "vector". Raises `OrbitscopeError` for another shape, for
    numbers that are not finite, and for zeros.

    >>> body_axes([1.0, 0.0, 0.0, 0.0]).tolist()
    [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    """
    q = np.asarray(quaternion, dtype=np.float64)
    if q.ndim < 1 or q.shape[-1] != 4 or not np.isfinite(q).all() or not (np.abs(q).max(-1) > 0).all():
        raise OrbitscopeError(
            f"body_axes: `quaternion` should be finite numbers (w, x, y, z), [..., 4], not all 0; got shape {list(q.shape)}."
        )
    turned = Rotation.from_quat(np.roll(q.reshape(-1, 4), -1, -1)).as_matrix()
    return turned.transpose(0, 2, 1).reshape(*q.shape[:-1], 9)


def body_quaternion(axes: ArrayLike) -> Array:
    """The quaternion (w, x, y, z) with w >= 0 of a body whose axes `body_axes` gives, [..., 4]: to set a state that a group has moved.

    * `axes`: three orthogonal unit vectors one after the other, right-handed, [..., 9].

    Raises `OrbitscopeError` for axes that are no such three; those of a body that a mirror moved are left-handed where none of them was
    declared a "pseudovector".
    """
    a = np.asarray(axes, dtype=np.float64)
    if a.ndim < 1 or a.shape[-1] != 9 or not np.isfinite(a).all():
        raise OrbitscopeError(
            f"body_quaternion: `axes` should be finite numbers, three vectors one after the other, [..., 9]; got {list(a.shape)}."
        )
    turned = a.reshape(-1, 3, 3).transpose(0, 2, 1)
    if np.abs(turned.transpose(0, 2, 1) @ turned - np.eye(3)).max(initial=0.0) > _ROUNDING or (np.linalg.det(turned) < 0).any():
        raise OrbitscopeError(
            "body_quaternion: `axes` should be orthogonal unit vectors, right-handed. After a mirror they are where one is declared a "
            "'pseudovector' and two are 'vector'."
        )
    q = np.roll(Rotation.from_matrix(turned).as_quat(canonical=True), 1, -1)
    return q.reshape(*a.shape[:-1], 4)
