"""Opening HDF5 files: per process, and with errors that say what is wrong with the file."""

import itertools
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ._lazy import Axes, runs

_CACHE_BYTES = 16 * 2**20


class Handle:
    """A file opened for reading when first needed, once per process; only the path travels in a pickle."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._file: h5py.File | None = None
        self._pid = -1
        self.bytes_read = 0
        self._stamp = _stamp(self.path)

    @property
    def file(self) -> h5py.File:
        """The open file of this process."""
        if self._file is None or self._pid != os.getpid() or not self._file.id.valid:
            if _stamp(self.path) != self._stamp:
                raise OrbitscopeError(f"data: {self.path} changed or vanished after it was loaded. Load it again.")
            self._file, self._pid = open_for_reading(self.path), os.getpid()
        return self._file

    def gather(self, name: str, axes: Axes, dtype: np.dtype[Any]) -> NDArray[Any]:
        """The outer product of `axes` from the dataset `name`, read run by run into one array."""
        stored = dataset(self.file, name)
        out = np.empty(tuple(len(a) for a in axes), dtype=dtype)
        try:
            for combination in itertools.product(*(runs(a) for a in axes)):
                stored.read_direct(out, tuple(r for _, r in combination), tuple(w for w, _ in combination))  # pyright: ignore[reportArgumentType]
        except (OSError, RuntimeError) as error:
            raise OrbitscopeError(
                f"data: {self.path}: the variable {name!r} cannot be read ({error}). The file is damaged: copy it again."
            ) from error
        self.bytes_read += out.nbytes
        return out

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_pid": -1}


def open_for_reading(path: Path) -> h5py.File:
    """Open, or raise an error that says what the file is instead of an HDF5 file."""
    if not path.exists():
        raise OrbitscopeError(f"path: there is no file {path}.")
    if path.is_dir():
        raise OrbitscopeError(f"path: {path} is a folder; name one file in it.")
    try:
        return h5py.File(path, "r", rdcc_nbytes=_CACHE_BYTES, locking="best-effort")
    except OSError as error:
        raise OrbitscopeError(f"path: {path} cannot be opened: {_diagnose(path, str(error))}") from error


def _diagnose(path: Path, message: str) -> str:
    size = path.stat().st_size
    if size == 0:
        return "it is empty."
    if "truncated" in message:
        return f"it is truncated ({size} bytes are there and its header promises more). Copy or download it again."
    if "lock" in message:
        return "another process is writing it. Wait until that one has finished."
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        return f"{error.strerror or error}."
    if head[:3] == b"CDF":
        return "it is a NetCDF-3 file and only NetCDF-4 (HDF5) is read. Convert it: nccopy -k netCDF-4 old.nc new.nc."
    if "signature" in message:
        return "it is not an HDF5 or NetCDF-4 file. Expected PDEgym NetCDF or The Well HDF5."
    return f"{message}. It may be damaged: copy or download it again."


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def dataset(file: h5py.Group, name: str) -> h5py.Dataset:
    """The dataset of that name, or an error that lists what there is."""
    item = file.get(name)
    if not isinstance(item, h5py.Dataset):
        raise OrbitscopeError(f"path: {file.file.filename} lacks the dataset {name!r}. It holds: {contents(file.file)}.")
    return item


def contents(file: h5py.File, limit: int = 12) -> str:
    """The datasets of a file in one line: name, shape, dtype."""
    found: list[str] = []

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found.append(f"{name} {list(item.shape or ())} {item.dtype}")

    file.visititems(visit)
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ("; ".join(found[:limit]) + more) or "no dataset at all"


def text(value: object) -> str:
    """An HDF5 string attribute as str."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    return value.decode() if isinstance(value, bytes) else str(value)


def real_dtype(stored: h5py.Dataset) -> np.dtype[Any]:
    """float64 stays; every other real dtype is read as float32."""
    if stored.dtype.kind not in "fiu":
        raise OrbitscopeError(f"data: the variable {stored.name!r} has dtype {stored.dtype}; expected real numbers.")
    return np.dtype(np.float64 if stored.dtype.newbyteorder("=") == np.float64 else np.float32)
