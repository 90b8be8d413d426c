"""The high level: where the next keypose is, as a heat map over voxels and an offset within one."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...nn import Features
from ...symmetry import Group
from ._hep_layers import Stage, convolution, many, wider
from ._hep_voxels import StackedVoxels, middle_of, with_hand

ABOVE = 0.12  # m from the mean of the points, most of which lie on the table, to the middle of the grid
_HEAT, _OFFSET, _HEADING = slice(0, 1), slice(1, 4), slice(4, 6)


class Keypose(NamedTuple):
    """What the high level says.

    * `place` [B, 3]: of the next keyframe, m. `heading` [B, 2]: horizontal direction of the hand's x axis there, of any length.
    """

    place: Tensor
    heading: Tensor


class KeyposeNet(nn.Module):
    r"""A U-Net over stacked voxels, [scene, hand] -> the place of the next keyframe.

    * `group`: turns about the vertical, see `turns_about_vertical`; it commutes with those by a quarter exactly. `cells`, `edge`: of its
      grid. `width`: regular fields of the finest grid, as many channels as elements each. `stacked`: as of `StackedVoxels`. `votes`: how
      many voxels to each side of the best one say the place with it; 0: it alone.

    The grid stands about the mean of the points (`middle_of`), so that every shift of the whole scene is exact too. Beside the heat map
    the network gives a vector field, the offset of the place from each voxel's centre. The place is the mean of what the best voxel and
    its neighbours say, weighted by their heat: finer than a voxel, and nearly the same where a neighbour wins. Loss: cross-entropy of the
    voxel, plus the squared error of the offset in voxels, in the mean over the true voxel and those that vote with it.
    """

    def __init__(self, group: Group, *, cells: int = 32, edge: float = 0.02, width: int = 3, stacked: bool = True, votes: int = 1) -> None:
        super().__init__()
        self.votes = votes
        self.voxels = StackedVoxels(group, cells, edge, stacked=stacked)
        seen, order = self.voxels.out, len(group.elements)
        depths = [Features.of(group, f"regular*{many(order, width * 2**k)}") for k in range(3 if cells <= 16 else 4)]
        told = Features.of(group, "scalar")
        self.skip = convolution(seen, depths[0], 1)
        self.down = nn.ModuleList([Stage(seen, depths[1], 2), *(Stage(a, b, 2) for a, b in zip(depths[1:], depths[2:], strict=False))])
        self.deep = nn.Sequential(Stage(depths[-1] + told, depths[-1]), Stage(depths[-1], depths[-1]))
        self.up = nn.ModuleList(Stage(b + a, a, 3 if k else 1) for k, (a, b) in enumerate(zip(depths, depths[1:], strict=False)))
        self.wide = nn.ModuleList(wider(b) for b in depths[1:])
        said = ("scalar", "vector", "vector") if seen.ndim == 3 else ("scalar", "vector", "scalar", "vector")
        self.head = convolution(depths[0], Features.of(group, *said), 1)

    def fields(self, x: tuple[Tensor, ...], centre: Tensor) -> Tensor:
        """Heat [B, 1, ...], offset [3] and heading [2, of three] on the grid about `centre` [B, 3], for what is seen, `x`."""
        points, seen, mask = with_hand(x)
        first = self.voxels(points - centre[:, None], seen, mask)
        levels = [F.silu(self.skip(first))]
        for k, stage in enumerate(self.down):
            levels.append(stage(first if k == 0 else levels[-1]))
        last = levels.pop()
        told = x[4][:, :, None, None, None].expand(-1, -1, *last.shape[2:])
        last = self.deep(torch.cat([last, told], 1))
        for level, stage, wide in zip(reversed(levels), reversed(self.up), reversed(self.wide), strict=True):
            last = stage(torch.cat([wide(last), level], 1))
        return self.head(last)

    def forward(self, x: tuple[Tensor, ...]) -> Keypose:
        """The keypose for what is seen.

        * `x`: points, colours, mask, hand, open.
        """
        centre = middle_of(x, ABOVE)
        fields = self.fields(x, centre).flatten(2)
        number, inside = self._around(fields[:, 0].argmax(1))
        there = _read(fields, number)
        weight = there[..., 0].masked_fill(~inside, -torch.inf).softmax(1)[..., None]
        said = self._centres(number) + there[..., _OFFSET] * self.voxels.edge
        return Keypose(centre + (weight * said).sum(1), (weight * there[..., _HEADING]).sum(1))

    def loss(self, x: tuple[Tensor, ...], goal: Tensor) -> Tensor:
        """The loss of each example, [B].

        * `x`: what is seen. `goal` [B, 12]: pose of the next keyframe.
        """
        centre = middle_of(x, ABOVE)
        fields = self.fields(x, centre).flatten(2)
        size = torch.tensor(self.voxels.shape).to(goal)
        cell = ((goal[:, :3] - centre) / self.voxels.edge + size / 2).floor()
        cell = torch.minimum(cell.clamp(min=0), size - 1).long()
        own = (cell[:, 0] * self.voxels.shape[1] + cell[:, 1]) * self.voxels.shape[2] + cell[:, 2]
        number, inside = self._around(own)
        there, share = _read(fields, number), inside / inside.sum(1, keepdim=True)
        away = (goal[:, None, :3] - centre[:, None] - self._centres(number)) / self.voxels.edge
        heading = F.normalize(goal[:, 3:5], dim=1)[:, None] - there[..., _HEADING]
        wrong = (there[..., _OFFSET] - away).square().sum(2) + heading.square().sum(2)
        return F.cross_entropy(fields[:, 0], own, reduction="none") + (share * wrong).sum(1)

    def _around(self, number: Tensor) -> tuple[Tensor, Tensor]:
        """The numbers [B, N] of voxels and those that vote with them, and which of these lie on the grid."""
        a, b, c = self.voxels.shape
        near = torch.cartesian_prod(*[torch.arange(-self.votes, self.votes + 1, device=number.device)] * 3)
        cell = torch.stack([number // (b * c), number // c % b, number % c], 1)[:, None] + near
        size = torch.tensor([a, b, c], device=number.device)
        inside = ((cell >= 0) & (cell < size)).all(2)
        cell = torch.minimum(cell.clamp(min=0), size - 1)
        return (cell[..., 0] * b + cell[..., 1]) * c + cell[..., 2], inside

    def _centres(self, number: Tensor) -> Tensor:
        """Centres [..., 3] of voxels by number, from the middle of the grid, m."""
        a, b, c = self.voxels.shape
        at = torch.stack([number // (b * c), number // c % b, number % c], -1).to(self.voxels.turns)
        return (at - (torch.tensor([a, b, c]).to(at) - 1) / 2) * self.voxels.edge


def _read(fields: Tensor, number: Tensor) -> Tensor:
    """Values [B, N, C] of flat fields [B, C, voxels] at voxels by number [B, N]."""
    return fields.gather(2, number[:, None].expand(-1, fields.shape[1], -1)).mT
