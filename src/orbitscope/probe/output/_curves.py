"""Equivariance error along a one-parameter family: shifts of every size, boosts of growing speed."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Trajectories
from ...emulators import smse
from ...symmetry import Boost, GridAction, Isometry
from .._measure import error_of, numpy, precision_floor, predict
from .._provenance import stamp
from .._sample import Transitions, sample_for
from .._subject import Subject
from ._equivariance import compare

_TINY = 1e-30
#: A longer period has to explain this much more of the variance than a shorter one to be preferred.
_GAIN = 0.02


def shift_curve(
    model: nn.Module,
    data: Trajectories,
    axis: int = 0,
    *,
    parts: int = 2,
    trajectories: int | None = 8,
    times: int | None = 2,
    seed: int = 0,
    batch: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Equivariance error of `model` under every shift along one axis, in steps of 1 / `parts` cells, and its period in cells.

    * `commutator`, `relative_error` [shift, transition]: as in `equivariance`; coordinate `shift` in cells, 0 to below the points.
    * `floor` [shift]: what float precision and, for fractions of a cell, resampling of the answer leave of the commutator.
    * `explained` [period]: share of the variance of the median commutator over whole shifts that its mean by shift modulo the period
      explains, corrected for the number of means (adjusted R squared); periods are the divisors of the points, shift 0 is left out.
    * `dominant_period`: the smallest period that explains as much as the best one, up to 0.02; 1 if none explains anything (a model
      that commutes with all whole shifts, or an error without ripples). `dominant_explained`: its share.

    A model with total stride s commutes with multiples of s and shows the period s; a patch model, the patch. A position embedding adds a
    trend over the whole box that no period explains, so the share is then below 1. Between whole cells every model with a
    non-linearity has some error: it aliases.

    * `data`: `Trajectories`, periodic along the axis.
    * `axis`: 0 for x, 1 for y.
    * `trajectories`: how many trajectories, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each, evenly spread over its time; None: all.
    * `seed`: of the random choice of transitions (and of what is resampled); the same seed gives the same result.
    * `batch`: states that the model answers at once; changes memory and time, and no number beyond rounding.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.

    Cost: `parts` * points forward passes over the sample. Raises `OrbitscopeError` for a model or data that cannot be probed, an
    axis that is not there or not periodic.
    """
    if not 0 <= axis < data.grid.ndim:
        raise OrbitscopeError(f"shift_curve: `axis` must be 0 .. {data.grid.ndim - 1}, got {axis}.")
    if parts < 1:
        raise OrbitscopeError(f"shift_curve: `parts` of a cell must be at least 1, got {parts}.")
    subject, pairs, plain = _prepared(model, data, trajectories, times, seed, batch, "shift_curve")
    action, points = GridAction(data.layout, data.grid, frames=subject.frames), data.grid.shape[axis]
    eye = tuple(tuple(int(i == j) for j in range(data.grid.ndim)) for i in range(data.grid.ndim))
    floor, error = precision_floor(model, pairs.x, plain), error_of(action, pairs.y)
    rows, floors = [], []
    for k in range(points * parts):
        fraction = Fraction(k, points * parts)
        g = Isometry(eye, tuple(fraction if i == axis else 0 for i in range(data.grid.ndim)))
        rows.append(compare(predict(model, action(g, pairs.x), batch), plain, pairs.y, g, action, error))
        floors.append(floor + action.error(g, plain[: min(4, len(plain))]))
        if progress is not None:
            progress(k + 1, points * parts)
    values = {name: np.stack([row[name] for row in rows]) for name in ("commutator", "relative_error")}
    periods, explained = periodicity(np.median(values["commutator"], axis=1)[::parts], noise=10 * floor)
    best = dominant(periods, explained)
    result = xr.Dataset(
        {
            **{name: (("shift", "transition"), value) for name, value in values.items()},
            "floor": ("shift", np.array(floors)),
            "explained": ("period", explained),
            "dominant_period": ((), int(periods[best])),
            "dominant_explained": ((), float(explained[best])),
        },
        coords={"shift": np.arange(points * parts) / parts, "period": periods, **_origin(pairs)},
    )
    result["shift"].attrs.update(long_name=f"shift along {'xyz'[axis]}", units="cells")
    _label(result)
    result["explained"].attrs.update(long_name="variance over whole shifts explained by shift modulo period (adjusted)", units="1")
    result["dominant_period"].attrs.update(long_name="smallest period that explains as much as the best", units="cells")
    return stamp(
        result,
        "shift_curve",
        None,
        data,
        subject,
        axis=axis,
        parts=parts,
        seed=seed,
        trajectories=len(pairs.trajectories),
        times=len(pairs.times),
    )


def periodicity(curve: NDArray[np.float64], noise: float = 0.0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every proper divisor of len(curve), and the adjusted R squared of the mean by index modulo it; index 0 is left out.

    A curve that varies by less than `noise` (rms), or by its own rounding, has nothing to explain: zeros.
    """
    n = len(curve)
    periods = np.array([p for p in range(1, max(2, n // 2 + 1)) if n % p == 0])
    index, values = np.arange(1, n), curve[1:]
    total = float(((values - values.mean()) ** 2).sum()) if n > 1 else 0.0
    noise = max(noise, 1e-12 * float(np.abs(values).max(initial=0.0)))
    if total <= len(values) * noise**2:
        return periods, np.zeros(len(periods))
    explained = []
    for p in periods:
        groups = [values[index % p == r] for r in range(p)]
        within = sum(float(((g - g.mean()) ** 2).sum()) for g in groups if len(g))
        free = len(values) - p
        explained.append(1 - (within / free) / (total / (len(values) - 1)) if free > 0 else 0.0)
    return periods, np.array(explained)


def dominant(periods: NDArray[np.int64], explained: NDArray[np.float64]) -> int:
    """Index of the smallest period within `_GAIN` of the best."""
    best = float(explained.max())
    return 0 if best <= _GAIN else int(np.flatnonzero(explained >= best - _GAIN)[0])


def boost_curve(
    model: nn.Module,
    data: Trajectories,
    speeds: Sequence[float] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
    *,
    directions: int = 4,
    trajectories: int | None = 8,
    times: int | None = 2,
    seed: int = 0,
    batch: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Error of `model` under Galilean boosts of growing speed, in several directions of the plane of the first two axes.

    The coordinate `speed` [speed] holds the speeds in lengths per time. With B the boost of a state and B' that of the next state (carried
    along by c dt, see `Boost`):

    * `commutator` [speed, direction, transition]: $\|f(Bx) - B' f(x)\| / \|f(x)\|$.
    * `relative_error`: $\mathrm{SMSE}(B'y, f(Bx)) / \mathrm{SMSE}(B'y, B'f(x))$; 1 if the model is as good in the moving frame.
    * `ignored`: $\|B x - x\| / \|x\|$, how large the boost itself is.
    * `floor` [speed, direction]: float precision and Fourier interpolation (zero for displacements by whole cells).
    * `displacement` [speed]: |c| dt in cells of the first axis.

    The commutator over |c| at small speeds is the Lie derivative along the boost. Where it fails: boosted states leave the range of speeds
    that the model was trained on, so that an error at large speed says as much about extrapolation as about symmetry; shocks ring.
    Raises `OrbitscopeError` for fields whose change under a boost is not known, walls, and speeds that are not positive.

    * `data`: `Trajectories` with a velocity or a momentum.
    * `speeds`: the speeds, as parts of `rms_speed`, the root mean square velocity of the sampled states; above 0.
    * `directions`: how many, at equal angles.
    * `trajectories`: how many trajectories, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each, evenly spread over its time; None: all.
    * `seed`: of the random choice of transitions (and of what is resampled); the same seed gives the same result.
    * `batch`: states that the model answers at once; changes memory and time, and no number beyond rounding.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.
    """
    given = np.asarray(list(speeds), dtype=float)
    if given.ndim != 1 or not given.size or not (np.isfinite(given) & (given > 0)).all():
        raise OrbitscopeError(f"boost_curve: `speeds` should be positive parts of the rms speed, got {speeds}.")
    if directions < 1:
        raise OrbitscopeError(f"boost_curve: `directions` must be at least 1, got {directions}.")
    subject, pairs, plain = _prepared(model, data, trajectories, times, seed, batch, "boost_curve")
    unit = rms_speed(data, subject.last(pairs.x))
    if not unit > 0:
        raise OrbitscopeError("boost_curve: the sampled states are at rest, so there is no speed to compare with.")
    angles = 2 * math.pi * np.arange(directions) / directions
    floor = precision_floor(model, pairs.x, plain)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in ("commutator", "relative_error", "ignored")}
    floors = []
    for speed in given * unit:
        for angle in angles:
            c = (speed * math.cos(angle), speed * math.sin(angle), *[0.0] * (data.grid.ndim - 2))[: data.grid.ndim]
            boost = Boost(data.layout, data.grid, tuple(0.0 if abs(v) < 1e-12 * speed else v for v in c))
            for name, value in _boosted(subject, pairs, plain, boost, data.dt, batch).items():
                rows[name].append(value)
            floors.append(floor + boost.error(plain[: min(4, len(plain))], data.dt))
            if progress is not None:
                progress(len(floors), len(given) * directions)
    shape, dims = (len(given), directions), ("speed", "direction", "transition")
    result = xr.Dataset(
        {
            **{name: (dims, np.stack(value).reshape(*shape, -1)) for name, value in rows.items()},
            "floor": (dims[:2], np.array(floors).reshape(shape)),
            "rms_speed": ((), unit),
        },
        coords={
            "speed": given * unit,
            "relative_speed": ("speed", given),
            "displacement": ("speed", given * unit * data.dt / data.grid.spacing[0]),
            "direction": angles,
            **_origin(pairs),
        },
    )
    _label(result)
    for name, words, units in (
        ("speed", "|c|", "length/time"), ("relative_speed", "|c| over rms speed", "1"), ("displacement", "|c| dt", "cells"),
        ("direction", "angle of c from x towards y", "rad"), ("ignored", "||Bx - x|| / ||x||", "1"),
        ("rms_speed", "root mean square velocity of the sampled states", "length/time"),
    ):  # fmt: skip
        result[name].attrs.update(long_name=words, units=units)
    return stamp(result, "boost_curve", None, data, subject, seed=seed, trajectories=len(pairs.trajectories), times=len(pairs.times))


def rms_speed(data: Trajectories, x: Tensor) -> float:
    """Root mean square velocity of states [N, C, *grid], from the field velocity, or from momentum and density."""
    names = {f.name for f in data.layout.fields}
    if "velocity" in names:
        flow = x[:, data.layout.slice("velocity")]
    elif {"momentum", "density"} <= names:
        flow = x[:, data.layout.slice("momentum")] / x[:, data.layout.slice("density")]
    else:
        raise OrbitscopeError(
            f"boost_curve: the fields {', '.join(sorted(names))} hold neither velocity nor momentum and density. Rename the fields."
        )
    return float(flow.double().square().sum(1).mean().sqrt())


def _boosted(subject: Subject, pairs: Transitions, plain: Tensor, boost: Boost, dt: float, batch: int) -> dict[str, np.ndarray]:
    frames = pairs.x.chunk(subject.frames, dim=1)
    # The newest state is at time 0; a moving observer has the earlier ones further back.
    x = torch.cat([boost.state(state, -dt * back) for back, state in zip(reversed(range(len(frames))), frames, strict=True)], 1)
    y = boost.state(pairs.y, dt)
    answer, expected = predict(subject.module, x, batch), boost.state(plain, dt)
    size = lambda v: v.double().flatten(1).norm(dim=1)  # noqa: E731
    return {
        "commutator": numpy(size(answer - expected) / (size(plain) + _TINY)),
        "relative_error": numpy(smse(answer, y, "none") / (smse(expected, y, "none") + _TINY)),
        "ignored": numpy(size(x - pairs.x) / (size(pairs.x) + _TINY)),
    }


def _prepared(
    model: nn.Module, data: Trajectories, trajectories: int | None, times: int | None, seed: int, batch: int, who: str
) -> tuple[Subject, Transitions, Tensor]:
    if batch < 1:
        raise OrbitscopeError(f"{who}: `batch` must be at least 1, got {batch}.")
    subject = Subject.of(model)
    pairs = sample_for(subject, data, trajectories=trajectories, times=times, seed=seed)
    return subject, pairs, predict(model, pairs.x, batch)


def _origin(pairs: Transitions) -> dict[str, tuple[str, np.ndarray]]:
    return {"trajectory": ("transition", pairs.trajectory_of), "time": ("transition", pairs.time_of)}


def _label(result: xr.Dataset) -> None:
    for name, words in (
        ("commutator", "distance of the answer to the moved state from the moved answer, over the answer (L2)"),
        ("relative_error", "SMSE on the moved transition over SMSE on the original"),
        ("floor", "commutator that float precision and resampling alone would show"),
    ):
        result[name].attrs.update(long_name=words, units="1", sign="larger is worse; 0 (relative_error: 1) commutes")
