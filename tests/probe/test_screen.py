"""Screening names the trajectories that were planted."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import orbitscope as osc
from orbitscope.probe import screen

Make = Callable[..., osc.Trajectories]


def planted(data: osc.Trajectories, change: Callable[[Tensor], object]) -> osc.Trajectories:
    """The same declaration, something done to a copy of the values."""
    values = data.tensor().clone()
    change(values)
    return data.replace(values=values)


@pytest.mark.parametrize("name", ["navier-stokes.gauss", "euler.riemann"])
def test_a_clean_file_is_clean(simulated: Make, name: str) -> None:
    """No false alarm on honest simulations."""
    result = screen(simulated(name, trajectories=64))
    assert result.attrs["verdict"] == "clean" and json.loads(result.attrs["findings"]) == []
    assert (result["copy_of"] == -1).all() and not result["outlier"].any()


def test_what_was_planted_is_named(simulated: Make) -> None:
    """Each kind once, in a file of 24."""
    data = simulated("navier-stokes.gauss")
    action, d4 = osc.GridAction(data.layout, data.grid), osc.dihedral(4)

    def plant(v: Tensor) -> None:
        v[3] = v[7]
        v[11] = action(d4["sr"], v[2])
        v[5, 2, 1, 4, 6] = float("nan")
        v[5, 3, 0, 0, 0] = float("inf")
        v[9] = v[9, :1]
        v[13] *= 50
        v[14] = 1.5

    result = screen(planted(data, plant))
    assert result["copy_of"].values[7] == 3 and result["element"].values[7] == "e"
    assert result["copy_of"].values[11] == 2 and result["element"].values[11] == "sr"
    assert result["nonfinite"].values[5] == 2 and result["first_nonfinite"].values[5] == "time 2, channel velocity_y, cell (4, 6)"
    assert np.flatnonzero(result["frozen"].values).tolist() == [9, 14]
    assert result["constant"].values[:, 0].tolist() == [i == 14 for i in range(24)]
    assert result["outlier"].values[13] and result["z"].sel(trajectory=13, measure="rms").item() > 6
    text = " | ".join(json.loads(result.attrs["findings"]))
    for words in (
        "trajectory 7 is a copy of trajectory 3", "trajectory 11 is a copy of trajectory 2, moved by sr", "trajectory 9 does not change",
        "trajectory 5 holds 2 NaN", "trajectory 14: field velocity is constant", "trajectory 13: ",
    ):  # fmt: skip
        assert words in text
    assert result.attrs["verdict"] == "look again"


def test_shifted_copies_are_found_if_the_group_has_the_shift(simulated: Make) -> None:
    """A quarter of the period."""
    data = planted(simulated("navier-stokes.gauss"), lambda v: v.__setitem__(6, v[1].roll(4, 2)))
    assert screen(data)["copy_of"].values[6] == -1
    found = screen(data, "tx4")
    assert found["copy_of"].values[6] == 1 and found["element"].values[6] == "1"


def test_rounded_copies_need_a_tolerance(simulated: Make) -> None:
    """A copy with noise of one part in ten thousand."""
    noise = torch.randn(16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    data = planted(simulated("navier-stokes.gauss"), lambda v: v.__setitem__(6, v[1] * (1 + 1e-4 * noise)))
    assert screen(data)["copy_of"].values[6] == -1 and screen(data, tolerance=1e-3)["copy_of"].values[6] == 1


@pytest.mark.parametrize("block", [1, 20_000, 2**26])
def test_blocks_change_nothing(simulated: Make, tmp_path: Path, block: int) -> None:
    """A lazy file read a state at a time, some trajectories at a time, at once."""
    data = planted(simulated("euler.riemann", trajectories=10, dtype=torch.float32), lambda v: v.__setitem__(4, v[2]))
    lazy = osc.load(osc.save(data, tmp_path / "a.nc"))
    assert lazy.lazy
    result, whole = screen(lazy, block_bytes=block), screen(lazy.load())
    assert result["copy_of"].values[4] == 2
    for name in whole:
        if whole[name].dtype.kind == "f":
            np.testing.assert_allclose(result[name].values, whole[name].values, rtol=1e-9)
        else:
            np.testing.assert_array_equal(result[name].values, whole[name].values)


def test_statistics_are_their_definition(simulated: Make) -> None:
    """In plain numpy."""
    data = simulated("euler.riemann", trajectories=9)
    values, result = data.tensor().numpy(), screen(data)
    speed = np.sqrt((values[:, :, 1:3] ** 2).sum(2))
    np.testing.assert_allclose(result["statistic"].sel(field="momentum", measure="rms"), np.sqrt((speed**2).mean((1, 2, 3))))
    np.testing.assert_allclose(result["statistic"].sel(field="momentum", measure="maximum"), speed.max((1, 2, 3)))
    energy = values[:, :, 3]
    slopes = (np.diff(energy, axis=2) ** 2).sum((1, 2, 3)) + (np.diff(energy, axis=3) ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(result["statistic"].sel(field="energy", measure="gradient"), np.sqrt(slopes / energy[0].size))
    logs = np.log(speed.max((1, 2, 3)))
    gap = logs - np.median(logs)
    expected = 0.6745 * gap / max(np.median(np.abs(gap)), 0.01)
    np.testing.assert_allclose(result["z"].sel(field="momentum", measure="maximum"), expected)


def test_wrong_arguments_are_refused(simulated: Make) -> None:
    """Nothing there; a threshold below zero."""
    data = simulated("navier-stokes.gauss")
    with pytest.raises(osc.OrbitscopeError, match="nothing to look at"):
        screen(data[:0])
    with pytest.raises(osc.OrbitscopeError, match="outlier"):
        screen(data, outlier=-1)
