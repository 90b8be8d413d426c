"""FNO: linear maps of the low Fourier modes between pointwise ones."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..._errors import OrbitscopeError
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
        """Next state (or increment) of each state of the batch."""
        check_channels(state, self.channels_in, "fno")
        h = self.lift(state)
        for spectral, pointwise in zip(self.spectral, self.pointwise, strict=True):
            h = h + F.gelu(spectral(h) + pointwise(h))
        return self.head(F.gelu(self.expand(h)))


class SpectralConv(nn.Module):
    r"""$\hat y(k) = W(k)\, \hat x(k)$ for $|k_x|, |k_y| <$ `modes`, 0 elsewhere.

    $W$ is stored as real numbers [2 modes - 1, modes, in, out, 2] (last axis: real, imaginary), which every file format and optimiser
    takes. The kept modes are symmetric in $k_x$, so quarter turns map them onto themselves. Half precision is computed in float32.
    """

    def __init__(self, channels_in: int, channels_out: int, modes: int) -> None:
        super().__init__()
        self.modes = modes
        scale = 1 / math.sqrt(2 * channels_in)
        self.weight = nn.Parameter(scale * torch.randn(2 * modes - 1, modes, channels_in, channels_out, 2))

    def forward(self, x: Image) -> Image:
        size_x, size_y = x.shape[-2:]
        if min(size_x, size_y) < 2 * self.modes:
            raise OrbitscopeError(
                f"fno: {self.modes} modes need at least {2 * self.modes} cells per axis, got the grid {(size_x, size_y)}. Lower `modes`."
            )
        dtype = x.dtype
        with torch.autocast(x.device.type, enabled=False):
            full = x if dtype in (torch.float32, torch.float64) else x.float()
            return self._filter(full, size_x, size_y).to(dtype)

    def _filter(self, x: Tensor, size_x: int, size_y: int) -> Tensor:
        modes = self.modes
        weight = torch.complex(self.weight[..., 0], self.weight[..., 1]).to(torch.promote_types(torch.complex64, x.dtype))
        spectrum = torch.fft.rfft2(x)[..., :modes]
        low = torch.cat([spectrum[..., :modes, :], spectrum[..., size_x - modes + 1 :, :]], dim=-2)
        mixed = torch.einsum("bixy,xyio->boxy", low, weight)
        gap = mixed.new_zeros((*mixed.shape[:-2], size_x - 2 * modes + 1, modes))
        rows = torch.cat([mixed[..., :modes, :], gap, mixed[..., modes:, :]], dim=-2)
        columns = mixed.new_zeros((*mixed.shape[:-2], size_x, size_y // 2 + 1 - modes))
        return torch.fft.irfft2(torch.cat([rows, columns], dim=-1), s=(size_x, size_y))
