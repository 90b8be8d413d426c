"""Emulators of one and three space dimensions: training, roll-out, spectra; models of the library stay two-dimensional."""

import math
import sys

import pytest
import torch
from test_train import quiet
from torch import nn

from orbitscope import OrbitscopeError
from orbitscope.data import Trajectories
from orbitscope.emulators import Emulator, TrainConfig, energy_spectrum, load_run, rollout, smse, spectrum_error
from orbitscope.symmetry import Grid, Layout


def moving(ndim, size):
    """Smooth random states that move one cell per step along the last axis."""
    layout = Layout.of("velocity:vector", "tracer", ndim=ndim)
    first = torch.randn(8, layout.channels, *[size] * ndim, generator=torch.Generator().manual_seed(0))
    first = sum((first.roll(s, -1) for s in range(3)), torch.zeros(())) / 3
    return Trajectories(torch.stack([first.roll(t, -1) for t in range(4)], 1), layout, Grid.square(size, ndim=ndim), dt=0.1)


class Local(nn.Module):
    """A convolution in as many dimensions as the grid has."""

    def __init__(self, channels_in, channels_out, grid):
        super().__init__()
        kind = {1: nn.Conv1d, 3: nn.Conv3d}[grid.ndim]
        self.conv = kind(channels_in, channels_out, 3, padding=1, padding_mode="circular")

    def forward(self, x):
        return self.conv(x)


@pytest.mark.parametrize(("ndim", "size", "augment"), [(1, 16, "tx"), (3, 4, "tz")])
def test_a_model_of_ones_own_is_trained_loaded_and_rolled_out(tmp_path, monkeypatch, ndim, size, augment):
    monkeypatch.setitem(sys.modules, "own_models", sys.modules[__name__])
    data = moving(ndim, size)
    config = TrainConfig(model="own_models:Local", epochs=20, batch=4, learning_rate=3e-2, frames=2, rollout=2, augment=augment)
    run = load_run(quiet(data, config, tmp_path / "run"), trust="own_models:Local")
    assert run.finished and run.metrics["test"]["smse"] < 0.7 * run.metrics["test"]["smse_persistence"]
    result = rollout(run.model, data, steps=1, keep_states=True)
    assert result["prediction"].dims[3:] == tuple("xyz"[:ndim])
    with torch.no_grad():
        expected = run.model(data.values[:, :2].flatten(1, 2))
    torch.testing.assert_close(torch.from_numpy(result["prediction"].values[:, 0]), expected)
    torch.testing.assert_close(torch.from_numpy(result["smse"].values[:, 0]), smse(expected, data.values[:, 2], "channel").double())


@pytest.mark.parametrize("ndim", [1, 3])
def test_models_of_the_library_are_refused_there(tmp_path, ndim):
    with pytest.raises(OrbitscopeError, match=rf"{ndim} space dimensions; the model 'unet' takes 2"):
        quiet(moving(ndim, 8), TrainConfig(), tmp_path / "run")


@pytest.mark.parametrize("space", [(), (5,), (3, 4), (2, 3, 4)])
def test_an_emulator_is_its_formula_in_any_number_of_dimensions(space):
    mean, scale, step = torch.tensor([1.0, 0.0]), torch.tensor([2.0, 3.0]), torch.tensor([0.5, 0.1])
    state = torch.randn(4, 2, *space, generator=torch.Generator().manual_seed(0))
    found = Emulator(nn.Tanh(), mean, scale, step, residual=True)(state)
    for c in range(2):
        expected = state[:, c] + step[c] * torch.tanh((state[:, c] - mean[c]) / scale[c])
        torch.testing.assert_close(found[:, c], expected)
    with pytest.raises(OrbitscopeError, match=r"\[batch, 2, "):
        Emulator(nn.Tanh(), mean, scale)(torch.zeros(4, 3, *space))


@pytest.mark.parametrize("ndim", [1, 3])
def test_spectra_of_one_wave(ndim):
    grid = Grid.square(8, ndim=ndim)
    wave = torch.sin(2 * math.pi * 2 * grid.coordinates()[-1])
    state = torch.stack([2 * wave] + [torch.zeros_like(wave)] * (ndim - 1))
    energy = energy_spectrum(state, grid)[1]
    assert energy.argmax() == 2 and energy.sum() == pytest.approx(1.0) and energy[2] == pytest.approx(1.0)
    flow = torch.randn(2, 3, ndim, *grid.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert spectrum_error(flow, flow, grid) == 0 and spectrum_error(2 * flow, flow, grid) == pytest.approx(math.log10(4), rel=1e-6)
