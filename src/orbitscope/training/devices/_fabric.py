"""The engine that knows the devices."""

import os
from typing import TYPE_CHECKING, Any

import torch

from ..._errors import OrbitscopeError
from .._settings import Settings

if TYPE_CHECKING:
    import lightning_fabric


def made_by_others(config: Settings) -> bool:
    """Whether another launcher, such as torchrun, has started this process as one of several."""
    return config.devices > 1 and "LOCAL_RANK" in os.environ


def make_fabric(config: Settings, *, rounded: bool = False) -> "lightning_fabric.Fabric":
    """Device, precision and process group of a training; raises where there are fewer GPUs than asked for.

    `rounded`: with precision "64" what a model answers in a training step is rounded to float32 before the loss, as the engine would.
    """
    from lightning_fabric import Fabric  # takes a second to import
    from lightning_fabric.plugins.precision import DoublePrecision

    class Double(DoublePrecision):
        """Float64 from end to end."""

        def convert_output(self, data: Any) -> Any:
            return data

    accelerator = config.device
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator == "cuda" and torch.cuda.device_count() < config.devices:
        here = torch.cuda.device_count()
        raise OrbitscopeError(f"train: {config.devices} CUDA `devices` asked for, {here} are here. Use device='cpu'.")
    precision = {"32": "32-true", "64": "64-true", "bf16": "bf16-mixed"}[config.precision]
    exact = config.precision == "64" and not rounded
    fabric = Fabric(
        accelerator=accelerator,
        devices=config.devices,
        strategy="ddp" if config.devices > 1 else "auto",
        precision=None if exact else precision,  # pyright: ignore[reportArgumentType]
        plugins=[Double()] if exact else None,
    )
    fabric.launch()
    return fabric
