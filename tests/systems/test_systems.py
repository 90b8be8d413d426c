"""A small system from the command line: simulate, train, probe, report; and what is refused."""

import json
import sys
import types

import pytest
import torch
from torch import nn

from orbitscope import OrbitscopeError, open_probe
from orbitscope.cli import main
from orbitscope.data import Examples, load_examples
from orbitscope.symmetry import FieldAction, Invariant, Layout, Symmetry, Values, dihedral
from orbitscope.systems import System, SystemModel, SystemScenario, open_runs, train_system
from orbitscope.systems._table import TABLE, Names
from orbitscope.training import FitConfig


def pairs(count, seed, progress, power=2):
    x = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))
    return Examples(x, x.norm(dim=1, keepdim=True) ** power)


class Toy(System):
    name = "toy"
    scenarios = {"toy.length": SystemScenario("toy.length", "lengths of arrows", pairs, {"power": 2})}
    models = {
        "toy_mlp": SystemModel(
            "toy_mlp", "a small network",
            lambda examples, width: nn.Sequential(nn.Linear(examples.x.shape[1], width), nn.SiLU(), nn.Linear(width, 1)),
            {"small": {"width": 8}}, {"learning_rate": 1e-2},
        )
    }  # fmt: skip

    def symmetries(self, examples, model=None):
        return {"d4": Symmetry(dihedral(4), FieldAction(Layout.of("arrow:vector"), Values()), Invariant(("length",)))}


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    module = types.ModuleType("orbitscope.systems.toy")
    module.SYSTEM = Toy()  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "orbitscope.systems.toy", module)
    monkeypatch.setitem(TABLE, "toy", Names(("toy",), ("toy_mlp",)))


def run(*words):
    return main([str(w) for w in words])


def test_from_examples_to_a_report(tmp_path, capsys):
    file, folder, probe, page = (tmp_path / n for n in ("x.npz", "run", "p.nc", "r.html"))
    assert run("simulate", "toy.length", "--trajectories", 40, "--seed", 3, "--out", file) == 0
    assert load_examples(file).about["scenario"] == "toy.length"
    assert run("train", file, "--model", "toy_mlp", "--epochs", 2, "--batch", 8, "--seed", 0, 1, "--out", folder) == 0
    assert run("probe", folder, file, "--out", probe, "--steps", 0) == 0
    found = open_probe(tmp_path / "p.seed-1.nc")
    assert "verdict" in found["D4"] and found.attrs["model"] == "toy_mlp"
    assert run("report", tmp_path / "p.seed-0.nc", "--out", page) == 0
    assert "toy_mlp" in page.read_text(encoding="utf-8")
    capsys.readouterr()
    assert run("scenarios", "toy.length") == 0
    assert "power=2" in capsys.readouterr().out


def test_a_run_is_opened_from_its_folder_alone(tmp_path):
    file = Toy().simulate("toy.length", tmp_path / "x.npz", count=30, parameters={"power": 1})
    (trained,) = train_system(file, "toy_mlp", tmp_path / "run", FitConfig(epochs=2), options={"width": 4}, progress=None)
    (opened,) = open_runs(tmp_path / "run")
    x = opened.examples["test"].x
    assert torch.equal(opened.model(x), trained.model(x)) and len(x) == 4
    parts = [set(e.unit.tolist()) for e in opened.examples.values()]
    assert not set.intersection(*parts) and sum(map(len, parts)) == 30


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("simulate", "toy.none", "--out", "a.npz"), "no scenario 'toy.none'"),
        (("simulate", "toy.length", "--initial", "size=3", "--out", "a.npz"), "no parameter 'size'"),
        (("simulate", "toy.length", "--resolution", "32", "--out", "a.npz"), "--resolution has no meaning"),
        (("train", "x.npz", "--model", "toy_mlp", "--preset", "huge", "--out", "r"), "not 'huge'"),
        (("train", "x.npz", "--model", "toy_mlp", "--frames", "3", "--out", "r"), "--frames has no meaning"),
        (("train", "x.npz", "--model", "toy_mlp", "--override", "depth=3", "--out", "r"), "does not take"),
        (("train", "x.npz", "--model", "toy_mlp", "--augment", "d4", "--out", "r"), "--augment"),
        (("probe", "run", "x.npz", "--group", "c8", "--out", "p.nc"), "'c8' is no symmetry"),
        (("probe", "run", "y.npz", "--out", "p.nc"), "y.npz"),
    ],
)
def test_what_is_refused(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = Toy().simulate("toy.length", tmp_path / "x.npz", count=30)
    train_system(file, "toy_mlp", tmp_path / "run", FitConfig(epochs=1), progress=None)
    assert run(*words) != 0
    assert said in " ".join(capsys.readouterr().err.split())


def test_another_recipe_is_another_run(tmp_path):
    file = Toy().simulate("toy.length", tmp_path / "x.npz", count=30)
    train_system(file, "toy_mlp", tmp_path / "run", FitConfig(epochs=1), progress=None)
    with pytest.raises(OrbitscopeError, match="recipe"):
        train_system(file, "toy_mlp", tmp_path / "run", FitConfig(epochs=1), options={"width": 4}, progress=None)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["audit", "reachr"], "there is no file reachr. Did you mean 'reacher'?"),
        (["audit", "reacher", "pendulm"], "none called 'pendulm'. Did you mean 'pendulum'?"),
        (["audit", "cartpole-swngup"], "Did you mean 'cartpole-swingup'"),
        (["audit", "reacher+gravty=0.1"], "Did you mean 'gravity'?"),
        (["audit", "manipulaton.peg"], "Did you mean 'manipulation.peg'?"),
        (["audit", "toy.lenght"], "Did you mean 'toy.length'?"),
        (["audit", "wombat"], "`orbitscope scenarios` lists"),
        (["train", "reachr", "--agent", "ppo", "--out", "o"], "no environment of that name for an agent. Did you mean 'reacher'?"),
        (["plan", "ball2", "--out", "o.nc"], "Did you mean 'ball2d' or 'ball3d'?"),
        (["probe", "reacher", "--out", "o.nc"], "reacher is an environment: audit, train, plan take its name."),
        (["simulate", "toy.lenght", "--out", "o.nc"], "Did you mean 'toy.length'?"),
        (["train", "x.nc", "--model", "toy_mpl", "--out", "o"], "Did you mean 'toy_mlp'?"),
        (["info", "reachr"], "Did you mean 'reacher'?"),
        (["report", "reachr", "--out", "o.html"], "Did you mean 'reacher'?"),
        (["view", "reachr", "--out", "o.png"], "Did you mean 'reacher'?"),
        (["evaluate", "cartpole"], "cartpole is an environment"),
        (["scenarios", "reachr"], "Did you mean 'reacher'?"),
        (["prob", "x"], "there is no verb 'prob'. Did you mean 'probe'?"),
    ],
)
def test_a_misspelt_name_is_told_what_is_near(words, says, tmp_path, monkeypatch, capsys):
    pytest.importorskip("dm_control")
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_wrong_answer_about_a_known_environment_is_not_mistaken_for_a_misspelt_one(tmp_path, monkeypatch, capsys):
    pytest.importorskip("dm_control")
    monkeypatch.chdir(tmp_path)
    assert main(["audit", "cartpole", "--group", "d4"]) == 2
    said = capsys.readouterr().err
    assert "nothing is declared" in said and "Did you mean" not in said and "is an environment" not in said


def test_environments_are_listed_behind_the_scenarios(capsys):
    assert main(["scenarios"]) == 0
    said = capsys.readouterr().out
    assert "toy.length: lengths of arrows" in said and "  reacher-easy (D2): an arm of two links" in said and "  ball2d (D4)" in said
    assert main(["scenarios", "reacher+gravity=0.1", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["environments"]
    assert found["name"] == "reacher-easy" and found["group"] == "D2"
