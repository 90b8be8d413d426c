"""What networks see: points and the hand's own bones as fields on a cube of voxels."""

import torch
from torch import Tensor

from ._search import split
from ._voxels import saturated, splatted

#: Of the hand, wider than it is, so that its heading shows in coarse voxels.
BONES = torch.tensor([[0.0, y, z] for y in (-0.09, -0.045, 0.0, 0.045, 0.09) for z in (0.0, -0.04, -0.08)], dtype=torch.float64)
_MIDDLE = (0.0, 0.0, 0.18)  # of the coarse cube, above the table's top


def middle(like: Tensor) -> Tensor:
    """The centre of the coarse cube, [B, 3], for as many examples and in the precision as `like` [B, ...]."""
    return torch.tensor(_MIDDLE, dtype=like.dtype, device=like.device).expand(len(like), 3)


def seen_fields(x: tuple[Tensor, ...], weights: Tensor, centre: Tensor, cells: int, edge: float) -> Tensor:
    """Occupancy, three colours, the hand's bones, and those of open fingers: [B, 6, n, n, n].

    * `x`: points, colours, mask, hand, open, as of the examples. `weights` [B, P]: which points are seen.
    * `centre` [B, 3]: of the cube, m. `cells`, `edge`: n along each axis, and of a voxel, m.
    """
    points, colours, _, hand, told = x
    one = torch.ones_like(weights)[..., None]
    seen = saturated(splatted(points - centre[:, None], torch.cat([one, colours], 2), weights, cells, edge))
    place, turn = split(hand)
    bones = place[:, None] + BONES.to(hand) @ turn.mT
    told = told[:, None].expand(-1, len(BONES), -1)
    marks = torch.cat([torch.ones_like(told), told], 2)
    return torch.cat([seen, splatted(bones - centre[:, None], marks, torch.ones_like(marks[..., 0]), cells, edge)], 1)
