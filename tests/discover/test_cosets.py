"""Components of a symmetry group: found, told apart from the identity's, closed under products, and absent where there are none."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from orbitscope import OrbitscopeError
from orbitscope.data import Examples
from orbitscope.discover import Commutator, Problem, components, distance_to_group
from orbitscope.discover._cosets import random_element, stretched
from orbitscope.symmetry import (
    FieldAction,
    Group,
    Invariant,
    Layout,
    LieGroup,
    Linear,
    Symmetry,
    Values,
    euclidean,
    general_linear,
    lorentz,
    orthogonal,
)

TURN, BOOST, NONE = np.array([[[0.0, -1.0], [1.0, 0.0]]]), np.array([[[0.0, 1.0], [1.0, 0.0]]]), np.zeros((0, 2, 2))


def turned(t: float) -> np.ndarray:
    return np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])


def problem(f: Callable[[Tensor], Tensor], *, error: float = 0.0, seed: int = 0) -> Problem:
    """A map of the plane, and a predictor that errs by a smooth function of size `error`."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(300, 2, generator=generator, dtype=torch.float64)
    waves = torch.randn(2, 12, generator=generator, dtype=torch.float64)
    phases = 6.28 * torch.rand(12, generator=generator, dtype=torch.float64)

    def predictor(x: Tensor) -> Tensor:
        return f(x) + error * float(f(x0).std()) * torch.cos(x @ waves + phases).mean(1, keepdim=True) * 24**0.5

    x0 = x
    act = FieldAction(Layout.of("x:vector"), Values())
    return Problem(Symmetry(general_linear(2), act, Invariant(1)), Examples(x, f(x)), (predictor,), seed=seed)


def diamond(x: Tensor) -> Tensor:
    return torch.sin(1.5 * x.abs().sum(1, keepdim=True))


def test_membership_sees_far_elements_and_no_strangers() -> None:
    assert distance_to_group(turned(2.0), 0.05 * TURN) < 1e-9  # the published test denies it
    assert distance_to_group(turned(np.pi), TURN) < 1e-9
    assert distance_to_group(np.diag([1.0, 0.6]), TURN) > 0.3  # the published test takes it for a turn
    assert distance_to_group(np.diag([-1.0, 1.0]), TURN) > 1 and distance_to_group(-np.eye(2), BOOST) > 1
    assert distance_to_group(np.asarray(scipy.linalg.expm(3 * BOOST[0]), dtype=np.float64), 7 * BOOST) < 1e-9
    assert distance_to_group(turned(0.3), NONE) == pytest.approx(2 * np.sin(0.15), rel=1e-12)
    group = lorentz()
    for seed in range(3):
        g = group._draw(np.random.default_rng(seed)).matrix
        assert distance_to_group(g, group.algebra) < 1e-8
        assert min(distance_to_group(c.matrix @ g, group.algebra) for c in group.components[1:]) > 0.9
    so3 = orthogonal(3)
    assert max(distance_to_group(so3._draw(np.random.default_rng(k)).matrix, so3.algebra) for k in range(6)) < 1e-9


@pytest.mark.parametrize(
    ("f", "algebra", "count"),
    [
        (diamond, NONE, 8),
        (lambda x: torch.sin(x.square().sum(1, keepdim=True)), TURN, 2),
        (lambda x: torch.sin(x[:, :1] + 0.3 * x[:, 1:] ** 2) + torch.cos(2 * x[:, 1:] - 1), NONE, 1),
    ],
    ids=["D4", "O(2)", "none"],
)
def test_known_components(f: Callable[[Tensor], Tensor], algebra: np.ndarray, count: int) -> None:
    found = components(problem(f), algebra, candidates=12, steps=50)
    assert len(found.matrices) == count - 1 and found.closed and found.table.shape == (count, count)
    assert all(sorted(row) == list(range(count)) for row in found.table.tolist())
    for m in found.matrices:
        assert abs(abs(np.linalg.det(m)) - 1) < 1e-6 and np.abs(m.T @ m - np.eye(2)).max() < 0.1
    if count == 8:
        whole = np.rint(found.matrices)
        group = Group.generated("found", [Linear(m, name=f"g{k}") for k, m in enumerate(whole)])
        assert len(group) == 8 and np.abs(whole - found.matrices).max() < 0.05
    if count == 1:
        assert "identity's component" in found.sentence() and found.identity == found.accepted > 0
    else:
        assert "form a group" in found.sentence() and found.breaking.max() < found.limit < 0.05


def test_an_algebra_that_is_known_roughly_makes_no_components_of_its_own() -> None:
    """A turn that also shrinks a little: far elements of the circle's group lie off its group, by what the angle tells."""
    tilted = TURN + 0.15 * np.eye(2)
    asked = problem(lambda x: torch.sin(x.square().sum(1, keepdim=True)))
    angle = float(np.degrees(np.arccos(1 / np.sqrt(1 + 0.15**2))))
    believed, told = (components(asked, tilted, angle=a, candidates=8) for a in (0.0, angle))
    assert len(believed.matrices) > 1, "taken for exact, it splits the turns into pieces"
    assert len(told.matrices) == 1 and told.closed and np.linalg.det(told.matrices[0]) < 0
    assert components(asked, TURN, angle=float("nan"), candidates=8).matrices.shape == (1, 2, 2)


def test_a_predictor_that_errs_allows_as_much_and_finds_no_more() -> None:
    """Turned by a quarter or not at all: an error of 10 % hides no component and makes none."""
    found = components(problem(diamond, error=0.1, seed=1), NONE, candidates=12, steps=50)
    assert len(found.matrices) == 7 and found.closed and 2e-3 < found.error < 3e-2 and found.limit > 5e-3
    assert not len(components(problem(lambda x: torch.sin(x[:, :1] + x[:, 1:] ** 2), error=0.1), NONE, candidates=4, steps=40).matrices[1:])


def test_a_map_that_no_motion_changes_says_nothing() -> None:
    same = components(problem(lambda x: x.sign().prod(1, keepdim=True) * 0 + 1 + 1e-9 * x[:, :1]), NONE, candidates=3, steps=2)
    assert same.random > 0  # even a tiny answer has a scale of its own
    group = general_linear(2)
    rotations = [random_element(problem(diamond), k) for k in range(40)]
    assert all(np.abs(g.matrix.T @ g.matrix - np.eye(2)).max() < 1e-9 for g in rotations)
    angles = [np.degrees(np.arctan2(g.matrix[1, 0], g.matrix[0, 0])) for g in rotations if np.linalg.det(g.matrix) > 0]
    assert np.ptp(angles) > 200 and {round(float(np.linalg.det(g.matrix))) for g in rotations} == {1, -1}
    assert abs(np.linalg.det(stretched(problem(diamond), group.identity, 3).matrix) - 1) < 1e-9
    act = FieldAction(Layout.of("p:point"), Values())
    moving = Problem(Symmetry(euclidean(2), act, Invariant(1)), Examples(torch.zeros(4, 2), torch.zeros(4, 1)), (lambda x: x[:, :1],))
    assert random_element(moving, 1) in euclidean(2)
    shear = LieGroup("shear", [[[0.0, 1.0], [0.0, 0.0]]])
    held = Problem(Symmetry(shear, FieldAction(Layout.of("x:vector"), Values()), Invariant(1)), moving.examples, moving.predictors)
    assert random_element(held, 0) in shear  # no group of turns: its elements are taken as they come


def test_the_commutator_of_a_start_is_that_of_the_product() -> None:
    p = problem(diamond)
    flip = p.group.components[1]
    rows, weights = torch.arange(20), torch.full((20, 4), 0.1, dtype=torch.float64)
    product = p.group.exp(np.full(4, 0.1)) @ flip
    assert float(Commutator(p).at(flip)(0, rows, weights)) == pytest.approx(
        float(Commutator(p).at(product)(0, rows, 0 * weights)), rel=1e-9
    )
    assert Commutator(p).error() == 0.0


def test_mistakes_are_named() -> None:
    with pytest.raises(OrbitscopeError, match=r"`algebra` should be matrices \[k, 2, 2\]"):
        components(problem(diamond), np.eye(3)[None])
    with pytest.raises(OrbitscopeError, match="`candidates` and `steps`"):
        components(problem(diamond), NONE, candidates=0)
