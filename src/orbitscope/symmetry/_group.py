"""Groups: named elements with composition, inverse, subgroups."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ._isometry import Isometry


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
        return np.array([[self.index(a @ b) for b in self.elements] for a in self.elements])

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
        members = {self.identity, *elements}
        frontier = list(members)
        generators = list(members)
        while frontier:
            reached = {self.compose(a, b) for a in frontier for b in generators} - members
            members |= reached
            frontier = list(reached)
        return frozenset(members)

    def largest_subgroup(self, allowed: Iterable[Isometry]) -> tuple[Isometry, ...]:
        """The largest subgroup whose elements are all `allowed` (the identity always is), in the order of `elements`.

        Grows subgroups one generator at a time and never leaves `allowed`, so the search visits only subgroups of it.
        """
        passing = {self.identity, *allowed} & set(self.elements)
        best = trivial = frozenset({self.identity})
        seen, stack = {trivial}, [trivial]
        while stack:
            current = stack.pop()
            best = max(best, current, key=len)
            if len(best) == len(passing):
                break
            for g in sorted(passing - current, key=self.index):
                bigger = self.closure(current | {g})
                if bigger <= passing and bigger not in seen:
                    seen.add(bigger)
                    stack.append(bigger)
        return tuple(sorted(best, key=self.index))

    def subset(self, names: Iterable[str]) -> tuple[Isometry, ...]:
        """The elements with these names."""
        return tuple(self[n] for n in names)

    def __repr__(self) -> str:
        return f"{self.name} ({len(self)} elements)"
