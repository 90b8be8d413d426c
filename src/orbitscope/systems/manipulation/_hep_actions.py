"""Chunks of actions of a hand as numbers: straight ways between poses, pairs that turn with the plane, frames in which they are told."""

from typing import NamedTuple

import torch
from torch import Tensor

from ._drive import FINGER_REST
from ._scene import RATE, SPEED, TURN

PAIRS = 4  # of a pose: its place in the plane, and the horizontal part of each axis
SIZE = 2 * PAIRS + 2  # and height and fingers


class Frame(NamedTuple):
    """Where a chunk is told from.

    * `origin` [B, 3]: in the world, m. `turn` [B, 3, 3]: a rotation about the vertical.
    """

    origin: Tensor
    turn: Tensor

    def points(self, points: Tensor) -> Tensor:
        """`points` [B, P, 3] of the world as the frame sees them."""
        return (points - self.origin[:, None]) @ self.turn

    def poses(self, poses: Tensor) -> Tensor:
        """`poses` [B, ..., 12] of the world as the frame sees them."""
        rows = poses.unflatten(-1, (4, 3))
        wide = (len(rows), *[1] * (rows.ndim - 3))
        place = rows[..., :1, :] - self.origin.reshape(*wide, 1, 3)
        return (torch.cat([place, rows[..., 1:, :]], -2) @ self.turn.reshape(*wide, 3, 3)).flatten(-2)

    def world(self, poses: Tensor) -> Tensor:
        """`poses` [B, ..., 12] of the frame as the world sees them."""
        rows = poses.unflatten(-1, (4, 3))
        wide = (len(rows), *[1] * (rows.ndim - 3))
        rows = rows @ self.turn.reshape(*wide, 3, 3).mT
        return torch.cat([rows[..., :1, :] + self.origin.reshape(*wide, 1, 3), rows[..., 1:, :]], -2).flatten(-2)

    def seen(self, x: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What is seen, `x` (points, colours, mask, hand, open), as the frame sees it."""
        points, colours, mask, hand, told = x
        return self.points(points), colours, mask, self.poses(hand), told


def at_place(origin: Tensor) -> Frame:
    """The frame at `origin` [B, 3] with the axes of the world."""
    return Frame(origin, torch.eye(3).to(origin).expand(len(origin), 3, 3))


def heading_turns(way: Tensor) -> Tensor:
    """The rotations about the vertical [B, 3, 3] that take x to a direction, `way` [B, 2]."""
    c, s = (way / way.norm(dim=1, keepdim=True).clamp(min=1e-6)).unbind(1)
    zero = torch.zeros_like(c)
    return torch.stack([c, -s, zero, s, c, zero, zero, zero, zero + 1], 1).unflatten(1, (3, 3))


def as_numbers(chunk: Tensor, scale: Tensor) -> Tensor:
    """Chunks as numbers about 1, [..., 10]: place in the plane, the horizontal part of the three axes, height, fingers.

    * `chunk` [..., 13]: poses in a frame, and 1 for open fingers. `scale` [3]: m of the place, one for x and y so that turns commute; mean
      and scale of the height, m.
    """
    rows = chunk[..., :12].unflatten(-1, (4, 3))
    height = (rows[..., 0, 2:] - scale[1]) / scale[2]
    return torch.cat([rows[..., 0, :2] / scale[0], rows[..., 1:, :2].flatten(-2), height, 2 * chunk[..., 12:] - 1], -1)


def as_chunk(numbers: Tensor, scale: Tensor) -> Tensor:
    r"""The chunks [..., 13] of numbers, with rotations made of what may be none: $M \to (M M^T)^{-1/2} M$ for the first two rows M.

    * `numbers` [..., 10]: see `as_numbers`; open fingers come out between 0 and 1 and beyond. `scale` [3]: as of it.

    This choice, unlike Gram and Schmidt's, commutes with turns of the rows among each other, that is, of the plane.
    """
    place, height = numbers[..., :2] * scale[0], numbers[..., 8:9] * scale[2] + scale[1]
    rows = numbers[..., 2:8].unflatten(-1, (3, 2)).mT  # [..., 2, 3]: row of x, row of y
    square = rows @ rows.mT
    size = torch.linalg.det(square).clamp(min=1e-12).sqrt()[..., None, None]
    root = (square + size * torch.eye(2).to(rows)) / (square.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None] + 2 * size).sqrt()
    first, second = torch.linalg.solve(root, rows).unbind(-2)
    turn = torch.stack([first, second, torch.linalg.cross(first, second, dim=-1)], -2)
    return torch.cat([place, height, turn.mT.flatten(-2), (numbers[..., 9:] + 1) / 2], -1)


def turned_pairs(numbers: Tensor, turn: Tensor) -> Tensor:
    """`numbers` [..., 10 or more] with their first four pairs turned by `turn` [..., 2, 2]: how a turn of the plane moves an action."""
    pairs = numbers[..., : 2 * PAIRS].unflatten(-1, (PAIRS, 2)) @ turn.mT
    return torch.cat([pairs.flatten(-2), numbers[..., 2 * PAIRS :]], -1)


def bounded(numbers: Tensor, most: float = 3.0) -> Tensor:
    """`numbers` [..., 10] with every pair within a disk and the others within an interval: no turn of the plane changes that."""
    pairs = numbers[..., : 2 * PAIRS].unflatten(-1, (PAIRS, 2))
    pairs = pairs / (pairs.norm(dim=-1, keepdim=True) / most).clamp(min=1)
    return torch.cat([pairs.flatten(-2), numbers[..., 2 * PAIRS :].clamp(-most, most)], -1)


def agreed(draws: Tensor) -> Tensor:
    """One of several draws of chunks: the mean of that half of them whose ends lie nearest the end that all others are nearest to.

    * `draws` [S, B, steps, 10]: as numbers. One or two: the first.

    A mean is nearer than a draw, and the half keeps it within one way of doing the thing where there are several. Distances between ends
    are those of the numbers, which no turn of the plane changes, so the choice turns with the scene.
    """
    if len(draws) < 3:
        return draws[0]
    ends = draws[:, :, -1]
    apart = (ends[:, None] - ends[None]).norm(dim=3)  # [S, S, B]
    middle, batch = apart.sum(1).argmin(0), torch.arange(draws.shape[1], device=draws.device)
    near = apart[middle, :, batch].topk((len(draws) + 1) // 2, dim=1, largest=False).indices  # [B, S / 2]
    return draws[near, batch[:, None]].mean(1)


def way(hand: Tensor, told: Tensor, goal: Tensor, then: Tensor, steps: int, *, by_step: bool = False) -> Tensor:
    """What a demonstration does between a pose and the next keyframe, [B, steps, 13]: straight, turning evenly, fingers at the end.

    * `hand`, `told`: pose [B, 12] and fingers [B, 1] now. `goal`, `then`: those of the keyframe. `steps`: of the chunk.
    * `by_step`: whether a step is one of the control, at the bounds of speed, as `drive` goes; else the whole way is parted evenly, with
      three steps at the keyframe.
    """
    place, turn = goal[:, :3] - hand[:, :3], _matrix(goal) @ _matrix(hand).mT
    axis, angle = _axis(turn)
    count = torch.arange(1, steps + 1).to(hand)
    if by_step:
        lasts = torch.maximum(place.norm(dim=1) / (SPEED / RATE), angle / (TURN / RATE)).clamp(min=1.0)[:, None]
        done = count >= lasts + FINGER_REST
    else:
        lasts, done = torch.full_like(told, max(1.0, steps - 3.0)), (count > steps - 3)[None]
    part = (count / lasts).clamp(max=1)
    places = hand[:, None, :3] + part[..., None] * place[:, None]
    turns = _turns(axis[:, None].expand(-1, steps, -1), part * angle[:, None]) @ _matrix(hand)[:, None]
    fingers = torch.where(done, then, told)[..., None]
    return torch.cat([places, turns.mT.flatten(2), fingers], 2)


def _matrix(poses: Tensor) -> Tensor:
    return poses[:, 3:12].unflatten(1, (3, 3)).mT


def _axis(turn: Tensor) -> tuple[Tensor, Tensor]:
    """Axes [B, 3] and angles [B] of rotations [B, 3, 3]; near a half turn the axis has either sign."""
    skew = torch.stack([turn[:, 2, 1] - turn[:, 1, 2], turn[:, 0, 2] - turn[:, 2, 0], turn[:, 1, 0] - turn[:, 0, 1]], 1)
    size = skew.norm(dim=1)
    angle = torch.atan2(size, turn.diagonal(dim1=1, dim2=2).sum(1) - 1)
    outer = (turn + turn.mT) / 2 - angle.cos()[:, None, None] * torch.eye(3).to(turn)
    column = outer[torch.arange(len(turn)), outer.diagonal(dim1=1, dim2=2).argmax(1)]
    plain = skew / size.clamp(min=1e-12)[:, None]
    wide = column / column.norm(dim=1, keepdim=True).clamp(min=1e-12)
    wide = torch.where((wide * skew).sum(1, keepdim=True) < 0, -wide, wide)
    return torch.where((angle > 3.0)[:, None], wide, plain), angle


def _turns(axis: Tensor, angle: Tensor) -> Tensor:
    """Rotations [..., 3, 3] about axes [..., 3] by angles [...]."""
    x, y, z = axis.unbind(-1)
    zero = torch.zeros_like(x)
    k = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    s, c = angle.sin()[..., None, None], angle.cos()[..., None, None]
    return torch.eye(3).to(axis) + s * k + (1 - c) * (k @ k)
