"""systems/control/_regression: pictures turn with places, the averaged energy is invariant, and only with it unseen quadrants are found."""

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.symmetry import Grid, GridAction, Layout, dihedral
from orbitscope.systems.control import PlaceEnergy, marker_pictures


def test_a_picture_of_a_moved_place_is_the_moved_picture():
    places = torch.rand(7, 2, dtype=torch.float64) * 1.6 - 0.8
    act = GridAction(Layout.of("ink"), Grid.square(12))
    for g in dihedral(4):
        moved = marker_pictures(places @ torch.tensor(g.matrix).T)
        assert float((moved - act(g, marker_pictures(places)[:, None])[:, 0]).abs().max()) < 1e-12


@pytest.mark.parametrize(("group", "invariant"), [("d4", True), ("c4", True), (None, False)])
@torch.no_grad()
def test_the_mean_over_the_group_is_invariant(group, invariant):
    energy = PlaceEnergy(group=group, width=16)
    places, asked = torch.rand(5, 2) * 1.6 - 0.8, torch.rand(5, 3, 2) * 2 - 1
    here = energy(marker_pictures(places), asked)
    worst = 0.0
    for g in dihedral(4).elements[:4]:
        turn = torch.tensor(g.matrix, dtype=torch.float32)
        worst = max(worst, float((energy(marker_pictures(places @ turn.T), asked @ turn.T) - here).abs().max()))
    assert (worst < 1e-5) == invariant
    slow = np.zeros((5, 3))
    for n, k in np.ndindex(5, 3):
        seen = marker_pictures(places[n : n + 1]).flatten()
        for pixels, turn in zip(energy.pixels, energy.turns, strict=True):
            slow[n, k] += float(energy.rest(energy.picture(seen[pixels]) + energy.place(turn @ asked[n, k]))) / len(energy.pixels)
    assert np.abs(here.numpy() - slow).max() < 1e-5


def test_unseen_quadrants_need_the_energy_and_decisions_need_both():
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    spec = spec_from_file_location("coordinate_regression", Path(__file__).parents[3] / "examples" / "coordinate_regression.py")
    assert spec is not None and spec.loader is not None
    example = module_from_spec(spec)
    spec.loader.exec_module(example)
    found = example.main(steps=120, tests=12)
    assert max(found["d4", s][0] for s in ("plain", "d4")) < 0.2 < 0.3 < min(found["plain", s][0] for s in ("plain", "d4"))
    assert found["d4", "d4"][1] < 1e-4 < 1e-3 < found["d4", "plain"][1]


def test_a_group_that_interpolates_is_refused():
    with pytest.raises(OrbitscopeError, match="interpolates"):
        PlaceEnergy(group="d8")
