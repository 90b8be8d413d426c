"""Clouds on grids of voxels, by trilinear weights: no order of points matters, and a small motion of a point is a small change."""

import itertools

import torch
from torch import Tensor

from ..._errors import OrbitscopeError


def splatted(points: Tensor, features: Tensor, weights: Tensor, cells: int, edge: float | Tensor) -> Tensor:
    r"""Fields on a cube of voxels about the origin, $v_i = \sum_p w_p f_p \prod_d \max(0, 1 - |x_{pd} - c_{id}| / h)$, [B, C, n, n, n].

    * `points` [B, P, 3]: in the frame of the cube, m. `features` [B, P, C]: their numbers. `weights` [B, P]: 0 leaves a point out.
    * `cells`: n along each axis. `edge`: h of a voxel, m.

    Axes are [x, y, z]; centres lie at $(i - (n - 1) / 2) h$, so that a quarter turn of the points is one of the array. Points beyond the
    outer centres fade out. Raises `OrbitscopeError` for shapes that do not belong together.
    """
    batch, count, channels = features.shape
    if points.shape != (batch, count, 3) or weights.shape != (batch, count):
        raise OrbitscopeError(
            f"splatted: `points` {tuple(points.shape)}, `features` {tuple(features.shape)} and `weights` {tuple(weights.shape)} should be "
            "[B, P, 3], [B, P, C] and [B, P]."
        )
    at = points / edge + (cells - 1) / 2
    low = at.floor()
    part = at - low
    first = torch.arange(batch, device=points.device)[:, None] * cells**3
    out = features.new_zeros(batch * cells**3, channels)
    for corner in itertools.product((0, 1), repeat=3):
        there = low.long() + torch.tensor(corner, device=points.device)
        share = weights
        for d, c in enumerate(corner):
            share = share * (part[..., d] if c else 1 - part[..., d])
        share = torch.where(((there >= 0) & (there < cells)).all(-1), share, torch.zeros_like(share))
        there = there.clamp(0, cells - 1)
        flat = first + (there[..., 0] * cells + there[..., 1]) * cells + there[..., 2]
        out = out.index_add(0, flat.reshape(-1), (share[..., None] * features).reshape(-1, channels))
    return out.reshape(batch, cells, cells, cells, channels).permute(0, 4, 1, 2, 3)


def saturated(fields: Tensor) -> Tensor:
    """Sums over points as a share of occupancy: channel 0 is m / (1 + m) of the sum of weights m, the others are divided by 1 + m too.

    * `fields` [B, C, n, n, n]: of `splatted`, the first of a feature that is 1.
    """
    return fields / (1 + fields[:, :1])
