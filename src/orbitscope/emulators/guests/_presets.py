"""How known families of models are called, as arguments of `adapt`."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from ..._errors import OrbitscopeError
from ...symmetry import Layout
from ._weather import aurora, earth2studio

Preset = Callable[[nn.Module, Layout | None], Mapping[str, Any]]
"""(model, layout of the data or None) -> arguments of `adapt`."""


def the_well(model: nn.Module, layout: Layout | None) -> Mapping[str, Any]:
    """FNO, UNet and ConvNext of the_well: past states along channels; the statistics of the data set are yours to give."""
    return {"axes": "b (t c) ...", "out": "b c ..."}


def poseidon(model: nn.Module, layout: Layout | None) -> Mapping[str, Any]:
    """ScOT: density, velocity, pressure, each with a scale of its own, and a lead time in units of twenty steps."""
    full = ("density", "velocity_x|u|0", "velocity_y|v|1", "pressure")
    mean, std = (0.80, 0.0, 0.0, 0.0), (0.31, 0.391, 0.356, 0.185)
    return {
        "axes": "b c x y", "out": "output", "channels": full, "fill": {"density": 1.0, "pressure": 0.0}, "normaliser": (mean, std),
        "call": "pixel_values", "lead_time": ("time", 1 / 20),
    }  # fmt: skip


def mpp(model: nn.Module, layout: Layout | None) -> Mapping[str, Any]:
    """AViT: time first, labels of the channels, boundaries; it answers with the last step and normalises inside."""

    def labels(state: torch.Tensor) -> torch.Tensor:
        count = layout.channels if layout is not None else state.shape[1]
        return torch.arange(count, device=state.device)[None]

    return {
        "axes": "t b c ...", "out": "b c ...",
        "kwargs": {"state_labels": labels, "bcs": lambda state: torch.zeros(len(state), 2, dtype=torch.long, device=state.device)},
    }  # fmt: skip


def dpot(model: nn.Module, layout: Layout | None) -> Mapping[str, Any]:
    """DPOT: channels last, ten past states, a pair as answer."""
    return {"axes": "b x y t c", "out": (0, "b x y t c"), "frames": 10, "step": -1}


def morph(model: nn.Module, layout: Layout | None) -> Mapping[str, Any]:
    """MORPH: fields and components apart, the depth first, a triple as answer."""
    return {"axes": "b t f c 1 x y", "out": (2, "b f c 1 x y")}


def pdearena(model: nn.Module, layout: Layout | None) -> Mapping[str, Any]:
    """PDEArena: five axes, scalars before vectors."""
    return {"axes": "b t c ...", "step": -1, "frames": int(getattr(model, "time_history", 1))}


def neuralop(model: nn.Module, layout: Layout | None) -> Mapping[str, Any]:
    """FNO, TFNO, UNO of neuraloperator; normalisers stand in the data processor and are yours to give."""
    return {"axes": "b (t c) ...", "out": "b c ..."}


def physicsnemo(model: nn.Module, layout: Layout | None) -> Mapping[str, Any]:
    """FNO and AFNO of physicsnemo."""
    return {"axes": "b (t c) ...", "out": "b c ..."}


def walrus(model: nn.Module, layout: Layout | None) -> Mapping[str, Any]:
    """Walrus: time first, a third axis of space of one cell, a change as answer, shifts drawn in forward, which are switched off.

    `field_indices` (which of its channels are ours), `bcs` and `metadata` belong to the data, so they are yours to give.
    """
    flat = layout is None or layout.ndim == 2
    axes = "t b c x y 1" if flat else "t b c x y z"
    return {
        "axes": axes, "out": axes, "step": -1, "frames": 6, "residual": True, "normaliser": "rms-delta", "randomness": "off",
    }  # fmt: skip


_PRESETS: dict[str, Preset] = {
    f.__name__: f for f in (the_well, poseidon, mpp, walrus, dpot, morph, pdearena, neuralop, physicsnemo, earth2studio, aurora)
}


def presets() -> dict[str, Preset]:
    """The presets that `adapt(model, like=...)` knows, by name."""
    return dict(_PRESETS)


def register_preset(name: str, preset: Preset) -> None:
    """Make `adapt(model, like=name)` and `--as name` take what `preset(model, layout)` returns; raises for a name that is taken."""
    if name in _PRESETS or not name:
        raise OrbitscopeError(f"register_preset: `name` {name!r} is taken or empty. Taken: {', '.join(_PRESETS)}.")
    _PRESETS[name] = preset


def preset(name: str) -> Preset:
    """The preset of that name; raises listing those that there are."""
    if name not in _PRESETS:
        raise OrbitscopeError(f"like: no preset is called {name!r}. There are: {', '.join(_PRESETS)}; `register_preset` adds one.")
    return _PRESETS[name]
