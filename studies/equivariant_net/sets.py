"""The data: runs of a solver or ocean files, cut into windows without overlap between splits, at three scales.

A *level* is the same flow seen at one scale: $w'(x, t) = \\lambda^p w(\\lambda x, \\lambda^2 t)$ on the cells and in the time steps of the
base level. From a run on cells half as wide and in steps a quarter as long as the base's, all three are exact: means over cells (as solvers
store them) and every fourth or sixteenth snapshot; nothing is interpolated. lambda = 1/2 is the run itself, lambda = 2 its means over 4 x 4
cells, lambda = 3/2 those over 3 x 3 and every ninth snapshot. lambda = 2/3 takes a run on cells a third as wide in steps a ninth as long.
p is 1 for a velocity, 0 for a temperature.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from study import FACTORS, SCALARS, Place
from torch import Tensor

import orbitscope as osc
from orbitscope.physics import Equation, RayleighBenard
from orbitscope.symmetry import Boost

Tell = Callable[[str], None]
Windows = list[Tensor]
SCALES = {"scale 1/2": 0.5, "original": 1.0, "scale 3/2": 1.5, "scale 2": 2.0}
THIRD = 1 / 3  # the native level of runs that 2/3 is cut from


@dataclass(frozen=True)
class Flow:
    """One run at all its levels, [time, channel, x, y] each; `periodic` axes may be cut across their end."""

    levels: dict[float, Tensor]
    periodic: tuple[bool, bool]

    @classmethod
    def of(cls, fine: Tensor, native: float, power: int, periodic: tuple[bool, bool]) -> "Flow":
        """From snapshots [time, channel, x, y] of the level `native` (1/2: half as wide cells as the base's)."""
        levels = {}
        for scale in (*SCALES.values(), FACTORS["scale 2/3"]):
            ratio = round(scale / native)
            if ratio >= 1 and math.isclose(ratio * native, scale) and min(fine.shape[-2:]) >= 2 * ratio:
                levels[scale] = float(scale**power) * F.avg_pool2d(fine[:: ratio**2], ratio)
        return cls(levels, periodic)

    def wraps(self, scale: float) -> tuple[bool, bool]:
        """Whether a level is periodic along each axis: not where its cells are no whole part of the box."""
        sizes = [{round(n * s, 6) for n, s in ((self.levels[k].shape[2 + axis], k) for k in (scale, min(self.levels)))} for axis in (0, 1)]
        return self.periodic[0] and len(sizes[0]) == 1, self.periodic[1] and len(sizes[1]) == 1

    def cut(self, scale: float, corner: tuple[int, int], start: int, length: int, points: int) -> Tensor:
        """[length, channel, points, points] from a corner (x, y) and a time."""
        level = self.levels[scale][start : start + length]
        if len(level) != length:
            raise osc.OrbitscopeError(f"data: level {scale} has {len(self.levels[scale])} times; asked for {start} to {start + length}.")
        for axis, begin in enumerate(corner):
            n = level.shape[2 + axis]
            index = torch.arange(begin, begin + points)
            if not self.wraps(scale)[axis] and (begin < 0 or begin + points > n):
                raise osc.OrbitscopeError(f"data: a window from {begin} of {points} cells does not fit {n} cells along axis {axis}.")
            level = level.index_select(2 + axis, index % n)
        return level

    def corners(self, scale: float, points: int, step: int | None = None) -> list[tuple[int, int]]:
        """Corners of windows side by side; with `step`, that far apart along x."""
        nx, ny = self.levels[scale].shape[-2:]
        wraps = self.wraps(scale)[0]
        last = nx - (0 if wraps else points - 1)
        return [(x, y) for x in range(0, last, step or points) if x + points <= nx or wraps for y in range(0, ny - points + 1, points)]


def make_sets(place: Place, name: str, tell: Tell) -> None:
    """Write every set of a data set that is not there yet."""
    if place.has(name, "complete"):
        return
    options = place.settings.data[name]
    found = {"ocean": _ocean, "sst": _temperatures}.get(name, _simulated)(place, name, options)
    layout = osc.Layout.of(*(["temperature:scalar"] if name in SCALARS else ["velocity:vector"]))
    points = options["points"]
    grid = osc.Grid.square(points, extent=float(points), boundary="open")
    place.set_file(name, "complete").parent.mkdir(parents=True, exist_ok=True)
    for key, windows in found.items():
        if not windows:
            continue
        values = torch.stack(windows)
        shape = values.shape[-1]
        data = osc.Trajectories(
            values, layout, grid if shape == points else osc.Grid.square(shape, extent=float(shape), boundary="open"), 1.0
        )
        osc.save(data, place.set_file(name, key), force=True)
    osc.save(osc.Trajectories(torch.zeros(1, 1, layout.channels, 4, 4), layout, osc.Grid.square(4), 1.0), place.set_file(name, "complete"))
    tell(f"{name}: {', '.join(f'{len(w)} {k}' for k, w in found.items() if w)}")


def _simulated(place: Place, name: str, options: dict[str, Any]) -> dict[str, Windows]:
    """Training, validation and test from different runs; the future from the training runs, a gap after what was trained on."""
    s, points, length = place.settings, options["points"], options["length"]
    found: dict[str, Windows] = {}
    period = 4 * (length - 1) + 1  # base steps: a window of the level 2 fits
    piece = period // options["pieces"]
    if piece < length:
        raise osc.OrbitscopeError(f"config: {options['pieces']} pieces of {length} states do not fit the {period} that are trained on.")
    draw = np.random.default_rng(options["seed"])
    tail = period + options["gap"]
    for flow in _flows(name, options, "train", 4 * (tail + s.span - 1) + 1):
        for k in range(options["pieces"]):
            _add(found, "train", [flow.cut(1.0, c, k * piece, length, points) for c in flow.corners(1.0, points)])
        for scale, key in ((0.5, "train half"), (2.0, "train double")):
            count = options["pieces"] * len(flow.corners(1.0, points))
            _add(found, key, [_anywhere(flow, scale, length, points, _times(scale, period), draw) for _ in range(count)])
        _add(found, "future", [flow.cut(1.0, c, tail, s.span, points) for c in flow.corners(1.0, points)])
    for flow in _flows(name, options, "validation", 4 * length):
        _add(found, "validation", [flow.cut(1.0, c, 0, length, points) for c in flow.corners(1.0, points)])
    for n, flow in enumerate(_flows(name, options, "test", 16 * (s.span - 1) + 1)):
        _test(found, flow, s.span, s.frames, points, _shifts(options, n))
        if name == "rayleigh-benard":
            boosted = _boosted(flow, s.span, options, draw)
            _add(found, "boost", [boosted.cut(1.0, c, 0, s.span, points) for c in flow.corners(1.0, points)])
    scale = FACTORS["scale 2/3"]
    for flow in _flows(name, options, "test", 4 * (s.span - 1) + 1, third=True):
        _add(found, "scale 2/3", [flow.cut(scale, c, 0, s.span, points) for c in flow.corners(scale, points)])
    for flow in _flows(name, options, "domain", 4 * s.span):
        _add(found, "domain", [flow.cut(1.0, c, 0, s.span, points) for c in flow.corners(1.0, points)])
    return {key: _some(windows, None if key.startswith(("train", "valid")) else s.windows) for key, windows in found.items()}


def _test(found: dict[str, Windows], flow: Flow, span: int, frames: int, points: int, shift: int) -> None:
    """The original windows, the same flow through windows moved along x, at two other scales, and what scale is measured on."""
    corners = [c for c in flow.corners(1.0, points) if flow.periodic[0] or c[0] + shift + points <= flow.levels[1.0].shape[-2]]
    _add(found, "original", [flow.cut(1.0, c, 0, span, points) for c in corners])
    _add(found, "translation", [flow.cut(1.0, (x + shift, y), 0, span, points) for x, y in corners])
    for key, scale in SCALES.items():
        if scale != 1.0 and scale in flow.levels and len(flow.levels[scale]) >= span and min(flow.levels[scale].shape[-2:]) >= points:
            _add(found, key, [flow.cut(scale, c, 0, span, points) for c in flow.corners(scale, points, points // 2 if scale > 1 else None)])
    history = 4 * (frames - 1) + 1
    if min(flow.levels[1.0].shape[-2:]) >= 2 * points and len(flow.levels[1.0]) >= history:
        _add(found, "wide", [flow.cut(1.0, c, 0, history, 2 * points) for c in flow.corners(1.0, 2 * points)])


def _add(found: dict[str, Windows], key: str, windows: Windows) -> None:
    found.setdefault(key, []).extend(windows)


def _some(windows: Windows, count: int | None) -> Windows:
    """So many of them, evenly spread over runs and places."""
    if count is None or len(windows) <= count:
        return windows
    return [windows[i] for i in np.linspace(0, len(windows) - 1, count).round().astype(int)]


def _times(scale: float, period: int) -> int:
    """The states of a level within `period` base steps."""
    return int((period - 1) / scale**2) + 1


def _anywhere(flow: Flow, scale: float, length: int, points: int, times: int, draw: np.random.Generator) -> Tensor:
    nx, ny = flow.levels[scale].shape[-2:]
    x = int(draw.integers(nx if flow.periodic[0] else nx - points + 1))
    y = int(draw.integers(0, (ny - points) // points + 1)) * points
    return flow.cut(scale, (x, y), int(draw.integers(times - length + 1)), length, points)


def shifts(options: dict[str, Any], runs: int) -> list[int]:
    """By how many cells the windows of each test run move in the translated set: 1 to half a window."""
    return [_shifts(options, n) for n in range(runs)]


def _shifts(options: dict[str, Any], run: int) -> int:
    return 1 + (5 + 7 * run) % (options["points"] // 2)


def _flows(name: str, options: dict[str, Any], split: str, times: int, *, third: bool = False) -> Iterator[Flow]:
    """The runs of a split, `times` fine snapshots each; every run has a number of its own, so no two splits share one.

    `third`: on cells a third as wide as the base's, in place of half.
    """
    native = THIRD if third else 0.5
    order = ("train", "validation", "test", "domain")
    first = sum(options["runs"].get(part, 0) for part in order[: order.index(split)])
    for index in range(first, first + options["runs"].get(split, 0)):
        law = options.get("domain", {}) if split == "domain" else {}
        if name == "heat":
            equation: Equation = osc.equation("heat", diffusivity=law.get("diffusivity", options["diffusivity"]))
            yield Flow.of(_steps(equation, "heat.gauss", options, index, times, native), native, 0, (True, True))
        else:
            equation = RayleighBenard(rayleigh=law.get("rayleigh", options["rayleigh"]), aspect=options["aspect"])
            yield Flow.of(_steps(equation, name, options, index, times, native)[:, :2], native, 1, (True, False))


def _steps(equation: Equation, scenario: str, options: dict[str, Any], index: int, times: int, native: float) -> Tensor:
    """Snapshots [time, channel, x, y] of the level `native`, after the spin-up."""
    start = options["spin_up"]
    made = osc.simulate(
        scenario, trajectories=index + 1, resolution=round(2 * options["points"] / native), frames=2 if start else 1, t_end=start or 1.0,
        seed=options["seed"], indices=[index], equation=equation,
    )  # fmt: skip
    state = next(iter(made))[1][:, -1]
    found = [state[0]]
    for _ in range(times - 1):
        state = equation.step(state, options["dt"] * native**2)
        found.append(state[0])
    return torch.stack(found)


def _boosted(flow: Flow, span: int, options: dict[str, Any], draw: np.random.Generator) -> Flow:
    """The same run seen from a frame that moves along x, the periodic axis: values and places."""
    base = flow.levels[1.0][:span]
    grid = osc.Grid((base.shape[-2], base.shape[-1]), (options["aspect"], 1.0), ("periodic", "wall"))
    size = float(base.square().mean().sqrt())
    boost = Boost(osc.Layout.of("velocity:vector"), grid, (float(draw.uniform(-2, 2)) * size, 0.0))
    return Flow({1.0: torch.stack([boost.state(state, n * options["dt"]) for n, state in enumerate(base)])}, flow.periodic)


def _ocean(place: Place, name: str, options: dict[str, Any]) -> dict[str, Windows]:
    """All but the last of several files train: the first part of their time trains, then validation, then test, a gap between each."""
    s, points, length = place.settings, options["points"], options["length"]
    found: dict[str, Windows] = {}
    trained = s.files if len(s.files) == 1 else s.files[:-1]
    draw = np.random.default_rng(options["seed"])
    for n, file in enumerate(s.files):
        flow = Flow.of(osc.load(file, land=options["land"]).tensor(torch.float32)[0], 1.0, 1, (False, False))
        times, gap = len(flow.levels[1.0]), options["gap"]
        corners = flow.corners(1.0, points)
        if file not in trained:
            _add(found, "domain", [flow.cut(1.0, c, 0, s.span, points) for c in corners])
            continue
        ends = [int(options["parts"][0] * times), int(sum(options["parts"]) * times)]
        if ends[0] < length or ends[1] - ends[0] - gap < length or times - ends[1] - gap < s.span or not corners:
            raise osc.OrbitscopeError(
                f"data: {file} has {times} days of {tuple(flow.levels[1.0].shape[-2:])} cells, too few for {options}."
            )
        _add(found, "train", [flow.cut(1.0, c, t, length, points) for c in corners for t in range(0, ends[0] - length + 1, length)])
        if (double := _times(2.0, ends[0])) >= length and min(flow.levels[2.0].shape[-2:]) >= points:
            _add(found, "train double", [_anywhere(flow, 2.0, length, points, double, draw) for _ in found["train"]])
        start = ends[0] + gap
        _add(found, "validation", [flow.cut(1.0, c, start, length, points) for c in corners])
        later = Flow.of(flow.levels[1.0][ends[1] + gap :], 1.0, 1, (False, False))
        _test(found, later, s.span, s.frames, points, _shifts(options, n))
    return {key: _some(windows, None if key.startswith(("train", "valid")) else s.windows) for key, windows in found.items()}


def _temperatures(place: Place, name: str, options: dict[str, Any]) -> dict[str, Windows]:
    """Departures of a file of monthly temperatures, round the globe, from the mean year of the months that train; windows at sea only.

    The file lies in an installed package (`package`, `file`); `fields` is what the library's reader is told.
    """
    s, points, length, gap = place.settings, options["points"], options["length"], options["gap"]
    path = str(files(options["package"]).joinpath(options["file"]))
    values = osc.load(path, fields=options["fields"], land=0.0, dt=1.0).tensor(torch.float32)[0]
    values[:, (values == 0.0).any(0)] = torch.nan  # kelvin: nothing at sea is 0; dt: months are not equally long
    ends = [int(options["parts"][0] * len(values)), int(sum(options["parts"]) * len(values))]
    for month in range(12):
        values[month::12] = values[month::12] - values[month : ends[0] : 12].mean(0)
    found: dict[str, Windows] = {}
    spans = {
        "train": (0, ends[0], length, 1),
        "validation": (ends[0] + gap, ends[1], length, 2),
        "original": (ends[1] + gap, len(values), s.span, 2),
    }
    for key, (first, last, span, step) in spans.items():
        whole = Flow({1.0: values[first:last]}, (True, False))
        if last - first < span:
            raise osc.OrbitscopeError(f"data: {key} has {last - first} months, fewer than the {span} of a window. Give other `parts`.")
        for start in range(0, last - first - span + 1, step):
            corners = whole.corners(1.0, points)
            windows, moved = (
                [whole.cut(1.0, (x + shift, y), start, span, points) for x, y in corners] for shift in (0, _shifts(options, 0))
            )
            kept = [
                (a, b)
                for a, b in zip(windows, moved, strict=True)
                if bool(a.isfinite().all() and (key != "original" or b.isfinite().all()))
            ]
            _add(found, key, [a for a, _ in kept])
            if key == "original":
                _add(found, "translation", [b for _, b in kept])
    return {key: _some(windows, None if key.startswith(("train", "valid")) else s.windows) for key, windows in found.items()}
