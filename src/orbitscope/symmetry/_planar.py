"""The irreducible representations of the rotations and reflections of the plane and of their finite subgroups."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError
from ._linear import linear_part, rotation_rate
from ._representation import Representation


@dataclass(frozen=True, repr=False, eq=False)
class PlanarIrrep(Representation):
    r"""An irrep of SO(2), O(2), C_n or D_n: $\rho(R_\theta) = R(k\theta)$, and the flip of y is diag(1, -1).

    * `frequency`: k. k = 0 has one component.
    * `odd`: whether an irrep of one component changes sign under reflections (under the flip of y where $2k = n$).
    * `turns`: n where $2k = n$: one component, $(-1)^j$ under j steps of $2\pi/n$; otherwise 0.
    * `reflects`: whether reflections are known (D_n, O(2)) or not (C_n, SO(2)).

    In words "irrep:k", "irrep:0-"; the group stands behind where it matters: "irrep:1(SO2)", "irrep:4-(D8)". "irrep:1" is the vector.
    Raises `OrbitscopeError` for an `odd` irrep of two components; `matrix` for a reflection that is not known and for other angles.

    >>> (PlanarIrrep(2).matrix([[0, -1], [1, 0]]).round(12) + 0.0).tolist()
    [[-1.0, 0.0], [0.0, -1.0]]
    """

    frequency: int
    odd: bool = False
    turns: int = 0
    reflects: bool = True

    def __post_init__(self) -> None:
        if self.turns not in (0, 2 * self.frequency) or (self.odd and not (self.reflects and self._single)):
            raise OrbitscopeError(f"PlanarIrrep: {self!r}: only one-component irreps of a group with reflections come odd and even.")

    @property
    def _single(self) -> bool:
        return self.frequency == 0 or self.turns > 0

    def size(self, ndim: int) -> int:
        return 1 if self._single else 2

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        linear = linear_part(element, repr(self))
        if len(linear) != 2:
            raise OrbitscopeError(f"{self!r}: an irrep of the plane knows 2 x 2 matrices, got {linear.shape}.")
        (a, b), (c, d) = linear
        angle, flipped = math.atan2(c, a), bool(a * d < b * c)
        if flipped and not self.reflects:
            raise OrbitscopeError(f"{self!r}: {element!r} is a reflection, and this irrep is of rotations alone; take a larger group.")
        if not self._single:
            return turn(self.frequency * angle) * np.array([1.0, -1.0 if flipped else 1.0])
        steps = angle * self.frequency / math.pi
        if abs(steps - round(steps)) > 1e-6:
            raise OrbitscopeError(
                f"{self!r}: {element!r} turns by no multiple of a {self.turns}th of a turn; take scalars, vectors, 'irrep:k'."
            )
        return np.array([[float((-1) ** round(steps)) * (-1 if self.odd and flipped else 1)]])

    def rate(self, generator: ArrayLike, /) -> NDArray[np.float64]:
        x = rotation_rate(generator, 2, repr(self))
        if self.turns:
            raise OrbitscopeError(f"{self!r}: an irrep of a finite group has no rate.")
        return np.zeros((1, 1)) if self._single else self.frequency * x[1, 0] * np.array([[0.0, -1.0], [1.0, 0.0]])

    @property
    def highest_frequency(self) -> int:
        return self.frequency

    @property
    def keeps_mean(self) -> bool:
        return self.frequency == 0 and not self.odd

    @property
    def word(self) -> str:
        return f"irrep:{self.frequency}{'-' * self.odd}"

    def __repr__(self) -> str:
        group = f"({'D' if self.reflects else 'C'}{self.turns})" if self.turns else "" if self.reflects else "(SO2)"
        return self.word + group


def turn(angle: float) -> NDArray[np.float64]:
    """The rotation of the plane, exact for quarter turns."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]]) if min(abs(c), abs(s)) > 1e-13 else np.round([[c, -s], [s, c]])
