"""Networks, metrics, precisions and domains that tests of several rooms go through: each stands here once, under its name."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from orbitscope.probe import Adam

from .grid_networks import NETWORKS
from .small_maps import KINDS, Kind

__all__ = ["EXACT", "FITS", "KINDS", "METRICS", "NETWORKS", "CloudNet", "Kind", "clouds", "convolutions", "dropped", "metric", "vectors"]

EXACT = [(torch.float64, 1e-12), (torch.float32, 1e-5)]
"""Precisions, and how far apart two ways round may be that are one in exact arithmetic, relative to the size of the numbers."""

METRICS: dict[str, dict[str, Any]] = {
    "euclidean": {"metric": "euclidean"},
    "gauss_newton": {"metric": "gauss_newton", "damping": 1e-4},
    "gauss_newton, 1e-6": {"metric": "gauss_newton", "damping": 1e-6},
    "gauss_newton_full": {"metric": "gauss_newton_full", "damping": 1e-4},
    "kronecker": {"metric": "kronecker", "damping": 1e-4},
    "adam": {"metric": "adam"},
}
"""What an instrument is told of its metric; that of Adam needs the moments of a model (`metric`)."""


def metric(name: str, model: nn.Module) -> dict[str, Any]:
    """The options of an instrument for a metric and a model; Adam's moments are drawn."""
    if name != "adam":
        return METRICS[name]
    return {"metric": Adam({k: torch.rand(p.shape, dtype=torch.float64) + 0.1 for k, p in model.named_parameters()})}


def convolutions(
    channels: int = 2, hidden: int = 4, *, last: int = 3, boundary: Literal["circular", "zeros"] = "circular",
    act: Callable[[], nn.Module] = nn.Tanh, groups: int = 0, ndim: int = 2, seed: int = 0, dtype: torch.dtype = torch.float64,
) -> nn.Sequential:  # fmt: skip
    """Two convolutions, 3 and `last` points wide, and in between an activation, after a normalisation of so many `groups`.

    With `boundary` "circular" it commutes with shifts, with "zeros" with nothing.
    """
    torch.manual_seed(seed)
    conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[ndim - 1]
    sizes = ((channels, hidden, 3), (hidden, channels, last))
    first, final = (conv(a, b, k, padding=k // 2, padding_mode=boundary if k > 1 else "zeros") for a, b, k in sizes)
    norm = [nn.GroupNorm(groups, hidden)] if groups else []
    return nn.Sequential(first, *norm, act(), final).to(dtype)


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers of single precision."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).float()


def vectors(count: int = 37) -> tuple[Tensor, Tensor]:
    """Four numbers in, two out."""
    x = draw(count, 4)
    return x, torch.stack([x[:, 0] * x[:, 1], x[:, 2].sin() + x[:, 3]], 1)


def dropped() -> nn.Module:
    """For `vectors`, with numbers that are dropped at random while it is trained."""
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 2))


class CloudNet(nn.Module):
    """Positions [N, P, 3] and kinds [N, P] of points -> a number for the cloud and a vector for each point."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds, self.mix, self.read, self.push = nn.Embedding(3, 8), nn.Linear(9, 8), nn.Linear(8, 1), nn.Linear(8, 1)

    def forward(self, positions: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        size = positions.square().sum(-1, keepdim=True)
        h = torch.tanh(self.mix(torch.cat([size, self.kinds(kinds)], -1)))
        return self.read(h.mean(1)), self.push(h) * positions


def clouds(count: int = 21, points: int = 5) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """A state of two tensors, one of whole numbers, and an answer of two."""
    positions = draw(count, points, 3)
    kinds = torch.randint(0, 3, (count, points), generator=torch.Generator().manual_seed(1))
    return (positions, kinds), (positions.square().mean((1, 2))[:, None], 0.3 * positions)


def classes(count: int = 40) -> tuple[Tensor, Tensor]:
    """Four numbers in, one of three classes out."""
    x = draw(count, 4)
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long()


def normalised() -> nn.Module:
    """For `classes`, with a normalisation over the batch."""
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3))


FITS: dict[str, tuple[Callable[[], tuple[Any, Any]], Callable[[], nn.Module], str]] = {
    "vectors": (vectors, dropped, "mse"),
    "clouds": (clouds, CloudNet, "mse"),
    "classes": (classes, normalised, "cross_entropy"),
    "line": (lambda: (draw(30, 2, 16), draw(30, 2, 16, seed=1)), lambda: nn.Conv1d(2, 2, 3, padding=1), "smse"),
    "cube": (lambda: (draw(9, 1, 4, 4, 4), draw(9, 1, 4, 4, 4, seed=1)), lambda: nn.Conv3d(1, 1, 3, padding=1), "smse"),
}
"""Examples (x, y), a model for them that is no map of single examples where training may meet one, and their loss."""
