"""Layers on grids that stand upright: by quarter turns from the library, by eighths as stacks of planar kernels."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from ...nn import EquivariantConv, Features, FieldNorm, Upsample


class UprightConv(nn.Module):
    r"""Convolution of [B, into.channels, X, Y, Z] whose kernel is a planar one at each height: $K(g p, z) = \rho(g) K(p, z) \rho(g)^{-1}$.

    * `into`, `out`: fields of a planar group, such as C_8: a turn about the vertical leaves z alone. `kernel`, `stride`: along all axes,
      as of `EquivariantConv`; beyond the edge there is nothing.

    Exact for quarter turns, for others as far as circular harmonics on so few cells resolve.
    """

    def __init__(self, into: Features, out: Features, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.heights, self.stride, self.width = kernel, stride, (kernel - stride) // 2
        tall = Features(out.group, [f.representation for _ in range(kernel) for f in out.fields])
        self.planar = EquivariantConv(into, tall, kernel, boundary="zero", stride=stride, gain=1 / math.sqrt(kernel))

    def forward(self, x: Tensor) -> Tensor:
        """The fields of `x`."""
        kernel = self.planar.kernel_tensor().unflatten(0, (self.heights, -1)).movedim(0, -1)
        bias = self.planar.bias_tensor()
        return F.conv3d(x, kernel, None if bias is None else bias.unflatten(0, (self.heights, -1)).sum(0), self.stride, self.width)


class UprightNorm(nn.Module):
    """`FieldNorm` of the `features` of a planar group on grids that stand upright."""

    def __init__(self, features: Features) -> None:
        super().__init__()
        self.planar = FieldNorm(features)

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, C, X, Y, Z] normalised."""
        return self.planar(x.flatten(3)).unflatten(3, x.shape[3:])


class UprightWide(nn.Module):
    """Twice the resolution along all axes, linear between cell centres, nothing beyond the edge."""

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, C, X, Y, Z], finer."""
        return F.interpolate(F.pad(x, (1,) * 6), scale_factor=2, mode="trilinear", align_corners=False)[..., 2:-2, 2:-2, 2:-2]


def convolution(into: Features, out: Features, kernel: int, stride: int = 1) -> nn.Module:
    """A convolution between fields of a group of space, or of one of the plane, on grids that stand upright."""
    if into.ndim == 3:
        return EquivariantConv(into, out, kernel, boundary="zero", stride=stride)
    return UprightConv(into, out, kernel, stride)


def norm(features: Features) -> nn.Module:
    """The norm that belongs to `convolution`."""
    return FieldNorm(features) if features.ndim == 3 else UprightNorm(features)


def wider(features: Features) -> nn.Module:
    """Twice the resolution; linear, as nearest neighbours make ties where nothing is."""
    return Upsample(features, "linear", "zero") if features.ndim == 3 else UprightWide()


def many(group_order: int, width: int) -> int:
    """Regular fields that have as many channels as `width` of the quarter turns."""
    return max(1, 4 * width // group_order)


class Stage(nn.Module):
    """Convolution, norm, swish; `kernel` 2 halves the grid. A ReLU would leave plateaus of equal heat, and ties know no symmetry."""

    def __init__(self, into: Features, out: Features, kernel: int = 3) -> None:
        super().__init__()
        self.conv = convolution(into, out, kernel, 2 if kernel == 2 else 1)
        self.norm = norm(out)

    def forward(self, x: Tensor) -> Tensor:
        """The fields of `x`."""
        return F.silu(self.norm(self.conv(x)))
