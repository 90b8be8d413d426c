"""Somebody else's equivariant networks, through the public API alone: e3nn's, a PointNet, a plain policy."""

from typing import Any

import numpy as np
import pytest
import torch
from e3nn import o3
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.symmetry import FieldAction, Invariant, Permutation, Points, Symmetry, Values


class Tensors(nn.Module):
    """e3nn: spherical harmonics of every place, a tensor product with the features of the point, a sum; answers are vectors or scalars."""

    def __init__(self, out: str) -> None:
        super().__init__()
        self.harmonics: Any = o3.Irreps("1x0e + 1x1o + 1x2e")
        self.first = o3.FullyConnectedTensorProduct("2x0e", self.harmonics, "4x0e + 4x1o + 4x2e")
        self.second = o3.FullyConnectedTensorProduct("4x0e + 4x1o + 4x2e", "4x0e + 4x1o + 4x2e", out)

    def forward(self, x: Tensor) -> Tensor:
        place, mass = x[..., :3], x[..., 3:]
        y = o3.spherical_harmonics(self.harmonics, place, normalize=False, normalization="component")
        summed = self.first(torch.cat([mass, mass.square()], -1), y).sum(1)  # of two weights, or all vectors were parallel
        return self.second(summed, summed)


class PointNet(nn.Module):
    """Every point by itself, then the largest: no order, but a frame."""

    def __init__(self) -> None:
        super().__init__()
        self.each, self.last = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 8)), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.each(x).amax(1))


def tensors(out: str) -> nn.Module:
    """In float64 from the start: the coefficients of a tensor product that was made in float32 keep its precision."""
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(0)
        return Tensors(out)
    finally:
        torch.set_default_dtype(torch.float32)


def cloud(group: str, out: FieldAction | Invariant) -> Symmetry:
    layout = osc.Layout.of("place:vector", "mass", ndim=3)
    return Symmetry(osc.parse_group(group), FieldAction(layout, Points()), out)


VECTOR = FieldAction(osc.Layout.of("force:vector", ndim=3), Values())


def examples() -> osc.Examples:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(12, 4, 4, dtype=torch.float64, generator=generator)
    return osc.Examples(x, (x[..., 3:] * x[..., :3]).sum(1))


@pytest.mark.parametrize("group", ["so3", "o3"])
def test_an_e3nn_network_of_vectors(group: str) -> None:
    model, symmetry, data = tensors("1x1o"), cloud(group, VECTOR), examples()
    error = osc.equivariance(model, data, symmetry, trajectories=None)
    assert float(error["commutator"].max()) < 1e-12
    shared = osc.influence(model, data, symmetry, trajectories=6)
    np.testing.assert_allclose(shared["response"].values, 1, atol=1e-6)
    assert set(osc.verdict(symmetry, error, shared)["output"].values.tolist()) == {"exact up to rounding"}
    assert float(osc.probe.lie_derivative(model, data, symmetry)["relative"].max()) < 1e-9


def test_a_pseudovector_is_caught_by_its_reflections_alone() -> None:
    """The answer 1e is a vector of SO(3), and no vector of O(3): the elements that reflect are named, the others hold."""
    model = tensors("1x1e")
    data, symmetry = examples(), cloud("o3", VECTOR)
    error = osc.equivariance(model, data, symmetry, trajectories=None)
    known = {g.name: np.linalg.det(np.asarray(g.matrix)) for g in symmetry.elements()}
    by_name = error["commutator"].max("transition")
    for n in by_name["element"].values:
        value = float(by_name.sel(element=n))
        assert value < 1e-12 if known[str(n)] > 0 else value > 1.0, str(n)


def test_a_point_net_knows_no_order_and_a_frame() -> None:
    model, data = PointNet().double(), examples()
    layout = osc.Layout.of("place:vector", "mass", ndim=3)
    order = Symmetry(osc.symmetry.symmetric(4), Ordered(layout), Invariant(3))
    assert isinstance(order.group.probes(2)[1], Permutation)
    assert float(osc.equivariance(model, data, order, trajectories=None)["commutator"].max()) < 1e-13
    turned = osc.equivariance(model, data, cloud("so3", VECTOR), trajectories=None)
    words = dict(zip(turned["element"].values.tolist(), turned["commutator"].median("transition").values.tolist(), strict=True))
    assert words.pop("e") == 0 and min(words.values()) > 0.1


class Ordered(FieldAction):
    """Points that are exchanged and not turned."""

    def __init__(self, layout: osc.Layout) -> None:
        super().__init__(layout, Points())

    def require(self, element: Permutation) -> None:
        self.domain.require(element)

    def _mixed(self, element: Permutation, state: Tensor) -> Tensor:
        return state


def test_a_plain_policy_is_broken_by_name() -> None:
    torch.manual_seed(3)
    policy = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 2)).double()
    symmetry = Symmetry(
        osc.dihedral(4),
        FieldAction(osc.Layout.of("offset:vector", "speed"), Values()),
        FieldAction(osc.Layout.of("force:vector"), Values()),
    )
    x = torch.randn(40, 3, dtype=torch.float64)
    y = policy(x).detach() + 0.01 * torch.randn(40, 2, dtype=torch.float64)  # what it was cloned from, so that it has skill
    words = osc.verdict(symmetry, osc.equivariance(policy, osc.Examples(x, y), symmetry, trajectories=None))
    said = dict(zip(words["element"].values.tolist(), words["output"].values.tolist(), strict=True))
    assert said.pop("e") == "exact up to rounding" and set(said.values()) == {"broken"}
    assert words.attrs["learnt_subgroup"] == "e"
