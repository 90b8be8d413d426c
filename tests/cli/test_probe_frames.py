"""`orbitscope probe` on models that see several past states."""

from pathlib import Path

import numpy as np
import pytest

import orbitscope as osc
from orbitscope.cli import main

FOREIGN = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(4, 3, 3, padding=1, padding_mode="circular"), nn.Tanh(), nn.Conv2d(3, 2, 1))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frames") / "ns.nc"
    words = ["--trajectories", "12", "--resolution", "8", "--frames", "5", "--t-end", "0.2", "--out", str(path)]
    assert main(["simulate", "navier-stokes.gauss", *words]) == 0
    return path


@pytest.fixture(scope="module")
def trained(data: Path) -> Path:
    """Equivariant, three states in, every epoch kept."""
    run = data.parent / "run"
    words = ["--model", "equivariant_resnet", "--override", "width=2", "depth=1", "kernel=3", "--frames", "3", "--keep", "all"]
    assert main(["train", str(data), "--out", str(run), "--epochs", "1", "--batch", "4", *words]) == 0
    return run


def test_a_run_knows_its_frames(trained: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = data.parent / "probe.nc"
    common = ["probe", str(trained), str(data), "--group", "d4", "--trajectories", "2", "--times", "1", "--out", str(out)]
    assert main(common) == 0
    tree = osc.open_probe(out)
    assert tree.attrs["model_frames"] == 3 and tree.attrs["model"].endswith("3 frames")
    assert (tree["D4/equivariance"]["commutator"] < 1e-5).all()
    np.testing.assert_allclose(tree["D4/influence"]["response"], 1, atol=1e-3)
    assert tree["D4/steps"].to_dataset()["correlation"].item() > 0.99
    assert main(["report", str(out), "--out", str(data.parent / "report.html")]) == 0
    capsys.readouterr()
    assert main([*common, "--force", "--frames", "2"]) != 0
    assert "was trained with frames = 3, not 2" in capsys.readouterr().err


def test_over_its_training(trained: Path, data: Path) -> None:
    out = data.parent / "epochs.nc"
    words = ["--group", "c4", "--trajectories", "2", "--times", "1", "--out", str(out)]
    assert main(["epochs", str(trained), str(data), *words]) == 0
    assert osc.rollout(osc.load_run(trained).model, osc.load(data)).sizes["horizon"] == 2


def test_a_foreign_model_is_told(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "two_states.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(tmp_path)
    common = [
        "probe",
        "two_states:make",
        str(data),
        "--group",
        "c4",
        "--trajectories",
        "2",
        "--times",
        "1",
        "--out",
        str(tmp_path / "p.nc"),
    ]
    assert main([*common, "--frames", "2"]) == 0
    tree = osc.open_probe(tmp_path / "p.nc")
    assert tree.attrs["model_frames"] == 2 and (tree["C4/equivariance"]["commutator"].sel(element="r") > 1e-2).all()
    capsys.readouterr()
    for words, message in (
        ([], "model.frames = 2, or --frames 2"),
        (["--frames", "3"], "it says that it sees 3 states"),
        (["--frames", "0"], "at least 1"),
        (["--frames", "5"], "at least one trajectory of 6 states"),
    ):
        assert main([*common, "--force", *words]) != 0
        assert message in " ".join(capsys.readouterr().err.split()).replace("It says", "it says")
