"""The few pieces that the models share: circular convolution, normalisation, attention, residual blocks.

Every piece runs under `torch.func` (vmap, grad, jvp): no in-place update, no running statistics, no fused attention.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...nn import wrap

Image = Float[Tensor, "batch channel x y"]
Tokens = Float[Tensor, "batch token channel"]


class CircularConv(nn.Conv2d):
    """Convolution on a periodic grid; `before` and `after` cells are wrapped around at the two ends of each axis.

    The default padding centres the kernel on the output cell: an odd kernel with stride 1, and an even kernel with stride 2
    (on the coarse cell's centre, so that rotations and flips about it stay representable).
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, padding: tuple[int, int] | None = None) -> None:
        super().__init__(channels_in, channels_out, kernel, stride)
        total = kernel - stride
        self.wrap = padding if padding is not None else (total - total // 2, total // 2)

    def forward(self, input: Tensor) -> Tensor:
        before, after = self.wrap
        if before or after:
            if max(before, after) > min(input.shape[-2:]):
                raise OrbitscopeError(
                    f"resolution: a kernel of {self.kernel_size[0]} cells is too wide for this level's grid {tuple(input.shape[-2:])}. "
                    "Use a finer grid, fewer stages or smaller kernels (overrides `kernels`, `kernel`)."
                )
            input = wrap(input, before, after)
        return F.conv2d(input, self.weight, self.bias, self.stride)


class ImageNorm(nn.GroupNorm):
    """One mean and variance per sample over channels and space, one gain and offset per channel: commutes with every grid symmetry."""

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels)


class RMSNorm(nn.Module):
    r"""$x \mapsto g\, x / \sqrt{\mathrm{mean}(x^2) + \epsilon}$ over the last axis, written out so that forward-mode AD passes."""

    def __init__(self, channels: int, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon)


class Attention(nn.Module):
    """Multi-head self-attention over tokens as plain matmul and softmax (fused kernels have no forward-mode derivative)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise OrbitscopeError(f"heads: must divide the {channels} channels of the attention, got {heads}.")
        self.heads = heads
        self.project_in = nn.Linear(channels, 3 * channels)
        self.project_out = nn.Linear(channels, channels)

    def forward(self, tokens: Tokens) -> Tokens:
        batch, length, channels = tokens.shape
        mixed = self.project_in(tokens).reshape(batch, length, 3, self.heads, channels // self.heads)
        query, key, value = mixed.permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(channels // self.heads), dim=-1)
        return self.project_out((weights @ value).transpose(1, 2).reshape(batch, length, channels))


class ResidualBlock(nn.Module):
    r"""$(\mathrm{skip}(x) + f(x)) / \sqrt 2$ with $f$ = norm, swish, conv, twice; the skip is a 1x1 conv where the channels differ."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int) -> None:
        super().__init__()
        self.norm_1 = ImageNorm(channels_in)
        self.conv_1 = CircularConv(channels_in, channels_out, kernel)
        self.norm_2 = ImageNorm(channels_out)
        self.conv_2 = CircularConv(channels_out, channels_out, kernel)
        self.skip = nn.Identity() if channels_in == channels_out else CircularConv(channels_in, channels_out, 1)

    def forward(self, x: Image) -> Image:
        h = self.conv_1(F.silu(self.norm_1(x)))
        h = self.conv_2(F.silu(self.norm_2(h)))
        return (self.skip(x) + h) / math.sqrt(2)


def check_channels(state: Tensor, channels: int, model: str) -> None:
    """Raise unless `state` is [batch, channels, x, y]."""
    if state.ndim != 4 or state.shape[1] != channels:
        raise OrbitscopeError(
            f"{model}: expected a state [batch, {channels}, x, y], got shape {tuple(state.shape)}. "
            "Build the model with `channels_in` = the channels of the data, or add the batch axis."
        )


def check_divisible(state: Tensor, factor: int, model: str, what: str) -> None:
    """Raise unless both spatial axes are multiples of `factor`."""
    if state.shape[-1] % factor or state.shape[-2] % factor:
        raise OrbitscopeError(f"{model}: the grid {tuple(state.shape[-2:])} must be divisible by {factor} ({what}) along both axes.")


def check_positive(model: str, **values: int) -> None:
    """Raise unless every named whole number is at least 1."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise OrbitscopeError(f"{model}: `{name}` must be a whole number of at least 1, got {value!r}.")
