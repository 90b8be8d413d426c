"""What orientation functions are on average over long axes, with the places of galaxies held: the noise of shapes taken out."""

import numpy as np
from numpy.typing import ArrayLike

from ..._errors import OrbitscopeError
from ._catalogue import Real
from ._counts import PairSums, cells_of, edges
from ._mocks import Galaxies
from ._statistics import correlations
from ._watson import alignment_amplitude

PARTS = ("omega_cen", "omega_sat", "eta_cc", "eta_cs", "eta_ss")
"""What the amplitudes of centrals and satellites multiply: one in omega, two in eta."""
_GUESSES = 4096


def mock_statistics(mock: Galaxies, bins: ArrayLike | None = None) -> tuple[Real, Real]:
    r"""xi, omega and eta of a mock, [3, B], and their parts with places held, [5, B] (see `PARTS`), in one pass over pairs.

    * `mock`: of `populate`, which knows the directions n about which long axes were drawn. `bins`: edges, Mpc/h; None: `edges()`.

    Long axes are drawn independently, with $\langle e e^T \rangle = \tfrac13 + A (n n^T - \tfrac13)$ and amplitudes $A_c, A_s$ of
    centrals and satellites. So for any places the means over axes are exactly

    $$\langle \omega \rangle = A_c W_c + A_s W_s, \quad \langle \eta \rangle = A_c^2 E_{cc} + A_c A_s E_{cs} + A_s^2 E_{ss},$$

    where W and E are sums over pairs of $(\hat n_i \cdot \hat r)^2 - \tfrac13$ and of $(\hat n_i \cdot \hat n_j)^2 - \tfrac13$ over the
    number of pairs, by kind of galaxy; no strength is in them. NaN where a bin has no pair. Raises `OrbitscopeError` for a mock without
    directions, with fewer than two galaxies, or in a box less than twice the largest separation.
    """
    limits = edges() if bins is None else np.asarray(bins, dtype=np.float64)
    if mock.about is None:
        raise OrbitscopeError("mock_statistics: this mock does not know about which directions its axes were drawn. Make it by `populate`.")
    if len(mock) < 2:
        raise OrbitscopeError(f"mock_statistics: at least two galaxies make a pair, got {len(mock)}.")
    if mock.box < 2 * limits[-1]:
        raise OrbitscopeError(
            f"mock_statistics: `box` should be at least twice the largest separation, {2 * limits[-1]:.4g} Mpc/h, got {mock.box}."
        )
    from ._mock_kernel import accumulate_mock  # numba

    at = cells_of(mock.positions, mock.box, float(limits[-1]), 1)  # long columns suit this pass
    x, y, z = np.ascontiguousarray(at.places[at.order].T)
    rows = np.ascontiguousarray(np.concatenate([mock.axes, mock.about], 1)[at.order])
    kind = np.where(mock.central, 0, 1)[at.order]
    sums, squares = np.zeros((len(limits) - 1, 8)), limits**2
    guess = np.clip(np.searchsorted(squares, np.arange(_GUESSES) / _GUESSES * squares[-1], side="right") - 1, 0, len(sums) - 1)
    accumulate_mock(x, y, z, rows, kind, at.starts, at.cells, at.reach, float(mock.box), squares, guess, sums)
    inside = sums[None, :, :3]
    counted = PairSums(limits, float(mock.box), len(mock), inside, np.zeros_like(inside), np.array([len(mock)]))
    pairs = np.where(sums[:, 0] > 0, sums[:, 0], np.nan)
    return correlations(counted), np.concatenate([sums[:, 3:5] / (2 * pairs[:, None]), sums[:, 5:] / pairs[:, None]], 1).T


def expected_orientations(parts: ArrayLike, mu_cen: float, mu_sat: float) -> Real:
    """omega and eta on average over long axes, [..., 2, B].

    * `parts`: of `mock_statistics`, [..., 5, B]. `mu_cen`, `mu_sat`: strengths of alignment, -1 to 1.
    """
    p = np.asarray(parts, dtype=np.float64)
    c, s = alignment_amplitude(mu_cen), alignment_amplitude(mu_sat)
    omega = c * p[..., 0, :] + s * p[..., 1, :]
    return np.stack([omega, c * c * p[..., 2, :] + c * s * p[..., 3, :] + s * s * p[..., 4, :]], -2)
