"""Damage is found and named by trajectory, and mended bit for bit."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.data import Trajectories, check, load, repair_file, save
from orbitscope.symmetry import Grid, Layout

from ..narrow import dataset

SIZE = ["--trajectories", "5", "--resolution", "16", "--frames", "3", "--t-end", "0.1", "--seed", "3"]
VALUES = {".nc": "velocity", ".h5": "t1_fields/velocity"}


def damage(path: Path, variable: str, trajectory: int) -> None:
    """Flip every bit of seven bytes in the first chunk of a trajectory, past HDF5."""
    with h5py.File(path) as file:
        stored = file[variable]
        assert isinstance(stored, h5py.Dataset)
        place = stored.id.get_chunk_info_by_coord((trajectory,) + (0,) * (stored.ndim - 1)).byte_offset
    with path.open("rb+") as stream:
        stream.seek(place + 100)
        seven = stream.read(7)
        stream.seek(place + 100)
        stream.write(bytes(255 - b for b in seven))


def make(path: Path, *options: str) -> Path:
    assert main(["simulate", "navier-stokes.gauss", *SIZE, "--out", str(path), *options]) == 0
    return path


@pytest.mark.parametrize("suffix", [".nc", ".h5"])
def test_make_inspect_damage_repair_reload(tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = make(tmp_path / f"ns{suffix}")
    before = path.read_bytes()
    assert main(["info", str(path), "--check"]) == 0 and "5 trajectories intact" in capsys.readouterr().out
    for i in (1, 3):
        damage(path, VALUES[suffix], i)
    assert main(["info", str(path), "--check"]) == 1
    said = capsys.readouterr().out
    assert "2 of 5 trajectories damaged" in said and "trajectory 1:" in said and "trajectory 3:" in said and "trajectory 2:" not in said
    assert main(["repair", str(path)]) == 0 and "trajectories 1, 3" in capsys.readouterr().out
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [path.name]
    assert main(["repair", str(path)]) == 0 and "nothing is damaged" in capsys.readouterr().out
    assert load(path).trajectories == 5


def test_a_part_and_an_assembled_file_are_mended(tmp_path: Path) -> None:
    parts = [make(tmp_path / f"p{k}.nc", "--shard", f"{k}/2") for k in (1, 2)]
    assert main(["assemble", *map(str, parts), "--out", str(tmp_path / "all.nc")]) == 0
    for path, i in ((parts[1], 2), (tmp_path / "all.nc", 4)):
        before = path.read_bytes()
        damage(path, "velocity", i)
        assert repair_file(path) == [i] and path.read_bytes() == before


def test_a_damaged_checksum_is_mended_too(tmp_path: Path) -> None:
    path = make(tmp_path / "ns.nc")
    values = load(path).tensor()
    with h5py.File(path, "r+") as file:
        dataset(file, "orbitscope_checksums")[2] += 1
    assert list(check(path).damaged) == [2] and repair_file(path) == [2] and not check(path).damaged
    assert torch.equal(load(path).tensor(), values)


def test_another_solver_is_noticed(tmp_path: Path) -> None:
    path = make(tmp_path / "ns.nc")
    with h5py.File(path, "r+") as file:  # as if a version of the solver had made it that gave other last bits
        dataset(file, "velocity")[1] = np.nextafter(dataset(file, "velocity")[1], np.float32(9))
        dataset(file, "orbitscope_checksums")[1] = 12345
    before = path.read_bytes()
    with pytest.raises(OrbitscopeError, match="trajectory 1 .* differs .*--accept"):
        repair_file(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["ns.nc"]
    assert repair_file(path, accept=True) == [1] and not check(path).damaged


def test_files_without_origin_or_checksums(tmp_path: Path) -> None:
    data = Trajectories(torch.randn(3, 2, 2, 16, 16), Layout.of("velocity:vector"), Grid.square(16), 0.1)
    path = save(data, tmp_path / "mine.nc")
    assert check(path).checksums and not check(path).damaged
    damage(path, "velocity", 2)
    with pytest.raises(OrbitscopeError, match=r"does not say how it was simulated .*\[2\]"):
        repair_file(path)
    with h5py.File(tmp_path / "foreign.nc", "w") as file:
        values = np.ones((3, 2, 2, 8, 8), dtype=np.float32)
        values[1, 0, 0, 0, 0] = np.nan
        file["velocity"] = values
    found = check(tmp_path / "foreign.nc")
    assert not found.checksums and found.damaged == {1: "NaN or infinity"} and "no checksums" in str(found)
    with pytest.raises(OrbitscopeError, match="no checksums"):
        repair_file(tmp_path / "foreign.nc")


def test_the_gas_whose_stored_channels_are_not_the_read_ones(tmp_path: Path) -> None:
    path = tmp_path / "gas.nc"
    assert main(["simulate", "euler.curved", *SIZE, "--out", str(path)]) == 0
    said = load(path).provenance  # a law of initial states with parameters, and one that is not published
    assert said["initial_parameters"]["p"] == 2 and "not published" in said["notes"]
    before = path.read_bytes()
    damage(path, "data", 0)
    assert list(check(path).damaged) == [0] and repair_file(path) == [0] and path.read_bytes() == before


@pytest.mark.parametrize("suffix", [".nc", ".h5"])
def test_damage_is_named_by_frame_and_old_files_are_still_checked(tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = make(tmp_path / f"ns{suffix}")
    clean = path.read_bytes()
    with h5py.File(path, "r+") as file:  # one number of the third state, past our own writing
        dataset(file, VALUES[suffix])[3, 2, ..., 1] += 1
    assert main(["info", str(path), "--check"]) == 1
    assert "trajectory 3: frame 2 (t = 0.1): its bytes give the checksum" in capsys.readouterr().out
    assert repair_file(path) == [3] and path.read_bytes() == clean
    with h5py.File(path, "r+") as file:
        dataset(file, "orbitscope_frame_checksums")[1, 0] += 1
    assert check(path).damaged == {1: "its values are right and a written checksum is damaged"}
    assert repair_file(path) == [1] and path.read_bytes() == clean
    with h5py.File(path, "r+") as file:  # as older versions wrote it
        del file["orbitscope_frame_checksums"]
    assert not check(path).damaged
    damage(path, VALUES[suffix], 4)
    assert list(check(path).damaged) == [4] and "frame" not in check(path).damaged[4]
    assert repair_file(path) == [4] and not check(path).damaged and load(path).trajectories == 5
