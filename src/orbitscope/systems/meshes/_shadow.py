"""Which faces the radar sees, by rays."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._errors import OrbitscopeError


def in_light(triangles: ArrayLike, directions: ArrayLike) -> NDArray[np.bool_]:
    """Whether the centre of each face sees the radar past all other faces, [direction, face]; what `physical_optics` takes as `lit`.

    * `triangles`: corners [face, 3, 3]. `directions`: unit vectors towards the radar, [direction, 3].

    A face is in the light as a whole or not at all, so a coarse mesh has coarse shadows, and cutting its faces moves their border. Needs
    trimesh (extra `graphs`), which traces with embree where that is installed.
    """
    try:
        import trimesh
    except ModuleNotFoundError as error:
        raise OrbitscopeError("shadow: rays need the package trimesh. Install it with: pip install 'orbitscope[graphs]'.") from error
    corners, towards = np.asarray(triangles, dtype=np.float64), np.asarray(directions, dtype=np.float64)
    body = trimesh.Trimesh(corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3), process=False)
    centre, size = corners.mean(1), float(np.ptp(corners.reshape(-1, 3), axis=0).max())
    found = np.zeros((len(towards), len(corners)), dtype=np.bool_)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for d, k in enumerate(towards):
        facing = np.flatnonzero(normal @ k > 0)
        if len(facing):
            start = centre[facing] + 1e-5 * size * (normal[facing] / np.linalg.norm(normal[facing], axis=1, keepdims=True) + k)
            found[d, facing] = ~body.ray.intersects_any(start, np.broadcast_to(k, start.shape))
    return found
