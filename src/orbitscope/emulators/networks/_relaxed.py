"""UNet and ResNet that start with a symmetry built in and may leave it."""

import torch
from torch import nn

from ...nn import RelaxationKind, relax
from ...symmetry import Grid, Group, Layout
from ._equivariant import EquivariantResNet, EquivariantUNet


def relaxed_unet(
    channels_in: int,
    channels_out: int,
    layout: Layout,
    grid: Grid | None = None,
    resolution: tuple[int, int] | None = None,
    group: str | Group = "d4",
    width: int = 4,
    kernels: tuple[int, ...] = (5, 3, 3),
    heads: int = 4,
    kind: RelaxationKind = "group",
    banks: int = 2,
) -> nn.Module:
    """`EquivariantUNet` with relaxed convolutions (`nn.relax`, `keep=False`: `kind`, `banks`), exactly equivariant before the first step.

    `TrainConfig.relaxation` is the weight of the penalty on leaving it, `nn.relaxation(model)` says afterwards what was left.
    Kind "translation" needs `resolution` and is tied to it.
    """
    made = EquivariantUNet(channels_in, channels_out, layout, grid, group, width, kernels, heads)
    return relax(made, kind, banks=banks, example=_example(channels_in, resolution), keep=False)


def relaxed_resnet(
    channels_in: int,
    channels_out: int,
    layout: Layout,
    grid: Grid | None = None,
    resolution: tuple[int, int] | None = None,
    group: str | Group = "d4",
    width: int = 8,
    depth: int = 4,
    kernel: int = 5,
    kind: RelaxationKind = "group",
    banks: int = 2,
) -> nn.Module:
    """`EquivariantResNet` with relaxed convolutions; see `relaxed_unet`."""
    made = EquivariantResNet(channels_in, channels_out, layout, grid, group, width, depth, kernel)
    return relax(made, kind, banks=banks, example=_example(channels_in, resolution), keep=False)


def _example(channels: int, resolution: tuple[int, int] | None) -> torch.Tensor | None:
    return None if resolution is None else torch.zeros(1, channels, *resolution)
