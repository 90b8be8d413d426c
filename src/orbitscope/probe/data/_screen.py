"""Trajectories that should not be in a data set: broken, frozen, twice there, far from all others."""

import json

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Trajectories
from ...symmetry import GridAction, Group, Isometry, parse_group
from ._fingerprint import invariants, mover, near_pairs

MEASURES = ("rms", "maximum", "gradient")
_CHECKED_FRAMES = 3
_LISTED = 8


def screen(
    data: Trajectories,
    group: Group | str | None = None,
    *,
    outlier: float = 6.0,
    tolerance: float = 1e-6,
    block_bytes: int = 64 * 2**20,
) -> xr.Dataset:
    r"""Look at every value once, in blocks of `block_bytes`, and name the trajectories that deserve a second look.

    * `nonfinite` [trajectory]: how many values are NaN or infinite; `first_nonfinite` says where.
    * `constant` [trajectory, field]: the field has one value in all of space and time. `frozen` [trajectory]: nothing changes in time.
    * `statistic` [trajectory, measure, field]: rms and maximum of the field's length $|u|$, and rms of its differences between
      neighbours (in units of the field); `z` is the robust score of its logarithm, $0.6745 (s - \mathrm{median}) / \mathrm{MAD}$, and
      `outlier` [trajectory] whether any $|z|$ exceeds `outlier`.
    * `copy_of` [trajectory]: the first trajectory of which this one is a copy, -1 for none, and `element`, by which it was
      moved: "e" for a plain copy, an element of `group` (by default all turns and flips that the grid allows) for a moved one. Copies agree
      to a relative error `tolerance` at the first, middle and last time.

    Attributes: `verdict` ("clean" or "look again") and `findings`, a JSON list of sentences that name the trajectories.

    * `data`: `Trajectories`, in memory or in a file.
    * `group`: moves by which copies are looked for, a `Group` or its name; None: all turns and flips that the grid allows.
    * `outlier`: the $|z|$ from which a trajectory is called one, above 0.
    * `tolerance`: relative error up to which states are equal.

    Where it fails: a law of initial states with heavy tails has honest outliers; with fewer than 8 trajectories none is called so. Copies
    shifted by a part of the box are found only if `group` has that shift. Raises `OrbitscopeError` for data without a trajectory.
    """
    if not data.trajectories or not data.times:
        raise OrbitscopeError(f"screen: there is nothing to look at, shape {data.shape}.")
    if outlier <= 0 or tolerance < 0:
        raise OrbitscopeError(f"screen: `outlier` must be positive and `tolerance` not negative, got {outlier} and {tolerance}.")
    nonfinite, where, frozen, constant, statistic, prints = _pass(data, block_bytes)
    copy_of, element = _copies(data, prints, nonfinite, moving_elements(data, group), tolerance)
    z = robust_z(statistic)
    far = (np.abs(z) > outlier).any((1, 2)) if data.trajectories >= 8 else np.zeros(data.trajectories, dtype=bool)
    result = xr.Dataset(
        {
            "nonfinite": ("trajectory", nonfinite),
            "first_nonfinite": ("trajectory", where),
            "frozen": ("trajectory", frozen),
            "constant": (("trajectory", "field"), constant),
            "statistic": (("trajectory", "measure", "field"), statistic),
            "z": (("trajectory", "measure", "field"), z),
            "outlier": ("trajectory", far),
            "copy_of": ("trajectory", copy_of),
            "element": ("trajectory", element),
        },
        coords={
            "trajectory": np.arange(data.trajectories),
            "field": [f.name for f in data.layout.fields],
            "measure": list(MEASURES),
        },
    )
    findings = _findings(result, outlier)
    result.attrs.update(
        kind="screen", verdict="look again" if findings else "clean", findings=json.dumps(findings), outlier=outlier, tolerance=tolerance
    )
    return result


def robust_z(statistic: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores of the logarithms along the first axis; 0 where all but rounding is the same, NaN where the statistic is."""
    logs = np.log(np.maximum(statistic, 1e-300))
    gap = logs - np.nanmedian(logs, 0)
    spread = np.nanmedian(np.abs(gap), 0)
    # Half of a set may be alike to rounding: then a per cent is the least spread that counts.
    return 0.6745 * gap / np.maximum(spread, 0.01)


def _pass(
    data: Trajectories, block_bytes: int
) -> tuple[NDArray[np.int64], NDArray[np.str_], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """One reading of everything: nonfinite, where, frozen, constant, statistic, invariants of the kept frames."""
    n, fields = data.trajectories, data.layout.fields
    nonfinite, where = np.zeros(n, dtype=np.int64), np.full(n, "", dtype=object)
    frozen = np.ones(n, dtype=bool)
    low, high = np.full((n, data.channels), np.inf), np.full((n, data.channels), -np.inf)
    sums, top = np.zeros((n, len(MEASURES), len(fields))), np.zeros((n, len(fields)))
    kept = sorted({0, data.times // 2, data.times - 1})
    prints = np.zeros((n, len(kept), 3 * len(fields)))
    first: dict[int, Tensor] = {}
    for start, time, block in data.blocks(block_bytes):
        rows = slice(start, start + len(block))
        bad = ~torch.isfinite(block)
        count = bad.flatten(1).sum(1).numpy()
        for i in np.flatnonzero((count > 0) & (nonfinite[rows] == 0)):
            t, c, *cell = (int(k) for k in bad[i].nonzero()[0])
            where[start + i] = f"time {time + t}, channel {data.layout.channel_names[c]}, cell {tuple(cell)}"
        nonfinite[rows] += count
        if time == 0:
            first = {start + i: block[i, 0].clone() for i in range(len(block))}
        begin = torch.stack([first[i] for i in range(start, start + len(block))])[:, None]
        frozen[rows] &= (block == begin).flatten(1).all(1).numpy()
        flat = block.transpose(1, 2).flatten(2).double()
        low[rows], high[rows] = np.fmin(low[rows], flat.amin(2).numpy()), np.fmax(high[rows], flat.amax(2).numpy())
        for k, f in enumerate(fields):
            part = block[:, :, data.layout.slice(f.name)].double()
            length = part.square().sum(2).flatten(1)
            sums[rows, 0, k] += length.sum(1).numpy()
            top[rows, k] = np.maximum(top[rows, k], length.amax(1).sqrt().numpy())
            sums[rows, 2, k] += _slopes(part).numpy()
        for slot, t in enumerate(kept):
            if time <= t < time + block.shape[1]:
                prints[rows, slot] = invariants(block[:, t - time], data.layout)
    points = data.times * int(np.prod(data.grid.shape))
    statistic = np.stack([np.sqrt(sums[:, 0] / points), top, np.sqrt(sums[:, 2] / points)], 1)
    statistic[nonfinite > 0] = np.nan
    flat_channel = low == high
    constant = np.stack([flat_channel[:, data.layout.slice(f.name)].all(1) for f in fields], 1)
    return nonfinite, where.astype(str), frozen, constant, statistic, prints.reshape(n, -1)


def _slopes(part: Tensor) -> Tensor:
    """Sum over everything of squared differences between neighbours, [trajectory], of [trajectory, time, component, *grid]."""
    return torch.stack([part.diff(dim=d).square().flatten(1).sum(1) for d in range(3, part.ndim)]).sum(0)


def moving_elements(data: Trajectories, group: Group | str | None) -> tuple[Isometry, ...]:
    """What a copy may have been moved by, shifts included; the identity is left out."""
    action = GridAction(data.layout, data.grid)
    if group is None:
        words = {1: "e", 2: "d4", 3: "oh"}[data.grid.ndim]
        candidates = parse_group(words, points=data.grid.shape).elements if data.grid.ndim > 1 else ()
        found = []
        for g in candidates:
            try:
                data.layout.matrix(g)
            except OrbitscopeError:  # a "vertical" field knows no turn of its axis
                continue
            if action.can(g):
                found.append(g)
        return tuple(g for g in found if not (g.is_translation and not any(g.shift)))
    group = parse_group(group, points=data.grid.shape) if isinstance(group, str) else group
    for g in group:
        action.require(g)
    return tuple(g for g in group if g != group.identity)


def _copies(
    data: Trajectories, prints: NDArray[np.float64], nonfinite: NDArray[np.int64], elements: tuple[Isometry, ...], tolerance: float
) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    """Candidates by their invariants, then checked frame by frame under every element."""
    copy_of, element = np.full(data.trajectories, -1), np.full(data.trajectories, "", dtype=object)
    good = np.flatnonzero(nonfinite == 0)
    action = GridAction(data.layout, data.grid)
    times = sorted({0, data.times // 2, data.times - 1})[:_CHECKED_FRAMES]
    pairs = near_pairs(prints[good], None, 3 * tolerance + 1e-7) if len(good) > 1 else np.zeros((0, 2), dtype=np.int64)
    for i, j in sorted((int(good[a]), int(good[b])) for a, b in pairs):
        if copy_of[j] >= 0 or copy_of[i] >= 0:  # already known; its original comes first
            continue
        one, other = (torch.stack([data.state(k, t) for t in times]) for k in (j, i))
        name = mover(one, other, elements, action, tolerance)
        if name is not None:
            copy_of[j], element[j] = i, name
    return copy_of, element.astype(str)


def _findings(result: xr.Dataset, limit: float) -> list[str]:
    sentences = []
    for i in _some(result["nonfinite"].values > 0, sentences, "trajectories hold NaN or infinite values"):
        sentences.append(
            f"trajectory {i} holds {int(result['nonfinite'][i])} NaN or infinite values, first at {result['first_nonfinite'].values[i]}"
        )
    for i in _some(result["frozen"].values & (result["nonfinite"].values == 0), sentences, "trajectories do not change in time"):
        sentences.append(f"trajectory {i} does not change in time")
    constant = result["constant"].values
    for k, name in enumerate(result["field"].values):
        if constant[:, k].all():
            sentences.append(f"field {name} has one value per trajectory, everywhere and at all times")
            continue
        for i in _some(constant[:, k], sentences, f"trajectories have a constant {name}"):
            sentences.append(f"trajectory {i}: field {name} is constant in space and time")
    for i in _some(result["copy_of"].values >= 0, sentences, "trajectories are copies of others"):
        name = result["element"].values[i]
        moved = "" if name == "e" else f", moved by {name}"
        sentences.append(f"trajectory {i} is a copy of trajectory {int(result['copy_of'][i])}{moved}")
    z = np.nan_to_num(np.abs(result["z"].values))
    for i in _some(result["outlier"].values, sentences, "trajectories are far from the others"):
        m, f = np.unravel_index(z[i].argmax(), z[i].shape)
        value, score = float(result["statistic"].values[i, m, f]), float(result["z"].values[i, m, f])
        sentences.append(
            f"trajectory {i}: {MEASURES[m]} of {result['field'].values[f]} is {value:.3g}, robust z {score:.1f} (beyond {limit:g})"
        )
    return sentences


def _some(mask: NDArray[np.bool_], sentences: list[str], words: str) -> list[int]:
    """The first few, with a sentence on how many there are."""
    hits = np.flatnonzero(mask)
    if len(hits) > _LISTED:
        sentences.append(f"{len(hits)} {words}; the first {_LISTED}:")
    return hits[:_LISTED].tolist()


__all__ = ["moving_elements", "robust_z", "screen"]
