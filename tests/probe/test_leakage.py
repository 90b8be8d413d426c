"""Parts of a split that share states, in every way they can."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import orbitscope as osc
from orbitscope.data import split_indices
from orbitscope.probe import leakage

Make = Callable[..., osc.Trajectories]


def test_an_honest_split_is_disjoint(simulated: Make) -> None:
    """By trajectories of one file, and as three data sets."""
    data = simulated("navier-stokes.gauss")
    train, validation, test = split_indices(len(data), (0.5, 0.25, 0.25), seed=0)
    split = {"train": train.tolist(), "validation": validation.tolist(), "test": test.tolist()}
    found = leakage(data, split)
    assert found.attrs["verdict"] == "disjoint" and found.sizes["leak"] == 0 and float(found["shared"].sum()) == 0
    assert leakage({name: data[index] for name, index in split.items()}).attrs["verdict"] == "disjoint"


def test_an_index_in_two_parts_is_named(simulated: Make) -> None:
    """With the number that it has in the file."""
    found = leakage(simulated("navier-stokes.gauss"), {"train": [4, 8, 2], "test": [9, 8]})
    assert found.attrs["verdict"] == "leak" and json.loads(found.attrs["findings"]) == ["trajectory 8 is in train and in test"]
    assert found["shared"].sel(part="train", other="test").item() == pytest.approx(1 / 3)
    assert found["shared"].sel(part="test", other="train").item() == pytest.approx(1 / 2)


def test_a_trajectory_copied_to_the_test_is_found(simulated: Make, tmp_path: Path) -> None:
    """From lazy files, read a state at a time."""
    data = simulated("euler.riemann", dtype=torch.float32)
    train = osc.load(osc.save(data[:6], tmp_path / "train.nc"))
    test = osc.load(osc.save(data[[7, 3]], tmp_path / "test.nc"))
    found = leakage({"train": train, "test": test}, block_bytes=1)
    assert found.sizes["leak"] == 1 and found["kind"].values.tolist() == ["identical"]
    assert (int(found["trajectory_a"][0]), int(found["trajectory_b"][0]), int(found["length"][0])) == (3, 1, 4)
    assert json.loads(found.attrs["findings"]) == ["times 0 to 3 of trajectory 3 of train are times 0 to 3 of trajectory 1 of test"]


def test_overlapping_windows_share_their_overlap(simulated: Make) -> None:
    """Windows of 6 and 5 states that overlap in 3."""
    data = simulated("navier-stokes.gauss", trajectories=4, frames=8, t_end=0.35)
    train, test = data.replace(values=data.tensor()[:, :6]), data.replace(values=data.tensor()[[2], 3:])
    found = leakage({"train": train, "test": test})
    assert found.sizes["leak"] == 1
    row = {k: found[k].values[0] for k in ("trajectory_a", "first_a", "trajectory_b", "first_b", "length")}
    assert row == {"trajectory_a": 2, "first_a": 3, "trajectory_b": 0, "first_b": 0, "length": 3}
    assert found["shared"].sel(part="test", other="train").item() == pytest.approx(3 / 5)


@pytest.mark.parametrize("name", ["r", "s", "sr"])
def test_a_moved_copy_is_found_and_the_element_named(simulated: Make, name: str) -> None:
    """Augmentation before the split: the test trajectory is `name` applied to that of the training."""
    data = simulated("euler.riemann")
    action, d4 = osc.GridAction(data.layout, data.grid), osc.dihedral(4)
    test = data.replace(values=action(d4[name], data.tensor()[[1]]))
    found = leakage({"train": data[:4], "test": test})
    assert found["kind"].values.tolist() == ["moved"] and found["element"].values.tolist() == [name]
    assert int(found["trajectory_a"][0]) == 1 and int(found["length"][0]) == 4
    assert leakage({"train": data[:4], "test": test}, group="tx2").attrs["verdict"] == "disjoint"


def test_a_nearly_equal_copy_needs_a_tolerance(simulated: Make) -> None:
    """Rounded to three digits."""
    data = simulated("navier-stokes.gauss")
    test = data.replace(values=(data.tensor()[[5]] * 1000).round() / 1000)
    assert leakage({"train": data, "test": test}).attrs["verdict"] == "disjoint"
    found = leakage({"train": data, "test": test}, tolerance=3e-3)
    assert set(found["kind"].values.tolist()) == {"near"} and set(found["trajectory_a"].values.tolist()) == {5}


def test_it_agrees_with_comparing_everything(simulated: Make) -> None:
    """The slow way: all pairs of states under all elements of D4."""
    data = simulated("navier-stokes.gauss", trajectories=5)
    action, d4 = osc.GridAction(data.layout, data.grid), osc.dihedral(4)
    a = data.tensor()[:3]
    b = torch.stack([data.tensor()[3], action(d4["r3"], data.tensor()[0]), data.tensor()[2].flip(0)])
    expected = set()
    for i, t, j, s in np.ndindex(3, 4, 3, 4):
        for g in d4:
            if torch.allclose(action(g, a[i, t]), b[j, s], rtol=1e-9, atol=1e-12):
                expected.add((i, t, j, s))
    found = leakage({"a": data.replace(values=a), "b": data.replace(values=b)})
    columns = (found[k].values for k in ("trajectory_a", "first_a", "trajectory_b", "first_b", "length"))
    got = {(int(i), int(t) + k, int(j), int(s) + k) for i, t, j, s, n in zip(*columns, strict=True) for k in range(int(n))}
    assert got == expected and len(got) == 8


def test_wrong_arguments_are_refused(simulated: Make) -> None:
    """One part; a split besides parts; another layout; no split."""
    data = simulated("navier-stokes.gauss")
    with pytest.raises(osc.OrbitscopeError, match="at least two parts"):
        leakage(data, {"train": [0, 1], "test": []})
    with pytest.raises(osc.OrbitscopeError, match="split"):
        leakage(data)
    with pytest.raises(osc.OrbitscopeError, match="part by part"):
        leakage({"a": data, "b": data}, {"a": [0], "b": [1]})
    with pytest.raises(osc.OrbitscopeError, match="layout"):
        leakage({"a": data, "b": simulated("euler.riemann")})
