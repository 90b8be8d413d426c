"""Surfaces that are no box: a grid of points, charts about centres with lengths as coordinates, and fields that are cut into charts."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ._domain import Charts
from ._layout import Layout
from ._patch import Patch

Array = NDArray[np.float64]
Centre = Sequence[float]
_ROWS = 4096


class Surface(ABC):
    """A surface with a grid of points, fields [..., channel, *`shape`] on it, and flat coordinates (length, length) about any centre.

    To add one, write `places`, `chart`, `weights` and `inside`; where directions turn along the surface, `lift` and `lower`, too.
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Axes of a field after its channel."""

    @property
    @abstractmethod
    def places(self) -> Array:
        """Every grid point as a centre, [P, 2], in the order of a flattened field."""

    @abstractmethod
    def chart(self, centre: Centre, u: Array) -> Array:
        """Points [Q, d] of the surface at the flat coordinates `u` [Q, 2] (lengths) about `centre`; NaN where there is none."""

    @abstractmethod
    def weights(self, points: Array) -> tuple[NDArray[np.int64], Array]:
        """From which flattened grid points, and with which weights, the value at `points` [Q, d] is taken: both [Q, K]."""

    @abstractmethod
    def inside(self, points: Array) -> NDArray[np.bool_]:
        """Whether each of `points` [Q, d] lies where the grid has values, [Q]."""

    @abstractmethod
    def distance(self, centre: Centre) -> Array:
        """Along the surface from `centre` to every grid point, [P], a length."""

    def lift(self, vectors: Tensor) -> Tensor:
        """The `vectors` at the grid points, components [..., 2, P], in a frame that is the same everywhere, [..., e, P]."""
        return vectors

    def lower(self, lifted: Tensor, points: Array, centre: Centre) -> Tensor:
        """Vectors `lifted` to such a frame, [..., e, Q] at `points` [Q, d], in the directions of the chart about `centre`, [..., 2, Q]."""
        return lifted

    def fits(self, centre: Centre, patch: Patch) -> bool:
        """Whether a chart on `patch` about `centre` lies on the surface."""
        points = self.chart(centre, _flat(patch))
        return bool(np.isfinite(points).all() and self.inside(points).all())

    def each(self, patch: Patch | None = None) -> list[tuple[float, float]]:
        """One centre for every grid point, in order; of those alone about which `patch` fits, where one is given."""
        return [(float(a), float(b)) for a, b in self.places if patch is None or self.fits((a, b), patch)]

    def cover(self, radius: float, patch: Patch | None = None) -> list[tuple[float, float]]:
        """Centres among the grid points such that every grid point lies within `radius` of one; no two are closer than that.

        * `radius`: a length along the surface.
        * `patch`: of the charts; points about which it does not fit are no centres, so that those at an edge may stay uncovered.

        Raises `OrbitscopeError` for a radius that is not positive and finite.
        """
        if not 0 < radius < math.inf:
            raise OrbitscopeError(f"cover: `radius` should be a positive, finite length, got {radius}.")
        open_still, found = np.ones(len(self.places), dtype=bool), []
        for k, place in enumerate(self.places):
            centre = (float(place[0]), float(place[1]))
            if open_still[k] and (patch is None or self.fits(centre, patch)):
                found.append(centre)
                open_still &= self.distance(centre) > radius
        return found


@dataclass(frozen=True, eq=False)
class SurfaceCharts:
    r"""Charts of a `surface`: a `patch` about each of `centres`, into which fields are cut; local motions then act on the patches.

    * `surface`: `Cylinder`, `LonLat`, `Icosahedral` or one of your own.
    * `patch`: the points of a chart; its spacing is a length, x points along the first direction (around, east), y along the second.
    * `centres`: by hand, from `surface.cover(radius)` or `surface.each()`.

    A vector at a point is brought to the centre along the geodesic, and its components are taken there. Raises `OrbitscopeError` for a
    patch that has no two axes, and for charts that leave the surface.

    >>> from orbitscope.symmetry import LonLat
    >>> sphere = LonLat(32, 16)
    >>> charts = SurfaceCharts(sphere, Patch((5, 5), 0.1), [(0.0, 0.0), (90.0, 60.0)])
    >>> charts.cut(torch.ones(3, 1, 32, 16), Layout.of("heat")).shape, charts.domain.axes
    (torch.Size([3, 2, 1, 5, 5]), 2)
    """

    surface: Surface
    patch: Patch
    centres: Sequence[Centre]

    def __post_init__(self) -> None:
        if self.patch.axes != 2:
            raise OrbitscopeError(f"SurfaceCharts: `patch` should have two axes, got {self.patch.axes}.")
        object.__setattr__(self, "centres", tuple((float(a), float(b)) for a, b in self.centres))
        if not self.centres:
            raise OrbitscopeError("SurfaceCharts: `centres` is empty. Name some, or take `surface.cover(radius)`.")
        if bad := [c for c in self.centres if not self.surface.fits(c, self.patch)]:
            raise OrbitscopeError(
                f"SurfaceCharts: charts of {self.patch.shape} points, {self.patch.steps} apart, leave the surface about {len(bad)} of "
                f"`centres`, the first {bad[0]}. Move the centres, or take a smaller patch."
            )

    @property
    def domain(self) -> Charts:
        """The domain of what `cut` gives, for a `FieldAction`."""
        return Charts(self.patch)

    def cut(self, field: Tensor, layout: Layout) -> Tensor:
        """Charts out of whole fields, [..., chart, channel, x, y].

        * `field`: [..., channel, *surface.shape]. `layout`: of its channels, scalars and vectors
          (components along the surface's directions).

        Raises `OrbitscopeError` for a field of another shape and for other representations.
        """
        whole = flattened_field(self.surface, field, layout, "SurfaceCharts.cut")
        found = []
        for centre, points, (index, weight) in zip(self.centres, self._points, self._weights, strict=True):
            parts = []
            for part, vector in split(whole, layout, "SurfaceCharts.cut"):
                lifted = taken_at(self.surface.lift(part) if vector else part, index, weight)
                parts.append(self.surface.lower(lifted, points, centre) if vector else lifted)
            found.append(torch.cat(parts, -2).unflatten(-1, self.patch.shape))
        return torch.stack(found, -4)

    @cached_property
    def _points(self) -> list[Array]:
        return [self.surface.chart(c, _flat(self.patch)) for c in self.centres]

    @cached_property
    def _weights(self) -> list[tuple[NDArray[np.int64], Array]]:
        index, weight = self.surface.weights(np.concatenate(self._points))
        count = len(self.centres)
        return list(zip(np.split(index, count), np.split(weight, count), strict=True))


@dataclass(frozen=True)
class Cylinder(Surface):
    """The mantle of a cylinder: it closes along x, around, and ends along y; fields [..., channel, around, along].

    * `around`, `along`: points on either axis. `spacing`: their distance, a length. `order`: degree of the Lagrange interpolation, odd.

    A centre is (x, y), lengths; point (i, j) sits at i and j spacings. It is flat, so a chart is a window and vectors stay as they are.
    Raises `OrbitscopeError` for too few points.
    """

    around: int
    along: int
    spacing: float = 1.0
    order: int = 3

    def __post_init__(self) -> None:
        check_order("Cylinder", self.order, around=self.around, along=self.along)
        if not 0 < self.spacing < math.inf:
            raise OrbitscopeError(f"Cylinder: `spacing` should be a positive, finite length, got {self.spacing}.")

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.around, self.along)

    @cached_property
    def places(self) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        lines = np.meshgrid(np.arange(self.around) * self.spacing, np.arange(self.along) * self.spacing, indexing="ij")
        return np.stack(lines, -1).reshape(-1, 2).astype(np.float64)

    def chart(self, centre: Centre, u: Array) -> Array:
        return np.asarray(np.add(centre, u), dtype=np.float64)

    def inside(self, points: Array) -> NDArray[np.bool_]:
        last = (self.along - 1) * self.spacing
        return (points[:, 1] >= -1e-9 * last) & (points[:, 1] <= last * (1 + 1e-9))

    def distance(self, centre: Centre) -> Array:
        girth = self.around * self.spacing
        across = np.abs((self.places[:, 0] - centre[0] + girth / 2) % girth - girth / 2)
        return np.asarray(np.hypot(across, self.places[:, 1] - centre[1]), dtype=np.float64)

    def weights(self, points: Array) -> tuple[NDArray[np.int64], Array]:
        x, wx = lagrange(points[:, 0] / self.spacing, self.order)
        y, wy = lagrange(points[:, 1] / self.spacing, self.order, self.along)
        index = (x[:, :, None] % self.around) * self.along + y[:, None, :]
        return index.reshape(len(points), -1), (wx[:, :, None] * wy[:, None, :]).reshape(len(points), -1)


def lagrange(at: Array, order: int, size: int | None = None) -> tuple[NDArray[np.int64], Array]:
    """Neighbours on a line and their weights, [Q, order + 1], at fractional indices `at` [Q]; from inside 0 .. `size` - 1, if given."""
    base, half = np.floor(at + 1e-12).astype(np.int64), order // 2
    if size is not None:
        base = np.clip(base, half, size - 2 - half)
    nodes = np.arange(-half, half + 2)
    gaps = (at - base)[:, None] - nodes
    weight = np.ones((len(at), len(nodes)))
    for j in range(len(nodes)):
        for m in range(len(nodes)):
            if m != j:
                weight[:, j] *= gaps[:, m] / (nodes[j] - nodes[m])
    return base[:, None] + nodes, weight


def taken_at(field: Tensor, index: NDArray[np.int64], weight: Array) -> Tensor:
    """Weighted sums [..., Q] of the values of `field` [..., P] at `index` [Q, K] with `weight` [Q, K]."""
    at, by = torch.as_tensor(index, device=field.device), torch.as_tensor(weight).to(field)
    rows = [(field[..., a] * b).sum(-1) for a, b in zip(at.split(_ROWS), by.split(_ROWS), strict=True)]
    return torch.cat(rows, -1)


def flattened_field(surface: Surface, field: Tensor, layout: Layout, what: str) -> Tensor:
    """`field` [..., channel, P]; raises `OrbitscopeError` unless it has the channels of `layout` and the shape of `surface`."""
    wanted = (layout.channels, *surface.shape)
    if field.ndim < len(wanted) or tuple(field.shape[-len(wanted) :]) != wanted:
        raise OrbitscopeError(f"{what}: `field` should be [..., {', '.join(map(str, wanted))}], got shape {tuple(field.shape)}.")
    return field.flatten(-len(surface.shape))


def split(whole: Tensor, layout: Layout, what: str) -> list[tuple[Tensor, bool]]:
    """The fields of `whole` [..., channel, P], and whether each is a vector."""
    kinds = [f.representation.name for f in layout.fields]
    if unknown := [k for k in kinds if k not in ("scalar", "pseudoscalar", "vector")]:
        raise OrbitscopeError(f"{what}: fields should be scalars and vectors, got {unknown[0]!r}. Cut its parts as scalars.")
    return [(p, k == "vector") for p, k in zip(whole.split(layout.sizes, dim=-2), kinds, strict=True)]


def check_order(what: str, order: int, **sizes: int) -> None:
    """Raise unless `order` is odd and every axis has more points."""
    if order < 1 or order % 2 == 0:
        raise OrbitscopeError(f"{what}: `order` should be odd and positive, got {order}.")
    for name, size in sizes.items():
        if int(size) != size or size <= order:
            raise OrbitscopeError(f"{what}: `{name}` should be a whole number of at least order + 1 = {order + 1} points, got {size}.")


def _flat(patch: Patch) -> Array:
    return patch.coordinates.flatten(1).T.numpy()
