"""Products of groups with independent parts, and finite samples of infinite groups."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np

from .._errors import OrbitscopeError
from ._element import E, is_element, require_alike
from ._group import FiniteGroup, Group
from ._limits import few_elements


@dataclass(frozen=True, repr=False)
class Several:
    r"""An element of a product of groups with independent parts: $(a_1, .., a_m)(b_1, .., b_m) = (a_1 b_1, .., a_m b_m)$.

    * `parts`: one element per factor, of any kinds; a group of such elements is made by `times`. `name`: what results call it.

    >>> from orbitscope.symmetry import Permutation, Velocity
    >>> both = Several((Permutation((1, 0)), Velocity((1.0,))))
    >>> both @ both, both.parts[1]
    ((e, Velocity(2.0)), Velocity(1.0))
    """

    parts: tuple[Any, ...]
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        if not self.parts or not all(is_element(p) for p in self.parts):
            raise OrbitscopeError(f"Several: `parts` should be elements, at least one, got {self.parts}.")

    @property
    def is_identity(self) -> bool:
        """Whether every part is the identity of its group."""
        return all(p.is_identity for p in self.parts)

    @property
    def coordinates(self) -> tuple[float, ...]:
        """Those of all parts that have any."""
        return tuple(float(x) for p in self.parts for x in getattr(p, "coordinates", ()))

    def __matmul__(self, other: Self) -> Self:
        require_alike(self, other)
        if len(self.parts) != len(other.parts):
            raise OrbitscopeError(f"Several: an element of {len(self.parts)} parts and one of {len(other.parts)} do not compose.")
        return type(self)(tuple(a @ b for a, b in zip(self.parts, other.parts, strict=True)))

    def inverse(self) -> Self:
        """Every part undone."""
        return type(self)(tuple(p.inverse() for p in self.parts))

    def named(self, name: str) -> Self:
        """The same element with `name` as its name."""
        return type(self)(self.parts, name)

    def __repr__(self) -> str:
        return self.name or f"({', '.join(map(repr, self.parts))})"


class DirectProduct(Group[Several]):
    r"""$G_1 \times \dots \times G_m$ for groups of which one at least is infinite; made by `times`."""

    def __init__(self, factors: Iterable[Group[Any]]) -> None:
        self.factors = tuple(factors)
        self.name = " x ".join(g.name for g in self.factors)

    @cached_property
    def identity(self) -> Several:  # pyright: ignore[reportIncompatibleMethodOverride]  # a property that is kept
        """The identity of every factor."""
        return Several(tuple(g.identity for g in self.factors), "e")

    def _drawn(self, count: int, rng: np.random.Generator) -> tuple[Several, ...]:
        """Parts drawn independently of each other; fewer than `count` where two draws agree."""
        columns = [[g.identity, *_column(g, count - 1, rng)] for g in self.factors]
        found = dict.fromkeys(Several(parts) for parts in zip(*columns, strict=True))
        return (self.identity, *(g.named(f"g{i}") for i, g in enumerate(found) if i))

    def __contains__(self, element: object) -> bool:
        return _holds(self.factors, element)

    def check(self) -> None:
        """Raise unless the laws of every factor hold."""
        for g in self.factors:
            g.check()

    @property
    def _value(self) -> tuple[object, ...]:
        return (self.factors,)


class FiniteProduct(FiniteGroup[Several]):
    r"""$G_1 \times \dots \times G_m$ for finite groups; made by `times`."""

    def __init__(self, factors: Iterable[Group[Any]]) -> None:
        self.factors = tuple(factors)
        tuples = list(itertools.product(*self.factors))
        names = ["e", *(f"({', '.join(p.name for p in parts)})" for parts in tuples[1:])]
        super().__init__(" x ".join(g.name for g in self.factors), [Several(p, n) for p, n in zip(tuples, names, strict=True)])


class Sampled(Group[E]):
    """Elements of an infinite group, drawn once: what its name with a count behind means, "SO(3)/24"; made by `sampled`.

    They stand for the whole group in what goes through all elements. They are not closed, so products of two are not among them and the
    table of products raises. `element in group` asks the whole group.
    """

    sampled = True

    def __init__(self, group: Group[E], count: int) -> None:
        self.group, self.count = group, count
        self.name = f"({group.name})/{count}" if " x " in group.name else f"{group.name}/{count}"

    @cached_property
    def elements(self) -> tuple[E, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]  # a property that is kept
        """The sample, the identity first."""
        return self.group.probes(self.count)

    @property
    def identity(self) -> E:
        """The element that does nothing."""
        return self.group.identity

    def probes(self, count: int | None = None, seed: int = 0) -> tuple[E, ...]:
        """As many elements of the whole group as the name says, or `count`; see `Group.probes`."""
        return self.group.probes(self.count if count is None else count, seed)

    def _drawn(self, count: int, rng: np.random.Generator) -> tuple[E, ...]:
        return self.group._drawn(count, rng)

    def __contains__(self, element: object) -> bool:
        return element in self.group

    def check(self) -> None:
        """Raise unless the laws of the whole group hold."""
        self.group.check()

    @property
    def _value(self) -> tuple[object, ...]:
        return self.group, self.count


def times(*groups: Group[Any]) -> FiniteProduct | DirectProduct:
    r"""$G_1 \times \dots \times G_m$, the tuples of elements whose parts are chosen independently: elements `Several`.

    * `groups`: the factors, two or more, of any kinds; factors that are products themselves are taken apart. A product of finite groups is
      finite, with all that a `FiniteGroup` offers.

    A robot with a base and a gripper has `times(special_euclidean(3), special_euclidean(3))`, in words "se3 x se3". Motions of one space
    that follow each other are another thing: `product`, in words "*". Raises `OrbitscopeError` for fewer than two factors.

    >>> from orbitscope.symmetry import cyclic, special_euclidean, symmetric
    >>> times(special_euclidean(3), special_euclidean(3)), len(times(cyclic(2), symmetric(3)))
    (SE(3) x SE(3), 12)
    """
    factors = tuple(f for g in groups for f in getattr(g, "factors", (g,)))
    if len(factors) < 2:
        raise OrbitscopeError(f"times: needs two groups or more, got {[g.name for g in factors]}.")
    if not all(g.finite for g in factors):
        return DirectProduct(factors)
    few_elements(math.prod(len(g) for g in factors), "times")
    return FiniteProduct(factors)


def sampled(group: Group[E], count: int) -> Sampled[E]:
    """`count` probes of an infinite group as a list that instruments can go through: see `Sampled`. In words "so3/24".

    * `group`: the infinite group.

    Raises `OrbitscopeError` for a group that is a list already, and for a `count` below 1.

    >>> from orbitscope.symmetry import special_orthogonal
    >>> three = sampled(special_orthogonal(3), 3)
    >>> three, [g.name for g in three], three.probes() == three.elements
    (SO(3)/3 (3 elements), ['e', 'g1', 'g2'], True)
    """
    if group.finite or group.sampled:
        raise OrbitscopeError(f"sampled: {group.name} is a list of elements already. Choose some by `probes(count)`.")
    if count < 1:
        raise OrbitscopeError(f"sampled: `count` should be at least 1, got {count}.")
    few_elements(count, "sampled")
    return Sampled(group, count)


def _column(group: Group[Any], count: int, rng: np.random.Generator) -> list[Any]:
    """`count` elements of one factor in random order, some of them more than once where the group is small."""
    drawn = group.elements if group.finite else group._drawn(count + 1, rng)[1:] or (group.identity,)
    order = rng.permutation(count) if not group.finite and len(drawn) == count else rng.integers(len(drawn), size=count)
    return [drawn[k] for k in order]


def _holds(factors: tuple[Group[Any], ...], element: object) -> bool:
    if type(element) is not Several or len(element.parts) != len(factors):
        return False
    return all(part in g for part, g in zip(element.parts, factors, strict=True))
