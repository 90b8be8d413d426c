"""Stacked voxels: every voxel learns from all of its points, in no order, by what a network says of each."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...nn import Features
from ...symmetry import Group

Shape = tuple[int, int, int]
SEEN = 5  # numbers of a point beside its place: red, green, blue, of the hand, of a hand with open fingers
_HAND = [[0.0, y, z] for y in (-0.03, 0.0, 0.03) for z in (0.0, -0.04, -0.08)]  # points of the hand in its own frame, m


def shape_of(cells: int) -> Shape:
    """Voxels along x, y and z of a grid: half as high as wide, since a table is. Raises `OrbitscopeError` unless 8, 16, 32, 64."""
    if cells not in (8, 16, 32, 64):
        raise OrbitscopeError(f"hep: `cells` should be 8, 16, 32 or 64 voxels along x and y, got {cells}.")
    return cells, cells, cells // 2


def with_hand(x: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """All points [B, P + 9, 3] with marks of the hand among them, what is seen of each [B, P + 9, 5], and which count [B, P + 9].

    * `x`: points, colours, mask, hand, open, as of the examples.
    """
    points, colours, mask, hand, told = x
    turn = hand[:, 3:].unflatten(1, (3, 3))  # rows are axes
    marks = hand[:, None, :3] + torch.tensor(_HAND).to(hand) @ turn
    count = marks.shape[1]
    own = torch.cat([torch.zeros(len(hand), count, 3).to(hand), torch.ones(len(hand), count, 1).to(hand),
                     told[:, None].expand(-1, count, -1)], 2)  # fmt: skip
    seen = torch.cat([F.pad(colours, (0, 2)), own], 1)
    return torch.cat([points, marks], 1), seen, torch.cat([mask, torch.ones(len(hand), count).to(mask)], 1)


def middle_of(x: tuple[Tensor, ...], above: float) -> Tensor:
    """A place [B, 3] that moves with the scene: the mean of all points that are seen, and `above` m higher.

    * `x`: points, colours, mask, hand, open. Voxels that stand about it make everything commute with every shift of the scene.
    """
    points, _, mask, _, _ = x
    mean = (points * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
    return mean + torch.tensor([0.0, 0.0, above]).to(mean)


class StackedVoxels(nn.Module):
    r"""Fields on a grid of voxels from the points in each: $v_i = [\max_p l(p),\ \mathrm{mean}_p\, l(p),\ m / (1 + m)]$ over its m points.

    * `group`: turns about the vertical. `cells`, `edge`: of the grid (`shape_of`), and the edge of a voxel, m. `fields`: numbers that l
      says.
    * `stacked`: else no network: the mean of colours and marks of a voxel's points, and $m / (1 + m)$.

    $l_g(p) = \phi(g^{-1} r_p, f_p)$ for each element g, with $r_p$ the place relative to the centre of the voxel in its edges and $f_p$
    colours and marks: regular fields, $l(g p) = \rho(g)\, l(p)$. No point is left out and none comes first, so that turns by a quarter and
    shifts by voxels are exact. Source: Zhao et al., arXiv 2502.05728, Prop. 4.1; maximum and mean in place of up to 6 points a voxel.
    """

    turns: Tensor
    """The group's matrices of the plane, [elements, 2, 2]."""

    def __init__(self, group: Group, cells: int, edge: float, fields: int = 4, stacked: bool = True) -> None:
        super().__init__()
        self.shape, self.edge, self.stacked, self.count = shape_of(cells), edge, stacked, fields
        matrices = torch.tensor(np.stack([g.matrix for g in group.elements])[:, :2, :2])
        self.register_buffer("turns", matrices.float(), persistent=False)
        self.out = Features.of(group, f"regular*{2 * fields}", "scalar") if stacked else Features.of(group, f"scalar*{SEEN + 1}")
        """Fields that come out."""
        self.first, self.second = (nn.Linear(3 + SEEN, 16), nn.Linear(16, fields)) if stacked else (None, None)

    def forward(self, points: Tensor, seen: Tensor, mask: Tensor) -> Tensor:
        """[B, out.channels, X, Y, Z], the middle of the grid at the origin.

        * `points` [B, P, 3]: in the frame of the grid, m. `seen` [B, P, 5]: of each. `mask` [B, P]: 0 leaves a point out.
        """
        size = torch.tensor(self.shape).to(points)
        at = points / self.edge + size / 2
        cell = at.floor()
        inside = ((cell >= 0) & (cell < size)).all(2) & (mask > 0)
        strides = torch.tensor([self.shape[1] * self.shape[2], self.shape[2], 1], device=points.device)
        total = self.shape[0] * self.shape[1] * self.shape[2]
        number = torch.where(inside, (cell.long() * strides).sum(2), total)  # the last: nowhere
        if not self.stacked:
            values = seen
        else:
            near = at - cell - 0.5
            values = self._said(near, seen)
        many = _summed(inside.to(points)[..., None], number, total)
        mean = _summed(values, number, total) / many.clamp(min=1)
        full = many / (1 + many)
        if not self.stacked:
            found = torch.cat([mean, full], 2)
        else:
            index = number[..., None].expand_as(values)
            most = torch.zeros(len(points), total + 1, values.shape[2]).to(values)
            most = most.scatter_reduce(1, index, values, "amax", include_self=False)[:, :total]
            found = torch.cat([most, mean, full], 2)
        return found.mT.contiguous().unflatten(2, self.shape)  # else forward derivatives of norms fail

    def _said(self, near: Tensor, seen: Tensor) -> Tensor:
        """What the network says of each point, [B, P, fields * elements]."""
        first, second = self.first, self.second
        assert first is not None and second is not None
        turned = torch.einsum("gji,bpj->bpgi", self.turns.to(near), near[..., :2])  # g^-1 r
        flat = near[..., 2:] * first.weight[:, 2] + seen @ first.weight[:, 3:].mT + first.bias
        hidden = F.relu(turned @ first.weight[:, :2].mT + flat[:, :, None])
        return second(hidden).mT.flatten(2)  # field after field, an element each


def _summed(values: Tensor, number: Tensor, total: int) -> Tensor:
    """Sums [B, total, C] of values [B, P, C] by number [B, P]."""
    out = torch.zeros(len(values), total + 1, values.shape[2]).to(values)
    return out.scatter_add(1, number[..., None].expand_as(values), values)[:, :total]
