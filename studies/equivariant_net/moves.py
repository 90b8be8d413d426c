"""The transformations: of test sets, of training sets, and of single inputs for the equivariance error."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sets import shifts
from study import Place
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.symmetry import cyclic

MADE = ("rotation", "motion", "magnitude")
TURNS = ("r", "r2", "r3")


def moved(data: osc.Trajectories, kind: str, unit: float, seed: int) -> osc.Trajectories:
    """Every window moved by an element of its own: a quarter turn, w + c with |c_i| < 2 units, or m w with 0 < m < 2."""
    draw = np.random.default_rng((seed, MADE.index(kind)))
    values, count = data.tensor(), len(data)
    if kind == "rotation":
        action, group = osc.GridAction(data.layout, data.grid), cyclic(4)
        out = torch.empty_like(values)
        for n, pick in enumerate(draw.integers(len(TURNS), size=count)):
            out[n] = action(group[TURNS[pick]], values[n])
    elif kind == "motion":
        out = values + _numbers(draw.uniform(-2, 2, size=(count, data.channels)) * unit, values)
    else:
        out = values * _numbers(draw.uniform(0, 2, size=(count, 1)), values)
    return data.replace(values=out)


def _numbers(drawn: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(drawn).to(like.dtype)[:, None, :, None, None]


def tested(place: Place, dataset: str, name: str, unit: float) -> osc.Trajectories | None:
    """A test set, stored or made from the original one; None where this data set has none."""
    if name in MADE:
        original = place.sets(dataset, "original")
        vector = original.layout.channels == 2
        return None if name == "motion" and not vector else moved(original, name, unit, place.settings.data[dataset]["seed"])
    return place.sets(dataset, name) if place.has(dataset, name) else None


def augmented(place: Place, dataset: str, symmetry: str, copies: int, unit: float, data: osc.Trajectories) -> osc.Trajectories:
    """The windows `data` so many times, each copy moved by elements of its own; for scale, a third at each of the levels there are."""
    seed = place.settings.data[dataset]["seed"]
    if symmetry != "scale":
        parts = [moved(data, symmetry, unit, seed + 1000 * (k + 1)).tensor() for k in range(copies)]
        return data.replace(values=torch.cat(parts))
    others = [place.sets(dataset, key).tensor()[: len(data)] for key in ("train half", "train double") if place.has(dataset, key)]
    levels = [data.tensor(), *others]
    draw = np.random.default_rng((seed, 7))
    parts = []
    for _ in range(copies):
        pick = draw.integers(len(levels), size=len(data))
        parts.append(torch.stack([levels[p][i % len(levels[p])] for i, p in enumerate(pick)]))
    return data.replace(values=torch.cat(parts))


@dataclass(frozen=True)
class Gap:
    """|T f(x) - f(T x)| and |f(x) - x|, means over windows, channels and cells."""

    error: float
    increment: float


def gaps(place: Place, dataset: str, model: nn.Module, wide: nn.Module | None, unit: float) -> dict[str, Gap]:
    """The equivariance error of a model under each symmetry, in units of the data's scale; `wide`: it, on windows twice as wide."""
    q = place.settings.frames
    original = place.sets(dataset, "original")
    options, channels = place.settings.data[dataset], original.channels
    x = original.tensor()[:, :q]
    run: Callable[[Tensor], Tensor] = lambda states: _one(model, states)  # noqa: E731
    plain = run(x)
    found = {"translation": _translation(place, dataset, run, plain, q)}
    action, turn = osc.GridAction(original.layout, original.grid), cyclic(4)["r"]
    found["rotation"] = (action(turn, plain) - run(action(turn, x))).abs()
    draw = np.random.default_rng((options["seed"], 11))
    if channels == 2:
        c = _numbers(draw.uniform(-2, 2, size=(len(x), channels)) * unit, x)
        found["motion"] = (plain + c[:, 0] - run(x + c)).abs()
    m = _numbers(draw.uniform(0, 2, size=(len(x), 1)), x)
    found["magnitude"] = (m[:, 0] * plain - run(m * x)).abs()
    step = float((plain - x[:, -1]).abs().mean()) / unit
    result = {name: Gap(float(gap.mean()) / unit, step) for name, gap in found.items() if gap is not None}
    if wide is not None:
        before = lambda states: _one(wide, states)  # noqa: E731
        result["scale"] = _scale(place.sets(dataset, "wide").tensor(), before, run, q, channels == 2, unit)
    return result


def _translation(place: Place, dataset: str, run: Callable[[Tensor], Tensor], plain: Tensor, q: int) -> Tensor | None:
    """On the cells that both windows see; edges count, where a window ends and the flow does not."""
    other = place.sets(dataset, "translation").tensor()
    first = place.sets(dataset, "original").tensor()
    parts = []
    for n, (here, there) in enumerate(zip(first, other, strict=True)):
        s = next((k for k in set(shifts(place.settings.data[dataset], 64)) if torch.equal(here[0, :, k:], there[0, :, :-k])), None)
        if s is not None:
            parts.append((plain[n, :, s:] - run(there[None, :q])[0, :, :-s]).abs().flatten())
    return torch.cat(parts) if parts else None


def _scale(wide: Tensor, before: Callable[[Tensor], Tensor], run: Callable[[Tensor], Tensor], q: int, vector: bool, unit: float) -> Gap:
    r"""One step of the flow at lambda = 2 is four of the original: |T f^4(x) - f(T x)|; x on windows twice as wide."""
    factor = 2.0 if vector else 1.0

    def move(states: Tensor) -> Tensor:
        return factor * torch.nn.functional.avg_pool2d(states.flatten(0, -4), 2).unflatten(0, states.shape[:-3])

    states = wide[:, -q:]
    for _ in range(4):
        states = torch.cat([states[:, 1:], before(states)[:, None]], dim=1)
    seen = move(wide[:, ::4])
    answer = run(seen)
    return Gap(float((move(states[:, -1]) - answer).abs().mean()) / unit, float((answer - seen[:, -1]).abs().mean()) / unit)


@torch.no_grad()
def _one(model: nn.Module, states: Tensor, batch: int = 32) -> Tensor:
    return torch.cat([model(part.flatten(1, 2)) for part in states.split(batch)])
