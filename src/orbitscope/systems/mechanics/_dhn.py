"""The Denoising Hamiltonian Network as published: blocks of frames, a right and a left Hamiltonian, denoising."""

from typing import Literal

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ._about import Motion
from ._models import CODE, WIDTH, MotionModel
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


class DHN(MotionModel):
    r"""The Denoising Hamiltonian Network: from a block of b frames to the block s frames later, unknown frames found by denoising.

    $Q' = Q + \partial_P H^+(Q, P'; z),\ P = P' + \partial_Q H^+$ and $Q = Q' - \partial_P H^-(P, Q'; z),\ P' = P - \partial_Q H^-$,
    primes at the later block. Trained on both pairs with all frames clean, plus `weight` times the same with the last s frames of
    the later block mixed with noise in random parts. A forecast starts these frames at 0 and takes turns: Q' from $H^+$, P' from $H^-$,
    `refinements` + 1 times, with signal from 0 to 1 and zero noise (random noise gives the same, measured).

    It is not symplectic: Q comes from one network and P from another, and overlapping blocks are no canonical map. Unlike the published
    code, momenta are scaled by a constant of the training set, not by each trajectory's own future, and codes come from a reader.

    * `motion`: what the examples are, `history` at least b + s - 1. `block`, `stride`: b and s, at most b. `refinements`: N.
    * `code`, `width`, `net`: as of `BlockFunction`. `weight`: of the denoising part.

    Source: Deng et al., Denoising Hamiltonian Network for Physical Reasoning, arXiv:2503.07596 (2025).
    """

    def __init__(
        self, motion: Motion, block: int = 4, stride: int = 2, refinements: int = 10, code: int = CODE, width: int = WIDTH,
        net: Literal["mlp", "transformer"] = "mlp", weight: float = 0.1,
    ) -> None:  # fmt: skip
        super().__init__(motion, code, width)
        if not 1 <= stride <= block or block + stride - 1 > motion.history:
            raise OrbitscopeError(
                f"dhn: `block` and `stride` should be 1 <= stride <= block and block + stride - 1 <= {motion.history}, the history of the "
                f"examples; got {block} and {stride}. Simulate with history={block + stride - 1}."
            )
        self.block, self.stride, self.refinements, self.weight = block, stride, refinements, weight
        self.history = block
        self.right = BlockFunction(block, motion.pairs, code, width, net)
        self.left = BlockFunction(block, motion.pairs, code, width, net)

    @property
    def fewest(self) -> int:
        """Frames of both blocks together."""
        return self.block + self.stride

    def forward(
        self, past: Tensor, direction: Tensor, context: Tensor, numbers: Tensor, end: Tensor | None = None, drawn: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """The next frame; in training, where `end` and `drawn` are there, a stand-in for it and the loss of the blocks, [B]."""
        z = self.reader(self.scale(context), direction)
        if end is None or drawn is None:
            return self.unscale(self.step(self.scale(past), direction, z))
        whole = self.scale(torch.cat([past, end[..., None, :]], -2))[..., -self.block - self.stride :, :]
        return end, self.block_loss(whole, z, drawn)

    def split(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates and momenta of `frames` [..., 2d]."""
        return frames[..., : self.pairs], frames[..., self.pairs :]

    def errors(self, q: Tensor, p: Tensor, later_q: Tensor, later_p: Tensor, levels: Tensor, z: Tensor) -> list[Tensor]:
        """The four predicted blocks, scaled, [B, b, d]: later Q, P, Q and later P.

        * `q`, `p`: the known block, scaled, [B, b, d] each. `later_q`, `later_p`: the block s frames later, likewise.
        * `levels`: of the later frames, [B, b], between 0 (noise) and 1 (known). `z`: codes, [B, code].
        """
        known = torch.ones_like(levels)
        right_q, right_p = self.right.gradient(q, later_p, torch.cat([known, levels], -1), z)
        left_p, left_q = self.left.gradient(p, later_q, torch.cat([known, levels], -1), z)
        return [q + right_p, later_p + right_q, later_q - left_p, p - left_q]

    def block_loss(self, whole: Tensor, z: Tensor, drawn: Tensor) -> Tensor:
        """The published loss of scaled frames [B, b + s, 2d], [B].

        * `whole`: both blocks. `z`: codes. `drawn`: [B, at least b (1 + 2d)], standard normal; the first b are turned into parts of signal.
        """
        b, s = self.block, self.stride
        (q, p), (later_q, later_p) = self.split(whole[..., :b, :]), self.split(whole[..., s:, :])
        truth, known = [later_q, p, q, later_p], torch.ones_like(drawn[..., :b])
        clean = self.errors(q, p, later_q, later_p, known, z)
        part = 0.5 * (1 + torch.erf(drawn[..., :b] / 2**0.5))  # even in 0 .. 1
        level = torch.where(torch.arange(b, device=whole.device) >= b - s, part, known)
        noise = drawn[..., b : b + 2 * b * self.pairs].reshape(*drawn.shape[:-1], b, 2 * self.pairs)
        mixed = level[..., None] * whole[..., s:, :] + (1 - level[..., None]) * noise
        noisy = self.errors(q, p, *self.split(mixed), level, z)
        mean = lambda found: torch.stack([(f - t).square().mean((-1, -2)) for f, t in zip(found, truth, strict=True)]).mean(0)  # noqa: E731
        return mean(clean) + self.weight * mean(noisy)

    def residual(self, frames: Tensor, z: Tensor) -> Tensor:
        """What is left of both Hamiltonians between known blocks, [B, R], for scaled `frames` [B, K, 2d] and codes `z` [B, c]."""
        b, s, batch = self.block, self.stride, len(frames)
        whole = frames.unfold(1, b + s, 1).movedim(-1, -2)
        codes = z.repeat_interleave(whole.shape[1], 0)
        whole = whole.flatten(0, 1)
        (q, p), (later_q, later_p) = self.split(whole[:, :b]), self.split(whole[:, s:])
        found = self.errors(q, p, later_q, later_p, torch.ones_like(q[..., 0]), codes)
        gaps = [(f - t).flatten(1) for f, t in zip(found, (later_q, p, q, later_p), strict=True)]
        return torch.cat(gaps, 1).reshape(batch, -1)

    def step(self, past: Tensor, direction: Tensor, z: Tensor, end: Tensor | None = None) -> Tensor:
        """The next frame by denoising; `end` is not looked at."""
        block = past[..., -self.block :, :]
        return torch.where(direction > 0, self.denoised(block, z)[..., self.block - self.stride, :], self._back(block.flip(-2), z))

    def denoised(self, block: Tensor, z: Tensor, noise: Tensor | None = None) -> Tensor:
        """The block s frames later, [B, b, 2d], from a known `block`.

        * `z`: codes. `noise`: what unknown frames are mixed with before each refinement, [N + 1, B, s, 2d]; None: 0.
        """
        b, s = self.block, self.stride
        q, p = self.split(block)
        kept, guess = block[..., s:, :], torch.zeros_like(block[..., :s, :])
        known = torch.ones_like(q[..., 0])
        for k in range(self.refinements + 1):
            a = k / max(self.refinements, 1)
            level = torch.where(torch.arange(b, device=block.device) >= b - s, a, 1.0).to(known) * known
            mixed = a * guess if noise is None else a * guess + (1 - a) * noise[k]
            q_in, p_in = self.split(torch.cat([kept, mixed], -2))
            levels = torch.cat([known, level], -1)
            new_q = (q + self.right.gradient(q, p_in, levels, z)[1])[..., -s:, :]
            new_p = (p - self.left.gradient(p, q_in, levels, z)[1])[..., -s:, :]
            guess = torch.cat([new_q, new_p], -1)
        return torch.cat([kept, guess], -2)

    def _back(self, block: Tensor, z: Tensor) -> Tensor:
        """The frame before a known block in order of time: Q from the left, P from the right Hamiltonian."""
        b, s = self.block, self.stride
        later_q, later_p = self.split(block)
        kept, guess = block[..., : b - s, :], torch.zeros_like(block[..., :s, :])
        known = torch.ones_like(later_q[..., 0])
        for k in range(self.refinements + 1):
            a = k / max(self.refinements, 1)
            level = torch.where(torch.arange(b, device=block.device) < s, a, 1.0).to(known) * known
            q_in, p_in = self.split(torch.cat([a * guess, kept], -2))
            levels = torch.cat([level, known], -1)
            new_q = (later_q - self.left.gradient(p_in, later_q, levels, z)[0])[..., :s, :]
            new_p = (later_p + self.right.gradient(q_in, later_p, levels, z)[0])[..., :s, :]
            guess = torch.cat([new_q, new_p], -1)
        return guess[..., -1, :]
