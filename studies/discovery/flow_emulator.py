"""A small emulator of the free flow: trained, taken apart as charts for discovery, and looked at by `probe`."""

import copy
import tempfile
from dataclasses import dataclass

import numpy as np
import torch
from flow_motions import symmetry
from flows import MEDIA, STEP, states, step
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.data import Examples
from orbitscope.discover import Problem
from orbitscope.emulators import TrainConfig, load_run, train
from orbitscope.physics import NavierStokes
from orbitscope.probe import lie_derivative
from orbitscope.symmetry import Grid

POINTS, PAIRS, HELD = 32, 500, 40
ANSWERED, REACH, INNER = 9, 3, 9.0
EPOCHS = 25
_SLOPE = (0.0, 3 / 4, -3 / 20, 1 / 60)  # of f(k) - f(-k), for k = 0 .. `REACH`
#: generator of `probe` -> motion of `flow_motions`.
NAMES = {
    "rotation": "rotation", "tx": "translation x", "ty": "translation y", "boost_x": "boost x", "boost_y": "boost y",
    "dilation": "dilation",
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A trained emulator and how well it does."""

    model: nn.Module
    smse: float
    epochs: int
    parameters: int


def flow(count: int, seed: int) -> osc.Trajectories:
    """`count` flows and their next states."""
    now = states(count, seed, POINTS)
    values = torch.stack([now, step(now, MEDIA["free"])], 1).float()
    return osc.Trajectories(values, NavierStokes.layout, Grid.square(POINTS), dt=STEP)


def trained(seed: int, epochs: int = EPOCHS, pairs: int = PAIRS) -> Made:
    """A residual network whose answers reach 11 cells far, trained on flows of its own; it commutes with whole-cell shifts."""
    config = TrainConfig(
        model="resnet", overrides={"width": 24, "depth": 2, "kernel": 5}, epochs=epochs, batch=16, learning_rate=3e-3, seeds=(seed,),
        split=(0.8, 0.1, 0.1), device="cpu",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = train(flow(pairs, 1000 + seed), config, f"{folder}/run", progress=None, tensorboard=False)
        model = load_run(run).model
    held = flow(HELD, 2000 + seed)
    with torch.no_grad():
        now, later = held.values[:, 0], held.values[:, 1]
        smse = float((model(now) - later).square().mean() / later.square().mean())
    return Made(model, smse, epochs, sum(p.numel() for p in model.parameters()))


class Curl(nn.Module):
    """Velocity of a whole box [N, 1, 2, x, y], in cells per step -> vorticity of the emulator's answer on the points of its middle.

    The first row and column stand at the end again, so that the number of points is odd and the middle is a point.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).double()

    def forward(self, x: Tensor) -> Tensor:
        """Vorticity [N, 1, 1, `ANSWERED`, `ANSWERED`] per step, by central differences: spectral ones would see the whole box."""
        unit, x = STEP * POINTS, x[..., :-1, :-1]
        later, first = self.model(x[:, 0] / unit) * unit, x.shape[-1] // 2 - ANSWERED // 2
        width = ANSWERED + 2 * REACH
        near = later[..., first - REACH : first - REACH + width, first - REACH : first - REACH + width]
        line = range(REACH, REACH + ANSWERED)
        v, u = near[:, 1, :, REACH:-REACH], near[:, 0, REACH:-REACH]
        slopes = torch.zeros(len(x), ANSWERED, ANSWERED, dtype=x.dtype)
        for k, w in enumerate(_SLOPE):
            ahead, behind = [i + k for i in line], [i - k for i in line]
            slopes = slopes + w * (v[:, ahead] - v[:, behind] - u[:, :, ahead] + u[:, :, behind])
        return slopes[:, None, None]


def problem(made: Made, seed: int, each: int = 1) -> Problem:
    """The emulator on held-out flows, each rolled to `each` random centres: its chart is the whole box, its answers those in the middle."""
    now = states(HELD, 2000 + seed, POINTS) * STEP * POINTS
    rng = np.random.default_rng([seed, 0xE3])
    shifts = rng.integers(POINTS, size=(len(now), each, 2))
    x = torch.stack([now[i].roll(tuple(s.tolist()), (1, 2)) for i in range(len(now)) for s in shifts[i]])[:, None]
    x = torch.cat([x, x[..., :1, :]], -2)
    x = torch.cat([x, x[..., :1]], -1)
    asked = Curl(made.model)
    with torch.no_grad():
        y = asked(x)
    examples = Examples(x, y, np.repeat(np.arange(len(now)), each), np.tile(np.arange(each), len(now)))
    return Problem(symmetry(POINTS + 1, ANSWERED, INNER), examples, (asked,), charts=1, seed=seed)


def lie(made: Made, seed: int) -> dict[str, dict[str, float]]:
    """`probe`'s Lie derivatives of the emulator, median over the held-out flows."""
    found = lie_derivative(made.model, flow(HELD, 2000 + seed), tuple(NAMES), trajectories=None, times=1)
    return {
        NAMES[str(g)]: {key: float(found[key].sel(generator=g).median()) for key in ("relative", "lie", "size")}
        for g in found["generator"].values
    }  # fmt: skip
