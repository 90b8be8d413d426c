"""The Denoising Hamiltonian Network as published: blocks of frames, a right and a left Hamiltonian, denoising."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ..._seed import derive
from ._about import Motion
from ._blocks import BlockField, BlockFunction
from ._masks import Every, Mask
from ._models import CODE, WIDTH, MotionModel

Trained = Literal["forward", "both"]


class DHN(MotionModel):
    r"""The Denoising Hamiltonian Network: from a block of b frames to the block s frames later, unknown frames found by denoising.

    $Q' = Q + \partial_P H^+(Q, P'; z),\ P = P' + \partial_Q H^+$ and $Q = Q' - \partial_P H^-(P, Q'; z),\ P' = P - \partial_Q H^-$,
    primes at the later block. Trained on both pairs with all frames clean, plus `weight` times the same with the unknown frames mixed
    with noise in random parts. A forecast knows the first block; it starts the last s frames at 0 and takes turns: Q' from $H^+$, P' from
    $H^-$, `refinements` + 1 times, with signal from 0 to 1 and zero noise (random noise gives the same, measured).

    It is not symplectic: Q comes from one network and P from another, and overlapping blocks are no canonical map. Unlike the published
    code, momenta are scaled by a constant of the training set, not by each trajectory's own future.

    * `motion`: what the examples are, `history` at least b + s - 1. `block`, `stride`: b and s, at most b. `refinements`: N.
    * `code`, `width`, `net`: as of `BlockFunction`. `weight`: of the denoising part.
    * `structure`: "hamiltonian", or "none" for plain networks in place of the two gradients, to compare with.
    * `denoise`: False trains with clean frames alone; a forecast then starts at the last known frame, all taken for known.
    * `masks`: "forward", or "both" for the frame between two known ones as well, as super-resolution needs (b = 2, s = 1).
    * `spacings`: frames between neighbours of a block; a pair of networks for each. (1, 2) fills between every fourth frame in two stages.

    Source: Deng et al., Denoising Hamiltonian Network for Physical Reasoning, arXiv:2503.07596 (2025).
    """

    def __init__(
        self, motion: Motion, block: int = 4, stride: int = 2, refinements: int = 10, code: int = CODE, width: int = WIDTH,
        net: Literal["mlp", "transformer"] = "mlp", weight: float = 0.1, structure: Literal["hamiltonian", "none"] = "hamiltonian",
        denoise: bool = True, masks: Trained = "forward", spacings: Sequence[int] = (1,),
    ) -> None:  # fmt: skip
        super().__init__(motion, code, width)
        longest = max(spacings, default=0) * (block + stride - 1)
        if not 1 <= stride <= block or min(spacings, default=0) != 1 or longest > motion.history:
            raise OrbitscopeError(
                f"dhn: `block` and `stride` should be 1 <= stride <= block, the least of `spacings` 1, and the largest of them times "
                f"(block + stride - 1) at most {motion.history}, the history of the examples; got {block}, {stride} and {tuple(spacings)}. "
                f"Simulate with history={max(longest, 1)}."
            )
        if masks not in get_args(Trained) or (masks == "both" and (block, stride) != (2, 1)):
            raise OrbitscopeError(
                f"dhn: `masks` should be forward, or both with block = 2 and stride = 1; got {masks!r}, {block}, {stride}."
            )
        if structure not in ("hamiltonian", "none"):
            raise OrbitscopeError(f"dhn: `structure` should be hamiltonian or none, got {structure!r}.")
        self.block, self.stride, self.refinements, self.weight = block, stride, refinements, weight
        self.denoise, self.masks, self.spacings = denoise, masks, tuple(sorted(spacings))
        self.history = block

        def made() -> nn.Module:
            if structure == "none":
                return BlockField(block, motion.pairs, code, width)
            return BlockFunction(block, motion.pairs, code, width, net)

        self.right = nn.ModuleList(made() for _ in self.spacings)
        self.left = nn.ModuleList(made() for _ in self.spacings)

    @property
    def fewest(self) -> int:
        """Frames of both blocks together."""
        return self.block + self.stride

    def own_loss(self, past: Tensor, end: Tensor, z: Tensor, drawn: Tensor) -> Tensor:
        """The loss of the blocks, [B], the mean over spacings; see `MotionModel.own_loss`."""
        frames = torch.cat([past, end[..., None, :]], -2)
        count = self.block + self.stride
        found = []
        for stage, k in enumerate(self.spacings):
            start = frames.shape[-2] - 1 - k * (count - 1)
            found.append(self.block_loss(frames[..., start::k, :], z, drawn, stage))
        return torch.stack(found).mean(0)

    def split(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates and momenta of `frames` [..., 2d]."""
        return frames[..., : self.pairs], frames[..., self.pairs :]

    def errors(self, whole: Tensor, levels: Tensor, z: Tensor, stage: int = 0) -> list[Tensor]:
        """The four predicted blocks, scaled, [B, b, d]: later Q, earlier P, earlier Q and later P.

        * `whole`: the frames of both blocks, scaled, [B, b + s, 2d]. `levels`: of each, [B, b + s], between 0 (noise) and 1 (known).
        * `z`: codes, [B, code]. `stage`: which of `spacings`.
        """
        b, s = self.block, self.stride
        (q, p), (later_q, later_p) = self.split(whole[..., :b, :]), self.split(whole[..., s:, :])
        both = torch.cat([levels[..., :b], levels[..., s:]], -1)
        right_q, right_p = self.right[stage].gradient(q, later_p, both, z)  # pyright: ignore[reportCallIssue]
        left_p, left_q = self.left[stage].gradient(p, later_q, both, z)  # pyright: ignore[reportCallIssue]
        return [q + right_p, later_p + right_q, later_q - left_p, p - left_q]

    def block_loss(self, whole: Tensor, z: Tensor, drawn: Tensor, stage: int = 0) -> Tensor:
        """The published loss of scaled frames [B, b + s, 2d], [B].

        * `whole`: both blocks. `z`: codes. `stage`: which of `spacings`. `drawn`: [B, at least 1 + b (1 + 2d)], standard normal: one that
          chooses the mask, b that are turned into parts of signal, and noise.
        """
        b, s = self.block, self.stride
        (q, p), (later_q, later_p) = self.split(whole[..., :b, :]), self.split(whole[..., s:, :])
        truth, known = [later_q, p, q, later_p], torch.ones_like(whole[..., 0])

        def mean(found: list[Tensor]) -> Tensor:
            return torch.stack([(f - t).square().mean((-1, -2)) for f, t in zip(found, truth, strict=True)]).mean(0)

        clean = mean(self.errors(whole, known, z, stage))
        if not self.denoise:
            return clean
        part = 0.5 * (1 + torch.erf(drawn[..., 1 : b + 1] / 2**0.5))  # even in 0 .. 1
        part = torch.cat([torch.ones_like(part[..., :s]), part], -1)  # a number for each frame of both blocks
        noise = drawn[..., 1 + b : 1 + b + 2 * b * self.pairs].reshape(*drawn.shape[:-1], b, 2 * self.pairs)
        noise = torch.cat([torch.zeros_like(noise[..., :s, :]), noise], -2)
        at = torch.arange(b + s, device=whole.device)
        hidden = (at >= b).expand(known.shape)
        if self.masks == "both":
            hidden = torch.where(drawn[..., :1] > 0, at == 1, at >= b)
        level = torch.where(hidden, part, known)
        mixed = torch.where(hidden[..., None], level[..., None] * whole + (1 - level[..., None]) * noise, whole)
        return clean + self.weight * mean(self.errors(mixed, level, z, stage))

    def residual(self, frames: Tensor, z: Tensor) -> Tensor:
        """What is left of both Hamiltonians between known blocks, [B, R], for scaled `frames` [B, K, 2d] and codes `z` [B, c]."""
        b, s, batch = self.block, self.stride, len(frames)
        whole = frames.unfold(1, b + s, 1).movedim(-1, -2)
        codes = z.repeat_interleave(whole.shape[1], 0)
        whole = whole.flatten(0, 1)
        (q, p), (later_q, later_p) = self.split(whole[:, :b]), self.split(whole[:, s:])
        found = self.errors(whole, torch.ones_like(whole[..., 0]), codes)
        gaps = [(f - t).flatten(1) for f, t in zip(found, (later_q, p, q, later_p), strict=True)]
        return torch.cat(gaps, 1).reshape(batch, -1)

    def step(self, past: Tensor, direction: Tensor, z: Tensor, end: Tensor | None = None) -> Tensor:
        """The block after the last b frames, or before them where they are listed back in time, by denoising; `end` is not looked at."""
        b, s, block = self.block, self.stride, past[..., -self.block :, :]
        at, hidden, on = torch.arange(b + s, device=past.device), torch.zeros_like(block[..., :s, :]), direction > 0
        whole = torch.where(on[..., None], torch.cat([block, hidden], -2), torch.cat([hidden, block.flip(-2)], -2))
        found = self.denoised(whole, torch.where(on, at < b, at >= s), z)
        return torch.where(on, found[..., b, :], found[..., s - 1, :])

    def denoised(self, whole: Tensor, known: Tensor, z: Tensor, noise: Tensor | None = None, stage: int = 0) -> Tensor:
        """Both blocks [B, b + s, 2d] with the unknown frames found; where a frame stands in both, the mean of what each says of it.

        * `whole`: scaled frames; unknown ones are not looked at. `known`: bool [b + s], or [B, b + s]. `z`: codes.
        * `stage`: which of `spacings`.
        * `noise`: what unknown frames are mixed with before each refinement, [N + 1, B, b + s, 2d]; None: 0.
        """
        b, s = self.block, self.stride
        held, times = known[..., None], max(self.refinements, 1)
        guess = torch.where(held, whole, torch.zeros_like(whole) if self.denoise else self._nearest(whole, known))
        roles = torch.zeros(b + s, 1, dtype=whole.dtype, device=whole.device)
        roles[:b] += 1
        roles[s:] += 1
        for k in range(self.refinements + 1):
            a = k / times if self.denoise else 1.0
            mixed = a * guess if noise is None else a * guess + (1 - a) * noise[k]
            level = torch.where(known, 1.0, a).to(whole).expand(whole.shape[:-1])
            later_q, p, q, later_p = self.errors(torch.where(held, whole, mixed), level, z, stage)
            gap = torch.zeros_like(whole[..., :s, :])
            found = torch.cat([torch.cat([q, p], -1), gap], -2) + torch.cat([gap, torch.cat([later_q, later_p], -1)], -2)
            guess = torch.where(held, whole, found / roles)
        return guess

    def _nearest(self, whole: Tensor, known: Tensor) -> Tensor:
        """The nearest known frame in the place of each."""
        count = known.shape[-1]
        at = torch.arange(count, device=known.device)
        far = (at[:, None] - at).abs() + count * ~known[..., None, :]
        return torch.gather(whole, -2, far.argmin(-1)[..., None].expand(whole.shape))

    def filled(self, frames: Tensor, mask: Mask, z: Tensor) -> Tensor:
        """The frames between every $2^m$-th one, scaled, in m stages that each halve the spacing; see `MotionModel.filled`."""
        gap = mask.gap if isinstance(mask, Every) else 0
        stages = [k for k in self.spacings if k < gap]
        if self.masks != "both" or [2 * k for k in reversed(stages)] != [gap // 2**i for i in range(len(stages))] or not stages:
            raise OrbitscopeError(
                f"refine: a dhn fills between every second, fourth, ... frame where it was trained with masks=both and spacings down from "
                f"half of that; got {mask} with masks={self.masks}, spacings={self.spacings}. Train with --preset refine."
            )
        found, last = frames.clone(), (frames.shape[1] - 1) // gap * gap
        seen = torch.tensor([True, False, True], device=frames.device)
        for k in reversed(stages):
            triples = found[:, : last + 1 : k].unfold(1, 3, 2).movedim(-1, -2)  # [B, n, 3, 2d]
            batch, count = triples.shape[:2]
            codes = z.repeat_interleave(count, 0)
            made = self.denoised(triples.flatten(0, 1), seen, codes, stage=self.spacings.index(k))[:, 1]
            found[:, k : last + 1 : 2 * k] = made.reshape(batch, count, -1)
        for t in range(last + 1, frames.shape[1]):
            found[:, t] = self.advance(found[:, t - self.block : t], z)
        return found

    @torch.no_grad()
    def ensemble(self, past: Tensor, steps: int, z: Tensor, members: int, seed: int = 0) -> Tensor:
        """Forecasts [members, B, steps, 2d] that mix unknown frames with random noise before each refinement, as published.

        * `past`, `steps`, `z`: as of `forecast`. `members`: how many. `seed`: of the noise.
        """
        self.check_past(past)
        b, s, wide = self.block, self.stride, past.shape[-1]
        generator = torch.Generator().manual_seed(derive(seed, "denoising noise"))
        frames = [f.repeat(members, 1) for f in self.scale(past)[:, -b:].unbind(1)]
        codes, known = z.repeat(members, 1), torch.arange(b + s) < b
        for _ in range(steps):
            noise = torch.randn(self.refinements + 1, len(codes), b + s, wide, generator=generator, dtype=torch.float64).to(codes)
            block = torch.stack(frames[-b:], 1)
            whole = torch.cat([block, torch.zeros_like(block[:, :s])], 1)
            frames.append(self.denoised(whole, known, codes, noise)[:, b])
        return self.unscale(torch.stack(frames[b:], 1)).reshape(members, len(past), steps, wide)
