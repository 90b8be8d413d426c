"""Small networks on grids of every architecture: [B, 3, 4, 4] -> the same, 15 to 320 parameters."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS, POINTS = 3, 4


class Strided(nn.Module):
    """Stride 2, then nearest-neighbour upsampling."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(CHANNELS, 4, 2, stride=2)
        self.up = nn.Conv2d(4, CHANNELS, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(F.interpolate(torch.tanh(self.down(x)), scale_factor=2))


class FusedAttention(nn.Module):
    """Cells as tokens, through F.scaled_dot_product_attention."""

    def __init__(self) -> None:
        super().__init__()
        self.lift, self.drop = nn.Linear(CHANNELS, 12), nn.Linear(4, CHANNELS)
        self.place = nn.Parameter(torch.randn(POINTS * POINTS, CHANNELS))

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2) + self.place
        q, k, v = self.lift(tokens).unflatten(-1, (3, 2, 2)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.drop(mixed).transpose(1, 2).reshape(x.shape)


class LibraryAttention(nn.Module):
    """torch's own multi-head attention layer."""

    def __init__(self, need_weights: bool) -> None:
        super().__init__()
        self.lift, self.drop = nn.Linear(CHANNELS, 4), nn.Linear(4, CHANNELS)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.need_weights = need_weights

    def forward(self, x: Tensor) -> Tensor:
        h = self.lift(x.flatten(2).transpose(1, 2))
        h = h + self.attention(h, h, h, need_weights=self.need_weights)[0]
        return self.drop(h).transpose(1, 2).reshape(x.shape)


class Encoder(nn.Module):
    """torch's own transformer layer, which takes a fused path in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.lift, self.drop = nn.Linear(CHANNELS, 4), nn.Linear(4, CHANNELS)
        self.layer = nn.TransformerEncoderLayer(4, 2, dim_feedforward=6, dropout=0.1, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.layer(self.lift(x.flatten(2).transpose(1, 2)))).transpose(1, 2).reshape(x.shape)


class Spectral(nn.Module):
    """Complex weights on the low Fourier modes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.3 * torch.randn(2, 2, CHANNELS, CHANNELS, 2))
        self.head = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        modes = torch.fft.rfft2(x)
        low = torch.einsum("bixy,xyio->boxy", modes[..., :2, :2], torch.view_as_complex(self.weight))
        full = F.pad(torch.view_as_real(low), (0, 0, 0, modes.shape[-1] - 2, 0, modes.shape[-2] - 2))
        return self.head(F.gelu(x + torch.fft.irfft2(torch.view_as_complex(full.contiguous()), s=x.shape[-2:])))


class ComplexSpectral(nn.Module):
    """The same with complex parameters, as neural-operator libraries write them."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.3 * torch.randn(2, 2, CHANNELS, CHANNELS, dtype=torch.complex128))
        self.head = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        modes = torch.fft.rfft2(x)
        low = torch.einsum("bixy,xyio->boxy", modes[..., :2, :2], self.weight)
        return self.head(F.gelu(x + torch.fft.irfft2(F.pad(low, (0, modes.shape[-1] - 2, 0, modes.shape[-2] - 2)), s=x.shape[-2:])))


class Tied(nn.Module):
    """One weight in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(x)))


class Normed(nn.Module):
    """Circular convolutions between group normalisations."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(CHANNELS, 4, 3, padding=1, padding_mode="circular")
        self.norm = nn.GroupNorm(2, 4)
        self.second = nn.Conv2d(4, CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.silu(self.norm(self.first(x))))


class Pointwise(nn.Module):
    """Linear layers along the channels: few parameters (30), and layer normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(CHANNELS, 3), nn.LayerNorm(3), nn.Linear(3, CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.norm(torch.tanh(self.a(x.movedim(1, -1))))).movedim(-1, 1)


class Dense(nn.Module):
    """One linear map of the whole state: the Jacobian is known to be wide."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze, self.expand = nn.Linear(CHANNELS * POINTS**2, 2), nn.Linear(2, CHANNELS * POINTS**2)

    def forward(self, x: Tensor) -> Tensor:
        return self.expand(torch.sin(self.squeeze(x.flatten(1)))).reshape(x.shape)


def circular() -> nn.Module:
    conv = nn.Conv2d(CHANNELS, 4, 3, padding=1, padding_mode="circular")
    return nn.Sequential(conv, nn.Tanh(), nn.Conv2d(4, CHANNELS, 3, padding=1, padding_mode="circular"))


def batch_norm() -> nn.Module:
    """Batch normalisation in evaluation mode: running statistics are buffers, no parameters."""
    norm = nn.BatchNorm2d(4)
    norm.running_mean, norm.running_var = torch.randn(4), torch.rand(4) + 0.5
    return nn.Sequential(nn.Conv2d(CHANNELS, 4, 1), norm, nn.SiLU(), nn.Conv2d(4, CHANNELS, 1))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "circular convolution": circular,
    "strided convolution": Strided,
    "fused attention": FusedAttention,
    "multi-head attention": lambda: LibraryAttention(False),
    "multi-head attention with weights": lambda: LibraryAttention(True),
    "transformer layer": Encoder,
    "spectral": Spectral,
    "complex spectral": ComplexSpectral,
    "tied weights": Tied,
    "group norm": Normed,
    "batch norm": batch_norm,
    "pointwise linear": Pointwise,
    "linear": Dense,
}
