"""Metrics, losses, sketch, budget and step test from the command line, on a run of one epoch."""

from pathlib import Path

import pytest

import orbitscope as osc
from orbitscope.cli import main


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("probe")
    data, run = folder / "ns.nc", folder / "run"
    assert main(["simulate", "navier-stokes.gauss", "--trajectories", "10", "--resolution", "8", "--frames", "3", "--out", str(data)]) == 0
    words = ["train", str(data), "--model", "resnet", "--override", "width=4", "depth=1", "--epochs", "1", "--out", str(run)]
    assert main(words) == 0
    return data, run


@pytest.mark.parametrize(
    ("words", "metric", "loss"),
    [
        (["--metric", "adam"], "adam", "smse"),
        (["--metric", "kronecker", "--bra-loss", "energy"], "kronecker", "energy"),
        (["--sketch", "4", "--memory", "1GiB", "--steps", "0"], "gauss_newton", "smse"),
    ],
)
def test_metrics_and_losses(
    trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], metric: str, loss: str
) -> None:
    data, run = trained
    common = ["probe", str(run), str(data), "--group", "c2", "--trajectories", "3", "--times", "1"]
    assert main([*common, "--out", str(tmp_path / "p.nc"), *words]) == 0
    found = osc.open_probe(tmp_path / "p.nc")["C2/influence"].attrs
    assert (found["metric"], found["bra_loss"]) == (metric, loss)
    assert ("steps" in osc.open_probe(tmp_path / "p.nc")["C2"].children) == ("--steps" not in words)
    said = capsys.readouterr().err
    assert "memory:" in said and ("of 1.0 GiB" in said) == ("--memory" in words)


def test_adam_needs_a_run(trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = trained
    (run / "state.pt").rename(run / "state.away")
    assert main(["probe", str(run), str(data), "--metric", "adam", "--out", str(tmp_path / "p.nc")]) != 0
    assert "state.pt" in capsys.readouterr().err
    (run / "state.away").rename(run / "state.pt")


def test_a_budget_that_is_too_small_is_named(trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = trained
    assert main(["probe", str(run), str(data), "--memory", "10kib", "--out", str(tmp_path / "p.nc")]) != 0
    assert "budget" in capsys.readouterr().err and not (tmp_path / "p.nc").exists()
