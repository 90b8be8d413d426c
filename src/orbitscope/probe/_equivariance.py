"""How far a model's output is from commuting with a group."""

from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..data import Trajectories
from ..emulators import smse
from ..symmetry import GridAction, Group, Isometry
from ._provenance import stamp
from ._sample import Transitions, resolve, sample_for
from ._subject import Subject, doubled

_TINY = 1e-30


def equivariance(
    model: nn.Module,
    data: Trajectories,
    group: Group | str,
    *,
    elements: list[str] | None = None,
    trajectories: int | None = 16,
    times: int | None = 4,
    seed: int = 0,
    batch: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Equivariance error of `model` under each element, per transition and channel.

    * `commutator`: $\|f(g x) - g f(x)\| / \|f(x)\|$, L2 over channels and space; 0 for an equivariant model, whatever the truth is.
    * `relative_error`: $\mathrm{SMSE}(g y, f(g x)) / \mathrm{SMSE}(y, f(x))$ (Amarel et al., arXiv 2601.20172); 1 if the model is as
      good on
      the moved transition as on the original. It can be 1 for a model that does not commute, and above 1 for data that does not obey g.
    * both `_by_channel`: the same with numerator and denominator restricted to one channel of the *moved* state.
    * `skill`: $\mathrm{SMSE}(y, f(x)) / \mathrm{SMSE}(y, x)$ per transition, the error over that of persistence. A model without skill
      (1 or more) is as wrong on gx as on x: its relative error is near 1 and means nothing. An untrained network shows that.
    * `floor`: what float precision and, for interpolated elements, resampling alone leave of the commutator.

    Dimensions: element, transition, channel. All values are dimensionless. The model should be in evaluation mode. One
    that sees several states (its attribute `frames`) has all of them moved, and persistence is the last of them.

    Where it fails: interpolated elements are compared on the disc inside the box only; the commutator divides by $\|f(x)\|$, so a
    model with a large mean (a density near 1) looks better than one that predicts the same increments around zero.

    Raises `OrbitscopeError` for a model or data that cannot be probed (see `check_module`, `sample_transitions`, `GridAction`).
    """
    subject = Subject.of(model)
    if batch < 1:
        raise OrbitscopeError(f"equivariance: `batch` must be at least 1, got {batch}.")
    group, chosen, action = resolve(data, group, elements, subject.frames)
    pairs = sample_for(subject, data, trajectories=trajectories, times=times, seed=seed)
    plain = _predict(model, pairs.x, batch)
    rows = {name: [] for name in ("commutator", "commutator_by_channel", "relative_error", "relative_error_by_channel")}
    floor = _precision_floor(model, pairs.x, plain)
    floors = []
    for done, g in enumerate(chosen):
        for name, value in _compare(model, pairs, plain, g, action, batch).items():
            rows[name].append(value)
        floors.append(floor + action.error(g, plain[: min(4, len(plain))]))
        if progress is not None:
            progress(done + 1, len(chosen))
    by_transition, by_channel = ("element", "transition"), ("element", "transition", "channel")
    result = xr.Dataset(
        {
            "commutator": (by_transition, np.stack(rows["commutator"])),
            "relative_error": (by_transition, np.stack(rows["relative_error"])),
            "commutator_by_channel": (by_channel, np.stack(rows["commutator_by_channel"])),
            "relative_error_by_channel": (by_channel, np.stack(rows["relative_error_by_channel"])),
            "skill": (("transition",), _numpy(smse(plain, pairs.y, "none") / (smse(subject.last(pairs.x), pairs.y, "none") + _TINY))),
            "floor": (("element",), np.array(floors)),
        },
        coords={
            "element": [g.name for g in chosen],
            "channel": list(data.layout.channel_names),
            "trajectory": ("transition", pairs.trajectory_of),
            "time": ("transition", pairs.time_of),
        },
    )
    for name, words in {
        "commutator": "||f(gx) - g f(x)|| / ||f(x)||, L2 over channels and space",
        "relative_error": "SMSE(g y, f(g x)) / SMSE(y, f(x))",
        "skill": "SMSE(y, f(x)) / SMSE(y, x); below 1 = better than persistence",
        "floor": "commutator that float precision and resampling alone would show",
    }.items():
        result[name].attrs.update(long_name=words, units="1")
    return stamp(result, "equivariance", group, data, subject, seed=seed, trajectories=len(pairs.trajectories), times=len(pairs.times))


def _compare(model: nn.Module, pairs: Transitions, plain: Tensor, g: Isometry, action: GridAction, batch: int) -> dict[str, np.ndarray]:
    gx, gy = action.pair(g, pairs.x, pairs.y)
    answer, expected = _predict(model, gx, batch), action(g, plain)
    mask = action.mask(g).to(answer)
    gap = ((answer - expected) * mask).square().sum((-2, -1))
    size = (expected * mask).square().sum((-2, -1))
    moved = smse(answer * mask, gy * mask, "channel")
    original = smse(expected * mask, gy * mask, "channel")  # the error of g f(x) on g y: that of f(x) on y, in the moved channels
    return {
        "commutator": _numpy((gap.sum(1) / (size.sum(1) + _TINY)).sqrt()),
        "commutator_by_channel": _numpy((gap / (size + _TINY)).sqrt()),
        "relative_error": _numpy(moved.mean(1) / (original.mean(1) + _TINY)),
        "relative_error_by_channel": _numpy(moved / (original + _TINY)),
    }


def _predict(model: nn.Module, states: Tensor, batch: int) -> Tensor:
    with torch.no_grad():
        return torch.cat([model(part) for part in states.split(batch)])


def _precision_floor(model: nn.Module, x: Tensor, plain: Tensor, sample: int = 4) -> float:
    """Relative distance of the output to the same model's in float64; a model that cannot be converted gets ten rounding units."""
    if plain.dtype == torch.float64:
        return 10 * torch.finfo(torch.float64).eps
    try:
        exact = _predict(doubled(model), x[:sample].double(), sample)
    except (RuntimeError, TypeError, NotImplementedError):
        return 10 * torch.finfo(plain.dtype).eps
    return float((plain[:sample].double() - exact).norm() / (exact.norm() + _TINY))


def _numpy(values: Tensor) -> np.ndarray:
    return values.double().cpu().numpy()
