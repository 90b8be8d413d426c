"""Models whose breaking of D4 is planted in kind and size, and how often the words on them are wrong: for the tests and for the page.

A planted model is the true solver, plus a symmetric error, plus a breaking whose average over D4 is zero. So the share of the squared error
that the breaking carries over the copies is known: b^2 |breaking|^2 / (b^2 |breaking|^2 + |symmetric|^2), and b follows from the share.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.probe.verdicts._interval import ratio_interval, share_interval
from orbitscope.probe.verdicts._learnt import BROKEN, GAIN, HOLDS, Measured, words
from orbitscope.symmetry import GridAction

D4 = osc.dihedral(4)
MARGIN = 0.05
DATA = {"isotropic": "navier-stokes.gauss", "anisotropic": "navier-stokes.shear"}
Map = Callable[[Tensor], Tensor]


def population(scenario: str, trajectories: int = 256, resolution: int = 16, seed: int = 0) -> osc.Trajectories:
    """Three frames each, float64."""
    parts = osc.simulate(scenario, trajectories=trajectories, resolution=resolution, frames=3, t_end=0.4, seed=seed, dtype=torch.float64)
    law = osc.equation("navier-stokes")
    return osc.Trajectories(torch.cat([v for _, v in parts]), law.layout, law.grid(resolution), dt=0.2)


def _derivative(x: Tensor, axis: int) -> Tensor:
    return (x.roll(-1, axis) - x.roll(1, axis)) / 2


def _second(x: Tensor, axis: int) -> Tensor:
    return x.roll(1, axis) + x.roll(-1, axis) - 2 * x


def _band(x: Tensor, low: float, high: float) -> Tensor:
    n = x.shape[-1]
    k = torch.fft.fftfreq(n, 1 / n, dtype=x.dtype)
    size = (k[:, None] ** 2 + k**2).sqrt()
    return torch.fft.ifft2(torch.fft.fft2(x) * ((size >= low) & (size < high))).real


def _convolutional(seed: int) -> Map:
    draw = torch.Generator().manual_seed(seed)
    first, second = (
        torch.randn(8, 2, 3, 3, generator=draw, dtype=torch.float64),
        torch.randn(2, 8, 3, 3, generator=draw, dtype=torch.float64),
    )

    def padded(x: Tensor, kernel: Tensor) -> Tensor:
        return nn.functional.conv2d(nn.functional.pad(x, (1, 1, 1, 1), mode="circular"), kernel)

    return lambda x: padded(torch.tanh(padded(x, first)), second)


def _fixed(seed: int, points: int) -> Map:
    field = torch.randn(2, points, points, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    field = _band(field, 0.5, 3.5)
    return lambda x: field.expand_as(x)


def kinds(points: int) -> dict[str, Map]:
    """What a real emulator may break D4 with, before its D4 average is taken off."""
    ramp = torch.sin(2 * math.pi * (torch.arange(points, dtype=torch.float64) + 0.5) / points)
    corner = torch.exp(-2 * ((1 - ramp)[:, None] + (1 - ramp)))
    return {
        "drift": lambda x: _derivative(x, -2),
        "anisotropic coefficient": lambda x: _second(x, -2),
        "fixed field 1": _fixed(1, points),
        "fixed field 2": _fixed(2, points),
        "position dependent": lambda x: corner * (_second(x, -2) + _second(x, -1)),
        "one component": lambda x: torch.stack([_second(x[:, 0], -1) + _second(x[:, 0], -2), 0 * x[:, 1]], 1),
        "one frequency band": lambda x: _second(_band(x, 2.5, 4.5), -2),
        "random network 1": _convolutional(11),
        "random network 2": _convolutional(12),
    }


class Remembered:
    """A map that keeps its answers: the same states come again for every size of a breaking."""

    def __init__(self, f: Map) -> None:
        self.f, self.known = f, dict[bytes, Tensor]()

    def __call__(self, x: Tensor) -> Tensor:
        key = hashlib.blake2b(x.contiguous().numpy().tobytes()).digest()
        if key not in self.known:
            self.known[key] = self.f(x)
        return self.known[key]


class Planted(nn.Module):
    """The solver's step, `error` times a symmetric error, `breaking` times a breaking without D4 average; see `plant`."""

    def __init__(self, data: osc.Trajectories, kind: Map, seed: int = 21) -> None:
        super().__init__()
        law = osc.equation("navier-stokes")
        self.action = GridAction(data.layout, data.grid)
        self.kind, self.random = kind, _convolutional(seed)
        self.step = Remembered(lambda x: law.step(x, data.dt))
        self.symmetric, self.broken = Remembered(self._symmetric), Remembered(self._broken)
        self.error, self.breaking, self.symmetric_scale = 1.0, 1.0, 1.0
        self.precision = nn.Parameter(torch.ones((), dtype=torch.float64))  # the instruments work in that of the first parameter

    def averaged(self, f: Map, x: Tensor) -> Tensor:
        return torch.stack([self.action(g.inverse(), f(self.action(g, x))) for g in D4]).mean(0)

    def _symmetric(self, x: Tensor) -> Tensor:
        """Half an isotropic operator, half a random network averaged over D4."""
        return _second(x, -1) + _second(x, -2) + self.symmetric_scale * self.averaged(self.random, x)

    def _broken(self, x: Tensor) -> Tensor:
        """The kind without its average."""
        return self.kind(x) - self.averaged(self.kind, x)

    def forward(self, x: Tensor) -> Tensor:
        answer = self.step(x) + self.error * self.symmetric(x)
        return answer + self.breaking * self.broken(x) if self.breaking else answer


@torch.no_grad()
def plant(data: osc.Trajectories, kind: Map, share: float, skill: float, like: Planted | None = None) -> Planted:
    """A model whose breaking carries `share` of the squared error over D4 and whose squared error is `skill` times persistence's.

    `like`: a model of the same data whose answers are remembered; its breaking too, if it is of this kind.
    """
    model = Planted(data, kind)
    if like is not None:
        model.step, model.symmetric = like.step, like.symmetric
        model.broken = like.broken if like.kind is kind else model.broken
    x, y = (data.values[:, k].double() for k in (0, 1))
    isotropic = _second(x, -1) + _second(x, -2)
    model.symmetric_scale = float((isotropic.square().mean() / model.averaged(model.random, x).square().mean()).sqrt())
    symmetric = float(model.symmetric(x).square().mean())
    broken = float(np.mean([float(model.broken(model.action(g, x)).square().mean()) for g in D4]))
    step = float((y - x).square().mean())
    model.error = math.sqrt(skill * step * (1 - share) / symmetric)
    model.breaking = math.sqrt(skill * step * share / broken)
    return model.eval()


@dataclass(frozen=True)
class Truth:
    """A population measured: sums per trajectory and the shares, gains and ratios of all of it."""

    measured: Measured
    share: NDArray[np.float64]
    gain: NDArray[np.float64]
    moved: NDArray[np.float64]
    element: NDArray[np.float64]


def measure(model: nn.Module, data: osc.Trajectories) -> Truth:
    """Through the public `equivariance`, on the first transition of every trajectory."""
    return truth_of(osc.equivariance(model, data, D4, trajectories=None, times=1, batch=256))


def truth_of(result: xr.Dataset) -> Truth:
    """The population's own numbers."""
    found = Measured.of(result)
    e, a, own, copy, gap = (
        found.sums("squared_error"),
        found.sums("breaking"),
        found.own(),
        found.sums("copy_error"),
        found.sums("copy_gap"),
    )
    share, gain = a.sum(1) / e.sum(1), 1 - (e - a).sum(1) / own.sum()
    return Truth(found, share, gain, copy.sum(1) / own.sum(), gap.sum(1) / (2 * (copy.sum(1) + own.sum())))


@dataclass
class Drawn:
    """What the words said in R draws of n trajectories: booleans [R, ...]."""

    holds: NDArray[np.bool_]
    broken: NDArray[np.bool_]
    learnt: NDArray[np.int64]
    gains: NDArray[np.bool_]
    harms: NDArray[np.bool_]
    element_holds: NDArray[np.bool_]
    element_broken: NDArray[np.bool_]
    free: NDArray[np.bool_]
    costs: NDArray[np.bool_]


def draw(truth: Truth, n: int, draws: int, seed: int, margin: float = MARGIN, tolerance: float = 1.25) -> Drawn:
    """Random sets of n trajectories of the population, judged by the library's own rules."""
    found = truth.measured
    rng = np.random.default_rng([seed, n, 0xCA1])
    total = found.count
    pick = np.argsort(rng.random((draws, total)), axis=1)[:, :n]  # [R, n]
    at = {k: found.sums(k)[:, pick] for k in ("squared_error", "breaking", "copy_error", "copy_gap")}  # [S or G, R, n]
    own = found.own()[pick]
    share = share_interval(at["breaking"], at["squared_error"])
    exact = np.broadcast_to(found.subgroup_exact()[:, None], share.value.shape)
    word = words(share, np.broadcast_to(found.subgroup_floor()[:, None], share.value.shape), exact, margin)
    trivial = found.member.sum(1) <= 1
    holds = (word != BROKEN) & (word != "undecided") | trivial[:, None]
    order = np.where(holds, found.member.sum(1)[:, None] * 1000.0 - np.nan_to_num(share.value), -1)
    ratio = ratio_interval(np.maximum(at["squared_error"] - at["breaking"], 0), np.broadcast_to(own, at["breaking"].shape))
    one = share_interval(at["copy_gap"] / 4, (at["copy_error"] + own) / 2)
    element_exact = np.broadcast_to(found.element_exact()[:, None], one.value.shape)
    element = words(one, np.broadcast_to(found.element_floor()[:, None], one.value.shape), element_exact, margin)
    moved = ratio_interval(at["copy_error"], np.broadcast_to(own, at["copy_error"].shape))
    said_of_elements = ((element == HOLDS) | element_exact).T, (element == BROKEN).T
    gains, harms = (~exact & (1 - ratio.high > GAIN)).T, (~exact & (1 - ratio.low < -GAIN)).T
    costs = (moved.high <= tolerance).T, (moved.low > tolerance).T
    return Drawn(holds.T, (word == BROKEN).T, order.argmax(0), gains, harms, *said_of_elements, *costs)


class Nursery:
    """Planted models on one data set, whose parts are worked out once."""

    def __init__(self, data: osc.Trajectories) -> None:
        self.data, self.kinds, self.last = data, kinds(data.grid.shape[0]), dict[str, Planted]()

    def __call__(self, kind: str, share: float, skill: float) -> Planted:
        like = self.last.get(kind) or next(iter(self.last.values()), None)
        self.last[kind] = plant(self.data, self.kinds[kind], share, skill, like)
        return self.last[kind]
