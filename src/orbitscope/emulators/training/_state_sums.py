"""What the training states look like in units of their own."""

from typing import Any

import torch
from torch import Tensor

from ...data import Trajectories
from ...symmetry import Layout
from ...training import StateUnits

_FLOOR = 1e-3  # of a field's size in the whole data: below it a field counts as at rest


def state_normalisation(data: Trajectories) -> dict[str, Any]:
    """Statistics for a `StateEmulator`, as its `normalisation()` names them; two passes over `data` in blocks, float64 sums.

    Mean (of fields that keep one), scale and scale of the increment per field, of states over their own scale; mean and spread of the
    logarithms of the scales.
    """
    layout = data.layout
    power, count = torch.zeros(data.channels, dtype=torch.float64), 0
    for _, _, block in data.blocks():
        flat = block.to(torch.float64).transpose(0, 2).flatten(1)
        power, count = power + flat.square().sum(1), count + flat.shape[1]
    sizes = torch.stack([part.mean().sqrt() for part in (power / max(count, 1)).split(list(layout.sizes))])
    floor = torch.where(sizes > 0, _FLOOR * sizes, torch.ones_like(sizes))
    units = StateUnits(tuple(layout.sizes), tuple(floor.tolist()))
    sums = [torch.zeros(data.channels, dtype=torch.float64) for _ in range(3)]
    cells, steps, logs = 0, 0, []
    for _, _, block in data.blocks():
        states = block.to(torch.float64)
        scales = units.of(states.flatten(0, 1))
        logs.append(scales.log().flatten(1))
        unit = units.spread(scales).unflatten(0, states.shape[:2])
        seen = (states / unit).transpose(0, 2).flatten(1)
        moved = (states.diff(dim=1) / unit[:, :-1]).transpose(0, 2).flatten(1)
        for total, part in zip(sums, (seen, seen.square(), moved.square()), strict=True):
            total += part.sum(1)
        cells, steps = cells + seen.shape[1], steps + moved.shape[1]
    mean, square, increment = sums[0] / cells, sums[1] / cells, sums[2] / max(steps, 1)
    mean = torch.where(_keeps_mean(layout), mean, torch.zeros_like(mean))
    known = torch.cat(logs)
    return {
        "mean": mean.tolist(), "scale": _per_field(square - mean.square(), layout), "output_scale": _per_field(increment, layout),
        "units": {
            "sizes": list(units.sizes), "floor": list(units.floor),
            "log_mean": known.mean(0).tolist(), "log_scale": known.std(0, correction=0).clamp_min(_FLOOR).tolist(),
        },
    }  # fmt: skip


def _keeps_mean(layout: Layout) -> Tensor:
    return torch.tensor([f.representation.keeps_mean for f, size in zip(layout.fields, layout.sizes, strict=True) for _ in range(size)])


def _per_field(power: Tensor, layout: Layout) -> list[float]:
    """Root of the mean over the components of a field, repeated over them; 1 where there is nothing beyond rounding."""
    found = torch.cat([part.mean().clamp_min(0).sqrt().expand(part.shape) for part in power.split(list(layout.sizes))])
    return torch.where(found > 1e-6, found, torch.ones_like(found)).tolist()
