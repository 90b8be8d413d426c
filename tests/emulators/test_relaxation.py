"""Training with a penalty on broken symmetry."""

import pytest
import torch
from test_train import PAIR, TINY, Stop, quiet, stopper, toy, without_seconds
from torch import nn

from orbitscope import OrbitscopeError
from orbitscope.emulators import TrainConfig, load_run
from orbitscope.nn import EquivariantConv, Features, relax, relaxation, strict
from orbitscope.symmetry import GridAction, dihedral


class Relaxed(nn.Module):
    """A relaxed D4 net of two layers."""

    def __init__(self, channels_in: int) -> None:
        super().__init__()
        state, hidden = Features.of("d4", "vector"), Features.of("d4", "regular*2")
        self.net = relax(nn.Sequential(EquivariantConv(state, hidden, 3), nn.Tanh(), EquivariantConv(hidden, state, 3)), "group")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    import sys

    monkeypatch.setitem(sys.modules, "relaxed_models", sys.modules[__name__])
    return PAIR.replace(model="relaxed_models:Relaxed", overrides={}, epochs=4, learning_rate=2e-2, weight_decay=0.0)


def test_a_heavy_penalty_keeps_the_symmetry_and_none_lets_it_go(tmp_path, config):
    data, broken = toy(), {}
    action = GridAction(data.layout, data.grid)
    x = data.tensor(torch.float64)[:, 0]
    for alpha in (None, 1e3):
        run = load_run(quiet(data, config.replace(relaxation=alpha), tmp_path / str(alpha)), "last", trust=True)
        broken[alpha] = float(relaxation(run.model)["broken"].max())
        if alpha is not None:
            assert all(h["relaxation"] >= 0 and h["train"] < 1e3 for h in run.history)
        else:
            with torch.no_grad():
                errors = [(run.model(action(g, x)) - action(g, run.model(x))).norm() for g in dihedral(4)]
            assert max(errors) > 1e-4
    assert broken[1e3] < 0.5 * broken[None], broken


def test_a_resumed_run_with_a_penalty_is_bit_equal(tmp_path, config):
    data, config = toy(), config.replace(relaxation=0.1, augment="d4", epochs=3)
    quiet(data, config, tmp_path / "whole")
    with pytest.raises(Stop):
        quiet(data, config, tmp_path / "cut", progress=stopper(2, 1))
    quiet(data, config, tmp_path / "cut")
    assert (tmp_path / "cut" / "last.safetensors").read_bytes() == (tmp_path / "whole" / "last.safetensors").read_bytes()
    assert without_seconds(tmp_path / "cut") == without_seconds(tmp_path / "whole")


def test_mistakes_are_named(tmp_path):
    with pytest.raises(OrbitscopeError, match="no relaxed layer"):
        quiet(toy(), TINY.replace(relaxation=1.0), tmp_path / "run")
    with pytest.raises(OrbitscopeError, match="relaxation"):
        TINY.replace(relaxation=-1.0)


SMALL = {
    "relaxed_unet": {"width": 2, "kernels": (3, 3), "heads": 2},
    "relaxed_resnet": {"width": 2, "depth": 1, "kernel": 3},
}


@pytest.mark.parametrize(
    ("model", "kind"),
    [("relaxed_unet", "group"), ("relaxed_unet", "residual"), ("relaxed_resnet", "steerable"), ("relaxed_resnet", "translation")],
)
def test_the_relaxed_emulators_start_exactly_equivariant_and_can_be_trained_resumed_and_loaded(tmp_path, model, kind):
    data = toy(times=5)
    overrides = {**SMALL[model], "kind": kind}
    config = TINY.replace(model=model, overrides=overrides, precision="64", relaxation=1e-3, epochs=2, keep="all", frames=2)
    quiet(data, config, tmp_path / "whole")
    with pytest.raises(Stop):
        quiet(data, config, tmp_path / "cut", progress=stopper(2, 1))
    quiet(data, config, tmp_path / "cut")
    assert (tmp_path / "cut" / "last.safetensors").read_bytes() == (tmp_path / "whole" / "last.safetensors").read_bytes()
    action = GridAction(data.layout.stack(2), data.grid)
    after = GridAction(data.layout, data.grid)
    x = data.tensor(torch.float64)[:, :2].flatten(1, 2)
    for exact in (True, False):
        net = load_run(tmp_path / "whole", 0 if exact else "last", trust=True).model
        with torch.no_grad():
            scale = (net(x) - x[:, 2:]).norm()
            worst = max(float((net(action(g, x)) - after(g, net(x))).norm() / scale) for g in dihedral(4))
        assert (worst < 1e-12) == exact, worst
    broken = relaxation(load_run(tmp_path / "whole", "last", trust=True).model)["broken"]
    assert broken.sizes["element"] >= 7 and float(broken.max()) > 0
    if kind == "group":
        assert (
            strict(load_run(tmp_path / "whole", "last", trust=True).model)(action(dihedral(4)["r"], x))
            - after(dihedral(4)["r"], strict(net)(x))
        ).abs().max() < 1e-12
