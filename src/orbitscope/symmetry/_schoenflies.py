"""The names of the point groups of space: from their elements to Schoenflies' symbols and axes."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError
from ._linear import linear_part
from ._rotational import rotation_vector

Matrix = NDArray[np.float64]
_SAME = 0.2  # Frobenius distance of two matrices that are one element: a turn by 8 degrees
_PERIODS = 30


def schoenflies(elements: Sequence[Any]) -> tuple[str, tuple[tuple[int, Matrix], ...]]:
    """The Schoenflies symbol of a finite group of orthogonal matrices, and its axes of rotation.

    * `elements`: all of them, the identity among them: elements with a matrix, or orthogonal matrices [3, 3], good to some degrees.

    The axes are pairs (order n, unit vector [3]), highest order first, each once (its opposite is the same axis); of Cs the normal of the
    mirror, as order 1. Raises `OrbitscopeError` for what is no group of a known kind.

    >>> from orbitscope.symmetry import octahedral
    >>> schoenflies(list(octahedral()))[0], schoenflies([np.eye(3), np.diag([1.0, 1.0, -1.0])])[0]
    ('Oh', 'Cs')
    """
    matrices = np.array([linear_part(g, "schoenflies") for g in elements])
    if matrices.shape[1:] != (3, 3):
        raise OrbitscopeError(f"schoenflies: `elements` should be of three dimensions, got shape {matrices.shape[1:]}.")
    proper = matrices[np.linalg.det(matrices) > 0]
    other = -matrices[np.linalg.det(matrices) < 0]  # the rotations that, times the inversion, are in the group
    base, axes = _rotations(proper), rotation_axes(proper)
    if len(other) == 0:
        return base, axes
    if len(other) != len(proper):
        raise OrbitscopeError(f"schoenflies: {len(proper)} rotations and {len(other)} others are no group.")
    inverted = bool(np.min(np.linalg.norm(other - np.eye(3), axis=(1, 2))) < _SAME)
    letter, n = base[0], int(base[1:] or 0)
    if inverted:
        name = {"T": "Th", "O": "Oh", "I": "Ih"}.get(letter) or _centred(letter, n)
        return name, axes
    whole = np.concatenate([proper, other])
    if (letter, n) == ("C", 1):
        return "Cs", ((1, rotation_axes(other)[0][1]),)
    found = _rotations(whole)
    if letter == "T":
        return "Td", axes
    if letter == "D":
        return (f"D{n}h" if n % 2 else f"D{n}d"), axes
    if found[0] == "C" or (found == "D1"):
        return (f"C{n}h" if n % 2 else f"S{2 * n}"), axes
    return f"C{n}v", axes


def rotation_axes(rotations: ArrayLike) -> tuple[tuple[int, Matrix], ...]:
    """The axes of some `rotations` [N, 3, 3], each once with the highest order of a turn about it: (order, unit vector), highest first."""
    found: list[list[Any]] = []
    for rotation in np.asarray(rotations, dtype=np.float64):
        turn = rotation_vector(rotation)
        angle = float(np.linalg.norm(turn))
        if angle < 0.05:
            continue
        axis = turn / angle
        order = _order(angle)
        known = next((one for one in found if abs(float(one[1] @ axis)) > 0.99), None)
        if known is None:
            found.append([order, axis * np.sign(axis[np.argmax(np.abs(axis) > 0.3)])])
        else:
            known[0] = max(known[0], order)
    return tuple((int(order), np.asarray(axis)) for order, axis in sorted(found, key=lambda one: -one[0]))


def _order(angle: float) -> int:
    """The smallest n for which n turns by this angle are none."""
    turns = np.arange(1, _PERIODS) * angle / (2 * np.pi)
    return int(np.argmin(np.abs(turns - np.round(turns)) > 0.02)) + 1


def _rotations(matrices: Matrix) -> str:
    """The symbol of a group of rotations: C1, C2, ..., D2, ..., T, O, I."""
    count, axes = len(matrices), rotation_axes(matrices)
    if len(axes) <= 1:
        if count != (axes[0][0] if axes else 1):
            raise OrbitscopeError(f"schoenflies: {count} rotations about one axis of order {axes[0][0] if axes else 1} are no group.")
        return f"C{count}"
    orders = Counter(order for order, _ in axes)
    for name, size, wanted in (("T", 12, {3: 4, 2: 3}), ("O", 24, {4: 3, 3: 4, 2: 6}), ("I", 60, {5: 6, 3: 10, 2: 15})):
        if count == size and dict(orders) == wanted:
            return name
    n = axes[0][0]
    if count != 2 * n or len(axes) != n + 1:
        raise OrbitscopeError(f"schoenflies: {count} rotations about {len(axes)} axes of orders {dict(orders)} are no group.")
    return f"D{n}"


def _centred(letter: str, n: int) -> str:
    """Cn or Dn with the inversion."""
    if letter == "C":
        return "Ci" if n == 1 else f"C{n}h" if n % 2 == 0 else f"S{2 * n}"
    return f"D{n}h" if n % 2 == 0 else f"D{n}d"
