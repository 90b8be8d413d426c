"""What representations ask of a group: elements to average over, reflections, lattices."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ._group import Group
from ._groups import cyclic, dihedral
from ._isometry import Isometry

_FLIP_X = Isometry(((-1, 0), (0, 1)))


@lru_cache(maxsize=64)
def averaged_over(group: Group, order: int = 32) -> tuple[Isometry, ...]:
    """Elements whose mean is the mean over the group: itself, or `order` equal angles where it is continuous.

    * `group`: a finite group, or SO(2) or O(2).
    """
    if not group.sampled:
        return group.elements
    return (dihedral(order) if has_reflections(group) else cyclic(order)).elements


def some_of(group: Group) -> tuple[Isometry, ...]:
    """Enough elements to see what every element does: all of a finite group, multiples of a fifth of a turn of a continuous one."""
    return averaged_over(group, 5)


def has_reflections(group: Group) -> bool:
    """Whether some element is a reflection."""
    return bool((_determinants(group) < 0).any())


def number_of_rotations(group: Group) -> int:
    """Number of elements without reflections."""
    return int((_determinants(group) > 0).sum())


@lru_cache(maxsize=64)
def _determinants(group: Group) -> NDArray[np.float64]:
    """Of all elements; layers ask again and again."""
    return np.linalg.det(np.stack([g.matrix for g in group.elements]))


def is_lattice(group: Group) -> bool:
    """Whether every element maps the cells of a grid onto themselves, so that layers are exact.

    * `group`: any group of isometries.
    """
    return not group.sampled and all(g.is_lattice for g in group.elements)


def is_planar(group: Group) -> bool:
    """Whether the rotations are all multiples of one step and the flip of x is there if any reflection is."""
    turns = {g for g in group.elements if np.linalg.det(g.matrix) > 0}
    return group.ndim == 2 and turns == set(cyclic(len(turns))) and (not has_reflections(group) or _FLIP_X in group.elements)


def same_elements(first: Group, second: Group) -> bool:
    """Whether two groups have the same elements in the same order, whatever they are called.

    * `first`: a group.
    * `second`: another.
    """
    return first is second or (first.elements == second.elements and first.sampled == second.sampled)
