"""Examples of several kinds, small, with a model for each."""

import torch
from torch import nn


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).float()


def vectors(count=37):
    """Four numbers in, two out."""
    x = draw(count, 4)
    return x, torch.stack([x[:, 0] * x[:, 1], x[:, 2].sin() + x[:, 3]], 1)


def mlp():
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 2))


class CloudNet(nn.Module):
    """Positions [N, P, 3] and kinds [N, P] of points -> a number for the cloud and a vector for each point."""

    def __init__(self):
        super().__init__()
        self.kinds, self.mix, self.read, self.push = nn.Embedding(3, 8), nn.Linear(9, 8), nn.Linear(8, 1), nn.Linear(8, 1)

    def forward(self, positions, kinds):
        size = positions.square().sum(-1, keepdim=True)
        h = torch.tanh(self.mix(torch.cat([size, self.kinds(kinds)], -1)))
        return self.read(h.mean(1)), self.push(h) * positions


def clouds(count=21, points=5):
    """A state of two tensors, one of whole numbers, and an answer of two."""
    positions = draw(count, points, 3)
    kinds = torch.randint(0, 3, (count, points), generator=torch.Generator().manual_seed(1))
    return (positions, kinds), (positions.square().mean((1, 2))[:, None], 0.3 * positions)


def classes(count=40):
    x = draw(count, 4)
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long()


KINDS = {
    "vectors": (vectors, mlp, "mse"),
    "clouds": (clouds, CloudNet, "mse"),
    "classes": (classes, lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3)), "cross_entropy"),
    "line": (lambda: (draw(30, 2, 16), draw(30, 2, 16, seed=1)), lambda: nn.Conv1d(2, 2, 3, padding=1), "smse"),
    "cube": (lambda: (draw(9, 1, 4, 4, 4), draw(9, 1, 4, 4, 4, seed=1)), lambda: nn.Conv3d(1, 1, 3, padding=1), "smse"),
}
