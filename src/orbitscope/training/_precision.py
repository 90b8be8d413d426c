"""A module in another precision."""

from itertools import chain
from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)
_COMPLEX = {torch.float64: torch.complex128, torch.float32: torch.complex64, torch.float16: torch.complex32}


def to_precision(module: M, dtype: torch.dtype) -> M:
    """The module with all its floating-point weights and buffers in `dtype`, in place; complex ones in the complex format of that width.

    * `module`: is changed and returned.
    * `dtype`: a real format, for example `torch.float64`.

    `nn.Module.to(dtype)` would cast complex weights to real ones and lose their imaginary parts, and `nn.Module.double()` would leave
    them as they are. Whole numbers stay whole.
    """
    for tensor in chain(module.parameters(), module.buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor.data.to(dtype)
        elif tensor.is_complex():
            tensor.data = tensor.data.to(_COMPLEX.get(dtype, torch.complex64))
    return module
