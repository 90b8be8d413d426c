"""Opening HDF5 files: per process, only what lies in the file itself, and with errors that say what is wrong with it."""

import contextlib
import importlib
import itertools
import math
import os
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from h5py import h5d, h5l, h5o  # pyright: ignore[reportAttributeAccessIssue]
from numpy.typing import NDArray

from .._errors import OrbitscopeError, reading
from ._decode import CODED, decoded
from ._heaps import has_endless_heap
from ._lazy import Axes, runs
from ._memory import size_text
from ._sums import Watch

_CACHE_BYTES = 16 * 2**20
_ITEMS = 100_000
_SPARSE, _SPARSE_CHUNK = 2**38, 2**28
_COPY = "If you know where it comes from, copy it with a program that resolves such links (h5repack, nccopy) and read the copy."


class Handle:
    """A file opened for reading when first needed, once per process; only the path travels in a pickle."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._file: h5py.File | None = None
        self._pid = -1
        self.bytes_read = 0
        self.watch: Watch | None = None
        """Of a file with checksums: what is read is compared with them first."""
        self._stamp = _stamp(self.path)

    @property
    def file(self) -> h5py.File:
        """The open file of this process."""
        if self._file is None or self._pid != os.getpid() or not self._file.id.valid:
            if _stamp(self.path) != self._stamp:
                raise OrbitscopeError(f"data: {self.path} changed or vanished after it was loaded. Load it again.")
            self._file, self._pid = open_hdf5(self.path), os.getpid()
        return self._file

    def close(self) -> None:
        """Let the file go; it is opened again when needed."""
        file, self._file = self._file, None
        if file is not None and self._pid == os.getpid():
            file.close()

    def gather(self, name: str, axes: Axes, dtype: np.dtype[Any]) -> NDArray[Any]:
        """The outer product of `axes` from the dataset `name`, read run by run into one array."""
        stored = dataset(self.file, name)
        foreign = "orbitscope_axes" not in self.file.attrs
        # What others packed is unpacked and masked; ours is read straight into floating point.
        kind = stored.dtype.newbyteorder("=") if foreign else dtype
        with reading(f"{self.path}: the variable {name!r}", "data", missing_filter(stored) or "The file is damaged: copy it again."):
            out = np.empty(tuple(len(a) for a in axes), dtype=kind)
            if self.watch is not None and name in self.watch.values:
                self.watch.verify(self.file, axes[0], axes[1])
            for combination in itertools.product(*(runs(a) for a in axes)):
                stored.read_direct(out, tuple(r for _, r in combination), tuple(w for w, _ in combination))  # pyright: ignore[reportArgumentType]
        self.bytes_read += out.nbytes
        return decoded(out, {k: stored.attrs[k] for k in CODED if k in stored.attrs}, dtype) if foreign else out

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_pid": -1}


def open_hdf5(path: Path, mode: Literal["r", "r+"] = "r") -> h5py.File:
    """An HDF5 file of which everything lies in the file itself; raises `OrbitscopeError` that says what it is instead.

    * `path`: the file. * `mode`: "r" to read, "r+" to change what is there.

    Every file of others should be opened through this one: HDF5 lets a file keep values in any other file of the machine (external
    storage, external links, virtual data sets), where reading would show and writing would destroy it, and lets groups contain each other,
    which a walk through them never leaves. Such files are refused, as are more than 100,000 items and a variable more than a thousand
    times as large as the file, which reading would make up; a series of states of up to 256 GiB may be that large, if it is stored in
    pieces of which few were written. Values are not looked at.
    """
    if not path.exists():
        raise OrbitscopeError(f"path: there is no file {path}.")
    if path.is_dir():
        raise OrbitscopeError(f"path: {path} is a folder; name one file in it.")
    if path.is_file() and has_endless_heap(path):
        raise OrbitscopeError(f"path: {path} is damaged: a table of texts in it has no end. Copy or download it again.")
    try:
        file = h5py.File(path, mode, rdcc_nbytes=_CACHE_BYTES, locking="best-effort" if mode == "r" else None)
    except OSError as error:
        raise OrbitscopeError(f"path: {path} cannot be opened: {_diagnose(path, str(error))}") from error
    try:
        with reading(path):
            _refuse_outward(file, path)
    except BaseException:
        file.close()
        raise
    return file


def _refuse_outward(file: h5py.File, path: Path) -> None:
    """Raise for values that lie elsewhere and for groups that can be reached in two ways; every link and every item is seen once."""
    size = path.stat().st_size
    groups, seen, count = [(file.id, "")], {h5o.get_info(file.id).addr}, 0
    while groups:
        group, where = groups.pop()
        for name in group:
            at = f"{where}/{name.decode(errors='replace')}"
            count += 1
            if count > _ITEMS:
                raise OrbitscopeError(f"path: {path} has more than {_ITEMS:,} items, which no file of trajectories has.")
            kind = group.links.get_info(name).type
            if kind == h5l.TYPE_SOFT:
                if _is_group(group, name):
                    raise OrbitscopeError(f"path: {path}: {at} is a link to a group, and such links can run in a circle. {_COPY}")
                continue  # to values in this file, or to nothing
            if kind != h5l.TYPE_HARD:
                raise OrbitscopeError(f"path: {path}: {at} is a link to another file, which is neither followed nor written. {_COPY}")
            about = h5o.get_info(group, name)
            if about.type == h5o.TYPE_GROUP and about.addr in seen:
                raise OrbitscopeError(f"path: {path}: the group {at} has two names, and so may contain itself. {_COPY}")
            if about.addr in seen:
                continue
            seen.add(about.addr)
            item = h5o.open(group, name)
            if about.type == h5o.TYPE_GROUP:
                groups.append((item, at))
            elif isinstance(item, h5d.DatasetID):
                plan = item.get_create_plist()
                if plan.get_layout() == h5d.VIRTUAL or plan.get_external_count():
                    raise OrbitscopeError(f"path: {path}: the values of {at} lie in other files, which are not read or written. {_COPY}")
                declared = math.prod(item.shape or ()) * item.dtype.itemsize
                if declared > 1000 * size + 2**26 and not _is_sparse(item, plan):
                    raise OrbitscopeError(
                        f"path: {path}: {at} declares {size_text(declared)}, and the whole file has {size_text(size)}. Is its header "
                        "damaged? Copy or download it again."
                    )


def _is_sparse(item: Any, plan: Any) -> bool:
    """Whether the values are read piece by piece anyhow: three axes or more, in chunks of modest size, of a length that a check could walk
    through. What has fewer axes (coordinates, checksums) is read whole."""
    if plan.get_layout() != h5d.CHUNKED or len(item.shape) < 3 or math.prod(item.shape) * item.dtype.itemsize > _SPARSE:
        return False
    return math.prod(plan.get_chunk()) * item.dtype.itemsize <= _SPARSE_CHUNK


def _is_group(group: Any, name: bytes) -> bool:
    try:
        return h5o.get_info(group, name).type == h5o.TYPE_GROUP
    except (KeyError, OSError, RuntimeError):  # a link to nothing
        return False


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


def missing_filter(stored: h5py.Dataset) -> str:
    """What to install where a dataset is compressed with a filter that HDF5 does not have here; "" where it has all of them.

    HDF5 itself reports a plugin folder that cannot be opened, which sounds like damage.
    """
    plan = stored.id.get_create_plist()
    needed = [plan.get_filter(k)[0] for k in range(plan.get_nfilters())]
    absent = [number for number in needed if not h5py.h5z.filter_avail(number)]
    if absent:
        with contextlib.suppress(ImportError):  # it brings the usual ones by being imported
            importlib.import_module("hdf5plugin")
        absent = [number for number in absent if not h5py.h5z.filter_avail(number)]
    if not absent:
        return ""
    return (
        f"It needs the HDF5 filter{'s' * (len(absent) > 1)} {', '.join(map(str, absent))}, which {'are' if len(absent) > 1 else 'is'} not "
        "installed here: pip install hdf5plugin."
    )


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
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def real_dtype(stored: h5py.Dataset) -> np.dtype[Any]:
    """float64 stays; every other real dtype is read as float32."""
    if stored.dtype.kind not in "fiu":
        raise OrbitscopeError(f"data: the variable {stored.name!r} has dtype {stored.dtype}; expected real numbers.")
    return np.dtype(np.float64 if stored.dtype.newbyteorder("=") == np.float64 else np.float32)
