"""FNO: linear maps of the low Fourier modes between pointwise ones."""

import torch.nn.functional as F
from torch import nn

from ...nn import SpectralConv
from ._layers import CircularConv, Image, check_channels, check_positive


class FNO(nn.Module):
    """Fourier neural operator, [B, C_in, X, Y] -> [B, C_out, X, Y]; any resolution of at least 2 `modes` cells.

    * `channels_in`, `channels_out`: C_in and C_out.
    * `width`: hidden channels.
    * `modes`: wave numbers below this one are mixed, per axis; those above pass through the pointwise path only.
    * `depth`: spectral layers.

    The spectral layers commute with every shift; the pointwise non-linearity keeps whole-cell shifts exact and fractional ones up to
    aliasing. Source: Li et al., "Fourier Neural Operator for Parametric PDEs", ICLR 2021, equation (4). Raises
    `OrbitscopeError` for a grid with fewer than 2 `modes` cells along an axis.
    """

    def __init__(self, channels_in: int, channels_out: int, width: int = 64, modes: int = 16, depth: int = 4) -> None:
        super().__init__()
        check_positive("fno", channels_in=channels_in, channels_out=channels_out, width=width, modes=modes, depth=depth)
        self.channels_in = channels_in
        self.lift = CircularConv(channels_in, width, 1)
        self.spectral = nn.ModuleList(SpectralConv(width, width, modes) for _ in range(depth))
        self.pointwise = nn.ModuleList(CircularConv(width, width, 1) for _ in range(depth))
        self.expand = CircularConv(width, 2 * width, 1)
        self.head = CircularConv(2 * width, channels_out, 1)

    def forward(self, state: Image) -> Image:
        """Next state (or increment) of each `state` [B, C, *grid] of the batch."""
        check_channels(state, self.channels_in, "fno")
        h = self.lift(state)
        for spectral, pointwise in zip(self.spectral, self.pointwise, strict=True):
            h = h + F.gelu(spectral(h) + pointwise(h))
        return self.head(F.gelu(self.expand(h)))
