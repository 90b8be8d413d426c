"""The finite groups that come with the library."""

import math
from fractions import Fraction
from itertools import permutations
from itertools import product as product_of

import numpy as np

from .._errors import OrbitscopeError
from .._expect import expect_number
from ._group import FiniteGroup, Group
from ._isometry import Isometry, Matrix
from ._limits import few_elements
from ._permutation import Permutation


def cyclic(order: int, *, sampled: bool = False) -> Group:
    r"""$C_n$: rotations of the plane by multiples of $2\pi/n$, counter-clockwise (axis x towards axis y); elements e, r, r2, ...

    Exact on square grids for n = 1, 2, 4; interpolated for others (see `GridAction`).

    * `order`: n, the number of rotations.
    * `sampled`: whether the elements only sample SO(2).
    """
    _positive("cyclic", "order", order)
    return Group(f"C{order}", [Isometry(_rotation(k, order), name=_power("r", k) or "e") for k in range(order)], sampled=sampled)


def dihedral(order: int, *, sampled: bool = False) -> Group:
    r"""$D_n$: the rotations of $C_n$ and the reflections $s r^k$ (r first), 2n elements.

    $s$ flips the first spatial axis and negates vector component 0.

    * `order`: n, the number of rotations.
    * `sampled`: whether the elements only sample O(2).

    >>> [g.name for g in dihedral(4)]
    ['e', 'r', 'r2', 'r3', 's', 'sr', 'sr2', 'sr3']
    """
    _positive("dihedral", "order", order)
    flip = Isometry(((-1, 0), (0, 1)))
    rotations = [Isometry(_rotation(k, order), name=_power("r", k) or "e") for k in range(order)]
    mirrored = [(flip @ g).named("s" + _power("r", k)) for k, g in enumerate(rotations)]
    return Group(f"D{order}", [*rotations, *mirrored], sampled=sampled)


def translations(points: int, axis: int = 0, *, ndim: int = 2) -> Group:
    """Shifts along one periodic axis by k/points of its period, k = 0 .. points - 1; elements "0", "1", ...

    * `points`: how many shifts. With the grid's size they are those by whole cells; a grid whose size `points` does not divide is shifted
      by a Fourier phase.
    * `axis`: the axis of space that is shifted, from 0.
    * `ndim`: number of dimensions of space.

    Raises `OrbitscopeError` for an axis that is not there, and for no shift at all.
    """
    _positive("translations", "points", points)
    if not 0 <= axis < ndim:
        raise OrbitscopeError(f"translations: `axis` must be 0 .. {ndim - 1}, got {axis}.")
    eye = _eye(ndim)
    shifts = (tuple(Fraction(k, points) if a == axis else 0 for a in range(ndim)) for k in range(points))
    return Group(f"T{'xyz'[axis]}{points}", [Isometry(eye, s, name=str(k)) for k, s in enumerate(shifts)])


def rotations(samples: int = 16) -> Group:
    r"""SO(2), sampled at `samples` equal angles (closed under composition: they are $C_n$)."""
    return FiniteGroup(f"SO(2)/{samples}", cyclic(samples), sampled=True)


def rotations_reflections(samples: int = 16) -> Group:
    r"""O(2), sampled at `samples` angles and as many reflections (closed: they are $D_n$)."""
    return FiniteGroup(f"O(2)/{samples}", dihedral(samples), sampled=True)


def rotation(angle: float, name: str = "") -> Isometry:
    """The element of SO(2) that turns by `angle` radians, counter-clockwise.

    * `name`: what the element is called; may be empty.
    """
    c, s = math.cos(angle), math.sin(angle)
    return Isometry(((c, -s), (s, c)), name=name or f"{math.degrees(angle):g}deg")


def product(first: Group, second: Group) -> Group:
    r"""All motions $a \circ b$ (b first), a from `first`, b from `second`; they must form a group of |first| |second| elements.

    Translations along both axes are closed under D4; translations along one axis are not, and that raises.

    >>> len(product(dihedral(4), product(translations(3, 0), translations(3, 1))))
    72
    """
    few_elements(len(first) * len(second), "product")
    if (ndim := first.identity.ndim) != second.identity.ndim:
        raise OrbitscopeError(f"product: {first.name} moves {ndim} axes and {second.name} {second.identity.ndim}. Take one number of axes.")
    pairs = [(a, b) for a in first for b in second]
    elements = [(a @ b).named(_joint_name(first, second, a, b)) for a, b in pairs]
    name = f"{first.name}*{second.name}"
    if len(set(elements)) < len(pairs):
        raise OrbitscopeError(
            f"product: {first.name} and {second.name} share more than the identity, so their product counts elements twice."
        )
    group = Group(name, elements)
    # A B is a group exactly when it contains B A, so |A||B| products suffice in place of all pairs.
    for a, b in pairs:
        if b @ a not in group:
            raise OrbitscopeError(f"product: {name} is not closed ({b!r} after {a!r} is outside). For translations, take both axes.")
    return group


def octahedral(*, reflections: bool = True) -> Group:
    r"""$O_h$: the 48 signed permutations of three axes, every motion that maps a cube to itself; without `reflections` O, the 24 rotations.

    Element "-y+xz" (say) sends (x, y, z) to (-y, x, z): the new first coordinate is minus the old second one. Exact on cubic grids.

    >>> len(octahedral()), len(octahedral(reflections=False)), octahedral().identity.name
    (48, 24, 'e')
    """
    elements = []
    for order in permutations(range(3)):
        for signs in product_of((1, -1), repeat=3):
            linear = tuple(tuple(s * int(j == k) for j in range(3)) for s, k in zip(signs, order, strict=True))
            if reflections or round(_determinant(linear)) == 1:
                name = "".join(f"{'+-'[s < 0]}{'xyz'[k]}" for s, k in zip(signs, order, strict=True))
                elements.append(Isometry(linear, (0, 0, 0), name="e" if name == "+x+y+z" else name))
    return Group("Oh" if reflections else "O", elements)


def symmetric(size: int) -> FiniteGroup[Permutation]:
    r"""$S_n$, all permutations of `size` things, 1 to 7 of them; elements `Permutation` called by their cycles.

    Raises `OrbitscopeError` for another `size`.

    >>> symmetric(3), [g.name for g in symmetric(3)]
    (S3 (6 elements), ['e', '(1 2)', '(0 1)', '(0 1 2)', '(0 2 1)', '(0 2)'])
    """
    if not 1 <= size <= 7:
        raise OrbitscopeError(f"symmetric: `size` should be 1 .. 7, got {size}; of larger ones, `presented_symmetric` draws some.")
    elements = [Permutation(images) for images in permutations(range(size))]
    return FiniteGroup(f"S{size}", [g.named(repr(g)) for g in elements])


def _determinant(linear: Matrix) -> float:
    return float(np.linalg.det(np.array(linear, dtype=float)))


def _rotation(k: int, order: int) -> Matrix:
    if (4 * k) % order == 0:  # a quarter turn stays exact
        c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[(4 * k // order) % 4]
    else:
        c, s = math.cos(2 * math.pi * k / order), math.sin(2 * math.pi * k / order)
    return ((c, -s), (s, c))


def _eye(ndim: int) -> Matrix:
    return tuple(tuple(int(i == j) for j in range(ndim)) for i in range(ndim))


def _power(letter: str, k: int) -> str:
    return "" if k == 0 else letter if k == 1 else f"{letter}{k}"


def _joint_name(first: Group, second: Group, a: Isometry, b: Isometry) -> str:
    if a == first.identity and b == second.identity:
        return "e"
    return f"{a.name}·{b.name}"


def _positive(function: str, argument: str, value: int) -> None:
    expect_number(value, f"{function}: `{argument}`", whole=True)
    if value < 1:
        raise OrbitscopeError(f"{function}: `{argument}` must be at least 1, got {value}.")
    few_elements(2 * value if function == "dihedral" else value, function)
