"""Elements that change the frame of reference or the units, and their groups: Galilean boosts and scalings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Self

import numpy as np

from .._errors import OrbitscopeError
from ._element import Keyed, require_alike, rounded
from ._group import Group


@dataclass(frozen=True, eq=False, repr=False)
class Velocity(Keyed):
    r"""A Galilean boost by the velocity c: $p \mapsto p + c\,t$ and $u \mapsto u + c$; boosts compose by addition.

    * `components`: c, one number per axis, in units of length over time. `name`: what results call it.

    The element knows no layout and no grid: an action says what it does to a state. Equality goes by nine decimals, as for `Affine`.

    >>> Velocity((1.0, 0.0)) @ Velocity((0.5, 2.0)), Velocity((1, 0)).inverse()
    (Velocity(1.5, 2.0), Velocity(-1.0, 0.0))
    """

    components: tuple[float, ...]
    name: str = field(default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", tuple(float(c) + 0.0 for c in self.components))
        if not self.components or not all(math.isfinite(c) for c in self.components):
            raise OrbitscopeError(f"Velocity: `components` should be finite numbers, one per axis, got {self.components}.")

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.components)

    @cached_property
    def key(self) -> tuple[float, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]  # a property that is kept
        """What equality and hashing compare: the rounded components."""
        return rounded(np.array(self.components))

    @property
    def coordinates(self) -> tuple[float, ...]:
        """The components; those of boosts that nearly coincide nearly agree."""
        return self.components

    @property
    def is_identity(self) -> bool:
        """Whether the frame is at rest, to nine decimals."""
        return not any(self.key)

    def __matmul__(self, other: Self) -> Self:
        require_alike(self, other)
        if self.ndim != other.ndim:
            raise OrbitscopeError(f"Velocity: a boost of {self.ndim} axes and one of {other.ndim} do not compose.")
        return type(self)(tuple(a + b for a, b in zip(self.components, other.components, strict=True)))

    def inverse(self) -> Self:
        """The boost by -c."""
        return type(self)(tuple(-c for c in self.components))

    def named(self, name: str) -> Self:
        """The same boost with `name` as its name."""
        return type(self)(self.components, name)

    def _written(self) -> str:
        return f"Velocity({', '.join(map(str, self.components))})"


@dataclass(frozen=True, eq=False, repr=False)
class Factors(Keyed):
    r"""A change of units: velocities times a, densities times r, lengths divided by n; scalings compose by products.

    * `velocity`: a > 0. `density`: r > 0. `copies`: n > 0, whole or a `Fraction`: a periodic box then holds n copies of the old one per
      axis. `name`: what results call it.

    The element knows no layout and no grid. A periodic state can be moved by whole `copies` only, so an action may refuse the inverse of
    one with several. Equality goes by nine digits of the factors, and is exact in `copies`.

    >>> Factors(velocity=2.0, copies=2) @ Factors(velocity=3.0, density=0.5)
    Factors(velocity=6.0, density=0.5, copies=2)
    """

    velocity: float = 1.0
    density: float = 1.0
    copies: int | Fraction = 1
    name: str = field(default="")

    def __post_init__(self) -> None:
        for what in ("velocity", "density", "copies"):
            if not 0 < getattr(self, what) < math.inf:
                raise OrbitscopeError(f"Factors: `{what}` should be positive and finite, got {getattr(self, what)}.")
        if not isinstance(self.copies, int | Fraction):
            raise OrbitscopeError(f"Factors: `copies` should be a whole number or a Fraction, got {self.copies!r}.")
        object.__setattr__(self, "velocity", float(self.velocity))
        object.__setattr__(self, "density", float(self.density))
        copies = Fraction(self.copies)
        object.__setattr__(self, "copies", copies.numerator if copies.denominator == 1 else copies)

    @cached_property
    def key(self) -> tuple[object, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]  # a property that is kept
        """What equality and hashing compare: rounded logarithms of the factors, and the copies."""
        return (*rounded(np.log([self.velocity, self.density])), self.copies)

    @property
    def coordinates(self) -> tuple[float, ...]:
        """Logarithms of the factors; those of scalings that nearly coincide nearly agree."""
        return math.log(self.velocity), math.log(self.density), math.log(self.copies)

    @property
    def is_identity(self) -> bool:
        """Whether all factors are 1, to nine digits."""
        return self.copies == 1 and not any(self.key[:-1])

    def __matmul__(self, other: Self) -> Self:
        require_alike(self, other)
        return type(self)(self.velocity * other.velocity, self.density * other.density, self.copies * other.copies)

    def inverse(self) -> Self:
        """The scaling by the inverse factors; its `copies` may be a `Fraction`."""
        return type(self)(1 / self.velocity, 1 / self.density, 1 / Fraction(self.copies))

    def named(self, name: str) -> Self:
        """The same scaling with `name` as its name."""
        return type(self)(self.velocity, self.density, self.copies, name)

    def _written(self) -> str:
        return f"Factors(velocity={self.velocity}, density={self.density}, copies={self.copies})"


class Boosts(Group[Velocity]):
    """The group of all Galilean boosts of a space; see `boosts`."""

    def __init__(self, ndim: int, speeds: Sequence[float]) -> None:
        self.speeds = tuple(float(s) for s in speeds)
        if ndim < 1:
            raise OrbitscopeError(f"boosts: `ndim` should be at least 1, got {ndim}.")
        if not self.speeds or not all(0 < s < math.inf for s in self.speeds):
            raise OrbitscopeError(f"boosts: `speeds` should be positive and finite, got {list(speeds)}.")
        self._identity = Velocity((0.0,) * ndim, "e")
        self.name = f"boosts({ndim})" + ("" if self.speeds == (1.0,) else f"@{','.join(map(repr, self.speeds))}")

    @property
    def identity(self) -> Velocity:
        """The frame at rest."""
        return self._identity

    def _drawn(self, count: int, rng: np.random.Generator) -> tuple[Velocity, ...]:
        directions = rng.standard_normal((count, self.ndim))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        speeds = [self.speeds[(i - 1) % len(self.speeds)] for i in range(1, count)]
        if self.ndim == 1:  # two directions only, so the speeds must differ
            speeds = [s * x for s, x in zip(speeds, rng.uniform(0, 1, count), strict=False)]
        return (self.identity, *(Velocity(tuple(s * d), f"g{i + 1}") for i, (s, d) in enumerate(zip(speeds, directions[1:], strict=True))))

    def __contains__(self, element: object) -> bool:
        return type(element) is Velocity and element.ndim == self.ndim

    @property
    def _value(self) -> tuple[object, ...]:
        return self.name, self.ndim, self.speeds


class Scalings(Group[Factors]):
    """The group of all changes of units; see `scalings`."""

    def __init__(self, velocity: float, density: float, copies: int) -> None:
        self.velocity, self.density, self.copies = float(velocity), float(density), int(copies)
        for what in ("velocity", "density", "copies"):
            if not 1 <= getattr(self, what) < math.inf:
                raise OrbitscopeError(f"scalings: `{what}` is the largest factor and should be at least 1, got {getattr(self, what)}.")
        if self.velocity == self.density == 1.0:
            raise OrbitscopeError("scalings: `velocity` or `density` should exceed 1, else there is nothing to draw.")
        ranges = (self.velocity, self.density, self.copies)
        self.name = "scalings" + ("" if ranges == (2.0, 2.0, 1) else f"@{','.join(map(repr, ranges))}")

    @property
    def identity(self) -> Factors:
        """The units as they are."""
        return Factors(name="e")

    def _drawn(self, count: int, rng: np.random.Generator) -> tuple[Factors, ...]:
        v, d = (x ** rng.uniform(-1, 1, count) for x in (self.velocity, self.density))
        n = rng.integers(1, self.copies, count, endpoint=True)
        return (self.identity, *(Factors(float(v[i]), float(d[i]), int(n[i]), f"g{i}") for i in range(1, count)))

    def __contains__(self, element: object) -> bool:
        return type(element) is Factors

    @property
    def _value(self) -> tuple[object, ...]:
        return self.name, self.velocity, self.density, self.copies


def boosts(ndim: int = 2, speeds: Sequence[float] = (1.0,)) -> Boosts:
    """The Galilean boosts of `ndim` axes; elements `Velocity`.

    * `ndim`: number of axes. `speeds`: samples take turns between these speeds, in units of length over time, in random directions; along a
      single axis up to the speed.

    >>> boosts(2), boosts(3, speeds=(0.5, 2)).name
    (boosts(2), 'boosts(3)@0.5,2.0')
    """
    return Boosts(ndim, speeds)


def scalings(velocity: float = 2.0, density: float = 2.0, copies: int = 1) -> Scalings:
    """The changes of units; elements `Factors`.

    * `velocity`, `density`: samples draw these factors evenly in the logarithm between 1/velocity and velocity (1/density and density).
      `copies`: and whole numbers of copies from 1 to this.

    >>> scalings(), scalings(4.0, 1.0, 3).name
    (scalings, 'scalings@4.0,1.0,3')
    """
    return Scalings(velocity, density, copies)
