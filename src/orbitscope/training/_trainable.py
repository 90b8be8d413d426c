"""What a model must be like to be trained, and what its numbers depend on."""

import importlib.metadata
import platform

import torch
from torch import nn

from .._errors import OrbitscopeError


def channels_last(model: nn.Module) -> nn.Module:
    """The same model with its convolution weights in the memory order that convolutions are fastest in, in place.

    `Module.to(memory_format=...)` would also try the five-dimensional weights of spectral layers, and fail.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return model


def versions() -> dict[str, str]:
    """What the numbers depend on beside the config."""
    packages = {name: importlib.metadata.version(name) for name in ("orbitscope", "torch", "numpy", "lightning-fabric")}
    return {"python": platform.python_version(), "machine": platform.platform(), "threads": str(torch.get_num_threads()), **packages}


def check_trainable(model: nn.Module) -> None:
    """Raise `OrbitscopeError` where `model` has layers whose state leaks between the examples of a batch: those of batch normalisation."""
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise OrbitscopeError(
                f"train: the model has a BatchNorm ({name}): its output depends on the other examples of the batch, and per-example "
                "gradients do not exist. Use GroupNorm or LayerNorm."
            )
