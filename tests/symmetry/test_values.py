"""Groups are values: they compare, hash, print a name that parses back, and their elements say what they are."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import orbitscope as osc
from orbitscope.symmetry import Group, Isometry, octahedral, product, rotation, rotations, rotations_reflections, translations

SHIPPED = [
    osc.cyclic(1), osc.cyclic(4), osc.cyclic(6), osc.dihedral(2), osc.dihedral(4), rotations(8), rotations(), rotations_reflections(5),
    translations(8), translations(6, 1), octahedral(), octahedral(reflections=False), translations(4, 2, ndim=3),
    product(osc.dihedral(4), product(translations(4, 0), translations(4, 1))), product(translations(4, 0), translations(6, 1)),
]  # fmt: skip


@pytest.mark.parametrize("group", SHIPPED, ids=lambda g: g.name)
def test_the_printed_name_parses_back(group: Group) -> None:
    again = osc.parse_group(group.name, ndim=group.ndim)
    assert again == group and hash(again) == hash(group) and again is not group
    assert [g.name for g in again] == [g.name for g in group] and len({again, group}) == 1


def test_groups_that_differ_are_not_equal() -> None:
    assert len(set(SHIPPED)) == len(SHIPPED)
    d4 = osc.dihedral(4)
    assert d4 != Group("other", d4.elements) and d4 != Group("D4", [g.named(f"{g.name}'") for g in d4]) and d4 != "D4"
    assert rotations(8) != osc.cyclic(8)  # the same motions, as a sample of SO(2) and as a group of its own


@given(st.integers(1, 12), st.integers(0, 11), st.integers(1, 9), st.integers(0, 8))
def test_identity_and_angle_are_those_of_the_motion(order: int, turns: int, points: int, cells: int) -> None:
    g = osc.cyclic(order).elements[turns % order]
    assert g.is_identity == (turns % order == 0) and not (g @ g.inverse()).is_identity ^ True
    expected = 360 * (turns % order) / order
    assert (g.angle - expected + 180) % 360 - 180 == pytest.approx(0, abs=1e-9)
    shift = Isometry(((1, 0), (0, 1)), (Fraction(cells, points), 0), name="e")  # the name says nothing
    assert shift.is_identity == (cells % points == 0) and shift.angle == 0
    assert math.isnan(Isometry(((-1, 0), (0, 1))).angle) and rotation(0.3).angle == pytest.approx(math.degrees(0.3))
