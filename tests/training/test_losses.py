"""Losses in any number of space dimensions, as objects, and what leaves them unchanged."""

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.symmetry import Grid, GridAction, Layout, dihedral, octahedral, parse_group
from orbitscope.training import MSE, SMSE, CrossEntropy, Loss, as_loss, invariance_error, relative_l2, smse


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("space", [(6,), (4, 5), (3, 4, 2)])
def test_smse_and_relative_l2_are_the_formulas(space):
    """Written out over the flattened space; so an axis of one cell more or less changes nothing."""
    prediction, target = draw(3, 4, *space), draw(3, 4, *space, seed=1) * torch.tensor([1.0, 5.0, 0.1, 2.0]).reshape(4, *[1] * len(space))
    p, t = prediction.flatten(2), target.flatten(2)
    expected = torch.empty(3, 4, dtype=torch.float64)
    for b in range(3):
        for c in range(4):
            rms = math.sqrt(sum(v * v for v in t[b, c].tolist()) / t.shape[2])
            squares = [(i - j) ** 2 for i, j in zip(p[b, c].tolist(), t[b, c].tolist(), strict=True)]
            expected[b, c] = sum(squares) / len(squares) / (rms + 1e-6)
    torch.testing.assert_close(smse(prediction, target, "channel"), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(smse(prediction, target), expected.mean(), rtol=1e-12, atol=0)
    torch.testing.assert_close(smse(prediction[..., None], target[..., None], "none"), expected.mean(1), rtol=1e-12, atol=0)
    torch.testing.assert_close(relative_l2(prediction, target), (p - t).norm(dim=2) / t.norm(dim=2), rtol=1e-12, atol=0)


def test_without_a_space_axis_the_rms_is_that_of_the_vector_or_of_its_fields():
    layout = Layout.of("mass", "velocity:vector")
    prediction, target = draw(5, 3), draw(5, 3, seed=1) * torch.tensor([10.0, 1.0, 0.2])
    error = (prediction - target).square()
    rms = target.square().mean(1, keepdim=True).sqrt() + 1e-6
    torch.testing.assert_close(smse(prediction, target, "channel"), error / rms, rtol=1e-12, atol=0)
    velocity = target[:, 1:].square().mean(1).sqrt() + 1e-6
    expected = (error[:, 0] / (target[:, 0].abs() + 1e-6) + error[:, 1:].sum(1) / velocity) / 3
    torch.testing.assert_close(smse(prediction, target, "none", per="field", layout=layout), expected, rtol=1e-12, atol=0)
    whole = (prediction - target).norm(dim=1) / target.norm(dim=1)
    torch.testing.assert_close(relative_l2(prediction, target).square().mean(1).sqrt(), whole, rtol=1e-12, atol=0)
    angle = 0.4
    turn = torch.tensor(layout.matrix([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]))
    for more in ({}, {"per": "field", "layout": layout}):
        moved = smse(prediction @ turn.T, target @ turn.T, **more)
        torch.testing.assert_close(moved, smse(prediction, target, **more), rtol=1e-12, atol=0)


@dataclass(frozen=True)
class OnGrid:
    """What a symmetry shows: elements, and what they do to input and output."""

    group: Any
    input: Any
    output: Any

    def elements(self):
        return tuple(self.group)


def on_grid(layout, grid, group):
    action = GridAction(layout, grid)
    return OnGrid(group, action, action)


@pytest.mark.parametrize(
    ("layout", "grid", "group"),
    [
        (Layout.of("u", ndim=1), Grid.square(8, ndim=1), parse_group("tx", points=(8,))),
        (Layout.of("rho", "v:vector"), Grid.square(6), dihedral(4)),
        (Layout.of("rho", "v:vector", ndim=3), Grid.square(4, ndim=3), octahedral()),
    ],
)
def test_losses_of_fields_are_invariant_and_a_broken_one_is_caught(layout, grid, group):
    symmetry = on_grid(layout, grid, group)
    y = draw(3, layout.channels, *grid.shape)
    for loss in ("mse", smse, SMSE(), SMSE("field", layout), torch.nn.functional.l1_loss):
        assert invariance_error(loss, symmetry, y, y) < 1e-12
    weight = torch.linspace(0, 1, grid.shape[0], dtype=torch.float64)
    weight = weight.reshape(-1, *[1] * (grid.ndim - 1))
    assert invariance_error(lambda p, t: (weight * (p - t).square()).mean(), symmetry, y, y) > 0.01


def test_one_example_cannot_hide_another():
    """A shift of half the box exchanges the two halves: over the pair the loss is the same, for each alone it is not."""
    layout, grid = Layout.of("u", ndim=1), Grid.square(8, ndim=1)
    y = draw(1, 1, 8)
    pair = torch.cat([y, y.roll(4, -1)])

    def half(p, t):
        return (p - t)[..., :4].square().mean()

    assert invariance_error(half, on_grid(layout, grid, parse_group("tx2", points=(8,))), pair, pair) > 0.01


def test_vectors_classes_and_states_of_parts():
    turn = {"e": torch.eye(2, dtype=torch.float64), "r": torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)}
    y = draw(7, 2)
    rotations = OnGrid(turn.values(), lambda g, x: x @ g.T, lambda g, x: x @ g.T)
    assert SMSE().check_invariance(rotations, y, y) < 1e-14 < invariance_error(torch.nn.functional.l1_loss, rotations, y, y)
    both = OnGrid(turn.values(), rotations.input, lambda g, s: (s[0] @ g.T, s[1]))
    parts = (y, draw(7, 3))
    assert MSE().check_invariance(both, y, parts) < 1e-14
    expected = (2 * y).square().mean() + parts[1].square().mean()
    torch.testing.assert_close(MSE()((3 * y, 2 * parts[1]), parts), expected)
    exchange = OnGrid(([0, 1, 2], [2, 1, 0]), lambda g, x: x, lambda g, s: torch.tensor(g)[s] if not s.is_floating_point() else s[:, g])
    logits, truth = draw(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    assert CrossEntropy().check_invariance(exchange, y, truth, prediction=logits) < 1e-14
    with pytest.raises(OrbitscopeError, match="say what a `prediction`"):
        CrossEntropy().check_invariance(exchange, y, truth)


def test_names_objects_and_callables_are_losses():
    y, p = draw(4, 2, 5), draw(4, 2, 5, seed=1)
    assert as_loss("smse") == SMSE() == as_loss(smse) and as_loss("smse")(p, y) == smse(p, y)
    assert as_loss(SMSE("field")).name == "smse per field" and as_loss(torch.nn.functional.mse_loss).name == "mse_loss"

    class Sees:
        name, needs_state = "sees", True

        def __call__(self, prediction, target, state):
            return (prediction - target - state).square().mean()

        def targets(self, x, y):
            return y + x

    made = as_loss(Sees())
    assert made.needs_state and made.name == "sees" and isinstance(made, Loss) and torch.equal(made.targets(p, y), p + y)
    assert made(p, y, p) == y.square().mean()
    assert as_loss(Sees()).__name__ == "sees"


@pytest.mark.wrong_types
def test_a_number_is_no_loss():
    with pytest.raises(OrbitscopeError, match="callable"):
        as_loss(3)  # pyright: ignore[reportArgumentType]
