"""The Well HDF5: a file as the specification describes it, and our own."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.data import Trajectories, load, save
from orbitscope.symmetry import Grid, Layout

from ..narrow import dataset

BOUNDARIES = {"x": ("PERIODIC",), "y": ("WALL", "OPEN")}


def write_well(
    path: Path, *, flat_tensor: bool = False, x: np.ndarray | None = None, grid_type: str = "cartesian"
) -> dict[str, np.ndarray]:
    """3 trajectories x 4 times on 5 (x) by 6 (y) points, with every kind of field that the specification allows."""
    random = np.random.default_rng(0)
    shape = (3, 4, 5, 6)

    def new(*lengths: int) -> np.ndarray:
        return random.normal(size=lengths).astype(np.float32)

    fields = {
        "t0_fields": {"rho": (new(*shape), True, True, [True, True]), "profile": (new(4, 6), False, True, [False, True]),
                      "depth": (new(5, 6), False, False, [True, True])},
        "t1_fields": {"velocity": (new(*shape, 2), True, True, [True, True])},
        "t2_fields": {"stress": (new(*shape, 2, 2), True, True, [True, True])},
    }  # fmt: skip
    with h5py.File(path, "w") as file:
        file.attrs.update({"dataset_name": "made_up", "grid_type": grid_type, "n_spatial_dims": 2, "n_trajectories": 3, "Re": 50.0})
        file.attrs["simulation_parameters"] = ["Re"]
        dimensions = file.create_group("dimensions")
        dimensions.attrs["spatial_dims"] = ["x", "y"]
        dimensions["time"] = (np.arange(4) * 0.3 + 7).astype(np.float32)
        dimensions["x"] = (x if x is not None else np.arange(5) * 0.2).astype(np.float32)
        dimensions["y"] = np.linspace(0, 1, 6, dtype=np.float32)
        for axis, kinds in BOUNDARIES.items():
            for kind in kinds:
                entry = file.create_group(f"boundary_conditions/{axis}_{kind.lower()}")
                entry.attrs.update({"bc_type": kind, "associated_dims": [axis], "associated_fields": []})
        for group_name, members in fields.items():
            group = file.create_group(group_name)
            group.attrs["field_names"] = list(members)
            for name, (values, sample, time, dims) in members.items():
                group[name] = values.reshape(*shape, 4) if flat_tensor and name == "stress" else values
                group[name].attrs.update({"sample_varying": sample, "time_varying": time, "dim_varying": dims})
    return {name: entry[0] for members in fields.values() for name, entry in members.items()}


@pytest.mark.parametrize("flat", [False, True])
def test_reading_the_specification(tmp_path: Path, flat: bool) -> None:
    stored = write_well(tmp_path / "w.hdf5", flat_tensor=flat)
    data = load(tmp_path / "w.hdf5")
    assert str(data.layout) == "rho:scalar, profile:scalar, velocity:vector, stress:tensor"
    expected = np.concatenate(
        [
            stored["rho"][:, :, None],
            np.broadcast_to(stored["profile"][None, :, None, None, :], (3, 4, 1, 5, 6)),
            np.moveaxis(stored["velocity"], -1, 2),
            np.moveaxis(stored["stress"].reshape(3, 4, 5, 6, 4), -1, 2),
        ],
        axis=2,
    )
    assert np.array_equal(data.tensor().numpy(), expected)
    part = data[[2, 0]].select(["stress", "velocity"]).values[:, 1:, [5, 1, 2], ::2, 3]
    assert np.array_equal(part.numpy(), expected[[2, 0]][:, 1:][:, :, [3, 5, 6]][..., ::2, 3])
    assert data.dt == pytest.approx(0.3, abs=1e-6)
    assert data.grid.boundary == ("periodic", "wall") and data.grid.centring == "node"
    assert data.grid.extent == pytest.approx((1.0, 1.0), rel=1e-6)
    assert data.provenance == {"scenario": "made_up", "parameters": {"Re": 50.0}}
    notes = "\n".join(data.notes)
    assert "left out: depth" in notes and "stored [trajectory, time, x, y, (component)]" in notes and "pseudoscalar" in notes


def test_declaring_a_layout_chooses_and_orders_fields(tmp_path: Path) -> None:
    stored = write_well(tmp_path / "w.h5")
    data = load(tmp_path / "w.h5", layout=Layout.of("velocity:vector", "rho:pseudoscalar"), dt=2.0)
    assert np.array_equal(data.tensor()[:, :, 2].numpy(), stored["rho"]) and data.dt == 2.0
    with pytest.raises(OrbitscopeError, match="declares rho:vector, but the file's fields"):
        load(tmp_path / "w.h5", layout=Layout.of("rho:vector"))


def test_grids_are_not_guessed(tmp_path: Path) -> None:
    write_well(tmp_path / "bent.h5", x=np.array([0, 1, 3, 6, 10.0]))
    with pytest.raises(OrbitscopeError, match="coordinate 'x' is not uniform"):
        load(tmp_path / "bent.h5")
    assert load(tmp_path / "bent.h5", grid=Grid((5, 6), (1, 1), ("open", "open"))).grid.boundary == ("open", "open")
    write_well(tmp_path / "round.h5", grid_type="spherical")
    with pytest.raises(OrbitscopeError, match="spherical grid"):
        load(tmp_path / "round.h5")
    with pytest.raises(OrbitscopeError, match="5 x 6 points"):
        load(tmp_path / "round.h5", grid=Grid.square(5))


@pytest.mark.parametrize("which", ["rich", "euler", "cube"])
def test_own_files_come_back(which: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if which == "cube":
        layout, grid = Layout.of("u:vector", "p:scalar", ndim=3), Grid.square(4, ndim=3, centring="node")
        data = Trajectories(torch.randn(2, 3, 4, 4, 4, 4), layout, grid, 0.5)
    else:
        data = request.getfixturevalue(which)
    back = load(save(data, tmp_path / "own.hdf5"))
    assert torch.equal(back.tensor(), data.tensor())
    assert (back.layout.to_dict(), back.grid, back.dt, back.provenance) == (data.layout.to_dict(), data.grid, data.dt, data.provenance)


def test_own_files_follow_the_specification(euler: Trajectories, tmp_path: Path) -> None:
    """What a reader of The Well looks at, without our attributes."""
    path = save(euler, tmp_path / "own.h5")
    with h5py.File(path, "r+") as file:
        for name in [n for n in file.attrs if n.startswith("orbitscope")]:
            del file.attrs[name]
        attributes: dict[str, Any] = dict(file.attrs)
        assert attributes["n_trajectories"] == 5 and attributes["n_spatial_dims"] == 2 and attributes["gamma"] == 1.4
        dimensions: dict[str, Any] = dict(file["dimensions"].attrs)
        assert list(dimensions["spatial_dims"]) == ["x", "y"]
        tensors: dict[str, Any] = dict(file["t2_fields"].attrs)
        assert dataset(file, "t1_fields/momentum").shape == (5, 4, 6, 8, 2) and list(tensors["field_names"]) == []
        assert dataset(file, "t0_fields/density").attrs["sample_varying"].dtype == bool
        assert file["boundary_conditions/y_wall"].attrs["bc_type"] == "WALL"
        assert dataset(file, "boundary_conditions/x_periodic/mask")[()].sum() == 2
    back = load(path)
    assert back.layout.channel_names == ("density", "energy", "momentum_x", "momentum_y")
    assert torch.equal(back.tensor(), euler.tensor()[:, :, [0, 3, 1, 2]])
    assert back.grid == euler.grid and back.dt == pytest.approx(0.05)


def test_what_the_format_cannot_hold(tmp_path: Path) -> None:
    data = Trajectories(torch.zeros(2, 2, 2, 4, 4), Layout.of("h:scalar*2"), Grid.square(4), 0.1)
    with pytest.raises(OrbitscopeError, match="no place for h:scalar"):
        save(data, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []
    assert torch.equal(load(save(data, tmp_path / "a.nc")).tensor(), data.tensor())


def test_broken_files(tmp_path: Path) -> None:
    write_well(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        del file["t1_fields/velocity"]
    with pytest.raises(OrbitscopeError, match=r"lacks the dataset 't1_fields/velocity'.* t0_fields/rho"):
        load(tmp_path / "w.h5")
    write_well(tmp_path / "v.h5")
    with h5py.File(tmp_path / "v.h5", "r+") as file:
        del file["t0_fields/rho"]
        file["t0_fields/rho"] = np.zeros((3, 4, 5, 7), np.float32)
    with pytest.raises(OrbitscopeError, match=r"'rho' has the grid \(5, 7\)"):
        load(tmp_path / "v.h5")
