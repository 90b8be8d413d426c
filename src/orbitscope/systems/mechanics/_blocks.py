"""Functions of two blocks of frames: the scalars of the Denoising Hamiltonian Network, and fields without one to compare with."""

from typing import Literal

import torch
from torch import Tensor, nn

from ..._attention import plain_attention
from ..._errors import OrbitscopeError
from ._networks import ScalarNet

LEVELS = 10


class BlockFunction(nn.Module):
    """A scalar of two blocks of frames, [B, b, d] each, their noise levels and a code, with its gradients along the blocks.

    * `block`, `pairs`, `code`: b, d and numbers of the code. `width`: of the layers. `net`: "mlp", or "transformer" (two layers over the
      tokens z, first block, second block; four heads), as published.
    """

    def __init__(self, block: int, pairs: int, code: int, width: int, net: Literal["mlp", "transformer"]) -> None:
        super().__init__()
        self.block, self.pairs, self.kind = block, pairs, net
        if net == "mlp":
            self.net = ScalarNet(2 * block * (pairs + 1) + code, width)
            return
        if net != "transformer" or width % 4:
            raise OrbitscopeError(f"dhn: `net` should be mlp or transformer, `width` a multiple of 4 for it; got {net!r} and {width}.")
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.into, self.of_code, self.level = nn.Linear(pairs, width), nn.Linear(code, width), nn.Embedding(LEVELS + 1, width)
        self.place = nn.Parameter(0.02 * torch.randn(2 * block + 1, width))
        self.out = nn.Linear(width, 1)

    def value(self, blocks: Tensor, levels: Tensor, z: Tensor) -> Tensor:
        """The scalar, [B], of `blocks` [B, 2b, d] with `levels` [B, 2b] between 0 (noise) and 1 (known), and code `z` [B, code]."""
        if self.kind == "mlp":
            return self.net(torch.cat([blocks.flatten(-2), levels, z], -1))
        tokens = self.into(blocks) + self.level((LEVELS * levels.detach()).long())
        with plain_attention():  # a training on slopes needs second derivatives
            seen = self.layers(torch.cat([self.of_code(z)[..., None, :], tokens], -2) + self.place)
        return self.out(seen[..., 0, :])[..., 0]

    def gradient(self, first: Tensor, second: Tensor, levels: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """The slopes along the blocks `first` and `second`, [B, b, d] each; `levels` and `z` as of `value`."""
        blocks = torch.cat([first, second], -2)
        if self.kind == "mlp":
            slope = self.net.gradient(torch.cat([blocks.flatten(-2), levels, z], -1))[..., : blocks.shape[-1] * blocks.shape[-2]]
            slope = slope.reshape(blocks.shape)
        else:
            slope = torch.func.grad(lambda b: self.value(b, levels, z).sum())(blocks)
        return slope[..., : self.block, :], slope[..., self.block :, :]


class BlockField(nn.Module):
    """Two blocks from two blocks without a scalar behind them: `gradient` is a plain network's answer, and no gradient.

    * `block`, `pairs`, `code`, `width`: as of `BlockFunction`.
    """

    def __init__(self, block: int, pairs: int, code: int, width: int) -> None:
        super().__init__()
        inputs = 2 * block * (pairs + 1) + code
        self.net = nn.Sequential(
            nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 2 * block * pairs)
        )

    def gradient(self, first: Tensor, second: Tensor, levels: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """What stands in for the slopes along `first` and `second`, [B, b, d] each; `levels` [B, 2b], `z` [B, code]."""
        blocks = torch.cat([first, second], -2)
        slope = self.net(torch.cat([blocks.flatten(-2), levels, z], -1)).reshape(blocks.shape)
        half = first.shape[-2]
        return slope[..., :half, :], slope[..., half:, :]
