"""Finding elements in a list, also where rounding splits two computations of one element; tables of products."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from ._element import E, Element
from ._isometry import Isometry
from ._permutation import Permutation

_NEAR = 1e-7  # how far apart the projections of two computations of one element may lie


class Lookup(Generic[E]):
    """Elements by position.

    Equality compares rounded numbers, so two computations of one element that lie on either side of a rounding border are not equal. An
    element that is not found by equality is looked for among its neighbours: those with nearly the same projection onto one random
    direction, of which that one is taken whose quotient with it is the identity. The entries of an identity lie far from every border.
    """

    def __init__(self, elements: Iterable[E] = ()) -> None:
        self.elements: list[E] = []
        self.index: dict[E, int] = {}
        self._projections: list[tuple[float, int]] | None = None  # made when they are first needed
        for g in elements:
            self.add(g)

    def add(self, element: E) -> None:
        """Append an element; of two equal ones, the last is found."""
        self.index[element] = len(self.elements)
        self.elements.append(element)
        if self._projections is not None and (place := _projection(element)) is not None:
            insort(self._projections, (place, len(self.elements) - 1))

    def find(self, element: E) -> int | None:
        """Position of the element, or None where it is not there."""
        try:
            return self.index[element]
        except KeyError:
            return self._near(element)

    def _near(self, element: E) -> int | None:
        place = _projection(element)
        if place is None:
            return None
        if self._projections is None:
            places = ((_projection(g), i) for i, g in enumerate(self.elements))
            self._projections = sorted((p, i) for p, i in places if p is not None)
        within = _NEAR * (1 + abs(place))
        for p, i in self._projections[bisect_left(self._projections, (place - within, -1)) :]:
            if p > place + within:
                break
            other = self.elements[i]
            if _comparable(element, other) and (element @ other.inverse()).is_identity:
                return i
        return None


def cayley_table(elements: Sequence[E], index: Callable[[E], int]) -> NDArray[np.int64]:
    """`table[i, j]` is the position of elements[i] after elements[j]; `index` looks up one element, and raises where it is missing."""
    size = len(elements)
    found = np.full(size * size, -1)
    if isinstance(elements[0], Isometry):
        found = _table_of_isometries([g for g in elements if isinstance(g, Isometry)])
    elif isinstance(elements[0], Permutation):
        found = _table_of_permutations(np.array([g.images for g in elements if isinstance(g, Permutation)]))
    for k in np.flatnonzero(found < 0).tolist():  # not closed, or two numbers on either side of a rounding
        found[k] = index(elements[k // size] @ elements[k % size])
    return found.reshape(size, size)


def _table_of_isometries(elements: Sequence[Isometry]) -> NDArray[np.int64]:
    """The same for thousands of isometries at once, flat; -1 where a product was not found."""
    linear = np.array([g.matrix for g in elements], dtype=float)
    shift = np.array([[float(v) for v in g.shift] for g in elements])
    size, ndim = shift.shape
    product = np.einsum("iab,jbc->ijac", linear, linear).reshape(size * size, ndim * ndim)
    moved = (np.einsum("iab,jb->ija", linear, shift) + shift[:, None]).reshape(size * size, ndim)
    known, wanted = _codes(linear.reshape(size, -1), shift), _codes(product, moved)
    order = np.argsort(known)
    found = order[np.searchsorted(known[order], wanted).clip(max=size - 1)]
    return np.where(known[found] == wanted, found, -1)


def _table_of_permutations(images: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same for permutations, [elements, things]; -1 where a product was not found."""
    size = len(images)
    weights = np.random.default_rng(0).integers(-(2**62), 2**62, images.shape[1])
    known = images @ weights
    order = np.argsort(known)
    wanted = np.stack([g[images] @ weights for g in images]).ravel()
    found = order[np.searchsorted(known[order], wanted).clip(max=size - 1)]
    return np.where(known[found] == wanted, found, -1)


def _codes(linear: NDArray[np.float64], shift: NDArray[np.float64]) -> NDArray[np.int64]:
    """One whole number per motion, equal where matrix and shift (modulo the period) agree to a millionth; 64 random-looking bits."""
    entries = np.concatenate([np.rint(linear * 1e6), np.rint(shift * 1e6) % 1e6], axis=1).astype(np.int64)
    weights = np.random.default_rng(0).integers(-(2**62), 2**62, entries.shape[1])
    return (entries * weights).sum(1)  # wraps around, as a hash may


def _projection(element: Element) -> float | None:
    """The coordinates of an element along one random direction; None where it has none, so that its equality is exact."""
    coordinates = getattr(element, "coordinates", None)
    if coordinates is None or len(coordinates) == 0:
        return None
    return float(_direction(len(coordinates)) @ coordinates)


@lru_cache
def _direction(size: int) -> NDArray[np.float64]:
    return np.random.default_rng(size).standard_normal(size)


def _comparable(first: Element, second: Element) -> bool:
    return type(first) is type(second) and len(getattr(first, "coordinates", ())) == len(getattr(second, "coordinates", ()))
