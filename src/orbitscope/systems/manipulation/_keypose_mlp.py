"""A keypose network without a kernel: where by voxels, coarse to fine, then orientation by an MLP over Euler angles."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...data import Examples
from ._field_nets import FieldNet
from ._search import Level, indices, joined, peak, split
from ._seen import middle, seen_fields
from ._transporter import LEVELS
from ._transporter_training import goals_of

_BINS = 72  # of 5 degrees
_DOWN = torch.tensor([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]], dtype=torch.float64)


class KeyposeMLP(nn.Module):
    r"""A heat map of the hand's place at each level, then an MLP that says three Euler angles in bins of 5 degrees, and the fingers.

    * `width`, `features`: of the networks, and fields that the MLP sees at the place and at their maximum over the cube. `order`: 1, or 4
      for networks that commute with quarter turns (the MLP does not). `levels`: of the search; kernels and spreads are not used.

    All points are one scene, what is held among them. Angles are those of $R = R_z(\alpha) R_y(\beta) R_x(\gamma) D$, D the hand that
    points down, modulo the hand's half turn in no way: that is one of its weaknesses. The baseline of the keyframe transporter, in the
    manner of C2F-ARM (James et al., CVPR 2022), whose attention in place of planning, reward and sizes are not taken over.
    """

    def __init__(self, *, width: int = 3, features: int = 8, order: int = 1, levels: Sequence[Level] = LEVELS) -> None:
        super().__init__()
        self.levels = tuple(Level(*level) for level in levels)
        self.nets = nn.ModuleList(FieldNet(6, width, features + 1, order) for _ in self.levels)
        self.head = nn.Sequential(nn.Linear(2 * features * len(self.levels) + 1, 64), nn.ReLU(), nn.Linear(64, 3 * _BINS + 1))

    def fields(self, level: int, x: tuple[Tensor, ...], centre: Tensor) -> Tensor:
        """Fields [B, 1 + features, n, n, n] on the cube of a level, the first of them the heat map.

        * `level`: its number. `x`: points, colours, mask, hand, open. `centre` [B, 3]: of the cube, m.
        """
        which = self.levels[level]
        return self.nets[level](seen_fields(x, x[2], centre, which.cells, which.edge))

    def forward(self, *x: Tensor) -> tuple[Tensor, ...]:
        """Pose [B, 12] of the next keyframe and the logit [B, 1] that its fingers are open; in training the loss [B] too.

        * `x`: as of `Transporter`.
        """
        seen, extra = x[:5], x[5:]
        if extra:
            return extra[0], torch.zeros_like(extra[1]), self.loss(seen, *extra)
        return self.find(seen)

    def loss(self, x: tuple[Tensor, ...], goal: Tensor, then: Tensor, drawn: Tensor, same: Tensor | None = None) -> Tensor:
        """The loss of each example, [B]: cross-entropies of cells, of angles and of the fingers.

        * `x`, `goal`, `then`, `drawn`: as of `Transporter.loss`. `same`: is not looked at: angles that are scored
          one by one do not say which of them belong together.
        """
        place, turn = split(goal)
        total, told = torch.zeros_like(place[:, 0]), []
        for level, which in enumerate(self.levels):
            centre = middle(goal) if level == 0 else place + (drawn[:, 3 * level - 3 : 3 * level] - 0.5) * self.levels[level - 1].edge
            fields = self.fields(level, x, centre)
            at = indices(which, place - centre)
            cell = (at[:, 0] * which.cells + at[:, 1]) * which.cells + at[:, 2]
            total = total + F.cross_entropy(fields[:, 0].flatten(1), cell, reduction="none")
            told.append(_pooled(fields[:, 1:], at))
        angles, logit = self._said(told, x[4])
        wanted = (angles_of(turn) / (2 * np.pi / _BINS)).round().long() % _BINS
        total = total + F.cross_entropy(angles.flatten(0, 1), wanted.flatten(), reduction="none").unflatten(0, wanted.shape).sum(1)
        return total + F.binary_cross_entropy_with_logits(logit, then, reduction="none")[:, 0]

    @torch.no_grad()
    def find(self, x: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The best pose [B, 12] and the logit [B, 1] of open fingers for what is seen, `x`."""
        place, told = middle(x[0]), []
        for level, which in enumerate(self.levels):
            fields = self.fields(level, x, place)
            place, _, at = peak(which, fields[:, :1], place)
            told.append(_pooled(fields[:, 1:], at))
        angles, logit = self._said(told, x[4])
        return joined(place, rotation_of(angles.argmax(2).to(place) * (2 * np.pi / _BINS))), logit

    def _said(self, told: list[Tensor], fingers: Tensor) -> tuple[Tensor, Tensor]:
        out = self.head(torch.cat([*told, fingers], 1))
        return out[:, :-1].unflatten(1, (3, _BINS)), out[:, -1:]


def keypose_mlp_for(examples: Examples, **options: Any) -> KeyposeMLP:
    """A `KeyposeMLP` for keyframes of demonstrations.

    * `examples`: keyframes; raises `OrbitscopeError` for others. `options`: of `KeyposeMLP`.
    """
    goals_of(examples)
    return KeyposeMLP(**options)


def angles_of(turn: Tensor) -> Tensor:
    """The angles [B, 3] about z, y and x of orientations of a hand, from that which points down.

    * `turn` [B, 3, 3]: the orientations.
    """
    r = turn @ _DOWN.to(turn)
    up = -r[:, 2, 0].clamp(-1, 1)
    return torch.stack([torch.atan2(r[:, 1, 0], r[:, 0, 0]), up.asin(), torch.atan2(r[:, 2, 1], r[:, 2, 2])], 1)


def rotation_of(angles: Tensor) -> Tensor:
    """The orientations [B, 3, 3] of a hand with some angles; the inverse of `angles_of`.

    * `angles` [B, 3]: about z, y and x, radians.
    """
    (cz, cy, cx), (sz, sy, sx) = angles.cos().unbind(1), angles.sin().unbind(1)
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    return torch.stack([torch.stack(row, 1) for row in rows], 1) @ _DOWN.to(angles)


def _pooled(fields: Tensor, at: Tensor) -> Tensor:
    """Fields at a voxel, and their largest over the cube: [B, 2 C]."""
    rows = torch.arange(len(fields), device=fields.device)
    return torch.cat([fields[rows, :, at[:, 0], at[:, 1], at[:, 2]], fields.amax((2, 3, 4))], 1)
