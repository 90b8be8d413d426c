"""A representation read in one group: what a layer needs to know of its fields."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._averaging import same_elements
from ._group import Group
from ._regular import Regular
from ._representation import Representation
from ._words import representation as named


@dataclass(frozen=True, eq=False, repr=False, init=False)  # `__init__` takes more than the attributes hold
class Restriction:
    r"""A representation restricted to a group, $\rho|_G$: how one field of a layer mixes, and what the group's elements do to it.

    * `representation`: a `Representation` or its word, read in the group: "regular", "irrep:2", "vector", ...
    * `group`: the group.

    Two are equal where the representations are and the groups have the same elements in the same order, whatever they are called. Raises
    `OrbitscopeError` for a word that the group does not have.

    >>> from orbitscope.symmetry import dihedral
    >>> field = Restriction("irrep:1", dihedral(4))
    >>> field.size, field.signed, field.permutes
    (2, True, False)
    """

    representation: Representation
    group: Group
    size: int = field(init=False)
    """Number of components."""
    permutes: bool = field(init=False)
    """Whether every element only exchanges components: then any function of single values commutes."""
    signed: bool = field(init=False)
    """Whether every element only exchanges and negates components."""
    regular: bool = field(init=False)
    """Whether this is the regular representation of the group."""

    def __init__(self, representation: Representation | str, group: Group) -> None:
        rep = named(representation, group)
        object.__setattr__(self, "group", group)
        # Plain attributes, not cached properties: layers read them in forward, where a compiler follows.
        object.__setattr__(self, "representation", rep)
        object.__setattr__(self, "size", rep.size(self.group.ndim))
        object.__setattr__(self, "permutes", rep.permutes(self.group))
        object.__setattr__(self, "signed", rep.signed(self.group))
        object.__setattr__(self, "regular", isinstance(rep, Regular) and same_elements(rep.group, self.group))

    @property
    def word(self) -> str:
        """What the representation is called in this group."""
        return self.representation.word

    def matrix(self, element: Any) -> NDArray[np.float64]:
        """The matrix [size, size] by which `element` mixes components; hidden fields know the elements of their group only."""
        return self.representation.matrix(element)

    def knows(self, element: Any) -> bool:
        """Whether `matrix` is defined for `element`."""
        return self.representation.knows(element)

    @cached_property
    def invariants(self) -> NDArray[np.float64]:
        """Orthonormal rows that span what every element leaves alone, [count, size]: where a bias may be added."""
        return self.representation.invariants(self.group)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Restriction) and self.representation == other.representation and same_elements(self.group, other.group)

    def __hash__(self) -> int:
        return hash((self.word, self.group.elements))

    def __repr__(self) -> str:
        return f"{self.word} of {self.group.name}"
