"""A signed gather whose adjoint is a signed gather too.

The derivative of `index_select` adds entry after entry into zeros. Where every source is read a known number of times, its readers can be
gathered and summed instead; the same linear map, differentiable any number of times in both modes.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def signed_gather(x: Tensor, index: Tensor, sign: Tensor, back: Tensor, back_sign: Tensor) -> Tensor:
    r"""$y_j = \sum_m s_{jm} x_{i_{jm}}$ over the last axis; index, sign [new, m]; the transposed map in back, back_sign [old, m']."""
    if torch.compiler.is_compiling():  # the compiler takes no function with a forward-mode rule of its own, and needs none
        return _gather(x, index, sign.to(x.dtype))
    return _Gather.apply(x, index, sign, back, back_sign)  # pyright: ignore[reportReturnType]


def transposed(index: NDArray[np.int64], sign: NDArray[np.float64], sources: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The transposed map of one entry per row: readers of each source, padded with sign 0, [sources, most readers]."""
    readers: list[list[int]] = [[] for _ in range(sources)]
    for j, (i, s) in enumerate(zip(index.tolist(), sign.tolist(), strict=True)):
        if s != 0:
            readers[i].append(j)
    most = max((len(r) for r in readers), default=1)
    back = np.array([r + [0] * (most - len(r)) for r in readers], dtype=np.int64).reshape(sources, most)
    real = np.array([[1.0] * len(r) + [0.0] * (most - len(r)) for r in readers]).reshape(sources, most)
    return back, real * sign[back]


def _gather(x: Tensor, index: Tensor, sign: Tensor) -> Tensor:
    picked = x.index_select(-1, index.flatten()).reshape(*x.shape[:-1], *index.shape)
    return (picked * sign).sum(-1) if index.shape[1] > 1 else (picked * sign).squeeze(-1)


class _Gather(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, index: Tensor, sign: Tensor, back: Tensor, back_sign: Tensor) -> Tensor:
        return _gather(x, index, sign.to(x.dtype))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        _, *maps = inputs
        ctx.save_for_backward(*maps)
        ctx.save_for_forward(*maps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        index, sign, back, back_sign = ctx.saved_tensors
        return _Gather.apply(grads[0], back, back_sign, index, sign), None, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        index, sign, back, back_sign = ctx.saved_tensors
        return _Gather.apply(tangents[0], index, sign, back, back_sign)
