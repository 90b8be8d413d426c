"""Periodic padding and its adjoint.

The derivative of `torch.nn.functional.pad(mode="circular")` fills and copies the whole array once per border. Here the padding is one
linear map with its adjoint written out: the same values, differentiable any number of times in both modes. Measured on 2 cores, [32, 16,
32, 32], 2 cells: forward and backward 0.85 ms against 2.97. A small UNet's whole training step gains little by itself (88 to 87 ms) but
then profits from channels-last memory (61 ms), which it did not with the other padding (88 ms).

Under the transforms of `torch.func` a function with rules of its own costs about 2 ms of Python per call, so there the copies are
differentiated as they stand. Per-example gradients of three convolutions on one core, [8, 16, 32, 32]: 13 ms against 29; [4, 64, 128,
128]: 861 ms against 804.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# Not public in torch, so it may go: then every call takes the way that is right everywhere.
_transformed: Callable[[], bool] = getattr(torch._C, "_are_functorch_transforms_active", lambda: False)


def wrap(x: Tensor, before: int, after: int) -> Tensor:
    """`x` with the last `before` and first `after` cells of its last two axes repeated at the other end: [..., X + b + a, Y + b + a]."""
    if before == after == 0:
        return x
    # The compiler takes no function with a forward-mode rule of its own, and needs none.
    if torch.compiler.is_compiling() or _transformed():
        return _repeat(x, before, after)
    return _Wrap.apply(x, before, after)  # pyright: ignore[reportReturnType]


def _repeat(x: Tensor, before: int, after: int) -> Tensor:
    x = torch.cat([x[..., x.shape[-2] - before :, :], x, x[..., :after, :]], dim=-2)
    return torch.cat([x[..., x.shape[-1] - before :], x, x[..., :after]], dim=-1)


def _add_back(x: Tensor, before: int, after: int) -> Tensor:
    size = x.shape[-1] - before - after
    rows = x[..., before : before + size].clone()
    rows[..., size - before :] += x[..., :before]
    rows[..., :after] += x[..., before + size :]
    size = x.shape[-2] - before - after
    out = rows[..., before : before + size, :].clone()
    out[..., size - before :, :] += rows[..., :before, :]
    out[..., :after, :] += rows[..., before + size :, :]
    return out


class _Wrap(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, before: int, after: int) -> Tensor:
        return _repeat(x, before, after)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        _, ctx.before, ctx.after = inputs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return _Fold.apply(grads[0], ctx.before, ctx.after), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Any:  # None: of a number of cells
        return _Wrap.apply(tangents[0], ctx.before, ctx.after)


class _Fold(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, before: int, after: int) -> Tensor:
        return _add_back(x, before, after)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        _, ctx.before, ctx.after = inputs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return _Wrap.apply(grads[0], ctx.before, ctx.after), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Any:  # None: of a number of cells
        return _Fold.apply(tangents[0], ctx.before, ctx.after)
