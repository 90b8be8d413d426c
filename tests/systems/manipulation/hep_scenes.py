"""Random scenes for hierarchical policies, policies of random weights, and motions of both."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from orbitscope.systems.manipulation import HierarchicalPolicy
from orbitscope.systems.manipulation._poses import about, turned

QUARTER = torch.tensor(about(2, np.pi / 2).round())
SHIFT = torch.tensor([0.31, -0.17, 0.11], dtype=torch.float64)
SMALL = {"cells": 8, "edge": 0.06, "near": 0.05, "width": 1, "hidden": 8, "levels": 20, "sampler": 4, "steps": 8}


def posed(place: Tensor, turn: np.ndarray) -> Tensor:
    return torch.cat([place, torch.tensor(turn.T.ravel())])[None]


def sight(seed: int = 0, batch: int = 1) -> tuple[Tensor, ...]:
    """Random scenes and hands; some points do not count."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.2, 0.2, (batch, 120, 3)) * (1, 1, 0.4) + (0, 0, 0.08)
    hands = [posed(torch.tensor(rng.uniform(-0.1, 0.1, 3) + (0, 0, 0.15)), turned(rng.standard_normal(3))) for _ in range(batch)]
    mask = (rng.random((batch, 120)) < 0.9).astype(float)
    made = (torch.tensor(points), torch.tensor(rng.random(points.shape)), torch.tensor(mask), torch.cat(hands))
    return (*made, torch.tensor((rng.random((batch, 1)) < 0.5).astype(float)))


def moved_pose(poses: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
    rows = poses.unflatten(-1, (4, 3)) @ turn.mT
    return torch.cat([rows[..., :1, :] + shift, rows[..., 1:, :]], -2).flatten(-2)


def moved(x: tuple[Tensor, ...], turn: Tensor, shift: Tensor) -> tuple[Tensor, ...]:
    points, colours, mask, hand, told = x
    return points @ turn.mT + shift, colours, mask, moved_pose(hand, turn, shift), told


def policy(**options: Any) -> HierarchicalPolicy:
    """A policy with random weights; no layer of it is left at zero."""
    torch.manual_seed(0)
    model = HierarchicalPolicy(**{**SMALL, **options}).eval()
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1 * torch.randn_like(p)
        model.low.scale.copy_(torch.tensor([0.2, 0.05, 0.1]))
    return model.double().requires_grad_(False)
