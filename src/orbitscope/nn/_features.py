"""What the channels of a layer are: fields of a group, the project's own or hidden ones."""

import itertools
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import (
    Grid,
    Group,
    Isometry,
    Layout,
    Representation,
    Restriction,
    Stack,
    block_diagonal,
    parse_group,
    representation,
    same_elements,
)

Word = str | Representation


class Features:
    """The fields that the channels of a layer hold, in order, and the group that moves them.

    * `group`: a `Group` or a word such as "c4", "d8", "so2", "oh".
    * `words`: one representation each, by itself or by its word, which is read in the group; "*n" for n fields side by side. `regular` has
      one component per element; `irrep:k`, `irrep:0-` are of the plane, `irrep:1o`, `irrep:2e` of space, `irrep:Eg` of O_h; `scalar`,
      `vector` and whatever a `Layout` knows are fields here too.

    Channels are field after field, the components of one field next to each other. Raises `OrbitscopeError` for unknown words, and for
    groups that hold shifts.

    >>> hidden = Features.of("d4", "regular*8", "vector")
    >>> hidden.channels, hidden
    (66, Features(D4: regular*8, vector))
    """

    def __init__(self, group: Group, words: Sequence[Word]) -> None:
        if any(any(g.shift) for g in group):
            raise OrbitscopeError(f"Features: `group` {group.name} holds shifts; a convolution has them anyway. Give rotations and flips.")
        self.group = group
        every = [w for word in words for w in _repeated(word)]
        if not every:
            raise OrbitscopeError("Features: no field is given.")
        types = {w: Restriction(representation(w, group), group) for w in dict.fromkeys(every)}
        self.fields: tuple[Restriction, ...] = tuple(types[w] for w in every)
        sizes = [f.size for f in self.fields]
        self.channels: int = sum(sizes)
        """Number of channels."""
        self.starts: tuple[int, ...] = tuple(sum(sizes[:i]) for i in range(len(sizes)))
        """The first channel of each field."""
        self.ndim: int = group.ndim
        """Number of space dimensions."""
        self.runs: tuple[tuple[Restriction, int, int, int], ...] = tuple(self._runs())
        """Neighbouring fields of one type: type, number, first channel, last channel + 1."""

    @classmethod
    def of(cls, group: Group | str, *words: Word, ndim: int | None = None) -> "Features":
        """From a `group` and `words` as of the class; `ndim`: dimensions of space of a group in words; None: 3 for "o" and "oh", else 2."""
        return cls(as_group(group, ndim), words)

    @classmethod
    def from_layout(cls, layout: Layout, group: Group | str) -> "Features":
        """The fields of a state with this `layout`, moved by `group`."""
        return cls(as_group(group, layout.ndim), [f.representation for f in layout.fields])

    def _runs(self) -> Iterator[tuple[Restriction, int, int, int]]:
        start = 0
        for _, same in itertools.groupby(self.fields, lambda f: f.representation):
            some = list(same)
            stop = start + len(some) * some[0].size
            yield some[0], len(some), start, stop
            start = stop

    @cached_property
    def blocks(self) -> tuple[tuple[Restriction, tuple[int, ...]], ...]:
        """The fields by type, in the order of their first appearance: (type, numbers of its fields)."""
        found: dict[Restriction, list[int]] = {}
        for i, f in enumerate(self.fields):
            found.setdefault(f, []).append(i)
        return tuple((f, tuple(numbers)) for f, numbers in found.items())

    @cached_property
    def order(self) -> tuple[int, ...]:
        """For each channel its place when the fields are sorted into `blocks`."""
        place, out = 0, [0] * self.channels
        for f, numbers in self.blocks:
            for i in numbers:
                for c in range(f.size):
                    out[self.starts[i] + c] = place
                    place += 1
        return tuple(out)

    def matrix(self, element: Any) -> NDArray[np.float64]:
        """Block-diagonal matrix [channels, channels] by which `element` mixes the channels."""
        return block_diagonal(f.matrix(element) for f in self.fields)

    def check(self, x: Tensor, who: str) -> None:
        """Raise `OrbitscopeError` unless `x` is [batch, channels, *space]; `who` begins the message."""
        if x.ndim != self.ndim + 2 or x.shape[1] != self.channels:
            raise OrbitscopeError(
                f"{who}: expected [batch, {self.channels}, {', '.join('xyz'[: self.ndim])}] ({self}), got shape {tuple(x.shape)}."
            )

    def __add__(self, other: "Features") -> "Features":
        if not same_elements(self.group, other.group):
            raise OrbitscopeError(f"Features: {self} and {other} belong to different groups.")
        return Features(self.group, [f.representation for f in (*self.fields, *other.fields)])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Features) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.fields)

    def __repr__(self) -> str:
        words = ", ".join(f.word if n == 1 else f"{f.word}*{n}" for f, n, _, _ in self.runs)
        return f"Features({self.group.name}: {words})"


def restrict(group: Group | str, boundary: Grid | str | Sequence[str], ndim: int | None = None) -> Group:
    """The largest subgroup that keeps the boundaries: no quarter turn exchanges an axis with walls and a periodic one.

    * `group`: the group, or its word ("d4").
    * `boundary`: a grid (whose points and extents count too), or one word per axis; one word for all axes keeps every element.
    * `ndim`: dimensions of space for a word; None: 3 for "o" and "oh", else 2.

    >>> [g.name for g in restrict("d4", ("circular", "zero"))]
    ['e', 'r2', 's', 'sr2']
    """
    group = as_group(group, ndim)
    kept = group.largest_subgroup(g for g in group if not exchanged(g, boundary))
    return group if len(kept) == len(group) else Group(f"{group.name}|{len(kept)}", kept)


def exchanged(element: Isometry, boundary: Grid | str | Sequence[str]) -> bool:
    """Whether the element exchanges axes that differ."""
    pairs = [(i, j) for i in range(element.ndim) for j in range(element.ndim) if i != j and element.matrix[i, j] != 0]
    if isinstance(boundary, Grid):
        return any(not boundary.alike(i, j) for i, j in pairs)
    return not isinstance(boundary, str) and any(boundary[i] != boundary[j] for i, j in pairs)


def as_group(group: Group | str, ndim: int | None = None) -> Group:
    """A group from a word or itself."""
    if isinstance(group, Group):
        return group
    word = group.strip().lower()
    return parse_group(group, ndim=ndim or (3 if word in ("o", "oh") else 2))


def _repeated(word: Word) -> list[Word]:
    """A stack of copies is so many fields."""
    if isinstance(word, Stack):
        return [word.base] * word.copies
    if isinstance(word, Representation):
        return [word]
    base, star, count = word.strip().rpartition("*")
    if not star or ")" in count:
        return [word.strip()]
    if not count.isdigit():
        raise OrbitscopeError(f"Features: cannot read {word!r}; say 'regular*8'.")
    return [base] * int(count)
