"""The statistics of examples: values, which bins there are, and their scales by bin."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Examples
from ...symmetry import State, parts
from ._moments import Link, to_latent
from ._region import PARAMETERS

STATISTICS = ("xi", "omega", "eta")
"""Position-position, position-orientation and orientation-orientation correlation, in the order of y."""


def values_and_known(y: State) -> tuple[Tensor, Tensor]:
    """Statistics [..., S, R] with 0 where a bin is missing, and which bins there are (booleans, the same shape).

    * `y`: as a training file has it: where a bin has no pair xi, the first, is -1, which is a value, and the others are missing. NaN is
      missing anywhere. Or two parts: values, and 1 or True where there are some.
    """
    given = parts(y)
    value = given[0]
    known = torch.isfinite(value)
    if len(given) > 1:
        known = known & (given[1] > 0.5)
    else:
        paired = ~(value[..., :1, :] <= -1)
        known = known & torch.cat([torch.ones_like(paired), paired.expand_as(value[..., 1:, :])], -2)
    return torch.where(known, value, torch.zeros_like(value)), known


def checked(examples: Examples) -> tuple[Tensor, Tensor, Tensor]:
    """Parameters [N, 7], statistics [N, 3, R] and which bins there are.

    * `examples`: those of a training file of galaxies.

    Raises `OrbitscopeError` for examples of another shape.
    """
    value, known = values_and_known(examples.y)
    if not isinstance(examples.x, Tensor) or examples.x.ndim != 2 or examples.x.shape[1] != len(PARAMETERS) or value.ndim != 3:
        raise OrbitscopeError(
            f"galaxies: an emulator learns from parameters x [N, {len(PARAMETERS)}] and statistics y [N, {len(STATISTICS)}, bins]; got x "
            f"{list(parts(examples.x)[0].shape)} and y {list(value.shape)}. Make some: orbitscope simulate galaxies.hod --out mocks.nc."
        )
    return examples.x, value, known


@dataclass(frozen=True)
class Scales:
    """Sizes of what is learnt, by statistic and bin.

    * `mean`, `spread`: over all rows of the training, [S, R]. `noise`: standard deviation of realisations of one parameter point, [S, R].
    * `level`, `range`: mean and standard deviation of ln(1 + mean of a parameter point), [S, R]. `part`: median of the noise over 1 + mean,
      [S, R]. These make sense for xi.
    """

    mean: Tensor
    spread: Tensor
    noise: Tensor
    level: Tensor
    range: Tensor
    part: Tensor

    @classmethod
    def of(cls, examples: Examples, links: Sequence[Link]) -> "Scales":
        """Those of some examples, float64; bins that are never there have mean 0 and spread 1.

        * `examples`: of the training part alone. `links`: what the statistics go through.
        """
        _, value, known = checked(examples)
        latent, there = to_latent(value.double(), known, links)
        if not bool(there.any()):
            raise OrbitscopeError(f"galaxies: no row of these examples is left for {', '.join(links)}: every one has values out of range.")
        w = there.double()
        count = w.sum(0).clamp_min(1)
        mean = (w * latent).sum(0) / count
        spread = ((w * (latent - mean).square()).sum(0) / count).sqrt()
        spread = torch.where(spread > 0, spread, torch.ones_like(spread))
        return cls(mean, spread, *_within(latent, w, examples.unit, spread))


def means_of_points(value: Tensor, known: Tensor, unit: np.ndarray) -> tuple[Tensor, Tensor]:
    """Means over the realisations of each parameter point, 0 where there are none, and how many there are, [U, S, R] both, float64.

    * `value`: [N, S, R]. `known`: which there are, the same shape. `unit`: the point of each row, [N].
    """
    _, number = np.unique(unit, return_inverse=True)
    at, w = torch.from_numpy(number), known.double()
    shape = (int(number.max()) + 1, *value.shape[1:])
    rows = torch.zeros(shape, dtype=torch.float64).index_add_(0, at, w)
    return torch.zeros(shape, dtype=torch.float64).index_add_(0, at, w * value.double()) / rows.clamp_min(1), rows


def _within(latent: Tensor, w: Tensor, unit: np.ndarray, spread: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Standard deviation within units, pooled over those with at least two rows, a tenth of the spread where there are none; sizes of the
    logarithm of their means, and of the noise over the mean."""
    first, rows = means_of_points(latent, w, unit)
    at = torch.from_numpy(np.unique(unit, return_inverse=True)[1])
    square = torch.zeros_like(first).index_add_(0, at, w * (latent - first[at]).square())
    free = (rows - 1).clamp_min(0)
    pooled = square.sum(0) / free.sum(0).clamp_min(1)
    noise = torch.where(pooled > 0, pooled.sqrt(), 0.1 * spread)
    # A mean of a few rows may be at or near -1, where a logarithm knows no bounds; half the noise above it is meant by that.
    each = (1 + first).clamp_min(1e-3).maximum(0.5 * (square / free.clamp_min(1)).sqrt())
    there = (rows > 0).to(latent)
    total = there.sum(0).clamp_min(1)
    level = (there * each.log()).sum(0) / total
    scale = ((there * (each.log() - level).square()).sum(0) / total).sqrt()
    relative = torch.where(free > 0, (square / free.clamp_min(1)).sqrt() / each, torch.nan).nanmedian(0).values
    part = torch.where(torch.isfinite(relative) & (relative > 0), relative, 0.1)
    return noise, level, torch.where(scale > 0, scale, torch.ones_like(scale)), part
