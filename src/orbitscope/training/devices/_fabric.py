"""The engine that knows the devices."""

import os
from typing import TYPE_CHECKING

import torch

from ..._errors import OrbitscopeError
from .._settings import Settings

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def made_by_others(config: Settings) -> bool:
    """Whether another launcher, such as torchrun, has started this process as one of several."""
    return config.devices > 1 and "LOCAL_RANK" in os.environ


def make_fabric(config: Settings) -> "Fabric":
    """Device, precision and process group of a training; raises where there are fewer GPUs than asked for."""
    from lightning_fabric import Fabric  # takes a second to import

    accelerator = config.device
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator == "cuda" and torch.cuda.device_count() < config.devices:
        here = torch.cuda.device_count()
        raise OrbitscopeError(f"train: {config.devices} CUDA `devices` asked for, {here} are here. Use device='cpu'.")
    precision = {"32": "32-true", "64": "64-true", "bf16": "bf16-mixed"}[config.precision]
    fabric = Fabric(
        accelerator=accelerator,
        devices=config.devices,
        strategy="ddp" if config.devices > 1 else "auto",
        precision=precision,  # pyright: ignore[reportArgumentType]
    )
    fabric.launch()
    return fabric
