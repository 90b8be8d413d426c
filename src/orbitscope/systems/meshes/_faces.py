"""What networks see of a face, and sums over the faces of a mesh."""

import torch
from torch import Tensor

FACE_FEATURES = 13
_ORDER = (0.5403023, 0.2954297, 1.0)  # a direction along which no two corners of a shape lie level, but by chance
_FLOOR = 1e-12


def ordered(corners: Tensor) -> Tensor:
    """The same triangles, each beginning with its lowest corner, so that the first number of a face means the same on every face.

    * `corners`: [..., 3, 3].
    """
    height = corners @ torch.tensor(_ORDER, dtype=corners.dtype, device=corners.device)
    turn = (height.argmin(-1, keepdim=True) + torch.arange(3, device=corners.device)) % 3
    return torch.take_along_dim(corners, turn[..., None].expand(*turn.shape, 3), dim=-2)


def normal_and_area(corners: Tensor) -> tuple[Tensor, Tensor]:
    """Unit normals [..., 3] and areas [...] of triangles; 0 and 0 where there is none.

    * `corners`: [..., 3, 3].
    """
    cross = torch.linalg.cross(corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :])
    size = cross.square().sum(-1).clamp_min(_FLOOR**2).sqrt()
    return cross / size[..., None], 0.5 * torch.where(size > _FLOOR, size, torch.zeros_like(size))


def face_features(corners: Tensor) -> Tensor:
    """Corners (lowest first), unit normal and logarithm of the area of every face, [..., 13].

    * `corners`: [..., face, 3, 3].
    """
    normal, area = normal_and_area(corners)
    return torch.cat([ordered(corners).flatten(-2), normal, (area[..., None] + 1e-6).log() / 3 + 1], -1)


def mean_over_faces(values: Tensor, there: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean over the faces that are there, [..., channel]; weighted, if there is a weight.

    * `values`: [..., face, channel]. `there`: [..., face]. `weight`: [..., face], or None.
    """
    share = there.to(values.dtype) if weight is None else weight * there
    return (values * share[..., None]).sum(-2) / share.sum(-1, keepdim=True).clamp_min(_FLOOR)


def mean_over_neighbours(values: Tensor, neighbours: Tensor) -> Tensor:
    """Mean over the faces across the edges, [..., face, channel]; 0 for a face without any.

    * `values`: [..., face, channel]. `neighbours`: [..., face, 3], -1 for none.
    """
    known = neighbours >= 0
    index = neighbours.clamp_min(0).flatten(-2)
    found = torch.take_along_dim(values, index[..., None].expand(*index.shape, values.shape[-1]), dim=-2)
    found = found.unflatten(-2, neighbours.shape[-2:]) * known[..., None]
    return found.sum(-2) / known.sum(-1, keepdim=True).clamp_min(1)
