"""The continuous groups that come with the library: rotations, rigid and affine motions, invertible matrices, Lorentz transformations."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ._affine import Affine, Linear, Rigid
from ._lie import LieGroup

Array = NDArray[np.float64]
_MEMBER = 1e-6  # how far the defining equation of a group may fail for its elements
#: Which components of the Lorentz group a name holds.
LorentzKind = Literal["O", "SO", "SO+"]


class Orthogonal(LieGroup[Rigid]):
    r"""O(n) or SO(n): the orthogonal matrices, as rigid motions that keep the origin; see `orthogonal` and `special_orthogonal`."""

    def __init__(self, n: int, reflections: bool) -> None:
        _positive("orthogonal", n)
        # SO(2) and O(2) in words mean evenly spaced rotations of a grid, so the continuous groups of the plane print their field.
        name = f"{'O' if reflections else 'SO'}({n}{',R' if n == 2 else ''})"
        mirrors = (Rigid(np.eye(n), name="e"), Rigid(_flips(n, 0), name="s")) if reflections else ()
        super().__init__(name, rotation_algebra(n), Rigid, components=mirrors)

    def _draw(self, rng: np.random.Generator) -> Rigid:
        return Rigid(haar_rotation(self.ndim, rng))

    def __contains__(self, element: object) -> bool:
        if type(element) is not Rigid or element.ndim != self.ndim or np.abs(element.offset).max() > _MEMBER:
            return False
        return len(self.components) == 2 or element.determinant == 1


class Euclidean(LieGroup[Rigid]):
    r"""E(n) or SE(n): the rigid motions of $\mathbb R^n$; see `euclidean` and `special_euclidean`."""

    def __init__(self, n: int, reflections: bool, scale: float) -> None:
        _positive("euclidean", n)
        turns = np.zeros((n * (n - 1) // 2, n + 1, n + 1))
        turns[:, :n, :n] = rotation_algebra(n)
        shifts = np.zeros((n, n + 1, n + 1))
        shifts[np.arange(n), np.arange(n), n] = 1.0
        mirrors = (Rigid(np.eye(n), name="e"), Rigid(_flips(n, 0), name="s")) if reflections else ()
        name = _scaled(f"{'E' if reflections else 'SE'}({n})", scale)
        super().__init__(name, np.concatenate([turns, shifts]), Rigid, components=mirrors, scale=scale, homogeneous=True)

    def _draw(self, rng: np.random.Generator) -> Rigid:
        return Rigid(haar_rotation(self.ndim, rng), rng.uniform(-self.scale, self.scale, self.ndim))

    def __contains__(self, element: object) -> bool:
        return type(element) is Rigid and element.ndim == self.ndim and (len(self.components) == 2 or element.determinant == 1)


class GeneralLinear(LieGroup[Linear]):
    r"""GL(n): all invertible real matrices; see `general_linear`."""

    def __init__(self, n: int, scale: float) -> None:
        _positive("general_linear", n)
        components = (Linear(np.eye(n), name="e"), Linear(_flips(n, 0), name="s"))
        super().__init__(_scaled(f"GL({n})", scale), np.eye(n * n).reshape(-1, n, n), Linear, components=components, scale=scale)

    def __contains__(self, element: object) -> bool:
        return type(element) is Linear and element.ndim == self.ndim


class SpecialLinear(LieGroup[Linear]):
    r"""SL(n): the matrices of determinant 1; see `special_linear`."""

    def __init__(self, n: int, scale: float) -> None:
        _positive("special_linear", n)
        off = [(i, j) for i in range(n) for j in range(n) if i != j]
        basis = np.zeros((n * n - 1, n, n))
        for k, (i, j) in enumerate(off):
            basis[k, i, j] = 1.0
        for k in range(n - 1):
            basis[len(off) + k, k, k], basis[len(off) + k, k + 1, k + 1] = 1.0, -1.0
        super().__init__(_scaled(f"SL({n})", scale), basis, Linear, scale=scale)

    def __contains__(self, element: object) -> bool:
        if type(element) is not Linear or element.ndim != self.ndim:
            return False
        return bool(abs(np.linalg.det(element.matrix) - 1.0) <= _MEMBER * np.abs(element.matrix).max() ** self.ndim)


class GeneralAffine(LieGroup[Affine]):
    r"""Aff(n): the invertible affine maps of $\mathbb R^n$; see `affine`."""

    def __init__(self, n: int, scale: float) -> None:
        _positive("affine", n)
        basis = np.zeros((n * n + n, n + 1, n + 1))
        basis[: n * n, :n, :n] = np.eye(n * n).reshape(-1, n, n)
        basis[n * n + np.arange(n), np.arange(n), n] = 1.0
        components = (Affine(np.eye(n), name="e"), Affine(_flips(n, 0), name="s"))
        super().__init__(_scaled(f"Aff({n})", scale), basis, Affine, components=components, scale=scale, homogeneous=True)

    def __contains__(self, element: object) -> bool:
        return type(element) is Affine and element.ndim == self.ndim


class Lorentz(LieGroup[Linear]):
    r"""O(p, q), SO(p, q) or its identity component: the matrices that keep a metric; see `lorentz`."""

    def __init__(self, time: int, space: int, kind: LorentzKind, scale: float) -> None:
        if time < 1 or space < 1:
            raise OrbitscopeError(f"lorentz: `time` and `space` should be at least 1, got {time} and {space}.")
        if kind not in ("O", "SO", "SO+"):
            raise OrbitscopeError(f"lorentz: `kind` should be 'O', 'SO' or 'SO+', got {kind!r}.")
        self.time, n = time, time + space
        self.metric = np.diag([1.0] * time + [-1.0] * space)
        """The metric, [n, n]: times are positive."""
        turns = [_plane(n, i, j) for i, j in _planes(time)] + [_plane(n, time + i, time + j) for i, j in _planes(space)]
        boosts = [_plane(n, i, j, -1.0) for i in range(time) for j in range(time, n)]
        reverses = {"e": np.eye(n), "T": _flips(n, 0), "P": _flips(n, time), "PT": _flips(n, 0, time)}
        kept = {"O": ("e", "P", "T", "PT"), "SO": ("e", "PT"), "SO+": ("e",)}[kind]
        components = [Linear(reverses[k], name=k) for k in kept]
        self._signs = {self._sign(c) for c in components}
        super().__init__(_scaled(f"{kind}({time},{space})", scale), np.array(turns + boosts), Linear, components=components, scale=scale)

    def _draw(self, rng: np.random.Generator) -> Linear:
        n, boosts = self.ndim, self.algebra[-self.time * (self.ndim - self.time) :]
        turn = np.eye(n)
        turn[: self.time, : self.time] = haar_rotation(self.time, rng)
        turn[self.time :, self.time :] = haar_rotation(n - self.time, rng)
        boost = self.exp(np.tensordot(rng.uniform(-self.scale, self.scale, len(boosts)), boosts, 1))
        return Linear(turn) @ boost

    def _sign(self, element: Linear) -> tuple[int, int]:
        """Which component: the signs of the determinants of the times' and the spaces' blocks."""
        a, t = element.matrix, self.time
        return int(np.sign(np.linalg.det(a[:t, :t]))), int(np.sign(np.linalg.det(a[t:, t:])))

    def __contains__(self, element: object) -> bool:
        if type(element) is not Linear or element.ndim != self.ndim:
            return False
        kept = element.matrix.T @ self.metric @ element.matrix
        size = float(np.abs(element.matrix).max()) ** 2
        return bool(np.abs(kept - self.metric).max() <= _MEMBER * size) and self._sign(element) in self._signs


def special_orthogonal(n: int) -> Orthogonal:
    r"""SO(n), the rotations of $\mathbb R^n$, sampled from Haar measure; elements `Rigid` without an offset.

    * `n`: the dimension, at least 2. The basis of SO(3) is $(L_i)_{jk} = -\epsilon_{ijk}$, so that $[L_x, L_y] = L_z$; in other dimensions
      it turns axis i towards axis j, i < j in order.

    For rotations of a periodic grid use `rotations(samples)`, which words call so2; SO(2) here prints as SO(2,R).

    >>> so3 = special_orthogonal(3)
    >>> so3, so3.algebra.shape, so3.exp([0, 0, np.pi / 2]) == Rigid([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    (SO(3), (3, 3, 3), True)
    """
    return Orthogonal(n, False)


def orthogonal(n: int) -> Orthogonal:
    """O(n): rotations and reflections, `n` at least 2; samples take turns between the two components. See `special_orthogonal`."""
    return Orthogonal(n, True)


def special_euclidean(n: int, *, scale: float = 1.0) -> Euclidean:
    r"""SE(n), the rigid motions of $\mathbb R^n$ without reflections; elements `Rigid`.

    * `n`: the dimension, at least 2. `scale`: samples draw each component of the translation uniformly from [-scale, scale], in the unit of
      the points, and the rotation from Haar measure.

    The algebra holds homogeneous matrices [n + 1, n + 1], the rotations of `special_orthogonal` first and then the translations.

    >>> special_euclidean(3), special_euclidean(3, scale=2.5).size
    (SE(3), 6)
    """
    return Euclidean(n, False, scale)


def euclidean(n: int, *, scale: float = 1.0) -> Euclidean:
    """E(n): the rigid motions with reflections, `n` at least 2; samples take turns between the two components. See `special_euclidean`.

    * `scale`: samples draw each component of the translation uniformly from [-scale, scale], in the unit of length.
    """
    return Euclidean(n, True, scale)


def general_linear(n: int, *, scale: float = 0.5) -> GeneralLinear:
    """GL(n), the invertible matrices; elements `Linear`.

    * `n`: the dimension, at least 2. `scale`: samples are $e^X$ with entries of X uniform in [-scale, scale]; every second one reflects.

    >>> general_linear(2)
    GL(2)
    """
    return GeneralLinear(n, scale)


def special_linear(n: int, *, scale: float = 0.5) -> SpecialLinear:
    """SL(n), the matrices of determinant 1; elements `Linear`.

    * `n`: the dimension, at least 2. `scale`: samples are $e^X$ with coefficients uniform in [-scale, scale] over a basis of matrices with
      a single entry 1 off the diagonal, and differences of neighbours on it.

    >>> special_linear(2), special_linear(3).size
    (SL(2), 8)
    """
    return SpecialLinear(n, scale)


def affine(n: int, *, scale: float = 0.5) -> GeneralAffine:
    r"""Aff(n), the maps $p \mapsto A p + b$ with invertible A; elements `Affine`.

    * `n`: the dimension, at least 2. `scale`: samples are $e^X$ with entries of X uniform in [-scale, scale], those of the translation in
      the unit of the points; every second sample reflects.

    The algebra holds homogeneous matrices [n + 1, n + 1], those of GL(n) row by row first and then the translations.

    >>> affine(2), affine(2).algebra.shape
    (Aff(2), (6, 3, 3))
    """
    return GeneralAffine(n, scale)


def lorentz(time: int = 1, space: int = 3, *, kind: LorentzKind = "O", scale: float = 1.0) -> Lorentz:
    r"""O(p, q), the matrices with $\Lambda^\top \eta \Lambda = \eta$, $\eta = \mathrm{diag}(1, .., -1, ..)$; elements `Linear`.

    * `time`, `space`: p and q, the numbers of axes; times come first. `scale`: boosts have rapidities uniform in [-scale, scale] along each
      axis, rotations are from Haar measure.
    * `kind`: "O" for all four components (identity, parity P, time reversal T, both), "SO" for determinant 1 (identity and PT), "SO+" for
      the identity component alone (proper and orthochronous).

    Entries grow like $e^{\mathrm{rapidity}}$, and rounding with them: beyond rapidities of about 15 equality of products fails.

    >>> lorentz(), [g.name for g in lorentz().components], lorentz(kind="SO+")
    (O(1,3), ['e', 'P', 'T', 'PT'], SO+(1,3))
    """
    return Lorentz(time, space, kind, scale)


def haar_rotation(n: int, rng: np.random.Generator) -> Array:
    """A rotation [n, n] from Haar measure of SO(n): Q of a Gaussian matrix, R with positive diagonal (Mezzadri 2007), one column turned."""
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    q = q * np.sign(np.diag(r))
    if np.linalg.det(q) < 0:
        q[:, 0] = -q[:, 0]
    return q


def rotation_algebra(n: int) -> Array:
    """The basis of so(n), [n (n - 1) / 2, n, n]; that of so(3) are the infinitesimal turns about x, y and z."""
    return np.array([_plane(n, i, j) for i, j in _planes(n)])


def _planes(n: int) -> list[tuple[int, int]]:
    return [(1, 2), (2, 0), (0, 1)] if n == 3 else [(i, j) for i in range(n) for j in range(i + 1, n)]


def _plane(n: int, i: int, j: int, sign: float = 1.0) -> Array:
    """The turn of axis i towards axis j; with sign -1 the boost that mixes them."""
    x = np.zeros((n, n))
    x[j, i], x[i, j] = 1.0, -sign
    return x


def _flips(n: int, *axes: int) -> Array:
    return np.diag([-1.0 if i in axes else 1.0 for i in range(n)])


def _scaled(name: str, scale: float) -> str:
    """The name with its range, where that is not the default."""
    default = 0.5 if name.startswith(("GL", "SL", "Aff")) else 1.0
    return name if scale == default else f"{name}@{float(scale)!r}"


def _positive(function: str, n: int) -> None:
    if n < 2:
        raise OrbitscopeError(f"{function}: the dimension `n` should be at least 2, got {n}.")
