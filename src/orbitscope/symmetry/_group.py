"""Groups: named elements with composition, inverse, subgroups."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ._isometry import Isometry


def _codes(linear: NDArray[np.float64], shift: NDArray[np.float64]) -> NDArray[np.int64]:
    """One whole number per motion, equal where matrix and shift (modulo the period) agree to a millionth; 64 random-looking bits."""
    entries = np.concatenate([np.rint(linear * 1e6), np.rint(shift * 1e6) % 1e6], axis=1).astype(np.int64)
    weights = np.random.default_rng(0).integers(-(2**62), 2**62, entries.shape[1])
    return (entries * weights).sum(1)  # wraps around, as a hash may


class Group:
    r"""A finite set of isometries closed under composition, each with a name; the identity comes first.

    To add one, list its elements: `Group("V4", [...])`; or its generators: `Group.generated("V4", {"r2": ..., "s": ...})`.
    The group laws are not checked when the group is made (a translation group has thousands of pairs) but by `check()`.

    >>> flip = Isometry(((-1, 0), (0, 1)))
    >>> mirror = Group("mirror", [Isometry(((1, 0), (0, 1)), name="e"), flip.named("s")])
    >>> mirror.compose(mirror["s"], mirror["s"])
    e
    """

    def __init__(self, name: str, elements: Iterable[Isometry], *, sampled: bool = False) -> None:
        self.name = name
        self.elements: tuple[Isometry, ...] = tuple(elements)
        self.sampled = sampled
        """Whether the elements only sample a continuous group."""
        self._index = {g: i for i, g in enumerate(self.elements)}
        self._by_name = {g.name: g for g in self.elements}
        if not self.elements or len(self._index) < len(self.elements) or len(self._by_name) < len(self.elements):
            raise OrbitscopeError(f"Group {name!r}: `elements` must be there, and differ in motion and in name; got {list(self.elements)}.")
        if len({g.ndim for g in self.elements}) > 1:
            raise OrbitscopeError(f"Group {name!r}: `elements` act on spaces of different dimensions.")

    @classmethod
    def generated(
        cls, name: str, generators: Sequence[Isometry], naming: Callable[[Isometry], str] | None = None, limit: int = 4096
    ) -> "Group":
        """All products of the generators. Raises if there are more than `limit` of them (an irrational angle, say)."""
        identity = generators[0] @ generators[0].inverse()
        found = {identity: "e"}
        frontier = [identity]
        while frontier:
            reached = []
            for g in frontier:
                for h in generators:
                    product = g @ h
                    if product not in found:
                        found[product] = (found[g] + (h.name or "?")).removeprefix("e") if naming is None else naming(product)
                        reached.append(product)
            frontier = reached
            if len(found) > limit:
                raise OrbitscopeError(f"Group.generated: the generators of {name!r} make more than `limit` = {limit} elements.")
        return cls(name, [g.named(label) for g, label in found.items()])

    @property
    def ndim(self) -> int:
        """Number of space dimensions."""
        return self.elements[0].ndim

    @property
    def identity(self) -> Isometry:
        """The element that does nothing."""
        return self.elements[0]

    def __len__(self) -> int:
        return len(self.elements)

    def __iter__(self) -> Iterator[Isometry]:
        return iter(self.elements)

    def __contains__(self, element: object) -> bool:
        return element in self._index

    def __getitem__(self, name: str) -> Isometry:
        try:
            return self._by_name[name]
        except KeyError:
            raise OrbitscopeError(f"Group {self.name}: no element is called {name!r}. Known: {', '.join(self._by_name)}.") from None

    def index(self, element: Isometry) -> int:
        """Position of an element in `elements`."""
        try:
            return self._index[element]
        except KeyError:
            raise OrbitscopeError(f"Group {self.name}: {element!r} is not an element.") from None

    def compose(self, a: Isometry, b: Isometry) -> Isometry:
        """The element that does b first, then a."""
        return self.elements[self.index(a @ b)]

    def inverse(self, a: Isometry) -> Isometry:
        """The element that undoes a."""
        return self.elements[self.index(a.inverse())]

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """Cayley table: `table[i, j]` is the index of elements[i] after elements[j]."""
        linear = np.array([g.matrix for g in self.elements], dtype=float)
        shift = np.array([[float(v) for v in g.shift] for g in self.elements])
        size, ndim = shift.shape
        product = np.einsum("iab,jbc->ijac", linear, linear).reshape(size * size, ndim * ndim)
        moved = (np.einsum("iab,jb->ija", linear, shift) + shift[:, None]).reshape(size * size, ndim)
        known, wanted = _codes(linear.reshape(size, -1), shift), _codes(product, moved)
        order = np.argsort(known)
        found = order[np.searchsorted(known[order], wanted).clip(max=size - 1)]
        for k in np.flatnonzero(known[found] != wanted):  # not closed, or two numbers on either side of a rounding
            found[k] = self.index(self.elements[k // size] @ self.elements[k % size])
        return found.reshape(size, size)

    def check(self) -> None:
        """Raise unless identity, closure and inverses hold (associativity is inherited from the motions)."""
        if self.identity @ self.identity != self.identity:
            raise OrbitscopeError(f"Group {self.name}: the first element, {self.identity!r}, is not the identity.")
        for a in self.elements:
            self.inverse(a)
            for b in self.elements:
                self.compose(a, b)

    def closure(self, elements: Iterable[Isometry]) -> frozenset[Isometry]:
        """The smallest subgroup that holds `elements`."""
        return frozenset(self.elements[i] for i in self._closed(frozenset(self.index(g) for g in elements)))

    def largest_subgroup(self, allowed: Iterable[Isometry]) -> tuple[Isometry, ...]:
        """The largest subgroup whose elements are all `allowed` (the identity always is), in the order of `elements`.

        Grows subgroups one generator at a time and never leaves `allowed`, so the search visits only subgroups of it.
        """
        passing = frozenset(self._index[g] for g in {self.identity, *allowed} if g in self._index)
        # A generator is of use only if all its powers are allowed.
        useful = [i for i in sorted(passing) if self._cyclic[i] <= passing]
        best = trivial = frozenset({0})
        seen, stack = {trivial}, [trivial]
        while stack:
            current = stack.pop()
            best = max(best, current, key=len)
            if len(best) == len(useful):
                break
            for i in useful:
                if i in current:
                    continue
                bigger = self._closed(current | self._cyclic[i])
                if bigger <= passing and bigger not in seen:
                    seen.add(bigger)
                    stack.append(bigger)
        return tuple(self.elements[i] for i in sorted(best))

    def subgroups(self, within: Iterable[Isometry] | None = None, limit: int = 256) -> tuple[tuple[Isometry, ...], ...]:
        """All subgroups whose elements lie `within` a set (by default the whole group), smallest first; the trivial one is the first.

        Of a group with more than `limit` subgroups in that set: those that one element generates, and the whole set where it is closed.

        >>> from orbitscope.symmetry import dihedral
        >>> [len(h) for h in dihedral(2).subgroups()]
        [1, 2, 2, 2, 4]
        """
        passing = frozenset(range(len(self))) if within is None else frozenset(self._index[g] for g in {self.identity, *within})
        cyclic = dict.fromkeys(self._cyclic[i] for i in sorted(passing) if self._cyclic[i] <= passing)
        found, stack = dict(cyclic), list(cyclic)
        while stack and len(found) <= limit:
            current = stack.pop()
            for one in cyclic:
                if one <= current:
                    continue
                bigger = self._closed(current | one)
                if bigger <= passing and bigger not in found:
                    found[bigger] = None
                    stack.append(bigger)
        if len(found) > limit:
            found = dict(cyclic) | ({passing: None} if self._closed(passing) == passing else {})
        return tuple(tuple(self.elements[i] for i in sorted(h)) for h in sorted(found, key=lambda h: (len(h), sorted(h))))

    @cached_property
    def _cyclic(self) -> list[frozenset[int]]:
        """What every element generates by itself, as indices."""
        powers = []
        for i in range(len(self)):
            reached, at = {0}, i
            while at not in reached:
                reached.add(at)
                at = int(self.table[i, at])
            powers.append(frozenset(reached))
        return powers

    def _closed(self, members: frozenset[int]) -> frozenset[int]:
        """Indices of the subgroup that these indices generate."""
        inside = np.zeros(len(self), bool)
        inside[[0, *members]] = True
        while True:
            chosen = np.flatnonzero(inside)
            inside[self.table[np.ix_(chosen, chosen)]] = True
            if int(inside.sum()) == len(chosen):
                return frozenset(chosen.tolist())

    finite = True
    """Whether the elements can all be listed."""

    def probes(self, count: int | None = None, seed: int = 0) -> tuple[Isometry, ...]:
        """The elements that an instrument looks at: all, or the identity and a choice without replacement."""
        if count is None or count >= len(self):
            return self.elements
        others = np.random.default_rng([seed, 0x6E0]).permutation(len(self) - 1)[: count - 1] + 1
        return (self.identity, *(self.elements[i] for i in sorted(others)))

    def subset(self, names: Iterable[str]) -> tuple[Isometry, ...]:
        """The elements with these names."""
        return tuple(self[n] for n in names)

    def __eq__(self, other: object) -> bool:
        """Groups are values: equal if their names are, and their elements in name, motion and order."""
        if not isinstance(other, Group):
            return NotImplemented
        return self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    @cached_property
    def _value(self) -> tuple[str, tuple[tuple[str, Isometry], ...]]:
        return self.name, tuple((g.name, g) for g in self.elements)

    def __repr__(self) -> str:
        return f"{self.name} ({len(self)} elements)"


FiniteGroup = Group
