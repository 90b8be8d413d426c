"""The loss along a line, against the models of the line written out; and the two ends that cannot be joined."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from orbitscope import OrbitscopeError
from orbitscope.data import Trajectories
from orbitscope.nn import Symmetrized
from orbitscope.probe import loss_along_line
from orbitscope.symmetry import Grid, GridAction, Layout, dihedral
from orbitscope.training import StateSMSE, StateUnits, smse

GRID, LAYOUT = Grid.square(4), Layout.of("velocity:vector")


class Two(nn.Module):
    """Two layers, so that the path between two models is none of their answers; with a buffer that takes part."""

    size: Tensor

    def __init__(self, seed: int, width: int = 3) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.second = nn.Conv2d(2, width, 1), nn.Conv2d(width, 2, 1)
        self.register_buffer("size", torch.rand(1) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.size * self.second(torch.tanh(self.first(x)))


def states() -> Trajectories:
    values = torch.randn(3, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    return Trajectories(values, LAYOUT, GRID, 0.1)


def line(first: nn.Module, second: nn.Module, **more):
    return loss_along_line(first, second, states(), "d4", points=5, trajectories=None, times=None, **more)


@pytest.mark.parametrize("loss", [None, StateSMSE(StateUnits((2,), (0.1,)))])
def test_the_loss_along_a_line_is_that_of_the_models_on_it(loss):
    ends = [Two(0).double(), Two(1).double()]
    found = line(*ends, elements=["e", "sr"], loss=loss, batch=4)
    data, action = states(), GridAction(LAYOUT, GRID)
    x, y = (data.tensor().double()[:, a:b].transpose(0, 1).flatten(0, 1) for a, b in ((0, 2), (1, 3)))
    for k, a in enumerate(found["position"].values):
        between = Two(0).double()
        mixed = {n: (1 - a) * t + a * ends[1].state_dict()[n] for n, t in ends[0].state_dict().items()}
        between.load_state_dict(mixed)
        for name in ("e", "sr"):
            g = next(e for e in dihedral(4) if e.name == name)
            gx, gy = action(g, x), action(g, y)
            each = smse(between(gx), gy, "none") if loss is None else loss.each(between(gx), gy, gx)
            np.testing.assert_allclose(found["loss"].sel(element=name)[k], each.detach(), rtol=1e-10)
    means = found["loss"].mean("transition").values
    a = found["position"].values
    expected = [max(m - (1 - b) * row[0] - b * row[-1] for m, b in zip(row, a, strict=True)) for row in means]
    np.testing.assert_allclose(found["barrier"], expected, atol=1e-15)
    np.testing.assert_allclose(found["relative_barrier"], np.array(expected) / means[:, [0, -1]].max(1), atol=1e-15)


def test_a_barrier_between_two_orders_of_the_hidden_units_and_none_to_itself():
    """The same map twice, its hidden units in another order and sign: equal at the ends, worse between; to itself the line is flat."""
    one, other = Two(0), Two(0)
    with torch.no_grad():
        for weight in (other.first.weight, other.first.bias, other.second.weight):
            assert weight is not None
            weight.neg_()
    found, flat = line(one, other), line(one, one)
    np.testing.assert_allclose(found["loss"][:, 0], found["loss"][:, -1], rtol=1e-5)
    assert (abs(flat["barrier"]) < 1e-6).all() and np.ptp(found["loss"].mean("transition").values, axis=1).min() > 1e-3
    assert found.attrs["kind"] == "loss along a line" and found.attrs["space"] == "weights"


def test_towards_the_group_average_there_is_no_barrier_and_its_end_is_the_same_on_every_copy():
    model = Two(0).double()
    found = line(model, Symmetrized(model, "d4", GridAction(LAYOUT, GRID)), space="answers")
    ends = found["loss"].mean("transition").values
    assert np.ptp(ends[:, -1]) < 1e-12 < np.ptp(ends[:, 0]) and (found["barrier"] <= 1e-15).all()
    assert (np.diff(ends, 2, axis=1) > 0).all()  # convex


@pytest.mark.parametrize(
    ("second", "options", "words"),
    [
        (Two(1, 4), {}, "'first.weight' has shape"),
        (Two(1), {"space": "functions"}, "'weights' or 'answers'"),
        (Two(1), {"points": 2}, "at least 3"),
    ],
)
def test_mistakes_are_named(second, options, words):
    with pytest.raises(OrbitscopeError, match=words):
        loss_along_line(Two(0), second, states(), "d4", **options)
