"""The four tasks as one method and one command each, measures in probe and report, and what is refused."""

import json

import numpy as np
import pytest
import torch
import xarray as xr

from orbitscope import OrbitscopeError, open_probe
from orbitscope.cli import main
from orbitscope.report import write_report
from orbitscope.systems import load_system, open_runs, train_system
from orbitscope.systems.mechanics import (
    SYSTEM,
    CodePrior,
    Every,
    MotionModel,
    energy_errors,
    motion_examples,
    numbers_of,
    reversal_error,
    symplectic_defect,
    trajectories_of,
)
from orbitscope.systems.mechanics._answers import OPTIONS, mask_of
from orbitscope.systems.mechanics._bodies import BODIES
from orbitscope.training import FitConfig

from .motions import motion, network


def run(*words):
    return main([str(w) for w in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A barely trained map in a folder, and the file of its pendulums."""
    folder = tmp_path_factory.mktemp("answers")
    parameters = {"starts": 3, "frames": 33, "duration": 2.5}
    file = SYSTEM.simulate("mechanics.pendulum", folder / "p.nc", count=20, parameters=parameters)
    options = {"width": 16, "code": 3}
    train_system(file, "hamiltonian_map", folder / "run", FitConfig(epochs=2, batch=64, precision="64"), options=options, progress=None)
    return folder


def parts(folder):
    (opened,) = open_runs(folder / "run")
    assert isinstance(opened.model, MotionModel)
    return opened.model, opened.examples["test"], opened.examples["train"]


def test_a_forecast_is_that_of_the_map_with_codes_of_the_first_start(trained):
    model, test, train = parts(trained)
    paths = trajectories_of(test)
    for codes in ("fit", "reader"):
        found = SYSTEM.answer("forecast", model, test, train, {"given": 5, "codes": codes})
        known = paths[:, 0, :16]
        z = model.complete(known, CodePrior.of(model, train)).z if codes == "fit" else model.encode(known).detach()
        for k, start in enumerate((1, 2)):
            slow = model.forecast(paths[:, start, :5], 28, z)
            assert np.abs(found["forecast"].sel(start=start).values - slow.numpy()).max() < 1e-12
            error = (slow - paths[:, start, 5:])[..., 0].square().mean(1)
            assert np.abs(found["error"].values[:, k] - error.numpy()).max() < 1e-14
    assert found["time"].values[0] == pytest.approx(5 * 2.5 / 32) and list(found["coordinate"].values) == ["q1", "p1"]
    longer = SYSTEM.answer("forecast", model, test, train, {"steps": 40})
    assert longer.sizes["frame"] == 40 and "error" in longer


def test_codes_of_new_systems_and_what_they_tell(trained):
    model, test, train = parts(trained)
    known = trajectories_of(test)[:, 0, :16]
    fitted = model.complete(known, CodePrior.of(model, train))
    completed = SYSTEM.answer("complete", model, test, train)
    assert np.abs(completed["code"].values - fitted.z.numpy()).max() < 1e-12
    assert np.abs(completed["code_covariance"].values - fitted.covariance.numpy()).max() < 1e-12
    read = SYSTEM.answer("encode", model, test, train)
    z, before = model.encode(known).detach().numpy(), model.encode(trajectories_of(train)[:, 0, :16]).detach().numpy()
    told = numbers_of(train).numpy()
    fit = np.linalg.lstsq(np.c_[before, np.ones(len(before))], told, rcond=None)[0]
    said = np.c_[z, np.ones(len(z))] @ fit
    truth = numbers_of(test).numpy()
    assert np.abs(read["code"].values - z).max() < 1e-12 and np.abs(read["number"].values - said).max() < 1e-9
    r2 = 1 - ((said - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    assert read["r2"].values[0] == pytest.approx(r2, rel=1e-9) and list(read["name"].values) == ["length"]


def test_frames_in_between_and_behind_noise(trained):
    model, test, train = parts(trained)
    paths = trajectories_of(test)
    z = model.encode(paths[:, 0, :16]).detach()
    found = SYSTEM.answer("refine", model, test, train, {"every": 4, "codes": "reader"})
    slow = model.refine(paths[:, 2], Every(4), z)[0]
    assert np.abs(found["refined"].sel(start=2).values - slow.numpy()).max() < 1e-12
    assert found["known"].values.tolist() == Every(4)(33).tolist() and (found["error"] > 0).all()
    noisy = SYSTEM.answer("refine", model, test, train, {"noise": 0.05})
    assert noisy["known"].values.all() and (noisy["deviation"] > 0).all() and "against_file_z" in noisy.attrs and "error" not in noisy


def test_a_motion_with_one_start_is_asked_about_itself():
    data, net = motion(starts=1), network("hamiltonian_map", motion(), code=2, width=8)
    found = SYSTEM.answer("forecast", net, data, motion(), {"codes": "reader"})
    assert found["start"].values.tolist() == [0] and found["error"].shape == (4, 1)


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        ("guess", {}, "one of forecast, complete"),
        ("forecast", {"every": 4}, "no option 'every'"),
        ("encode", {"given": 4}, "It has: none"),
        ("forecast", {"codes": "mine"}, "`codes`"),
        ("forecast", {"given": 0}, "`given`"),
        ("forecast", {"given": 25, "steps": 0}, "`steps`"),
        ("refine", {}, "exactly one"),
        ("refine", {"every": 4, "first": 8}, "exactly one"),
    ],
)
def test_what_a_task_refuses(task, options, said):
    data = motion()
    with pytest.raises(OrbitscopeError, match=said):
        SYSTEM.answer(task, network("hamiltonian_map", data, code=2, width=8), data, data, options)


def test_motions_of_another_kind_are_refused():
    data, net = motion(), network("hamiltonian_map", motion(), code=2, width=8)
    for other in (motion("kepler"), motion(duration=2.4)):
        with pytest.raises(OrbitscopeError, match="resample"):
            SYSTEM.answer("forecast", net, other, data)
    with pytest.raises(OrbitscopeError, match="has no tasks"):
        load_system("words").answer("forecast", net, data, data)
    assert str(mask_of({**OPTIONS["refine"], "scattered": 0.5, "seed": 2})) == "Scattered(part=0.5, seed=2)"


def test_every_task_is_one_command(trained, tmp_path, capsys):
    out = tmp_path / "x.nc"
    calls = {"forecast": ["given=6"], "complete": ["iterations=3"], "encode": [], "refine": ["every=4", "codes=reader"]}
    for task, options in calls.items():
        capsys.readouterr()
        words = ("forecast", trained / "run", trained / "p.nc", "--task", task, "--out", out, "--force", "--json")
        assert run(*words, *(["--option", *options] if options else [])) == 0
        said = json.loads(capsys.readouterr().out)["answers"][0]
        made = xr.load_dataset(out, engine="h5netcdf")
        assert made.attrs["task"] == task == said["task"] and made.sizes["system"] == 20 == said["systems"]
    model, test, train = parts(trained)
    assert run("forecast", trained / "run", "--task", "encode", "--out", tmp_path / "y.nc") == 0
    same = SYSTEM.answer("encode", model, test, train)
    assert np.allclose(xr.load_dataset(tmp_path / "y.nc", engine="h5netcdf")["code"], same["code"], atol=1e-14)
    assert run("forecast", trained / "run", "--task", "encode", "--out", tmp_path / "y.nc") == 2  # is there already
    assert run("forecast", trained / "run", "--out", tmp_path / "y.npz") == 2
    assert run("forecast", tmp_path, "--out", tmp_path / "z.nc") == 2


def test_a_probe_measures_what_forecasts_keep_and_the_report_shows_it(trained, tmp_path):
    model, test, _ = parts(trained)
    found = SYSTEM.readings(test, model)["measures"]
    value = dict(zip(found["measure"].values.tolist(), found["value"].values.tolist(), strict=True))
    paths = trajectories_of(test)
    z = model.encode(paths[:, 0, :16]).detach().repeat_interleave(2, 0)
    others, numbers = paths[:, 1:].flatten(0, 1), numbers_of(test).repeat_interleave(2, 0)
    ahead = model.forecast(others[:, :1], 32, z)
    energy = energy_errors(ahead, BODIES["pendulum"], numbers, others[:, 0])
    assert value["energy, rms"] == pytest.approx(energy["rms"]) and value["energy, secular"] == pytest.approx(energy["secular"])
    back = float(reversal_error(model, others[:, :1], z).max())
    assert abs(value["reversal, 16 frames"] - back) < 1e-12 and back < 1e-10
    assert value["symplectic defect, 16 frames"] < 1e-10 and symplectic_defect(model, model.scale(others[:2, 0]), z[:2], 16).max() < 1e-10
    assert value["error, 32 frames"] == pytest.approx(float((ahead - others[:, 1:])[..., 0].square().mean(1).median()))
    assert not SYSTEM.readings(test.take(np.arange(30)), model)  # no whole trajectories
    probe = tmp_path / "p.nc"
    words = ("--group", "reversal", "--steps", 0, "--influence-elements", 0, "--out", probe)
    assert run("probe", trained / "run", trained / "p.nc", *words) == 0
    tree = open_probe(probe)
    assert np.allclose(tree["measures"]["value"], found["value"], rtol=1e-6, atol=1e-12)
    write_report([tree], tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "What the system measures" in page and "symplectic defect, 16 frames" in page and "energy, secular" in page


def test_measures_that_nobody_knows_are_left_out():
    path = torch.stack([torch.sin(0.1 * torch.arange(60.0)), torch.cos(0.1 * torch.arange(60.0))], -1).double().expand(4, 2, 60, 2)
    own = motion_examples(path, 0.1, even=False)
    names = set(SYSTEM.readings(own, network("motion_transformer", own, width=8))["measures"]["measure"].values.tolist())
    assert names == {"error, 8 frames", "error, 32 frames", "error, 56 frames"}
    damped = motion("damped-pendulum")
    assert not any("energy" in n for n in SYSTEM.readings(damped, network("motion_mlp", damped))["measures"]["measure"].values.tolist())
