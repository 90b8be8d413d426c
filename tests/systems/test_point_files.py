"""Clouds and crystals from files of ase and numpy, whole and damaged."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.data import save_examples
from orbitscope.systems.points import SYSTEM, described, read_points

RNG = np.random.default_rng(0)


def frames(count: int = 12, periodic: bool = True, shift: float = 0.0) -> list[Atoms]:
    made = []
    for _ in range(count):
        places = np.array([[0, 0, 0], [2, 2, 2], [2, 2, 0.0]]) + 0.1 * RNG.standard_normal((3, 3)) + shift
        atoms = Atoms("BaTiO", positions=places, cell=[4, 4, 4] if periodic else None, pbc=periodic)
        atoms.calc = SinglePointCalculator(atoms, forces=-places, energy=1.0)
        made.append(atoms)
    return made


@pytest.mark.parametrize("periodic", [True, False])
def test_an_extxyz_file_is_read_as_it_was_written(tmp_path, periodic):
    some = frames(periodic=periodic)
    write(tmp_path / "x.extxyz", some, format="extxyz")
    data = read_points(tmp_path / "x.extxyz")
    said = described(data)
    assert said["periodic"] == periodic and said["into"] == "3x0e" and len(data) == 12
    assert np.allclose(data.x[0][3], some[3].get_positions(), atol=1e-7) and np.allclose(data.y[3], some[3].get_forces(), atol=1e-7)
    assert (data.x[1].sum(2) == 1).all() and torch.equal(data.x[1][0], data.x[1][5])
    if periodic:
        assert np.allclose(data.x[2][0], 4 * np.eye(3))
    assert SYSTEM.model("e3net").make(data, hidden="2x0e+2x1o").double()(*data.x).shape == data.y.shape


def test_a_network_is_trained_on_an_extxyz_file_from_the_command_line(tmp_path):
    write(tmp_path / "x.extxyz", frames(), format="extxyz")
    words = ["train", str(tmp_path / "x.extxyz"), "--model", "e3net", "--epochs", "1", "--out", str(tmp_path / "run")]
    assert main(words) == 0 and (tmp_path / "run" / "run.json").exists()
    assert main(["view", str(tmp_path / "x.extxyz"), "--out", str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").stat().st_size > 10_000


def test_frames_of_different_sizes_are_padded_and_masked(tmp_path):
    some = frames(12, periodic=False)
    some[1], some[4] = some[1][:2], some[4][1:]
    for k in (1, 4):
        some[k].calc = SinglePointCalculator(some[k], forces=-some[k].get_positions(), energy=1.0)
    write(tmp_path / "x.extxyz", some, format="extxyz")
    data = read_points(tmp_path / "x.extxyz")
    there = data.x[2]
    assert described(data)["masked"] and there.sum(1).tolist() == [len(a) for a in some] and data.x[0].shape == (12, 3, 3)
    assert np.allclose(data.x[0][4, :2], some[4].get_positions(), atol=1e-7) and np.allclose(data.y[1, :2], some[1].get_forces(), atol=1e-7)
    assert not data.y[~there].any() and not data.x[1][~there].any() and data.x[1][4, 0].tolist() == data.x[1][0, 1].tolist()
    words = ["train", str(tmp_path / "x.extxyz"), "--model", "e3net", "--epochs", "1", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    few = ("--group", "e3", "--influence-elements", "2", "--steps", "0", "--trajectories", "2")
    assert main(["probe", str(tmp_path / "run"), str(tmp_path / "x.extxyz"), *few, "--out", str(tmp_path / "p.nc")]) == 0
    assert main(["view", str(tmp_path / "x.extxyz"), "--out", str(tmp_path / "sheet.png")]) == 0
    kept = save_examples(data, tmp_path / "kept.nc")
    again = SYSTEM.read(kept)
    assert torch.equal(again.x[2], there) and again.x[2].dtype == torch.bool
    mask = np.ones((4, 3), dtype=bool)
    mask[0, 2] = False
    assert read_points(npz(tmp_path / "m.npz", there=mask)).x[2].sum() == 11
    for wrong in (np.ones((4, 2), dtype=bool), np.ones((4, 3)), np.zeros((4, 3), dtype=bool)):
        with pytest.raises(OrbitscopeError, match="there of"):
            read_points(npz(tmp_path / "m.npz", there=wrong))


def npz(path, **arrays):
    usual = {"positions": RNG.standard_normal((4, 3, 3)), "answers": RNG.standard_normal((4, 3, 3))}
    np.savez(path, **{k: v for k, v in {**usual, **arrays}.items() if v is not None})
    return path


def test_a_plain_archive_is_read(tmp_path):
    species = np.array(["H", "O", "H"])
    data = read_points(
        npz(tmp_path / "x.npz", species=species, features=np.ones((4, 3, 3)), unit=[0, 0, 1, 1], slot=[0, 1, 0, 1]), into="1o"
    )
    assert described(data)["into"] == "2x0e+1x1o" and described(data)["names"] == ["H", "O", "H"] and data.unit.tolist() == [0, 0, 1, 1]
    assert not described(read_points(npz(tmp_path / "y.npz")))["periodic"]


BAD = {
    "no archive": ({"answers": None}, "expected positions, answers"),
    "unknown": ({"velocity": np.ones(3)}, "expected positions"),
    "flat positions": ({"positions": np.ones((4, 3))}, r"\[N, P, 3\]"),
    "empty": ({"positions": np.ones((0, 3, 3)), "answers": np.ones((0, 3, 3))}, "at least one point"),
    "nan": ({"answers": np.full((4, 3, 3), np.nan)}, "NaN or infinite values, first in frame 0"),
    "coincident": ({"positions": np.zeros((4, 3, 3))}, "lie on one another"),
    "flat cell": ({"cell": np.ones((4, 3, 3))}, "no volume"),
    "one cell": ({"cell": np.eye(3)}, "lattice vector in each row"),
    "species": ({"species": np.ones(5)}, "species of"),
    "features": ({"features": np.ones((4, 3, 1))}, "how they move"),
    "words": ({"positions": np.full((4, 3, 3), "x")}, "real numbers"),
    "answers": ({"answers": np.ones((4, 3, 2))}, "`answers` should be"),
}


@pytest.mark.parametrize(("arrays", "match"), BAD.values(), ids=list(BAD))
def test_a_bad_archive_is_refused_with_its_name(tmp_path, arrays, match):
    with pytest.raises(OrbitscopeError, match=match) as raised:
        read_points(npz(tmp_path / "bad.npz", **arrays))
    assert "bad.npz" in str(raised.value)


def test_bad_frames_are_refused(tmp_path):
    file = tmp_path / "bad.extxyz"
    swapped, half = frames(2), frames(2)
    swapped[1].set_atomic_numbers([22, 56, 8])
    half[0].pbc = [True, True, False]
    for some, match in ((swapped, "different orders"), (half, "some directions or frames only")):
        write(file, some, format="extxyz")
        with pytest.raises(OrbitscopeError, match=match):
            read_points(file)
    write(file, frames(2), format="extxyz")
    with pytest.raises(OrbitscopeError, match="no 'charges'"):
        read_points(file, "charges")
    for content, match in (("", "no frame|ase can read"), ("3\nwords\nH 0 0\n", "ase can read"), ("nonsense", "ase can read")):
        file.write_text(content)
        with pytest.raises(OrbitscopeError, match=match):
            read_points(file)
    for name, match in (("missing.xyz", "no file"), ("bad.pdb", "should end in")):
        (tmp_path / "bad.pdb").write_text("x")
        with pytest.raises(OrbitscopeError, match=match):
            read_points(tmp_path / name)
