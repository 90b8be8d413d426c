"""UNet: convolutions on a ladder of grids."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from ..._errors import OrbitscopeError
from ._layers import Attention, CircularConv, Image, ImageNorm, ResidualBlock, check_channels, check_divisible, check_positive


class UNet(nn.Module):
    r"""Convolutional encoder and decoder with skips on a periodic grid, [B, C_in, X, Y] -> [B, C_out, X, Y].

    * `channels_in`, `channels_out`: C_in and C_out.
    * `width`: hidden channels of the finest level; level $l$ has `width` $2^l$ on a grid $2^l$ times coarser.
    * `width_max`: hidden channels of a level at the most.
    * `kernels`: width of the kernels of each level in cells, odd, from fine to coarse; there are `len(kernels) - 1` down-samplings.
    * `heads`: of the attention over the cells of the coarsest level; 0: no attention.

    Each down-sampling is a strided 4x4 convolution plus an average-pooled skip; the way up is nearest-neighbour.

    Commutes with shifts by the total stride $2^{stages}$ only; finer shifts and D4 have to be learnt. The strided kernel is
    even and centred on the coarse cell, and there is no position embedding, so that D4 *can* be learnt exactly. Raises
    `OrbitscopeError` unless X and Y are divisible by $2^{stages}$. Preset `paper`: 4 stages, 24 channels, kernels 11/9/7/5/3, 13 M
    parameters (Amarel et al., arXiv 2601.20172, "Models and training").
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        width: int = 24,
        kernels: tuple[int, ...] = (11, 9, 7, 5, 3),
        heads: int = 4,
        width_max: int = 4096,
    ) -> None:
        super().__init__()
        check_positive("unet", channels_in=channels_in, channels_out=channels_out, width=width, width_max=width_max)
        if not kernels or any(k < 1 or k % 2 == 0 for k in kernels):
            raise OrbitscopeError(f"unet: `kernels` must be odd, one per level from fine to coarse, got {tuple(kernels)}.")
        self.channels_in, self.stages = channels_in, len(kernels) - 1
        widths = [min(width * 2**level, width_max) for level in range(len(kernels))]
        self.lift = CircularConv(channels_in, width, kernels[0])
        self.down = nn.ModuleList(ResidualBlock(w, w, k) for w, k in zip(widths[:-1], kernels, strict=False))
        self.coarsen = nn.ModuleList(_Coarsen(a, b) for a, b in zip(widths, widths[1:], strict=False))
        self.bottom = ResidualBlock(widths[-1], widths[-1], kernels[-1])
        self.attend = _ImageAttention(widths[-1], heads) if heads else nn.Identity()
        self.refine = nn.ModuleList(CircularConv(b, a, 1) for a, b in zip(widths, widths[1:], strict=False))
        self.up = nn.ModuleList(ResidualBlock(2 * w, w, k) for w, k in zip(widths[:-1], kernels, strict=False))
        self.norm = ImageNorm(width)
        self.head = CircularConv(width, channels_out, 3)

    def forward(self, state: Image) -> Image:
        """Next state (or increment) of each `state` [B, C, *grid] of the batch."""
        check_channels(state, self.channels_in, "unet")
        check_divisible(state, 2**self.stages, "unet", f"{self.stages} down-samplings")
        h = self.lift(state)
        skips = []
        for block, coarsen in zip(self.down, self.coarsen, strict=True):
            h = block(h)
            skips.append(h)
            h = coarsen(h)
        h = self.attend(self.bottom(h))
        for level in reversed(range(self.stages)):
            h = F.interpolate(self.refine[level](h), scale_factor=2, mode="nearest")
            h = self.up[level](torch.cat([h, skips[level]], dim=1))
        return self.head(F.silu(self.norm(h)))


class _Coarsen(nn.Module):
    """Half the resolution: (strided convolution + average-pooled skip) / sqrt 2."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = CircularConv(channels_in, channels_out, 4, stride=2)
        self.skip = CircularConv(channels_in, channels_out, 1)

    def forward(self, x: Image) -> Image:
        return (self.conv(x) + self.skip(F.avg_pool2d(x, 2))) / math.sqrt(2)


class _ImageAttention(nn.Module):
    """Attention over the cells of a small grid, without position embedding."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm = ImageNorm(channels)
        self.attention = Attention(channels, heads)

    def forward(self, x: Image) -> Image:
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        mixed = self.attention(tokens).transpose(1, 2).reshape(x.shape)
        return (x + mixed) / math.sqrt(2)
