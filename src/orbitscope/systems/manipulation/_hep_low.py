"""The low level: a chunk of actions in a frame, by diffusion, one network on the fibres of the group."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...nn import Features
from ...symmetry import Group
from ._diffusion import Diffusion
from ._hep_actions import SIZE, Frame, agreed, as_chunk, as_numbers, bounded, turned_pairs
from ._hep_layers import Stage, convolution, many
from ._hep_voxels import StackedVoxels, with_hand

_STATE = SIZE + 3  # numbers of the hand in the frame: an action's, and the heights of its axes
_LEVELS = 32  # numbers that tell the noise level


class ChunkUNet(nn.Module):
    """A 1-D U-Net along the steps of a chunk, two resolutions, told of everything else by scale and shift.

    * `channels`: of a step. `condition`: numbers that it is told. `width`: channels of the finer resolution.
    """

    def __init__(self, channels: int, condition: int, width: int) -> None:
        super().__init__()
        self.level = nn.Sequential(nn.Linear(_LEVELS, _LEVELS), nn.SiLU())
        told = condition + _LEVELS
        self.enter = Block(channels, width, told)
        self.down = nn.Conv1d(width, width, 4, 2, 1)
        self.deep = nn.ModuleList([Block(width, 2 * width, told), Block(2 * width, 2 * width, told)])
        self.up = nn.ConvTranspose1d(2 * width, width, 4, 2, 1)
        self.leave = Block(2 * width, width, told)
        self.head = nn.Conv1d(width, channels, 1)

    def forward(self, x: Tensor, told: Tensor, step: Tensor) -> Tensor:
        """[B, channels, steps] of noisy steps `x`, what is told [B, condition], and the number of the noise level [B]."""
        rates = torch.exp(-math.log(1e4) * torch.arange(_LEVELS // 2).to(x) / (_LEVELS // 2))
        wave = step.to(x)[:, None] * rates
        told = torch.cat([told, self.level(torch.cat([wave.sin(), wave.cos()], 1))], 1)
        first = self.enter(x, told)
        deep = self.down(first)
        for block in self.deep:
            deep = block(deep, told)
        return self.head(self.leave(torch.cat([self.up(deep), first], 1), told))


class Block(nn.Module):
    """Two convolutions of width 5 with group norm, scale and shift from what is told, and a way around."""

    def __init__(self, into: int, out: int, told: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(into, out, 5, padding=2), nn.Conv1d(out, out, 5, padding=2)
        self.norms = nn.ModuleList(nn.GroupNorm(min(8, out), out) for _ in range(2))
        self.film = nn.Linear(told, 2 * out)
        self.around = nn.Conv1d(into, out, 1) if into != out else nn.Identity()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """`x` [B, into, steps] and `told` [B, numbers] -> [B, out, steps]."""
        scale, shift = self.film(told)[..., None].chunk(2, 1)
        inner = F.silu(self.norms[0](self.first(x))) * (1 + scale) + shift
        return F.silu(self.norms[1](self.second(inner))) + self.around(x)


class ChunkNet(nn.Module):
    r"""A chunk of actions told in a frame, from the cloud and the hand as the frame sees them, by diffusion.

    * `group`: turns about the vertical (`turns_about_vertical`). `cells`, `edge`: of its voxels. `width`, `hidden`: regular fields of the
      encoder at its first grid, and channels of the denoiser. `steps`: of the chunk, even. `stacked`: as of `StackedVoxels`. `pointed`:
      whether it is told a place beside what it sees. `diffusion`: the chain.

    Everything is lifted to the group, $y_g = g^{-1} y$, one ordinary network answers for every element, and the answers come back together,
    $\frac{1}{|G|} \sum_g g\, \epsilon(y_g)$: the denoiser commutes with the group, $\epsilon(g o, g a) = g\, \epsilon(o, a)$, exactly for
    quarter turns.

    Source: Wang et al., Equivariant Diffusion Policy, arXiv 2407.01812, as Zhao et al., arXiv 2502.05728, use it.
    """

    scale: Tensor
    """m: of places in the plane; mean and scale of heights, [3]."""

    def __init__(
        self, group: Group, *, cells: int = 32, edge: float = 0.015, width: int = 6, hidden: int = 32, steps: int = 18,
        stacked: bool = True, pointed: bool = False, diffusion: Diffusion | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.steps, self.pointed = steps, pointed
        self.diffusion = diffusion or Diffusion()
        self.register_buffer("scale", torch.ones(3))
        self.voxels = StackedVoxels(group, cells, edge, stacked=stacked)
        order, halvings = len(group.elements), int(math.log2(cells)) - 2
        depths = [Features.of(group, f"regular*{many(order, width * min(2**k, 2))}") for k in range(halvings)]
        stages: list[nn.Module] = []
        for into, out in zip([self.voxels.out, *depths], depths, strict=False):
            stages += [Stage(into, out, 2), Stage(out, out)]
        self.encoder = nn.Sequential(*stages)
        self.seen = many(order, 4 * width)
        self.read = convolution(depths[-1], Features.of(group, f"regular*{self.seen}"), 4, 4)
        self.denoiser = ChunkUNet(SIZE, self.seen + _STATE + 3 * pointed, hidden)

    def told(self, x: tuple[Tensor, ...], frame: Frame, place: Tensor | None = None) -> Tensor:
        """What the denoiser is told, [B, elements, numbers].

        * `x`: points, colours, mask, hand, open. `frame`: in which the chunk is told. `place` [B, 3]: that it is `pointed` to, in the
          world.
        """
        points, seen, mask = with_hand(x)
        fields = self.encoder(self.voxels(frame.points(points), seen, mask))
        up = (4 - fields.shape[4]) // 2
        code = F.silu(self.read(F.pad(fields, (up, up))))[..., 0, 0, 0].unflatten(1, (self.seen, -1)).mT
        hand = frame.poses(x[3])
        state = torch.cat([as_numbers(torch.cat([hand, x[4]], 1), self.scale), hand[:, [5, 8, 11]]], 1)
        parts = [code, self._lifted(state)]
        if place is not None:
            at = frame.points(place[:, None])[:, 0]
            pair = torch.einsum("gji,bj->bgi", self.turns(at), at[:, :2] / self.scale[0])
            height = ((at[:, 2:] - self.scale[1]) / self.scale[2])[:, None].expand(-1, pair.shape[1], -1)
            parts += [pair, height]
        return torch.cat(parts, 2)

    def turns(self, like: Tensor) -> Tensor:
        """The group's matrices of the plane, [elements, 2, 2], in the precision of `like`."""
        return self.voxels.turns.to(like)

    def denoise(self, noisy: Tensor, told: Tensor, step: Tensor) -> Tensor:
        """The answer of the denoiser, [B, steps, 10].

        * `noisy` [B, steps, 10]: numbers of chunks with noise. `told` [B, elements, numbers]: of `told`. `step` [B]: noise levels.
        """
        batch, elements = told.shape[:2]
        fibres = self._lifted(noisy).flatten(0, 1).mT
        answer = self.denoiser(fibres, told.flatten(0, 1), step.repeat_interleave(elements)).mT.unflatten(0, (batch, elements))
        return turned_pairs(answer, self.turns(answer)[:, None]).mean(1)

    def loss(self, x: tuple[Tensor, ...], frame: Frame, chunk: Tensor, place: Tensor | None, draws: int = 2) -> Tensor:
        """The mean squared error of the denoiser for each example, [B].

        * `x`: what is seen. `frame`: of the chunk. `chunk` [B, steps, 13]: what should be done, in the world. `place`: as of `told`.
        * `draws`: noise levels for each example; what is seen is encoded once for all of them.
        """
        clean = as_numbers(self._in(frame, chunk), self.scale).repeat_interleave(draws, 0)
        told = self.told(x, frame, place).repeat_interleave(draws, 0)
        noise, step = torch.randn_like(clean), torch.randint(self.diffusion.steps, (len(clean),), device=clean.device)
        answer = self.denoise(self.diffusion.noised(clean, noise, step), told, step)
        return (answer - self.diffusion.wanted(clean, noise)).square().mean((1, 2)).unflatten(0, (-1, draws)).mean(1)

    def sample(
        self, x: tuple[Tensor, ...], frame: Frame, noise: Tensor, place: Tensor | None = None, *, steps: int = 10, every: bool = False
    ) -> Tensor:  # fmt: skip
        """A chunk, [B, steps, 13], in the world.

        * `x`, `frame`, `place`: as of `told`. `noise` [S, B, steps, 10]: standard normal, in the axes of the world; S is the number of
          chunks that are drawn, of which `agreed` makes one, or for `every`, which draws one, one more than the steps of the chain.
        * `steps`: of DDIM. `every`: DDPM over the whole chain instead.
        """
        draws = 1 if every else len(noise)
        told = self.told(x, frame, place).repeat(draws, 1, 1)
        noise = turned_pairs(noise, frame.turn[None, :, None, :2, :2].mT)

        def answer(noisy: Tensor, step: Tensor) -> Tensor:
            return self.denoise(noisy, told, step)

        first, fresh = (noise[0], noise[1:]) if every else (noise.flatten(0, 1), None)
        found = self.diffusion.sample(answer, first, fresh=fresh, steps=steps, bound=bounded)
        chunk = as_chunk(agreed(found.unflatten(0, (draws, -1))), self.scale)
        return torch.cat([frame.world(chunk[..., :12]), chunk[..., 12:]], -1)

    def _in(self, frame: Frame, chunk: Tensor) -> Tensor:
        return torch.cat([frame.poses(chunk[..., :12]), chunk[..., 12:]], -1)

    def _lifted(self, numbers: Tensor) -> Tensor:
        """[B, elements, ..., n] of `numbers` [B, ..., n]: turned back by each element."""
        turns = self.turns(numbers)
        back = turns.mT.reshape(1, len(turns), *[1] * (numbers.ndim - 2), 2, 2)
        return turned_pairs(numbers[:, None].expand(-1, len(turns), *[-1] * (numbers.ndim - 1)), back)
