"""studies/equivariant_net: the tiny study from simulation to page, its splits, its scales, and the same command on an ocean file."""

import dataclasses
import json
import re
import runpy
import sys
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

import orbitscope as osc
from orbitscope.emulators import models

ROOT = Path(__file__).resolve().parent.parent.parent
STUDY = "equivariant_net"
HERE = ROOT / "studies" / STUDY
FIGURES = ("rmse", "steps", "spectra", "errors", "pictures", "scales", "complexity", "divergence", "norms")


@pytest.fixture(scope="module")
def run(script):
    """The script in a folder; what it prints."""
    return lambda folder, *more: script("--config", "tiny.toml", "--results", folder / "results", "--docs", folder / "docs", *more)


@pytest.fixture(scope="module")
def study(run, tmp_path_factory):
    """A finished tiny study, and what its run printed."""
    folder = tmp_path_factory.mktemp("study")
    return folder, run(folder, "--out", folder / "out", "--workers", 1)


@pytest.fixture(scope="module")
def sets(modules):
    """The study's module of data, which is no part of the package."""
    return modules("sets")


def test_page_and_figures(study):
    folder, said = study
    page = (folder / "docs" / "equivariant-net.md").read_text(encoding="utf-8")
    for name in FIGURES:
        assert (folder / "docs" / f"equivariant-net-{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"equivariant-net-{name}.png" in page
    for heading in (
        "what was found",
        "data",
        "networks",
        "RMSE by network",
        "equivariance error",
        "spectra",
        "beside the published",
        "scale factors",
        "fewer training windows",
    ):
        assert f"## Rayleigh-Benard: {heading}" in page
    assert "## Heat: what was found" in page and "## Limits" in page
    assert "nan" not in page and "CPU s" in said
    assert "With 1 seed here nothing can be called so" in page  # one seed decides nothing


def test_what_is_built_in_is_measured_as_exact(study):
    """Quarter turns, shifted values and multiples commute to rounding in the networks for them, and in no plain one."""
    rows = (study[0] / "results" / "equivariance.csv").read_text(encoding="utf-8").splitlines()
    head = rows[0].split(",")
    table = [dict(zip(head, row.split(","), strict=True)) for row in rows[1:]]
    error = {(r["backbone"], r["variant"], r["symmetry"]): float(r["error"]) / float(r["increment"]) for r in table}
    for kind in ("motion", "magnitude", "rotation"):
        assert error["resnet", kind, kind] < 1e-4 < 1e-2 < error["resnet", "plain", kind]
    assert error["resnet", "plain", "translation"] > 1e-6  # the edges of windows


def test_a_second_start_recomputes_nothing(study, run, undrawn):
    folder, _ = study
    before = {p: p.stat().st_mtime_ns for p in (folder / "out").rglob("*") if p.is_file() and p.name != "study.json"}
    page = (folder / "docs" / "equivariant-net.md").read_bytes()
    said = run(folder, "--out", folder / "out", "--workers", 1)
    assert "CPU s" not in said
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert (folder / "docs" / "equivariant-net.md").read_bytes() == page


def test_no_state_is_in_two_splits(study):
    """Every frame of every window of one split against every frame of the others."""
    seen = {}
    for name in ("train", "validation", "original", "future", "domain"):
        data = osc.load(study[0] / "out" / "data" / "rayleigh-benard" / f"{name}.nc").tensor()
        seen[name] = {frame.numpy().tobytes() for frame in data.flatten(0, 1)}
        assert len(seen[name]) == data.shape[0] * data.shape[1], f"{name}: windows overlap"
    names = list(seen)
    assert not any(seen[a] & seen[b] for i, a in enumerate(names) for b in names[:i])


def test_scales_are_exact(sets):
    """lambda w(lambda x, lambda^2 t) of a known flow, against the formula; cell means of a linear profile are its values in the middle."""
    t, x = torch.arange(17.0), torch.arange(16.0) + 0.5  # fine steps and cells: a quarter and a half of the base's
    fine = (3 * x[None, None, :, None] + 5 * t[:, None, None, None]).expand(17, 2, 16, 16)
    flow = sets.Flow.of(fine, 0.5, 1, (True, False))
    for scale in (0.5, 1.0, 1.5, 2.0):
        level = flow.levels[scale]
        times, cells = torch.arange(len(level)).float(), torch.arange(level.shape[2]) + 0.5
        # w(x, t) = 3 (2 x) + 5 (4 t) in the units of the base level
        expected = scale * (6 * scale * cells[None, :] + 20 * scale**2 * times[:, None])
        assert torch.allclose(level[:, 0, :, 0], expected)
    assert flow.wraps(0.5) == flow.wraps(2.0) == (True, False)
    assert flow.wraps(1.5) == (False, False)  # 16 cells are no whole number of threes
    thirds = sets.Flow.of(fine[:, :, :, :6].repeat(1, 1, 1, 2), sets.THIRD, 1, (True, True))
    assert torch.allclose(thirds.levels[2 / 3], 2 / 3 * torch.nn.functional.avg_pool2d(fine[::4, :, :, :6].repeat(1, 1, 1, 2), 2))
    assert torch.equal(flow.cut(1.0, (6, 0), 0, 2, 4)[:, :, 2], flow.levels[1.0][:2, :, 0, :4])  # across the periodic end


def test_what_costs_nothing_is_the_formula(modules):
    """A parabola in time is what the parabola says, a line what the last increment says; and the best of them decides on skill."""
    trivial, skill = modules("trivial"), modules("skill")
    t = torch.arange(7.0)[None, :, None, None, None].expand(2, 7, 1, 4, 4)
    for values, exact in ((3 + 2 * t, ("increment", "parabola")), (1 - t + t**2, ("parabola",))):
        found = trivial.trivial_forecasts(values[:, :3], 4)
        for name, forecast in found.items():
            assert torch.allclose(forecast, values[:, 3:]) == (name in exact), name
    still = pd.DataFrame({"test": ["original"], "rmse_first": [1.0], "increment_first": [0.4], "parabola_first": [0.5]})
    still = still.assign(rmse=2.0, increment=3.0, parabola=4.0, dataset="heat")
    assert skill.best(still, first=True)["original"] == 0.4 and skill.best(still)["original"] == 2.0
    rows = [("plain", 0.2), ("plain", 0.2), ("rotation", 0.3), ("rotation", 0.39)]
    tests = pd.DataFrame([{"dataset": "heat", "backbone": "unet", "variant": v, "seed": n % 2, "test": "original", "rmse_first": e}
                          for n, (v, e) in enumerate(rows)])  # fmt: skip
    tables = {"tests": tests, "persistence": still}
    assert skill.without_skill(tables, "heat", ["plain", "rotation"]) == {("unet", "rotation")}


def test_a_flow_without_divergence_has_none(modules):
    x = torch.arange(8.0)
    swirl = torch.stack([x[None, :].expand(8, 8), -x[:, None].expand(8, 8)])[None]
    divergence = modules("experiments").divergence
    assert divergence(swirl) == pytest.approx(0, abs=1e-6)
    assert divergence(torch.stack([x[:, None].expand(8, 8), x[None, :].expand(8, 8)])[None]) == pytest.approx(2**0.5)


def test_fewer_windows_are_nested_and_differ_by_seed(modules):
    fewer = modules("experiments").fewer
    assert set(fewer(40, 5, 1)) < set(fewer(40, 20, 1)) and fewer(40, 20, 1) != fewer(40, 20, 2)


def test_the_split_of_train_gives_back_the_parts(modules):
    from orbitscope.data import split_indices

    layout, grid = osc.Layout.of("a"), osc.Grid.square(4)
    training, validation = (osc.Trajectories(torch.full((n, 2, 1, 4, 4), v), layout, grid, 1.0) for n, v in ((13, 1.0), (4, 2.0)))
    whole = modules("study").together(training, validation)
    parts = split_indices(17, (13 / 17, 4 / 17, 0.0))
    assert (whole.tensor()[parts[0]] == 1).all() and (whole.tensor()[parts[1]] == 2).all() and len(parts[2]) == 0


def ocean(path, seed):
    draw = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        file["longitude"], file["latitude"] = np.arange(18) * 0.25 - 30, np.arange(17) * 0.25 + 40
        file["time"] = np.arange(30.0)
        file["time"].attrs["units"] = "days since 2021-01-01"
        for name in ("uo", "vo"):
            values = draw.normal(size=(30, 17, 18)).cumsum(0).astype(np.float32)
            values[:, :2, :3] = np.nan
            file[name] = values


def test_the_same_command_reads_ocean_files(modules, tmp_path, monkeypatch):
    """Two files: the second is the new domain. What needs a finer grid than the file has is left out. As a command, in its own folder."""
    for n, name in enumerate(("atlantic.nc", "pacific.nc")):
        ocean(tmp_path / name, n)
    config = (HERE / "tiny.toml").read_text(encoding="utf-8").split("[models.unet")[0]
    config = re.sub(r"variants = .*", 'variants = ["plain", "rotation"]', config, count=1)
    (tmp_path / "two.toml").write_text(config, encoding="utf-8")
    words = ["--config", "two.toml", "--data", "atlantic.nc", "pacific.nc"]
    words += ["--results", "results", "--docs", "docs", "--out", "out", "--workers", "1"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(HERE / "run.py"), *words])
    with pytest.raises(SystemExit) as end:  # as Python runs a script, but here: three processes would each import torch again
        runpy.run_path(str(HERE / "run.py"), run_name="__main__")
    assert end.value.code == 0
    page = (tmp_path / "docs" / "equivariant-net.md").read_text(encoding="utf-8")
    assert "Ocean currents from 2 files" in page and "nan" not in page
    tests = (tmp_path / "results" / "tests.csv").read_text(encoding="utf-8")
    assert ",domain," in tests and ",rotation," in tests and ",boost," not in tests and "scale 1/2" not in tests


def test_temperatures_are_departures_from_the_year_that_trains(modules, tmp_path):
    """A year that repeats and a weather on top: windows hold the weather, none holds land, and no month is in two parts."""
    draw, months = np.random.default_rng(0), 60
    weather = draw.normal(size=(months, 6, 12)).astype(np.float32)
    year = 10 * np.sin(2 * np.pi * np.arange(months) / 12)[:, None, None].astype(np.float32)
    values = 300 + year + weather
    values[:, :, :2] = np.nan
    coordinates = {"time": np.arange(months) * 30.0, "latitude": np.linspace(-2, 2, 6), "longitude": np.arange(12) * 30.0}
    file = xr.Dataset({"sst": (("time", "latitude", "longitude"), values)}, coordinates)
    file["time"].attrs["units"] = "days since 2001-01-01"
    file["latitude"].attrs["units"], file["longitude"].attrs["units"] = "degrees_north", "degrees_east"
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "__init__.py").write_text("")
    file.to_netcdf(tmp_path / "kept" / "sst.nc", engine="h5netcdf")
    settings = modules("harness").read_settings(modules("study").Settings, Path("ostia.toml"), HERE)
    options = {**settings.data["sst"], "package": "kept", "file": "sst.nc", "fields": "sst", "points": 4, "parts": [0.6, 0.2], "length": 4}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        found = modules("sets")._temperatures(modules("study").Place(tmp_path, settings), "sst", options)
        assert set(found) == {"train", "validation", "original", "translation"}
        mean = np.stack([values[m:36:12].mean(0) for m in range(12)])
        away = torch.tensor(np.stack([values[t] - mean[t % 12] for t in range(months)])).transpose(1, 2)[:, None]
        starts = {"train": range(0, 33), "validation": range(37, 45, 2), "original": range(49, 53, 2), "translation": range(49, 53, 2)}
        places = {"original": (4,), "translation": (6,)}  # moved by 2, the window at 8 would touch land, as that at 0 does as it is
        for key, windows in found.items():
            span = settings.span if key in places else 4
            wanted = [away[t : t + span, :, x : x + 4, :4] for t in starts[key] for x in places.get(key, (4, 8))]
            assert len(windows) == len(wanted), key
            assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(windows, wanted, strict=True))
        with pytest.raises(osc.OrbitscopeError, match="Give other `parts`"):
            modules("sets")._temperatures(modules("study").Place(tmp_path, settings), "sst", {**options, "parts": [0.6, 0.05]})


def test_geostrophic_currents_of_a_known_sea_level(modules):
    """A plane in latitude and longitude, against the formula; what touches land has no value."""
    made = modules("geostrophic")
    lat, lon = np.linspace(35.0, 36.0, 9), np.linspace(10.0, 11.0, 9)
    eta = np.zeros((2, 9, 9)) + 0.02 * lat[None, :, None] + 0.05 * lon[None, None, :]
    eta[:, 4, 4] = np.nan
    level = xr.DataArray(eta, {"time": [0, 1], "latitude": lat, "longitude": lon})
    found = made.currents(level)
    f = 2 * 7.2921e-5 * np.sin(np.deg2rad(lat[2]))
    metre = 180 / np.pi / 6.371e6  # degrees of latitude in one
    assert found["uo"].values[0, 2, 3] == pytest.approx(-9.81 / f * 0.02 * metre, rel=1e-6)
    assert found["vo"].values[1, 2, 3] == pytest.approx(9.81 / f * 0.05 * metre / np.cos(np.deg2rad(lat[2])), rel=1e-6)
    unknown = np.isnan(found["uo"].values[0])
    assert np.array_equal(unknown, np.isnan(found["vo"].values[0]))
    assert {(4, 3), (4, 4), (4, 5), (3, 4), (5, 4)} == {(int(i), int(j)) for i, j in np.argwhere(unknown) if 0 < i < 8 and 0 < j < 8}


@pytest.mark.parametrize("name", ["tiny", "small", "full"])
def test_configs_build(name, modules):
    """Every network of a config can be made for its windows."""
    study = modules("study")
    settings = study.Settings(**tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8")))
    layout = osc.Layout.of("velocity:vector")
    points = settings.data["rayleigh-benard"]["points"]
    grid = osc.Grid.square(points, boundary="open")
    planned = study.runs(settings)
    assert len({r.key for r in planned}) == len(planned)
    whole = [r.seed for r in planned if not r.windows]
    assert whole == sorted(whole)  # seed by seed
    for kinds in settings.models.values():
        for chosen in kinds.values():
            if chosen["model"] in models() and name != "full":
                model = osc.build(
                    chosen["model"], channels_in=settings.frames * 2, channels_out=2, layout=layout, grid=grid, residual=True,
                    resolution=points, differences=settings.differences and "scale" not in chosen["model"], **chosen["overrides"],
                )  # fmt: skip
                assert model(torch.randn(1, settings.frames * 2, points, points)).shape == (1, 2, points, points)
    assert json.dumps(settings.data)


def test_the_time_of_a_start_that_is_killed_is_kept(modules, tmp_path):
    """It is written after every case; the next start adds its own, and one that finds everything done adds nothing."""
    harness, settings = modules("harness"), dataclasses.make_dataclass("Settings", [("name", str)])("x")
    place, killed = harness.Folder(tmp_path, settings), [True]

    def work(place, job, deadline, tell):
        if job == 2 and killed:
            raise KeyboardInterrupt(killed.pop())
        if not place.case_file(str(job), "run").exists():
            place.write_case(str(job), "run", {}, {}, 0.0)

    def start():
        harness.compute(place, work, [1, 2], 1, None, lambda: None)

    def timing():
        return json.loads((tmp_path / "timing.json").read_text(encoding="utf-8"))

    with pytest.raises(KeyboardInterrupt):
        start()
    first = timing()
    assert first["cases"] == 1 and first["seconds"] > 0
    start()
    second = timing()
    assert (second["cases"], second["starts"]) == (2, 2) and second["seconds"] > first["seconds"]
    start()
    assert timing() == second
    del second["seconds"]  # lost: a sum without it would be wrong
    assert "not known" in harness.took({"timing": second})
