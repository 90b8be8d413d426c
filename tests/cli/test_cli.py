"""The command line: the contract commands, exit codes, mistakes without tracebacks, resume."""

import json
import os
import signal
import subprocess
import sys
import time

import h5py
import pytest
import torch

import orbitscope as osc
from orbitscope.cli import main

SMALL = ["--override", "width=4", "kernels=3,3"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The contract commands of the README, small."""
    root = tmp_path_factory.mktemp("cli")
    here = os.getcwd()
    os.chdir(root)
    try:
        size = ["--trajectories", "8", "--resolution", "16", "--frames", "4"]
        assert main(["simulate", "navier-stokes.gauss", *size, "--seed", "0", "--out", "ns.nc"]) == 0
        assert main(["train", "ns.nc", "--model", "unet", "--preset", "small", "--epochs", "1", *SMALL, "--out", "runs/unet"]) == 0
        assert main(["audit", "ns.nc", "--group", "d4"]) == 0
        probe = ["probe", "runs/unet", "ns.nc", "--group", "d4", "tx4", "--metric", "gauss_newton", "--out", "probe.nc"]
        assert main([*probe, "--trajectories", "2", "--times", "1"]) == 0
        assert main(["report", "probe.nc", "--out", "report.html"]) == 0
    finally:
        os.chdir(here)
    return root


def test_the_contract_commands_leave_their_files(folder):
    assert {p.name for p in folder.iterdir()} == {"ns.nc", "runs", "probe.nc", "report.html"}
    tree = osc.open_probe(folder / "probe.nc")
    assert set(tree.children) == {"D4", "Tx4", "audit", "training"}
    assert osc.card(tree).to_dict()["data"]["part"] == "test: 2 of 8 trajectories"  # what the run was not trained on
    assert (folder / "report.html").stat().st_size > 10**6


def run(folder, *args):
    return main([str(folder / a) if a in ("ns.nc", "probe.nc", "report.html", "runs/unet") else a for a in args])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["fly"], "no verb"),
        (["audit", "missing.nc"], "missing.nc"),
        (["audit", "ns.nc", "--group", "q7"], "cannot read 'q7'"),
        (["audit", "ns.nc", "--group", "c3*tx"], "not closed"),
        (["simulate", "navier-stokes.gauss", "--out", "ns.nc", "--trajectories", "8", "--resolution", "16"], "--force"),
        (["simulate", "magnetism", "--out", "x.nc"], "magnetism"),
        (["simulate", "euler.riemann", "--out", "x.nc", "--trajectories", "0"], "trajectories"),
        (["simulate", "euler.riemann", "--out", "x.nc", "--frames", "1"], "frames"),
        (["train", "ns.nc", "--model", "transformer", "--out", "x"], "transformer"),
        (["train", "ns.nc", "--out", "x", "--override", "width"], "name=value"),
        (["train", "ns.nc", "--out", "x", "--epochs", "0"], "epochs"),
        (["probe", "ns.nc", "ns.nc", "--out", "x.nc"], "ns.nc"),
        (["probe", "runs/unet", "ns.nc", "--out", "probe.nc"], "--force"),
        (["probe", "no.such:thing", "ns.nc", "--out", "x.nc"], "no.such"),
        (["probe", "runs/unet", "ns.nc", "--out", "x.nc", "--tolerance", "0.5"], "tolerance"),
        (["report", "ns.nc", "--out", "x.html"], "ns.nc"),
        (["report", "none.nc", "--out", "x.html"], "probes: there is no file or folder none.nc"),
        (["report", "probe.nc", "--out", "report.html"], "--force"),
        (["info", "missing"], "missing"),
        (["audit", "ns.nc", "--config", "missing.toml"], "missing.toml"),
    ],
)
def test_mistakes_exit_with_2_and_one_clear_message(folder, capsys, args, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run(folder, *args) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "args", [["audit"], ["audit", "a.nc", "--group"], ["simulate", "x", "--out", "y", "--seed", "many"], ["report", "--nope"], []]
)
def test_wrong_flags_exit_with_2(args, capsys):
    assert main(args) == 2


@pytest.mark.parametrize("verb", ["simulate", "train", "audit", "probe", "report", "quickstart", "info"])
def test_help_shows_an_example(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert f"orbitscope {verb}" in capsys.readouterr().out.split("Example:")[1]


def test_a_swapped_file_is_refused_with_exit_1(folder, tmp_path, capsys):
    path = tmp_path / "swapped.nc"
    osc.save(osc.load(folder / "ns.nc").swap_components(), path)
    assert main(["audit", str(path), "--out", str(tmp_path / "audit.nc")]) == 1
    assert "components swapped" in capsys.readouterr().out
    assert (tmp_path / "audit.nc").exists()


def test_damaged_and_foreign_files(folder, tmp_path, capsys):
    whole = (folder / "ns.nc").read_bytes()
    (tmp_path / "short.nc").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.nc").write_text("not a file of numbers")
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["photons"] = [1.0, 2.0]
    data = osc.load(folder / "ns.nc").tensor().clone()
    data[3, 2, 1, 0, 0] = float("nan")
    for name, words in [("short.nc", "short.nc"), ("text.nc", "text.nc"), ("foreign.h5", "photons")]:
        assert main(["audit", str(tmp_path / name)]) == 2
        assert words in capsys.readouterr().err
    loaded = osc.load(folder / "ns.nc").replace(values=data)
    with pytest.raises(osc.OrbitscopeError, match="trajectory 3, time 2, channel velocity_y"):
        osc.audit(loaded, "d4", transitions=8, samples=8)


def test_toml_and_flags_are_one_schema(folder, tmp_path, capsys):
    (tmp_path / "sim.toml").write_text('scenario = "NS-Sines"\ntrajectories = 3\nresolution = 8\nframes = 3\nseed = 5\n')
    assert main(["simulate", "--config", str(tmp_path / "sim.toml"), "--seed", "6", "--out", str(tmp_path / "x.nc")]) == 0
    data = osc.load(tmp_path / "x.nc")
    assert data.shape == (3, 3, 2, 8, 8) and data.provenance["seed"] == 6
    (tmp_path / "bad.toml").write_text("speed = 3\n")
    assert main(["simulate", "--config", str(tmp_path / "bad.toml"), "--out", "y.nc"]) == 2
    assert "speed" in capsys.readouterr().err
    (tmp_path / "worse.toml").write_text("= 3")
    assert main(["simulate", "--config", str(tmp_path / "worse.toml"), "--out", "y.nc"]) == 2


def test_info_says_what_is_there(folder, capsys):
    for name, words in [("ns.nc", "velocity"), ("runs/unet", "parameters"), ("probe.nc", "D4")]:
        assert run(folder, "info", name) == 0
        assert words in capsys.readouterr().out


def test_several_seeds_give_several_probes(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = str(folder / "ns.nc")
    assert (
        main(["train", data, "--model", "resnet", "--override", "width=4", "depth=1", "--epochs", "1", "--seed", "3", "4", "--out", "r"])
        == 0
    )
    assert main(["probe", "r", data, "--group", "c2", "--trajectories", "2", "--times", "1", "--metric", "euclidean", "--out", "p.nc"]) == 0
    assert {p.name for p in tmp_path.iterdir()} == {"r", "p.seed-3.nc", "p.seed-4.nc"}
    assert main(["report", "p.seed-3.nc", "p.seed-4.nc", "--out", "r.html"]) == 0


@pytest.mark.parametrize(
    ("left_out", "probes", "resolution", "workers"),
    [
        ({"navier-stokes-unet", "euler-unet", "euler-vit"}, 2, 8, ["--workers", "1"]),
        pytest.param(set(), 5, 16, [], marks=pytest.mark.long),
    ],
    ids=["two cases", "all cases"],
)
def test_quickstart_end_to_end_and_again(tmp_path, capsys, monkeypatch, left_out, probes, resolution, workers):
    """In the usual run every file, network and group, but not each with each: probes over all shifts take the longest."""
    from orbitscope.cli._quickstart import Quickstart

    planned = Quickstart._cases
    names = {case.run.name for case in planned(Quickstart(out=tmp_path)) if case.model}
    assert len(names) == 5 and left_out <= names
    monkeypatch.setattr(Quickstart, "_cases", lambda self: [c for c in planned(self) if c.run.name not in left_out])
    args = ["quickstart", "--out", str(tmp_path / "q"), "--resolution", str(resolution), "--trajectories", "10", "--epochs", "1"]
    assert main([*args, *workers]) == 0
    out, err = capsys.readouterr()
    assert "report.html" in out and "persistence" in out
    said = [line for line in err.splitlines() if "s] " in line]
    verdicts = [i for i, line in enumerate(said) if "times better than persistence" in line]
    assert len(verdicts) == probes and any(" probe " in line for line in said[verdicts[0] :])  # the first before the last is probed
    report = (tmp_path / "q" / "report.html").read_text()
    assert "components swapped" in report
    assert not list((tmp_path / "q").rglob("*.part"))
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "q").rglob("*.nc")}
    assert len(stamps) == 3 + 3 + probes  # data, audits, probes
    monkeypatch.setattr("orbitscope.report._page.field_pictures", lambda *_: [])  # the same probes were drawn a moment ago
    assert main([*args, "--json"]) == 0  # nothing is done twice
    said = json.loads(capsys.readouterr().out)
    assert said["report"].endswith("report.html") and len(said["probes"]) == probes
    assert stamps == {p: p.stat().st_mtime_ns for p in stamps}
    assert main([*args[:-1], "2"]) == 2
    assert "other settings" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("keep")
    assert main(["quickstart", "--out", str(tmp_path / "mine")]) == 2


def test_a_simulation_killed_in_the_middle_goes_on_and_equals_the_whole(tmp_path):
    args = ["simulate", "navier-stokes.gauss", "--trajectories", "120", "--resolution", "32", "--frames", "11", "--seed", "1"]
    command = [sys.executable, "-m", "orbitscope", *args, "--out", str(tmp_path / "cut.nc")]
    part = tmp_path / "cut.nc.part"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not part.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    code = process.wait(timeout=120)
    if code != 0:  # else it was faster than the signal, and the comparison still holds
        assert code == 1 and part.exists() and not (tmp_path / "cut.nc").exists()
        assert main([*args, "--out", str(tmp_path / "cut.nc")]) == 0
    assert main([*args, "--out", str(tmp_path / "whole.nc")]) == 0
    assert torch.equal(osc.load(tmp_path / "cut.nc").tensor(), osc.load(tmp_path / "whole.nc").tensor())
    assert not part.exists()


def test_quickstart_settings_are_recorded(tmp_path):
    from orbitscope.cli._quickstart import Quickstart

    quickstart = Quickstart(out=tmp_path / "q", resolution=16)
    quickstart._claim()
    assert json.loads((tmp_path / "q" / "quickstart.json").read_text())["resolution"] == 16
