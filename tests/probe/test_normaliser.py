"""The normaliser's own part of a model's commutator, with answers in closed form."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.probe import normaliser_audit

A, B = 0.391, 0.356  # Poseidon divides u by the one and v by the other


class Cubic(nn.Module):
    """$z |z|^2$, which commutes with every rotation and reflection, behind the four channels of the guest."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, z: Tensor) -> Tensor:
        return self.w * z * z[:, 1:3].square().sum(1, keepdim=True)


def guest(normaliser: object) -> osc.emulators.Guest:
    return osc.adapt(Cubic(), channels=("density", 0, 1, "pressure"), fill={"density": 1, "pressure": 0}, normaliser=normaliser)


def test_two_scales_of_one_vector_are_found_and_are_the_whole_error(random_data) -> None:
    data = random_data()
    found = normaliser_audit(guest(([0.8, 0, 0, 0], [0.31, A, B, 0.185])), data, "d4", trajectories=None, times=None)
    x = data.tensor().transpose(0, 1).flatten(0, 1).numpy()
    u, v = x[:, 0], x[:, 1]
    size = np.sqrt((u**2 / A**2 + v**2 / B**2).sum((1, 2)))
    own = abs(1 / A - 1 / B) * np.sqrt((u**2 + v**2).sum((1, 2))) / size  # exchanging the two components exchanges the scales
    square = u**2 / A**2 + v**2 / B**2
    swapped = u**2 / B**2 + v**2 / A**2
    whole = np.sqrt(((u**2 + v**2) * (square - swapped) ** 2).sum((1, 2)) / ((u**2 + v**2) * square**2).sum((1, 2)))
    for g in ("r", "r3"):
        np.testing.assert_allclose(found["normaliser_commutator"].sel(element=g), own, rtol=1e-10)
        np.testing.assert_allclose(found["commutator"].sel(element=g), whole, rtol=1e-10)
        np.testing.assert_allclose(found["own_share"].sel(element=g), 1, rtol=1e-10)
    assert float(found["normaliser_commutator"].sel(element=["r2", "s"]).max()) < 1e-14
    assert float(found["commutator_averaged"].max()) < 1e-14 and "does not commute" in found.attrs["sentence"]


def test_one_scale_per_field_and_statistics_of_the_sample_commute(random_data) -> None:
    data = random_data()
    for normaliser in (([0.8, 0, 0, 0], [0.31, A, A, 0.185]), "instance", "rms"):
        found = normaliser_audit(guest(normaliser), data, "d4")
        assert float(found["normaliser_commutator"].max()) < 1e-13 and "commutes with the group" in found.attrs["sentence"]
    mean = normaliser_audit(guest((lambda x: (x - 1) / 2, lambda x: 2 * x + 1)), data, "c2")  # a mean of a vector picks a direction
    assert float(mean["normaliser_commutator"].sel(element="r").min()) > 0.1 and float(mean["commutator_averaged"].max()) < 1e-13


def test_it_stands_in_the_results_and_a_model_without_is_refused(random_data) -> None:
    data = random_data()
    tree = osc.examine(guest(([0.8, 0, 0, 0], [0.31, A, B, 0.185])), data, "c4", osc.ProbeConfig(influence_elements=0))
    assert "own_share" in tree["C4/normaliser"] and "The normaliser does not commute" in tree["C4/verdict"].attrs["sentence_output"]
    with pytest.raises(osc.OrbitscopeError, match="no normaliser that is known"):
        normaliser_audit(osc.adapt(torch.nn.Identity()), data, "c2")
