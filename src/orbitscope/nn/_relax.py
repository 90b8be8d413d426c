"""Any equivariant model made relaxed."""

import copy
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ._conv import EquivariantConv
from ._features import Features
from ._relaxed import Model
from ._relaxed_conv import RelaxedGroupConv, RelaxedResidualConv, RelaxedSteerableConv, RelaxedTranslationConv, _has_regular

Kind = Literal["group", "steerable", "translation", "residual"]


def relax(model: Model, kind: Kind = "group", *, banks: int = 2, example: Tensor | None = None) -> Model:
    r"""A copy of an equivariant model whose every `EquivariantConv` is a relaxed one, exactly equivariant at the start.

    `kind`: "group" (a weight per element; where a layer has no regular field, per cell), "steerable" (a weight per cell of the kernel;
    kernels of one cell stay strict), "translation" (a weight per place; needs `example`, a state [batch, channel, *grid] of the
    size that the model will see), "residual" (a free kernel beside the strict one). "residual" computes the same function as
    `model` at the start; the others have `banks` kernels per layer, the model's own first, all scaled by
    $1/\sqrt{\mathrm{banks}}$ (1 bank: the same function).

    Raises `OrbitscopeError` for a model without such layers.
    """
    if kind not in get_args(Kind):
        raise OrbitscopeError(f"relax: `kind` must be one of {', '.join(get_args(Kind))}, got {kind!r}.")
    made = copy.deepcopy(model)
    found = {name: layer for name, layer in made.named_modules() if type(layer) is EquivariantConv}
    if not found:
        raise OrbitscopeError(f"relax: {type(model).__name__} has no EquivariantConv. Build it from equivariant layers first.")
    shapes = _output_shapes(made, found, example) if kind == "translation" else {}
    for name, layer in found.items():
        replacement = _relaxed(layer, kind, banks, shapes.get(name))
        if name:
            parent, _, attribute = name.rpartition(".")
            setattr(made.get_submodule(parent), attribute, replacement)
        else:
            made = replacement
    return made  # pyright: ignore[reportReturnType]


def _relaxed(layer: EquivariantConv, kind: Kind, banks: int, shape: tuple[int, ...] | None) -> nn.Module:
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
    if kind != "residual" and banks > 1:
        with torch.no_grad():
            for parameter in made.rows.parameters():
                parameter.div_(banks**0.5)
    made.train(layer.training)
    return made


def _make(
    kind: Kind, into: Features, out: Features, kernel: int, banks: int, shape: tuple[int, ...] | None, options: dict[str, Any]
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
