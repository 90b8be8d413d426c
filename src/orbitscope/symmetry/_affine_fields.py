"""Affine representations: what is turned and shifted by an element."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ._linear import linear_part
from ._standard import Vector


class Point(Vector):
    r"""A position: $p \mapsto A p + b$ for an element with linear part A (`matrix`) and translation b (`offset`, in units of length).

    Elements without an offset (rotations, an `Isometry` without shift, whose centre is the origin) leave the origin in place. Raises
    `OrbitscopeError` for an `Isometry` with a shift: fractions of a period are no length.

    >>> Point().homogeneous(np.diag([1.0, -1.0])).tolist()
    [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]]
    """

    name = "point"

    def offset(self, element: Any, /) -> NDArray[np.float64]:
        if any(getattr(element, "shift", ())):
            raise OrbitscopeError(
                f"point: {element!r} shifts by fractions of a period, which is no length. "
                "Give an element with an `offset` in units of length."
            )
        offset = getattr(element, "offset", None)
        return np.zeros(len(self.matrix(element))) if offset is None else np.array(offset, dtype=np.float64)


class FrameVelocity(Vector):
    r"""A velocity as seen from moving frames: $u \mapsto A u + c$ for an element with linear part A (`matrix`) and boost c (`components`).

    A boost without a matrix only adds, a motion without a boost only turns; translations leave velocities alone.

    >>> FrameVelocity().offset(np.eye(2)).tolist()
    [0.0, 0.0]
    """

    name = "frame-velocity"

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        boost = getattr(element, "components", None)
        return linear_part(element, self.name) if boost is None or hasattr(element, "matrix") else np.eye(len(boost))

    def offset(self, element: Any, /) -> NDArray[np.float64]:
        boost = getattr(element, "components", None)
        return np.zeros(len(self.matrix(element))) if boost is None else np.array(boost, dtype=np.float64)
