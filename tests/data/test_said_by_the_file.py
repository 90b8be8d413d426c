"""What a file of one variable says of its axes, times, units and compression counts, or is refused; never a default instead."""

from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.data import Trajectories, load, save

from ..narrow import dataset

SIZES = {"sample": 3, "b": 3, "realization": 3, "time": 4, "t": 4, "channel": 2, "c": 2, "x": 8, "width": 8, "w": 8, "lon": 8}
SIZES |= {"y": 6, "height": 6, "h": 6, "lat": 6, "component": 2, "i": 8, "j": 6}


def five(path: Path, dims: str, coordinates: dict[str, np.ndarray] | None = None, **attributes: object) -> np.ndarray:
    """`velocity` on these axes, random; what is returned lies as [trajectory, time, channel, x, y]."""
    names = dims.split()
    values = np.random.default_rng(0).normal(size=[SIZES[n] for n in names]).astype(np.float32)
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {n: SIZES[n] for n in names}
        file.create_variable("velocity", names, data=values).attrs.update(attributes)
        for name, numbers in (coordinates or {}).items():
            file.create_variable(name, (name,), data=numbers)
    order = [next(k for k, n in enumerate(names) if n in some) for some in ROLES]
    return values.transpose(order)


ROLES = (
    ("sample", "b", "realization"),
    ("time", "t"),
    ("channel", "c", "component"),
    ("x", "width", "w", "lon", "i"),
    ("y", "height", "h", "lat", "j"),
)


@pytest.mark.parametrize(
    "dims", ["sample time channel x y", "time sample channel x y", "b t c h w", "realization time lat lon component", "t b c height width"]
)
def test_names_decide_the_order_of_one_variable(tmp_path: Path, dims: str) -> None:
    expected = five(tmp_path / "a.nc", dims)
    data = load(tmp_path / "a.nc")
    assert np.array_equal(data.tensor().numpy(), expected)
    assert data.grid.periodic != ("lat" in dims)


def test_names_that_do_not_tell_are_refused_and_may_be_said(tmp_path: Path) -> None:
    expected = five(tmp_path / "a.nc", "time sample channel i j")
    with pytest.raises(OrbitscopeError, match=r"i \(unknown\), j \(unknown\).*axes="):
        load(tmp_path / "a.nc")
    assert np.array_equal(load(tmp_path / "a.nc", axes="time,trajectory,channel,x,y").tensor().numpy(), expected)


@pytest.mark.parametrize(
    ("coordinates", "words"),
    [
        ({"time": np.array([0, 1, 2, 4])}, "gap: from 2"),
        ({"time": np.array([0.0, 0.1, 0.3, 1.0])}, "not uniform"),
        ({"time": (1.7e9 + 600 * np.arange(4)).astype(np.float32)}, "float32"),
        ({"x": np.arange(8.0) ** 2, "y": np.arange(6.0)}, "'x' is not uniform"),
    ],
)
def test_coordinates_that_are_no_grid_are_refused(tmp_path: Path, coordinates: dict[str, np.ndarray], words: str) -> None:
    five(tmp_path / "a.nc", "sample time channel x y", coordinates)
    with pytest.raises(OrbitscopeError, match=words):
        load(tmp_path / "a.nc")


def test_coordinates_of_every_kind_count(tmp_path: Path) -> None:
    expected = five(
        tmp_path / "a.nc", "sample time channel y x", {"time": np.arange(4), "x": np.arange(8) * 0.5, "y": np.arange(6)[::-1] * 0.25}
    )
    data = load(tmp_path / "a.nc")
    assert data.dt == 1 and data.grid.extent == (4.0, 1.5) and np.array_equal(data.tensor().numpy(), expected[..., ::-1])


def test_units_of_one_variable_are_compared_with_the_layout(tmp_path: Path) -> None:
    five(tmp_path / "a.nc", "sample time channel x y", {"x": np.arange(8.0), "y": np.arange(6.0), "time": np.arange(4.0)}, units="cm s-1")
    with pytest.raises(OrbitscopeError, match=r"is in 'cm s-1' and the layout says 'm/s'.*fields="):
        load(tmp_path / "a.nc", layout="velocity:vector:m/s")
    converted = load(tmp_path / "a.nc", fields="velocity=velocity:vector:m/s").tensor()
    np.testing.assert_allclose(converted, 0.01 * load(tmp_path / "a.nc").tensor(), rtol=1e-6)


def test_packed_numbers_of_one_variable(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["velocity"] = np.full((1, 2, 2, 4, 4), 200, np.int16)
        file["velocity"].attrs.update(scale_factor=0.01, add_offset=1.0)
    assert load(tmp_path / "a.h5").tensor().unique().tolist() == [3.0]


def test_a_filter_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((1, 2, 2, 4, 4))
        plan.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, (2,))  # a number that no plugin has
        space = h5py.h5s.create_simple((1, 2, 2, 4, 4))
        stored = h5py.Dataset(h5py.h5d.create(file.id, b"velocity", h5py.h5t.IEEE_F32LE, space, plan))
        stored.id.write_direct_chunk((0,) * 5, bytes(256), filter_mask=0)
    with pytest.raises(OrbitscopeError, match="needs the HDF5 filter 32099.*pip install hdf5plugin"):
        load(tmp_path / "a.h5").tensor()
    with pytest.raises(OrbitscopeError, match="needs the HDF5 filter 32099"):
        load(tmp_path / "a.h5", fields="velocity:vector", axes="trajectory,time,channel,x,y", dt=1, extent=(1, 1))


def test_attributes_in_latin_1_are_read_with_replacement(tmp_path: Path, flow: Trajectories) -> None:
    path = save(flow, tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["dataset_name"] = np.bytes_("Océan".encode("latin-1"))
        for name in [n for n in file.attrs if n.startswith("orbitscope")]:
            del file.attrs[name]
    assert "Oc" in str(load(path).provenance["scenario"])


def test_times_that_vary_by_trajectory_are_refused_where_they_differ(tmp_path: Path, flow: Trajectories) -> None:
    path = save(flow, tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        for name in [n for n in file.attrs if n.startswith("orbitscope")]:
            del file.attrs[name]
        del file["dimensions/time"]
        file["dimensions/time"] = np.tile(np.arange(5) * 0.5, (7, 1))
    assert load(path).dt == 0.5
    with h5py.File(path, "r+") as file:
        dataset(file, "dimensions/time")[3] *= 2
    with pytest.raises(OrbitscopeError, match="row 3 is not row 0"):
        load(path)
    assert load(path, dt=0.5).dt == 0.5
