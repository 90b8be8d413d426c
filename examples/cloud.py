"""A cloud of points in space and its energy: a network that sees coordinates, one that sees distances, and SO(3).

python examples/cloud.py
"""

import torch
from torch import Tensor, nn

import orbitscope as osc


class Coordinates(nn.Module):
    """Every point [place, mass] by itself, then a sum: the frame matters."""

    def __init__(self) -> None:
        super().__init__()
        self.each = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, points: Tensor) -> Tensor:
        return self.each(points).sum(1)


class Distances(nn.Module):
    """Every pair of points by its distance and masses: no frame, no order."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, points: Tensor) -> Tensor:
        place, mass = points[..., :3], points[..., 3:]
        gap = (place[:, :, None] - place[:, None]).square().sum(-1, keepdim=True)
        both = mass[:, :, None].expand_as(gap), mass[:, None].expand_as(gap)
        return self.pair(torch.cat([gap, *both], -1)).sum((1, 2))


def main(clouds: int = 24, points: int = 5, steps: int = 100) -> None:
    """Compare the two on a sample of rotations, and for small ones about each axis."""
    torch.manual_seed(0)
    layout = osc.Layout.of("place:vector:m", "mass", ndim=3)
    so3 = osc.Symmetry(osc.parse_group("so3"), osc.FieldAction(layout, osc.Points()), osc.Invariant(("energy",)))
    x = torch.randn(clouds, points, 4)
    data = osc.Examples(x, (x[..., 3:] * x[..., :3].square().sum(-1, keepdim=True)).sum(1))
    for model in (Coordinates(), Distances()):
        optimiser = torch.optim.Adam(model.parameters(), 0.02)
        for _ in range(steps):
            optimiser.zero_grad()
            torch.nn.functional.mse_loss(model(data.x), data.y).backward()
            optimiser.step()
        error = osc.equivariance(model, data, so3, trajectories=None)
        small = osc.probe.lie_derivative(model, data, so3)
        print(type(model).__name__, f"commutator {float(error['commutator'].median()):.1e}", f"floor {float(error['floor'].max()):.1e}",
              f"Lie derivative {float(small['relative'].median()):.1e}")  # fmt: skip
        print(" ", osc.verdict(so3, error)["output"].values.tolist()[1])


if __name__ == "__main__":
    main()
