"""ResNet: convolutions on one grid."""

import torch.nn.functional as F
from torch import nn

from ..._errors import OrbitscopeError
from ._layers import CircularConv, Image, ImageNorm, ResidualBlock, check_channels, check_positive


class ResNet(nn.Module):
    """Residual convolutions at full resolution, [B, C_in, X, Y] -> [B, C_out, X, Y]; commutes with every whole-cell shift.

    * `channels_in`, `channels_out`: C_in and C_out.
    * `width`: hidden channels.
    * `depth`: blocks, of two circular convolutions each.
    * `kernel`: width of the kernels in cells, odd.

    A value reaches at most (2 depth + 1) (kernel - 1) / 2 + 1 cells far except through the normalisation, which averages over space.
    Raises `OrbitscopeError` for an even kernel.
    """

    def __init__(self, channels_in: int, channels_out: int, width: int = 96, depth: int = 8, kernel: int = 5) -> None:
        super().__init__()
        check_positive("resnet", channels_in=channels_in, channels_out=channels_out, width=width, depth=depth, kernel=kernel)
        if kernel % 2 == 0:
            raise OrbitscopeError(f"resnet: `kernel` must be odd, got {kernel}.")
        self.channels_in = channels_in
        self.lift = CircularConv(channels_in, width, kernel)
        self.blocks = nn.Sequential(*(ResidualBlock(width, width, kernel) for _ in range(depth)))
        self.norm = ImageNorm(width)
        self.head = CircularConv(width, channels_out, 3)

    def forward(self, state: Image) -> Image:
        """Next state (or increment) of each `state` [B, C, *grid] of the batch."""
        check_channels(state, self.channels_in, "resnet")
        return self.head(F.silu(self.norm(self.blocks(self.lift(state)))))
