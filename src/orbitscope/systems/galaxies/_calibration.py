"""Whether the error bars of an emulator are true: on parameter points that it has not seen, bin by bin."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Examples
from ...symmetry import parts
from ._emulators import CorrelationEmulator, Prediction
from ._given_places import expected_orientations
from ._moments import to_latent
from ._targets import STATISTICS, checked, means_of_points

LEVELS = (0.68, 0.95)
_CHUNK = 512
_PIT = 20


@dataclass(frozen=True, eq=False)
class Points:
    """Parameter points with their realisations, and what an emulator says of them.

    * `theta`: [U, 7]. `mean`, `scatter`: over the realisations of a point, [U, S, R]; NaN where there are fewer than two in a bin.
    * `truth`, `doubt`: the best word of the realisations on the mean, and its variance, [U, S, R]: of omega and eta the mean over long
      axes with places held, where the examples have their parts; else the mean itself.
    * `rows`: realisations in each bin, [U, S, R]. `at`: the point of each row, [N].
    * `predicted`: mean of the emulator, [U, S, R]. `aleatoric`, `epistemic`: its deviations, [U, S, R].
    """

    theta: Tensor
    mean: Tensor
    scatter: Tensor
    truth: Tensor
    doubt: Tensor
    rows: Tensor
    at: Tensor
    predicted: Tensor
    aleatoric: Tensor
    epistemic: Tensor

    @property
    def deviation(self) -> Tensor:
        """Of one new realisation, as it is predicted, [U, S, R]."""
        return (self.aleatoric.square() + self.epistemic.square()).sqrt()


@torch.no_grad()
def points_of(model: CorrelationEmulator, examples: Examples, draws: int = 0) -> Points:
    """The parameter points of examples with the emulator's word on each.

    * `model`: in evaluation mode. `examples`: of a training file, held out. `draws`: of the dropout, for the epistemic part.
    """
    x, value, known = checked(examples)
    _, first, number = np.unique(examples.unit, return_index=True, return_inverse=True)
    at, w, y = torch.from_numpy(number), known.double(), value.double()
    mean, rows = means_of_points(y, known, examples.unit)
    held = _held(examples, y)
    nothing = torch.full_like(mean, torch.nan)

    def spread(values: Tensor, middle: Tensor) -> Tensor:
        square = torch.zeros_like(middle).index_add_(0, at, w * (values - middle[at]).square())
        return torch.where(rows > 1, square / (rows - 1).clamp_min(1), nothing)

    truth = means_of_points(held, known, examples.unit)[0]
    scatter, doubt = spread(y, mean).sqrt(), spread(held, truth) / rows.clamp_min(1)
    mean, truth = (torch.where(rows > 0, m, nothing) for m in (mean, truth))
    theta = x[torch.from_numpy(first)]
    said: list[Prediction] = [model.predict(part, draws, "ignore") for part in theta.split(_CHUNK)]
    found = [torch.cat(p) for p in zip(*((p.mean, p.deviation("aleatoric"), p.deviation("epistemic")) for p in said), strict=True)]
    return Points(theta, mean, scatter, truth, doubt, rows, at, *found)


def _held(examples: Examples, value: Tensor) -> Tensor:
    """The rows with omega and eta on average over long axes where the examples have their parts, [N, S, R]."""
    given = parts(examples.y)
    if len(given) < 3:
        return value
    assert isinstance(examples.x, Tensor)
    strengths, inverse = torch.unique(examples.x[:, :2], dim=0, return_inverse=True)
    found = torch.empty_like(value[:, 1:])
    for k, (mu_cen, mu_sat) in enumerate(strengths.tolist()):
        these = inverse == k
        found[these] = torch.from_numpy(expected_orientations(given[2][these].numpy(), mu_cen, mu_sat))
    return torch.cat([value[:, :1], found], 1)


def several(examples: Examples) -> bool:
    """Whether some parameter point has enough realisations to tell error from noise.

    * `examples`: of a training file.
    """
    return bool(len(examples)) and int(np.unique(examples.unit, return_counts=True)[1].max()) > 3


@torch.no_grad()
def probability_integral(model: CorrelationEmulator, examples: Examples, draws: int = 0) -> Tensor:
    r"""$\frac1M \sum_i \Phi((t - m_i) / s_i)$: where each value lies in its predicted distribution, [N, S, R]; NaN where there is none.

    * `model`: in evaluation mode. `examples`: held out. `draws`: of the dropout.

    Uniform from 0 to 1 if the predicted distributions are right.
    """
    x, value, known = checked(examples)
    latent, there = to_latent(value.double(), known, model.links)
    points, at = torch.unique(x, dim=0, return_inverse=True)  # an answer serves all realisations of its point
    said = [model.latent(part.to(next(model.parameters()).dtype), draws) for part in points.split(_CHUNK)]
    mean = torch.cat([m for m, _ in said]).double()
    spread = torch.cat([c.diagonal(dim1=-2, dim2=-1).double().sqrt().reshape(m.shape) for m, c in said])
    found = []
    for rows in torch.arange(len(x)).split(_CHUNK):
        z = (latent[rows, None] - mean[at[rows]]) / spread[at[rows]]
        found.append(torch.special.ndtr(z).mean(1))
    return torch.where(there, torch.cat(found), torch.nan)


def calibration(model: CorrelationEmulator, examples: Examples, draws: int = 0, levels: Sequence[float] = LEVELS) -> xr.Dataset:
    r"""What an emulator's means and error bars are worth, by statistic and bin.

    * `model`: in evaluation mode. `examples`: held out, with several realisations of each parameter point. `draws`: of the dropout.
    * `levels`: of the central intervals whose coverage is counted.

    Over parameter points with mean $\bar y$ and scatter s of R realisations, the best word t on the mean with variance d (see `Points`),
    prediction m, its deviations a (aleatoric) and e (epistemic):

    - `percent`: 100 times the mean of $|m - \bar y| / |\bar y|$ where the signal exceeds the noise of one realisation, $|\bar y| > s$, as
      published: it holds the noise of $\bar y$; `clear`: of how many. `percent_held`: the same with t, where long axes bring no noise.
    - `percent_root`: 100 times the root of the mean of $((m - t)^2 - d) / t^2$ where $|t| > s$: without any noise of the truth, unbiased in
      the square, and never below the mean of the absolute error that it is of.
    - `excess`: $\delta^2$ = mean of $((m - t)^2 - d) \frac{\nu - 2}{\nu s^2}$, $\nu = R - 1$: the squared error of m in squares of the
      noise of one realisation, without that of t; unbiased, so that it may fall below 0. `floor_one`, `floor_mean`:
      $\sqrt{1 + \delta^2}$ and $\sqrt{1 + R \delta^2}$, the error against one realisation and against the mean of all, over their noise.
    - `coverage`, `pit`, `chi2`: of single rows: the part within each central interval, a histogram of `probability_integral`, and the mean
      of $(y - m)^2 / (a^2 + e^2)$. `sharpness`: mean predicted deviation over the spread of $\bar y$.
    - `aleatoric_ratio`: median of a / s, without the bias of s. `epistemic_ratio`: root of the mean $e^2$ over the mean squared error of m
      without noise; 1 is right, below 1 is too sure; NaN where the error cannot be told from noise.

    `chi2` and `excess` grow without bound where the noise is far from Gaussian, as in bins of few pairs. Raises `OrbitscopeError` for
    examples without repeated realisations.
    """
    p = points_of(model, examples, draws)
    if not bool((p.rows > 3).any()):
        raise OrbitscopeError(
            "calibration: needs at least 4 realisations of a parameter point to tell error from noise; here are fewer. Make them "
            "with more realisations of each."
        )
    _, value, known = checked(examples)
    gap, off = p.predicted - p.mean, p.predicted - p.truth
    free = (p.rows - 1).clamp_min(3)
    good = (p.rows > 3) & (p.scatter > 0)
    # Of the mean itself d = s^2 / R: there (m - t)^2 / s^2 - 1 / R with its own factor has no bias at all.
    own = (p.doubt - p.scatter.square() / p.rows.clamp_min(1)).abs() <= 1e-9 * p.doubt
    shrunk = (free - 2) / free
    excess = off.square() / p.scatter.square() * shrunk
    excess = _mean(excess - torch.where(own, 1 / p.rows.clamp_min(1), p.doubt / p.scatter.square() * shrunk), good)
    middle = (1 - 2 / (9 * free)) ** 1.5  # the median of s over the true deviation (Wilson and Hilferty)
    many = _mean(p.rows, good)
    clear = good & (p.mean.abs() > p.scatter)
    surely = good & (p.truth.abs() > p.scatter)
    root = 100 * _mean((off.square() - p.doubt) / p.truth.square(), surely).clamp_min(0).sqrt()
    squared = _mean(off.square() - p.doubt, good)
    square_error = _deviation_of_mean(off.square() - p.doubt, good)
    told = squared > 2 * square_error
    pit = probability_integral(model, examples, draws)
    there = torch.isfinite(pit)
    z = (value.double() - p.predicted[p.at]) / p.deviation[p.at]
    by = ("statistic", "bin")
    inside = torch.stack([_mean(((pit - 0.5).abs() <= level / 2).double(), there) for level in levels])
    histogram = torch.stack([_mean(((pit * _PIT).clamp(0, _PIT - 0.5).floor() == k).double(), there) for k in range(_PIT)], -1)
    found = {
        "percent": (by, 100 * _mean(gap.abs() / p.mean.abs(), clear)), "clear": (by, clear.sum(0)), "excess": (by, excess),
        "percent_held": (by, 100 * _mean(off.abs() / p.truth.abs(), surely)), "percent_root": (by, root),
        "floor_one": (by, (1 + excess).clamp_min(0).sqrt()), "floor_mean": (by, (1 + many * excess).clamp_min(0).sqrt()),
        "coverage": (("level", *by), inside), "pit": ((*by, "quantile"), histogram), "chi2": (by, _mean(z.square(), known)),
        "z_mean": (by, _mean(z, known)), "sharpness": (by, _mean(p.deviation, good) / _spread(p.mean, good)),
        "aleatoric_ratio": (by, torch.where(good, p.aleatoric * middle / p.scatter, torch.nan).nanmedian(0).values),
        "epistemic_ratio": (by, torch.where(told, (_mean(p.epistemic.square(), good) / squared).clamp_min(0).sqrt(), torch.nan)),
    }  # fmt: skip
    coords = {"statistic": list(STATISTICS), "level": list(levels), "quantile": (np.arange(_PIT) + 0.5) / _PIT}
    if (edges := examples.about.get("edges")) is not None and len(edges) == model.bins + 1:
        coords["radius"] = ("bin", np.sqrt(np.asarray(edges[1:], float) * np.asarray(edges[:-1], float)), {"units": "Mpc/h"})
    about = {"points": len(p.theta), "rows": len(examples), "draws": draws, "what": "calibration of an emulator, on held-out points"}
    return xr.Dataset({name: (dims, np.asarray(v)) for name, (dims, v) in found.items()}, coords, about)


@dataclass(frozen=True, eq=False)
class Conformal:
    r"""Intervals $m \pm q\, \sigma$ with q from held-out points, so that they cover a share `level` whatever the noise is like.

    * `model`: whose means and deviations these are. `level`: of the intervals. `factor`: q, of each bin, [S, R]. `draws`: of the dropout.

    Split conformal: valid on average over points drawn as those of the calibration, not at every single one, nor outside the region.
    """

    model: CorrelationEmulator
    level: float
    factor: Tensor
    draws: int = 0

    @torch.no_grad()
    def interval(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Lower and upper ends, [B, S, R] each.

        * `theta`: parameters, [B, 7].
        """
        said = self.model.predict(theta, self.draws)
        half = self.factor * said.deviation()
        return said.mean - half, said.mean + half

    @torch.no_grad()
    def coverage(self, examples: Examples) -> Tensor:
        """The share of the values of some examples that lie within, [S, R].

        * `examples`: neither trained on nor calibrated on.
        """
        p = points_of(self.model, examples, self.draws)
        _, value, known = checked(examples)
        inside = (value.double() - p.predicted[p.at]).abs() <= self.factor * p.deviation[p.at]
        return _mean(inside.double(), known)


@torch.no_grad()
def conformal(model: CorrelationEmulator, examples: Examples, level: float = 0.68, draws: int = 0) -> Conformal:
    r"""Recalibrated intervals: q is the $\lceil (U + 1)\, \text{level} \rceil / U$ quantile of $|y - m| / \sigma$ over U held-out points.

    * `model`: in evaluation mode. `examples`: held out from the training, such as its validation part; none that is judged later.
    * `level`: from 0 to 1. `draws`: of the dropout.

    Realisations of a point are not independent of each other, so that points are counted, not rows. Raises `OrbitscopeError` for a level
    that so few points cannot reach.
    """
    if not 0 < level < 1:
        raise OrbitscopeError(f"conformal: `level` should lie between 0 and 1, got {level}.")
    p = points_of(model, examples, draws)
    units = len(p.theta)
    share = np.ceil((units + 1) * level) / units
    if share > 1:
        raise OrbitscopeError(f"conformal: {units} parameter points cannot reach a level of {level}. Give more, or a lower level.")
    _, value, known = checked(examples)
    score = ((value.double() - p.predicted[p.at]).abs() / p.deviation[p.at]).flatten(1)
    score = torch.where(known.flatten(1), score, torch.nan)
    return Conformal(model, level, torch.nanquantile(score, float(share), 0).reshape(p.mean.shape[1:]), draws)


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Over the first axis, where there is something; NaN where there is nothing."""
    count = where.sum(0)
    total = torch.where(where, values, torch.zeros_like(values)).sum(0)
    return torch.where(count > 0, total / count.clamp_min(1), torch.nan)


def _spread(values: Tensor, where: Tensor) -> Tensor:
    return _mean((values - _mean(torch.nan_to_num(values), where)).square(), where).sqrt()


def _deviation_of_mean(values: Tensor, where: Tensor) -> Tensor:
    return _spread(torch.where(where, values, torch.zeros_like(values)), where) / where.sum(0).clamp_min(1).sqrt()
