"""Group laws, for every group that comes with the library."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import orbitscope as osc
from orbitscope import OrbitscopeError
from orbitscope.symmetry import (
    Group,
    Isometry,
    cyclic,
    dihedral,
    parse_group,
    product,
    rotation,
    rotations,
    rotations_reflections,
    translations,
)

GROUPS = [
    *(cyclic(n) for n in (1, 2, 3, 4, 5, 8)),
    *(dihedral(n) for n in (1, 2, 3, 4, 6)),
    translations(1),
    translations(7, 0),
    translations(8, 1),
    rotations(12),
    rotations_reflections(5),
    product(dihedral(4), product(translations(2, 0), translations(2, 1))),
    product(cyclic(2), translations(4, 0)),
]


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: g.name)
def test_identity_closure_inverse(group):
    group.check()
    for a in group:
        assert group.compose(group.identity, a) == a == group.compose(a, group.identity)
        assert group.compose(a, group.inverse(a)) == group.identity == group.compose(group.inverse(a), a)
    assert sorted(group.table[0]) == list(range(len(group)))
    assert all(sorted(row) == list(range(len(group))) for row in group.table)


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: g.name)
@given(data=st.data())
def test_associativity(group, data):
    a, b, c = (data.draw(st.sampled_from(group.elements)) for _ in range(3))
    assert group.compose(group.compose(a, b), c) == group.compose(a, group.compose(b, c))


def test_matrices_of_d4_are_the_textbook_ones():
    g = dihedral(4)
    np.testing.assert_array_equal(g["r"].matrix, [[0, -1], [1, 0]])  # x goes to y: counter-clockwise
    np.testing.assert_array_equal(g["s"].matrix, [[-1, 0], [0, 1]])  # flips the first axis
    np.testing.assert_array_equal(g["sr"].matrix, g["s"].matrix @ g["r"].matrix)  # r first
    assert g.compose(g["s"], g["r"]) == g["sr"] != g.compose(g["r"], g["s"])


def test_elements_that_commute_with_the_axis_exchange_are_v4():
    exchange = Isometry(((0, 1), (1, 0)))
    assert [g.name for g in dihedral(4) if g @ exchange == exchange @ g] == ["e", "r2", "sr", "sr3"]


def test_rotations_act_about_the_centre_with_exact_shifts():
    g = product(dihedral(4), product(translations(8, 0), translations(8, 1)))
    r, right = dihedral(4)["r"], translations(8, 0)["3"]
    assert r @ right == translations(8, 1)["3"] @ r  # turning after a shift along x = a shift along y after turning
    assert g.compose(r, right) in g


def brute_force_largest(group, allowed):
    """Every subset of `allowed` that is closed: exponential, obvious."""
    import itertools

    allowed = {group.identity, *allowed}
    for size in range(len(allowed), 0, -1):
        for subset in itertools.combinations(sorted(allowed, key=group.index), size):
            if all(group.compose(a, b) in subset for a in subset for b in subset):
                return size
    raise AssertionError


@given(st.sets(st.sampled_from(dihedral(4).elements)))
def test_largest_subgroup_against_all_subsets(allowed):
    group = dihedral(4)
    found = group.largest_subgroup(allowed)
    assert set(found) <= {group.identity, *allowed}
    assert group.closure(found) == set(found)
    assert len(found) == brute_force_largest(group, allowed)


def test_largest_subgroup_of_translations():
    group = translations(12)
    assert [g.name for g in group.largest_subgroup([group[str(k)] for k in (0, 3, 4, 6, 8, 9)])] == ["0", "3", "6", "9"]


@pytest.mark.parametrize(
    ("words", "order"), [("c4", 4), ("D4", 8), ("tx", 16), ("ty5", 5), ("so2", 16), ("o2/3", 6), ("d4*tx2*ty2", 32), ("c2 * tx4", 8)]
)
def test_words(words, order):
    assert len(parse_group(words, points=16)) == order


@pytest.mark.parametrize("words", ["", "q4", "d", "tz3", "so3*tx4", "so2/x", "d4*tx4", "c4*c2", "4d"])
def test_words_that_mean_nothing_or_no_group(words):
    with pytest.raises(OrbitscopeError):
        parse_group(words)


def test_generated_and_its_limit():
    group = Group.generated("D4", [dihedral(4)["r"], dihedral(4)["s"]])
    assert set(group) == set(dihedral(4))
    with pytest.raises(OrbitscopeError, match="limit"):
        Group.generated("dense", [rotation(1.0, "a")], limit=50)


def test_mistakes_are_named():
    with pytest.raises(OrbitscopeError, match="no element is called 'r9'"):
        dihedral(4)["r9"]
    with pytest.raises(OrbitscopeError, match="order"):
        cyclic(0)
    with pytest.raises(OrbitscopeError, match="axis"):
        translations(4, 2)
    with pytest.raises(OrbitscopeError, match="not an element"):
        cyclic(4).index(dihedral(4)["s"])
    with pytest.raises(OrbitscopeError, match="elements"):
        Group("twice", [cyclic(2)["e"], cyclic(2)["e"]])


@pytest.mark.parametrize("words", ["d4", "so2/7", "d4*tx3*ty3", "tx12", "oh", "d6"])
def test_the_table_is_the_compositions_one_by_one(words):
    group = osc.parse_group(words) if words != "oh" else osc.octahedral()
    expected = [[group.index(a @ b) for b in group] for a in group]
    assert group.table.tolist() == expected


def test_the_table_of_a_set_that_is_not_closed_says_so():
    d4 = osc.dihedral(4)
    with pytest.raises(osc.OrbitscopeError, match="not an element"):
        osc.Group("no group", [d4["e"], d4["r"]]).table  # noqa: B018
