"""`orbitscope discover`, and its file in place of the name of a group."""

import json
import os

import numpy as np
import pytest
import torch
import xarray as xr

import orbitscope.discover._verb as verb_module
from orbitscope import Examples, Grid, Layout, Trajectories, equivariance, load_discovery, load_run, save, save_examples
from orbitscope.cli import main
from orbitscope.probe import open_probe

X = torch.randn(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
QUICK = ["--epochs", "12", "--batch", "16", "--learning-rate", "1e-2"]


class Circle(torch.nn.Module):
    """Invariant under rotations."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.square().sum(1, keepdim=True)


class Hyperbola(torch.nn.Module):
    """Invariant under boosts."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :1] ** 2 - x[:, 1:] ** 2


class Wide(torch.nn.Module):
    """For other inputs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ torch.ones(5, 1)


class Constant(torch.nn.Module):
    """Without skill."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0 * x[:, :1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(__file__.rpartition("/")[0])
    save_examples(Examples(X, Circle()(X)), "circle.npz")
    save_examples(Examples(X, Hyperbola()(X)), "hyperbola.nc")
    return tmp_path


def fields(path: str) -> None:
    values = torch.randn(4, 3, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    save(Trajectories(values, Layout.of("velocity:vector"), Grid.square(8), dt=0.1), path)


def test_from_a_file_of_examples_to_a_group(folder, capsys):
    assert main(["discover", "circle.npz", "--hypothesis", "gl2", "--out", "found.nc", *QUICK, "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["count"] == 1 and told["name"] == "so(2)" and told["words"][0] == "exact" and told["exit_code"] == 0
    assert "training predictors" in said.err and "derivatives" in said.err and "generator 1, exact:" in said.err
    found = load_discovery("found.nc")
    assert told["sentence"] == found.sentence() and found.about["data_path"] == "circle.npz"
    assert sorted(p.name for p in folder.iterdir()) == ["circle.npz", "found.nc", "hyperbola.nc"]  # the training is gone
    assert main(["info", "found.nc"]) == 0 and "so(2)" in capsys.readouterr().out


def test_an_interrupted_command_goes_on(folder, monkeypatch, capsys):
    words = ["discover", "circle.npz", "--hypothesis", "gl2", *QUICK, "--quiet"]
    assert main([*words, "--out", "whole.nc"]) == 0

    def stopped(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(verb_module, "rates", stopped)
        assert main([*words, "--out", "found.nc"]) == 1
    assert (folder / "found.nc.training" / "predictor-1").is_dir() and not (folder / "found.nc").exists()
    capsys.readouterr()
    assert main([*words, "--out", "found.nc", "--seed", "1"]) == 2
    assert "interrupted command with other data or settings" in capsys.readouterr().err
    with monkeypatch.context() as patch:  # nothing is trained again
        patch.setattr("orbitscope.training._fit.run_seeds", stopped)
        assert main([*words, "--out", "found.nc"]) == 0
    whole, again = load_discovery("whole.nc"), load_discovery("found.nc")
    assert np.array_equal(whole.basis, again.basis) and not (folder / "found.nc.training").exists()
    (folder / "found.nc.training").mkdir()
    with monkeypatch.context() as patch:  # --force begins anew
        patch.setattr(verb_module, "trained", stopped)
        assert main([*words, "--out", "found.nc", "--seed", "1", "--force"]) == 1
    assert '"seed": 1' in (folder / "found.nc.training" / "asked.json").read_text()


def test_a_trained_model_is_examined_and_a_predictor_trained(folder, capsys):
    assert main(["discover", "hyperbola.nc", "--hypothesis", "gl2", "--model", "test_discover:Hyperbola", "--out", "a.nc"]) == 0
    assert "so(1,1)" in capsys.readouterr().out and load_discovery("a.nc").about["model_path"] == "test_discover:Hyperbola"
    assert main(["discover", "circle.npz", "--hypothesis", "gl2", "--predictor", "torch.nn:Identity", "--out", "b.nc"]) == 2
    assert "no parameters" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--hypothesis", "q8"], "cannot read 'q8'"),
        (["--hypothesis", "d4"], "has no algebra"),
        (["--hypothesis", "gl2", "--method", "magic"], "method: should be one of"),
        (["--hypothesis", "gl2", "--generators", "2"], "is told no number of generators"),
        (["--hypothesis", "gl2", "--method", "atlas", "--generators", "0"], "`generators` should be at least 1"),
        (["--hypothesis", "gl2", "--output", "sideways"], "sideways"),
        (["--hypothesis", "gl2", "--model", "no.such:net"], "no.such"),
        (["--hypothesis", "gl2", "--model", "torch.nn:Identity", "--epochs", "3"], "examined as it is"),
        (["--hypothesis", "gl2", "--model", "torch.nn:Identity", "--predictor", "torch.nn:Identity"], "Give one of the two"),
        (["--hypothesis", "gl2", "--predictor", "identity"], "predictor: should be"),
        (["--hypothesis", "gl2", "--weights", "w.safetensors"], "weights: they go with --model"),
        (["--hypothesis", "gl2", "--epochs", "0"], "epochs: should be at least 1"),
        (["--hypothesis", "gl2", "--learning-rate", "-1"], "learning_rate: should be positive"),
        (["--hypothesis", "gl2", "--out", "there.nc"], "there.nc exists"),
        (["--hypothesis", "gl2", "--out", "found.h5"], "its name ends in .nc"),
    ],
)
def test_mistakes_in_words_are_found_before_the_data(folder, words, said, capsys):
    (folder / "there.nc").write_text("keep")
    assert main(["discover", "none.npz", "--out", "found.nc", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split()) and (folder / "there.nc").read_text() == "keep"


def bad(name: str) -> str:
    """A file that nothing can be discovered from."""
    x, y = X.numpy(), Circle()(X).numpy()
    arrays = {
        "few": (x[:20], y[:20]), "constant": (x, np.ones_like(y)), "nan": (x * np.nan, y), "three": (np.ones((200, 3)) * x[:, :1], y),
        "lengths": (x, y[:9]), "fields": (x.reshape(200, 1, 1, 2), y), "unrelated": (x, np.roll(y, 7)),
    }  # fmt: skip
    np.savez(f"{name}.npz", x=arrays[name][0], y=arrays[name][1])
    return f"{name}.npz"


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("few", [], "20 independent units of examples are too few"),
        ("constant", [], "all answers y are the same"),
        ("nan", [], "part 0 of `x` holds NaN"),
        ("three", [], "GL(2) acts on 2 numbers, and x has 3"),
        ("lengths", [], "one length"),
        ("fields", [], "say how the group moves them"),
        ("unrelated", ["--epochs", "2"], "the predictors have no skill"),
        ("unrelated", ["--model", "test_discover:Constant"], "it has no skill on the data"),
        ("unrelated", ["--charts", "5"], "5 charts need axis 1 of x"),
        ("unrelated", ["--output", "vector"], "y has 1 in its last axis"),
    ],
)
def test_bad_data_are_refused_in_words(folder, name, words, said, capsys):
    assert main(["discover", bad(name), "--hypothesis", "gl2", "--out", "found.nc", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split()) and not (folder / "found.nc").exists()


def test_files_that_hold_no_examples(folder, capsys):
    fields("flow.nc")
    np.savez("other.npz", pixels=X.numpy())
    (folder / "text.npz").write_text("no archive")
    for name, said in (
        ("flow.nc", "holds trajectories"), ("none.npz", "there is no file"), ("other.npz", "'pixels' has no meaning"), ("text.npz", "no"),
        ("pairs.csv", "should end in .npz"),
    ):  # fmt: skip
        assert main(["discover", name, "--hypothesis", "gl2", "--out", "found.nc"]) == 2
        assert said in " ".join(capsys.readouterr().err.split())


def discovered(name: str, model: str, data: str) -> str:
    assert main(["discover", data, "--hypothesis", "gl2", "--model", f"test_discover:{model}", "--out", name, "--quiet"]) == 0
    return name


def test_a_file_in_place_of_a_group(folder, capsys):
    """Audit, training (layers and augmentation) and probe."""
    fields("flow.nc")
    group = discovered("found.nc", "Circle", "circle.npz")
    capsys.readouterr()
    assert main(["audit", "flow.nc", "--group", group, "--no-screening", "--json"]) in (0, 1)
    said = capsys.readouterr()
    assert list(json.loads(said.out)["groups"]) == ["SO(2)/16"] and "found.nc: taken for so2" in said.err
    net = ["train", "flow.nc", "--model", "equivariant_resnet", "--override", "width=2", "depth=1", "--epochs", "1", "--out", "run"]
    assert main([*net, "--group", group, "--augment", group, "--quiet"]) == 0
    config = load_run("run").config
    assert config.overrides["group"] == "so2" and config.augment == "c4"
    capsys.readouterr()
    probe = ["probe", "run", "flow.nc", "--group", group, "d4", "--influence-elements", "0", "--steps", "0", "--out", "probe.nc", "--json"]
    assert main(probe) == 0
    assert set(json.loads(capsys.readouterr().out)["probes"][0]["groups"]) == {"SO(2)-16", "D4"}


def test_groups_without_an_action_on_kernels_say_so(folder, capsys):
    fields("flow.nc")
    group = discovered("boost.nc", "Hyperbola", "hyperbola.nc")
    xr.Dataset({"a": 1.0}).to_netcdf("other.nc", engine="h5netcdf")
    capsys.readouterr()
    for words, said in (
        (["audit", "flow.nc", "--group", group], "boost.nc: 1 generator of GL(2): so(1,1)"),
        (["train", "flow.nc", "--model", "equivariant_resnet", "--group", group, "--out", "run"], "no action on fields and kernels"),
        (["train", "flow.nc", "--augment", group, "--out", "run"], "no action on fields and kernels"),
        (["probe", "torch.nn:Identity", "flow.nc", "--group", group, "--out", "p.nc"], "no action on fields and kernels"),
        (["epochs", "run", "flow.nc", "--group", group, "--out", "p.nc"], "no action on fields and kernels"),
        (["audit", "flow.nc", "--group", "other.nc"], "other.nc holds no discovery"),
        (["audit", "flow.nc", "--group", "none.nc"], "none.nc"),
    ):
        assert main(words) == 2
        assert said in " ".join(capsys.readouterr().err.split())


class Plain(torch.nn.Module):
    """Not quite invariant, with weights that learn."""

    def __init__(self) -> None:
        super().__init__()
        self.last = torch.nn.Linear(2, 1)
        torch.nn.init.constant_(self.last.weight, 0.3)
        torch.nn.init.zeros_(self.last.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(x) + x.square().sum(1, keepdim=True)


def test_examples_of_ones_own_are_moved_by_what_was_discovered_on_them(folder, capsys):
    """Info, audit, probe and report on the very file, as on fields."""
    group = discovered("found.nc", "Circle", "circle.npz")
    capsys.readouterr()
    assert main(["info", "circle.npz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shapes"] == {"x": [[2]], "y": [[1]]}
    assert main(["audit", "circle.npz", "--group", group, "--out", "audit.nc", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["groups"]) == [group] and "audit.nc" in os.listdir()
    quick = ["--trajectories", "4", "--times", "1", "--steps", "0", "--influence-elements", "3"]
    assert main(["probe", "test_discover:Plain", "circle.npz", "--group", group, *quick, "--out", "probe.nc", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["probes"]
    (name,) = told["groups"]
    tree = open_probe("probe.nc")
    assert set(tree[name].children) >= {"audit", "equivariance", "influence", "verdict"} and tree.attrs["data_path"] == "circle.npz"
    here = equivariance(Plain().eval(), Examples(X.float(), Circle()(X).float()), group, trajectories=16, times=1)
    torch.testing.assert_close(tree[name]["equivariance"]["commutator"].values, here["commutator"].values)
    assert main(["report", "probe.nc", "--out", "probe.html", "--quiet"]) == 0


def test_examples_of_ones_own_want_a_group_that_was_discovered(folder, capsys):
    group = discovered("found.nc", "Circle", "circle.npz")
    capsys.readouterr()
    save_examples(Examples(torch.randn(80, 3), torch.randn(80, 1)), "space.npz")
    for words, said in (
        (["audit", "circle.npz"], "Give a file of `orbitscope discover`"),
        (["audit", "circle.npz", "--group", "so2"], "got 'so2'"),
        (["audit", "circle.npz", "--group", group, "--law", "euler"], "--law has no meaning"),
        (["audit", "space.npz", "--group", group], "x has 3 in its last axis"),
        (["probe", "test_discover:Plain", "space.npz", "--group", group, "--out", "p.nc"], "x has 3 in its last axis"),
        (["probe", "torch.nn:Sigmoid", "circle.npz", "--out", "p.nc"], "Give a file of `orbitscope discover`"),
        (["probe", "test_discover:Wide", "circle.npz", "--group", group, "--out", "p.nc"], "failed on one example, x [1, 2]"),
        (["train", "circle.npz", "--model", "unet", "--out", "run"], "orbitscope.training.fit"),
    ):
        assert main(words) == 2
        assert said in " ".join(capsys.readouterr().err.split())


def test_a_refused_command_leaves_nothing_to_go_on_with(folder, capsys):
    save_examples(Examples(X[:20], Circle()(X[:20])), "few.npz")
    assert main(["discover", "few.npz", "--hypothesis", "gl2", "--out", "found.nc"]) == 2
    assert "too few" in capsys.readouterr().err
    assert not [name for name in os.listdir() if name.startswith("found.nc")]
