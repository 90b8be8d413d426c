"""The three correlation functions, and how well they are known: by a jackknife of one catalogue, or from realisations."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._errors import OrbitscopeError
from ._counts import PairSums, Real, pair_sums


def correlations(sums: PairSums) -> Real:
    r"""Correlation functions from sums over pairs, [3, B]:

    $$\xi = \frac{DD}{N^2 v / V} - 1, \quad \omega = \langle (\hat e_i \cdot \hat r_{ij})^2 \rangle - \tfrac13, \quad
    \eta = \langle (\hat e_i \cdot \hat e_j)^2 \rangle - \tfrac13,$$

    means over ordered pairs of a bin, v its volume, V that of the box: the estimators of halotools (tpcf, ed_3d, ee_3d).

    * `sums`: of `pair_sums`.

    Where a bin has no pair xi is -1, as it should be, and omega and eta are NaN.
    """
    return _functions(sums.total, _expected(sums))


def alignment_statistics(positions: ArrayLike, axes: ArrayLike, box: float, bins: ArrayLike | None = None) -> Real:
    """xi, omega and eta of galaxies in a periodic box, [3, B], dimensionless (see `correlations`).

    * `positions`: [N, 3], Mpc/h. `axes`: their long axes, [N, 3]. `box`: side of the cube, Mpc/h. `bins`: edges, Mpc/h; None: `edges()`.
    """
    return correlations(pair_sums(positions, axes, box, bins))


def filled(functions: ArrayLike) -> Real:
    """As the first part of a training file holds them: omega and eta 0 where a bin has no pair (xi is -1 there and says so).

    * `functions`: xi, omega, eta, [..., 3, B], with NaN.
    """
    values = np.array(functions, dtype=np.float64)
    values[..., 1:, :][np.isnan(values[..., 1:, :])] = 0.0
    return values


def present(functions: ArrayLike) -> NDArray[np.bool_]:
    """Which numbers mean something, [..., 3, B]: xi everywhere, omega and eta where a bin has pairs, that is where xi is above -1.

    * `functions`: xi, omega, eta, [..., 3, B], with NaN or as `filled` gives them.
    """
    values = np.asarray(functions)
    there = values[..., :1, :] > -1
    return np.concatenate([np.ones_like(there), there, there], -2)


@dataclass(frozen=True, eq=False)
class Spread:
    """What repeated or resampled statistics say.

    * `mean`: of realisations, or of the whole catalogue, [3, B]. `covariance`: of one realisation, in the order xi, omega, eta,
      [3 B, 3 B]; NaN where a bin had no pair. `samples`: how many.
    """

    mean: Real
    covariance: Real
    samples: int

    @property
    def deviation(self) -> Real:
        """Standard deviations, [3, B]."""
        return np.sqrt(np.diag(self.covariance)).reshape(self.mean.shape)


def realisation_spread(functions: ArrayLike) -> Spread:
    r"""Mean and covariance of independent realisations, $\frac{1}{R - 1} \sum_r (y_r - \bar y)(y_r - \bar y)^T$.

    * `functions`: [R, 3, B], at least two. A bin that had no pair in some realisation is NaN in the result.

    The halos of a catalogue are the same in all realisations of one simulation: the scatter is that of the galaxies given the halos,
    without that of the large-scale density.
    """
    values = np.array(functions, dtype=np.float64)
    if values.ndim != 3 or len(values) < 2:
        raise OrbitscopeError(f"realisation_spread: `functions` should be [R, 3, B] with R at least 2, got {list(values.shape)}.")
    values[~present(values)] = np.nan
    rows = values.reshape(len(values), -1)
    return Spread(values.mean(0), np.cov(rows, rowvar=False), len(values))


def jackknife(positions: ArrayLike, axes: ArrayLike, box: float, bins: ArrayLike | None = None, *, regions: int = 4) -> Spread:
    r"""xi, omega and eta and their covariance from leaving out one region of the box at a time,
    $\frac{K - 1}{K} \sum_k (y_k - \bar y)(y_k - \bar y)^T$, K = `regions`^3.

    * `positions`: [N, 3], Mpc/h. `axes`: long axes, [N, 3]. `box`: side of the cube, Mpc/h. `bins`: edges, Mpc/h; None: `edges()`.
    * `regions`: parts of each side, at least 2; a part should be wider than the largest separation.

    A pair within the region is left out, a pair between it and another counts with weight $1 - \alpha$,
    $\alpha = K / (2 + \sqrt{2 (K - 1)(K - 2)})$, so that independent pairs of either kind have their own variance. The pairs expected
    without clustering within and between regions follow from the numbers of galaxies in each, so that a region that is only denser says
    nothing, and from the shares of a cube that a shift by r in a random direction leaves in it and moves across faces, edges and corners.

    Raises `OrbitscopeError` as `pair_sums` does, and for regions that are too narrow. Where r
    comes near the width of a region the deviation of xi is too large, by a third at half the width.
    """
    if regions < 2:
        raise OrbitscopeError(f"jackknife: `regions` should be at least 2 for each side, got {regions}.")
    sums = pair_sums(positions, axes, box, bins, regions=regions)
    width, count = box / regions, regions**3
    if sums.edges[-1] > width:
        raise OrbitscopeError(
            f"jackknife: a region is {width:.4g} Mpc/h wide, less than the largest separation, {sums.edges[-1]:.4g}. Take fewer `regions`."
        )
    alpha = count / (2 + np.sqrt(2 * (count - 1) * (count - 2)))
    inside, across = _by_region(sums, regions)
    left = sums.total - sums.inside - alpha * sums.across
    expected = inside.sum(0) + across.sum(0) / 2 - inside - alpha * across
    values = np.array([_functions(*one) for one in zip(left, expected, strict=True)])
    apart = (values - values.mean(0)).reshape(count, -1)
    return Spread(correlations(sums), (count - 1) / count * apart.T @ apart, count)


def _expected(sums: PairSums) -> Real:
    """Pairs of a bin without clustering, each once, [B]."""
    return sums.galaxies**2 / 2 * (4 * np.pi / 3) * np.diff(sums.edges**3) / sums.box**3


def _by_region(sums: PairSums, regions: int) -> tuple[Real, Real]:
    """Pairs without clustering within each region, and between each and all others, [K, B]."""
    ratio = _middle(sums.edges) / (sums.box / regions)
    one, two, three = ratio / 2, 2 * ratio**2 / (3 * np.pi), ratio**3 / (4 * np.pi)  # means of |x|, |x y|, |x y z| over directions
    into = {1: (one - 2 * two + three) / 2, 2: (two - three) / 4, 3: three / 8}  # one neighbour by a face, an edge, a corner
    members = sums.members.reshape(regions, regions, regions).astype(np.float64)
    shell = (4 * np.pi / 3) * np.diff(sums.edges**3) * regions**3 / sums.box**3
    around = np.zeros((*members.shape, len(ratio)))
    for shift in np.ndindex(3, 3, 3):
        step = tuple(s - 1 for s in shift)
        if any(step):
            around += np.roll(members, step, (0, 1, 2))[..., None] * into[sum(map(abs, step))]
    stay = 1 - 3 * one + 3 * two - three
    first = members.reshape(-1, 1) * shell
    return first * (members.reshape(-1, 1) - 1) * stay / 2, first * around.reshape(regions**3, -1)


def _functions(total: Real, expected: Real) -> Real:
    pairs = total[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([pairs / expected - 1, total[:, 1] / (2 * pairs) - 1 / 3, total[:, 2] / pairs - 1 / 3])


def _middle(limits: Real) -> Real:
    """Mean separation of a uniform distribution in a shell, [B]."""
    return 0.75 * np.diff(limits**4) / np.diff(limits**3)
