"""Elements that permute numbered things."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ._element import require_alike


@dataclass(frozen=True, repr=False)
class Permutation:
    r"""The permutation $i \mapsto \sigma(i)$ of the numbers 0 .. n - 1; $(\sigma \tau)(i) = \sigma(\tau(i))$.

    * `images`: $\sigma(0), \sigma(1), \dots$, every number once. `name`: what results call it; without one the cycles are printed.

    A thing at place i goes to place $\sigma(i)$. Raises `OrbitscopeError` for images that miss or repeat a number.

    >>> turn = Permutation((1, 2, 0))
    >>> turn, turn @ turn, (turn @ turn.inverse()).is_identity
    ((0 1 2), (0 2 1), True)
    """

    images: tuple[int, ...]
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", tuple(int(i) for i in self.images))
        if sorted(self.images) != list(range(len(self.images))):
            raise OrbitscopeError(f"Permutation: `images` should hold 0 .. {len(self.images) - 1} once each, got {self.images}.")

    @property
    def size(self) -> int:
        """How many things are permuted."""
        return len(self.images)

    @property
    def matrix(self) -> NDArray[np.float64]:
        r"""The matrix P with $P e_i = e_{\sigma(i)}$, [n, n]."""
        return np.eye(self.size)[:, list(self.images)]

    @property
    def cycles(self) -> tuple[tuple[int, ...], ...]:
        """The cycles of two and more, each from its least number on, in the order of those."""
        seen: set[int] = set()
        found = []
        for start in range(self.size):
            cycle, at = [], start
            while at not in seen:
                seen.add(at)
                cycle.append(at)
                at = self.images[at]
            if len(cycle) > 1:
                found.append(tuple(cycle))
        return tuple(found)

    @property
    def is_identity(self) -> bool:
        """Whether everything stays in place."""
        return self.images == tuple(range(self.size))

    def __matmul__(self, other: Self) -> Self:
        require_alike(self, other)
        if self.size != other.size:
            raise OrbitscopeError(f"Permutation: one of {self.size} things and one of {other.size} do not compose.")
        return type(self)(tuple(self.images[i] for i in other.images))

    def inverse(self) -> Self:
        """The permutation that undoes this one."""
        return type(self)(tuple(int(i) for i in np.argsort(self.images)))

    def named(self, name: str) -> Self:
        """The same permutation with `name` as its name."""
        return type(self)(self.images, name)

    def __repr__(self) -> str:
        return self.name or "".join(f"({' '.join(map(str, c))})" for c in self.cycles) or "e"
