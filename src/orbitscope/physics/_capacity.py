"""Electrostatics of a conducting body: the charge on its triangles and its capacity, by boundary elements."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve

from .._errors import OrbitscopeError
from ._radar import corners_of

Real = NDArray[np.float64]
_MOST = 8000  # faces; the matrix has their square


def potential_matrix(points: ArrayLike, triangles: ArrayLike) -> Real:
    r"""Potentials of triangles with charge 1 per area, exact: $\int_f \frac{dA}{4 \pi |p - x|}$, [point, face], in the unit of length.

    * `points`: where, [point, 3]; they may lie on the triangles. `triangles`: corners [face, 3, 3].

    Raises `OrbitscopeError` for shapes, NaN and faces without area. Source: Wilton et al., IEEE Trans. Antennas Propag. 32 (1984) 276.
    """
    corners, at = corners_of(triangles, "potential_matrix"), np.ascontiguousarray(points, dtype=np.float64)
    if at.ndim != 2 or at.shape[1] != 3 or not np.isfinite(at).all():
        raise OrbitscopeError(f"potential_matrix: `points` should be finite, [point, 3], got shape {at.shape}.")
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    size = np.linalg.norm(normals, axis=1)
    edge = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(1)
    if (flat := size <= 1e-12 * edge**2).any():
        raise OrbitscopeError(f"potential_matrix: face {int(np.flatnonzero(flat)[0])} of `triangles` has no area. Leave it out.")
    from ._capacity_kernel import potentials  # numba

    out = np.empty((len(at), len(corners)))
    potentials(at, corners, normals / size[:, None], out)
    return out / (4 * np.pi)


def surface_charge(triangles: ArrayLike) -> Real:
    r"""Charge per area of each face of a conductor at potential 1, vacuum permittivity 1, [face], in the inverse unit of length.

    $$\sum_g \sigma_g \int_g \frac{dA}{4 \pi |c_f - x|} = 1 \quad \text{at the centre } c_f \text{ of every face}$$

    * `triangles`: corners of a closed or open surface, [face, 3, 3], in any unit of length; at most 8000 faces (a dense system).

    Constant charge on each face, collocation at its centre: the capacity of a smooth body converges with the square of the edge length.
    Where it fails: charge piles up at sharp edges, which coarse faces do not resolve. Raises as `potential_matrix`
    does, and for more faces.
    """
    corners = corners_of(triangles, "surface_charge")
    if len(corners) > _MOST:
        raise OrbitscopeError(f"surface_charge: `triangles` has {len(corners)} faces, and the system is dense: at most {_MOST}.")
    return np.asarray(solve(potential_matrix(corners.mean(1), corners), np.ones(len(corners))), dtype=np.float64)


def capacity(triangles: ArrayLike) -> float:
    r"""Capacity of a conductor, $C = \int \sigma\, dA / (4 \pi)$ at potential 1, in the unit of length; a sphere of radius a has a.

    * `triangles`: as of `surface_charge`, whose limits hold here too.

    >>> corner = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> round(capacity(corner[[[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]]), 2)  # one face a side: coarse
    0.37
    """
    corners = corners_of(triangles, "capacity")
    area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return float(surface_charge(corners) @ area / (4 * np.pi))
