"""States in units of their own: the formula by hand, the moves that it commutes with, a training and its run folder."""

import pytest
import torch
from test_train import TINY, quiet, toy
from torch import Tensor, nn

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.data import Trajectories, save
from orbitscope.emulators import StateEmulator, load_run
from orbitscope.emulators.training._state_sums import state_normalisation
from orbitscope.symmetry import Grid, GridAction, Layout, dihedral
from orbitscope.training import StateSMSE, StateUnits, smse

LAYOUT = Layout.of("density:scalar", "momentum:vector")
UNITS = StateUnits((1, 2), (0.1, 0.2))
OWN = TINY.replace(units="state", epochs=2)


class Seen(nn.Module):
    """Remembers what it is shown; answers with a mixture that commutes with D4."""

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return 0.3 * x[:, -5:-2] * x[:, -2:-1]


def made(backbone: nn.Module, residual: bool = True, frames: int = 1) -> StateEmulator:
    mean, scale, out = torch.tensor([0.9, 0.0, 0.0]), torch.tensor([0.5, 2.0, 2.0]), torch.tensor([0.1, 0.3, 0.3])
    made = StateEmulator(
        backbone, mean, scale, out, units=UNITS, log_mean=[0.1, 0.2], log_scale=[0.7, 0.9], residual=residual, frames=frames
    )
    return made.double()


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("frames", [1, 2])
def test_the_emulator_is_the_formula(residual, frames):
    x = torch.randn(2, 3 * frames, 4, 4, dtype=torch.float64)
    backbone = Seen()
    answer = made(backbone, residual, frames)(x)
    for b in range(2):
        last = x[b, -3:]
        s = [(last[0].square().mean() + 0.01).sqrt(), *[(last[1:].square().mean() + 0.04).sqrt()] * 2]
        for c in range(3):
            mean, scale, out = (v[c] for v in ((0.9, 0.0, 0.0), (0.5, 2.0, 2.0), (0.1, 0.3, 0.3)))
            for frame in range(frames):
                torch.testing.assert_close(backbone.x[b, 3 * frame + c], (x[b, 3 * frame + c] / s[c] - mean) / scale)
            of = 0.3 * ((last[c] / s[c] - mean) / scale) * (s[0].log() - 0.1) / 0.7
            torch.testing.assert_close(answer[b, c], s[c] * ((last[c] / s[c] if residual else mean) + out * of))
        torch.testing.assert_close(backbone.x[b, -1], ((s[1].log() - 0.2) / 0.9).expand(4, 4))


def test_it_commutes_and_its_loss_is_invariant_and_dimensionless():
    action, model, loss = GridAction(LAYOUT, Grid.square(4)), made(Seen()), StateSMSE(UNITS)
    x, y = torch.randn(2, 2, 3, 4, 4, dtype=torch.float64)
    plain = loss.each(model(x), y, x)
    for g in dihedral(4):
        torch.testing.assert_close(model(action(g, x)), action(g, model(x)), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(loss.each(action(g, model(x)), action(g, y), action(g, x)), plain, rtol=1e-12, atol=0)
    sizes = torch.tensor([60.0, 7.0, 7.0], dtype=torch.float64)[:, None, None]
    bare = StateSMSE(StateUnits((1, 2), (1e-9, 1e-9)))
    torch.testing.assert_close(
        bare.each(x * sizes, y * sizes, x * sizes), bare.each(x, y, x), rtol=2e-5, atol=0
    )  # smse adds 1e-6 to a size
    two = torch.cat([y, x], 1)  # of two steps: the mean of both, in the units of what went in
    torch.testing.assert_close(bare.each(0 * two, two, x), (bare.each(0 * y, y, x) + bare.each(0 * x, x, x)) / 2)
    with pytest.raises(OrbitscopeError, match="third argument"):
        loss(x, y)
    with pytest.raises(OrbitscopeError, match="3 channels"):
        UNITS.of(x[:, :2])


def mixed(times=4, **more):
    """Two kinds of states, one sixty times as large as the other."""
    data = toy(times=times, layout=("density:scalar", "momentum:vector"), **more)
    return Trajectories(torch.cat([data.tensor()[:5], 60 * data.tensor()[5:]]), data.layout, data.grid, data.dt, provenance=data.provenance)


def test_statistics_are_those_of_the_states_in_their_own_units():
    data = mixed()
    found = state_normalisation(data)
    units = StateUnits(tuple(found["units"]["sizes"]), tuple(found["units"]["floor"]))
    states = data.tensor().double().flatten(0, 1)
    unit = units.spread(units.of(states))
    seen = (states / unit).transpose(0, 1).flatten(1)
    assert found["mean"][0] == pytest.approx(float(seen[0].mean())) and found["mean"][1:] == [0.0, 0.0]
    assert found["scale"][0] == pytest.approx(float(seen[0].std(correction=0)))
    assert found["scale"][1] == found["scale"][2] == pytest.approx(float(seen[1:].square().mean().sqrt()))
    steps = data.tensor().double().diff(dim=1) / unit.unflatten(0, (10, 4))[:, :-1]
    assert found["output_scale"][1] == pytest.approx(float(steps[:, :, 1:].square().mean().sqrt()))
    assert found["units"]["log_mean"] == pytest.approx(units.of(states).log().mean(0).flatten().tolist())


def test_a_training_counts_small_states_as_much_as_large_ones(tmp_path):
    """The errors that are kept are those in units of the state; the run gives back the model that was trained."""
    data = mixed()
    folder = quiet(data, OWN.replace(split=(0.5, 0.2, 0.3)), tmp_path / "run")
    run = load_run(folder)
    assert isinstance(run.model, StateEmulator) and run.config.units == "state"
    test = data[run.split["test"]].tensor()
    x, y = test[:, :-1].flatten(0, 1), test[:, 1:].flatten(0, 1)
    loss = StateSMSE(run.model.units)
    assert run.metrics["test"]["smse_persistence"] == pytest.approx(float(loss(x, y, x)), rel=1e-4)
    with torch.no_grad():
        assert run.metrics["test"]["smse"] == pytest.approx(float(loss(run.model(x), y, x)), rel=1e-4)
    large = x.abs().amax((1, 2, 3)) > 20
    assert 0 < large.sum() < len(x)
    own, fixed = loss.each(x, y, x), smse(x, y, "none")
    assert 0.5 < own[large].mean() / own[~large].mean() < 2 and fixed[large].mean() > 20 * fixed[~large].mean()
    assert quiet(data, OWN.replace(split=(0.5, 0.2, 0.3)), folder) == folder  # nothing left to do


def test_models_that_know_the_channels_are_refused(tmp_path, capsys):
    save(mixed(), tmp_path / "toy.nc")
    words = ["train", str(tmp_path / "toy.nc"), "--units", "state", "--model", "equivariant_unet", "--out", str(tmp_path / "run")]
    assert main(words) == 2 and "no place for" in " ".join(capsys.readouterr().err.split())
