"""`orbitscope audit` refuses, lists, compares and corrects."""

import pytest
import torch

import orbitscope as osc
from orbitscope.cli import main


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Ten small trajectories."""
    path = tmp_path_factory.mktemp("audit") / "ns.nc"
    size = ["--trajectories", "10", "--resolution", "16", "--frames", "4", "--t-end", "0.15"]
    assert main(["simulate", "navier-stokes.gauss", *size, "--out", str(path)]) == 0
    return path


def test_a_refused_file_is_corrected(file, tmp_path, capsys):
    wrong, right = tmp_path / "wrong.nc", tmp_path / "right.nc"
    osc.save(osc.load(file).swap_components().replace(dt=0.1), wrong)
    assert main(["audit", str(wrong), "--group", "c2", "--fix", str(right)]) == 1
    assert "components swapped, dt x 0.5" in capsys.readouterr().out
    assert main(["audit", str(right), "--group", "c2"]) == 0
    assert torch.equal(osc.load(right).tensor(), osc.load(file).tensor())
    assert main(["audit", str(wrong), "--group", "c2", "--fix", str(right)]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["audit", str(wrong), "--group", "c2", "--fix", str(wrong), "--force"]) == 2
    assert "beside it" in capsys.readouterr().err
    assert main(["audit", str(file), "--group", "c2", "--fix", str(tmp_path / "none.nc")]) == 2
    assert "nothing to correct" in capsys.readouterr().err and not (tmp_path / "none.nc").exists()


def test_a_doubtful_file_needs_a_choice(file, tmp_path, capsys):
    data = osc.load(file)
    osc.save(data.replace(values=data.tensor().flip(1), provenance={}), tmp_path / "a.nc")
    args = ["audit", str(tmp_path / "a.nc"), "--group", "c2", "--fix", str(tmp_path / "b.nc")]
    assert main(args) == 2
    assert "fit this file alike" in capsys.readouterr().err
    assert main([*args, "--choose", "time reversed"]) == 1
    assert torch.equal(osc.load(tmp_path / "b.nc").tensor(), data.tensor())


def test_trajectories_are_screened(file, tmp_path, capsys):
    data = osc.load(file)
    osc.save(data.replace(values=data.tensor()[[*range(10), 4]]), tmp_path / "a.nc")
    assert main(["audit", str(tmp_path / "a.nc"), "--group", "c2"]) == 0
    assert "trajectory 10 is a copy of trajectory 4" in capsys.readouterr().out
    assert main(["audit", str(tmp_path / "a.nc"), "--group", "c2", "--no-screening"]) == 0
    assert "copy" not in capsys.readouterr().out


def test_splits_are_compared(file, tmp_path, capsys):
    data = osc.load(file)
    osc.save(data[:6], tmp_path / "train.nc")
    osc.save(data[5:8], tmp_path / "test.nc")
    osc.save(data[8:], tmp_path / "other.nc")
    train, test, other = (str(tmp_path / n) for n in ("train.nc", "test.nc", "other.nc"))
    assert main(["audit", train, "--group", "c2", "--splits", test, other]) == 1
    assert "trajectory 5 of train.nc are times 0 to 3 of trajectory 0 of test.nc" in capsys.readouterr().out
    assert main(["audit", train, "--group", "c2", "--splits", other]) == 0
    assert "disjoint" in capsys.readouterr().out


def test_the_split_of_a_run_is_compared(file, tmp_path, capsys):
    run = str(tmp_path / "run")
    assert main(["train", str(file), "--model", "resnet", "--epochs", "1", "--override", "width=4", "depth=1", "--out", run]) == 0
    capsys.readouterr()
    assert main(["audit", str(file), "--group", "d4", "--splits", run]) == 0
    said = capsys.readouterr().out
    assert "disjoint" in said and "normalisation and loss of the run under d4: commutes" in said
