"""Networks on fields of voxels that commute with quarter turns about the vertical, and the scaling of numbers that grow in training."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...nn import EquivariantConv, Features
from ...symmetry import Group, octahedral, parse_group


def turns_about_vertical(order: int = 4) -> Group:
    """The turns about z: of space, 1, 2 or 4 of them, as a lattice has; or 8, as a group of the plane, for `hep` alone.

    * `order`: how many. Raises `OrbitscopeError` for another number.
    """
    if order == 8:
        return parse_group("c8")
    if order not in (1, 2, 4):
        raise OrbitscopeError(f"turns_about_vertical: `order` should be 1, 2, 4 or 8, got {order}.")
    upright = [g for g in octahedral() if np.asarray(g.matrix)[2, 2] == 1 and np.linalg.det(np.asarray(g.matrix)) > 0]
    kept = [g for g in upright if _power_of(np.asarray(g.matrix)) % (4 // order) == 0]
    return Group(f"C{order}z", kept)


def _power_of(matrix: np.ndarray) -> int:
    return round(float(np.arctan2(matrix[1, 0], matrix[0, 0])) / (np.pi / 2)) % 4


class FieldNet(nn.Module):
    """Scalar fields to scalar fields by convolutions that commute with quarter turns about the vertical, exactly.

    * `channels`: that come in. `width`: regular fields inside. `out`: scalar fields that go out. `order`: 4; 1 for a plain network.
    """

    def __init__(self, channels: int, width: int, out: int, order: int = 4) -> None:
        super().__init__()
        if order not in (1, 2, 4):
            raise OrbitscopeError(f"FieldNet: `order` should be 1, 2 or 4, as a lattice has no other turns, got {order!r}.")
        group = turns_about_vertical(order)
        into, inside = Features.of(group, f"scalar*{channels}"), Features.of(group, f"regular*{width * 4 // order}")
        self.layers = nn.ModuleList(
            [
                EquivariantConv(into, inside, 3, boundary="zero"),
                EquivariantConv(inside, inside, 3, boundary="zero"),
                EquivariantConv(inside, Features.of(group, f"scalar*{out}"), 3, boundary="zero"),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, out, n, n, n] of the fields `x` [B, channels, n, n, n]."""
        first, second, last = self.layers
        x = F.relu(first(x))
        return last(x + F.relu(second(x)))


class RunningScale(nn.Module):
    """Numbers [B, C] less their running mean, over their running standard deviation."""

    mean: Tensor
    square: Tensor
    seen: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name, value in (("mean", torch.zeros(channels)), ("square", torch.ones(channels)), ("seen", torch.zeros(()))):
            self.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        """`x` [B, C] scaled; in training it is counted first."""
        if self.training:
            with torch.no_grad():
                self.seen += 1
                weight = float(torch.clamp(1 / self.seen, min=0.02))
                self.mean.lerp_(x.detach().mean(0), weight)
                self.square.lerp_(x.detach().square().mean(0), weight)
        return (x - self.mean) / (self.square - self.mean.square()).clamp(min=1e-6).sqrt()
