"""The laws of a group, for every kind of element; equality, hash and names; elements by themselves."""

import copy
import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbitscope import OrbitscopeError, octahedral, parse_group
from orbitscope.symmetry import (
    Affine,
    Element,
    Factors,
    Group,
    LieGroup,
    Linear,
    Permutation,
    Rigid,
    Several,
    Velocity,
    Word,
    affine,
    boosts,
    braid,
    euclidean,
    free,
    general_linear,
    lorentz,
    orthogonal,
    presented_cyclic,
    presented_symmetric,
    sampled,
    scalings,
    special_linear,
    special_orthogonal,
    symmetric,
    times,
)

_SHEARS = LieGroup("shears", [[[0, 1, 0], [0, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 0], [0, 0, 0]]], Affine, homogeneous=True)
#: One group or more for each kind of element.
GROUPS: list[Group[Any]] = [
    octahedral(), parse_group("d4*tx2*ty2"), orthogonal(3), euclidean(2), euclidean(3), general_linear(3),
    special_linear(2), affine(2), lorentz(), _SHEARS, symmetric(5),
    free(2), braid(3), braid(4), presented_symmetric(4), presented_cyclic(5), boosts(3), boosts(1), scalings(copies=3),
    times(euclidean(3), symmetric(3)), times(braid(3), scalings(), special_orthogonal(2)), times(symmetric(2), parse_group("d4")),
    sampled(special_orthogonal(3), 12), LieGroup.from_algebra("learnt", special_orthogonal(3).algebra + 0.01 * np.diag([1, 2, 5])),
]  # fmt: skip
by_group = pytest.mark.parametrize("group", GROUPS, ids=lambda g: g.name)


def same(a: Any, b: Any) -> bool:
    """One element, computed in two ways: equal, but for the border of a rounding."""
    return a == b or (a @ b.inverse()).is_identity


@by_group
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_laws_of_a_group(group: Group[Any], seed: int) -> None:
    drawn = group.probes(6, seed)
    a, b, c = (drawn[(k * seed) % len(drawn)] for k in (1, 2, 3))
    e = group.identity
    assert same((a @ b) @ c, a @ (b @ c))
    assert same(e @ a, a) and same(a @ e, a) and e.is_identity and e.inverse() == e
    assert (a @ a.inverse()).is_identity and (a.inverse() @ a).is_identity
    assert same((a @ b).inverse(), b.inverse() @ a.inverse()) and same(a.inverse().inverse(), a)
    for g in (a, b, e):
        assert g.is_identity == (g == e) and isinstance(g, Element) and g in group


@by_group
def test_equality_is_of_the_element_and_not_of_its_name(group: Group[Any]) -> None:
    drawn = group.probes(5, 3)
    for g in drawn:
        other = g.named("another name")
        assert other == g and hash(other) == hash(g) and other.name == repr(other) == "another name"
        assert g.named("") == g and g.named("").name == "" and repr(g.named(""))
        assert pickle.loads(pickle.dumps(g)) == g == copy.deepcopy(g)
        assert g != "g" and g not in (None, 0)
    assert len(set(drawn)) == len(drawn) and sum(g.is_identity for g in drawn) == 1


@by_group
def test_probes(group: Group[Any]) -> None:
    drawn = group.probes(5, 1)
    assert drawn[0] == group.identity and len({g.name for g in drawn}) == len(drawn) == len(set(drawn)) == 5
    assert drawn == group.probes(5, 1) and group.probes(1) == (group.identity,)
    assert any(group.probes(5, k) != drawn for k in range(2, 9))
    if group.finite:
        assert set(group.probes()) == set(group.elements) and len(group.probes(10**6)) == len(group)
    with pytest.raises(OrbitscopeError, match="`count` of probes should be at least 1, got 0"):
        group.probes(0)


@by_group
def test_groups_are_values(group: Group[Any]) -> None:
    again = pickle.loads(pickle.dumps(group))
    assert again == group and hash(again) == hash(group) and again is not group and again.probes(3) == group.probes(3)
    assert sum(group == other for other in GROUPS) == 1 and group != group.name and bool(group) and group.name in repr(group)
    assert None not in group and "e" not in group and Word(("z",)) not in group
    if not group.finite and not group.sampled:
        with pytest.raises(OrbitscopeError, match="not a finite list of elements"):
            list(group)
    if group.name != "learnt":
        group.check()


def test_elements_of_two_kinds_are_never_equal() -> None:
    eye = np.eye(2)
    kinds = [Rigid(eye), Linear(eye), Affine(eye), Velocity((0.0,)), Permutation((0,)), Factors(), Word(), Several((Word(),))]
    assert len(set(kinds)) == len(kinds)
    with pytest.raises(OrbitscopeError, match="Rigid @ Linear: only elements of one kind compose"):
        Rigid(eye) @ Linear(eye)  # type: ignore[operator]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=6, max_size=6), st.lists(st.floats(-3, 3), min_size=2, max_size=2))
def test_an_affine_map_does_what_its_formula_says(entries: list[float], point: list[float]) -> None:
    a, b = np.array(entries[:4]).reshape(2, 2), np.array(entries[4:])
    if np.linalg.cond(a) > 1e4 or np.abs(a).max() < 1e-3:  # else the offset swallows the point
        return
    g, p = Affine(a, b), np.array(point)
    moved = g.matrix @ p + g.offset
    assert np.allclose((g.homogeneous @ [*p, 1])[:2], moved) and np.allclose((g @ g).matrix @ p + (g @ g).offset, a @ moved + b)
    assert np.allclose(g.inverse().matrix @ moved + g.inverse().offset, p, atol=1e-6)


def test_negative_zero_and_rounding_noise_make_no_difference() -> None:
    g = Affine([[1, -0.0], [0, 1]], [-0.0, 1e-13])
    assert g == Affine(np.eye(2)) and hash(g) == hash(Affine(np.eye(2))) and g.is_identity
    assert Velocity((-0.0,)) == Velocity((0.0,)) == Velocity((1e-12,)) and Velocity((1e-8,)) != Velocity((0.0,))
    far = Affine(np.eye(2), [1e6, 0])  # the last bits of a large offset
    assert far == Affine(np.eye(2), [1e6 * (1 + 1e-15), 0]) != Affine(np.eye(2), [1e6 * (1 + 1e-7), 0])
    assert Affine(np.eye(2), [100.0, 0]) == Affine(np.eye(2), [np.nextafter(100.0, 200), 0])


def test_the_entries_of_an_element_cannot_be_written() -> None:
    given_matrix = np.eye(2)
    g = Linear(given_matrix)
    given_matrix[0, 0] = 5
    assert g.is_identity
    with pytest.raises(ValueError, match="read-only"):
        g.matrix[0, 0] = 2
    with pytest.raises(AttributeError):
        g.name = "other"  # type: ignore[misc]


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(5)), st.permutations(range(5)))
def test_permutations_are_their_matrices_and_cycles(first: list[int], second: list[int]) -> None:
    a, b = Permutation(tuple(first)), Permutation(tuple(second))
    assert np.array_equal((a @ b).matrix, a.matrix @ b.matrix) and np.array_equal(a.inverse().matrix, a.matrix.T)
    assert all((a.matrix @ np.eye(5)[:, i]).argmax() == a.images[i] for i in range(5))
    rebuilt = list(range(5))
    for cycle in a.cycles:
        for i, j in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            rebuilt[i] = j
    assert tuple(rebuilt) == a.images and a.cycles == Permutation(a.images).cycles


def test_factors_compose_by_products_and_copies_stay_whole_or_fractions() -> None:
    g = Factors(2.0, 0.5, 3)
    assert g.inverse() == Factors(0.5, 2.0, Fraction(1, 3)) and (g @ g).copies == 9 and (g @ g.inverse()).copies == 1
    assert Factors(copies=2) != Factors() and Factors(1 + 1e-12) == Factors() and isinstance((g @ g.inverse()).copies, int)


@pytest.mark.wrong_types
def test_mistakes_are_named() -> None:
    for make, match in (
        (lambda: Linear([[1, 2]]), r"Linear: `matrix` should be a finite square matrix, got \[\[1, 2\]\]"),
        (lambda: Linear([[1, 2], [2, 4]]), "Linear: `matrix` should be invertible"),
        (lambda: Affine(np.eye(2), [1]), "Affine: `offset` should be 2 finite numbers"),
        (lambda: Affine([[np.nan]]), "finite"),
        (lambda: Rigid([[2, 0], [0, 1]]), "Rigid: `matrix` should be orthogonal.*Affine"),
        (lambda: Rigid(np.eye(2)) @ Rigid(np.eye(3)), "2 dimensions and one of 3"),
        (lambda: Permutation((0, 2)), r"hold 0 .. 1 once each, got \(0, 2\)"),
        (lambda: Permutation((0,)) @ Permutation((0, 1)), "1 things and one of 2"),
        (lambda: Velocity(()), "`components`"),
        (lambda: Velocity((1.0,)) @ Velocity((1.0, 2.0)), "1 axes and one of 2"),
        (lambda: Factors(velocity=-1.0), "`velocity` should be positive"),
        (lambda: Factors(copies=1.5), "whole number or a Fraction, got 1.5"),  # type: ignore[arg-type]
        (lambda: Several(()), "`parts`"),
        (lambda: Several((Word(),)) @ Several((Word(), Word())), "1 parts and one of 2"),
        (lambda: Word.parse("a b!"), "cannot read 'b!'"),
        (lambda: braid(3).word("s1 s9"), "s9"),
        (lambda: braid(3).word("s1") @ braid(4).word("s1"), "two groups"),
        (lambda: boosts(0), "`ndim`"),
        (lambda: boosts(2, []), "`speeds`"),
        (lambda: scalings(0.5), "`velocity` is the largest factor"),
        (lambda: scalings(1.0, 1.0), "nothing to draw"),
        (lambda: symmetric(8), "1 .. 7, got 8"),
        (lambda: free(0), "`rank` should be 1 .. 64"),
        (lambda: times(symmetric(3)), "two groups or more"),
        (lambda: sampled(symmetric(3), 2), "list of elements already"),
        (lambda: Group("mixed", [Linear(np.eye(2), "e"), Rigid(-np.eye(2), name="r")]), "different kinds"),
        (lambda: Group("matrices", [np.eye(2)]), r"Linear\(matrix\)"),
    ):
        with pytest.raises(OrbitscopeError, match=match):
            make()
