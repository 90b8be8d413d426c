"""What a group offers over the list of its elements: names, positions, products, subgroups."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ._element import E
from ._lookup import Lookup, cayley_table


class Listing(Generic[E]):
    """The part of `Group` that needs all elements; of an infinite group every method here raises and says what to do."""

    name: str

    @property
    def elements(self) -> tuple[E, ...]:
        """All elements, the identity first."""
        words = f"({self.name})/16" if " x " in self.name else f"{self.name}/16"
        raise OrbitscopeError(f"Group {self.name} is not a finite list of elements. Take a sample: `sampled(group, 16)`, in words {words}.")

    def __len__(self) -> int:
        return len(self.elements)

    def __bool__(self) -> bool:
        return True  # every group has an identity, and an infinite one no length

    def __iter__(self) -> Iterator[E]:
        return iter(self.elements)

    def __getitem__(self, name: str) -> E:
        try:
            return self._by_name[name]
        except KeyError:
            raise OrbitscopeError(f"Group {self.name}: no element is called {name!r}. Known: {', '.join(self._by_name)}.") from None

    @cached_property
    def _by_name(self) -> dict[str, E]:
        return {g.name: g for g in self.elements}

    @cached_property
    def _lookup(self) -> Lookup[E]:
        return Lookup(self.elements)

    def index(self, element: E) -> int:
        """Position of an `element` in `elements`."""
        found = self._lookup.find(element)
        if found is None:
            raise OrbitscopeError(f"Group {self.name}: {element!r} is not an element.")
        return found

    def subset(self, names: Iterable[str]) -> tuple[E, ...]:
        """The elements with these `names`."""
        return tuple(self[n] for n in names)

    def compose(self, a: E, b: E) -> E:
        """The element that does `b` first, then `a`."""
        return self.elements[self.index(a @ b)]

    def inverse(self, a: E) -> E:
        """The element that undoes `a`."""
        return self.elements[self.index(a.inverse())]

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """Cayley table: `table[i, j]` is the index of elements[i] after elements[j]."""
        return cayley_table(self.elements, self.index)

    def closure(self, elements: Iterable[E]) -> frozenset[E]:
        """The smallest subgroup that holds `elements`."""
        return frozenset(self.elements[i] for i in self._closed(frozenset(self.index(g) for g in elements)))

    def largest_subgroup(self, allowed: Iterable[E]) -> tuple[E, ...]:
        """The largest subgroup whose elements are all `allowed` (the identity always is), in the order of `elements`.

        Grows subgroups one generator at a time and never leaves `allowed`, so the search visits only subgroups of it.
        """
        passing = frozenset({0, *(i for g in allowed if (i := self._lookup.find(g)) is not None)})
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

    def subgroups(self, within: Iterable[E] | None = None, limit: int = 256) -> tuple[tuple[E, ...], ...]:
        """All subgroups whose elements lie `within` a set (by default the whole group), smallest first; the trivial one is the first.

        Of a group with more than `limit` subgroups in that set: those that one element generates, and the whole set where it is closed.

        * `within`: elements; None: all of the group.
        * `limit`: how many subgroups are listed at most.

        >>> from orbitscope.symmetry import dihedral
        >>> [len(h) for h in dihedral(2).subgroups()]
        [1, 2, 2, 2, 4]
        """
        passing = frozenset(range(len(self))) if within is None else frozenset({0, *map(self.index, within)})
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
