"""Digits on a cylinder and on spheres: three to a surface, turned within 60 degrees for training and anyhow for the test; networks.

    python studies/discovery/digits_study.py

The digits are those that scikit-learn ships, 8 x 8. They are painted on the surface itself, point by point, and come back out
of it through charts (`SurfaceCharts`). The network with a group built in gets that group as matrices [2, 2], learnt ones or others.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from orbitscope.symmetry import Cylinder, Icosahedral, Layout, LonLat, Patch, Surface, SurfaceCharts

LAYOUT = Layout.of("ink")
SIDE, TURNS = 13, 8
HALF = 0.5  # half the side of a digit's box, in the surface's lengths of which a chart has about one
_BUMP = 0.75  # width of the bumps that make kernels, in points


@dataclass(frozen=True)
class Place:
    """A `surface`, where on it the digits stand, the `patch` of a chart and a digit's `size` in lengths."""

    surface: Surface
    centres: tuple[tuple[float, float], ...]
    patch: Patch
    size: float

    @property
    def charts(self) -> SurfaceCharts:
        """The charts about the digits."""
        return SurfaceCharts(self.surface, self.patch, self.centres)


_EQUATOR = ((60.0, 0.0), (180.0, 0.0), (300.0, 0.0))
PLACES = {
    "cylinder": Place(Cylinder(60, 20), ((10.5, 9.5), (30.5, 9.5), (50.5, 9.5)), Patch((SIDE,) * 2, 1.0), 11.0),
    "sphere, lon-lat": Place(LonLat(120, 60), _EQUATOR, Patch((SIDE,) * 2, 0.075), 0.82),
    "sphere, icosahedral": Place(Icosahedral(4), _EQUATOR, Patch((SIDE,) * 2, 0.075), 0.82),
}  # fmt: skip


def pool(test: bool) -> tuple[Tensor, Tensor]:
    """Images [N, 8, 8] of ink from 0 to 1 and their classes; every third one is for the test."""
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    chosen = (np.arange(len(found.images)) % 3 == 0) == test
    return torch.tensor(found.images[chosen] / 16.0), torch.tensor(found.target[chosen])


def painted(place: Place, count: int, widest: float, seed: int, test: bool = False) -> tuple[Tensor, Tensor]:
    """Fields [count, 1, *shape] with a digit at every centre, turned by up to `widest` degrees about it, and classes [count, centre]."""
    images, classes = pool(test)
    rng = np.random.default_rng([seed, 0xD161, int(test)])
    which = rng.integers(len(images), size=(count, len(place.centres)))
    turn = np.radians(rng.uniform(-widest, widest, which.shape))
    places = np.array(place.surface.places)
    field = torch.zeros(count, len(places), dtype=torch.float64)
    for c, centre in enumerate(place.centres):
        near = np.flatnonzero(place.surface.distance(centre) < 0.8 * place.size)
        u = torch.tensor(_flat(place.surface, centre, near))  # [near, 2]
        a = torch.tensor(np.stack([np.cos(turn[:, c]), np.sin(turn[:, c])], 1))
        back = torch.stack(
            [a[:, :1] * u[:, 0] + a[:, 1:] * u[:, 1], -a[:, 1:] * u[:, 0] + a[:, :1] * u[:, 1]], -1
        )  # R^-1 u, [count, near, 2]
        field[:, near] += _ink(images[which[:, c]], back / place.size)
    return field.reshape(count, 1, *place.surface.shape), classes[which]


def _flat(surface: Surface, centre: tuple[float, float], near: NDArray[np.int64]) -> NDArray[np.float64]:
    """Flat coordinates about `centre` of grid points, by the inverse of the chart (orthographic on spheres)."""
    if isinstance(surface, Cylinder):
        girth = surface.around * surface.spacing
        u = surface.places[near] - np.asarray(centre)
        u[:, 0] = (u[:, 0] + girth / 2) % girth - girth / 2
        return u
    lon, lat = np.radians(centre)
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    return surface.radius * surface.directions[near] @ np.stack([east, north], 1)  # pyright: ignore[reportAttributeAccessIssue]


def _ink(images: Tensor, at: Tensor) -> Tensor:
    """Ink of `images` [N, 8, 8] at places [N, P, 2] of the unit square about 0: x to the right, y up; bilinear, nothing outside."""
    grid = torch.stack([2 * at[..., 0], -2 * at[..., 1]], -1)[:, None]  # the first axis of an image runs down
    return torch.nn.functional.grid_sample(images[:, None], grid, align_corners=False, padding_mode="zeros")[:, 0, 0]


# ---- networks


def plain(width: int = 24) -> nn.Module:
    """A convolutional classifier of one chart [N, 1, `SIDE`, `SIDE`]."""
    return nn.Sequential(
        nn.Conv2d(1, width, 5, padding=2), nn.SiLU(), nn.AvgPool2d(3, 2),
        nn.Conv2d(width, 2 * width, 5, padding=2), nn.SiLU(), nn.Conv2d(2 * width, 2 * width, 3, padding=1), nn.SiLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 10),
    )  # fmt: skip


class ByChart(nn.Module):
    """One network for each chart: [N, chart, 1, x, y] -> logits [N, chart, 10]."""

    def __init__(self, charts: int, width: int = 16) -> None:
        super().__init__()
        self.models = nn.ModuleList(plain(width) for _ in range(charts))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, chart by chart."""
        return torch.stack([m(x[:, k]) for k, m in enumerate(self.models)], 1)


def bumps(matrices: NDArray[np.float64], size: int) -> Tensor:
    """Gaussian bumps on a kernel's points, moved by each of `matrices` [n, 2, 2]: psi_j(A^-1 u), [n, bump, size, size]."""
    line = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    points = torch.stack(torch.meshgrid(line, line, indexing="ij")).flatten(1).T  # [cells, 2]
    centres = points[points.norm(dim=1) <= size / 2]
    back = torch.einsum("kij,pj->kpi", torch.tensor(np.linalg.inv(matrices)), points)
    return torch.exp(-(back[:, None] - centres[None, :, None]).square().sum(-1) / (2 * _BUMP**2)).unflatten(-1, (size, size)).float()


class OrbitConv(nn.Module):
    r"""Convolution on fields over a cyclic group of matrices, [N, in, n or 1, x, y] -> [N, out, n, x, y]: $K_k(u) = K(A^{-k} u)$."""

    def __init__(self, matrices: NDArray[np.float64], into: int, out: int, size: int, lift: bool = False) -> None:
        super().__init__()
        self.lift, self.count, self.size = lift, len(matrices), size
        moved = bumps(matrices, size)
        self.register_buffer("bumps", moved)
        terms = moved.shape[1]
        each = 1 if lift else len(matrices)
        self.weight = nn.Parameter(torch.randn(out, into, each, terms) * (2 / (into * each * terms)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out))

    def forward(self, x: Tensor) -> Tensor:
        """The convolved fields."""
        n, kernels = self.count, []
        for k in range(n):
            weight = self.weight if self.lift else self.weight.roll(k, 2)
            kernels.append(torch.einsum("oilt,txy->oilxy", weight, self.bumps[k]).flatten(1, 2))  # type: ignore[index]
        kernel = torch.stack(kernels, 1).flatten(0, 1)  # [out n, in each, x, y]
        found = nn.functional.conv2d(x.flatten(1, 2), kernel, self.bias.repeat_interleave(n), padding=self.size // 2)
        return found.unflatten(1, (-1, n))


class Equivariant(nn.Module):
    """A classifier of one chart whose logits do not see the cyclic group of `matrices`: lifting, two group convolutions, maximum."""

    def __init__(self, matrices: NDArray[np.float64], width: int = 8) -> None:
        super().__init__()
        self.first = OrbitConv(matrices, 1, width, 5, lift=True)
        self.second, self.third = OrbitConv(matrices, width, width, 5), OrbitConv(matrices, width, 2 * width, 3)
        self.last = nn.Linear(2 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, 10] of [N, 1, x, y]."""
        act = nn.functional.silu
        x = act(self.first(x[:, :, None]))
        x = nn.functional.avg_pool3d(x, (1, 3, 3), (1, 2, 2))  # a chart's middle stays in the middle
        x = act(self.third(act(self.second(x))))
        return self.last(x.mean((-1, -2)).amax(-1))


def closed(generator: NDArray[np.float64], count: int = TURNS) -> tuple[NDArray[np.float64], float]:
    """`count` elements of the one-parameter group of a learnt `generator` [2, 2], evenly spread over its period, and how badly it closes.

    The matrices are taken as they are, not made orthogonal. Raises `ValueError` for a generator that does not turn at all.
    """
    rate = float(np.abs(np.linalg.eigvals(generator).imag).max())
    if rate < 1e-3 * float(np.linalg.norm(generator)):
        raise ValueError(f"the generator {generator.tolist()} does not turn, so its group never comes back")
    period = 2 * math.pi / rate
    found = [torch.linalg.matrix_exp(torch.tensor(generator) * period * k / count).numpy() for k in range(count + 1)]
    return np.stack(found[:-1]), float(np.abs(found[-1] - np.eye(2)).max())


def compact(generator: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest generator (Frobenius norm) whose group comes back exactly after one turn: the learnt one [2, 2] without its trace."""
    return generator - np.trace(generator) / 2 * np.eye(2)


def departures(generator: NDArray[np.float64]) -> tuple[float, float]:
    """What tells the group of a turning `generator` [2, 2] from circles: its growth over one turn, and the ratio of its ellipses' axes.

    Growth: $e^{T\\,\\mathrm{tr} B / 2}$ with T the period; 1 for a group that comes back. Axes: 1 for rotations.
    Raises `ValueError` for a generator that does not turn.
    """
    turning = compact(generator)
    rate = math.sqrt(max(0.0, float(np.linalg.det(turning))))
    if rate == 0:
        raise ValueError(f"the generator {generator.tolist()} does not turn, so its group never comes back")
    period = 2 * math.pi / rate
    axes = np.linalg.svd(turning, compute_uv=False)
    return math.exp(period * float(np.trace(generator)) / 2), math.sqrt(float(axes[0] / axes[1]))
