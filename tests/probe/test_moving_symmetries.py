"""Galilean boosts and other units of mass are symmetries like any other: the same instruments, a verdict, a name for what breaks."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import orbitscope as osc
from orbitscope.nn import Galilean
from orbitscope.symmetry import Boost, Velocity

from ..cases import convolutions

Make = Callable[..., osc.Trajectories]


def test_a_boosted_pair_is_that_of_boost(random_data: Make) -> None:
    data = random_data("velocity:vector", "pressure", points=6)
    symmetry, c = osc.Symmetry.boosts(data), Velocity((0.4, -1.1))
    x, y = data.pairs([0, 1], [0, 1])
    moved = Boost(data.layout, data.grid, c.components).pair(x, y, data.dt)
    torch.testing.assert_close(symmetry.pair(c, x, y), (moved.x, moved.y), rtol=0, atol=0)
    two = osc.Symmetry.boosts(data, frames=2).input(c, torch.cat([x, y], 1))
    earlier = Boost(data.layout, data.grid, c.components).state(x, -data.dt)
    torch.testing.assert_close(two, torch.cat([earlier, symmetry.input(c, y)], 1), rtol=0, atol=1e-13)


def test_group_laws_of_the_action(random_data: Make) -> None:
    """On an odd grid, where Fourier shifts compose."""
    data = random_data("velocity:vector", points=5)
    act, x = osc.Symmetry.boosts(data).output, data.pairs([0], [0])[0]
    a, b = Velocity((0.3, 0.7)), Velocity((-1.2, 0.1))
    torch.testing.assert_close(act(a @ b, x), act(a, act(b, x)), rtol=0, atol=1e-12)
    torch.testing.assert_close(act(a.inverse(), act(a, x)), x, rtol=0, atol=1e-12)


def test_a_galilean_model_holds_and_a_plain_one_is_broken(random_data: Make) -> None:
    data = random_data("velocity:vector", points=5, trajectories=10)
    symmetry = osc.Symmetry.boosts(data, speeds=(2.0, 8.0))
    for model, word in ((Galilean(convolutions(2), data.layout, data.grid, data.dt), "exact"), (convolutions(2), "broken")):
        error = osc.equivariance(model, data, symmetry)
        words = osc.verdict(symmetry, error, osc.influence(model, data, symmetry, trajectories=6, times=1))
        said = {str(n): str(w) for n, w in zip(words["element"].values, words["output"].values, strict=True)}
        assert said.pop("e").startswith("exact")
        assert all(w.startswith(word) for w in said.values()), (word, said)
        assert words.attrs["holding_subgroup"].count(",") == (15 if word == "exact" else 0)
        assert symmetry.group.name in words["subgroup"].values


def test_another_unit_of_mass(random_data: Make) -> None:
    data = random_data("density", "momentum:vector", "energy", points=5, trajectories=8)
    symmetry = osc.Symmetry.densities(data, 4.0)
    linear = nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular", bias=False).double()
    assert float(osc.equivariance(linear, data, symmetry)["commutator"].max()) < 1e-13
    plain = osc.equivariance(convolutions(4), data, symmetry)
    assert float(plain["commutator"][1:].median()) > 0.01


def test_elements_of_another_kind_are_refused_by_name(random_data: Make) -> None:
    data = random_data("velocity:vector", points=4)
    with pytest.raises(osc.OrbitscopeError, match="Velocity"):
        osc.Symmetry.boosts(data).input(osc.dihedral(4)["r"], data.pairs([0], [0])[0])
    gas = random_data("density", points=4)
    with pytest.raises(osc.OrbitscopeError, match="time step"):
        osc.Symmetry.densities(gas).input(osc.symmetry.Factors(velocity=2.0), gas.pairs([0], [0])[0])


def test_lie_derivative_of_boosts_is_that_of_the_words(random_data: Make) -> None:
    """The generator by name and the boost curve's slope agree with the action's own tangent."""
    data = random_data("velocity:vector", points=5)
    act = osc.Symmetry.boosts(data).output
    x = data.pairs([0, 1], [0, 0])[0]
    by_name = osc.probe.generator("boost_x", data)
    found = act.tangent(lambda t: Velocity((t, 0.0)), x)
    np.testing.assert_allclose(found.numpy(), by_name.after(x).numpy(), atol=1e-9)
