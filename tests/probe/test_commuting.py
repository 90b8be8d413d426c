"""Normalisations and losses that respect a direction are told from those that do not."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

import orbitscope as osc
from orbitscope.data import Normalisation
from orbitscope.probe import commuting

Make = Callable[..., osc.Trajectories]


@pytest.mark.parametrize("name", ["navier-stokes.gauss", "euler.riemann", "shallow-water"])
def test_the_librarys_own_commute(simulated: Make, name: str) -> None:
    """One scale per field, means of invariants alone; the training loss under D4."""
    data = simulated(name)
    found = commuting(data, "d4", normalisation=Normalisation.fit(data), loss=osc.smse)
    assert found.attrs["verdict"] == "commutes"
    assert float(found["normalisation"].max()) < 1e-12 and float(found["loss"].max()) < 1e-12


def test_a_scale_per_component_breaks_turns_but_not_flips(simulated: Make) -> None:
    """The usual mistake; by hand, the error of a quarter turn of (a, b) scaled by 1 and 1/2."""
    data = simulated("navier-stokes.gauss")
    wrong = Normalisation(torch.zeros(2), torch.tensor([1.0, 2.0]))
    found = commuting(data, "d4", normalisation=wrong)
    broken = set(found["element"].values[found["normalisation"].values > 1e-9].tolist())
    assert broken == {"r", "r3", "sr", "sr3"} and found.attrs["worst_normalisation"] in broken
    assert "does not commute" in found.attrs["verdict"] and np.isnan(found["loss"]).all()
    x = torch.zeros(2, 4, 4, dtype=torch.float64)
    x[0] = 1.0
    single = osc.Trajectories(x.expand(1, 2, 2, 4, 4), data.layout, osc.Grid.square(4), dt=1.0)
    quarter = commuting(single, "c4", normalisation=wrong, elements=["r"])
    assert quarter["normalisation"].item() == pytest.approx(0.5)  # (1, 0) -> (0, 1/2) where (0, 1) is asked for


def test_a_mean_of_a_vector_breaks_flips(simulated: Make) -> None:
    """A constant vector points somewhere."""
    found = commuting(simulated("navier-stokes.gauss"), "d4", normalisation=Normalisation(torch.tensor([0.3, 0.0]), torch.ones(2)))
    broken = set(found["element"].values[found["normalisation"].values > 1e-9].tolist())
    assert broken == {"r", "r2", "r3", "s", "sr", "sr3"}


def weighted(prediction: Tensor, target: Tensor) -> Tensor:
    """Counts errors along x twice."""
    return ((prediction - target).square() * torch.tensor([2.0, 1.0])[:, None, None]).mean()


def test_a_loss_with_a_direction_is_found(simulated: Make) -> None:
    """And one with a place, which shifts reveal."""
    data = simulated("navier-stokes.gauss")
    found = commuting(data, "d4", loss=weighted)
    broken = set(found["element"].values[found["loss"].values > 1e-9].tolist())
    assert broken == {"r", "r3", "sr", "sr3"} and found.attrs["worst_loss"] in broken

    def corner(prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target)[..., :4, :4].square().mean()

    assert "does not commute" in commuting(data, "tx4", loss=corner).attrs["verdict"]
    assert commuting(data, "tx4", loss=osc.smse).attrs["verdict"] == "commutes"


def test_the_loss_per_channel_is_no_symmetry_of_other_angles(simulated: Make) -> None:
    """smse per channel breaks 45 degrees far beyond interpolation on a smooth flow; this only asks that the floor is beside it."""
    data = simulated("navier-stokes.gauss")
    found = commuting(data, "so2/8", loss=partial(osc.smse, per="field", layout=data.layout))
    lattice = np.array([g.is_lattice for g in osc.rotations(8)])
    assert (found["floor"].values[~lattice] > 0).all() and (found["floor"].values[lattice] == 0).all()


def test_wrong_arguments_are_refused(simulated: Make) -> None:
    """Nothing given; shapes and values that cannot be."""
    data = simulated("navier-stokes.gauss")
    with pytest.raises(osc.OrbitscopeError, match="give a"):
        commuting(data, "d4")
    with pytest.raises(osc.OrbitscopeError, match="shape"):
        commuting(data, "d4", normalisation=lambda x: x[:, :1])
    with pytest.raises(osc.OrbitscopeError, match="NaN"):
        commuting(data, "d4", loss=lambda a, b: a.sum() * float("nan"))
