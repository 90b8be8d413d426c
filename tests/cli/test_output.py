"""--json, --quiet, --verbose: what every verb says, and where."""

import json
import sys
import warnings

import pytest

from orbitscope.cli import main
from orbitscope.cli._output import Output, speaking
from orbitscope.cli._verbs import TABLE
from orbitscope.training import TrainProgress
from orbitscope.training._progress import Lines

SIMULATE = ["simulate", "navier-stokes.gauss", "--trajectories", "8", "--resolution", "8", "--frames", "3"]
FEW = ["--trajectories", "2", "--times", "1"]
CALLS = {  # in this order: the later ones read what the earlier ones wrote
    "simulate": [*SIMULATE, "--out", "ns.nc"],
    "scenarios": ["scenarios", "euler.riemann"],
    "train": ["train", "ns.nc", "--model", "resnet", "--override", "width=4", "depth=1", "--epochs", "1", "--keep", "all", "--out", "run"],
    "audit": ["audit", "ns.nc", "--group", "c2"],
    "probe": ["probe", "run", "ns.nc", "--group", "c2", *FEW, "--influence-elements", "0", "--steps", "0", "--out", "p.nc"],
    "epochs": ["epochs", "run", "ns.nc", "--group", "c2", *FEW, "--no-coherence", "--out", "e.nc"],
    "transfer": ["transfer", "run", "ns.nc", "--group", "c2", *FEW, "--steps", "1", "--batch", "2", "--out", "t.nc"],
    "plan": ["plan", "ball2d", "--steps", "2", "--samples", "8", "--out", "plan.nc"],
    "check": ["check", "p.nc", "--against", "p.nc"],
    "card": ["card", "p.nc", "--out", "card.json"],
    "report": ["report", "p.nc", "--out", "r.html"],
    "info": ["info", "p.nc"],
    "view": ["view", "ns.nc", "--out", "sheet.png", "--times", "1", "--trajectory", "0"],
    "assemble": ["assemble", "ns.nc", "--out", "whole.nc"],
    "repair": ["repair", "ns.nc"],
}


def strict(text: str) -> dict:
    """One JSON object that any reader takes: no NaN, nothing around it."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("output")


@pytest.mark.parametrize("verb", CALLS)
def test_one_json_object_on_stdout_and_words_on_stderr(verb, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    code = main([*CALLS[verb], "--json"])
    found = strict(capsys.readouterr().out)
    assert found["verb"] == verb and found["exit_code"] == code == 0 and "error" not in found
    assert len(found) > 2, f"{verb} records nothing"
    if verb == "probe":
        assert set(found["probes"][0]["groups"]["C2"]["data_vars"]) >= {"share", "share_low", "output"}
    if verb in ("simulate", "report", "assemble"):
        assert (folder / found["file"]).exists()


def test_every_verb_is_tried():
    apart = {"quickstart", "doctor", "discover", "forecast", "infer", "evaluate"}
    assert set(TABLE) - set(CALLS) == apart, "these have tests of their own; give a new verb a line above"


def test_mistakes_are_in_the_object_too_and_quiet_says_nothing_else(folder, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    assert main([*SIMULATE, "--out", "quiet.nc", "--quiet"]) == 0
    assert capfd.readouterr() == ("", "")
    assert main(["audit", "missing.nc", "--quiet", "--json"]) == 2
    out, err = capfd.readouterr()
    assert "missing.nc" in strict(out)["error"] and "missing.nc" in err
    assert main(["audit", "ns.nc", "--seed", "many", "--json"]) == 2
    assert strict(capfd.readouterr().out)["exit_code"] == 2
    (folder / "talk.toml").write_text("quiet = true\njson = true\n")
    assert main(["info", "quiet.nc", "--config", "talk.toml"]) == 0
    out, err = capfd.readouterr()
    assert strict(out)["kind"] == "trajectories" and err == ""
    assert main(["audit", "missing.nc", "--verbose"]) == 2
    assert "Traceback" in capfd.readouterr().err


def test_warnings_about_code_are_for_verbose_and_warnings_about_data_take_a_line(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        for output in (Output(), Output(verbose=True)):
            with speaking(output, {}):
                warnings.warn("the name np.foo goes", FutureWarning, stacklevel=1)
                warnings.warn("a cell\nis odd", UserWarning, stacklevel=1)
            err = capsys.readouterr().err
            assert ("np.foo" in err) == output.verbose
            assert "odd" in err and (err == "warning: a cell is odd\n") != output.verbose
    assert sys.stdout is not sys.stderr


def test_a_log_has_a_line_per_epoch_or_per_span_of_time():
    now = 0.0
    lines, said = Lines("unet", "SMSE", clock=lambda: now), []
    for epoch in range(1, 9):  # half a second each: the first, every fifth, the last
        now += 0.5
        said.append(lines.line(TrainProgress(0, epoch, 8, 1, 1, 0.5, 0.25, seconds=0.5)))
    assert [i for i, line in enumerate(said, 1) if line] == [1, 5, 8]
    assert said[0] == "unet: epoch 1/8: loss 5.00e-01, validation SMSE 2.50e-01, 4 s left"
    assert said[7] == "unet: epoch 8/8: loss 5.00e-01, validation SMSE 2.50e-01, done in 4 s"
    lines, now = Lines("unet", "SMSE", clock=lambda: now), 0.0
    told = []
    for step in range(1, 100):  # resumed at the second of two epochs of a hundred steps, two seconds each
        now += 2.0
        told.append(lines.line(TrainProgress(0, 2, 2, step, 100, 0.5, None, seconds=now)))
    assert [i for i, line in enumerate(told, 1) if line] == [30, 60, 90]
    assert told[59] == "unet: epoch 2/2, step 60/100: loss 5.00e-01, 1 min 20 s left"
