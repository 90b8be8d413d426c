"""Elements that move points of R^n by a matrix and an offset, without any box: affine, linear and rigid maps."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError
from ._element import DIGITS, Keyed, require_alike, rounded

Array = NDArray[np.float64]
_CONDITION = 1e12  # beyond this a float64 inverse keeps less than four digits
_ORTHOGONAL = 1e-6  # entries of A^T A may differ from the unit matrix by this


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Affine(Keyed):
    r"""The affine map $p \mapsto A p + b$ of $\mathbb R^n$: `matrix` is A, invertible, and `offset` is b.

    * `matrix`: A, [n, n]. `offset`: b, [n], in the unit of the points; zero by default. `name`: what results call the element.

    Both are kept as read-only float64 arrays; `torch.tensor(g.matrix)` copies one. Two elements are equal where all entries agree to nine
    decimals (to nine digits of the largest entry where that exceeds 7). Products and inverses are float64 arithmetic, so that rule fails
    for matrices whose condition number exceeds about 1e6. Raises `OrbitscopeError` for a matrix that is singular, not square or not finite.

    >>> shear = Affine([[1, 1], [0, 1]], [0, 2], name="shear")
    >>> (shear @ shear).matrix.tolist(), (shear @ shear.inverse()).is_identity
    ([[1.0, 2.0], [0.0, 1.0]], True)
    """

    matrix: Array
    offset: Array
    name: str

    def __init__(self, matrix: ArrayLike, offset: ArrayLike | None = None, name: str = "") -> None:
        kind, a = type(self).__name__, np.array(matrix, dtype=np.float64)
        if a.ndim != 2 or a.shape[0] != a.shape[1] or a.size == 0 or not np.isfinite(a).all():
            raise OrbitscopeError(f"{kind}: `matrix` should be a finite square matrix, got {np.asarray(matrix).tolist()}.")
        b = np.zeros(len(a)) if offset is None else np.array(offset, dtype=np.float64)
        if b.shape != (len(a),) or not np.isfinite(b).all():
            raise OrbitscopeError(f"{kind}: `offset` should be {len(a)} finite numbers, as `matrix` has rows; got {b.tolist()}.")
        if np.linalg.cond(a) > _CONDITION:
            raise OrbitscopeError(f"{kind}: `matrix` should be invertible, got {a.tolist()}, which is singular.")
        self._set(a, b, name)

    def _set(self, matrix: Array, offset: Array, name: str) -> Self:
        for field, value in (("matrix", matrix), ("offset", offset)):
            value.flags.writeable = False
            object.__setattr__(self, field, value)
        object.__setattr__(self, "name", name)
        return self

    @classmethod
    def trusted(cls, matrix: Array, offset: Array, name: str = "") -> Self:
        """The element of `matrix`, `offset` and `name`, guaranteed by what made them: nothing is checked, nothing copied."""
        return object.__new__(cls)._set(matrix, offset, name)

    @property
    def ndim(self) -> int:
        """The dimension n of the space."""
        return len(self.matrix)

    @property
    def homogeneous(self) -> Array:
        r"""The matrix $\begin{pmatrix} A & b \\ 0 & 1 \end{pmatrix}$, [n + 1, n + 1]; that of a product is the product."""
        out = np.eye(self.ndim + 1)
        out[:-1, :-1], out[:-1, -1] = self.matrix, self.offset
        return out

    @property
    def is_identity(self) -> bool:
        """Whether this map leaves every point where it is, to nine decimals."""
        return bool(max(np.abs(self.matrix - np.eye(self.ndim)).max(), np.abs(self.offset).max()) <= 0.5 * 10.0**-DIGITS)

    @cached_property
    def key(self) -> tuple[float, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]  # a property that is kept
        """What equality and hashing compare: the rounded entries."""
        return rounded(self.matrix) + rounded(self.offset)

    @property
    def coordinates(self) -> Array:
        """The entries as they are; those of elements that nearly coincide nearly agree."""
        return np.concatenate([self.matrix.ravel(), self.offset])

    def __matmul__(self, other: Self) -> Self:
        require_alike(self, other)
        if self.ndim != other.ndim:
            raise OrbitscopeError(f"{type(self).__name__}: an element of {self.ndim} dimensions and one of {other.ndim} do not compose.")
        return self.trusted(self.matrix @ other.matrix, self.matrix @ other.offset + self.offset)

    def inverse(self) -> Self:
        r"""The map that undoes this one, $q \mapsto A^{-1} (q - b)$."""
        back = np.asarray(np.linalg.inv(self.matrix), dtype=np.float64)
        return self.trusted(back, -back @ self.offset)

    def named(self, name: str) -> Self:
        """The same map with `name` as its name."""
        return self.trusted(self.matrix, self.offset, name)

    def _written(self) -> str:
        offset = f", {self.offset.tolist()}" if self.offset.any() else ""
        return f"{type(self).__name__}({self.matrix.tolist()}{offset})"


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Linear(Affine):
    r"""The linear map $p \mapsto A p$ of $\mathbb R^n$, A in GL(n); also how boosts of special relativity and learnt matrices are written.

    * `matrix`: A, [n, n], invertible. `name`: what results call the element.

    It is not equal to an `Affine` with the same matrix: elements of two kinds are never equal and do not compose. Raises as `Affine` does.

    >>> half = Linear([[0.5, 0], [0, 2]])
    >>> half.inverse()
    Linear([[2.0, 0.0], [0.0, 0.5]])
    """

    def __init__(self, matrix: ArrayLike, name: str = "") -> None:
        super().__init__(matrix, None, name)


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Rigid(Affine):
    r"""The rigid motion $p \mapsto R p + t$ of $\mathbb R^n$, R orthogonal: an element of SE(n), or of E(n) where it reflects.

    * `matrix`: R, [n, n], orthogonal to 1e-6. `offset`: t, [n], in the unit of the points; zero by default. `name`: what results call it.

    The centre is the origin, and the space has no box and no period; for a periodic box see `Isometry`. The inverse is $R^\top (q - t)$.
    Raises `OrbitscopeError` for a matrix that is not orthogonal, and as `Affine` does.

    >>> turn = Rigid([[0, -1], [1, 0]], [1, 0], name="turn")
    >>> (turn @ turn @ turn @ turn).is_identity, turn.determinant
    (True, 1)
    """

    def __init__(self, matrix: ArrayLike, offset: ArrayLike | None = None, name: str = "") -> None:
        super().__init__(matrix, offset, name)
        error = float(np.abs(self.matrix.T @ self.matrix - np.eye(self.ndim)).max())
        if error > _ORTHOGONAL:
            raise OrbitscopeError(
                f"Rigid: `matrix` should be orthogonal, but A^T A differs from the unit matrix by {error:.1e}. Affine takes any matrix."
            )

    @property
    def determinant(self) -> int:
        """1 for a rotation, -1 where the motion reflects."""
        return 1 if np.linalg.det(self.matrix) > 0 else -1

    def inverse(self) -> Self:
        """The motion that undoes this one."""
        back = self.matrix.T.copy()
        return self.trusted(back, -back @ self.offset)
