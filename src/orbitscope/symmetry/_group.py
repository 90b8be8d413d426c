"""Groups: what every group offers, and finite ones with composition, inverse, subgroups."""

from collections.abc import Callable, Iterable, Sequence
from typing import Self

import numpy as np

from .._errors import OrbitscopeError
from ._element import E, is_element
from ._listing import Listing
from ._lookup import Lookup

#: How many elements of an infinite group an instrument looks at unless it is told.
PROBES = 16


class Group(Listing[E]):
    r"""A group of elements of one kind: a value that compares, hashes, and says which elements an instrument looks at.

    `Group(name, elements)` is a `FiniteGroup`: `Group("V4", [...])`; from generators: `Group.generated("V4", [a, b])`. Continuous groups
    are `LieGroup`s, those of words `WordGroup`s, tuples of independent elements form `times(...)`.

    Every group has `name`, `identity`, `probes(count, seed)`, `element in group`, `check()`. What lists all elements (`len`, iteration,
    `group["r"]`, `elements`, `table`) raises `OrbitscopeError` for an infinite group and names the sample to take instead.

    To add a kind of group, write a subclass with `name`, `identity`, `_drawn`, `__contains__` and `_value`.

    >>> from orbitscope.symmetry import Isometry
    >>> flip = Isometry(((-1, 0), (0, 1)))
    >>> mirror = Group("mirror", [Isometry(((1, 0), (0, 1)), name="e"), flip.named("s")])
    >>> type(mirror).__name__, mirror.compose(mirror["s"], mirror["s"]), mirror.probes(1)
    ('FiniteGroup', e, (e,))
    """

    name: str
    finite: bool = False
    """Whether `elements` lists the whole group."""
    sampled: bool = False
    """Whether the elements only sample a continuous group."""

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        # As pathlib does: the general name makes the common kind.
        return object.__new__(FiniteGroup if cls is Group else cls)  # type: ignore[return-value]

    @staticmethod
    def generated(name: str, generators: Sequence[E], naming: Callable[[E], str] | None = None, limit: int = 4096) -> "FiniteGroup[E]":
        """All products of some elements.

        * `name`: what results call the group.
        * `generators`: the elements, at least one.
        * `naming`: makes a name of each product; None: the names of its factors.
        * `limit`: `OrbitscopeError` is raised where there are more products (an irrational angle, say).
        """
        if not generators:
            raise OrbitscopeError(f"Group.generated: `generators` of {name!r} is empty.")
        found = Lookup([generators[0] @ generators[0].inverse()])
        names = ["e"]
        at = 0
        while at < len(found.elements):
            for h in generators:
                product = found.elements[at] @ h
                if found.find(product) is None:
                    names.append((names[at] + (h.name or "?")).removeprefix("e") if naming is None else naming(product))
                    found.add(product)
            at += 1
            if len(names) > limit:
                raise OrbitscopeError(f"Group.generated: the generators of {name!r} make more than `limit` = {limit} elements.")
        return FiniteGroup(name, [g.named(label) for g, label in zip(found.elements, names, strict=True)])

    @property
    def identity(self) -> E:
        """The element that does nothing."""
        raise NotImplementedError

    @property
    def ndim(self) -> int:
        """Number of dimensions of the space that the elements move."""
        size = getattr(self.identity, "ndim", None)
        if size is None:
            raise OrbitscopeError(
                f"Group {self.name}: elements of the kind {type(self.identity).__name__} move no space, so it has no `ndim`."
            )
        return size

    def probes(self, count: int | None = None, seed: int = 0) -> tuple[E, ...]:
        """The elements that an instrument looks at, the identity first, all different.

        * `count`: how many; None means all elements of a finite group and 16 of another. A finite group of at most `count` gives all.
        * `seed`: which ones; the same seed gives the same elements.

        Raises `OrbitscopeError` for a `count` below 1.
        """
        if count is not None and count < 1:
            raise OrbitscopeError(f"Group {self.name}: `count` of probes should be at least 1, got {count}.")
        return self._drawn(PROBES if count is None else count, np.random.default_rng([seed, 0x960B]))

    def _drawn(self, count: int, rng: np.random.Generator) -> tuple[E, ...]:
        """`count` elements, the identity first."""
        raise NotImplementedError

    def __contains__(self, element: object) -> bool:
        raise NotImplementedError

    def check(self) -> None:
        """Raise unless the group laws hold; a group whose elements are maps has nothing to check."""

    @property
    def _value(self) -> tuple[object, ...]:
        """What equality compares."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        """Groups are values: equal if their names are, and what defines them; of a finite one its elements in name, motion and order."""
        if not isinstance(other, Group):
            return NotImplemented
        return self is other or (type(self) is type(other) and self._value == other._value)

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.name))

    def __repr__(self) -> str:
        return f"{self.name} ({len(self)} elements)" if self.finite or self.sampled else self.name


class FiniteGroup(Group[E]):
    r"""A finite set of elements of one kind closed under composition, each with a name; the identity comes first.

    * `name`: what results call the group. `elements`: all of them. `sampled`: whether they only sample a continuous group.

    The group laws are not checked when the group is made (a translation group has thousands of pairs) but by `check()`. Raises
    `OrbitscopeError` for elements that coincide in motion or in name or are of two kinds.

    >>> from orbitscope.symmetry import Permutation
    >>> swap = FiniteGroup("swap", [Permutation((0, 1), name="e"), Permutation((1, 0), name="s")])
    >>> swap.table.tolist(), swap == Group("swap", swap.elements)
    ([[0, 1], [1, 0]], True)
    """

    finite = True

    def __init__(self, name: str, elements: Iterable[E], *, sampled: bool = False) -> None:
        self.name = name
        self._elements: tuple[E, ...] = tuple(elements)
        self.sampled = sampled
        for g in self._elements:
            if not is_element(g):
                raise OrbitscopeError(f"Group {name!r}: `elements` should be elements, got {g!r}. A matrix is one as Linear(matrix).")
        distinct, names = len(set(self._elements)), len({g.name for g in self._elements})
        if not self._elements or distinct < len(self._elements) or names < len(self._elements):
            raise OrbitscopeError(
                f"Group {name!r}: `elements` must be there, and differ in motion and in name; got {list(self._elements)}."
            )
        if len({type(g) for g in self._elements}) > 1:
            raise OrbitscopeError(
                f"Group {name!r}: `elements` are of different kinds: {sorted({type(g).__name__ for g in self._elements})}."
            )
        if len({getattr(g, "ndim", None) for g in self._elements}) > 1:
            raise OrbitscopeError(f"Group {name!r}: `elements` act on spaces of different dimensions.")

    @property
    def elements(self) -> tuple[E, ...]:
        """All elements, the identity first."""
        return self._elements

    @property
    def identity(self) -> E:
        """The element that does nothing."""
        return self._elements[0]

    def probes(self, count: int | None = None, seed: int = 0) -> tuple[E, ...]:
        """All elements, or the identity and a choice of `count - 1` others without replacement, drawn by `seed`; see `Group.probes`."""
        return super().probes(len(self) if count is None else count, seed)

    def _drawn(self, count: int, rng: np.random.Generator) -> tuple[E, ...]:
        if count >= len(self):
            return self._elements
        chosen = rng.permutation(len(self) - 1)[: count - 1] + 1
        return (self.identity, *(self._elements[i] for i in chosen))

    def __contains__(self, element: object) -> bool:
        return is_element(element) and self._lookup.find(element) is not None

    def check(self) -> None:
        """Raise unless identity, closure and inverses hold (associativity is inherited from the motions)."""
        if self.identity @ self.identity != self.identity:
            raise OrbitscopeError(f"Group {self.name}: the first element, {self.identity!r}, is not the identity.")
        for a in self._elements:
            self.inverse(a)
            for b in self._elements:
                self.compose(a, b)

    @property
    def _value(self) -> tuple[object, ...]:
        return self.name, tuple((g.name, g) for g in self._elements)
