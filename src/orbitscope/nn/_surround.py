"""Padding for convolutions that must keep constants: what stands beyond the edge of the grid."""

from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor

from .._errors import OrbitscopeError
from ._wrap import wrap

Surround = Literal["circular", "replicate", "zero"]
Surrounds = Surround | tuple[Surround, ...]  # one word, or one per axis
_MODES = {"circular": "circular", "replicate": "replicate", "zero": "constant"}


def surround(x: Tensor, kernel: int, ndim: int, mode: Surrounds) -> Tensor:
    """`x` [batch, channel, *grid] with (kernel - 1) / 2 cells more at every end, the odd one of an even kernel at the far end."""
    before, after = (kernel - 1) // 2, kernel // 2
    if not after:
        return x
    modes = (mode,) * ndim if isinstance(mode, str) else mode
    around = [n for n, m in zip(x.shape[-ndim:], modes, strict=True) if m == "circular"]
    if around and after > min(around):
        raise OrbitscopeError(f"kernel: {kernel} cells are too wide for the grid {tuple(x.shape[-ndim:])}; use a smaller kernel.")
    if modes == ("circular", "circular"):
        return wrap(x, before, after)
    if len(set(modes)) == 1:
        return F.pad(x, (before, after) * ndim, mode=_MODES[modes[0]])
    for axis, m in enumerate(modes):
        beyond = [0, 0] * ndim
        beyond[2 * (ndim - 1 - axis)], beyond[2 * (ndim - 1 - axis) + 1] = before, after
        x = F.pad(x, beyond, mode=_MODES[m])
    return x


def check_surround(who: str, mode: Surrounds, ndim: int, *, constant: bool = False) -> None:
    """Raise unless `mode` is known, one for all axes or one per axis, and keeps constants where that is needed."""
    modes = (mode,) if isinstance(mode, str) else tuple(mode)
    if len(modes) != (1 if isinstance(mode, str) else ndim) or any(m not in get_args(Surround) for m in modes):
        raise OrbitscopeError(f"{who}: `boundary` must be one of {', '.join(get_args(Surround))}, or one per axis; got {mode!r}.")
    if constant and "zero" in modes:
        raise OrbitscopeError(f"{who}: `boundary` 'zero' changes the mean at the edge, so nothing is exact there. Use 'replicate'.")


def check_counts(who: str, least: int = 1, **values: int) -> None:
    """Raise unless every named whole number is at least `least`."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise OrbitscopeError(f"{who}: `{name}` must be a whole number of at least {least}, got {value!r}.")


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1) -> Tensor:
    """Correlation in as many dimensions as `weight` [out, in, *kernel] has."""
    return (F.conv1d, F.conv2d, F.conv3d)[weight.ndim - 3](x, weight, bias, stride)
