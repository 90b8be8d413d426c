"""Models by name."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ..._errors import OrbitscopeError
from ..._expect import near
from ...symmetry import Grid, Layout
from ._equivariant import EquivariantResNet, EquivariantUNet
from ._equivariant_fno import EquivariantFNO
from ._equivariant_vit import EquivariantViT
from ._fno import FNO
from ._magnitude import MagnitudeResNet, MagnitudeUNet
from ._motion import MotionResNet, MotionUNet
from ._relaxed import relaxed_resnet, relaxed_unet
from ._resnet import ResNet
from ._scale import ScaleResNet, ScaleUNet
from ._scale_frame import ScaleFrameResNet, ScaleFrameUNet
from ._unet import UNet
from ._vit import ViT

Factory = Callable[..., nn.Module]


@dataclass(frozen=True)
class _Entry:
    factory: Factory
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


_MODELS: dict[str, _Entry] = {
    "unet": _Entry(
        UNet,
        {
            "small": {"width": 12, "kernels": (5, 3, 3), "heads": 4},
            "medium": {"width": 24, "kernels": (7, 5, 3, 3), "heads": 4},
            "paper": {"width": 24, "kernels": (11, 9, 7, 5, 3), "heads": 4},
        },
    ),
    "vit": _Entry(
        ViT,
        {
            "small": {"width": 64, "heads": 4, "depth": 4},
            "medium": {"width": 128, "heads": 8, "depth": 6},
            "paper": {"width": 256, "heads": 8, "depth": 8},
        },
    ),
    "resnet": _Entry(
        ResNet,
        {
            "small": {"width": 24, "depth": 4, "kernel": 5},
            "medium": {"width": 48, "depth": 6, "kernel": 5},
            "paper": {"width": 96, "depth": 8, "kernel": 5},
        },
    ),
    "fno": _Entry(
        FNO,
        {
            "small": {"width": 16, "modes": 6, "depth": 4},
            "medium": {"width": 32, "modes": 12, "depth": 4},
            "paper": {"width": 64, "modes": 16, "depth": 4},
        },
    ),
    # The widths are those of `equivariant` for d4: as many parameters as the plain model's, as near as whole fields come.
    "equivariant_unet": _Entry(
        EquivariantUNet,
        {
            "small": {"width": 4, "kernels": (5, 3, 3), "heads": 4},
            "medium": {"width": 8, "kernels": (7, 5, 3, 3), "heads": 4},
            "paper": {"width": 8, "kernels": (11, 9, 7, 5, 3), "heads": 4},
        },
    ),
    "equivariant_resnet": _Entry(
        EquivariantResNet,
        {
            "small": {"width": 9, "depth": 4, "kernel": 5},
            "medium": {"width": 17, "depth": 6, "kernel": 5},
            "paper": {"width": 34, "depth": 8, "kernel": 5},
        },
    ),
    "equivariant_fno": _Entry(
        EquivariantFNO,
        {
            "small": {"width": 6, "modes": 6, "depth": 4},
            "medium": {"width": 12, "modes": 12, "depth": 4},
            "paper": {"width": 23, "modes": 16, "depth": 4},
        },
    ),
    "equivariant_vit": _Entry(
        EquivariantViT,
        {
            "small": {"width": 24, "heads": 2, "depth": 4},
            "medium": {"width": 46, "heads": 2, "depth": 6},
            "paper": {"width": 94, "heads": 2, "depth": 8},
        },
    ),
}
# As wide as the strict ones: with 2 banks about twice the parameters, for the computation of one.
_MODELS["relaxed_unet"] = _Entry(relaxed_unet, _MODELS["equivariant_unet"].presets)
_MODELS["relaxed_resnet"] = _Entry(relaxed_resnet, _MODELS["equivariant_resnet"].presets)


def _with_width(name: str, part: int) -> dict[str, dict[str, Any]]:
    """The presets of a model, with hidden units of `part` channels each."""
    return {preset: {**options, "width": options["width"] // part} for preset, options in _MODELS[name].presets.items()}


# Layer by layer the plain models, so that the parameters are as many.
_MODELS["motion_unet"] = _Entry(MotionUNet, _with_width("unet", 2))
_MODELS["motion_resnet"] = _Entry(MotionResNet, _with_width("resnet", 2))
_MODELS["magnitude_unet"] = _Entry(MagnitudeUNet, _with_width("unet", 1))
_MODELS["magnitude_resnet"] = _Entry(MagnitudeResNet, _with_width("resnet", 1))
# A parameter of a ladder works at every level and filter: as many as the plain model has would cost many times its arithmetic. So these
# are matched to nothing; small trains on a CPU.
_MODELS["scale_unet"] = _Entry(
    ScaleUNet, {"small": {"width": 6}, "medium": {"width": 12, "stages": 3}, "paper": {"width": 24, "stages": 3}}
)
_MODELS["scale_resnet"] = _Entry(
    ScaleResNet, {"small": {"width": 12, "depth": 2}, "medium": {"width": 24, "depth": 4}, "paper": {"width": 48, "depth": 8}}
)
# Kept near the plain model's cost: every layer takes six derivatives.
_MODELS["scale_frame_resnet"] = _Entry(
    ScaleFrameResNet, {"small": {"width": 16, "depth": 2}, "medium": {"width": 32, "depth": 3}, "paper": {"width": 64, "depth": 4}}
)
_MODELS["scale_frame_unet"] = _Entry(
    ScaleFrameUNet, {"small": {"width": 12, "levels": 3}, "medium": {"width": 24, "levels": 4}, "paper": {"width": 48, "levels": 5}}
)


def register(name: str, factory: Factory, presets: Mapping[str, Mapping[str, Any]] | None = None) -> None:
    """Make `build(name, ...)` call `factory`, with the keyword arguments of the preset asked for.

    * `name`: what `build` and the command line call it.
    * `factory`: gets those of `channels_in`, `channels_out`, `resolution`, `layout`, `grid`, `residual` that its signature names, the
      preset's options and the overrides; returns a `torch.nn.Module`.
    * `presets`: name of a preset -> its options; None: any preset is taken and means no options.

    Raises `OrbitscopeError` where the name is taken or contains a colon.
    """
    if name in _MODELS or ":" in name or not name:
        raise OrbitscopeError(f"register: `name` {name!r} is taken, empty or contains ':'. Choose another. Taken: {', '.join(_MODELS)}.")
    _MODELS[name] = _Entry(factory, presets or {})


def models() -> tuple[str, ...]:
    """The names that `build` knows."""
    return tuple(_MODELS)


def build(
    model: str | Factory,
    preset: str = "small",
    *,
    channels_in: int,
    channels_out: int | None = None,
    resolution: int | tuple[int, ...] | None = None,
    layout: Layout | None = None,
    grid: Grid | None = None,
    residual: bool | None = None,
    differences: bool = False,
    **overrides: Any,
) -> nn.Module:
    """A model by name, [B, C_in, X, Y] -> [B, C_out, X, Y]: one of `models()`, a registered one, or "package.module:callable".

    * `model`: the name, or a function or class that makes the model.
    * `preset`: one of the model's own (small, medium, paper).
    * `overrides`: single options that replace those of the preset, by name.
    * `channels_in`: C_in, channels that go in: those of a state times the number of past states.
    * `channels_out`: C_out, channels of the answer; None: as many as go in.
    * `resolution`: points per axis (one number for a square), for models that are tied to one grid (vit, equivariant_vit).
    * `layout`: the fields of a state, for models that know how channels mix (equivariant, relaxed, motion, magnitude and scale models).
    * `grid`: the grid of a state, for the boundaries of those models.
    * `residual`: whether an increment is predicted, for models to whom it matters (motion, scale).
    * `differences`: whether the channels that go in are the state and its differences, newest first, in place of so many states; for
      models to whom it matters (motion: differences do not shift).

    Raises `OrbitscopeError` for unknown names and options.

    >>> sum(p.numel() for p in build("resnet", "small", channels_in=2).parameters()) < 150_000
    True
    """
    channels_out = channels_in if channels_out is None else channels_out
    entry = _entry(model, preset)
    options = {**entry.presets.get(preset, {}), **overrides}
    size = (resolution, resolution) if isinstance(resolution, int) else resolution
    ends = {"channels_in": channels_in, "channels_out": channels_out}
    context = {**ends, "resolution": size, "layout": layout, "grid": grid, "residual": residual, "differences": differences}
    made = _call(model, entry.factory, context, options)
    if not isinstance(made, nn.Module):
        raise OrbitscopeError(f"build: {model!r} should return a torch.nn.Module, got {type(made).__name__}.")
    return made


def require_model(model: str | Factory, preset: str = "small") -> None:
    """Raise `OrbitscopeError` for a name that is no model, or a preset that it has not, without building it.

    * `model`: as for `build`; "package.module:callable" is imported.
    * `preset`: one of the model's own.
    """
    _entry(model, preset)


def takes_layout(model: str | Factory) -> bool:
    """Whether a model is made for the fields of a state, so that no other channel may go in.

    * `model`: as for `build`.
    """
    try:
        return "layout" in inspect.signature(_lookup(model).factory).parameters
    except ValueError:
        return False


def _entry(model: str | Factory, preset: str) -> _Entry:
    entry = _lookup(model)
    if entry.presets and preset not in entry.presets:
        raise OrbitscopeError(f"build: {model!r} has no preset {preset!r}. It has: {', '.join(entry.presets)}.")
    return entry


def _lookup(model: str | Factory) -> _Entry:
    if not isinstance(model, str):
        return _Entry(model)
    if model in _MODELS:
        return _MODELS[model]
    module, colon, attribute = model.partition(":")
    if not colon:
        raise OrbitscopeError(
            f"build: no model is called {model!r}.{near(model, _MODELS)} "
            f"Known: {', '.join(_MODELS)}; or write 'package.module:callable', or register it."
        )
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise OrbitscopeError(f"build: cannot import {model!r}: {error}. Is its folder on PYTHONPATH?") from error
    return _Entry(factory)


def _call(model: object, factory: Factory, context: dict[str, Any], options: dict[str, Any]) -> object:
    try:
        parameters = inspect.signature(factory).parameters
    except ValueError:
        return factory(**options)
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    unknown = [name for name in options if name not in parameters and not anything]
    if unknown:
        known = ", ".join(name for name in parameters if name not in context)
        raise OrbitscopeError(f"build: {model!r} has no option {unknown[0]!r}. Its options: {known or 'none'}.")
    # A factory that takes anything gets what such factories always got; the others must be named.
    named = ("layout", "grid", "residual", "differences")
    given = {name: value for name, value in context.items() if name in parameters or (anything and name not in named)}
    for name, why in _WANTED.items():
        if given.get(name, 0) is None:
            if name in parameters and parameters[name].default is inspect.Parameter.empty:
                raise OrbitscopeError(f"build: {model!r} {why}.")
            del given[name]
    try:
        return factory(**given, **options)
    except TypeError as error:
        raise OrbitscopeError(f"build: {model!r} could not be made with {sorted({**given, **options})}: {error}.") from error


_WANTED = {
    "resolution": "is tied to one grid: give `resolution`, for example resolution=64",
    "layout": "needs to know how channels mix: give `layout`, for example layout=data.layout",
    "grid": "needs the grid: give `grid`, for example grid=data.grid",
    "residual": "needs to know what it predicts: give `residual`, True for the increment",
}
_BUILT_IN = frozenset(_MODELS)


def built_in(model: str) -> bool:
    """Whether a fresh process knows this name."""
    return model in _BUILT_IN
