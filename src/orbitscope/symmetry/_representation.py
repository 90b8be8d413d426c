"""How the components of a field mix when space is rotated or reflected."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError

_REGISTRY: dict[str, "Representation"] = {}
_AXES = "xyz"


class Representation(ABC):
    r"""A homomorphism $\rho: O(d) \to GL(k)$, $\rho(AB) = \rho(A)\rho(B)$, that says how $k$ components mix.

    To add one, write a subclass with a `name`, `size` and `matrix`; it is then found by its name everywhere
    (layouts, files, the command line):

    >>> class Double(Representation):
    ...     name = "double-angle"
    ...     def size(self, ndim):
    ...         return 2
    ...     def matrix(self, linear):
    ...         return np.asarray(linear) @ np.asarray(linear)
    >>> representation("double-angle").size(2)
    2

    (That one represents the rotations of the plane only: reflections do not commute, so the square is no homomorphism on O(2).)
    """

    name: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if cls.name:
            _REGISTRY[cls.name] = cls()

    @abstractmethod
    def size(self, ndim: int) -> int:
        """Number of components of one field in `ndim` space dimensions."""

    @abstractmethod
    def matrix(self, linear: ArrayLike) -> NDArray[np.float64]:
        r"""The mixing matrix $\rho(A)$, shape [k, k], of the orthogonal matrix `linear`, shape [d, d]."""

    def component_names(self, ndim: int) -> tuple[str, ...]:
        """A suffix per component; the empty string where there is only one."""
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


class Scalar(Representation):
    r"""Density, pressure, energy: $\rho(A) = 1$."""

    name = "scalar"

    def size(self, ndim: int) -> int:
        return 1

    def matrix(self, linear: ArrayLike) -> NDArray[np.float64]:
        return np.ones((1, 1))

    @property
    def keeps_mean(self) -> bool:
        return True


class Pseudoscalar(Representation):
    r"""Vorticity in the plane: $\rho(A) = \det A$; changes sign under reflections."""

    name = "pseudoscalar"

    def size(self, ndim: int) -> int:
        return 1

    def matrix(self, linear: ArrayLike) -> NDArray[np.float64]:
        return np.array([[_parity(linear)]])


class Vector(Representation):
    r"""Velocity, momentum: $\rho(A) = A$; component 0 points along the first spatial axis."""

    name = "vector"

    def size(self, ndim: int) -> int:
        return ndim

    def matrix(self, linear: ArrayLike) -> NDArray[np.float64]:
        return np.array(linear, dtype=np.float64)

    def component_names(self, ndim: int) -> tuple[str, ...]:
        return tuple(_AXES[:ndim])


class Pseudovector(Vector):
    r"""Magnetic field, angular momentum: $\rho(A) = \det(A)\, A$."""

    name = "pseudovector"

    def matrix(self, linear: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(_parity(linear) * np.array(linear, dtype=np.float64), dtype=np.float64)


class Vertical(Representation):
    r"""Temperature in Boussinesq convection: $\rho(A) = A_{dd} = \pm 1$; changes sign when the last axis is flipped.

    The last component of a vector whose other components vanish. It represents the motions that keep the last axis in place (flips
    and translations, all that a layer under gravity has); `matrix` raises `OrbitscopeError` for others.
    """

    name = "vertical"

    def size(self, ndim: int) -> int:
        return 1

    def matrix(self, linear: ArrayLike) -> NDArray[np.float64]:
        last = np.array(linear, dtype=np.float64)[-1]
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

    def matrix(self, linear: ArrayLike) -> NDArray[np.float64]:
        linear = np.array(linear, dtype=np.float64)
        return np.asarray(np.kron(linear, linear), dtype=np.float64)

    def component_names(self, ndim: int) -> tuple[str, ...]:
        return tuple(a + b for a in _AXES[:ndim] for b in _AXES[:ndim])


@dataclass(frozen=True, repr=False, eq=False)
class Stack(Representation):
    r"""`copies` of one representation side by side (frames of a time history): $\rho \oplus \dots \oplus \rho$, frame-major.

    >>> Stack(Vector(), 2).component_names(2)
    ('x[0]', 'y[0]', 'x[1]', 'y[1]')
    """

    base: Representation
    copies: int

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise OrbitscopeError(f"Stack: `copies` must be at least 1, got {self.copies}.")

    def size(self, ndim: int) -> int:
        return self.copies * self.base.size(ndim)

    def matrix(self, linear: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(np.kron(np.eye(self.copies), self.base.matrix(linear)), dtype=np.float64)

    def component_names(self, ndim: int) -> tuple[str, ...]:
        return tuple(f"{c}[{t}]" for t in range(self.copies) for c in self.base.component_names(ndim))

    @property
    def keeps_mean(self) -> bool:
        return self.base.keeps_mean

    def __repr__(self) -> str:
        return f"{self.base!r}*{self.copies}"


def representation(name: str | Representation) -> Representation:
    """The representation of that name; `"vector*3"` is a stack of three vectors.

    >>> representation("vector"), representation("scalar*4").size(2)
    (vector, 4)
    """
    if isinstance(name, Representation):
        return name
    base, star, copies = name.partition("*")
    if base in _REGISTRY and (not star or copies.isdigit()):
        return Stack(_REGISTRY[base], int(copies)) if star else _REGISTRY[base]
    raise OrbitscopeError(
        f"representation: no representation is called {name!r}. Known: {', '.join(sorted(_REGISTRY))}; append '*n' for a stack of n frames."
    )


def _parity(linear: ArrayLike) -> float:
    return float(np.sign(np.linalg.det(np.array(linear, dtype=np.float64))))
