"""The parts of a search over poses, coarse to fine: its levels, the best cell of a grid of scores, and what lies between cells."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ._poses import turned


class Level(NamedTuple):
    """One level of the search.

    * `cells`: voxels along each axis in which the place is searched. `edge`: of a voxel, m. `kernel`: voxels of what is held, odd.
    * `spread`: angle between neighbouring orientations about the one of the level before, degrees; nothing to the first level.
    """

    cells: int
    edge: float
    kernel: int
    spread: float = 15.0


def split(poses: Tensor) -> tuple[Tensor, Tensor]:
    """Positions [B, 3] and rotations [B, 3, 3] of poses [B, 12]."""
    return poses[:, :3], poses[:, 3:].unflatten(1, (3, 3)).mT


def joined(place: Tensor, turn: Tensor) -> Tensor:
    """Poses [B, 12] of positions [B, 3] and rotations [B, 3, 3]."""
    return torch.cat([place, turn.mT.flatten(1)], 1)


def indices(level: Level, away: Tensor) -> Tensor:
    """The voxel [B, 3] of a level in which a place `away` [B, 3] from its centre lies, or the nearest one."""
    return (away / level.edge + (level.cells - 1) / 2).round().long().clamp(0, level.cells - 1)


def peak(level: Level, scores: Tensor, centre: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Place [B, 3] of the best of `scores` [B, R, n, n, n], refined by a parabola along each axis; number of its orientation; its voxel.

    Edge and cells are those of the `level`; `centre` [B, 3] is the middle of the voxels, m.
    """
    n = level.cells
    flat = scores.flatten(1).argmax(1)
    at = torch.stack([flat // n**2 % n, flat // n % n, flat % n], 1)
    turn = flat // n**3
    rows = torch.arange(len(scores), device=scores.device)
    mine = scores[rows, turn]
    fraction = torch.zeros_like(centre)
    for d in range(3):
        step = torch.zeros(3, dtype=torch.long, device=scores.device)
        step[d] = 1
        low, high = ((at + s * step).clamp(0, n - 1) for s in (-1, 1))
        a, b, c = (mine[rows, p[:, 0], p[:, 1], p[:, 2]] for p in (low, at, high))
        inner = (at[:, d] > 0) & (at[:, d] < n - 1)
        fraction[:, d] = _vertex(a, b, c, inner)
    return centre + (at + fraction - (n - 1) / 2) * level.edge, turn, at


def between(level: Level, scores: Tensor, best: Tensor, at: Tensor) -> Tensor:
    """The small turn [B, 3, 3] between the 27 of a level: the best one, refined by a parabola along each axis of its vector.

    * `level`: whose spread. `scores` [B, 27, n, n, n]. `best` [B], `at` [B, 3]: of `peak`.
    """
    rows = torch.arange(len(scores), device=scores.device)
    here = scores[rows, :, at[:, 0], at[:, 1], at[:, 2]].unflatten(1, (3, 3, 3))
    index = torch.stack([best // 9, best // 3 % 3, best % 3], 1)
    vector = (index - 1).to(scores)
    for d in range(3):
        line = torch.stack([here[b].movedim(d, 0)[:, *[int(index[b, e]) for e in range(3) if e != d]] for b in range(len(here))])
        vector[:, d] += _vertex(line[:, 0], line[:, 1], line[:, 2], index[:, d] == 1)
    made = [turned(np.deg2rad(level.spread) * v) for v in vector.double().cpu().numpy()]
    return torch.tensor(np.stack(made)).to(scores)


def resampled(fields: Tensor, turns: Tensor) -> Tensor:
    """Fields [B, C, k, k, k] turned by each of `turns` [B, R, 3, 3] about their middle, resampled: [B, R, C, k, k, k]."""
    (batch, count), k = turns.shape[:2], fields.shape[-1]
    axis = (torch.arange(k, dtype=fields.dtype, device=fields.device) - (k - 1) / 2) / ((k - 1) / 2)
    where = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    back = torch.einsum("brji,xyzj->brxyzi", turns, where).flatten(0, 1)  # at R^-1 of each centre
    out = F.grid_sample(fields.repeat_interleave(count, 0), back.flip(-1), align_corners=True, padding_mode="zeros")
    return out.unflatten(0, (batch, count))


def _vertex(low: Tensor, here: Tensor, high: Tensor, inner: Tensor) -> Tensor:
    """Where between neighbours a parabola through three scores is highest, in steps; 0 where it has no top or `inner` is false."""
    bend = low - 2 * here + high
    top = (low - high) / (2 * bend.clamp(max=-1e-12))
    return torch.where(inner & (bend < 0), top, torch.zeros_like(top)).clamp(-0.5, 0.5)
