"""Representations by permutations: of a group's elements, of numbered things."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ._averaging import same_elements
from ._group import Group
from ._isometry import Isometry
from ._linear import is_permutation, linear_part
from ._representation import Representation


@dataclass(frozen=True, repr=False, eq=False)
class Regular(Representation):
    r"""One component per element of a finite group, permuted as the elements are: $(\rho(g) v)_h = v_{g^{-1} h}$.

    `group`: the group; component i belongs to `group.elements[i]`. In words "regular(d4)", or "regular" where the group is known. Contains
    every irrep as often as it has components. Raises `OrbitscopeError` for a sampled group, and `matrix` for an element that is not in it.

    >>> from orbitscope.symmetry import cyclic
    >>> Regular(cyclic(2)).matrix(cyclic(2)["r"]).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """

    group: Group

    def __post_init__(self) -> None:
        if self.group.sampled:
            raise OrbitscopeError(
                "representation: 'regular' needs a finite group; SO(2) and O(2) have 'irrep:k', scalars and vectors. Or take c16 or d16."
            )

    def size(self, ndim: int) -> int:
        return len(self.group.elements)

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        if not hasattr(element, "inverse"):  # a plain matrix
            element = Isometry(tuple(tuple(row) for row in linear_part(element, "regular").tolist()))
        if element not in self.group:
            raise OrbitscopeError(
                f"representation: a field 'regular' of a group without {element!r} cannot be moved by it; "
                f"take a larger group than {self.group.name}."
            )
        size = len(self.group.elements)
        out = np.zeros((size, size))
        for h, g in enumerate(self.group.elements):
            out[self.group.index(element @ g), h] = 1.0
        return out

    def permutes(self, group: Group) -> bool:
        return True

    def signed(self, group: Group) -> bool:
        return True

    def invariants(self, group: Group) -> NDArray[np.float64]:
        if not same_elements(group, self.group):
            return super().invariants(group)
        size = len(self.group.elements)
        return np.full((1, size), 1 / math.sqrt(size))

    @property
    def word(self) -> str:
        return "regular"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Regular) and same_elements(self.group, other.group)

    def __hash__(self) -> int:
        return hash(("regular", self.group.elements))

    def __repr__(self) -> str:
        return f"regular({self.group.name})"


@dataclass(frozen=True, repr=False, eq=False)
class PermutationRepresentation(Representation):
    r"""One component per numbered thing, exchanged as the things are: $(\rho(\pi) v)_{\pi(i)} = v_i$.

    `points`: the number of things. In words "permutation(5)". Takes elements whose `matrix` is a permutation matrix [points, points];
    `matrix` raises `OrbitscopeError` for others.

    >>> PermutationRepresentation(2).matrix([[0, 1], [1, 0]]).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """

    points: int

    def size(self, ndim: int) -> int:
        return self.points

    def matrix(self, element: Any, /) -> NDArray[np.float64]:
        matrix = linear_part(element, repr(self))
        if len(matrix) != self.points or not is_permutation(matrix) or not is_permutation(matrix.T):
            raise OrbitscopeError(
                f"{self!r}: {element!r} is no permutation of {self.points} things. Give one, or its matrix of zeros and ones."
            )
        return matrix

    def __repr__(self) -> str:
        return f"permutation({self.points})"
