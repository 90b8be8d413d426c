"""PDEBench HDF5, as its own scripts write it."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.data import load, save
from orbitscope.symmetry import Grid, Layout


def compressible(folder: Path, name: str = "2D_CFD_Rand_M0.1_Eta0.01_Zeta0.01_periodic_8_Train.hdf5") -> tuple[Path, dict[str, np.ndarray]]:
    """Three trajectories of four states on 8 x 6 cells of a box 1 x 0.75; the times have one entry more, as theirs."""
    random = np.random.default_rng(0)
    values = {n: random.uniform(0.5, 1.5, (3, 4, 8, 6)).astype(np.float32) - (n[0] == "V") for n in ("density", "pressure", "Vx", "Vy")}
    with h5py.File(folder / name, "w") as file:
        for key, array in values.items():
            file[key] = array
        file["x-coordinate"] = ((np.arange(8) + 0.5) / 8).astype(np.float32)
        file["y-coordinate"] = ((np.arange(6) + 0.5) / 8).astype(np.float32)
        file["t-coordinate"] = (np.arange(5) * 0.05).astype(np.float32)
        file.attrs.update({"eta": 0.01, "zeta": 0.01, "M": 0.1})
    return folder / name, values


def test_compressible_becomes_conserved(tmp_path: Path) -> None:
    path, v = compressible(tmp_path)
    data = load(path)
    rho, p, x, y = (v[n].astype(float) for n in ("density", "pressure", "Vx", "Vy"))
    expected = np.stack([rho, rho * x, rho * y, 1.5 * p + rho * (x**2 + y**2) / 2], axis=2)  # gamma - 1 = 2/3
    assert data.lazy and np.allclose(data.tensor().numpy(), expected, rtol=3e-7, atol=1e-7)
    assert str(data.layout) == "density:scalar, momentum:vector, energy:scalar"
    assert data.grid == Grid((8, 6), (1.0, 0.75), ("periodic", "periodic")) and data.dt == 0.05
    assert data.provenance["parameters"] == {"gamma": 5 / 3, "eta": 0.01, "zeta": 0.01, "M": 0.1}
    for said in ("PDEBench", "gamma = 5/3", "periodic", "dt: 0.05"):
        assert any(said in n for n in data.notes)
    assert np.array_equal(data[[2, 0]].values[:, 1:3, 3].numpy(), data.tensor()[[2, 0]][:, 1:3, 3].numpy())


def test_primitive_if_declared(tmp_path: Path) -> None:
    path, v = compressible(tmp_path)
    data = load(path, layout=Layout.of("density:scalar:kg/m^3", "velocity:vector", "pressure:scalar"))
    assert np.array_equal(data.tensor().numpy(), np.stack([v[n] for n in ("density", "Vx", "Vy", "pressure")], axis=2))
    with pytest.raises(OrbitscopeError, match="can be read as"):
        load(path, layout=Layout.of("density", "velocity:vector"))


def test_boundary_is_open_unless_something_says_periodic(tmp_path: Path) -> None:
    path, _ = compressible(tmp_path, "renamed.hdf5")
    data = load(path)
    assert data.grid.boundary == ("open", "open") and any("claims least" in n for n in data.notes)
    assert load(path, grid=Grid.square(8).__class__((8, 6), (1, 1), ("periodic", "wall"))).grid.boundary == ("periodic", "wall")
    with pytest.raises(OrbitscopeError, match="does not fit"):
        load(path, grid=Grid.square(8))


@pytest.fixture
def incompressible(tmp_path: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    velocity, particles = (random.standard_normal((2, 3, 6, 5, k)).astype(np.float32) for k in (2, 1))
    with h5py.File(tmp_path / "ns_incom_inhom_2d_512-0.h5", "w") as file:
        for name, array in (("velocity", velocity), ("particles", particles)):
            file.create_dataset(name, data=array, chunks=(1, 1, *array.shape[2:]), compression="lzf", shuffle=True)
        file["force"] = np.zeros((2, 6, 5, 2), dtype=np.float32)
        file["t"] = np.tile(np.arange(3, dtype=np.float32) * 0.005, (2, 1))
    return tmp_path / "ns_incom_inhom_2d_512-0.h5", velocity, particles


def test_incompressible(incompressible: tuple[Path, np.ndarray, np.ndarray]) -> None:
    path, velocity, particles = incompressible
    data = load(path)
    assert np.array_equal(data.tensor().numpy(), np.moveaxis(velocity, -1, 2))
    assert data.grid == Grid((6, 5), (6.0, 5.0), ("wall", "wall")) and data.dt == 0.005
    assert any("force" in n and "particles" in n for n in data.notes)
    both = load(path, tracer=True)
    assert np.array_equal(both.values[:, 1:, [2, 0]].numpy(), np.stack([particles[:, 1:, ..., 0], velocity[:, 1:, ..., 0]], axis=2))


def test_read_only_and_converted(tmp_path: Path) -> None:
    path, _ = compressible(tmp_path)
    with pytest.raises(OrbitscopeError, match="read only"):
        save(load(path), tmp_path / "new.h5", format="pdebench")
    again = load(save(load(path), tmp_path / "new.h5"))
    assert np.array_equal(again.tensor().numpy(), load(path).tensor().numpy())
