"""The irreducible representations of SO(3) and O(3), in the conventions of e3nn."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError
from ._linear import linear_part, parity, rotation_rate
from ._representation import Representation

Matrix = NDArray[np.float64]


@dataclass(frozen=True, repr=False, eq=False)
class RotationIrrep(Representation):
    r"""The irrep of O(3) of degree l, even or odd: $D^l(R) = e^{\omega \cdot G^l}$ for the rotation $R = e^{[\omega]_\times}$.

    An even one has $\rho(-R) = D^l(R)$, an odd one $\rho(-R) = -D^l(R)$.

    * `degree`: l, at least 0; 2l + 1 components. `odd`: whether an inversion changes the sign.

    In words "irrep:2e" (even), "irrep:1o" (odd), of SO(3) as well. Basis, order and signs are those of e3nn 0.2 and later: real spherical
    harmonics with the y axis as the pole, m = -l .. l. So "irrep:1o" is the vector in the order (x, y, z), "irrep:1e" the pseudovector,
    and "irrep:0e" the scalar; tables with the z axis as the pole, whose l = 1 reads (y, z, x), are these with the axes renamed.
    Raises `OrbitscopeError` for a negative degree; `matrix` for what is not orthogonal [3, 3].

    Source: Geiger and Smidt, arXiv 2207.09453.

    >>> RotationIrrep(2).size(3), bool(np.allclose(RotationIrrep(1, odd=True).matrix(-np.eye(3)), -np.eye(3)))
    (5, True)
    """

    degree: int
    odd: bool = False

    def __post_init__(self) -> None:
        if self.degree < 0:
            raise OrbitscopeError(f"RotationIrrep: `degree` must be at least 0, got {self.degree}.")

    def size(self, ndim: int) -> int:
        return 2 * self.degree + 1

    def matrix(self, element: Any, /) -> Matrix:
        linear = linear_part(element, repr(self))
        if linear.shape != (3, 3) or np.abs(linear @ linear.T - np.eye(3)).max() > 1e-6:
            raise OrbitscopeError(f"{self!r}: this irrep is of orthogonal matrices [3, 3], got {linear.tolist()}.")
        determinant = parity(linear)
        sign = determinant if self.odd else 1.0
        if self.degree == 0:
            return np.array([[sign]])
        if self.degree == 1:
            return sign * determinant * linear
        return sign * _turned(rotation_vector(determinant * linear), self.degree)

    def rate(self, generator: ArrayLike, /) -> Matrix:
        x = rotation_rate(generator, 3, repr(self))
        return np.asarray(np.tensordot([x[2, 1], x[0, 2], x[1, 0]], rotation_generators(self.degree), 1), dtype=np.float64)

    def component_names(self, ndim: int) -> tuple[str, ...]:
        return ("",) if self.degree == 0 else tuple(str(m) for m in range(-self.degree, self.degree + 1))

    @property
    def keeps_mean(self) -> bool:
        return self.degree == 0 and not self.odd

    def __repr__(self) -> str:
        return f"irrep:{self.degree}{'o' if self.odd else 'e'}"


def _turned(omega: Matrix, degree: int) -> Matrix:
    r"""$e^{\omega \cdot G}$ from the eigenvectors alone: the eigenvalues are known, i m times the angle, m = -l .. l.

    Good to 1e-13 at every angle, where scaling and squaring of a matrix as large as $l \pi$ loses four digits.
    """
    angle = float(np.linalg.norm(omega))
    if angle == 0.0:
        return np.eye(2 * degree + 1)
    about = np.tensordot(omega / angle, rotation_generators(degree), 1)
    vectors = np.linalg.eigh(-1j * about)[1]
    phases = np.exp(1j * angle * np.arange(-degree, degree + 1))
    return np.array(np.real((vectors * phases) @ np.conj(vectors.T)), dtype=np.float64)


@lru_cache(maxsize=64)
def rotation_generators(degree: int) -> Matrix:
    r"""$G^l_x, G^l_y, G^l_z$ in the real basis, [3, 2l + 1, 2l + 1], skew: the ladder operators, carried to real harmonics.

    They obey $[G_x, G_y] = G_z$ and its cyclic images; $G^1_i$ turns vectors about axis i.
    """
    m = np.arange(-degree, degree + 1)
    step = np.sqrt(degree * (degree + 1) - m[:-1] * (m[:-1] + 1))
    up, down = np.diag(-step, -1).astype(complex), np.diag(step, 1).astype(complex)
    # The y axis is the pole: its generator is the diagonal one.
    ladder = np.stack([(up + down) / 2, np.diag(1j * m), (up - down) / 2j])
    real = np.zeros((2 * degree + 1,) * 2, dtype=complex)
    for k in m:
        row, plus, minus = degree + k, degree + abs(k), degree - abs(k)
        if k == 0:
            real[row, row] = 1.0
        else:
            sign = (-1.0) ** k if k > 0 else 1.0
            real[row, plus], real[row, minus] = sign / math.sqrt(2), math.copysign(1, k) * 1j * sign / math.sqrt(2)
    return np.array((real.conj().T @ ladder @ real).real, dtype=np.float64)


def rotation_vector(rotation: Matrix) -> NDArray[np.float64]:
    r"""Axis times angle, in [0, pi], of a rotation [3, 3]: $\omega$ with $R = e^{[\omega]_\times}$.

    From the quaternion, the leading eigenvector of a symmetric matrix, which is accurate for every angle. At pi the axis has either sign.
    Source: Bar-Itzhack, J. Guidance 23 (2000) 1085.
    """
    r = rotation
    w = [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]]
    symmetric = np.empty((4, 4))
    symmetric[0, 0], symmetric[0, 1:], symmetric[1:, 0] = np.trace(r), w, w
    symmetric[1:, 1:] = r + r.T - np.trace(r) * np.eye(3)
    quaternion = np.linalg.eigh(symmetric)[1][:, -1]
    scalar, axis = quaternion[0], quaternion[1:]
    if scalar < 0:
        scalar, axis = -scalar, -axis
    length = float(np.linalg.norm(axis))
    turned = axis * (2 * math.atan2(length, scalar) / length) if length > 1e-30 else np.zeros(3)
    return np.asarray(turned, dtype=np.float64)
