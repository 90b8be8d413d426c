"""Lie groups of matrices: an algebra, its exponential and logarithm, other components, and samples."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError
from ._affine import Affine, Linear, Rigid
from ._element import rounded
from ._group import Group
from ._matrix_log import matrix_exp, matrix_log

Array = NDArray[np.float64]
_SPAN = 1e-7  # what may be left of a matrix outside the algebra, relative to it or to 1
_CLOSED = 1e-9


M = TypeVar("M", bound=Affine)


class LieGroup(Group[M]):
    r"""A group of matrices given by a basis $X_1 .. X_k$ of its Lie algebra: $g = c\, e^X$, $X = \sum_i a_i X_i$, c from `components`.

    * `name`: what results call the group. A name of your own cannot be parsed by `parse_group`; hand the group itself over.
    * `algebra`: the basis, [k, N, N], linearly independent; the exponential is taken of real matrices in float64.
    * `kind`: the elements, `Linear` or `Rigid` (N = n) or, with N = n + 1, `Affine` or `Rigid` by homogeneous matrices.
    * `homogeneous`: whether the matrices are homogeneous ones, of the second sort.
    * `components`: one element of each connected component, the identity first; those of the identity alone by default.
    * `scale`: samples draw the coefficients a uniformly from [-scale, scale]; compact groups of the library draw from Haar measure instead.

    Nothing is assumed of the basis, so a learnt one may be used as it came: `closure_error()` says how far it is from an algebra,
    `algebra_distance(other)` how far from a known one, and `check()` raises where it is not closed. `element in group` goes by `log`, so it
    is False for elements at its edge. Raises `OrbitscopeError` for a basis of a wrong shape or with dependent matrices.

    >>> turns = LieGroup("turns", [[[0, -1], [1, 0]]])
    >>> quarter = turns.exp([np.pi / 2])
    >>> quarter == Linear([[0, -1], [1, 0]]), (turns.log(quarter) * 2 / np.pi).round(9).tolist()
    (True, [1.0])
    """

    def __init__(
        self, name: str, algebra: ArrayLike, kind: type[M] = Linear, *, components: Sequence[M] = (), scale: float = 1.0,
        homogeneous: bool = False,
    ) -> None:  # fmt: skip  # pyright: ignore[reportArgumentType]
        self.name, self.kind, self.homogeneous, self.scale = name, kind, homogeneous, float(scale)
        self.algebra = np.array(algebra, dtype=np.float64)
        """The basis, [k, N, N]; read-only."""
        if self.algebra.ndim != 3 or self.algebra.shape[1] != self.algebra.shape[2] or not np.isfinite(self.algebra).all():
            raise OrbitscopeError(f"LieGroup {name!r}: `algebra` should be finite matrices [k, N, N], got shape {self.algebra.shape}.")
        if kind not in (Linear, Rigid, Affine):
            raise OrbitscopeError(f"LieGroup {name!r}: `kind` should be Linear, Rigid or Affine, got {kind!r}.")
        if not 0 < self.scale < np.inf:
            raise OrbitscopeError(f"LieGroup {name!r}: `scale` should be positive and finite, got {scale}.")
        if (rank := int(np.linalg.matrix_rank(self._flat, tol=1e-10))) < len(self.algebra):
            raise OrbitscopeError(
                f"LieGroup {name!r}: the {len(self.algebra)} matrices of `algebra` span {rank} dimensions only; leave some out."
            )
        self.algebra.flags.writeable = False
        self.components: tuple[M, ...] = tuple(components) or (self.identity,)
        """One element of each connected component, the identity first."""
        if not self.components[0].is_identity:
            raise OrbitscopeError(f"LieGroup {name!r}: the first of `components` should be the identity, got {self.components[0]!r}.")

    @classmethod
    def from_algebra(cls, name: str, basis: ArrayLike, *, scale: float = 1.0) -> "LieGroup[Linear]":
        """The connected group of the matrices $e^X$ over a `basis` [k, n, n], a learnt one, say; `name` and `scale` as of `LieGroup`."""
        return LieGroup(name, basis, Linear, scale=scale)

    @property
    def size(self) -> int:
        """Number k of basis matrices: the dimension of the group."""
        return len(self.algebra)

    @cached_property
    def identity(self) -> M:  # pyright: ignore[reportIncompatibleMethodOverride]  # a property that is kept
        """The element that does nothing."""
        return self.element(np.eye(self.algebra.shape[1])).named("e")

    @property
    def ndim(self) -> int:
        """Number of dimensions of the space that the elements move."""
        return self.algebra.shape[1] - self.homogeneous

    def element(self, matrix: ArrayLike) -> M:
        """The element that `matrix` [N, N] of this group is; it is not checked to be one."""
        m = np.array(matrix, dtype=np.float64)
        if not self.homogeneous:
            return self.kind(m)
        return self.kind(m[:-1, :-1], m[:-1, -1])

    def matrix(self, element: M) -> Array:
        """The matrix [N, N] of `element`. Raises `OrbitscopeError` for an element of another kind or dimension."""
        if type(element) is not self.kind or element.ndim + self.homogeneous != self.algebra.shape[1]:
            raise OrbitscopeError(f"Group {self.name}: elements are {self.kind.__name__} of {self.ndim} dimensions, got {element!r}.")
        return element.homogeneous if self.homogeneous else element.matrix

    def hat(self, coefficients: ArrayLike) -> Array:
        r"""The matrix $X = \sum_i a_i X_i$, [N, N], of `coefficients` $a$ [k]; a matrix [N, N] is returned as it is."""
        a = np.asarray(coefficients, dtype=np.float64)
        if a.shape == self.algebra.shape[1:]:
            return a
        if a.shape != (self.size,):
            raise OrbitscopeError(
                f"Group {self.name}: an element of the algebra is {self.size} coefficients or a matrix, got shape {a.shape}."
            )
        return np.tensordot(a, self.algebra, 1)

    def vee(self, generator: ArrayLike) -> Array:
        """The coefficients [k] of the matrix `generator` [N, N] of the algebra. Raises `OrbitscopeError` for a matrix outside its span."""
        x = self.hat(generator)
        coefficients = self._coefficients(x)
        left = float(np.linalg.norm(x - self.hat(coefficients)))
        if left > _SPAN * max(1.0, float(np.linalg.norm(x))):
            raise OrbitscopeError(
                f"Group {self.name}: the matrix is outside the span of the algebra by {left:.1e}, so it has no coefficients."
            )
        return coefficients

    def exp(self, generator: ArrayLike, name: str = "") -> M:
        """$e^X$ of `generator`, coefficients [k] or a matrix X [N, N], called `name`. Raises `OrbitscopeError` where it exceeds float64."""
        m = matrix_exp(self.hat(generator))
        if not np.isfinite(m).all():
            raise OrbitscopeError(f"Group {self.name}: exp of entries up to {np.abs(self.hat(generator)).max():.1e} exceeds float64.")
        n = self.ndim
        return self.kind.trusted(m[:n, :n].copy(), m[:n, n].copy() if self.homogeneous else np.zeros(n), name)

    def log(self, element: M) -> Array:
        """Coefficients [k] with `exp(log(g)) == g` for `element` g, of the principal logarithm.

        Raises `OrbitscopeError` for elements of another component, for elements that turn by pi (where two logarithms meet), and for
        matrices that are not in the group.
        """
        return self.vee(matrix_log(self.matrix(element)))

    def bracket(self, first: ArrayLike, second: ArrayLike) -> Array:
        """The commutator $[X, Y] = X Y - Y X$, [N, N], of `first` X and `second` Y, each coefficients or a matrix."""
        x, y = self.hat(first), self.hat(second)
        return x @ y - y @ x

    @cached_property
    def structure_constants(self) -> Array:
        r"""$c_{ijl}$ with $[X_i, X_j] = \sum_l c_{ijl} X_l$, [k, k, k]; the best fit where brackets leave the span (`closure_error`)."""
        return np.array([[self._coefficients(self.bracket(x, y)) for y in self.algebra] for x in self.algebra])

    def closure_error(self) -> float:
        """How far brackets leave the span: root of the summed squares outside it over pairs of an orthonormal basis; 0 for an algebra.

        It depends on the span alone and not on its basis. One generator is always closed; compare it by `algebra_distance`.
        """
        basis = self._orthonormal.T.reshape(self.algebra.shape)
        outside = 0.0
        for i, x in enumerate(basis):
            for y in basis[:i]:
                bracket = (x @ y - y @ x).ravel()
                outside += float(np.sum((bracket - self._orthonormal @ (self._orthonormal.T @ bracket)) ** 2))
        return outside**0.5

    def algebra_distance(self, other: "LieGroup[Any]") -> float:
        """Sine of the largest angle between the spans of this algebra and of that of `other`.

        0 for one algebra, 1 where a direction of the larger is missing altogether.
        """
        if self.algebra.shape[1:] != other.algebra.shape[1:]:
            raise OrbitscopeError(f"algebra_distance: {self.name} and {other.name} hold matrices of different sizes.")
        large, small = sorted((self._orthonormal, other._orthonormal), key=lambda q: -q.shape[1])
        return float(np.linalg.norm(large - small @ (small.T @ large), 2))

    def check(self) -> None:
        """Raise unless the brackets stay in the span of the basis."""
        if (error := self.closure_error()) > _CLOSED:
            raise OrbitscopeError(
                f"Group {self.name}: the algebra is not closed, brackets leave its span by {error:.1e}. Add them, or use it as it is."
            )

    def _drawn(self, count: int, rng: np.random.Generator) -> tuple[M, ...]:
        # Components take turns, so that few probes see all of them.
        parts = [self.components[i % len(self.components)] for i in range(count)]
        return (self.identity, *((c @ self._draw(rng)).named(f"g{i}") for i, c in enumerate(parts) if i))

    def _draw(self, rng: np.random.Generator) -> M:
        """A random element of the identity component."""
        return self.exp(rng.uniform(-self.scale, self.scale, self.size))

    def __contains__(self, element: object) -> bool:
        return any(type(element) is type(c) and self._connected(c, element) for c in self.components)

    def _connected(self, component: M, element: Any) -> bool:
        try:
            self.log(component.inverse() @ element)
        except OrbitscopeError:
            return False
        return True

    def _coefficients(self, x: Array) -> Array:
        return np.asarray(np.linalg.lstsq(self._flat.T, x.ravel(), rcond=None)[0], dtype=np.float64)

    @property
    def _flat(self) -> Array:
        return self.algebra.reshape(len(self.algebra), -1)

    @cached_property
    def _orthonormal(self) -> Array:
        """An orthonormal basis of the span, [N N, k]."""
        return np.linalg.qr(self._flat.T)[0]

    @property
    def _value(self) -> tuple[object, ...]:
        return self.name, self.kind, self.homogeneous, self.scale, self.algebra.shape, rounded(self.algebra), self.components
