"""The files of a run folder: written whole or not at all.

| file | what |
|---|---|
| run.json | config, layout, grid, dt, normalisation, split, metrics, history, versions, parameter count |
| model.safetensors | weights with the lowest validation error so far |
| last.safetensors | weights after the last finished epoch |
| state.pt | what a resume needs: weights, optimiser, epoch, history (plain tensors and numbers) |
| checkpoints/epoch-0000.safetensors ... | with `keep="all"`: before the first and after every epoch |
| tensorboard/ | scalars |
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ..._json import finite_json, json_text
from ..._whole import write_whole

SIDECAR, BEST, LAST, STATE = "run.json", "model.safetensors", "last.safetensors", "state.pt"
Metadata = dict[str, Any]


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """JSON, whole or not at all; raises `OrbitscopeError` where a number is not finite, naming the entry."""
    content = json_text(data, what=str(path), indent=2) + "\n"
    write_whole(path, lambda part: part.write_text(content, encoding="utf-8"))


def read_json(path: Path) -> dict[str, Any]:
    """JSON, or an error that names the file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise OrbitscopeError(f"run: there is no {path.name} in {path.parent}. Give the folder that `train` wrote.") from error
    except (OSError, ValueError) as error:
        raise OrbitscopeError(f"run: {path} cannot be read ({error}). Train again with force=True.") from error


def write_weights(path: Path, model: nn.Module, metadata: Metadata) -> None:
    """All parameters and buffers as safetensors; same weights, same bytes."""
    # One metadata entry: safetensors writes several in an order that changes from call to call.
    content = save(
        {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()},
        {"orbitscope": json_text(metadata, what=str(path))},
    )
    write_whole(path, lambda part: part.write_bytes(content))


def read_weights(path: Path) -> tuple[dict[str, Tensor], Metadata]:
    """Tensors and metadata of a safetensors file."""
    if not path.is_file():
        raise OrbitscopeError(
            f"run: there is no file {path}. Available: {', '.join(sorted(p.name for p in path.parent.glob('*'))) or 'none'}."
        )
    try:
        with safe_open(path, framework="pt") as stream:
            return {name: stream.get_tensor(name) for name in stream.keys()}, json.loads((stream.metadata() or {}).get("orbitscope", "{}"))  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise OrbitscopeError(f"run: {path} is not a whole safetensors file ({error}). Take another checkpoint or train again.") from error


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Copy `weights` into `model`; raise and name the first tensors that are missing, unexpected or of another shape."""
    own = model.state_dict()
    faults = [f"missing {name} {list(own[name].shape)}" for name in own if name not in weights]
    faults += [f"unexpected {name} {list(weights[name].shape)}" for name in weights if name not in own]
    faults += [
        f"{name} is {list(weights[name].shape)} in the file and {list(own[name].shape)} in the model"
        for name in own
        if name in weights and own[name].shape != weights[name].shape
    ]
    if faults:
        more = f"; and {len(faults) - 4} more" if len(faults) > 4 else ""
        raise OrbitscopeError(
            f"weights: {source} does not fit the model: {'; '.join(faults[:4])}{more}. "
            "Build the model with the options, channels and resolution that it was trained with."
        )
    model.load_state_dict(dict(weights))


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Plain tensors, numbers, strings, lists and dicts."""
    write_whole(path, lambda part: torch.save(dict(state), part))


def read_state(path: Path) -> dict[str, Any]:
    """The inverse of `write_state`; runs no code from the file."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise OrbitscopeError(f"out: {path} is damaged ({type(error).__name__}). Train again with force=True.") from error


def plain(value: Any) -> Any:
    """Finite numbers, words, lists and dicts; anything else as its text."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return finite_json(value) if value is None or isinstance(value, bool | int | float | str) else str(value)
