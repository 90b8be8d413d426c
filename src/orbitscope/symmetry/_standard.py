"""Representations by the linear part itself: scalars, vectors, tensors of space."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError
from ._linear import linear_part, parity
from ._representation import Representation

_AXES = "xyz"


class Scalar(Representation):
    r"""Density, pressure, energy: $\rho(A) = 1$."""

    name = "scalar"

    def size(self, ndim: int) -> int:
        return 1

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        return np.ones((1, 1))

    def rate(self, generator: ArrayLike, /) -> NDArray[np.float64]:
        return np.zeros((1, 1))

    @property
    def keeps_mean(self) -> bool:
        return True


class Pseudoscalar(Representation):
    r"""Vorticity in the plane: $\rho(A) = \operatorname{sign} \det A$; changes sign under reflections."""

    name = "pseudoscalar"

    def size(self, ndim: int) -> int:
        return 1

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        return np.array([[parity(linear_part(element, self.name))]])

    def rate(self, generator: ArrayLike, /) -> NDArray[np.float64]:
        return np.zeros((1, 1))


class Vector(Representation):
    r"""Velocity, momentum: $\rho(A) = A$; component 0 points along the first spatial axis."""

    name = "vector"

    def size(self, ndim: int) -> int:
        return ndim

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        return linear_part(element, self.name)

    def rate(self, generator: ArrayLike, /) -> NDArray[np.float64]:
        return linear_part(generator, self.name)

    def component_names(self, ndim: int) -> tuple[str, ...]:
        return tuple(_AXES[:ndim]) if ndim <= len(_AXES) else super().component_names(ndim)


class Pseudovector(Vector):
    r"""Magnetic field, angular momentum: $\rho(A) = \operatorname{sign}(\det A)\, A$."""

    name = "pseudovector"

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        linear = linear_part(element, self.name)
        return np.asarray(parity(linear) * linear, dtype=np.float64)


class Vertical(Representation):
    r"""Temperature in Boussinesq convection: $\rho(A) = A_{dd} = \pm 1$; changes sign when the last axis is flipped.

    The last component of a vector whose other components vanish. It represents the motions that keep the last axis in place (flips
    and translations, all that a layer under gravity has); `matrix` raises `OrbitscopeError` for others.
    """

    name = "vertical"

    def size(self, ndim: int) -> int:
        return 1

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        last = linear_part(element, self.name)[-1]
        if abs(abs(last[-1]) - 1.0) > 1e-9:
            raise OrbitscopeError(
                "vertical: this field is odd under a flip of the last axis and knows no motion that turns that axis. "
                "Use a group that keeps it (d2, c2, tx), or declare the field as a vector."
            )
        return np.array([[last[-1]]])


class Tensor2(Representation):
    r"""Stress, strain rate, orientation: $\rho(A) = A \otimes A$ on all $d^2$ components, row-major (xx, xy, yx, yy)."""

    name = "tensor"

    def size(self, ndim: int) -> int:
        return ndim * ndim

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        linear = linear_part(element, self.name)
        return np.asarray(np.kron(linear, linear), dtype=np.float64)

    def rate(self, generator: ArrayLike, /) -> NDArray[np.float64]:
        x = linear_part(generator, self.name)
        one = np.eye(len(x))
        return np.asarray(np.kron(x, one) + np.kron(one, x), dtype=np.float64)

    def component_names(self, ndim: int) -> tuple[str, ...]:
        return tuple(a + b for a in _AXES[:ndim] for b in _AXES[:ndim])


@dataclass(frozen=True, repr=False, eq=False)
class Standard(Representation):
    r"""The defining representation of a group of n x n matrices, $\rho(A) = A$: a vector that is no vector of space.

    `dimension`: n. In words "standard(4)". `matrix` raises `OrbitscopeError` for a matrix of another size.

    >>> Standard(2).rate([[0, -1], [1, 0]]).tolist()
    [[0.0, -1.0], [1.0, 0.0]]
    """

    dimension: int

    def size(self, ndim: int) -> int:
        return self.dimension

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        matrix = linear_part(element, repr(self))
        if len(matrix) != self.dimension:
            raise OrbitscopeError(f"{self!r}: the element's matrix should be {self.dimension} x {self.dimension}, got {matrix.shape}.")
        return matrix

    def rate(self, generator: ArrayLike, /) -> NDArray[np.float64]:
        return self.matrix(generator)

    def __repr__(self) -> str:
        return f"standard({self.dimension})"
