"""ViT: attention over patches."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ._layers import Attention, CircularConv, Image, RMSNorm, Tokens, check_channels, check_divisible, check_positive


class ViT(nn.Module):
    r"""Vision transformer on a periodic grid of fixed resolution, [B, C_in, X, Y] -> [B, C_out, X, Y].

    * `channels_in`, `channels_out`: C_in and C_out.
    * `resolution`: (X, Y) in cells, the one grid that the model takes.
    * `width`: channels of a token, a multiple of `heads`.
    * `heads`: of the attention of every block.
    * `depth`: blocks of pre-RMSNorm attention and MLP.
    * `patch`: width of a patch in cells, a divisor of X and Y.
    * `ratio`: hidden channels of the MLP over `width`.
    * `position`: what the position embedding begins as: small random numbers, or random mixtures of the periodic waves of both axes, rms
      about 0.7, by which neighbours are found sooner (after 4 epochs on vortices of 32 x 32 cells, 0.8 of the error).

    Patches come from a (patch + 1)-wide convolution with stride `patch`, circular and overlapping its neighbour by one cell on the low
    side, so that each token sees all of its own patch. Tokens get a learnt position embedding and are un-patched linearly.

    Nothing but the identity is built in: the position embedding ties the model to one resolution and breaks every shift; without it
    shifts by a patch would commute. Raises `OrbitscopeError` for another resolution or one that `patch` does not divide. Preset `paper`:
    256 channels, 8 heads, depth 8 (the published text says 6, the published code 8), 4.5 M parameters at 128 x 128 (published: 5 M;
    Amarel et al., arXiv 2601.20172, "Models and training").
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        resolution: tuple[int, int],
        width: int = 256,
        heads: int = 8,
        depth: int = 8,
        patch: int = 4,
        ratio: float = 2.0,
        position: Literal["random", "waves"] = "random",
    ) -> None:
        super().__init__()
        check_positive("vit", channels_in=channels_in, channels_out=channels_out, width=width, heads=heads, depth=depth, patch=patch)
        if resolution[0] % patch or resolution[1] % patch:
            raise OrbitscopeError(f"vit: `resolution` {tuple(resolution)} must be divisible by `patch` = {patch} along both axes.")
        self.channels_in, self.resolution, self.patch = channels_in, (int(resolution[0]), int(resolution[1])), patch
        self.tokens = (resolution[0] // patch, resolution[1] // patch)
        self.embed = CircularConv(channels_in, width, patch + 1, stride=patch, padding=(1, 0))
        if position not in ("random", "waves"):
            raise OrbitscopeError(f"vit: `position` must be 'random' or 'waves', got {position!r}.")
        made = _waves(self.tokens, width) if position == "waves" else 0.02 * torch.randn(self.tokens[0] * self.tokens[1], width)
        self.position = nn.Parameter(made)
        self.blocks = nn.ModuleList(_Block(width, heads, ratio) for _ in range(depth))
        self.norm = RMSNorm(width)
        self.head = nn.Linear(width, channels_out * patch * patch)

    def forward(self, state: Image) -> Image:
        """Next state (or increment) of each `state` [B, C, *grid] of the batch."""
        check_channels(state, self.channels_in, "vit")
        check_divisible(state, self.patch, "vit", "patch")
        if tuple(state.shape[-2:]) != self.resolution:
            raise OrbitscopeError(
                f"vit: built for the grid {self.resolution}, got {tuple(state.shape[-2:])}. "
                "Build it with that `resolution`: the position embedding has one entry per patch."
            )
        h = self.embed(state).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            h = block(h)
        h = self.head(self.norm(h))
        return rearrange(h, "b (x y) (c p q) -> b c (x p) (y q)", x=self.tokens[0], p=self.patch, q=self.patch)


def _waves(tokens: tuple[int, int], width: int) -> Tensor:
    """Cosines and sines of every whole wave number along either axis, [token, width], mixed by random numbers.

    Inner products of two tokens then depend, but for the mixing, on the shift between them alone.
    """
    axes = []
    for count in tokens:
        angle = 2 * math.pi * torch.arange(count) / count
        axes.append(torch.stack([f(k * angle) for k in range(1, count // 2 + 1) for f in (torch.cos, torch.sin)] or [0 * angle], dim=1))
    x, y = (axis.expand(*tokens, -1) for axis in (axes[0][:, None], axes[1][None]))
    both = torch.cat([x, y], dim=-1).flatten(0, 1)
    return both @ torch.randn(both.shape[1], width) / math.sqrt(both.shape[1])


class _Block(nn.Module):
    """Pre-norm attention and MLP, each with its skip."""

    def __init__(self, width: int, heads: int, ratio: float) -> None:
        super().__init__()
        hidden = int(ratio * width)
        self.norm_1, self.attention = RMSNorm(width), Attention(width, heads)
        self.norm_2, self.expand, self.contract = RMSNorm(width), nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, tokens: Tokens) -> Tokens:
        tokens = tokens + self.attention(self.norm_1(tokens))
        return tokens + self.contract(F.gelu(self.expand(self.norm_2(tokens))))
