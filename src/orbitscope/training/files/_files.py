"""The files of a run folder: written whole or not at all.

| file | what |
|---|---|
| run.json | config, layout, grid, dt, normalisation, split, metrics, history, versions, parameter count |
| model.safetensors | weights with the lowest validation error so far |
| last.safetensors | weights after the last finished epoch |
| state.pt | what a resume needs: weights, optimiser, epoch, history (plain tensors and numbers) |
| checkpoints/epoch-0000.safetensors ... | with `keep="all"`: before the first and after every epoch |
| tensorboard/, csv/metrics.csv | scalars, where asked for |
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..._errors import OrbitscopeError, reading
from ..._json import finite_json, json_text
from ..._whole import write_whole

SIDECAR, BEST, LAST, STATE = "run.json", "model.safetensors", "last.safetensors", "state.pt"
_SUM, _AGAIN = "checksum", "Train again with force=True (--force)."
_STATE = {"epoch": int, "best": (int, float), "best_epoch": int, "history": list, "model": dict, "optimiser": dict}
Metadata = dict[str, Any]


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """JSON, whole or not at all; raises `OrbitscopeError` where a number is not finite, naming the entry."""
    content = json_text(data, what=str(path), indent=2) + "\n"
    write_whole(path, lambda part: part.write_text(content, encoding="utf-8"))


def entries(data: Any, path: Path, kinds: Mapping[str, type | tuple[type, ...]], advice: str) -> dict[str, Any]:
    """The same, after a check that every entry of `kinds` is there and of its type; raises `OrbitscopeError` naming one that is not."""
    if not isinstance(data, dict):
        raise OrbitscopeError(f"run: {path} should hold named entries, got {type(data).__name__}. {advice}")
    for name, kind in kinds.items():
        value, listed = data.get(name), kind if isinstance(kind, tuple) else (kind,)
        if name not in data or not isinstance(value, kind) or (isinstance(value, bool) and bool not in listed):
            words = " or ".join(k.__name__ for k in listed)
            found = "is missing" if name not in data else f"is {type(value).__name__} {str(value)[:60]!r}"
            raise OrbitscopeError(f"run: {path}: the entry {name!r} should be {words} and {found}. {advice}")
    return data


def read_json(path: Path) -> dict[str, Any]:
    """JSON with named entries, or an error that names the file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"it holds {type(found).__name__}, not named entries")
        return found
    except FileNotFoundError as error:
        raise OrbitscopeError(f"run: there is no {path.name} in {path.parent}. Give the folder that `train` wrote.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise OrbitscopeError(f"run: {path} cannot be read ({error}). Train again with force=True (--force).") from error


def write_weights(path: Path, model: nn.Module, metadata: Metadata) -> None:
    """All parameters and buffers as safetensors, with a checksum over them and `metadata`; same weights, same bytes."""
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    said = {**metadata, _SUM: _weights_checksum(weights, json.loads(json_text(metadata, what=str(path))))}
    # One metadata entry: safetensors writes several in an order that changes from call to call.
    content = save(weights, {"orbitscope": json_text(said, what=str(path))})
    write_whole(path, lambda part: part.write_bytes(content))


def read_weights(path: Path) -> tuple[dict[str, Tensor], Metadata]:
    """Tensors and metadata of a safetensors file.

    Raises `OrbitscopeError` where it is not there, is none, or is damaged (files of older versions and of others have no checksum).
    """
    if not path.is_file():
        raise OrbitscopeError(
            f"run: there is no file {path}. Available: {', '.join(sorted(p.name for p in path.parent.glob('*'))) or 'none'}."
        )
    try:
        with safe_open(path, framework="pt") as stream:
            about = json.loads((stream.metadata() or {}).get("orbitscope", "{}"))
            if not isinstance(about, dict):
                raise ValueError(f"its metadata are {type(about).__name__}")
            weights = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise OrbitscopeError(f"run: {path} is not a whole safetensors file ({error}). Take another checkpoint or train again.") from error
    written = about.pop(_SUM, None)
    if written is not None and written != _weights_checksum(weights, about):
        raise OrbitscopeError(
            f"run: {path} is damaged: its content does not give the checksum that was written with it. Take another checkpoint or "
            "train again."
        )
    return weights, about


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Copy `weights` into `model`; raise and name the first tensors that are missing, unexpected or of another shape."""
    own = model.state_dict()
    if wrong := [name for name, value in weights.items() if not isinstance(value, Tensor)]:
        raise OrbitscopeError(f"weights: {source}: {wrong[0]!r} is no tensor. Take another checkpoint or train again.")
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
    """Plain tensors, numbers, strings, lists and dicts, with a checksum over all of them."""
    write_whole(path, lambda part: torch.save({**state, _SUM: _checksum(dict(state))}, part))


def read_state(path: Path) -> dict[str, Any]:
    """The inverse of `write_state`; runs no code from the file.

    Raises `OrbitscopeError` where the file is damaged (states of older versions have no checksum) or an entry has another type.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise OrbitscopeError(f"out: {path} is damaged ({type(error).__name__}). {_AGAIN}") from error
    with reading(path, "out", _AGAIN):
        state = dict(entries(found, path, _STATE, _AGAIN))
        written = state.pop(_SUM, None)
        if written is not None and written != _checksum(state):
            raise OrbitscopeError(f"out: {path} is damaged: its content does not give the checksum that was written with it. {_AGAIN}")
        history = [entries(one, path, {"epoch": int, "validation": (int, float)}, _AGAIN) for one in state["history"]]
        if not 0 <= state["best_epoch"] <= state["epoch"] or len(history) != state["epoch"]:
            raise OrbitscopeError(
                f"out: {path} is damaged: it counts {state['epoch']} epochs, of which number {state['best_epoch']} was the best, and lists "
                f"{len(history)}. {_AGAIN}"
            )
        return state


def _weights_checksum(weights: Mapping[str, Tensor], metadata: Metadata) -> int:
    return _checksum([dict(sorted(weights.items())), dict(sorted(metadata.items()))])


def _checksum(value: Any, found: int = 0) -> int:
    """CRC-32 of plain data and tensors, in the order in which they stand."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            found = _checksum(item, zlib.crc32(repr(key).encode(), found))
        return found
    if isinstance(value, list | tuple):
        found = zlib.crc32(f"{len(value)}".encode(), found)
        for item in value:
            found = _checksum(item, found)
        return found
    if isinstance(value, Tensor):
        plain = value.detach().cpu().contiguous()
        found = zlib.crc32(f"{plain.dtype} {tuple(plain.shape)}".encode(), found)
        return zlib.crc32(plain.flatten().view(torch.uint8).numpy().data, found) if plain.numel() else found
    return zlib.crc32(repr(value).encode(), found)


def plain(value: Any) -> Any:
    """Finite numbers, words, lists and dicts; anything else as its text."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return finite_json(value) if value is None or isinstance(value, bool | int | float | str) else str(value)
