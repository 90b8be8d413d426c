"""Files that reach outside, loop, or declare what is not there: refused by every door, and nothing outside is read or written."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.data import Trajectories, Writer, assemble, check, load, open_hdf5, repair_file, save

from ..narrow import dataset


class Opens:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


PRECIOUS = b"precious text\n" * 500


def _outside_storage(file: h5py.File, victim: Path, name: str = "velocity") -> None:
    values = dataset(file, name)[()]
    del file[name]
    file.create_dataset(name, values.shape, values.dtype, external=[(str(victim), 0, values.nbytes)])


def _outside_sums(file: h5py.File, victim: Path) -> None:
    _outside_storage(file, victim, "orbitscope_checksums")


def _outside_link(file: h5py.File, victim: Path) -> None:
    del file["velocity"]
    file["velocity"] = h5py.ExternalLink(str(victim), "/velocity")


def _outside_group(file: h5py.File, victim: Path) -> None:
    file["dimensions"] = h5py.ExternalLink(str(victim), "/")


def _virtual(file: h5py.File, victim: Path) -> None:
    shape, kind = dataset(file, "velocity").shape, dataset(file, "velocity").dtype
    del file["velocity"]
    layout = h5py.VirtualLayout(shape, kind)
    layout[...] = h5py.VirtualSource(file.filename, "velocity", shape=shape)  # of itself: HDF5 crashes on it
    file.create_virtual_dataset("velocity", layout)


def _loop(file: h5py.File, victim: Path) -> None:
    file["deep/loop"] = file["/"]


def _soft_loop(file: h5py.File, victim: Path) -> None:
    file["deep/loop"] = h5py.SoftLink("/")


def _diamonds(file: h5py.File, victim: Path) -> None:
    """No loop, and 2^40 ways through."""
    group = file.create_group("g0")
    for _ in range(1, 40):
        new = group.create_group("a")
        group["b"] = new
        group = new


def _enormous(file: h5py.File, victim: Path) -> None:
    del file["velocity"]
    file.create_dataset("velocity", (2**22, 64, 2, 64, 64), "f4", chunks=(1, 1, 2, 64, 64))


@pytest.mark.parametrize("name", ["flow.nc", "flow.h5"])
def test_a_table_of_texts_without_end_is_refused_and_not_walked(flow: Trajectories, tmp_path: Path, name: str) -> None:
    """HDF5 itself never comes back from it; every object of the table may become the free one of length 0."""
    path = save(flow, tmp_path / name)
    content = path.read_bytes()
    at, places = content.index(b"GCOL") + 16, []
    while int.from_bytes(content[at : at + 2], "little"):
        places.append(at)
        at += 16 + -(-int.from_bytes(content[at + 8 : at + 16], "little") // 8) * 8
    assert len(places) > 5 and load(path).shape == flow.shape
    for place in (places[0], places[-1], at):
        path.write_bytes(content[:place] + bytes(16) + content[place + 16 :])
        for door in (load, check, open_hdf5):
            with pytest.raises(OrbitscopeError, match="table of texts in it has no end"):
                door(path)


def test_a_sparse_series_is_read_where_it_is_asked(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "sparse.nc", "w") as file:
        stored = file.create_dataset("velocity", (1000, 70, 2, 320, 320), "f4", chunks=(1, 1, 2, 320, 320))
        stored[3, 2] = 1.0
    data = load(tmp_path / "sparse.nc")
    assert data.values[3, 2].eq(1).all() and not data.values[999, 69].any()
    with pytest.raises(OrbitscopeError, match="do not fit"):
        data.tensor()


WAYS = (_outside_storage, _outside_sums, _outside_link, _outside_group, _virtual, _loop, _soft_loop, _diamonds, _enormous)


@pytest.mark.parametrize("spoil", WAYS, ids=lambda f: f.__name__.strip("_"))
def test_no_door_leads_outside(flow: Trajectories, tmp_path: Path, spoil: Callable[[h5py.File, Path], None]) -> None:
    victim, path = tmp_path / "victim", save(flow, tmp_path / "flow.nc")
    victim.write_bytes(PRECIOUS)
    with h5py.File(path, "r+") as file:
        spoil(file, victim)
    doors: list[Callable[[], object]] = [
        lambda: load(path), lambda: load([path, path]), lambda: check(path), lambda: repair_file(path), lambda: open_hdf5(path),
        lambda: open_hdf5(path, "r+"), lambda: assemble([path], tmp_path / "copy.nc"),
    ]  # fmt: skip
    for door in doors:
        with pytest.raises(OrbitscopeError, match=r"flow\.nc"):
            door()
    unfinished = tmp_path / "other.nc.part"
    path.rename(unfinished)
    with pytest.raises(OrbitscopeError, match=r"other\.nc\.part .*--force"):
        Writer(tmp_path / "other.nc", flow.layout, flow.grid, flow.dt, 7, 5, flow.provenance)
    assert victim.read_bytes() == PRECIOUS and not (tmp_path / "copy.nc").exists()


def test_an_unfinished_file_that_is_a_link_is_not_written_through(flow: Trajectories, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(PRECIOUS)
    for name in ("a.nc.part", "b.nc.part"):
        (tmp_path / name).symlink_to(victim if name == "a.nc.part" else tmp_path / "nowhere")
        with pytest.raises(OrbitscopeError, match="link to another file"):
            Writer(tmp_path / name.removesuffix(".part"), flow.layout, flow.grid, flow.dt, 7, 5, flow.provenance)
    assert victim.read_bytes() == PRECIOUS and not (tmp_path / "nowhere").exists()


def test_harmless_links_and_sparse_files_are_read(flow: Trajectories, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["inner/values"] = flow.tensor().numpy()
        file["velocity"] = h5py.SoftLink("/inner/values")
        file["same"] = file["inner/values"]
        file["dangling"] = h5py.SoftLink("/nowhere")
    assert np.array_equal(load(tmp_path / "a.nc").tensor(), flow.tensor())
    with h5py.File(tmp_path / "b.nc", "w") as file:
        file.create_dataset("velocity", (100, 21, 2, 64, 64), "f4", chunks=(1, 21, 2, 64, 64), compression="gzip")[3] = 1.0
    assert load(tmp_path / "b.nc")[3].tensor().min() == 1


@pytest.mark.parametrize("where", ["filters", "compressor"])
def test_a_zarr_store_runs_no_code(tmp_path: Path, where: str) -> None:
    pytest.importorskip("zarr")
    store, mark = tmp_path / "flow.zarr", tmp_path / "mark"
    (store / "velocity").mkdir(parents=True)
    (store / ".zgroup").write_text('{"zarr_format": 2}')
    about = {
        "zarr_format": 2, "shape": [2, 3, 2, 8, 8], "chunks": [2, 3, 2, 8, 8], "dtype": "<f4", "order": "C", "fill_value": 0,
        "compressor": None, "filters": None, where: {"id": "pickle"} if where == "compressor" else [{"id": "pickle"}],
    }  # fmt: skip
    (store / "velocity" / ".zarray").write_text(json.dumps(about))
    (store / "velocity" / "0.0.0.0.0").write_bytes(pickle.dumps(Opens(mark)))
    settings = 'layout = ["velocity:vector"]\ndt = 0.1\n[grid]\nextent = [1.0, 1.0]\nboundary = ["periodic", "periodic"]\n'
    for attributes, text in (("{}", settings), ('{"_ARRAY_DIMENSIONS": ["trajectory", "time", "channel", "x", "y"]}', None)):
        (store / "velocity" / ".zattrs").write_text(attributes)
        (tmp_path / "flow.toml").write_text(text) if text else (tmp_path / "flow.toml").unlink()
        options = {} if text else {"fields": "velocity=velocity:vector", "extent": (1, 1), "boundary": ("periodic", "periodic")}
        with pytest.raises(OrbitscopeError, match="codec 'pickle'"):
            load(store, **options).tensor()
    assert not mark.exists()
