"""From mocks to a posterior by the verbs alone: simulate, train, probe, infer; what is wrong is named."""

import json

import numpy as np
import pytest
import xarray as xr

from orbitscope.cli import main
from orbitscope.data import load_examples
from orbitscope.systems.galaxies import values_and_known

_SMALL = ("low=12.9", "high=13.6", "grid=32", "box=80", "lightest=1e12", "realisations=4", "fewest=300")
_FIXED = ("logMmin=13.25", "logM0=13.05", "alpha=1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small training set, an emulator of it, and a data vector."""
    path = tmp_path_factory.mktemp("galaxies")
    assert main(["simulate", "galaxies.hod", "--trajectories", "24", "--initial", *_SMALL, "--out", str(path / "mocks.nc"), "--quiet"]) == 0
    words = ["train", str(path / "mocks.nc"), "--model", "alignment_emulator", "--epochs", "12", "--out", str(path / "run"), "--quiet"]
    assert main([*words, "--override", "width=24", "depth=1", "members=2"]) == 0
    value, known = values_and_known(load_examples(path / "mocks.nc").y)
    omega, eta = (np.where(known[5, k], value[5, k], np.nan) for k in (1, 2))
    np.savez(path / "vector.npz", omega=omega, eta=eta)
    return path


def test_posterior_from_a_data_vector(folder, capsys):
    words = ["infer", str(folder / "run"), "--data", str(folder / "vector.npz"), "--out", str(folder / "posterior.nc")]
    more = ["--draws", "20", "--warmup", "50", "--chains", "1", "--fix", *_FIXED, "--corner", str(folder / "corner.png")]
    assert main([*words, *more, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["numbers"]["intervals"]) == 4 and said["numbers"]["bins"] > 20 and len(said["lines"]) == 6
    found = xr.load_dataset(folder / "posterior.nc", engine="h5netcdf")
    assert found["sample"].shape == (1, 20, 4) and list(found["parameter"].values) == ["mu_cen", "mu_sat", "sigma_logM", "logM1"]
    assert (folder / "corner.png").read_bytes().startswith(b"\x89PNG")
    assert main([*words, *more]) == 2
    assert "exists" in capsys.readouterr().err


def test_noise_of_bins_that_goes_together(folder, capsys, tmp_path):
    """By a flag and by a settings file; a single realisation of each point cannot say it, and data with a covariance need none."""
    words = ["infer", str(folder / "run"), "--data", str(folder / "vector.npz"), "--draws", "10", "--warmup", "50", "--chains", "2"]
    words += ["--fix", *_FIXED, "sigma_logM=0.5", "logM1=14", "--out"]
    (tmp_path / "infer.toml").write_text("correlated-noise = true\n", encoding="utf-8")
    for out, more in (("flag.nc", ["--correlated-noise"]), ("file.nc", ["--config", str(tmp_path / "infer.toml")]), ("apart.nc", [])):
        assert main([*words, str(tmp_path / out), *more]) == 0
    assert "noise: emulator, bins correlated" in capsys.readouterr().out
    flag, file, apart = (xr.load_dataset(tmp_path / n, engine="h5netcdf") for n in ("flag.nc", "file.nc", "apart.nc"))
    assert np.array_equal(flag["sample"], file["sample"]) and not np.array_equal(flag["sample"], apart["sample"])
    with np.load(folder / "vector.npz") as held:
        np.savez(tmp_path / "own.npz", omega=np.nan_to_num(held["omega"]), covariance=np.eye(20))
    words[3] = str(tmp_path / "own.npz")
    assert main([*words, str(tmp_path / "own.nc"), "--correlated-noise"]) == 2
    assert "the data bring a covariance" in " ".join(capsys.readouterr().err.split())


def test_probe_says_what_error_bars_are_worth(folder, capsys):
    out = folder / "probe.nc"
    assert main(["probe", str(folder / "run"), str(folder / "mocks.nc"), "--out", str(out), "--trajectories", "3", "--quiet"]) == 0
    found = xr.open_datatree(out, engine="h5netcdf")
    assert found["calibration"]["coverage"].shape == (2, 3, 20) and "flips" in found.children
    page = folder / "page.html"
    assert main(["report", str(out), "--out", str(page), "--quiet"]) == 0
    assert "Error bars" in page.read_text(encoding="utf-8")


def test_mistakes_are_named(folder, capsys, tmp_path):
    words = ["infer", str(folder / "run"), "--out", str(tmp_path / "p.nc"), "--data"]
    np.savez(tmp_path / "short.npz", omega=np.zeros(14))
    for more, said in (
        ([str(tmp_path / "short.npz")], "20 bins of the emulator"),
        ([str(folder / "vector.npz"), "--fix", "logM1=3"], "outside the region"),
        ([str(folder / "vector.npz"), "--fix", "logM1=much"], "should be a number"), ([str(folder / "none.npz")], "there is no file"),
        ([str(folder / "vector.npz"), "--corner", "corner.txt"], "a picture is one of"),
        ([str(folder / "vector.npz"), "--warmup", "3"], "`warmup` should be at least 50"),
    ):  # fmt: skip
        assert main([*words, *more]) == 2
        assert said in " ".join(capsys.readouterr().err.split())
