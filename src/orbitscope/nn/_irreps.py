"""Sums of irreps of O(3), as features of points have them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError
from ..symmetry import RotationIrrep, block_diagonal

_PART = re.compile(r"(?:(\d+)x)?(\d+)([eo])")


@dataclass(frozen=True)
class Block:
    """`count` copies of one irrep, side by side: copy by copy, components inside."""

    count: int
    degree: int
    odd: bool

    @property
    def size(self) -> int:
        """Components of one copy."""
        return 2 * self.degree + 1

    @property
    def dim(self) -> int:
        """Components of all copies."""
        return self.count * self.size

    @property
    def name(self) -> str:
        """Of the irrep, such as "1o"."""
        return f"{self.degree}{'o' if self.odd else 'e'}"

    def __str__(self) -> str:
        return f"{self.count}x{self.name}"


@dataclass(frozen=True)
class Irreps:
    """A direct sum of irreps of O(3), in the order and basis of e3nn.

    * `blocks`: copies of one irrep each, in the order of the components. `Irreps.of("8x0e+4x1o")` reads words.

    >>> Irreps.of("2x0e+1o"), Irreps.of("2x0e+1o").dim
    (Irreps(2x0e+1x1o), 5)
    """

    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, words: "str | Irreps") -> "Irreps":
        """From words such as "8x0e+4x1o", or as it is; a count of 0 is left out.

        * `words`: copies x degree and parity (e even, o odd under inversion), joined by +; the empty string is the empty sum.

        Raises `OrbitscopeError` for other words.
        """
        if isinstance(words, Irreps):
            return words
        found = []
        for part in words.replace(" ", "").split("+") if words.strip() else []:
            match = _PART.fullmatch(part)
            if match is None:
                raise OrbitscopeError(f"irreps: cannot read {part!r} in {words!r}. Write sums such as '8x0e+4x1o'.")
            count = int(match[1] or 1)
            found += [Block(count, int(match[2]), match[3] == "o")] if count else []
        return cls(tuple(found))

    @property
    def dim(self) -> int:
        """Number of components."""
        return sum(b.dim for b in self.blocks)

    def __iter__(self) -> Iterator[tuple[Block, slice]]:
        """The blocks with the components that they take."""
        start = 0
        for block in self.blocks:
            yield block, slice(start, start + block.dim)
            start += block.dim

    def count(self, name: str) -> int:
        """Copies of the irrep `name`."""
        return sum(b.count for b in self.blocks if b.name == name)

    def matrix(self, element: ArrayLike) -> NDArray[np.float64]:
        """How the components mix under `element`, an orthogonal matrix or an element with one, [dim, dim]."""
        matrices = [RotationIrrep(b.degree, b.odd).matrix(element) for b in self.blocks for _ in range(b.count)]
        return block_diagonal(matrices) if matrices else np.zeros((0, 0))

    def fields(self, name: str) -> tuple[str, ...]:
        """Words for `Layout.of`: one field for each copy, called `name` with a number."""
        names = [b.name for b in self.blocks for _ in range(b.count)]
        return tuple(f"{name}{k}:irrep:{irrep}" for k, irrep in enumerate(names))

    def __str__(self) -> str:
        return "+".join(map(str, self.blocks))

    def __repr__(self) -> str:
        return f"Irreps({self})"


def breaking_irreps(degree: int = 4) -> Irreps:
    """All irreps but 0e up to a degree, once each: what relaxed weights may be.

    * `degree`: the highest one.

    >>> breaking_irreps(1)
    Irreps(1x0o+1x1o+1x1e)
    """
    pairs = [(n, odd) for n in range(degree + 1) for odd in (True, False)]
    return Irreps(tuple(Block(1, n, odd) for n, odd in pairs if (n, odd) != (0, False)))
