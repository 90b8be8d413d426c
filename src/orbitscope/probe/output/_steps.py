"""Equivariance of roll-outs, by the number of steps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Trajectories
from ...emulators import smse
from ...nn import frames_of
from ...symmetry import Group, Symmetry
from .._measure import numpy
from .._provenance import stamp
from .._sample import Transitions, resolve, sample_for, windows
from .._subject import Subject, doubled

_TINY = 1e-30
_SAMPLE = 4


class Unrolled(nn.Module):
    r"""`steps` applications of a model in a row, $f^k = f \circ \dots \circ f$, as one module with the parameters of the one.

    A model that sees several states is fed with its own predictions: [B, frames C, X, Y] -> [B, C, X, Y], `steps` time steps later.

    * `model`: of one step: [B, frames C, X, Y] -> [B, C, X, Y].

    Raises `OrbitscopeError` for fewer than one of `steps`.
    """

    def __init__(self, model: nn.Module, steps: int) -> None:
        super().__init__()
        if steps < 1:
            raise OrbitscopeError(f"Unrolled: `steps` must be at least 1, got {steps}.")
        self.model, self.steps, self.frames = model, steps, frames_of(model)

    def forward(self, state: Tensor) -> Tensor:
        """Each `state` [B, C, *grid], `steps` time steps later."""
        return roll(self.model, state, self.steps)[-1]


def roll(model: nn.Module, state: Tensor, steps: int) -> list[Tensor]:
    """The answers of a model fed with its own predictions, step by step."""
    frames, found = frames_of(model), []
    for _ in range(steps):
        found.append(model(state))
        state = found[-1] if frames == 1 else torch.cat([state[:, state.shape[1] // frames :], found[-1]], 1)
    return found


def equivariance_by_step(
    model: nn.Module,
    data: Trajectories,
    group: Symmetry | Group | str,
    steps: int | None = None,
    *,
    start: int | None = None,
    elements: list[str] | None = None,
    trajectories: int | None = 16,
    seed: int = 0,
    batch: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Equivariance error of the k-step roll-out $f^k$ for k = 1 .. `steps` from the states at time `start`.

    `start` None is the first possible: 0, or q - 1 for a model that sees q states (`nn.frames_of`), which gets those before it too.

    * `commutator` [element, step, trajectory]: $\|f^k(g x) - g f^k(x)\| / \|f^k(x)\|$.
    * `relative_error`: $\mathrm{SMSE}(g y_k, f^k(g x)) / \mathrm{SMSE}(y_k, f^k(x))$ against the data k steps later.
    * `skill` [step, trajectory]: $\mathrm{SMSE}(y_k, f^k(x)) / \mathrm{SMSE}(y_k, x)$ with x the last known state;
      from where it exceeds 1 the other two mean little.
    * `floor` [element, step]: commutator that float precision, amplified by the roll-out, and resampling alone would show.
    * `growth` [element, trajectory]: slope of log commutator over the steps (per step): positive while roll-outs of x and gx drift apart;
      NaN where the commutator is not above the floor at two steps.

    A blow-up shows as inf or nan. `steps` None: to the end of the data. Raises `OrbitscopeError` for more steps than the data have.

    * `model`: a `torch.nn.Module`, in evaluation mode while it is measured.
    * `data`: `Trajectories`, long enough for `steps`.
    * `group`: a `Symmetry`, a `Group`, or its name ("d4", "tx8").
    * `elements`: names of the elements to look at; None: all that `group.probes()` gives.
    * `trajectories`: how many trajectories, drawn at random by `seed`; None: all.
    * `seed`: of the random choice of transitions (and of what is resampled); the same seed gives the same result.
    * `batch`: states that the model answers at once; changes memory and time, and no number beyond rounding.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.
    """
    subject = Subject.of(model)
    start = subject.frames - 1 if start is None else start
    longest = data.times - 1 - start
    steps = longest if steps is None else steps
    if start < subject.frames - 1 or not 1 <= steps <= longest:
        raise OrbitscopeError(
            f"equivariance_by_step: `steps` must lie in 1..{longest} for {data.times} times and start {start} (from {subject.frames - 1}), "
            f"got {steps}."
        )
    if batch < 1:
        raise OrbitscopeError(f"equivariance_by_step: `batch` must be at least 1, got {batch}.")
    group, chosen, symmetry = resolve(data, group, elements, subject.frames)
    pairs = sample_for(subject, data, trajectories=trajectories, times=1, seed=seed)
    x, truth = _truth(data, pairs, subject.frames, start, steps)
    plain = _roll(model, x, steps, batch)
    precision = _precision(model, x[:_SAMPLE], plain[:, :_SAMPLE])
    rows: dict[str, list[np.ndarray]] = {name: [] for name in ("commutator", "relative_error")}
    floors = []
    for done, g in enumerate(chosen):
        for name, value in _compared(model, x, truth, plain, g, symmetry, batch).items():
            rows[name].append(value)
        floors.append(precision + np.array([symmetry.output.error(g, state[:_SAMPLE]) for state in plain]))
        if progress is not None:
            progress(done + 1, len(chosen))
    skill = [numpy(smse(plain[k], truth[k], "none") / (smse(subject.last(x), truth[k], "none") + _TINY)) for k in range(steps)]
    commutator, floor = np.stack(rows["commutator"]), np.stack(floors)
    dims = ("element", "step", "trajectory")
    result = xr.Dataset(
        {
            "commutator": (dims, commutator),
            "relative_error": (dims, np.stack(rows["relative_error"])),
            "skill": (dims[1:], np.stack(skill)),
            "floor": (dims[:2], floor),
            "growth": (("element", "trajectory"), _growth(commutator, floor)),
        },
        coords={"element": [g.name for g in chosen], "step": np.arange(1, steps + 1), "trajectory": list(pairs.trajectories)},
    )
    for name, words, units in (
        ("commutator", "||f^k(gx) - g f^k(x)|| / ||f^k(x)||, L2 over channels and space", "1"),
        ("relative_error", "SMSE(g y_k, f^k(g x)) / SMSE(y_k, f^k(x))", "1"),
        ("skill", "SMSE(y_k, f^k(x)) / SMSE(y_k, x); below 1 = better than persistence", "1"),
        ("floor", "commutator that float precision and resampling alone would show", "1"),
        ("growth", "slope of log commutator", "1/step"),
    ):
        result[name].attrs.update(long_name=words, units=units, sign="larger is worse")
    return stamp(result, "equivariance_by_step", group, data, subject, seed=seed, start=start, trajectories=len(pairs.trajectories))


def _truth(data: Trajectories, pairs: Transitions, frames: int, start: int, steps: int) -> tuple[Tensor, Tensor]:
    """Initial states [N, frames C, X, Y] and the states after them [step, N, C, X, Y]."""
    index = np.array(pairs.trajectories)
    at = np.full(len(index), start)
    x = windows(data, index, at, frames)[0].to(pairs.x)
    return x, torch.stack([data.pairs(index, at, lead=k)[1].to(pairs.x) for k in range(1, steps + 1)])


def _roll(model: nn.Module, x: Tensor, steps: int, batch: int) -> Tensor:
    """[step, N, C, X, Y]."""
    with torch.no_grad():
        return torch.cat([torch.stack(roll(model, state, steps)) for state in x.split(batch)], 1)


def _compared(model: nn.Module, x: Tensor, truth: Tensor, plain: Tensor, g: Any, symmetry: Symmetry, batch: int) -> dict[str, np.ndarray]:
    output = symmetry.output
    answer = _roll(model, symmetry.input(g, x), len(plain), batch)
    expected, moved = (torch.stack([output(g, state) for state in states]) for states in (plain, truth))
    mask = output.mask(g).to(answer)
    size = lambda v: (v * mask).double().flatten(2).norm(dim=2)  # noqa: E731
    errors = [smse((a * mask).flatten(0, 1), (moved * mask).flatten(0, 1), "none").reshape(len(plain), -1) for a in (answer, expected)]
    return {
        "commutator": numpy(size(answer - expected) / (size(expected) + _TINY)),
        "relative_error": numpy(errors[0] / (errors[1] + _TINY)),
    }


def _precision(model: nn.Module, x: Tensor, plain: Tensor) -> np.ndarray:
    """Relative distance of the roll-out to that of the same model in float64, [step]; else ten rounding units per step."""
    fallback = 10 * torch.finfo(plain.dtype).eps * np.arange(1, len(plain) + 1)
    if plain.dtype == torch.float64:
        return fallback
    try:
        exact = _roll(doubled(model), x.double(), len(plain), len(x))
    except (RuntimeError, TypeError, NotImplementedError):
        return fallback
    return numpy((plain.double() - exact).flatten(1).norm(dim=1) / (exact.flatten(1).norm(dim=1) + _TINY))


def _growth(commutator: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Least-squares slope of log commutator over the steps where it is above the floor, [element, trajectory]."""
    steps = np.arange(1, commutator.shape[1] + 1)
    slopes = np.full((commutator.shape[0], commutator.shape[2]), np.nan)
    for e, n in np.ndindex(slopes.shape):
        good = np.isfinite(commutator[e, :, n]) & (commutator[e, :, n] > 3 * floor[e])
        if good.sum() >= 2:
            slopes[e, n] = np.polyfit(steps[good], np.log(commutator[e, good, n]), 1)[0]
    return slopes
