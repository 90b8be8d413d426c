"""Networks that are averaged while they are trained, as names that `orbitscope.build` knows."""

from typing import Any

from torch import nn

import orbitscope as osc
from orbitscope.emulators import models
from orbitscope.nn import FrameAveraged

GROUP = "d4"
FRAMED = ("framed", "averaging")


def wrapped(model: nn.Module, how: str, layout: osc.Layout, grid: osc.Grid) -> nn.Module:
    """A model, trained or not, averaged over the group: "framed" costs one evaluation, "averaging" one per element."""
    group, action = osc.parse_group(GROUP), osc.GridAction(layout, grid)
    return FrameAveraged(model, group, action, frames=1) if how == "framed" else osc.symmetrize(model, group, action)


def known() -> None:
    """Register framed_unet, averaging_vit and so on: `network` inside an average, with its presets. Twice is once."""
    for how in FRAMED:
        for network in ("unet", "vit"):
            name = f"{how}_{network}"
            if name not in models():
                osc.register(name, _factory(network, how), {size: {"size": size} for size in ("small", "medium", "paper")})


def _factory(network: str, how: str) -> Any:
    def make(channels_in: int, layout: osc.Layout, grid: osc.Grid, size: str, **overrides: Any) -> nn.Module:
        overrides = {k: v for k, v in overrides.items() if k not in ("channels_out", "resolution")}  # they follow from layout and grid
        resolution = (grid.shape[0], grid.shape[1])
        return wrapped(osc.build(network, size, channels_in=channels_in, resolution=resolution, **overrides), how, layout, grid)

    return make
