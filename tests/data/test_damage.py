"""Damage is noticed by whatever reads it, and never gets a checksum that fits."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope._lock import locked
from orbitscope.data import Stream, Trajectories, assemble, check, load, save

from ..narrow import dataset


@pytest.mark.parametrize("name", ["a.nc", "a.h5"])
def test_every_reader_of_a_damaged_state_says_so(flow: Trajectories, tmp_path: Path, name: str) -> None:
    path = save(flow, tmp_path / name)
    assert "every state is compared with its own" in load(path).notes[-1]
    with h5py.File(path, "r+") as file:
        dataset(file, "velocity" if name == "a.nc" else "t1_fields/velocity")[3, 2, ..., 1] += 1
    data = load(path)
    assert data[:3].tensor().shape[0] == 3 and data.values[3, :2].shape[0] == 2  # what is whole can be read
    readers: list[Callable[[], object]] = [
        lambda: data.values[3, 2], lambda: data.values[:, 2:3, 0], lambda: data.tensor(), lambda: data.check_finite(),
        lambda: data.pairs(np.array([3]), np.array([1])), lambda: save(data, tmp_path / f"copy_{name}"),
        lambda: list(Stream(data, batch=4, workers=2).epoch(0)), lambda: assemble([path], tmp_path / f"sum_{name}"),
        lambda: load([path, path]).values[10], lambda: save(data, tmp_path / "copy.npz"),
    ]  # fmt: skip
    for read in readers:
        with pytest.raises(OrbitscopeError, match=r"damaged at trajectory 3, frame 2: .*--check"):
            read()
    assert not {p.name for p in tmp_path.iterdir()} & {f"copy_{name}", f"sum_{name}", "copy.npz"}
    assert list(check(path).damaged) == [3]


@pytest.mark.parametrize("name", ["a.nc", "a.h5"])
def test_a_changed_description_is_refused(flow: Trajectories, tmp_path: Path, name: str) -> None:
    path = save(flow, tmp_path / name)
    clean = path.read_bytes()

    def attribute(key: str, old: str, new: str) -> Callable[[h5py.File], None]:
        return lambda file: file.attrs.modify(f"orbitscope_{key}", str(file.attrs[f"orbitscope_{key}"]).replace(old, new))

    def coordinate(file: h5py.File) -> None:
        dataset(file, "x" if name == "a.nc" else "dimensions/x")[3] = 0.5

    changes = [
        attribute("grid", "1.0", "3.0"), attribute("layout", "vector", "scalar*2"),
        attribute("provenance", "navier", "xavier"), lambda file: file.attrs.modify("orbitscope_dt", 0.06), coordinate,
    ]  # fmt: skip
    for change in changes:
        path.write_bytes(clean)
        with h5py.File(path, "r+") as file:
            change(file)
        for door in (load, check):
            with pytest.raises(OrbitscopeError, match=r"do not give the checksum .* delete the attribute"):
                door(path)
    path.write_bytes(clean)
    assert load(path).dt == flow.dt


def test_older_files_are_read_and_their_copies_promise_no_more(flow: Trajectories, tmp_path: Path) -> None:
    path = save(flow, tmp_path / "a.nc")
    with h5py.File(path, "r+") as file:
        del file.attrs["orbitscope_description_checksum"]
    assert "older file: not verified" in load(path).notes[-1] and not check(path).damaged
    copy = assemble([path], tmp_path / "copy.nc")
    assert "older file: not verified" in load(copy).notes[-1] and not check(copy).damaged
    with h5py.File(path, "r+") as file:
        del file["orbitscope_frame_checksums"]
        dataset(file, "velocity")[2, 0] += 1
    load(path).values[1]
    with pytest.raises(OrbitscopeError, match=r"damaged at trajectory 2:"):
        load(path).values[2, 4]
    with h5py.File(path, "r+") as file:
        del file["orbitscope_checksums"]
    assert load(path).notes[-1] == "checksums: none in this file; what is read is not verified"


def test_the_same_file_twice_is_not_joined(flow: Trajectories, tmp_path: Path) -> None:
    path = save(flow, tmp_path / "a.nc")
    (tmp_path / "b.nc").symlink_to(path)
    with pytest.raises(OrbitscopeError, match="are the same file"):
        assemble([path, tmp_path / "b.nc"], tmp_path / "c.nc")


@pytest.mark.parametrize("name", ["a.npz", "a.zarr"])
def test_archives_and_stores_have_checksums_and_one_writer(flow: Trajectories, tmp_path: Path, name: str) -> None:
    pytest.importorskip("zarr")
    path = save(flow, tmp_path / name)
    with locked(path), pytest.raises(OrbitscopeError, match="is being written by this process"):
        save(flow, path, force=True)
    assert torch.equal(load(path).tensor(), flow.tensor())
    stored = path if path.is_file() else max(path.rglob("c/**/*"), key=lambda p: p.stat().st_size if p.is_file() else 0)
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    with pytest.raises(OrbitscopeError, match=name.replace(".", r"\.")):
        load(path).tensor()
    save(flow, path, force=True)
    assert torch.equal(load(path).tensor(), flow.tensor())
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, "a.toml"])
