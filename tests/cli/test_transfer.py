"""orbitscope transfer, on a run of one epoch."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from orbitscope.cli import main


def test_a_run_is_fine_tuned_measured_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the run's moments; refused on another file, of which nobody knows what was held out."""
    data, other, run, out, picture = (tmp_path / name for name in ("ns.nc", "other.nc", "run", "t.nc", "t.png"))
    for path, count in ((data, "10"), (other, "6")):
        assert (
            main(["simulate", "navier-stokes.gauss", "--trajectories", count, "--resolution", "8", "--frames", "3", "--out", str(path)])
            == 0
        )
    train = ["train", str(data), "--model", "resnet", "--override", "width=4", "depth=1", "--epochs", "1"]
    assert main([*train, "--out", str(run)]) == 0
    words = ["--group", "c4", "--steps", "2", "--trajectories", "2", "--times", "1", "--out", str(out)]
    assert main(["transfer", str(run), str(data), *words, "--picture", str(picture)]) == 0
    found = xr.load_dataset(out, engine="h5netcdf")
    assert found.attrs["moments"] == "kept" and found.attrs["steps"] == 2 and np.isfinite(found["realised"]).all()
    with Image.open(picture) as image:
        assert image.size[0] > 1000
    said = capsys.readouterr().out
    assert "kept moments" in said and "sign_ket" in said
    assert main(["transfer", str(run), str(data), *words]) == 2 and "exists" in capsys.readouterr().err
    assert main(["transfer", str(run), str(other), *words[:-1], str(tmp_path / "o.nc")]) == 2
    assert "was trained on 10 trajectories" in capsys.readouterr().err
