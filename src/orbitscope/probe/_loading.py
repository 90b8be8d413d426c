"""Models from disk: run folders, exported programs, constructors with weights."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn

from .._errors import OrbitscopeError
from ..emulators import load_run
from ..nn import frames_of
from ._exported import load_exported


def load_model(
    source: str | Path,
    weights: str | Path | None = None,
    *,
    device: str | torch.device = "cpu",
    frames: int | None = None,
    trust: bool | str = False,
) -> nn.Module:
    """A module in evaluation mode from a run folder, a `torch.export` file (.pt2), or `"package.module:callable"` with safetensors weights.

    * `source`: the run folder, the .pt2 file, or package.module:callable, which is called without arguments and returns the module.
    * `weights`: a safetensors file for the module that such a callable makes; None: as it comes.
    * `device`: where the parameters go.
    * `frames`: how many past states the model sees, stacked along channels, oldest first; None: what the model says (`nn.frames_of`; a run
      knows).
    * `trust`: whether a run folder may name code to import (see `load_run`) and a .pt2 file may hold what could run code; the callable that
      you name here yourself needs none.

    Raises `OrbitscopeError` if nothing fits, naming the tensors of `weights` that do not, for `frames` that contradict the model, and for a
    file that could run code without `trust`.
    """
    model = _load(source, weights, device, trust)
    if frames is None:
        return model
    if frames < 1:
        raise OrbitscopeError(f"frames: should be a number of states, at least 1, got {frames}.")
    if hasattr(model, "frames") and frames_of(model) != frames:
        raise OrbitscopeError(f"frames: {source} sees {frames_of(model)} states at a time, and `frames` says {frames}. Leave it out.")
    model.frames = frames  # pyright: ignore[reportArgumentType]
    return model


def _load(source: str | Path, weights: str | Path | None, device: str | torch.device, trust: bool | str) -> nn.Module:
    text = str(source)
    if ":" in text and not text.endswith(".pt2") and not Path(text).exists():
        return _construct(text, weights).to(device).eval()
    if weights is not None:
        raise OrbitscopeError(f"load_model: `weights` goes with 'package.module:callable'; {text!r} brings its own.")
    if text.endswith(".pt2"):
        return load_exported(Path(text), trust=trust is True).to(device)
    return load_run(text, trust=trust).model.to(device).eval()


def _construct(text: str, weights: str | Path | None) -> nn.Module:
    module_name, _, attribute = text.partition(":")
    try:
        make: Callable[[], nn.Module] = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise OrbitscopeError(f"model: cannot find {text!r}: {error}. Is it on PYTHONPATH?") from error
    except Exception as error:  # somebody else's module fails in its own way
        raise OrbitscopeError(f"model: importing {module_name!r} failed: {type(error).__name__}: {error}") from error
    if not callable(make):
        raise OrbitscopeError(f"model: {text!r} is {type(make).__name__}, not a callable that returns a torch.nn.Module.")
    try:
        model = make()
    except Exception as error:
        hint = " It is called without arguments." if isinstance(error, TypeError) else ""
        raise OrbitscopeError(f"model: {text!r} failed: {type(error).__name__}: {error}{hint}") from error
    if not isinstance(model, nn.Module):
        raise OrbitscopeError(f"model: {text} returned {type(model).__name__}, not a torch.nn.Module.")
    if weights is not None:
        load_weights(model, Path(weights))
    return model


def load_weights(model: nn.Module, path: Path) -> None:
    """Put a safetensors file into a model; raise `OrbitscopeError` naming the tensors that do not fit.

    * `model`: whose parameters and buffers are filled.
    * `path`: the safetensors file.
    """
    try:
        tensors = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError, json.JSONDecodeError) as error:
        raise OrbitscopeError(f"weights: cannot read {path} as safetensors: {error}") from error
    own = model.state_dict()
    missing, extra = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    shapes = [
        f"{k}: {tuple(tensors[k].shape)} for {tuple(own[k].shape)}" for k in own.keys() & tensors.keys() if own[k].shape != tensors[k].shape
    ]
    if missing or extra or shapes:
        parts = [
            f"{what} {names[:3]}" for what, names in (("missing", missing), ("unexpected", extra), ("wrong shape", sorted(shapes))) if names
        ]
        raise OrbitscopeError(f"weights: {path} does not fit the model: {'; '.join(parts)}.")
    model.load_state_dict(tensors)
