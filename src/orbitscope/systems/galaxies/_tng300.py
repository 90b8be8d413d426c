"""A measured data vector that is no mock of this package: omega of galaxies of TNG300-1, and how the publication fits it."""

from dataclasses import dataclass

import numpy as np

from ..._errors import OrbitscopeError
from ._catalogue import Real
from ._region import PARAMETERS
from ._watson import alignment_amplitude

_OMEGA = (0.0121, 0.0086, 0.0056, 0.0022, 0.0025, 0.0022, 0.0036, 0.0019, 0.0013, 0.0035, 0.0018, 0.0019, 0.0009, 0.0005)
_OCCUPATION = (11.61, 0.26, 11.8, 12.6, 1.0)
_SIDE = 401


@dataclass(frozen=True, eq=False)
class MeasuredOmega:
    """omega of a simulation with gas and stars, with what is published beside it.

    * `edges`: of the bins, [B + 1], Mpc/h. `omega`: [B]. `variance`: of each bin, [B]: the floor that the publication adds to its
      jackknife covariance, which is not known here. `occupation`: log Mmin, sigma, log M0, log M1, alpha that are held in the fit.
    * `strengths`: published best (mu_cen, mu_sat).
    """

    edges: Real
    omega: Real
    variance: Real
    occupation: Real
    strengths: tuple[float, float]

    def theta(self, mu_cen: float = 0.0, mu_sat: float = 0.0) -> Real:
        """The seven numbers of a mock with this occupation, [7].

        * `mu_cen`, `mu_sat`: strengths.
        """
        theta = np.array([mu_cen, mu_sat, *self.occupation])
        assert len(theta) == len(PARAMETERS)
        return theta


def tng300_omega() -> MeasuredOmega:
    """omega of the third, lightest sample of TNG300-1, in 14 bins from 0.1 to 31.6 Mpc/h, evenly spaced in the logarithm.

    Source: github.com/nvanalfen/HaloMCMC (illustris); fits of arXiv:2504.05235.
    """
    edges = np.logspace(-1, 1.5, len(_OMEGA) + 1)
    return MeasuredOmega(edges, np.array(_OMEGA), np.full(len(_OMEGA), 1e-6), np.array(_OCCUPATION), (0.54, 0.05))


@dataclass(frozen=True, eq=False)
class StrengthFit:
    """Strengths behind a measured omega, by a dense grid.

    * `mean`, `deviation`: of (mu_cen, mu_sat), [2]. `best`: the most likely pair, [2]. `chi2`: there. `bins`: how
      many are fitted.
    * `grid`: values of either strength, [G]. `density`: posterior, [G, G], mu_cen first, sum 1. `predicted`: omega at `best`, [B].
    """

    mean: Real
    deviation: Real
    best: Real
    chi2: float
    bins: int
    grid: Real
    density: Real
    predicted: Real


def fit_strengths(omega: Real, variance: Real, parts: Real) -> StrengthFit:
    r"""Posterior of both strengths of alignment with the occupation held, uniform prior in -1 to 1.

    * `omega`, `variance`: measured, [B]. `parts`: of mocks with this occupation, averaged, [5, B] (see `mock_statistics`), of which the
      first two enter: $\omega = A_c W_c + A_s W_s$. Bins with NaN in any are left out.

    Exact but for the noise of `parts`: no emulator is in it. Raises `OrbitscopeError` where fewer than two bins are left.
    """
    used = np.isfinite(omega) & np.isfinite(variance) & (variance > 0) & np.isfinite(parts[:2]).all(0)
    if used.sum() < 2:
        raise OrbitscopeError(f"fit_strengths: {int(used.sum())} bins have a value, two strengths need two. Take wider bins.")
    grid = np.linspace(-1, 1, _SIDE)
    amplitude = np.array([alignment_amplitude(float(mu)) for mu in grid])
    w, d = parts[:2][:, used] / np.sqrt(variance[used]), omega[used] / np.sqrt(variance[used])
    inner, along = w @ w.T, w @ d
    a, b = amplitude[:, None], amplitude[None]
    chi2 = d @ d - 2 * (a * along[0] + b * along[1]) + a * a * inner[0, 0] + 2 * a * b * inner[0, 1] + b * b * inner[1, 1]
    density = np.exp(-0.5 * (chi2 - chi2.min()))
    density /= density.sum()
    each = density.sum(1), density.sum(0)
    mean = np.array([p @ grid for p in each])
    deviation = np.sqrt([p @ (grid - m) ** 2 for p, m in zip(each, mean, strict=True)])
    i, j = np.unravel_index(int(chi2.argmin()), chi2.shape)
    predicted = amplitude[i] * parts[0] + amplitude[j] * parts[1]
    return StrengthFit(mean, deviation, grid[[i, j]], float(chi2.min()), int(used.sum()), grid, density, predicted)
