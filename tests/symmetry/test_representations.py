"""Every representation is a homomorphism on every kind of element that it knows, and its rate is its derivative."""

import itertools
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import orbitscope as osc
from orbitscope.symmetry import (
    DirectSum,
    FrameVelocity,
    Isometry,
    PermutationRepresentation,
    PlanarIrrep,
    Point,
    Regular,
    Representation,
    Restriction,
    RotationIrrep,
    Scalar,
    Stack,
    Standard,
    TensorProduct,
    Vector,
    octahedral_irrep,
    representation,
)

from .elements import Boosted, Motion, random_orthogonal

OF_EVERY_SPACE = ("scalar", "pseudoscalar", "vector", "pseudovector", "tensor", "point", "frame-velocity", "vector*3")
MADE = ("vector + pseudoscalar", "vector x vector", "(vector + scalar) x pseudovector", "(tensor + point)*2", "point + scalar")
PLANAR = ("irrep:0", "irrep:0-", "irrep:1", "irrep:3", "irrep:2 x irrep:3", "irrep:5 + vector")
SPATIAL = ("irrep:0e", "irrep:0o", "irrep:1o", "irrep:1e", "irrep:2e", "irrep:3o", "irrep:6e", "irrep:2o x vector", "irrep:4e*2")
seeds = st.integers(0, 2**32 - 1)
WORDS_2D, WORDS_3D = (*OF_EVERY_SPACE, *MADE, *PLANAR), (*OF_EVERY_SPACE, *MADE, *SPATIAL)


@pytest.mark.parametrize(("ndim", "word"), [(2, w) for w in WORDS_2D] + [(3, w) for w in WORDS_3D])
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_homomorphism_on_motions_of_space(ndim: int, word: str, seed: int) -> None:
    rng, rep = np.random.default_rng(seed), representation(word)
    motions = [Motion.random(rng, ndim) for _ in range(3)]
    assert rep.homomorphism_error(motions) < 1e-12
    g = motions[0]
    assert rep.matrix(g).shape == (rep.size(ndim),) * 2 and len(rep.component_names(ndim)) == rep.size(ndim)
    np.testing.assert_array_equal(rep.matrix(g.matrix), rep.matrix(g))  # the plain matrix says the same
    np.testing.assert_allclose(rep.homogeneous(g @ g.inverse()), np.eye(len(rep.homogeneous(g))), atol=1e-12)


@pytest.mark.parametrize("word", ["scalar", "pseudoscalar", "vector", "pseudovector", "tensor", "point", "standard(3)", "vector x tensor"])
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_homomorphism_on_general_affine_maps(word: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    maps = [Motion.random(rng, 3, orthogonal=False) for _ in range(3)]
    assert representation(word).homomorphism_error(maps) < 1e-11


@settings(max_examples=10, deadline=None)
@given(st.lists(st.permutations(range(4)), min_size=2, max_size=4))
def test_homomorphism_on_permutations(orders: list[list[int]]) -> None:
    rep = representation("permutation(4)")
    first, second = (Motion(np.eye(4)[:, order].T.copy(), np.zeros(4), np.zeros(4)) for order in orders[:2])
    for other in (rep, Standard(4), TensorProduct(rep, rep), DirectSum((rep, Scalar()))):
        assert other.homomorphism_error([first, second]) == 0.0
    values = np.arange(4.0)
    np.testing.assert_array_equal(rep.matrix(first) @ values, values[orders[0]])


FINITE = [osc.parse_group(w) for w in ("c1", "c2", "c3", "c4", "d1", "d2", "d3", "d4", "c8", "d6", "o", "tx4*ty4")]


@pytest.mark.parametrize("group", FINITE, ids=lambda g: g.name)
def test_regular_is_a_homomorphism_and_holds_every_irrep_as_often_as_it_has_components(group: osc.Group) -> None:
    rep = Regular(group)
    some = list(group)[:: max(1, len(group) // 8)]
    assert rep.homomorphism_error(some) == 0.0
    characters = np.array([np.trace(rep.matrix(g)) for g in group])
    np.testing.assert_array_equal(characters, [len(group) * g.is_identity for g in group])
    assert rep.size(group.ndim) == len(group) and rep.permutes(group) and rep.signed(group)
    np.testing.assert_allclose(rep.invariants(group), np.full((1, len(group)), len(group) ** -0.5))
    assert representation(repr(rep)) == rep and rep != Regular(osc.cyclic(5))


@pytest.mark.parametrize("name", ["c1", "c2", "c3", "c4", "c6", "c8", "d1", "d2", "d3", "d4", "d6", "d8"])
def test_planar_irreps_are_all_irreps_of_the_cyclic_and_dihedral_groups(name: str) -> None:
    """Characters are orthogonal, squares of the sizes add up to the order; over C_n a pair of conjugate irreps is one of two components."""
    group, n = osc.parse_group(name), int(name[1:])
    words = [f"irrep:{k}" for k in range(n // 2 + 1)]
    if name[0] == "d":
        words += ["irrep:0-"] + [f"irrep:{n // 2}-"] * (n % 2 == 0)
    if name == "d1":  # e and s: two irreps of one component
        words = ["irrep:0", "irrep:0-"]
    irreps = [representation(w, group) for w in words]
    assert all(r.homomorphism_error(group) < 1e-13 for r in irreps)
    assert all(representation(repr(r)) == r and r.word == w for r, w in zip(irreps, words, strict=True))
    characters = np.array([[np.trace(r.matrix(g)) for g in group] for r in irreps])
    overlap = characters @ characters.T / len(group)
    doubled = [name[0] == "c" and r.size(2) == 2 for r in irreps]
    np.testing.assert_allclose(overlap, np.diag([1.0 + d for d in doubled]), atol=1e-12)
    assert sum(r.size(2) ** 2 / (1 + d) for r, d in zip(irreps, doubled, strict=True)) == len(group)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.floats(-7, 7), st.booleans())
def test_planar_irreps_turn_circular_harmonics(k: int, angle: float, flipped: bool) -> None:
    element = osc.rotation(angle).matrix @ np.diag([1.0, -1.0 if flipped else 1.0])
    x = np.random.default_rng(k).normal(size=2)

    def harmonics(p: np.ndarray) -> np.ndarray:
        phi = math.atan2(p[1], p[0])
        return np.array([math.cos(k * phi), math.sin(k * phi)])[: 2 if k else 1]

    np.testing.assert_allclose(harmonics(element @ x), PlanarIrrep(k).matrix(element) @ harmonics(x), atol=1e-12)


@pytest.mark.parametrize("name", ["A1", "A2", "E", "T1", "T2", "A1g", "Eu", "T2u"])
def test_irreps_of_the_cube_take_elements(name: str) -> None:
    group, rep = osc.octahedral(reflections=name[-1] in "gu"), representation(f"irrep:{name}")
    assert rep.homomorphism_error(list(group)[::5]) < 1e-14
    for g in list(group)[::7]:
        np.testing.assert_array_equal(rep.matrix(g), octahedral_irrep(name, g.matrix))
    assert rep.size(3) == len(rep.matrix(group.identity)) and representation(repr(rep)) == rep


def test_boosts_add_to_velocities_and_nothing_else() -> None:
    rep, boosts = FrameVelocity(), [Boosted((1.0, -2.0)), Boosted((0.5, 0.25))]
    assert rep.homomorphism_error(boosts) == 0.0
    np.testing.assert_array_equal(rep.homogeneous(boosts[0]), [[1, 0, 1], [0, 1, -2], [0, 0, 1]])
    assert not Vector().knows(boosts[0]) and not Point().knows(boosts[0]) and Scalar().knows(boosts[0])
    quarter = osc.dihedral(4)["r"]
    np.testing.assert_array_equal(rep.homogeneous(quarter)[:2, :2], quarter.matrix)
    assert osc.Layout.of("u:vector", "e:scalar").offset(quarter) is None
    layout = osc.Layout.of("e:scalar", "u:frame-velocity")
    np.testing.assert_array_equal(layout.offset(boosts[0]), [0, 1, -2])
    np.testing.assert_array_equal(layout.matrix(boosts[0]), np.eye(3))


def test_points_move_as_the_affine_map_says() -> None:
    rng = np.random.default_rng(0)
    g, p = Motion.random(rng, 3), rng.normal(size=3)
    np.testing.assert_allclose((Point().homogeneous(g) @ [*p, 1.0])[:3], g.matrix @ p + g.offset, rtol=1e-14)
    np.testing.assert_array_equal(Stack(Point(), 2).offset(g), [*g.offset, *g.offset])
    with pytest.raises(osc.OrbitscopeError, match="no length"):
        Point().offset(Isometry(((1, 0), (0, 1)), (0.5, 0)))
    with pytest.raises(osc.OrbitscopeError, match="a factor is affine"):
        representation("point x scalar").matrix(g)


@pytest.mark.parametrize(("ndim", "word"), [(2, w) for w in WORDS_2D] + [(3, w) for w in WORDS_3D])
def test_the_closed_rates_are_the_differences(ndim: int, word: str) -> None:
    """Closed forms against the default, and the default against what it promises."""
    rep, rng = representation(word), np.random.default_rng(3)
    skew = rng.normal(size=(ndim, ndim))
    skew -= skew.T
    expected = Representation.rate(rep, skew)
    scale = float(np.linalg.norm(skew, 2))
    np.testing.assert_allclose(rep.rate(skew), expected, rtol=0, atol=1e-12 * scale * max(1.0, np.abs(expected).max()))
    np.testing.assert_array_equal(Representation.rate(rep, np.zeros((ndim, ndim))), 0.0)


def test_the_rate_of_a_general_matrix() -> None:
    x = np.random.default_rng(1).normal(size=(3, 3))
    for word in ("scalar", "vector", "tensor", "standard(3)", "vector x vector", "pseudovector"):
        np.testing.assert_allclose(representation(word).rate(x), Representation.rate(representation(word), x), atol=1e-11)
    np.testing.assert_allclose(representation("tensor").rate(x), representation("vector x vector").rate(x), atol=0)


def test_elements_are_arrays_so_that_older_classes_go_on() -> None:
    class Squared(Representation):
        """Written for a plain matrix."""

        name = "test-squared"

        def size(self, ndim: int) -> int:
            return ndim

        def matrix(self, linear):
            return np.asarray(linear) @ np.asarray(linear)

    g = osc.cyclic(8)["r"]
    np.testing.assert_array_equal(np.asarray(g), g.matrix)
    assert np.asarray(g, dtype=np.float32).dtype == np.float32 and torch.equal(torch.as_tensor(g), torch.as_tensor(g.matrix))
    kept = g.matrix.copy()
    np.array(g)[:] = 7.0
    torch.as_tensor(g).fill_(7.0)
    np.testing.assert_array_equal(g.matrix, kept)
    np.testing.assert_array_equal(representation("test-squared").matrix(g), g.matrix @ g.matrix)
    layout = osc.Layout.of("q:test-squared", "v:vector")
    np.testing.assert_array_equal(layout.matrix(g), layout.matrix(g.matrix))
    assert representation("test-squared").homomorphism_error(osc.cyclic(8)) < 1e-14
    assert representation("test-squared").homomorphism_error(osc.dihedral(8)) > 0.1
    np.testing.assert_allclose(representation("test-squared").rate([[0, -1], [1, 0]]), [[0, -2], [2, 0]], atol=1e-13)


def test_a_restriction_knows_what_its_group_does() -> None:
    d4, again = osc.dihedral(4), osc.Group("another name", osc.dihedral(4).elements)
    table = {
        "regular": (8, True, True, 1), "scalar": (1, True, True, 1), "vector": (2, False, True, 0), "irrep:1": (2, False, True, 0),
        "irrep:2-": (1, False, True, 0), "tensor": (4, False, True, 1), "irrep:0-": (1, False, True, 0),
        "vector x vector": (4, False, True, 1),
    }  # fmt: skip
    for word, (size, permutes, signed, fixed) in table.items():
        f = Restriction(word, d4)
        assert (f.size, f.permutes, f.signed, len(f.invariants)) == (size, permutes, signed, fixed), word
        for g in d4:
            np.testing.assert_allclose(f.invariants @ f.matrix(g).T, f.invariants, atol=1e-12)
        assert f == Restriction(word, again) and hash(f) == hash(Restriction(word, again))
        assert pickle.loads(pickle.dumps(f)) == f
    assert Restriction("vector", d4) != Restriction("vector", osc.dihedral(2)) != Restriction("scalar", osc.dihedral(2))
    so2 = osc.rotations()
    assert not Restriction("irrep:1", so2).signed and Restriction("irrep:1", so2) != Restriction("irrep:1", osc.rotations_reflections())
    assert not Restriction("irrep:1", so2).knows(d4["s"]) and Restriction("vector", so2).knows(d4["s"])


@pytest.mark.parametrize("word", [*WORDS_2D, *SPATIAL, "regular(D4)", "irrep:2-(D4)", "irrep:1(SO2)", "standard(4)", "permutation(5)*2"])
def test_what_a_representation_prints_is_its_name(word: str) -> None:
    rep = representation(word)
    assert representation(repr(rep)) == rep and hash(representation(repr(rep))) == hash(rep)
    if word not in WORDS_2D and word not in SPATIAL:
        return
    layout = osc.Layout.of(f"a:{word}:m", "b:irrep:2e", "c:vector", ndim=3)
    assert layout.fields[0].representation == rep and layout.fields[0].unit == "m" and layout.fields[1].unit == "1"
    assert osc.Layout.from_dict(layout.to_dict()) == layout


def test_keeping_the_mean_is_for_invariants() -> None:
    kept = {"scalar", "irrep:0", "irrep:0e", "irrep:A1", "irrep:A1g", "scalar*3", "scalar + irrep:0e", "scalar x irrep:0"}
    other = {"vector", "irrep:0-", "irrep:0o", "irrep:A1u", "irrep:1", "scalar + vector", "regular(c4)", "permutation(3)", "point"}
    assert all(representation(w).keeps_mean for w in kept) and not any(representation(w).keeps_mean for w in other)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: representation("regular"), "needs its group"),
        (lambda: representation("regular", "so2"), "finite group"),
        (lambda: representation("irrep:B7"), "is no irrep"),
        (lambda: representation("irrep:3", "d4"), "k = 0 .. 2"),
        (lambda: representation("irrep:2e", "d4"), "in the plane"),
        (lambda: representation("irrep:1-"), "odd and even"),
        (lambda: representation("vector + nothing"), "no representation is called 'nothing'"),
        (lambda: representation("vector*0"), "at least 1"),
        (lambda: DirectSum(()), "`parts` is empty"),
        (lambda: RotationIrrep(-1), "at least 0"),
        (lambda: RotationIrrep(2).matrix(np.diag([1.0, 2.0, 1.0])), "orthogonal matrices"),
        (lambda: RotationIrrep(2).matrix(np.eye(2)), "orthogonal matrices"),
        (lambda: RotationIrrep(2).rate(np.eye(3)), "skew matrix"),
        (lambda: PlanarIrrep(2).matrix(np.eye(3)), "2 x 2 matrices"),
        (lambda: PlanarIrrep(2, turns=4).rate(np.array([[0.0, -1.0], [1.0, 0.0]])), "no rate"),
        (lambda: representation("irrep:2", "c4").matrix(osc.rotation(0.3)), "no multiple of a 4th"),
        (lambda: representation("irrep:1", "c4").matrix(np.diag([1.0, -1.0])), "of rotations alone"),
        (lambda: representation("regular(c4)").matrix(osc.dihedral(4)["s"]), "take a larger group than C4"),
        (lambda: representation("permutation(2)").matrix(np.eye(3)), "no permutation of 2 things"),
        (lambda: PermutationRepresentation(2).matrix(-np.eye(2)), "no permutation of 2 things"),
        (lambda: Standard(2).matrix(np.eye(3)), "2 x 2"),
        (lambda: Vector().matrix("r"), "no square matrix"),
        (lambda: Vector().matrix(np.ones((2, 3))), "no square matrix"),
        (lambda: representation("vertical").rate([[0, -1], [1, 0]]), "odd under a flip"),
    ],
)
def test_mistakes_are_named(make, message: str) -> None:
    with pytest.raises(osc.OrbitscopeError, match=message):
        make()


def test_regular_takes_plain_matrices() -> None:
    group = osc.octahedral()
    for g in list(group)[::9]:
        np.testing.assert_array_equal(Regular(group).matrix(g.matrix), Regular(group).matrix(g))
    turned = random_orthogonal(np.random.default_rng(0), 3)
    assert not Regular(group).knows(turned)
    assert all(a is not b for a, b in itertools.pairwise([Regular(group).matrix(g) for g in list(group)[:2]]))


def test_the_homomorphism_error_of_a_stack_is_that_of_its_whole_matrices():
    class Skewed(Representation):
        """A hundredth of every entry too much: no homomorphism."""

        def size(self, ndim):
            return ndim

        def matrix(self, element, /):
            return Vector().matrix(element) + 0.01

    maps, rep = list(osc.parse_group("d3")), Stack(Skewed(), 3)
    pairs = [(rep.matrix(a @ b), rep.matrix(a) @ rep.matrix(b)) for a in maps for b in maps]
    whole = max(float(np.linalg.norm(ab - made) / np.linalg.norm(made)) for ab, made in pairs)
    assert rep.homomorphism_error(maps) == pytest.approx(whole, rel=1e-12) and whole > 1e-3
