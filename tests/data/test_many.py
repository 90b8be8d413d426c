"""Numbered files, as PDEgym distributes them, read as one data set."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.data import LazyArray, Trajectories, load, save
from orbitscope.symmetry import Grid, Layout

NUMBERS = (0, 1, 2, 10)


@pytest.fixture
def chunked(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """CE-RP_0.nc ... of different lengths, one variable `data`, no attributes: [trajectory, 21, 5, 8, 8]."""
    random, parts = np.random.default_rng(0), []
    for k, count in zip(NUMBERS, (3, 2, 4, 1), strict=True):
        stored = random.uniform(0.5, 1.5, (count, 21, 5, 8, 8)).astype(np.float32)
        with h5py.File(tmp_path / f"CE-RP_{k}.nc", "w") as file:
            file["data"] = stored
        parts.append(stored)
    return tmp_path, np.concatenate(parts)


def conserved(stored: np.ndarray) -> np.ndarray:
    rho, vx, vy, _, energy = np.moveaxis(stored, 2, 0)
    return np.stack([rho, rho * vx, rho * vy, energy], axis=2)


def test_a_folder_a_pattern_and_a_list_are_one_data_set(chunked: tuple[Path, np.ndarray]) -> None:
    folder, stored = chunked
    expected = torch.from_numpy(conserved(stored))
    for what in (folder, folder / "CE-RP_*.nc", str(folder / "CE-RP_*"), [folder / f"CE-RP_{k}.nc" for k in NUMBERS]):
        data = load(what)
        assert data.lazy and data.trajectories == 10 and torch.equal(data.tensor(), expected)
        assert data.provenance["assembled"] == [f"CE-RP_{k}.nc" for k in NUMBERS] and "CE-RP_10.nc 1" in data.notes[0]
    backwards = load([folder / f"CE-RP_{k}.nc" for k in reversed(NUMBERS)])
    assert torch.equal(backwards.values[0], expected[9])


def test_slices_read_only_the_files_they_touch(chunked: tuple[Path, np.ndarray]) -> None:
    folder, stored = chunked
    expected = torch.from_numpy(conserved(stored))
    data = load(folder)
    assert isinstance(data.values, LazyArray)
    order = [9, 0, 4, 3, 0, 8]
    assert torch.equal(data[order].tensor(), expected[order])
    assert torch.equal(data.values[4:8, [3, 0], 1:3, ::2], expected[4:8][:, [3, 0], 1:3, ::2])
    x, y = data.pairs(torch.tensor(order), torch.tensor([0, 5, 19, 7, 3, 2]))
    times = torch.tensor([0, 5, 19, 7, 3, 2])
    assert torch.equal(x, expected[torch.tensor(order), times]) and torch.equal(y, expected[torch.tensor(order), times + 1])
    copy = pickle.loads(pickle.dumps(data.values))
    assert torch.equal(copy[5], expected[5])
    sources = load(folder).values.source.sources  # pyright: ignore
    assert sources[2].handle.bytes_read == 0
    data = load(folder)
    _ = data.values[0]
    assert [s.handle.bytes_read > 0 for s in data.values.source.sources] == [True, False, False, False]  # pyright: ignore


def test_files_that_do_not_agree(chunked: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, _ = chunked
    with h5py.File(folder / "CE-RP_11.nc", "w") as file:
        file["data"] = np.ones((1, 21, 5, 9, 9), dtype=np.float32)
    with pytest.raises(OrbitscopeError, match=r"load: .*CE-RP_0.nc has grid 8 x 8 .*CE-RP_11.nc has 9 x 9"):
        load(folder)
    (tmp_path / "empty").mkdir()
    for what, words in (
        (tmp_path / "empty", "folder without files"),
        (tmp_path / "x*.nc", "no file matches"),
        ([], "list of files is empty"),
    ):
        with pytest.raises(OrbitscopeError, match=words):
            load(what)


def test_parts_come_in_their_order_and_must_be_complete(tmp_path: Path) -> None:
    size = ["--trajectories", "5", "--resolution", "8", "--frames", "2", "--t-end", "0.1"]
    for out, more in (("whole.nc", []), ("b.nc", ["--shard", "1/2"]), ("a.nc", ["--shard", "2/2"])):
        (tmp_path / out).parent.mkdir(exist_ok=True)
        assert main(["simulate", "NS-Gauss", *size, *more, "--out", str(tmp_path / out)]) == 0
    whole, parts = load(tmp_path / "whole.nc"), load([tmp_path / "a.nc", tmp_path / "b.nc"])
    assert torch.equal(whole.tensor(), parts.tensor()) and "shard" not in parts.provenance
    for k in (2, 3):
        assert main(["simulate", "NS-Gauss", *size, "--shard", f"{k}/3", "--out", str(tmp_path / f"p{k}.nc")]) == 0
    with pytest.raises(OrbitscopeError, match="load: .* are both part 2/3"):
        load([tmp_path / "p2.nc", tmp_path / "p2.nc"])
    with pytest.raises(OrbitscopeError, match="load: part 1/3 is missing"):
        load(tmp_path / "p*.nc")


def test_files_in_memory_and_copies(tmp_path: Path) -> None:
    data = Trajectories(torch.randn(4, 2, 2, 8, 8), Layout.of("velocity:vector"), Grid.square(8), 0.1)
    for k in (0, 1):
        save(data[2 * k : 2 * k + 2], tmp_path / f"n_{k}.npz")
    assert torch.equal(load(tmp_path / "n_*.npz").tensor(), data.tensor())
    one = save(load(tmp_path), tmp_path / "one.nc")
    assert torch.equal(load(one).tensor(), data.tensor())


def test_the_command_line_takes_folders_and_patterns(
    chunked: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = chunked
    assert main(["info", str(folder)]) == 0 and "trajectories 10, times 21" in capsys.readouterr().out
    assert main(["info", str(folder / "CE-RP_*.nc"), "--check"]) == 0
    assert capsys.readouterr().out.count("intact") == len(NUMBERS)
    assert main(["view", str(folder), "--trajectory", "9", "--out", str(tmp_path / "a.png")]) == 0
    assert main(["audit", str(folder), "--group", "c2"]) in (0, 1)
