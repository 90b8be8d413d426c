"""A basis learnt by finite motions, and the differentiable motions that it needs, against the library's own actions."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from orbitscope import OrbitscopeError
from orbitscope.data import Examples
from orbitscope.discover import Atlas, Commutator, Problem, discover_symmetry, principal_cosines
from orbitscope.discover._carried import carry, inside
from orbitscope.symmetry import (
    Action,
    Charts,
    Classes,
    FieldAction,
    Grid,
    GridAction,
    Invariant,
    Layout,
    LieGroup,
    PartsAction,
    Patch,
    Points,
    Symmetry,
    Values,
    euclidean,
    general_linear,
    special_orthogonal,
)

TURN = np.array([[[0.0, -1.0], [1.0, 0.0]]])
VECTOR = FieldAction(Layout.of("x:vector"), Values())
MIXED = Layout.of("T", "u:vector", "s:tensor")


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


CASES: list[tuple[Action[Any], LieGroup[Any], tuple[int, ...]]] = [
    (FieldAction(MIXED, Values()), general_linear(2), (5, 7)),
    (FieldAction(Layout.of("p:point", "u:vector"), Points()), euclidean(2), (5, 3, 4)),
    (FieldAction(Layout.of("e:irrep:1", "T"), Values()), special_orthogonal(2), (5, 3)),
    (FieldAction(MIXED, Patch((6, 5), 0.5)), general_linear(2), (5, 7, 6, 5)),
    (FieldAction(Layout.of("T"), Patch((6, 5), 0.5, order=1)), euclidean(2), (5, 1, 6, 5)),
]


@pytest.mark.parametrize(("action", "group", "shape"), CASES, ids=lambda c: repr(c)[:30])
def test_carried_states_are_those_of_the_action(action: FieldAction, group: LieGroup[Any], shape: tuple[int, ...]) -> None:
    state, basis = normal(*shape), group.algebra
    coefficients = 0.4 * normal(len(state), group.size, seed=1)
    moved = carry(action, group, basis)(coefficients, state)
    mask = inside(action, group, basis)(coefficients)
    for k, a in enumerate(coefficients.numpy()):
        g = group.exp(a)
        assert torch.allclose(moved[k], action(g, state[k : k + 1])[0], atol=1e-10)
        assert mask is None or torch.equal(mask[k, 0], action.mask(g))
    c = group.components[-1] @ group.exp(0.2 * np.ones(group.size))  # and after an element of another component
    again, there = carry(action, group, basis, c)(coefficients, state), inside(action, group, basis, c)(coefficients)
    for k, a in enumerate(coefficients.numpy()):
        assert torch.allclose(again[k], action(group.exp(a) @ c, state[k : k + 1])[0], atol=1e-10)
        assert there is None or torch.equal(there[k, 0], action.mask(group.exp(a) @ c))
    assert torch.autograd.gradcheck(lambda a: carry(action, group, basis)(a, state).sum(), coefficients.requires_grad_(), atol=1e-5)


def test_charts_have_an_element_each_and_parts_and_classes_are_carried() -> None:
    group, basis = general_linear(2), general_linear(2).algebra
    patch = FieldAction(MIXED, Patch((6, 5)))
    state, a = normal(3, 2, 7, 6, 5), 0.3 * normal(3, 2, 4, seed=1)
    moved = carry(FieldAction(MIXED, Charts(Patch((6, 5)))), group, basis)(a, state)
    assert torch.allclose(moved[:, 1], carry(patch, group, basis)(a[:, 1], state[:, 1]))
    both = carry(PartsAction(VECTOR, Invariant(1)), group, basis)(a[:, 0], (normal(3, 2), normal(3, 1)))
    assert torch.allclose(both[0], carry(VECTOR, group, basis)(a[:, 0], normal(3, 2))) and torch.equal(both[1], normal(3, 1))
    assert torch.equal(carry(Classes(2), group, basis)(a[:, 0], normal(3, 2)), normal(3, 2))
    with pytest.raises(OrbitscopeError, match="not by GridAction"):
        carry(GridAction(Layout.of("T"), Grid.square(4)), group, basis)


def vectors(f: Any, output: Action[Any] | None = None, **settings: Any) -> tuple[Any, Problem]:
    x = normal(200, 2)
    problem = Problem(Symmetry(general_linear(2), VECTOR, output or Invariant(1)), Examples(x, f(x)), (f,))
    return Atlas(**{"steps": 150, **settings}).search(problem), problem


@pytest.mark.parametrize(
    ("f", "output", "truth", "settings"),
    [
        (lambda x: torch.sin(x.square().sum(1, keepdim=True)), None, TURN, {}),
        (lambda x: torch.sin((x[:, :1] ** 2 - x[:, 1:] ** 2) / 2), None, [[[0, 1], [1, 0]]], {"reach": 0.5}),
        (
            lambda x: torch.sin(x[:, :1]),
            None,
            [[[0, 0], [1, 0]], [[0, 0], [0, 1]]],
            {"magnitude": 0.03},
        ),  # the acting matrix, not minus its transpose
        (lambda x: x * torch.sin(x.square().sum(1, keepdim=True)), VECTOR, TURN, {"reach": 0.5}),
    ],
    ids=["so(2)", "so(1,1)", "keeps x", "vector"],
)
def test_known_groups_of_the_plane(f: Any, output: Action[Any] | None, truth: Any, settings: dict[str, float]) -> None:
    found, _ = vectors(f, output, generators=len(truth), steps=250, **settings)
    assert principal_cosines(found.basis, np.asarray(truth, dtype=float)).min() > np.cos(np.radians(3)) and found.scores.max() < 0.2
    assert np.allclose(np.linalg.norm(found.basis, axis=(1, 2)), 1)


def test_one_generator_too_many_is_seen_in_its_score_and_seeds_repeat() -> None:
    f = lambda x: torch.sin(x.square().sum(1, keepdim=True))  # noqa: E731
    found, problem = vectors(f, generators=2)
    assert found.scores[0] < 0.05 and found.scores[1] > 0.3 and principal_cosines(found.basis[:1], TURN)[0] > 0.999
    assert np.array_equal(vectors(f, generators=2)[0].basis, found.basis)
    sparse, _ = vectors(lambda x: torch.sin(x[:, :1]), generators=2, sparse=True, similarity=1.0, steps=250)
    assert np.abs(sparse.basis).prod(0).sum() < 0.2  # few entries are shared
    turn = torch.as_tensor(problem.basis().reshape(4, -1) @ TURN.ravel())[None]
    stretch = torch.as_tensor(problem.basis().reshape(4, -1) @ np.eye(2).ravel())[None]
    angles = normal(200, 1, seed=3)
    assert Commutator(problem).breaking(angles * turn) < 1e-6 and Commutator(problem).breaking(0.5 * angles * stretch) > 0.3


def test_a_generator_that_shrinks_to_the_identity_is_said_and_is_no_symmetry() -> None:
    """Every map commutes with the identity: without the term that lets generators grow, the loss alone leads there."""

    class Nothing(Ring):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sin(self.rate * (x @ x.new_tensor([[1.0], [0.3]]) + x[:, :1] * x[:, 1:]) + x[:, 1:] ** 3 / 3)

    x = normal(300, 2)
    method = Atlas(steps=250, magnitude=0.0, starts=1)
    found = discover_symmetry((x, Nothing()(x).detach()), "gl2", method, model=Nothing())
    assert found.count == 0 and found.about["collapsed"] == 1 and "1 generator shrank to the identity" in found.sentence()
    kept, _ = vectors(lambda x: torch.sin(x.square().sum(1, keepdim=True)), generators=1)
    assert kept.collapsed == 0


def bumps(charts: int, margin: int, stretch: float) -> Problem:
    """A band-pass filter of smooth random fields on patches, in a medium that is stretched along x by `stretch`."""
    patch, taps = Patch((17, 17)), torch.arange(-4, 5, dtype=torch.float64)
    square = lambda taps, s: (taps / s).square()[:, None] + taps.square()[None]  # noqa: E731
    wide = [torch.exp(-square(taps, stretch) / w) for w in (2.5, 1.0)]
    kernel = wide[0] / wide[0].sum() - wide[1] / wide[1].sum()
    smooth = torch.exp(-square(torch.arange(-6, 7, dtype=torch.float64), 1.0) / 18)
    field = torch.nn.functional.conv2d(normal(40 * charts, 1, 17, 17), smooth[None, None], padding=6).reshape(40, charts, 1, 17, 17)

    def f(x: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(x.flatten(0, 1), kernel[None, None]).reshape(len(x), charts, 1, 9, 9)

    actions = [FieldAction(Layout.of("T"), Charts(p)) for p in (patch, patch.inner(margin))]
    return Problem(Symmetry(general_linear(2), *actions), Examples(field, f(field)), (f, f), charts=charts)


def test_a_filter_on_charts_turns_in_its_own_metric() -> None:
    problem = bumps(1, 4, 1.2)
    found = Atlas(steps=200, batch=8).search(problem)
    turn = np.array([[0.0, -1.2], [1 / 1.2, 0.0]])  # not its transpose, 20 degrees off
    assert principal_cosines(found.basis, turn[None])[0] > np.cos(np.radians(1.5)), found.basis


class Ring(torch.nn.Module):
    """A function of the radius."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = torch.nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.rate * x.square().sum(1, keepdim=True))


def test_the_verb_takes_it() -> None:
    x = normal(300, 2)
    found = discover_symmetry((x, Ring()(x).detach()), "gl2", Atlas(steps=120), model=Ring(), candidates=4)
    assert found.method == "atlas" and found.count == 1 and found.identification().name == "so(2)"
    assert len(found.components) == 1 and np.linalg.det(found.components[0]) < 0 and "form a group" in found.about["components"]
    group = found.group()
    assert isinstance(group, LieGroup) and len(group.components) == 2


def test_mistakes_are_named() -> None:
    f = lambda x: x.sum(1, keepdim=True)  # noqa: E731
    for make, match in (
        (lambda: Atlas(reach=-1.0), "`reach` should be positive"),
        (lambda: Atlas(generators=0), "`generators` should be at least 1"),
        (lambda: Atlas(steps="many"), "`steps`"),  # type: ignore[arg-type]
        (lambda: Atlas(learning_rate=0.0), "`learning_rate` should be positive"),
        (lambda: vectors(f, generators=5), "are more than the 4 of GL"),
    ):
        with pytest.raises(OrbitscopeError, match=match):
            make()
