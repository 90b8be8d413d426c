"""The sphere: lon-lat and icosahedral grids, charts by projection, and turns of whole fields."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ._action import Action
from ._layout import Layout
from ._linear import linear_part
from ._states import State, parts
from ._surface import Array, Centre, Surface, check_order, flattened_field, lagrange, split, taken_at

Projection = Literal["orthographic", "gnomonic", "equidistant"]
_NEAR, _TERMS = 15, 6  # grid points in a fit, and terms of its quadratic
_ROWS = 1024
_LEVELS = 8
_ROTATION = 1e-9


class Sphere(Surface):
    r"""Points of a sphere; a centre is (longitude, latitude) in degrees, a vector (towards east, towards north).

    * `radius`: a length. `projection`: how a chart is flat, with tangent t = (x east + y north) / radius at the centre c:
      "orthographic" $p = t + \sqrt{1 - |t|^2}\, c$, "gnomonic" $p = (c + t) / |c + t|$ (great circles are straight), "equidistant"
      $p = \cos|t|\, c + \sin|t|\, t / |t|$ (distances from the centre are right). Turns about the centre are turns of each of them.

    At a pole east is that of the centre's longitude, so that every chart has two directions.
    """

    radius: float
    projection: Projection

    @property
    @abstractmethod
    def directions(self) -> Array:
        """Unit vectors [P, 3] to the grid points."""

    @cached_property
    def places(self) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]  # a property that is kept
        x, y, z = self.directions.T
        return np.degrees(np.stack([np.arctan2(y, x), np.arcsin(np.clip(z, -1, 1))], 1))

    def chart(self, centre: Centre, u: Array) -> Array:
        c, east, north = frame(centre)
        t = (u[:, :1] * east + u[:, 1:] * north) / self.radius
        size = np.linalg.norm(t, axis=1, keepdims=True)
        if self.projection == "gnomonic":
            return (c + t) / np.sqrt(1 + size**2)
        if self.projection == "equidistant":
            return np.where(size < np.pi, np.cos(size) * c + np.sinc(size / np.pi) * t, np.nan)
        return np.where(size < 1, t + np.sqrt(np.clip(1 - size**2, 0, None)) * c, np.nan)

    def inside(self, points: Array) -> NDArray[np.bool_]:
        return np.asarray(np.isfinite(points).all(1))

    def distance(self, centre: Centre) -> Array:
        c = frame(centre)[0]
        return self.radius * np.arctan2(np.linalg.norm(np.cross(self.directions, c), axis=1), self.directions @ c)

    def lift(self, vectors: Tensor) -> Tensor:
        east, north = (torch.as_tensor(f.T.copy()).to(vectors) for f in self._frames)
        return vectors[..., :1, :] * east + vectors[..., 1:, :] * north

    def lower(self, lifted: Tensor, points: Array, centre: Centre) -> Tensor:
        c, east, north = frame(centre)
        # Transport along the great circle: v - (v . c) (p + c) / (1 + p . c), for v at right angles to p.
        p = torch.as_tensor(points.T.copy()).to(lifted)
        axis = torch.as_tensor(c).to(lifted)[:, None]
        v = lifted - (lifted * p).sum(-2, keepdim=True) * p
        v = v - (v * axis).sum(-2, keepdim=True) * (p + axis) / (1 + (p * axis).sum(0))
        return torch.as_tensor(np.stack([east, north])).to(lifted) @ v

    @cached_property
    def _frames(self) -> tuple[Array, Array]:
        """East and north at the grid points, [P, 3] each."""
        found = [frame(place)[1:] for place in self.places]
        return np.array([f[0] for f in found]), np.array([f[1] for f in found])


@dataclass(frozen=True)
class LonLat(Sphere):
    r"""A grid of longitudes and latitudes, fields [..., channel, longitude, latitude]; points are centres of cells, none is a pole.

    * `longitudes`, `latitudes`: points on either axis; over the whole sphere the first is even.
    * `west`, `east`, `south`, `north`: edges in degrees, of a region or, as by default, of the whole sphere.
    * `radius`, `projection`: see `Sphere`. `order`: degree of the Lagrange interpolation, odd; across a pole it goes on along the opposite
      meridian. The error on a smooth field falls as the spacing to the power order + 1.

    Raises `OrbitscopeError` for too few points and edges out of order. Charts that leave a region are refused.
    """

    longitudes: int
    latitudes: int
    radius: float = 1.0
    projection: Projection = "orthographic"
    west: float = 0.0
    east: float = 360.0
    south: float = -90.0
    north: float = 90.0
    order: int = 3

    def __post_init__(self) -> None:
        check_order("LonLat", self.order, longitudes=self.longitudes, latitudes=self.latitudes)
        _check(self)
        if not (0 < self.east - self.west <= 360 and -90 <= self.south < self.north <= 90):
            raise OrbitscopeError(
                f"LonLat: `west` < `east` within 360 degrees and -90 <= `south` < `north` <= 90 are needed, got {self.west}, {self.east}, "
                f"{self.south}, {self.north}."
            )
        if self._closed and self.longitudes % 2:
            raise OrbitscopeError(f"LonLat: `longitudes` should be even, so that meridians go on beyond a pole; got {self.longitudes}.")

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.longitudes, self.latitudes)

    @cached_property
    def directions(self) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        lon = self.west + (np.arange(self.longitudes) + 0.5) * self._steps[0]
        lat = self.south + (np.arange(self.latitudes) + 0.5) * self._steps[1]
        return _unit(*(np.radians(a).ravel() for a in np.meshgrid(lon, lat, indexing="ij")))

    def inside(self, points: Array) -> NDArray[np.bool_]:
        kept = np.asarray(np.isfinite(points).all(1))
        if not self._closed or self.south > -90 or self.north < 90:
            x, y = self._indices(np.nan_to_num(points))
            kept &= (y >= -1e-9) & (y <= self.latitudes - 1 + 1e-9)
            kept &= self._closed | ((x >= -1e-9) & (x <= self.longitudes - 1 + 1e-9))
        return kept

    def weights(self, points: Array) -> tuple[NDArray[np.int64], Array]:
        x, y = self._indices(points)
        columns, wx = lagrange(x, self.order, None if self._closed else self.longitudes)
        over = self._closed and self.south == -90 and self.north == 90
        rows, wy = lagrange(y, self.order, None if over else self.latitudes)
        across = (rows < 0) | (rows >= self.latitudes)  # beyond a pole: the same row on the other side
        rows = np.where(rows < 0, -1 - rows, np.where(rows >= self.latitudes, 2 * self.latitudes - 1 - rows, rows))
        columns = columns[:, :, None] + across[:, None, :] * (self.longitudes // 2)
        index = (columns % self.longitudes) * self.latitudes + rows[:, None, :]
        return index.reshape(len(points), -1), (wx[:, :, None] * wy[:, None, :]).reshape(len(points), -1)

    @property
    def _closed(self) -> bool:
        return self.east - self.west == 360

    @property
    def _steps(self) -> tuple[float, float]:
        return (self.east - self.west) / self.longitudes, (self.north - self.south) / self.latitudes

    def _indices(self, points: Array) -> tuple[Array, Array]:
        middle = (self.west + self.east) / 2
        lon = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
        lon = (lon - middle + 180) % 360 - 180 + middle
        lat = np.degrees(np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])))
        return (lon - self.west) / self._steps[0] - 0.5, (lat - self.south) / self._steps[1] - 0.5


@dataclass(frozen=True)
class Icosahedral(Sphere):
    r"""The corners of an icosahedron whose triangles are divided in four `level` times: $10 \cdot 4^{level} + 2$ points, nowhere crowded.

    Fields [..., channel, point]; corners of the icosahedron come first, then those of every division. Values between points are those of
    the quadratic that fits the 15 nearest points best, so the error on a smooth field falls as the spacing to the power 3.

    * `level`: 1 to 8; the spacing is about 63 degrees over $2^{level}$. `radius`, `projection`: see `Sphere`.

    Raises `OrbitscopeError` for another level.
    """

    level: int
    radius: float = 1.0
    projection: Projection = "orthographic"

    def __post_init__(self) -> None:
        _check(self)
        if int(self.level) != self.level or not 1 <= self.level <= _LEVELS:
            raise OrbitscopeError(f"Icosahedral: `level` should be a whole number from 1 to {_LEVELS}, got {self.level}.")

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.directions),)

    @cached_property
    def directions(self) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        points, faces = _icosahedron()
        for _ in range(self.level):
            points, faces = _divided(points, faces)
        return points

    def weights(self, points: Array) -> tuple[NDArray[np.int64], Array]:
        pieces = [self._fitted(points[k : k + _ROWS]) for k in range(0, len(points), _ROWS)]
        return np.concatenate([p[0] for p in pieces]), np.concatenate([p[1] for p in pieces])

    def _fitted(self, points: Array) -> tuple[NDArray[np.int64], Array]:
        index = np.argpartition(-(points @ self.directions.T), _NEAR, axis=1)[:, :_NEAR]
        near = self.directions[index]  # [Q, K, 3]
        # Two directions at right angles to each point, whichever: the fit does not depend on them.
        away = np.eye(3)[np.abs(points).argmin(1)]
        first = np.cross(points, away)
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        spacing = math.radians(63.4) / 2**self.level
        x, y = (np.einsum("qki,qi->qk", near, f) / spacing for f in (first, np.cross(points, first)))
        terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 2)
        weight = np.exp(-(x**2 + y**2))
        gram = np.einsum("qki,qk,qkj->qij", terms, weight, terms)
        solved = np.linalg.solve(gram, np.eye(_TERMS)[None, :, :1].repeat(len(points), 0))[..., 0]
        return index, weight * np.einsum("qki,qi->qk", terms, solved)


@dataclass(frozen=True)
class SphereAction(Action[Any]):
    r"""Turns of whole fields on a `sphere`: $(R s)(p) = s(R^{-1} p)$, vectors turned with it, $v \mapsto R v$, elements with
    a matrix [3, 3].

    Values are interpolated, so a turn there and back leaves the error of the grid (`error`), largest for fields that it hardly resolves.

    * `layout`: of the channels, scalars and vectors (east, north). `sphere`: a whole one. Raises `OrbitscopeError` for a region, and for
      elements that are no rotations of space.
    """

    layout: Layout
    sphere: Sphere

    @property
    def channels(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Names of the channels of the layout."""
        return self.layout.channel_names

    def __call__(self, element: Any, state: State) -> State:
        turn = self._matrix(element)
        (values,) = parts(state)
        whole = flattened_field(self.sphere, values, self.layout, "SphereAction: `state`")
        index, weight = self.sphere.weights(self.sphere.directions @ turn)
        found, (east, north) = [], (torch.as_tensor(f.T.copy()).to(whole) for f in self.sphere._frames)
        for part, vector in split(whole, self.layout, "SphereAction"):
            moved = taken_at(self.sphere.lift(part) if vector else part, index, weight)
            if vector:
                moved = torch.as_tensor(turn).to(whole) @ moved
                moved = torch.stack([(moved * east).sum(-2), (moved * north).sum(-2)], -2)
            found.append(moved)
        return torch.cat(found, -2).unflatten(-1, self.sphere.shape)

    def require(self, element: Any) -> None:
        self._matrix(element)

    def is_exact(self, element: Any) -> bool:
        return bool(np.abs(self._matrix(element) - np.eye(3)).max() < _ROTATION)

    def _matrix(self, element: Any) -> Array:
        turn = linear_part(element, "SphereAction")
        if turn.shape != (3, 3) or np.abs(turn @ turn.T - np.eye(3)).max() > 1e-6 or np.linalg.det(turn) < 0:
            raise OrbitscopeError(f"SphereAction: elements should be rotations of space, matrices [3, 3], got {element!r}.")
        if not self.sphere.inside(self.sphere.directions @ turn).all():
            raise OrbitscopeError("SphereAction: `sphere` is a region, which no turn maps onto itself. Take a whole sphere.")
        return turn


def frame(centre: Centre) -> tuple[Array, Array, Array]:
    """The unit vector to `centre` (longitude, latitude in degrees), and those towards east and north there."""
    lon, lat = np.radians(np.asarray(centre, dtype=np.float64))
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    return _unit(lon, lat), east, north


def _unit(lon: Any, lat: Any) -> Array:
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def _check(sphere: Any) -> None:
    if not 0 < sphere.radius < math.inf:
        raise OrbitscopeError(f"{type(sphere).__name__}: `radius` should be a positive, finite length, got {sphere.radius}.")
    if sphere.projection not in ("orthographic", "gnomonic", "equidistant"):
        raise OrbitscopeError(
            f"{type(sphere).__name__}: `projection` should be 'orthographic', 'gnomonic' or 'equidistant', got {sphere.projection!r}."
        )


def _icosahedron() -> tuple[Array, NDArray[np.int64]]:
    """Corners [12, 3], two of them the poles, and faces [20, 3]."""
    lat = math.atan(0.5)
    ring = [_unit(math.radians(72 * k + 36 * low), -lat if low else lat) for low in (0, 1) for k in range(5)]
    points = np.array([[0, 0, 1.0], *ring, [0, 0, -1.0]])
    faces = []
    for k in range(5):
        a, b, c, d = 1 + k, 1 + (k + 1) % 5, 6 + k, 6 + (k + 1) % 5
        faces += [(0, a, b), (a, c, b), (b, c, d), (11, d, c)]
    return points, np.array(faces)


def _divided(points: Array, faces: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """Every triangle in four; the middles of edges come after the points that are there."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, at = np.unique(edges, axis=0, return_inverse=True)
    middle = points[unique].sum(1)
    ab, bc, ca = (at.reshape(3, -1) + len(points)).astype(np.int64)
    a, b, c = faces.T
    made = [np.stack(f, 1) for f in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))]
    return np.concatenate([points, middle / np.linalg.norm(middle, axis=1, keepdims=True)]), np.concatenate(made)
