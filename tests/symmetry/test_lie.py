"""Continuous groups: algebra, exponential and logarithm, components, samples; learnt algebras."""

from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orbitscope import OrbitscopeError
from orbitscope.symmetry import (
    Group,
    LieGroup,
    Linear,
    Rigid,
    affine,
    euclidean,
    general_linear,
    lorentz,
    orthogonal,
    special_euclidean,
    special_linear,
    special_orthogonal,
)
from orbitscope.symmetry._matrix_log import matrix_exp, matrix_log

GROUPS = [
    special_orthogonal(2), special_orthogonal(3), special_orthogonal(5), orthogonal(2), orthogonal(3), special_euclidean(2),
    special_euclidean(3), euclidean(3, scale=2.5), general_linear(2), general_linear(3, scale=0.3),
    special_linear(3), affine(2), lorentz(), lorentz(kind="SO"),
    lorentz(2, 2, kind="SO+"), lorentz(1, 2, scale=0.5),
]  # fmt: skip
by_name = pytest.mark.parametrize("group", GROUPS, ids=lambda g: g.name)
seeds = st.integers(0, 2**32 - 1)


@by_name
@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_exp_is_the_series_and_log_undoes_it(group: LieGroup, seed: int) -> None:
    a = np.random.default_rng(seed).uniform(-1, 1, group.size)
    a *= min(1.0, 2.0 / np.linalg.norm(group.hat(a), 2))  # well inside the range where exp is one to one
    g = group.exp(a)
    assert np.abs(group.matrix(g) - scipy.linalg.expm(group.hat(a))).max() < 1e-13
    assert np.abs(group.log(g) - a).max() < 1e-10 and g in group and group.exp(-a) == g.inverse()
    assert group.exp(group.hat(a)) == g and np.allclose(group.vee(group.hat(a)), a, atol=1e-13)


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-8, 30), seeds)
def test_the_exponential_of_any_matrix(size: float, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((4, 4))
    x *= size / np.linalg.norm(x, 2)
    expected = scipy.linalg.expm(x)
    assert np.abs(matrix_exp(x) - expected).max() < 1e-12 * (1 + size) * np.abs(expected).max()
    again = torch.linalg.matrix_exp(torch.tensor(x)).numpy()
    assert np.abs(matrix_exp(x) - again).max() < 1e-10 * np.abs(expected).max()


def test_the_logarithm_of_a_long_translation_and_of_nearly_half_a_turn() -> None:
    x = np.zeros((4, 4))
    x[:3, 3], x[1, 0], x[0, 1] = (1e3, 1, 2), 2, -2
    assert np.abs(matrix_log(matrix_exp(x)) - x).max() < 1e-10
    for gap in (1e-1, 1e-2, 1e-3):
        turn = (np.pi - gap) * np.array([[0, -1], [1, 0]])
        assert np.abs(matrix_log(matrix_exp(turn)) - turn).max() < 1e-15 / gap**2


@by_name
def test_the_algebra_is_one(group: LieGroup) -> None:
    group.check()
    assert group.closure_error() < 1e-13
    c = group.structure_constants
    assert np.abs(c + c.transpose(1, 0, 2)).max() < 1e-12
    jacobi = np.einsum("ijm,mkl->ijkl", c, c)
    assert np.abs(jacobi + jacobi.transpose(1, 2, 0, 3) + jacobi.transpose(2, 0, 1, 3)).max() < 1e-11
    x, y, z = np.random.default_rng(0).standard_normal((3, group.size))
    b = group.bracket
    assert np.abs(b(x, b(y, z)) + b(y, b(z, x)) + b(z, b(x, y))).max() < 1e-12
    assert np.allclose(b(x, y), group.hat(np.einsum("i,j,ijl->l", x, y, c)), atol=1e-12)


def test_structure_constants_of_rotations_are_the_permutation_symbol() -> None:
    epsilon = np.zeros((3, 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        epsilon[i, j, k], epsilon[j, i, k] = 1, -1
    so3 = special_orthogonal(3)
    assert np.abs(so3.structure_constants - epsilon).max() < 1e-14
    assert np.array_equal(so3.algebra, -epsilon)  # (L_i)_jk = -epsilon_ijk


@by_name
@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_probes_belong_to_the_group_and_see_every_component(group: LieGroup, seed: int) -> None:
    probes = group.probes(9, seed)
    assert len(probes) == len(set(probes)) == len({g.name for g in probes}) == 9 and probes[0] == group.identity
    assert probes == group.probes(9, seed) and probes[1:] != group.probes(9, seed + 1)[1:] and len(group.probes()) == 16
    for a in probes:
        assert a in group and a.inverse() in group and a @ probes[3] in group
    signs = {round(float(np.sign(np.linalg.det(g.matrix)))) for g in probes}
    assert len(signs) == len({round(float(np.linalg.det(c.matrix))) for c in group.components})


@pytest.mark.parametrize("group", [special_orthogonal(2), special_orthogonal(3), orthogonal(3), special_orthogonal(4)], ids=str)
def test_moments_of_haar_measure(group: LieGroup) -> None:
    """E R = 0 and E R_ij^2 = 1/n; moving the sample by an element changes no moment. A fixed sample, six standard errors."""
    n = group.ndim
    r = np.array([g.matrix for g in group.probes(2000, 7)[1:]])
    for moved in (r, r @ group.exp(np.arange(1.0, group.size + 1)).matrix):
        assert np.abs(moved.mean(0)).max() < 6 / np.sqrt(n * len(r))
        assert np.abs((moved**2).mean(0) - 1 / n).max() < 6 * np.sqrt(2) / n / np.sqrt(len(r))


@pytest.mark.parametrize("kind", ["O", "SO", "SO+"])
@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_lorentz_transformations_keep_the_metric(kind, seed: int) -> None:
    group = lorentz(kind=kind)
    for g in group.probes(8, seed):
        kept = g.matrix.T @ group.metric @ g.matrix
        assert np.abs(kept - group.metric).max() < 1e-12 * np.abs(g.matrix).max() ** 2
        assert kind == "O" or np.linalg.det(g.matrix) > 0
        assert kind != "SO+" or g.matrix[0, 0] >= 1


def test_a_boost_is_the_textbook_one() -> None:
    group, rapidity = lorentz(kind="SO+"), 0.7
    boost = group.exp([0, 0, 0, rapidity, 0, 0])
    c, s = np.cosh(rapidity), np.sinh(rapidity)
    assert np.allclose(boost.matrix[:2, :2], [[c, s], [s, c]], atol=1e-14) and boost.matrix[2, 2] == 1
    _, _, reversal, both = lorentz().components
    assert (
        both == reversal @ Linear(np.diag([1.0, -1, 1, 1]))
        and reversal.name == "T"
        and reversal in lorentz()
        and reversal not in group
        and reversal not in lorentz(kind="SO")
    )
    assert Linear(2 * np.eye(4)) not in lorentz()


def test_elements_outside_have_no_logarithm() -> None:
    cases: list[tuple[LieGroup[Any], Any]] = [
        (orthogonal(3), Rigid(np.diag([-1.0, 1, 1]))),
        (special_orthogonal(3), Rigid(np.diag([-1.0, -1, 1]))),  # turns by pi
        (general_linear(2), Linear([[-1, 0], [0, 1]])),
        (lorentz(), lorentz().components[-1]),
    ]
    for group, g in cases:
        with pytest.raises(OrbitscopeError, match="negative real axis"):
            group.log(g)
    with pytest.raises(OrbitscopeError, match="outside the span"):
        lorentz().log(Linear(2 * np.eye(4)))
    with pytest.raises(OrbitscopeError, match="Rigid of 3 dimensions"):
        special_orthogonal(3).log(Linear(np.eye(3)))  # type: ignore[arg-type]


def test_a_learnt_algebra_shows_its_error_and_works() -> None:
    noise = np.random.default_rng(0).standard_normal((3, 3, 3))
    so3 = special_orthogonal(3)
    learnt = LieGroup.from_algebra("learnt", so3.algebra + 0.01 * noise)
    assert 3e-3 < learnt.closure_error() < 0.1 and 3e-3 < learnt.algebra_distance(so3) < 0.1
    with pytest.raises(OrbitscopeError, match="not closed"):
        learnt.check()
    probes = learnt.probes(5)
    assert all(g in learnt for g in probes) and len(set(probes)) == 5
    turned = LieGroup.from_algebra("another basis", np.tensordot([[2, 1, 0], [0, 1, 5], [1, 0, 1]], learnt.algebra, 1))
    assert turned.closure_error() == pytest.approx(learnt.closure_error(), rel=1e-9) and turned.algebra_distance(learnt) < 1e-12
    off = LieGroup.from_algebra("off", [[[0.01, -1], [1, 0.0]]])  # 1 % off so(2): closed, as any single generator is
    assert off.closure_error() == 0 and off.algebra_distance(special_orthogonal(2)) == pytest.approx(0.01 / np.sqrt(2), rel=0.01)
    assert np.abs(off.log(off.exp([0.8])) - 0.8).max() < 1e-12


def test_groups_are_values() -> None:
    assert len(set(GROUPS)) == len(GROUPS)
    assert special_euclidean(3) == special_euclidean(3) != special_euclidean(3, scale=2) and lorentz() != lorentz(kind="SO")
    j = [[[0, -1], [1, 0]]]
    assert LieGroup("a", j) == LieGroup("a", j) != LieGroup("a", np.multiply(j, 2)) and isinstance(LieGroup("a", j), Group)
    assert not special_orthogonal(3).finite and special_orthogonal(3).ndim == 3 == special_euclidean(3).ndim


def test_mistakes_are_named() -> None:
    for make, match in (
        (lambda: LieGroup("a", [[1, 2], [3, 4]]), r"`algebra` should be finite matrices \[k, N, N\], got shape \(2, 2\)"),
        (lambda: LieGroup("a", [np.eye(2), 2 * np.eye(2)]), "span 1 dimensions only"),
        (lambda: LieGroup("a", [np.eye(2)], scale=-1), "`scale` should be positive"),
        (lambda: LieGroup("a", [np.eye(2)], components=[Linear([[2, 0], [0, 1]])]), "first of `components`"),
        (lambda: special_orthogonal(3).exp([1, 2]), r"3 coefficients or a matrix, got shape \(2,\)"),
        (lambda: special_orthogonal(3).vee(np.eye(3)), "outside the span"),
        (lambda: special_orthogonal(1), "`n` should be at least 2, got 1"),
        (lambda: lorentz(0, 3), "`time` and `space`"),
        (lambda: special_orthogonal(3).elements, "not a finite list"),
        (lambda: special_orthogonal(3).probes(0), "at least 1, got 0"),
    ):
        with pytest.raises(OrbitscopeError, match=match):
            make()
