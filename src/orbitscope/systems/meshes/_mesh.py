"""Triangle meshes: corners and faces, who borders on whom, areas and volume."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._errors import OrbitscopeError

Real = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Mesh:
    r"""A surface of triangles.

    * `vertices`: points [vertex, 3], in a unit of length. `faces`: three vertices each [face, 3], counterclockwise seen from outside.

    Raises `OrbitscopeError` for other shapes, vertices that are not finite, and faces that name vertices that there are not; what else may
    be wrong `faults` tells.

    >>> from orbitscope.systems.meshes import box
    >>> cube = box((1.0, 1.0, 1.0))
    >>> len(cube), cube.area, cube.volume, cube.closed
    (12, 6.0, 1.0, True)
    """

    vertices: Real
    faces: Index

    def __post_init__(self) -> None:
        points, faces = np.asarray(self.vertices, dtype=np.float64), np.asarray(self.faces)
        if points.ndim != 2 or points.shape[1] != 3:
            raise OrbitscopeError(f"Mesh: `vertices` should be [vertex, 3], got shape {points.shape}.")
        if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces) or not np.issubdtype(faces.dtype, np.integer):
            raise OrbitscopeError(f"Mesh: `faces` should be whole numbers [face, 3], at least one, got {faces.dtype} {faces.shape}.")
        if not np.isfinite(points).all():
            n = int(np.flatnonzero(~np.isfinite(points).all(1))[0])
            raise OrbitscopeError(f"Mesh: `vertices` holds NaN or infinite values, first in vertex {n}.")
        if faces.min() < 0 or faces.max() >= len(points):
            raise OrbitscopeError(f"Mesh: `faces` should name vertices 0 to {len(points) - 1}, got {faces.min()} to {faces.max()}.")
        object.__setattr__(self, "vertices", points)
        object.__setattr__(self, "faces", faces.astype(np.int64))

    @classmethod
    def of_corners(cls, corners: ArrayLike, digits: float = 1e-9) -> "Mesh":
        """The mesh of triangles that are given by their corners; corners that coincide become one vertex.

        * `corners`: [face, 3, 3]. `digits`: corners closer than this part of the whole coincide.
        """
        given = np.asarray(corners, dtype=np.float64)
        if given.ndim != 3 or given.shape[1:] != (3, 3) or not len(given):
            raise OrbitscopeError(f"Mesh.of_corners: `corners` should be [face, 3, 3], at least one, got shape {given.shape}.")
        points = given.reshape(-1, 3)
        step = digits * max(float(np.ptp(points, axis=0).max()), 1e-300)
        _, first, number = np.unique(np.round(points / step), axis=0, return_index=True, return_inverse=True)
        return cls(points[first], number.reshape(-1, 3))

    def __len__(self) -> int:
        return len(self.faces)

    @cached_property
    def corners(self) -> Real:
        """[face, 3, 3]."""
        return self.vertices[self.faces]

    @cached_property
    def weights(self) -> Real:
        """Normal times area of every face, outwards, [face, 3]."""
        a, b, c = np.moveaxis(self.corners, 1, 0)
        return 0.5 * np.cross(b - a, c - a)

    @cached_property
    def areas(self) -> Real:
        """[face]."""
        return np.linalg.norm(self.weights, axis=1)

    @property
    def area(self) -> float:
        """Of the whole surface."""
        return float(self.areas.sum())

    @property
    def volume(self) -> float:
        """Enclosed; negative where faces look inwards. Means nothing for an open surface."""
        return float((self.corners.mean(1) * self.weights).sum() / 3)

    @cached_property
    def neighbours(self) -> Index:
        """The face across the edge from corner e to corner e + 1, [face, 3]; -1 where there is none, or more than one."""
        return neighbours_of(self.faces)

    @property
    def closed(self) -> bool:
        """Whether every edge belongs to two faces that turn the same way."""
        return bool((self.neighbours >= 0).all())

    def moved(self, matrix: ArrayLike | None = None, offset: ArrayLike | None = None) -> "Mesh":
        """The mesh with its points at A p + b.

        * `matrix`: A, [3, 3]; None: the identity. `offset`: b, [3]; None: 0.
        """
        points = self.vertices if matrix is None else self.vertices @ np.asarray(matrix, dtype=np.float64).T
        return Mesh(points if offset is None else points + np.asarray(offset, dtype=np.float64), self.faces)


def directed_edges(faces: Index) -> Index:
    """[3 face, 2], edge e of face f in row 3 f + e."""
    return np.stack([faces, np.roll(faces, -1, axis=1)], -1).reshape(-1, 2)


def neighbours_of(faces: Index) -> Index:
    """See `Mesh.neighbours`."""
    edges = directed_edges(faces)
    size = int(faces.max()) + 1
    forth, back = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
    order = np.argsort(forth, kind="stable")
    place = np.searchsorted(forth[order], back)
    place[place == len(order)] = 0
    found = np.where(forth[order[place]] == back, order[place] // 3, -1)
    values, counts = np.unique(forth, return_counts=True)  # an edge that several faces run the same way has no neighbour
    doubled = values[counts > 1]
    found[np.isin(forth, doubled) | np.isin(back, doubled)] = -1
    return found.reshape(-1, 3)
