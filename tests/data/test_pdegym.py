"""PDEgym NetCDF: foreign files, our own, and what xarray makes of them."""

from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import pytest
import torch
import xarray as xr

from orbitscope import OrbitscopeError
from orbitscope.data import Trajectories, load, save
from orbitscope.data._pdegym import conserved_to_stored
from orbitscope.symmetry import Grid, Layout


def momentum_form(stored: np.ndarray) -> np.ndarray:
    """(rho, v, p, E) -> (rho, rho v, E), the obvious way."""
    rho, vx, vy, _, energy = np.moveaxis(stored, 2, 0)
    return np.stack([rho, rho * vx, rho * vy, energy], axis=2)


def test_foreign_euler(foreign_pdegym: tuple[Path, np.ndarray]) -> None:
    path, stored = foreign_pdegym
    data = load(path)
    assert data.layout == Layout.of("density:scalar", "momentum:vector", "energy:scalar")
    assert (data.dt, data.grid, data.shape) == (0.05, Grid.square(8), (4, 21, 4, 8, 8))
    assert np.array_equal(data.tensor().numpy(), momentum_form(stored))
    assert torch.equal(data.select(["energy", "momentum"]).tensor(), data.tensor()[:, :, [3, 1, 2]])
    notes = "\n".join(data.notes)
    for said in ("not by orbitscope", "pressure dropped", "PDEgym's default", "does not name them"):
        assert said in notes


@pytest.mark.parametrize("channels", [2, 3])
def test_foreign_velocity(tmp_path: Path, channels: int) -> None:
    stored = np.random.default_rng(1).normal(size=(3, 21, channels, 8, 8)).astype(">f4")  # big-endian, as some tools write
    with h5py.File(tmp_path / "NS.nc", "w") as file:
        file["velocity"] = stored
    data = load(tmp_path / "NS.nc")
    assert data.layout == Layout.of("velocity:vector") and np.array_equal(data.tensor().numpy(), stored[:, :, :2])
    assert any("tracer" in n for n in data.notes) == (channels == 3)
    if channels == 3:
        traced = load(tmp_path / "NS.nc", tracer=True)
        assert traced.layout.channel_names == ("velocity_x", "velocity_y", "tracer")
        assert np.array_equal(traced.tensor().numpy(), stored)


def test_written_by_xarray(tmp_path: Path) -> None:
    """Named dimensions, a time coordinate, compression, float64, a non-square grid."""
    stored = np.random.default_rng(2).normal(size=(2, 5, 2, 6, 8))
    dims = ("sample", "time", "component", "x", "y")
    xr.Dataset({"velocity": (dims, stored)}, coords={"time": np.arange(5) * 0.125}).to_netcdf(
        tmp_path / "x.nc", engine="h5netcdf", encoding={"velocity": {"zlib": True}}
    )
    data = load(tmp_path / "x.nc")
    assert data.dt == 0.125 and data.grid.shape == (6, 8) and data.values.dtype == torch.float64
    assert np.array_equal(data.tensor().numpy(), stored)
    assert any("sample, time, component, x, y" in n for n in data.notes) and any("dt: 0.125, from 'time'" in n for n in data.notes)


def test_written_by_h5netcdf_with_y_before_x(tmp_path: Path) -> None:
    """A file that names its axes y, x is turned; the component order is left, since nothing says that it differs."""
    stored = np.random.default_rng(3).normal(size=(2, 3, 2, 6, 8)).astype(np.float32)
    with h5netcdf.File(tmp_path / "yx.nc", "w") as file:
        file.dimensions = {"trajectory": 2, "time": 3, "channel": 2, "y": 6, "x": 8}
        file.create_variable("velocity", ("trajectory", "time", "channel", "y", "x"), data=stored)
    data = load(tmp_path / "yx.nc")
    assert np.array_equal(data.tensor().numpy(), stored.swapaxes(-1, -2))
    assert torch.equal(data.values[1, [2, 0], 1, 3:, ::2], data.tensor()[1, [2, 0], 1, 3:, ::2])
    assert any("y, x; turned" in n for n in data.notes)


def test_own_files_come_back(euler: Trajectories, flow: Trajectories, rich: Trajectories, tmp_path: Path) -> None:
    for name, data in {"flow": flow, "rich": rich, "euler": euler}.items():
        back = load(save(data, tmp_path / f"{name}.nc"))
        assert (back.layout.to_dict(), back.grid, back.dt, back.provenance) == (
            data.layout.to_dict(), data.grid, data.dt, data.provenance,
        )  # fmt: skip
        if name == "euler":  # momentum -> velocity -> momentum: two roundings of float32
            np.testing.assert_allclose(back.tensor().numpy(), data.tensor().numpy(), rtol=2 * float(np.finfo(np.float32).eps))
        else:
            assert torch.equal(back.tensor(), data.tensor())
        assert any("written by orbitscope" in n for n in back.notes) and not any("default" in n for n in back.notes)


def test_stored_channels_of_euler(euler: Trajectories, tmp_path: Path) -> None:
    path = save(euler, tmp_path / "euler.nc", dtype=torch.float64)
    with h5py.File(path) as file:
        rho, vx, vy, p, energy = np.moveaxis(np.asarray(file["data"]), 2, 0)
    u = euler.tensor().double().numpy()
    np.testing.assert_allclose(rho * vx, u[:, :, 1], rtol=1e-14)
    np.testing.assert_allclose(energy, 0.5 * rho * (vx**2 + vy**2) + p / 0.4, rtol=1e-10)
    assert (p > 0).all()
    np.testing.assert_allclose(conserved_to_stored(u[0], 1.4)[:, 3], p[0], rtol=1e-14)


def test_tracer_of_our_own_files_stays(tmp_path: Path) -> None:
    data = Trajectories(torch.randn(3, 2, 3, 4, 4), Layout.of("velocity:vector", "tracer:scalar"), Grid.square(4), 0.1)
    path = save(data, tmp_path / "t.nc")
    assert torch.equal(load(path).tensor(), data.tensor())
    with h5py.File(path) as file:
        assert "velocity" in file


@pytest.mark.filterwarnings("error")
def test_xarray_opens_ours(euler: Trajectories, tmp_path: Path) -> None:
    with xr.open_dataset(save(euler, tmp_path / "euler.nc"), engine="h5netcdf") as found:
        assert found["data"].dims == ("trajectory", "time", "channel", "x", "y")
        assert found["channel"].values.tolist() == ["density", "velocity_x", "velocity_y", "pressure", "energy"]
        np.testing.assert_allclose(found["y"], euler.grid.axis(1))
        np.testing.assert_allclose(found["time"], 0.05 * np.arange(4))
        np.testing.assert_array_equal(found["data"].sel(channel="density")[2, 1], euler.tensor()[2, 1, 0])
        assert "vector points along it" in found.attrs["orbitscope_axes"]


def test_the_caller_overrules(foreign_pdegym: tuple[Path, np.ndarray]) -> None:
    path, stored = foreign_pdegym
    layout = Layout.of("density", "velocity:vector", "pressure", "energy")
    data = load(path, layout=layout, grid=Grid.square(8, boundary="wall"), dt=0.5)
    assert data.layout == layout and data.dt == 0.5 and not data.grid.periodic and np.array_equal(data.tensor().numpy(), stored)
    assert sum("declared by the caller" in n for n in data.notes) >= 2


def test_any_variable_by_name(tmp_path: Path) -> None:
    stored = np.random.default_rng(4).normal(size=(2, 3, 3, 4, 4)).astype(np.float32)
    with h5py.File(tmp_path / "generic.nc", "w") as file:
        file["solution"], file["weather"], file["flat"] = stored, stored, stored[0]
        file["words"] = np.full((1, 1, 1, 1, 1), b"abc")
    path, layout = tmp_path / "generic.nc", Layout.of("h", "u:vector")
    assert np.array_equal(load(path, variable="weather", layout=layout).tensor().numpy(), stored)
    with pytest.raises(OrbitscopeError, match=r"'solution' .* no default"):
        load(path)
    with pytest.raises(OrbitscopeError, match="nothing says what the 3 channels of 'weather' are"):
        load(path, variable="weather")
    with pytest.raises(OrbitscopeError, match=r"should be 5-D .* got shape"):
        load(path, variable="flat", layout=layout)
    with pytest.raises(OrbitscopeError, match="expected real numbers"):
        load(path, variable="words", layout=Layout.of("a"))
    with pytest.raises(OrbitscopeError, match=r"'rain' is not in .* weather"):
        load(path, variable="rain", layout=layout)
    with pytest.raises(OrbitscopeError, match=r"grid: .* 4 x 4 points"):
        load(path, variable="weather", layout=layout, grid=Grid.square(5))
    with pytest.raises(OrbitscopeError, match=r"2 channels .* has 3"):
        load(path, variable="weather", layout=Layout.of("u:vector"))


def test_wrong_channel_counts(tmp_path: Path) -> None:
    for name, channels, message in (("data", 4, "5 channels .* got 4"), ("velocity", 4, "2 or 3 channels .* got 4")):
        with h5py.File(tmp_path / f"{name}.nc", "w") as file:
            file[name] = np.zeros((2, 3, channels, 4, 4), np.float32)
        with pytest.raises(OrbitscopeError, match=message):
            load(tmp_path / f"{name}.nc")


@pytest.mark.parametrize("suffix", [".nc", ".h5"])
@pytest.mark.parametrize("shape", [(7,), (4, 5, 6)])
def test_other_dimensions_come_back_exactly(tmp_path: Path, suffix: str, shape: tuple[int, ...]) -> None:
    """One and three dimensions, also with the names of the gas and of the flow, whose PDEgym variables are for the plane."""
    ndim = len(shape)
    grid = Grid(shape, tuple(float(n) for n in shape), ("wall", "periodic", "open")[:ndim])
    for words in (("velocity:vector",), ("density:scalar", "momentum:vector", "energy:scalar")):
        layout = Layout.of(*words, ndim=ndim)
        values = torch.randn(3, 4, layout.channels, *shape, generator=torch.Generator().manual_seed(0))
        data = Trajectories(values, layout, grid, 0.1)
        path = save(data, tmp_path / f"{len(words)}{suffix}")
        back = load(path)
        assert torch.equal(back.tensor(), values) and back.layout == layout and back.grid == grid and back.dt == 0.1
        assert torch.equal(back.values[1, 2:, -1, [3, 0]], values[1, 2:, -1, [3, 0]])
