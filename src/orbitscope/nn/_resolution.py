"""Coarser and finer grids with the same centre."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ._features import Features
from ._pad import Pad


class Pool(nn.Module):
    """The mean over 2 x 2 (x 2) cells: half the resolution, the same centre, so that every rotation and flip of the box survives.

    * `features`: the fields of the channels.

    A convolution with stride 2 and an odd kernel on an even grid keeps every second cell and with them another centre. Raises
    `OrbitscopeError` for an odd number of cells.
    """

    def __init__(self, features: Features) -> None:
        super().__init__()
        self.features = features

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, C, X, Y] -> [B, C, X/2, Y/2]."""
        self.features.check(x, "Pool")
        if any(n % 2 for n in x.shape[2:]):
            raise OrbitscopeError(f"Pool: the grid {tuple(x.shape[2:])} needs an even number of cells along every axis.")
        return (F.avg_pool2d if self.features.ndim == 2 else F.avg_pool3d)(x, 2)


class Upsample(nn.Module):
    """Twice the resolution, the same centre.

    * `features`: the fields of the channels.
    * `mode`: "nearest", or "linear" between cell centres.
    * `boundary`: what lies beyond the edge, for "linear"; see `Pad`.

    Raises `OrbitscopeError` for another `mode`.
    """

    def __init__(self, features: Features, mode: str = "nearest", boundary: str | Sequence[str] = "circular") -> None:
        super().__init__()
        if mode not in ("nearest", "linear"):
            raise OrbitscopeError(f"Upsample: `mode` is 'nearest' or 'linear', got {mode!r}.")
        self.features, self.mode = features, mode
        self.pad = Pad(features, 1, boundary) if mode == "linear" else None

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, C, X, Y] -> [B, C, 2X, 2Y]."""
        self.features.check(x, "Upsample")
        if self.pad is None:
            return F.interpolate(x, scale_factor=2, mode="nearest")
        wide = F.interpolate(self.pad(x), scale_factor=2, mode="bilinear" if self.features.ndim == 2 else "trilinear", align_corners=False)
        return wide[(..., *[slice(2, -2)] * self.features.ndim)]
