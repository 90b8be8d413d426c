"""Elements: rigid motions of a box, rotations and reflections about its centre followed by shifts."""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Number = int | float | Fraction
Matrix = tuple[tuple[Number, ...], ...]
_DIGITS = 9  # two elements closer than this are one: composed rotations differ by float rounding only


@dataclass(frozen=True, eq=False)
class Isometry:
    r"""The motion $p \mapsto A (p - c) + c + b$ of a box with centre $c$.

    `a @ b` is the motion that does b first; two elements are equal if they are the same motion, whatever they are called.

    * `linear`: $A$, an orthogonal matrix with rows as tuples (integers keep it exact).
    * `shift`: $b$ in fractions of the period of each axis, so that an element does not depend on a grid, counted modulo one (`Fraction`s
      keep it exact); empty: none.
    * `name`: what it is called; may be empty, and does not count when two are compared.

    >>> quarter = Isometry(((0, -1), (1, 0)), name="r")
    >>> (quarter @ quarter).linear
    ((-1, 0), (0, -1))
    """

    linear: Matrix
    shift: tuple[Number, ...] = ()
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "linear", tuple(tuple(_tidy(v) for v in row) for row in self.linear))
        shift = self.shift or (0,) * len(self.linear)
        object.__setattr__(self, "shift", tuple(_tidy(s % 1) for s in shift))

    @property
    def ndim(self) -> int:
        """Number of space dimensions."""
        return len(self.linear)

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """`linear` as an array, shape [d, d]."""
        return np.array([[float(v) for v in row] for row in self.linear])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The linear part: `np.asarray(element)` is `element.matrix`."""
        return np.array(self.matrix, dtype=dtype) if copy or dtype is not None else self.matrix

    def __dlpack__(self, **kwargs: Any) -> Any:
        """The linear part for `torch.as_tensor(element)`; a copy, for the element never changes."""
        return self.matrix.copy().__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        """The CPU."""
        return self.matrix.__dlpack_device__()

    @property
    def is_lattice(self) -> bool:
        """Whether the linear part maps every square lattice onto itself: a signed permutation of the axes."""
        return all(v in (-1, 0, 1) for row in self.linear for v in row)

    @property
    def is_translation(self) -> bool:
        """Whether the linear part is the identity."""
        return bool(np.array_equal(self.matrix, np.eye(self.ndim)))

    @property
    def is_identity(self) -> bool:
        """Whether this is the motion that does nothing, whatever it is called."""
        size = self.ndim
        return self.key == tuple(float(i == j) for i in range(size) for j in range(size)) + (0.0,) * size

    @property
    def angle(self) -> float:
        """The angle of a rotation of the plane in degrees, counter-clockwise, in (-180, 180]; NaN for reflections and in other dimensions.

        >>> Isometry(((0, -1), (1, 0))).angle
        90.0
        """
        if self.ndim != 2 or self.matrix[0, 0] * self.matrix[1, 1] - self.matrix[0, 1] * self.matrix[1, 0] < 0:
            return math.nan
        return math.degrees(math.atan2(self.matrix[1, 0], self.matrix[0, 0]))

    @cached_property
    def key(self) -> tuple[float, ...]:
        """What equality and hashing compare: the entries, rounded, shifts modulo one."""
        shift = (round(float(s), _DIGITS) % 1.0 for s in self.shift)
        return (*(round(float(v), _DIGITS) + 0.0 for row in self.linear for v in row), *shift)

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """Numbers that nearly agree for motions that nearly coincide: the matrix and the shift as points on circles."""
        turns = 2 * math.pi * np.array([float(s) for s in self.shift])
        return np.concatenate([self.matrix.ravel(), np.cos(turns), np.sin(turns)])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Isometry) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __matmul__(self, other: "Isometry") -> "Isometry":
        n = range(self.ndim)
        linear = tuple(tuple(sum(self.linear[i][k] * other.linear[k][j] for k in n) for j in n) for i in n)
        moved = (sum(self.linear[i][k] * other.shift[k] for k in n) for i in n)
        return Isometry(linear, tuple(m + s for m, s in zip(moved, self.shift, strict=True)))

    def inverse(self) -> "Isometry":
        """The motion that undoes this one."""
        n = range(self.ndim)
        transposed = tuple(tuple(self.linear[j][i] for j in n) for i in n)
        return Isometry(transposed, tuple(-sum(transposed[i][k] * self.shift[k] for k in n) for i in n))

    def named(self, name: str) -> "Isometry":
        """The same motion with `name` as its name."""
        return Isometry(self.linear, self.shift, name)

    def __repr__(self) -> str:
        return self.name or f"Isometry({self.linear}, {tuple(map(str, self.shift))})"


def _tidy(value: Number) -> Number:
    """Exact where it can be: integral values become int, float noise around -1, 0, 1 goes."""
    if isinstance(value, float) and abs(value - round(value)) < 10.0**-12:
        return round(value)
    if isinstance(value, Fraction) and value.denominator == 1:
        return int(value)
    return value
