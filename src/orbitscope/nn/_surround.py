"""Padding for convolutions that must keep constants: what stands beyond the edge of the grid."""

from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor

from .._errors import OrbitscopeError

Surround = Literal["circular", "replicate", "zero"]
_MODES = {"circular": "circular", "replicate": "replicate", "zero": "constant"}


def surround(x: Tensor, kernel: int, ndim: int, mode: Surround) -> Tensor:
    """`x` [batch, channel, *grid] with (kernel - 1) / 2 cells more at every end, the odd one of an even kernel at the far end."""
    before, after = (kernel - 1) // 2, kernel // 2
    if not after:
        return x
    if mode == "circular" and after > min(x.shape[-ndim:]):
        raise OrbitscopeError(f"kernel: {kernel} cells are too wide for the grid {tuple(x.shape[-ndim:])}; use a smaller kernel.")
    return F.pad(x, (before, after) * ndim, mode=_MODES[mode])


def check_surround(who: str, mode: str, *, constant: bool = False) -> None:
    """Raise unless `mode` is known, and keeps constants where that is needed."""
    if mode not in get_args(Surround):
        raise OrbitscopeError(f"{who}: `boundary` must be one of {', '.join(get_args(Surround))}, got {mode!r}.")
    if constant and mode == "zero":
        raise OrbitscopeError(f"{who}: `boundary` 'zero' changes the mean at the edge, so nothing is exact there. Use 'replicate'.")


def check_counts(who: str, least: int = 1, **values: int) -> None:
    """Raise unless every named whole number is at least `least`."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise OrbitscopeError(f"{who}: `{name}` must be a whole number of at least {least}, got {value!r}.")


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1) -> Tensor:
    """Correlation in as many dimensions as `weight` [out, in, *kernel] has."""
    return (F.conv1d, F.conv2d, F.conv3d)[weight.ndim - 3](x, weight, bias, stride)
