"""How the components of a field mix when an element moves it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError
from ._averaging import averaged_over, some_of
from ._group import Group
from ._linear import exponential, is_permutation, is_signed_permutation, linear_part

#: Name -> the representation that a subclass with a `name` registered.
REGISTRY: dict[str, "Representation"] = {}
# Weights of f(jh) - f(-jh), j = 1 .. 8, in the central difference of order 16 for h f'(0).
_WEIGHTS = (8 / 9, -14 / 45, 56 / 495, -7 / 198, 56 / 6435, -2 / 1287, 8 / 45045, -1 / 102960)


class Representation(ABC):
    r"""A homomorphism $\rho: G \to GL(k)$, $\rho(ab) = \rho(a)\rho(b)$, that says how $k$ components mix.

    It takes an element of a group (an `Isometry`, ...: whatever has a `matrix`) or a plain matrix [n, n]; `np.asarray(element)` is the
    element's linear part. To add one, write a subclass with a `name`, `size` and `matrix`; it is then found by its name everywhere
    (layouts, files, the command line):

    >>> class Double(Representation):
    ...     name = "double-angle"
    ...     def size(self, ndim):
    ...         return 2
    ...     def matrix(self, element):
    ...         return np.asarray(element) @ np.asarray(element)
    >>> from orbitscope.symmetry import representation
    >>> representation("double-angle").size(2)
    2

    (That one represents the rotations of the plane only: reflections do not commute, so the square is no homomorphism on O(2).
    `homomorphism_error` tells.)
    """

    name: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if cls.name:
            REGISTRY[cls.name] = cls()

    @abstractmethod
    def size(self, ndim: int) -> int:
        """Number of components of one field in `ndim` space dimensions; some representations have one size whatever `ndim` is."""

    @abstractmethod
    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        r"""The mixing matrix $\rho(g)$, shape [k, k].

        `element`: an element of a group, or a plain matrix [n, n]. Raises `OrbitscopeError` for one that it does not know.
        """

    def offset(self, element: Any, /) -> NDArray[np.float64] | None:
        r"""What `element` g adds, shape [k], where the field moves as $v \mapsto \rho(g) v + b(g)$; None for a linear representation."""
        return None

    def homogeneous(self, element: Any, /) -> NDArray[np.float64]:
        r"""Matrix and offset of `element` g in one, [k + 1, k + 1]; without an offset $\rho(g)$.

        $$\begin{pmatrix} \rho(g) & b(g) \\ 0 & 1 \end{pmatrix}$$
        """
        matrix, offset = self.matrix(element), self.offset(element)
        if offset is None:
            return matrix
        out = np.eye(len(matrix) + 1)
        out[:-1, :-1], out[:-1, -1] = matrix, offset
        return out

    def rate(self, generator: ArrayLike, /) -> NDArray[np.float64]:
        r"""How the components mix under an infinitesimal motion, $\frac{d}{dt}\rho(e^{tX})|_{t=0}$, shape [k, k].

        `generator`: X, an element of the algebra, [n, n]. Unless a subclass has a closed form: the central difference of order 16 with step
        $h = 0.05/\|X\|_2$, whose error relative to $\|X\|_2$ is below 1e-12 for components of angular frequency 6 or less. Raises
        `OrbitscopeError` where `matrix` does not know $e^{tX}$.
        """
        x = linear_part(generator, repr(self))
        scale = float(np.linalg.norm(x, 2))
        if scale == 0.0:
            return np.zeros_like(self.matrix(np.eye(len(x))))
        step = 0.05 / scale
        turned = [[self.matrix(exponential(sign * j * step * x)) for sign in (1, -1)] for j in range(1, len(_WEIGHTS) + 1)]
        return np.asarray(sum(w * (a - b) for w, (a, b) in zip(_WEIGHTS, turned, strict=True)) / step, dtype=np.float64)

    def knows(self, element: Any, /) -> bool:
        """Whether `matrix` is defined for `element`."""
        try:
            self.homogeneous(element)
        except OrbitscopeError:
            return False
        return True

    def homomorphism_error(self, elements: Iterable[Any]) -> float:
        r"""How far from a homomorphism: the largest $\|\rho(ab) - \rho(a)\rho(b)\|_F / \|\rho(a)\rho(b)\|_F$ over pairs of `elements`.

        `elements`: any number; |elements|^2 products are formed. Offsets count, as in `homogeneous`. 0 to rounding for a homomorphism.
        """
        known = [(g, np.asarray(self.homogeneous(g))) for g in elements]
        gaps = [
            float(np.linalg.norm(self.homogeneous(a @ b) - m @ n) / max(np.linalg.norm(m @ n), np.finfo(float).tiny))
            for a, m in known
            for b, n in known
        ]
        return max(gaps, default=0.0)

    def permutes(self, group: Group) -> bool:
        """Whether every element of `group` only exchanges components: then any function of single values commutes."""
        return all(is_permutation(self.matrix(g)) for g in some_of(group))

    def signed(self, group: Group) -> bool:
        """Whether every element of `group` only exchanges and negates components."""
        return all(is_signed_permutation(self.matrix(g)) for g in some_of(group))

    def invariants(self, group: Group) -> NDArray[np.float64]:
        """Orthonormal rows that span what every element of `group` leaves alone, [count, k]: where a bias may be added."""
        mean = np.mean([self.matrix(g) for g in averaged_over(group)], axis=0)
        values, vectors = np.linalg.eigh((mean + mean.T) / 2)
        return vectors[:, values > 0.5].T

    @property
    def highest_frequency(self) -> int:
        r"""The highest multiple of the angle in the matrices of plane rotations, which means over angles must resolve; 2 for rank two."""
        return 2

    @property
    def word(self) -> str:
        """What the representation is called where its group is known."""
        return repr(self)

    def component_names(self, ndim: int) -> tuple[str, ...]:
        """A suffix per component in `ndim` dimensions of space; the empty string where there is only one."""
        size = self.size(ndim)
        return ("",) if size == 1 else tuple(str(i) for i in range(size))

    @property
    def keeps_mean(self) -> bool:
        """Whether a constant may be subtracted from the field without breaking any symmetry: only an invariant allows it."""
        return False

    def __eq__(self, other: object) -> bool:
        # By name, not by identity: a layout read from a file, or unpickled in a worker, equals the one that was written.
        return isinstance(other, Representation) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return self.name
