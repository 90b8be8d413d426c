"""Functions of the distance between points, and what points see of their surroundings."""

import itertools
import math

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor as is_transformed  # torch.func has no public name for it

from .._errors import OrbitscopeError
from ..symmetry import spherical_harmonics


class RadialBasis(nn.Module):
    r"""Functions of a distance r: Gaussians about evenly spaced centres times a smooth cut, $e^{-(r - c_b)^2 / 2 w^2} (1 - r^2/R^2)^3$.

    * `cutoff`: R, in the unit of the positions; beyond it all are 0. `size`: number of Gaussians, at least 2.
    * `hidden`: above 0, a network of so many SiLU units with biases makes `size` functions of the Gaussians, under the same cut.

    Centres run from 0 to R, $w$ is their distance. A radial network without a bias on r itself, as is common, is proportional to r
    whatever its weights: it cannot tell distances apart, and half of its ReLU units are dead from the first day. Raises
    `OrbitscopeError` for a size or cutoff out of range.
    """

    centres: Tensor

    def __init__(self, cutoff: float, size: int = 8, hidden: int = 0) -> None:
        super().__init__()
        if size < 2 or not 0 < cutoff < math.inf:
            raise OrbitscopeError(f"RadialBasis: `size` should be at least 2 and `cutoff` positive, got {size} and {cutoff}.")
        self.cutoff, self.size = float(cutoff), size
        self.register_buffer("centres", torch.linspace(0, cutoff, size, dtype=torch.float64), persistent=False)
        self.network = nn.Sequential(nn.Linear(size, hidden), nn.SiLU(), nn.Linear(hidden, size)) if hidden else None

    def forward(self, distance: Tensor) -> Tensor:
        """The functions at `distance` [...], [..., size]."""
        centres = self.centres.to(distance.dtype)
        width = self.cutoff / (self.size - 1)
        found = torch.exp(-((distance[..., None] - centres) ** 2) / (2 * width**2))
        if self.network is not None:
            found = self.network(found)
        cut = (1 - (distance / self.cutoff) ** 2).clamp_min(0) ** 3
        return found * cut[..., None]


class Surroundings(nn.Module):
    r"""What each point sees of each other: $S_{ij} = \sum_k B_b(|r_{ijk}|)\, Y_{lm}(\hat r_{ijk})$, $r_{ijk} = r_j + k\, C - r_i$.

    * `radial`: the functions $B_b$ of the distance. `degree`: L, of the harmonics, 0 .. 8.
    * `neighbours`: the sums are divided by the root of this number, about that of points within the cutoff, so that sizes stay near 1.

    k runs over the images of a periodic crystal within one cell in each direction (27 of them), or over none. A further radial channel
    is the point itself: 1 for i = j with $Y_0$ alone. Input: positions [N, P, 3] and, for crystals, cells [N, 3, 3], whose rows C are the
    lattice vectors, in the same unit; output [N, P, P, size + 1, (L + 1)^2]. A crystal's cutoff must not exceed its smallest layer
    distance, or images would be missed: that is checked, except inside of torch.func's transforms.
    """

    def __init__(self, radial: RadialBasis, degree: int = 2, neighbours: float = 4.0) -> None:
        super().__init__()
        self.radial, self.degree, self.scale = radial, degree, neighbours**-0.5
        images = torch.tensor(sorted(itertools.product((-1, 0, 1), repeat=3), key=lambda k: sum(map(abs, k))), dtype=torch.float64)
        self.register_buffer("images", images, persistent=False)
        self.images: Tensor

    @property
    def size(self) -> int:
        """Radial channels, that of the point itself included."""
        return self.radial.size + 1

    def forward(self, positions: Tensor, cell: Tensor | None = None) -> Tensor:
        """What the points at `positions` [N, P, 3], with periodic images by `cell` [N, 3, 3] or without, see of each other."""
        apart = positions[:, None] - positions[:, :, None]  # [N, i, j, 3], from i to j
        count = positions.shape[1]
        itself = torch.eye(count, dtype=torch.bool, device=positions.device)
        if cell is not None:
            self._check(cell)
            shifts = torch.einsum("ka,nab->nkb", self.images.to(cell.dtype), cell)
            apart = apart[..., None, :] + shifts[:, None, None]
            itself = itself[..., None] & (self.images == 0).all(1)
        # The point itself has no direction: it is set aside before any root is taken, so that gradients are finite.
        apart = torch.where(itself[..., None], 1.0, apart)
        distance = apart.square().sum(-1).sqrt()
        basis = torch.where(itself[..., None], 0.0, self.radial(distance)) * self.scale
        seen = basis[..., None] * spherical_harmonics(self.degree, apart)[..., None, :]
        if cell is not None:
            seen = seen.sum(3)
        own = torch.zeros(count, count, 1, seen.shape[-1], dtype=seen.dtype, device=seen.device)
        own[..., 0, 0] = torch.eye(count, dtype=seen.dtype, device=seen.device)
        return torch.cat([seen, own.expand(len(seen), *own.shape)], 3)

    def _check(self, cell: Tensor) -> None:
        if is_transformed(cell):
            return
        layers = 1 / torch.linalg.inv(cell.detach()).norm(dim=1)  # distances of the lattice planes
        if float(layers.min()) < self.radial.cutoff:
            raise OrbitscopeError(
                f"Surroundings: lattice planes are {float(layers.min()):.4g} apart, less than the cutoff {self.radial.cutoff:.4g}, so that "
                "images beyond the next cell would be missed. Lower `cutoff`, or give a larger cell."
            )
