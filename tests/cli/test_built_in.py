"""`orbitscope train --group`, and what `orbitscope probe` says of a network with that symmetry built in."""

from pathlib import Path

import numpy as np
import pytest

import orbitscope as osc
from orbitscope.cli import main

from ..narrow import variable


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("built") / "ns.nc"
    words = ["--trajectories", "12", "--resolution", "16", "--frames", "4", "--t-end", "0.15", "--out", str(path)]
    assert main(["simulate", "navier-stokes.gauss", *words]) == 0
    return path


def test_a_network_with_d4_built_in_shares_all_it_learns(data: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "probe.nc"
    options = ["--override", "width=2", "kernels=3,3", "heads=0", "--epochs", "1", "--batch", "8"]
    assert main(["train", "--model", "equivariant_unet", "--group", "d4", str(data), "--out", str(run), *options]) == 0
    assert osc.load_run(run).config.overrides["group"] == "d4"
    assert main(["probe", str(run), str(data), "--group", "d4", "--trajectories", "2", "--times", "1", "--out", str(out)]) == 0
    found = osc.open_probe(out)
    np.testing.assert_allclose(variable(found, "D4/influence/response").values, 1.0, atol=1e-4)
    assert float(variable(found, "D4/equivariance/commutator").max()) < 1e-5


def test_group_and_override_must_not_contradict(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", str(data), "--model", "equivariant_unet", "--group", "d4", "--override", "group=c4", "--out", str(tmp_path / "no")]
    assert main(command) == 2
    assert "contradict" in capsys.readouterr().err
    plain = ["train", str(data), "--model", "unet", "--group", "d4", "--out", str(tmp_path / "plain")]
    assert main(plain) == 2
    assert "no option 'group'" in capsys.readouterr().err
