"""Files that are not what they should be: each gets an error that says what it is."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.data import Normalisation, Trajectories, Writer, load, save

from ..narrow import dataset


@pytest.mark.parametrize("cut", [1, 1000, 40_000])
def test_truncated(flow: Trajectories, tmp_path: Path, cut: int) -> None:
    path = save(flow, tmp_path / "flow.nc")
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(OrbitscopeError, match="truncated"):
        load(path)


def test_damaged_inside(flow: Trajectories, tmp_path: Path) -> None:
    path = tmp_path / "flow.nc"
    with h5py.File(path, "w") as file:
        file.create_dataset("velocity", data=flow.tensor().numpy(), chunks=(1, 5, 2, 8, 8), compression="gzip")
    raw = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        chunk = file["velocity"].id.get_chunk_info(3)
    raw[chunk.byte_offset : chunk.byte_offset + chunk.size] = b"\xff" * chunk.size
    path.write_bytes(raw)
    data = load(path)
    assert data[:3].tensor().shape[0] == 3
    with pytest.raises(OrbitscopeError, match=r"'velocity' cannot be read .* damaged"):
        data.values[3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"time,x,y\n1,2,3\n" * 200, "not an HDF5 or NetCDF-4 file"),
        (b"", "is empty"),
        (b"CDF\x01" + bytes(600), "NetCDF-3.*nothing with axes"),
    ],
)
def test_other_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.nc").write_bytes(content)
    with pytest.raises(OrbitscopeError, match=message):
        load(tmp_path / "a.nc")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(OrbitscopeError, match="there is no file"):
        load(tmp_path / "absent.nc")
    with pytest.raises(OrbitscopeError, match="is a folder"):
        load(tmp_path)


def test_foreign_hdf5_lists_what_is_in_there(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["run/weights"] = np.zeros((3, 4))
    with pytest.raises(OrbitscopeError, match=r"run/weights \[3, 4\] float64.*variable="):
        load(tmp_path / "f.h5")
    with h5py.File(tmp_path / "g.h5", "w"):
        pass
    with pytest.raises(OrbitscopeError, match="no dataset at all"):
        load(tmp_path / "g.h5")


def test_not_five_axes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.nc", "w") as file:
        file["velocity"] = np.zeros((3, 21, 2, 64), np.float32)
    with pytest.raises(OrbitscopeError, match=r"should be 5-D .* got shape \(3, 21, 2, 64\)"):
        load(tmp_path / "f.nc")


def test_nan_in_a_file(foreign_pdegym: tuple[Path, np.ndarray]) -> None:
    path, _ = foreign_pdegym
    with h5py.File(path, "r+") as file:
        dataset(file, "data")[2, 7, 0, 1, 1] = np.inf
    data = load(path)
    with pytest.raises(OrbitscopeError, match=r"'density' is inf at trajectory 2, time 7, cell \(1, 1\)"):
        data.check_finite()
    with pytest.raises(OrbitscopeError, match="trajectory 2, time 7"):
        Normalisation.fit(data)
    data[:2].check_finite()


def test_spoilt_attributes(flow: Trajectories, tmp_path: Path) -> None:
    path = save(flow, tmp_path / "flow.nc")
    for name, value, message in (
        ("orbitscope_layout", "{", "not JSON"),
        ("orbitscope_layout", "[1]", "should be a JSON object"),
        ("orbitscope_layout", '{"fields": [{"name": "u"}]}', "not a layout description"),
        ("orbitscope_axes", "[y, x]", "Update orbitscope"),
    ):
        with h5py.File(path, "r+") as file:
            before, file.attrs[name] = file.attrs[name], value
        with pytest.raises(OrbitscopeError, match=message):
            load(path)
        with h5py.File(path, "r+") as file:
            file.attrs[name] = before
    load(path)


def test_a_file_that_is_still_being_written(flow: Trajectories, tmp_path: Path) -> None:
    writer = Writer(tmp_path / "w.nc", flow.layout, flow.grid, flow.dt, 7, 5)
    writer.write([0, 3], flow[[0, 3]].tensor())
    with pytest.raises(OrbitscopeError, match="there is no file"):
        load(tmp_path / "w.nc")
    writer.close()
    with pytest.raises(OrbitscopeError, match="unfinished, 2 of 7 trajectories"):
        load(tmp_path / "w.nc.part")
