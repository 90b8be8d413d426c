"""Finite groups of any kind of element: tables, subgroups, and elements on the border of a rounding."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbitscope import OrbitscopeError, cyclic, dihedral
from orbitscope.symmetry import (
    FiniteGroup,
    Group,
    Isometry,
    Linear,
    Permutation,
    Rigid,
    parse_group,
    product,
    rotation,
    rotations,
    symmetric,
    times,
    translations,
)

_J = [[0, -1], [1, 0]]
GROUPS: list[FiniteGroup[Any]] = [
    symmetric(1), symmetric(3), symmetric(4), times(cyclic(2), symmetric(3)), times(dihedral(2), cyclic(3), cyclic(2)),
    Group.generated("quaternions", [Linear(np.kron(_J, [[1, 0], [0, -1]]), "i"), Linear(np.kron(np.eye(2), _J), "j")]),
    Group.generated("seven", [Rigid(rotation(2 * math.pi / 7).matrix, name="r")]),
]  # type: ignore[list-item]  # fmt: skip
by_group = pytest.mark.parametrize("group", GROUPS, ids=lambda g: g.name)


@by_group
def test_table_inverses_and_subgroups(group: FiniteGroup[Any]) -> None:
    group.check()
    expected = [[group.index(a @ b) for b in group] for a in group]
    assert group.table.tolist() == expected and isinstance(group, FiniteGroup) and isinstance(group, Group) and group.finite
    orders = [len(h) for h in group.subgroups()]
    assert orders[0] == 1 and orders[-1] == len(group) and all(len(group) % n == 0 for n in orders)  # Lagrange
    for h in group.subgroups():
        assert set(group.largest_subgroup(h)) == set(h) == group.closure(h)


def test_how_many_subgroups_and_elements() -> None:
    assert len(GROUPS[2].subgroups()) == 30 and len(GROUPS[5]) == 8 and len(GROUPS[5].subgroups()) == 6 and len(GROUPS[6]) == 7
    assert [repr(g) for g in symmetric(3)][-1] == "(0 2)" and symmetric(3)["(0 1 2)"].images == (1, 2, 0)
    swaps = [Permutation((1, 0, 2, 3), "a"), Permutation((1, 2, 3, 0), "b")]
    assert set(Group.generated("S4", swaps)) == set(symmetric(4))


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 24), st.integers(0, 99))
def test_a_choice_of_probes_has_no_element_twice(count: int, seed: int) -> None:
    group = symmetric(4)
    chosen = group.probes(count, seed)
    assert len(set(chosen)) == count and chosen[0].is_identity and set(chosen) <= set(group)


@settings(max_examples=40, deadline=None)
@given(st.integers(-(10**9), 10**9), st.integers(-3, 3), st.sampled_from([Linear, Rigid]))
def test_elements_on_either_side_of_a_rounding_border_are_one(place: int, ulps: int, kind: type) -> None:
    """An offset, or an entry, half a unit of the ninth decimal from a round number: neighbouring floats round apart."""
    border = (place + 0.5) * 1e-9
    near = border
    for _ in range(abs(ulps)):
        near = float(np.nextafter(near, math.inf * ulps))

    def mirror(b: float) -> Any:
        return Linear([[1, b], [0, -1]], "m") if kind is Linear else Rigid([[1, 0], [0, -1]], [0, b], "m")

    group = Group("mirror", [kind(np.eye(2)).named("e"), mirror(border)])
    assert mirror(near) in group and group.index(mirror(near)) == 1 and group.table.tolist() == [[0, 1], [1, 0]]
    assert len(Group.generated("mirror", [mirror(border), mirror(near)])) == 2
    assert mirror(border + 1e-7) not in group and group.largest_subgroup([mirror(near)]) == group.elements


def test_a_shift_on_a_rounding_border_is_found_where_it_wraps() -> None:
    shift = 1 - 5e-10
    pair = [Isometry(((1,),), (s,), "s") for s in (shift, float(np.nextafter(shift, 2)))]
    group = Group("not closed", [Isometry(((1,),), name="e"), pair[0]])
    assert pair[1] in group or pair[1].is_identity
    with pytest.raises(OrbitscopeError, match="not an element"):
        group.index(Isometry(((1,),), (0.5,)))


def test_what_is_no_group_is_caught() -> None:
    d4 = dihedral(4)
    for elements in ([d4["e"], d4["r"]], [symmetric(3)["e"], symmetric(3)["(0 1 2)"]]):
        with pytest.raises(OrbitscopeError, match="not an element"):
            Group("no group", elements).check()
    with pytest.raises(OrbitscopeError, match="not the identity"):
        Group("no group", [d4["r2"], d4["e"]]).check()
    with pytest.raises(OrbitscopeError, match="`generators` of 'none' is empty"):
        Group.generated("none", [])
    with pytest.raises(OrbitscopeError, match="Permutation move no space"):
        symmetric(3).ndim  # noqa: B018


def test_factors_of_a_product_move_one_number_of_axes() -> None:
    with pytest.raises(OrbitscopeError, match="moves 2 axes and .* 3"):
        product(rotations(3), translations(4, 0, ndim=3))
    with pytest.raises(OrbitscopeError, match="moves 2 axes"):
        parse_group("c3*tx", points=2, ndim=3)
