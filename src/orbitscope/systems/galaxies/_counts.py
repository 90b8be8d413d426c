"""Pairs of galaxies in a periodic box: how many in every bin of separation, and how their long axes lie."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._errors import OrbitscopeError
from ..._expect import shown

Real = NDArray[np.float64]
BINS = 20
_LOW, _HIGH = -1.0, 1.2


def edges(bins: int = BINS) -> Real:
    """Edges of the published bins of separation, 0.1 to 15.8 Mpc/h, evenly spaced in the logarithm, [bins + 1].

    * `bins`: how many; 20 as published.
    """
    return np.logspace(_LOW, _HIGH, bins + 1)


@dataclass(frozen=True, eq=False)
class PairSums:
    r"""Sums over pairs, by bin of separation: of 1, of $(\hat e_i \cdot \hat r_{ij})^2 + (\hat e_j \cdot \hat r_{ij})^2$ and of
    $(\hat e_i \cdot \hat e_j)^2$, every pair once.

    * `edges`: of the bins, [B + 1], Mpc/h. `box`: its side, Mpc/h. `galaxies`: how many.
    * `inside`: pairs within one region, [K, B, 3]. `across`: pairs between two, counted at both, [K, B, 3]. Without regions K is 1.
    * `members`: galaxies in each region, [K].
    """

    edges: Real
    box: float
    galaxies: int
    inside: Real
    across: Real
    members: NDArray[np.int64]

    @property
    def total(self) -> Real:
        """Over all pairs, [B, 3]."""
        return self.inside.sum(0) + self.across.sum(0) / 2


def pair_sums(positions: ArrayLike, axes: ArrayLike, box: float, bins: ArrayLike | None = None, *, regions: int = 1) -> PairSums:
    """Count the pairs of every bin in one pass over neighbouring cells.

    * `positions`: of galaxies, [N, 3], Mpc/h, anywhere (the box is periodic). `axes`: their long axes, [N, 3], any length above 0.
    * `box`: side of the cube, Mpc/h, at least twice the largest separation. `bins`: edges, Mpc/h, rising, first above 0; None: `edges()`.
      A separation on an edge belongs to the bin above it. `regions`: parts of each side, for a jackknife; K is its cube.

    The time goes with the number of pairs closer than the largest edge. Raises `OrbitscopeError` for fewer than two galaxies, axes of
    length 0, numbers that are not finite, edges that do not rise, and a box that is too small.
    """
    places, long, limits = _checked(positions, axes, box, bins)
    if regions < 1:
        raise OrbitscopeError(f"pair_sums: `regions` should be at least 1 for each side, got {regions}.")
    from ._counts_kernel import accumulate  # numba

    at = cells_of(places, box, float(limits[-1]))
    rows = np.ascontiguousarray(np.concatenate([at.places, long], 1)[at.order])
    part = np.minimum((rows[:, :3] * (regions / box)).astype(np.int64), regions - 1)
    region = (part[:, 0] * regions + part[:, 1]) * regions + part[:, 2]
    inside, across = np.zeros((2, regions**3, len(limits) - 1, 3))
    accumulate(rows, region, at.starts, at.cells, at.reach, float(box), limits**2, inside, across)
    return PairSums(limits, float(box), len(places), inside, across, np.bincount(region, minlength=regions**3))


@dataclass(frozen=True, eq=False)
class CellList:
    """Places sorted into cubic cells: `places` wrapped into the box, [N, 3]; `order` of rows by cell, [N]; `starts` of each cell in it,
    [cells^3 + 1]; `cells` along a side, `reach` of which cover the largest separation."""

    places: Real
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    cells: int
    reach: int


def cells_of(places: Real, box: float, largest: float, reach: int | None = None) -> CellList:
    """The cells for a pass over pairs closer than `largest`, in a periodic box.

    * `places`: [N, 3], Mpc/h. `box`: side, Mpc/h. `largest`: separation, Mpc/h, at most half the box. `reach`: None: by how full they are.
    """
    if reach is None:
        occupied = len(places) * (largest / box) ** 3  # galaxies in a cube as wide as the largest separation
        reach = 1 if occupied < 8 else 2 if occupied < 200 else 3
    cells = max(1, int(reach * box / largest))
    places = np.mod(places, box)
    places[places >= box] = 0.0  # a tiny negative number comes out as the box itself
    at = np.minimum((places * (cells / box)).astype(np.int64), cells - 1)
    cell = (at[:, 0] * cells + at[:, 1]) * cells + at[:, 2]
    starts = np.zeros(cells**3 + 1, dtype=np.int64)
    np.cumsum(np.bincount(cell, minlength=cells**3), out=starts[1:])
    return CellList(places, np.argsort(cell, kind="stable"), starts, cells, reach)


def _checked(positions: ArrayLike, axes: ArrayLike, box: float, bins: ArrayLike | None) -> tuple[Real, Real, Real]:
    places, long = np.asarray(positions, dtype=np.float64), np.asarray(axes, dtype=np.float64)
    for what, values in (("positions", places), ("axes", long)):
        if values.ndim != 2 or values.shape[1] != 3 or values.shape != places.shape:
            raise OrbitscopeError(f"pair_sums: `{what}` should be [N, 3], one row for each galaxy, got {shown(values)}.")
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values).all(1))[0])
            raise OrbitscopeError(f"pair_sums: `{what}` holds NaN or infinite values, first in row {row}. Leave it out.")
    if len(places) < 2:
        raise OrbitscopeError(f"pair_sums: at least two galaxies make a pair, got {len(places)}.")
    length = np.linalg.norm(long, axis=1)
    if not (length > 0).all():
        row = int(np.flatnonzero(length <= 0)[0])
        raise OrbitscopeError(f"pair_sums: `axes` has length 0 in row {row}, first of {(length <= 0).sum()}. Leave these galaxies out.")
    limits = edges() if bins is None else np.asarray(bins, dtype=np.float64)
    if limits.ndim != 1 or len(limits) < 2 or not np.isfinite(limits).all() or limits[0] <= 0 or (np.diff(limits) <= 0).any():
        raise OrbitscopeError(f"pair_sums: `bins` should be edges that rise from above 0, in Mpc/h, got {limits}.")
    if not np.isfinite(box) or box < 2 * limits[-1]:
        raise OrbitscopeError(f"pair_sums: `box` should be at least twice the largest separation, {2 * limits[-1]:.4g} Mpc/h, got {box}.")
    return places, long / length[:, None], limits
