"""The doctor finds conventions that it is not told."""

import importlib
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

import orbitscope as osc
from orbitscope.cli import main
from orbitscope.probe import doctor

SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(1.0))

class Plain(Net):
    def forward(self, x):
        return self.w * x.roll(1, -1)

class ChannelsLast(Net):
    def forward(self, x):
        assert x.shape[-1] == 2
        return {"loss": None, "y": self.w * x.roll(1, -2)}

class FiveAxes(Net):
    def forward(self, x):
        assert x.ndim == 5 and x.shape[1:3] == (3, 2)
        return self.w * x[:, -1:].roll(1, -1), None

class Change(Net):
    def forward(self, x):
        return self.w * (x.roll(1, -1) - x)

class Draws(Net):
    jitter_patches = True

    def forward(self, x):
        return self.w * x.roll(1, -1) + 1e-3 * self.jitter_patches * torch.randn_like(x)

class Wants(Net):
    def forward(self, x):
        assert not self.training, "call eval() first"
        return self.w * x.roll(1, -1)

def short():
    return Plain().half()

def scripted():
    return torch.jit.script(nn.Conv2d(2, 2, 1))

class Nothing(Net):
    def forward(self, x, graph):
        return x
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A file whose states move by a cell per step, and models that know it."""
    where = tmp_path_factory.mktemp("doctor")
    first = torch.randn(4, 1, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    states = torch.cat([first.roll(k, -1) for k in range(6)], 1)
    osc.save(osc.Trajectories(states, osc.Layout.of("velocity:vector"), osc.Grid.square(8), dt=0.1), where / "d.nc")
    (where / "strange_nets.py").write_text(SOURCE)
    return where


@pytest.mark.parametrize(
    ("name", "words", "gradients"),
    [
        ("Plain", {"frames": 1}, "together"),
        ("ChannelsLast", {"axes": "b ... (t c)", "frames": 1, "out": ("y", "b ... c")}, "together"),
        ("FiveAxes", {"frames": 3}, "together"),
        ("Change", {"frames": 1, "residual": True}, "together"),
        ("Draws", {"frames": 1, "randomness": "seeded"}, "one by one"),
    ],
)
def test_the_convention_is_found_and_its_command_probes(folder: Path, name: str, words, gradients: str, monkeypatch, capsys) -> None:
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(folder)
    assert main(["doctor", f"strange_nets:{name}", "d.nc", "--group", "c2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {k: v for k, v in found["adapt"].items() if k in words} == json.loads(json.dumps(words)) and found["gradients"] == gradients
    assert found["error"] < 1e-3 * found["persistence"]
    if name == "Draws":  # a convention that was tried has left nothing behind
        model: nn.Module = osc.load_model("strange_nets:Draws")
        assert doctor(model, osc.load(folder / "d.nc"))["adapt"] == found["adapt"] and model.jitter_patches
    if name in ("ChannelsLast", "FiveAxes"):
        assert main([*shlex.split(found["command"])[1:], "--steps", "0", "--influence-elements", "0", "--force"]) == 0


def test_the_command_holds_how_model_and_data_were_loaded(folder: Path, monkeypatch, capsys) -> None:
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(folder)
    np.save(folder / "bare.npy", osc.load(folder / "d.nc").tensor().numpy())  # says neither layout nor time step: --load has to
    safetensors.torch.save_file({"w": torch.tensor(1.0)}, folder / "some weights.safetensors")
    loaded = [
        "--load",
        "layout=velocity:vector:m/s",
        "dt=0.1",
        "extent=1,1",
        "boundary=periodic,periodic",
        "--weights",
        "some weights.safetensors",
        "--trust",
    ]
    assert main(["doctor", "strange_nets:FiveAxes", "bare.npy", "--group", "c2", *loaded, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["works"] and found["adapt"]["frames"] == 3 and found["error"] < 1e-3 * found["persistence"] and found["tried"]
    words = shlex.split(found["command"])[1:]
    assert all(word in words for word in loaded)
    assert main([*words, "--steps", "0", "--influence-elements", "0", "--force"]) == 0
    assert osc.open_probe(folder / "probe.nc").attrs["model_frames"] == 3


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
def test_short_formats_scripts_and_modes(folder: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(folder)
    nets, data = importlib.import_module("strange_nets"), osc.load(folder / "d.nc")
    assert doctor(nets.short(), data)["error"] < 1e-3  # measured in float32, as by the instruments
    assert float(osc.influence(nets.scripted(), data, "c2", elements=["e"], metric="euclidean")["ket_self"].min()) > 0
    model = nets.Wants()
    found = doctor(model, data)
    assert found["adapt"] == {"randomness": "off", "frames": 1} and model.training  # one trial's eval() is not the next one's


def test_what_nothing_fits_ends_with_2(folder: Path, monkeypatch, capsys) -> None:
    monkeypatch.syspath_prepend(folder)
    assert main(["doctor", "strange_nets:Nothing", str(folder / "d.nc")]) == 2
    assert "also needs graph" in capsys.readouterr().out
