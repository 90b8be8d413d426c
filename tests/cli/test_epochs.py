"""orbitscope epochs, on a run of two epochs."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from orbitscope.cli import main


def test_every_checkpoint_is_measured_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run, out, picture = (tmp_path / name for name in ("ns.nc", "run", "e.nc", "e.png"))
    assert main(["simulate", "navier-stokes.gauss", "--trajectories", "10", "--resolution", "8", "--frames", "3", "--out", str(data)]) == 0
    train = ["train", str(data), "--model", "resnet", "--override", "width=4", "depth=1", "--epochs", "2", "--keep", "all"]
    assert main([*train, "--out", str(run)]) == 0
    words = ["epochs", str(run), str(data), "--group", "c4", "--trajectories", "2", "--times", "1", "--out", str(out)]
    assert main([*words, "--picture", str(picture)]) == 0
    found = xr.load_dataset(out, engine="h5netcdf")
    assert found["epoch"].values.tolist() == [0, 1, 2] and found["element"].values.tolist() == ["e", "r", "r2", "r3"]
    assert np.isfinite(found["relative_error"]).all() and "excess" in found
    with Image.open(picture) as image:
        assert image.size[0] > 1000
    assert "epoch 2" in capsys.readouterr().out
    assert main(words) == 2 and "exists" in capsys.readouterr().err


def test_a_run_without_checkpoints_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = tmp_path / "ns.nc", tmp_path / "run"
    main(["simulate", "navier-stokes.gauss", "--trajectories", "8", "--resolution", "8", "--frames", "3", "--out", str(data)])
    main(["train", str(data), "--model", "resnet", "--override", "width=4", "depth=1", "--epochs", "1", "--out", str(run)])
    assert main(["epochs", str(run), str(data), "--out", str(tmp_path / "e.nc")]) == 2
    assert "keep='all'" in capsys.readouterr().err
