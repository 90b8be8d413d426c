"""Several frames in, several steps in the loss: windows, resume, roll-out, devices' batches, wrong inputs."""

from typing import Any

import pytest
import torch
from test_train import TINY, Stop, quiet, same, stopper, toy, weights, without_seconds
from torch import Tensor, nn

from orbitscope import Layout, OrbitscopeError
from orbitscope.cli import main
from orbitscope.data import load, save
from orbitscope.emulators import Emulator, build, load_run, rollout, smse
from orbitscope.emulators.training._task import Unrolled
from orbitscope.emulators.training._transitions import Transitions, difference_scales

LONG = TINY.replace(frames=2, rollout=3)
MOVED = LONG.replace(augment="d4*tx*ty")


def long(**more):
    return toy(times=8, **more)


@pytest.mark.parametrize(("frames", "steps"), [(1, 1), (2, 1), (1, 2), (2, 3), (3, 2)])
@pytest.mark.parametrize("place", ["memory", "source", "file"])
def test_windows_are_successive_states(tmp_path, frames, steps, place):
    data = long()
    if place == "file":
        save(data, tmp_path / "toy.nc")
        data = load(tmp_path / "toy.nc")
    limit = 1e9 if place == "memory" else 0.0
    part = Transitions(data, [2, 5, 7], torch.float32, torch.device("cpu"), limit, frames, steps)
    assert len(part) == 3 * (8 - frames - steps + 1)
    index = torch.arange(len(part))[torch.randperm(len(part), generator=torch.Generator().manual_seed(0))]
    ((x, y),) = part.read([index])
    values = long().values
    for row, number in enumerate(index.tolist()):
        trajectory, time = [2, 5, 7][number // part.leads], number % part.leads
        assert torch.equal(x[row], values[trajectory, time : time + frames].flatten(0, 1))
        assert torch.equal(y[row], values[trajectory, time + frames : time + frames + steps].flatten(0, 1))


class Sum(nn.Module):
    """A backbone with a known answer: half the newest frame minus the oldest."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * x[:, -2:] - x[:, :2]


@pytest.mark.parametrize("residual", [False, True])
def test_the_emulator_of_several_frames_by_hand(residual):
    mean, scale, out = torch.zeros(2), torch.tensor([2.0, 2.0]), torch.tensor([0.5, 0.5])
    model = Emulator(Sum(), mean, scale, out, residual=residual, frames=3)
    x = torch.randn(2, 6, 4, 4)
    expected = 0.5 * (0.5 * x[:, 4:] - x[:, :2]) / 2 + (x[:, 4:] if residual else 0.0)
    torch.testing.assert_close(model(x), expected)
    with pytest.raises(OrbitscopeError, match="3 frames of 2 channels"):
        model(x[:, :2])
    steps = Unrolled(model, 2)(x)
    torch.testing.assert_close(steps[:, :2], model(x))
    torch.testing.assert_close(steps[:, 2:], model(torch.cat([x[:, 2:], model(x)], 1)))
    # The mean over channels of all steps is the mean of the steps' losses.
    y = torch.randn(2, 4, 4, 4)
    each = [smse(steps[:, i : i + 2], y[:, i : i + 2], "none") for i in (0, 2)]
    torch.testing.assert_close(smse(steps, y, "none"), (each[0] + each[1]) / 2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of several frames and steps on moved copies, without a stop."""
    folder = tmp_path_factory.mktemp("frames") / "whole"
    quiet(long(), MOVED, folder)
    return folder


@pytest.mark.parametrize("stop", [(1, None), (2, 3)])
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(whole, tmp_path, stop):
    data = long()
    with pytest.raises(Stop):
        quiet(data, MOVED, tmp_path / "cut", progress=stopper(*stop))
    quiet(data, MOVED, tmp_path / "cut")
    for name in ("model.safetensors", "last.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (whole / name).read_bytes()
    assert without_seconds(tmp_path / "cut") == without_seconds(whole)


def test_windows_from_the_file_train_the_same_weights(whole, tmp_path):
    run = load_run(whole)
    assert run.model.frames == 2 and run.model.state_dict().keys() == weights(whole).keys()
    lazy = tmp_path / "toy.nc"
    save(long(), lazy)
    quiet(load(lazy), LONG.replace(in_memory_gib=0.0), tmp_path / "lazy")
    quiet(load(lazy), LONG, tmp_path / "memory")
    assert same(weights(tmp_path / "lazy"), weights(tmp_path / "memory"))


def test_two_frames_see_the_motion_that_one_cannot(tmp_path):
    """States that drift along x or along y, by trajectory: one frame does not say where to, two do."""
    data = toy(trajectories=40, times=5)
    values = data.tensor(torch.float32).clone()
    for trajectory in range(0, 40, 2):
        for t in range(5):
            values[trajectory, t] = values[trajectory, 0].roll(t, -1)
    data, errors = data.replace(values=values), {}
    for frames in (1, 2):
        config = TINY.replace(
            model="resnet", overrides={"width": 16, "depth": 1, "kernel": 3}, epochs=20, learning_rate=1e-2, frames=frames
        )
        errors[frames] = load_run(quiet(data, config, tmp_path / str(frames))).metrics["test"]["smse"]
    assert errors[2] < 0.7 * errors[1], errors


def test_rollout_with_several_frames(tmp_path):
    data = long()
    run = load_run(quiet(data, LONG.replace(epochs=1), tmp_path / "run"))
    found = rollout(run.model, data, 3, keep_states=True)
    assert found.attrs["start"] == 1 and found.sizes["horizon"] == 3
    state = data.values[:, :2].flatten(1, 2)
    with torch.no_grad():
        for h in range(3):
            following = run.model(state)
            torch.testing.assert_close(torch.from_numpy(found["prediction"].values[:, h]), following)
            state = torch.cat([state[:, 2:], following], 1)
    with pytest.raises(OrbitscopeError, match="from 1"):
        rollout(run.model, data, 1, start=0)


@pytest.mark.parametrize("residual", [False, True])
def test_the_emulator_of_differences_by_hand(residual):
    """The last state and its differences, newest first, each in its own unit; the last increment again where the increment is predicted."""
    mean, scale, out = torch.tensor([1.0, -2.0]), torch.tensor([2.0, 4.0]), torch.tensor([0.5, 0.25])
    sizes = torch.tensor([[0.1, 0.2], [0.03, 0.05]])
    seen = []
    backbone = nn.Module()
    backbone.forward = lambda x: seen.append(x) or 3 * x[:, 4:] - x[:, 2:4] + x[:, :2]
    model = Emulator(backbone, mean, scale, out, residual=residual, frames=3, difference_scale=sizes)
    oldest, middle, newest = states = torch.randn(3, 5, 2, 4, 4)
    answer = model(torch.cat([*states], dim=1))
    number = lambda values: values[:, None, None]  # noqa: E731
    first = (newest - middle) / number(sizes[0])
    second = (newest - 2 * middle + oldest) / number(sizes[1])
    expected = torch.cat([(newest - number(mean)) / number(scale), first, second], dim=1)
    torch.testing.assert_close(seen[0], expected)
    base = 2 * newest - middle if residual else number(mean).expand_as(newest)
    torch.testing.assert_close(answer, base + number(out) * (3 * second - first + expected[:, :2]))


@pytest.mark.parametrize("model", ["motion_resnet", "motion_unet"])
def test_differences_do_not_shift_with_the_motion(model):
    layout = Layout.of("velocity:vector", "heat")
    torch.manual_seed(0)
    shape: dict[str, Any] = {"depth": 1} if model == "motion_resnet" else {"kernels": (3, 3), "heads": 0}
    make = lambda differences: build(  # noqa: E731
        model, channels_in=9, channels_out=3, layout=layout, residual=True, differences=differences, width=2, **shape
    )
    scales = {"mean": torch.zeros(3), "scale": torch.tensor([2.0, 2.0, 1.0]), "residual": True, "frames": 3}
    emulator = Emulator(make(True), **scales, difference_scale=torch.tensor([[0.1, 0.1, 0.3], [0.02, 0.02, 0.1]])).double()
    x = torch.randn(2, 3, 3, 8, 8, dtype=torch.float64)
    c = torch.tensor([0.7, -1.3, 0.0], dtype=torch.float64)[:, None, None]
    with torch.no_grad():
        torch.testing.assert_close(emulator((x + c).flatten(1, 2)), emulator(x.flatten(1, 2)) + c, rtol=1e-10, atol=1e-10)
        heated = emulator((x + torch.tensor([0.0, 0.0, 1.0])[:, None, None]).flatten(1, 2)) - emulator(x.flatten(1, 2))
    assert heated[:, :2].abs().max() > 1e-3  # what does not shift is seen as it is
    with pytest.raises(OrbitscopeError, match="same `differences`"):
        Emulator(make(False), **scales, difference_scale=torch.ones(2, 3))


@pytest.mark.parametrize("orders", [1, 3])
def test_sizes_of_differences_are_root_mean_squares_by_field(orders):
    data = long()
    found = difference_scales(data, orders)
    for k in range(orders):
        power = data.tensor().double().diff(k + 1, dim=1).square().mean((0, 1, 3, 4))
        torch.testing.assert_close(found[k], power.mean().sqrt().expand(2))


def test_a_run_of_differences_is_read_back(tmp_path):
    """Untrained with a head of nothing it repeats the last increment; sizes and answers survive the folder."""
    data = long()
    run = load_run(quiet(data, LONG.replace(frames=3, differences=True, epochs=1), tmp_path / "run"))
    assert run.config.differences and run.model.difference_scale.shape == (2, 2)
    x = data.values[:2, :3].flatten(1, 2)
    with torch.no_grad():
        for p in run.model.backbone.get_submodule("head").parameters():
            p.zero_()
        torch.testing.assert_close(run.model(x), 2 * data.values[:2, 2] - data.values[:2, 1])


def test_mistakes_are_named(tmp_path):
    with pytest.raises(OrbitscopeError, match="`difference_scale` needs at least 2 `frames`"):
        Emulator(Sum(), torch.zeros(2), torch.ones(2), difference_scale=torch.ones(1, 2))
    with pytest.raises(OrbitscopeError, match="must be positive"):
        Emulator(Sum(), torch.zeros(2), torch.ones(2), frames=2, difference_scale=torch.zeros(1, 2))
    with pytest.raises(OrbitscopeError, match="differences"):
        TINY.replace(differences=True)
    with pytest.raises(OrbitscopeError, match="needs 5"):
        quiet(toy(times=4), LONG, tmp_path / "run")
    for name in ("frames", "rollout"):
        with pytest.raises(OrbitscopeError, match=name):
            TINY.replace(**{name: 0})


def test_on_the_command_line(tmp_path):
    save(long(), tmp_path / "toy.nc")
    words = ["train", str(tmp_path / "toy.nc"), "--out", str(tmp_path / "run"), "--epochs", "1", "--override", "width=4", "kernels=3,3"]
    assert main([*words, "--frames", "2", "--rollout", "2"]) == 0
    config = load_run(tmp_path / "run").config
    assert (config.frames, config.rollout) == (2, 2)
