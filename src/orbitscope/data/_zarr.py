"""Plain zarr stores: a folder `data.zarr` with `data.toml` beside it, which says what the arrays are; read lazily. Needs `zarr`."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from .._lock import locked
from .._whole import own_part, remove_orphans, write_whole
from ._decode import decoded
from ._lazy import Axes, LazyArray, Source
from ._npz import described, grid_of, toml_text
from ._reader import Reader
from ._trajectories import Trajectories

SUFFIX = ".zarr"
_CODECS = frozenset(
    {
        "bytes", "transpose", "sharding_indexed", "crc32c", "blosc", "gzip", "zstd", "zlib", "bz2", "lzma", "lz4", "delta", "shuffle",
        "quantize", "bitround", "fixedscaleoffset", "packbits", "astype", "crc32", "adler32", "fletcher32", "jenkins_lookup3",
        "zfpy", "pcodec",
        "vlen-utf8", "vlen-bytes", "cast_value", "scale_offset",
    }
)  # fmt: skip
_CHUNK_BYTES = 2**20


def read_zarr(path: Path, declared: Reader) -> Trajectories:
    """Lazy trajectories of a store of numbers, as the TOML file beside it (see `read_npz`) or the caller describes them."""
    if not path.is_dir():
        raise OrbitscopeError(f"path: there is no folder {path}.")
    layout, dt, said, where = described(path, declared)
    arrays = _arrays(path, said.get("variable"))
    space = ["x", "y", "z"][: layout.ndim]
    default = ["trajectory", "time", *(() if len(arrays) > 1 else ("channel",)), *space]
    source = ZarrArray(path, tuple(arrays), *_order(path, arrays, list(said.get("axes", default)), space))
    grid = declared.grid or grid_of(where, said["grid"], source.shape[3:])
    notes = (
        f"format: zarr, {', '.join(f'{n!r}' for n in arrays)}; described by {said['by']}",
        f"axes: stored [{', '.join(source.stored)}], read as [trajectory, time, channel, {', '.join(space)}]",
        f"channels: {layout}; {'declared by the caller' if declared.layout else f'from {where.name}'}",
        f"grid: {grid}; dt: {dt:g}",
    )
    return Trajectories(LazyArray(source), layout, grid, dt, said.get("provenance", {}), notes)


def write_zarr(data: Trajectories, path: Path, *, force: bool, dtype: torch.dtype = torch.float32) -> Path:
    """`path` and the TOML file beside it, one trajectory at a time, uncompressed, with checksums; both are there whole or not at all."""
    zarr, where = _zarr(), path.with_suffix(".toml")
    for target in (path, where):
        if target.exists() and not force:
            raise OrbitscopeError(f"path: {target} exists. Choose another name, or replace it with force=True (--force).")
    part, old = own_part(path), own_part(path)
    with locked(path):
        try:
            remove_orphans(path)
            _fill(zarr, part, data, dtype)
            write_whole(where, lambda p: p.write_text(toml_text(data), encoding="utf-8"))
            if path.exists():
                os.replace(path, old)
            os.replace(part, path)
        except OSError as error:
            raise OrbitscopeError(f"path: {path} was not written ({error.strerror or error}).") from error
        finally:
            for folder in (part, old):
                shutil.rmtree(folder, ignore_errors=True)
    return path


def _fill(zarr: Any, part: Path, data: Trajectories, dtype: torch.dtype) -> None:
    """A store with one array, chunk by chunk with a checksum each, which every reader of zarr compares."""
    shape, kind = data.shape, str(dtype).removeprefix("torch.")
    frame = int(np.prod(shape[2:])) * dtype.itemsize
    chunks = (1, max(1, min(shape[1], _CHUNK_BYTES // max(1, frame))), *shape[2:])
    names = ["trajectory", "time", "channel", *"xyz"[: data.grid.ndim]]
    array = zarr.open_group(str(part), mode="w").create_array(
        "values", shape=shape, chunks=chunks, dtype=kind, compressors=[zarr.codecs.Crc32cCodec()], dimension_names=names
    )
    for i in range(data.trajectories):
        array[i] = data[i].check_finite().tensor(dtype)[0].numpy()


def refuse_codecs(folder: Path) -> None:
    """Raise `OrbitscopeError` for a store with a codec that is not known to be plain arithmetic: one of numcodecs' unpickles, that is,
    runs what the store says."""
    for place, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if f != "c" and not f.replace(".", "").isdigit()]  # chunks
        for name in {".zarray", ".zmetadata", "zarr.json"}.intersection(files):
            try:
                said = json.loads((Path(place) / name).read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError) as error:
                raise OrbitscopeError(f"path: {Path(place) / name} cannot be read ({error}). Copy the store again.") from error
            if strange := sorted({str(c) for c in _codecs(said) if str(c).removeprefix("numcodecs.") not in _CODECS}):
                raise OrbitscopeError(
                    f"path: {Path(place) / name} names the codec {strange[0]!r}, which is not known to be plain data and might run code. "
                    "Write the store again with blosc, gzip or zstd."
                )


def _codecs(said: Any, inside: str = "") -> Iterator[Any]:
    """The names of all codecs in the metadata of a store: `id` in version 2, `name` of an entry of `codecs` in version 3."""
    if isinstance(said, dict):
        if inside in ("filters", "compressor") and "id" in said:
            yield said["id"]
        if inside in ("codecs", "index_codecs") and "name" in said:
            yield said["name"]
        for key, item in said.items():
            yield from _codecs(item, key)
    elif isinstance(said, list):
        for item in said:
            if inside in ("codecs", "index_codecs") and isinstance(item, str):
                yield item
            yield from _codecs(item, inside)


def has_named_dimensions(folder: Path) -> bool:
    """Whether an array of a store names its dimensions, in version 3 of zarr or as xarray does in version 2; needs no package."""
    for path in (*folder.glob("*/zarr.json"), *folder.glob("*/.zattrs")):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(said, dict) and (said.get("_ARRAY_DIMENSIONS") or any(said.get("dimension_names") or ())):
            return True
    return False


@dataclass
class ZarrArray(Source):
    """Arrays of a store, which become channels where there are several; `stored` names their axes."""

    folder: Path
    names: tuple[str, ...]
    stored: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __post_init__(self) -> None:
        self._opened: dict[str, Any] = {}

    @property
    def path(self) -> Path:
        """The store."""
        return self.folder

    def read(self, axes: Axes) -> NDArray[Any]:
        """Only the chunks that hold the wanted indices."""
        logical = ["trajectory", "time", "channel", "x", "y", "z"][: len(self.shape)]
        wanted = dict(zip(logical, axes, strict=True))
        if len(self.names) == 1:
            return self._turned(self.names[0], wanted, logical)
        parts = [self._turned(self.names[c], {**wanted, "channel": np.zeros(1, dtype=np.int64)}, logical) for c in axes[2].tolist()]
        return np.concatenate(parts, axis=2) if parts else np.empty(tuple(len(a) for a in axes), dtype=self.dtype)

    def _turned(self, name: str, wanted: dict[str, NDArray[np.int64]], logical: list[str]) -> NDArray[Any]:
        if not self._opened:
            self._opened = {n: _open(self.folder, n) for n in self.names}
        try:
            block = np.asarray(self._opened[name].oindex[tuple(wanted[a] for a in self.stored)])
        except (OSError, ValueError, RuntimeError) as error:
            raise OrbitscopeError(f"data: {self.folder}: the array {name!r} cannot be read ({error}). Copy the store again.") from error
        block = decoded(block, dict(self._opened[name].attrs), self.dtype).transpose(
            [self.stored.index(a) for a in logical if a in self.stored]
        )
        return np.ascontiguousarray(block.reshape([len(wanted[a]) for a in logical]))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": {}}


def _zarr() -> Any:
    try:
        import zarr
    except ImportError:
        raise OrbitscopeError("path: .zarr needs the package zarr, version 3: pip install 'orbitscope[zarr]'.") from None
    return zarr


def _open(folder: Path, name: str) -> Any:
    zarr = _zarr()
    refuse_codecs(folder)
    try:
        found = zarr.open(str(folder), mode="r")
        return found if name == "" else found[name]
    except Exception as error:  # what zarr raises differs between its versions and its stores
        raise OrbitscopeError(f"path: {folder} is not a zarr store with the array {name!r} ({error}).") from error


def _arrays(path: Path, variable: str | list[str] | None) -> dict[str, Any]:
    zarr = _zarr()
    root = _open(path, "")
    if isinstance(root, zarr.Array):
        return _checked(path, {"": root})
    held = {name: item for name, item in sorted(root.members()) if isinstance(item, zarr.Array)}
    chosen = [variable] if isinstance(variable, str) else list(variable or held)
    if variable is None and len(held) != 1:
        raise OrbitscopeError(
            f"variable: {path} holds {', '.join(held) or 'no array'}; say which: load(path, variable=...) or in the TOML."
        )
    if absent := [n for n in chosen if n not in held]:
        raise OrbitscopeError(f"variable: {absent[0]!r} is not in {path}, which holds {', '.join(held)}.")
    return _checked(path, {n: held[n] for n in chosen})


def _checked(path: Path, arrays: dict[str, Any]) -> dict[str, Any]:
    for name, array in arrays.items():
        if np.dtype(array.dtype).kind not in "fiu":
            raise OrbitscopeError(f"variable: {name!r} of {path} has dtype {array.dtype}; expected real numbers.")
    return arrays


def _order(path: Path, arrays: dict[str, Any], axes: list[str], space: list[str]) -> tuple[tuple[str, ...], tuple[int, ...], np.dtype[Any]]:
    """Names of the stored axes, the shape [trajectory, time, channel, *space], and the dtype."""
    wanted = ["trajectory", "time", "channel", *space]
    if len(set(axes)) != len(axes) or set(axes) - set(wanted) or set(space) - set(axes) or (len(arrays) > 1 and "channel" in axes):
        raise OrbitscopeError(
            f"axes: expected {', '.join(space)} and any of trajectory, time and channel (none for several arrays), each once, got {axes}."
        )
    shapes = {tuple(a.shape) for a in arrays.values()}
    if len(shapes) != 1 or len(shape := shapes.pop()) != len(axes):
        raise OrbitscopeError(f"axes: {axes} do not fit the shapes {[tuple(a.shape) for a in arrays.values()]} of {path}.")
    full = {**dict.fromkeys(wanted, 1), **dict(zip(axes, shape, strict=True))}
    full["channel"] = len(arrays) if len(arrays) > 1 else full["channel"]
    double = any(np.dtype(a.dtype) == np.float64 for a in arrays.values())
    return tuple(axes), tuple(full[n] for n in wanted), np.dtype(np.float64 if double else np.float32)
