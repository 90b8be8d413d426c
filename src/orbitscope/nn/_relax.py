"""Any equivariant model made relaxed."""

import copy
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ._conv import EquivariantConv
from ._features import Features
from ._relaxed import Model, RelaxedConv
from ._relaxed_conv import (
    RelaxedGroupConv,
    RelaxedResidualConv,
    RelaxedSteerableConv,
    RelaxedTranslationConv,
    _Banked,
    _has_regular,
)

RelaxationKind = Literal["group", "steerable", "translation", "residual"]


def relax(model: Model, kind: RelaxationKind = "group", *, banks: int = 2, example: Tensor | None = None, keep: bool = True) -> Model:
    r"""A copy of an equivariant model whose every `EquivariantConv` is a relaxed one: the same function, still exactly equivariant.

    $$f_{relaxed}(x) = f(x) \text{ at the start: } \sum_l w_l K_l \text{ with } w = (1, 0, \dots, 0),\; K_1 \text{ the model's own}$$

    - `model`: trained or not; it is not changed. A layer that it uses in two places stays one layer.
    - `kind`: "group" (a weight per element; where a layer has no regular field, per cell), "steerable" (a weight per cell of the kernel;
      kernels of one cell stay strict), "translation" (a weight per place), "residual" (a free kernel beside the strict one, 0 at first).
    - `banks`: kernels per layer, at least 1 ("residual" has no banks). Those after the model's own are fresh and weigh 0, so a first
      step of training moves their weights w, and from the second step on the kernels themselves.
    - `example`: a state [batch, channel, *grid] of the size that the model will see; "translation" needs it.
    - `keep`: False draws for training from scratch instead, where there is no function to keep: all banks weigh 1 and all kernels,
      the model's own among them, are divided by $\sqrt{\mathrm{banks}}$. The emulators relaxed_unet and relaxed_resnet start so.

    Raises `OrbitscopeError` for a model without such layers, an unknown `kind`, or "translation" without `example`.
    """
    if kind not in get_args(RelaxationKind):
        raise OrbitscopeError(f"relax: `kind` must be one of {', '.join(get_args(RelaxationKind))}, got {kind!r}.")
    made = copy.deepcopy(model)
    found = _strict_layers(made)
    if not found:
        raise OrbitscopeError(
            f"relax: {type(model).__name__} has no EquivariantConv left to relax. Build it from equivariant layers first."
        )
    shapes = _output_shapes(made, found, example) if kind == "translation" else {}
    replaced: dict[nn.Module, nn.Module] = {}  # a layer under two names becomes one layer under two names
    for name, layer in found.items():
        if layer not in replaced:
            replaced[layer] = _relaxed(layer, kind, banks, shapes.get(name), keep)
        replacement = replaced[layer]
        if name:
            parent, _, attribute = name.rpartition(".")
            setattr(made.get_submodule(parent), attribute, replacement)
        else:
            made = replacement
    return made  # pyright: ignore[reportReturnType]


def _strict_layers(model: nn.Module) -> dict[str, EquivariantConv]:
    """The equivariant convolutions under every name that they have, without the kernels inside layers that are relaxed already."""
    listed = list(model.named_modules(remove_duplicate=False))
    inside = tuple(f"{name}." if name else "" for name, layer in listed if isinstance(layer, RelaxedConv))
    return {name: layer for name, layer in listed if type(layer) is EquivariantConv and not (inside and name.startswith(inside))}


def _relaxed(layer: EquivariantConv, kind: RelaxationKind, banks: int, shape: tuple[int, ...] | None, keep: bool) -> nn.Module:
    into, out = layer.into, layer.out
    if kind == "group" and not (_has_regular(into) or _has_regular(out)):
        kind = "steerable"
    if kind == "steerable" and layer.kernel < 2:
        return layer
    options: dict[str, Any] = {
        "boundary": layer.pad.boundary, "bias": bool(len(layer.biases)), "stride": layer.stride, "degree": layer.degree,
    }  # fmt: skip
    made = _make(kind, into, out, layer.kernel, banks, shape, options)
    like = layer.reference()
    made.to(like.device, like.dtype)
    made.load_state_dict(layer.state_dict(), strict=False)
    if isinstance(made, _Banked):
        _start(made, keep)
    made.train(layer.training)
    return made


@torch.no_grad()
def _start(layer: _Banked, keep: bool) -> None:
    """What the banks weigh before training. A layer of L banks draws each kernel with 1/L of a single kernel's variance."""
    if keep:
        layer.shares[1:] = 0
        for bank in layer.more:
            for parameter in bank.parameters():
                parameter.mul_(layer.banks**0.5)
    else:
        for parameter in layer.rows.parameters():
            parameter.div_(layer.banks**0.5)


def _make(
    kind: RelaxationKind, into: Features, out: Features, kernel: int, banks: int, shape: tuple[int, ...] | None, options: dict[str, Any]
) -> EquivariantConv:
    if kind == "residual":
        return RelaxedResidualConv(into, out, kernel, **options)
    if kind == "translation":
        assert shape is not None
        return RelaxedTranslationConv(into, out, kernel, banks=banks, shape=shape, **options)
    return (RelaxedGroupConv if kind == "group" else RelaxedSteerableConv)(into, out, kernel, banks=banks, **options)


def _output_shapes(model: nn.Module, layers: dict[str, EquivariantConv], example: Tensor | None) -> dict[str, tuple[int, ...]]:
    if example is None:
        raise OrbitscopeError("relax: kind='translation' needs `example`, a state of the size that the model will see.")
    found: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Any:
        return lambda _, __, y: found.__setitem__(name, tuple(y.shape[2:]))

    hooks = [layer.register_forward_hook(note(name)) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            model(example)
    finally:
        for hook in hooks:
            hook.remove()
    missing = sorted(set(layers) - set(found))
    if missing:
        raise OrbitscopeError(f"relax: the layers {', '.join(missing[:3])} did not run on `example`.")
    return found
