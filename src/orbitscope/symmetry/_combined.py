"""Representations made of others: stacks, direct sums, tensor products."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError
from ._linear import block_diagonal
from ._representation import Representation


@dataclass(frozen=True, repr=False, eq=False)
class Stack(Representation):
    r"""`copies` of one representation side by side (frames of a time history): $\rho \oplus \dots \oplus \rho$, frame-major.

    * `base`: the representation of one copy.

    >>> from orbitscope.symmetry import Vector
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

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        return np.asarray(np.kron(np.eye(self.copies), self.base.matrix(element)), dtype=np.float64)

    def offset(self, element: Any, /) -> NDArray[np.float64] | None:
        offset = self.base.offset(element)
        return None if offset is None else np.tile(offset, self.copies)

    def rate(self, generator: ArrayLike, /) -> NDArray[np.float64]:
        return np.asarray(np.kron(np.eye(self.copies), self.base.rate(generator)), dtype=np.float64)

    def homomorphism_error(self, elements: Iterable[Any]) -> float:
        """That of `base`, as the copies do not mix; `elements` as there."""
        return self.base.homomorphism_error(elements)

    def component_names(self, ndim: int) -> tuple[str, ...]:
        return tuple(f"{c}[{t}]" for t in range(self.copies) for c in self.base.component_names(ndim))

    @property
    def highest_frequency(self) -> int:
        return self.base.highest_frequency

    @property
    def keeps_mean(self) -> bool:
        return self.base.keeps_mean

    def __repr__(self) -> str:
        return f"{_bracketed(self.base)}*{self.copies}"


@dataclass(frozen=True, repr=False, eq=False)
class DirectSum(Representation):
    r"""Several fields as one: $\rho_1(g) \oplus \rho_2(g) \oplus \dots$, blocks along the diagonal. In words "vector + scalar".

    * `parts`: the representations, in the order of their components.

    >>> from orbitscope.symmetry import Scalar, Vector
    >>> DirectSum((Vector(), Scalar())).size(3)
    4
    """

    parts: tuple[Representation, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        if not self.parts:
            raise OrbitscopeError("DirectSum: `parts` is empty; give at least one representation.")

    def size(self, ndim: int) -> int:
        return sum(p.size(ndim) for p in self.parts)

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        return block_diagonal(p.matrix(element) for p in self.parts)

    def offset(self, element: Any, /) -> NDArray[np.float64] | None:
        return joined_offsets(self.parts, element)

    def rate(self, generator: ArrayLike, /) -> NDArray[np.float64]:
        return block_diagonal(p.rate(generator) for p in self.parts)

    def component_names(self, ndim: int) -> tuple[str, ...]:
        return tuple(f"{i}{c}" for i, p in enumerate(self.parts) for c in p.component_names(ndim))

    @property
    def highest_frequency(self) -> int:
        return max(p.highest_frequency for p in self.parts)

    @property
    def keeps_mean(self) -> bool:
        return all(p.keeps_mean for p in self.parts)

    def __repr__(self) -> str:
        return " + ".join(_bracketed(p) for p in self.parts)


@dataclass(frozen=True, repr=False, eq=False)
class TensorProduct(Representation):
    r"""Products of the components of two fields: $\rho_1(g) \otimes \rho_2(g)$, row-major. In words "vector x vector".

    * `left`: whose index runs slowest.
    * `right`: whose index runs fastest.

    Raises `OrbitscopeError` for an affine factor: products of what is shifted are not shifted alike.

    >>> from orbitscope.symmetry import Vector
    >>> TensorProduct(Vector(), Vector()).component_names(2)
    ('x.x', 'x.y', 'y.x', 'y.y')
    """

    left: Representation
    right: Representation

    def size(self, ndim: int) -> int:
        return self.left.size(ndim) * self.right.size(ndim)

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        if any(p.offset(element) is not None for p in (self.left, self.right)):
            raise OrbitscopeError(
                f"{self!r}: a factor is affine, and only linear representations have products. Give its linear part, a vector."
            )
        return np.asarray(np.kron(self.left.matrix(element), self.right.matrix(element)), dtype=np.float64)

    def rate(self, generator: ArrayLike, /) -> NDArray[np.float64]:
        a, b = self.left.rate(generator), self.right.rate(generator)
        return np.asarray(np.kron(a, np.eye(len(b))) + np.kron(np.eye(len(a)), b), dtype=np.float64)

    def component_names(self, ndim: int) -> tuple[str, ...]:
        pairs = itertools.product(self.left.component_names(ndim), self.right.component_names(ndim))
        return tuple(".".join(c for c in pair if c) for pair in pairs)

    @property
    def highest_frequency(self) -> int:
        return self.left.highest_frequency + self.right.highest_frequency

    @property
    def keeps_mean(self) -> bool:
        return self.left.keeps_mean and self.right.keeps_mean

    def __repr__(self) -> str:
        return f"{_bracketed(self.left)} x {_bracketed(self.right)}"


def joined_offsets(parts: tuple[Representation, ...], element: Any) -> NDArray[np.float64] | None:
    """The offsets of fields side by side, zeros for linear ones; None where all are linear."""
    offsets = [p.offset(element) for p in parts]
    if all(b is None for b in offsets):
        return None
    return np.concatenate([np.zeros(len(p.matrix(element))) if b is None else b for p, b in zip(parts, offsets, strict=True)])


def _bracketed(part: Representation) -> str:
    return f"({part!r})" if isinstance(part, DirectSum | TensorProduct) else repr(part)
