"""What every file format shares: the description of a file to be written, and the attributes that make a file explain itself."""

import json
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from .._json import finite_json, json_text
from ..symmetry import Grid, Layout
from ._hdf5 import Handle, dataset, text
from ._trajectories import Trajectories

AXES = "[trajectory, time, channel, x, y]: x is the first spatial axis and component 0 of a vector points along it"
"""The one axis convention of orbitscope, written into every file."""

CHECKSUMS = "orbitscope_checksums"
"""Dataset [trajectory] of CRC-32 sums over the stored bytes of each trajectory.

Not HDF5's own fletcher32 filter: it is computed on every read, and a chunk that passes a filter is written when HDF5 likes, where an
interrupted run needs chunks that have their place in the file from the start.
"""

FRAMES = "orbitscope_frame_checksums"
"""Dataset [trajectory, time] of CRC-32 sums over the stored bytes of each state, so that damage is named by trajectory and frame.

A chunk holds one or more whole states of one trajectory: these sums are at least as fine as one per chunk. Older files lack them.
"""

_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class FileSpec:
    """Everything about a file except its values."""

    layout: Layout
    grid: Grid
    dt: float
    trajectories: int
    times: int
    provenance: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"

    @property
    def shape(self) -> tuple[int, ...]:
        """[trajectory, time, channel, *space]."""
        return (self.trajectories, self.times, self.layout.channels, *self.grid.shape)

    @property
    def nbytes(self) -> int:
        """Size of the values."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def settings(self) -> dict[str, Any]:
        """What must agree for an interrupted write to be continued."""
        return {
            "layout": self.layout.to_dict(),
            "grid": self.grid.to_dict(),
            "dt": self.dt,
            "trajectories": self.trajectories,
            "times": self.times,
            "provenance": json.loads(to_json(self.provenance)),
            "dtype": self.dtype,
        }


@dataclass(frozen=True)
class Declared:
    """What the caller of `load` declared; it beats the file's attributes, which beat the format's defaults."""

    layout: Layout | None = None
    grid: Grid | None = None
    dt: float | None = None
    variable: str | None = None
    tracer: bool = False
    depth: int = 0
    land: float | None = None
    box: tuple[float, float, float, float] | None = None


class Format(ABC):
    """One file format: recognise, read, create, fill."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    @abstractmethod
    def recognises(self, file: h5py.File) -> bool:
        """Whether this file looks like this format."""

    @abstractmethod
    def read(self, handle: Handle, declared: Declared) -> Trajectories:
        """Lazy trajectories, with notes on every decision."""

    @abstractmethod
    def create(self, file: h5py.File, spec: FileSpec) -> None:
        """Variables, dimensions and attributes, no values."""

    @abstractmethod
    def variables(self, spec: FileSpec) -> dict[str, tuple[int, ...]]:
        """The datasets that hold the values, with their shapes [trajectory, time, ...], in the order of the layout."""

    @abstractmethod
    def encode(self, spec: FileSpec, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """One trajectory [time, channel, *space] as the file stores it: one array [time, ...] per dataset of `variables`."""

    def put(self, file: h5py.File, spec: FileSpec, index: int, values: NDArray[Any]) -> None:
        """One trajectory [time, channel, *space], with its checksum."""
        put_stored(file, index, self.encode(spec, values))


def put_stored(file: h5py.File, index: int, stored: Mapping[str, NDArray[Any]]) -> None:
    """One trajectory as `encode` made it, and the checksum of its bytes where the file keeps checksums."""
    for name, values in stored.items():
        dataset(file, name)[index] = values
    if CHECKSUMS in file:
        dataset(file, CHECKSUMS)[index] = checksum(stored.values())
    if FRAMES in file:
        dataset(file, FRAMES)[index] = frame_checksums(stored.values())


def checksum(arrays: Iterable[NDArray[Any]]) -> int:
    """CRC-32 of the bytes of arrays one after the other, as they lie in a file (little-endian, C order)."""
    found = 0
    for array in arrays:
        found = zlib.crc32(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data, found)
    return found


def frame_checksums(arrays: Iterable[NDArray[Any]]) -> NDArray[np.uint32]:
    """`checksum` of every state of a trajectory, [time]: arrays [time, ...] one after the other."""
    listed = list(arrays)
    return np.array([checksum([a[t] for a in listed]) for t in range(len(listed[0]))], dtype=np.uint32)


def to_json(data: Any) -> str:
    """JSON of plain data and numpy numbers, NaN and infinity as text; anything else is refused."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic):
            return finite_json(value.item())
        if isinstance(value, np.ndarray):
            return finite_json(value.tolist())
        if isinstance(value, Path):
            return str(value)
        raise OrbitscopeError(
            f"provenance: {value!r} ({type(value).__name__}) cannot be written as JSON. Use numbers, strings, lists, dicts."
        )

    return json_text(finite_json(data), what="provenance", default=plain, sort_keys=True)


def package_version() -> str:
    """The installed version of orbitscope."""
    try:
        return version("orbitscope")
    except PackageNotFoundError:
        return "unknown"


def write_attributes(file: h5py.File, spec: FileSpec) -> None:
    """Attributes from which the file can be read without guessing."""
    file.attrs["orbitscope_version"] = package_version()
    file.attrs["orbitscope_layout"] = json_text(spec.layout.to_dict(), what="layout")
    file.attrs["orbitscope_grid"] = json_text(spec.grid.to_dict(), what="grid")
    file.attrs["orbitscope_dt"] = spec.dt
    file.attrs["orbitscope_axes"] = AXES
    file.attrs["orbitscope_provenance"] = to_json(spec.provenance)


@dataclass(frozen=True)
class Attributes:
    """The attributes of `write_attributes`, where the file has them."""

    layout: Layout | None = None
    grid: Grid | None = None
    dt: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    version: str = ""


def read_attributes(file: h5py.File) -> Attributes:
    """The inverse of `write_attributes`; what a file lacks stays None."""
    attrs = file.attrs
    if "orbitscope_axes" in attrs and text(attrs["orbitscope_axes"]) != AXES:
        raise OrbitscopeError(
            f"path: {file.filename} declares the axes {text(attrs['orbitscope_axes'])!r}; this version knows only {AXES!r}. "
            "Update orbitscope."
        )
    layout, grid, provenance = (_json(file, f"orbitscope_{name}") for name in ("layout", "grid", "provenance"))
    return Attributes(
        Layout.from_dict(layout) if layout else None,
        Grid.from_dict(grid) if grid else None,
        float(attrs["orbitscope_dt"]) if "orbitscope_dt" in attrs else None,  # pyright: ignore[reportArgumentType]
        dict(provenance or {}),
        text(attrs["orbitscope_version"]) if "orbitscope_version" in attrs else "",
    )


def _json(file: h5py.File, name: str) -> Any:
    if name not in file.attrs:
        return None
    try:
        value = json.loads(text(file.attrs[name]))
    except json.JSONDecodeError as error:
        raise OrbitscopeError(f"path: the attribute {name!r} of {file.filename} is not JSON ({error}). Mend or delete it.") from error
    if not isinstance(value, Mapping):
        raise OrbitscopeError(f"path: the attribute {name!r} of {file.filename} should be a JSON object, got {value!r}.")
    return value


def uniform_step(values: NDArray[Any]) -> float | None:
    """The common difference of a one-dimensional coordinate; None where there is none."""
    if values.ndim != 1 or len(values) < 2:
        return None
    digits = 6 if values.dtype == np.float32 else 15  # 0.05 in float32 should not come out as 0.0500000007
    values = values.astype(np.float64)
    step = float(f"{(values[-1] - values[0]) / (len(values) - 1):.{digits}g}")
    # float32 coordinates carry rounding of the size of their largest value
    slack = 1e-3 * abs(step) + 4 * float(np.finfo(np.float32).eps) * float(np.abs(values).max())
    return step if step > 0 and np.abs(np.diff(values) - step).max() <= slack else None


def create_variable(group: h5py.Group, name: str, shape: tuple[int, ...], spec: FileSpec) -> h5py.Dataset:
    """A chunked variable [trajectory, time, ...]: one trajectory x as many frames as make about 1 MiB per chunk.

    Not compressed: what h5py has everywhere (lzf, gzip, with or without shuffle) saves a part of the disk and reads float32 flows
    many times slower; benchmarks/loading.py measures it.
    """
    frame = int(np.prod(shape[2:])) * np.dtype(spec.dtype).itemsize
    pieces = -(-shape[1] // max(1, min(shape[1], _CHUNK_BYTES // max(1, frame))))
    chunks = (1, -(-shape[1] // pieces), *shape[2:])  # of equal length: what the last chunk has too much is stored as well
    # Chunks get their place in the file now and their bytes later: while values are written the file's structure stays as it is,
    # so a killed process leaves a file that can be opened and continued.
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    return group.create_dataset(name, shape, spec.dtype, chunks=chunks, dcpl=plan, fill_time="never")


def create_checksums(file: h5py.File, spec: FileSpec) -> tuple[h5py.Dataset, h5py.Dataset]:
    """Room for one checksum per trajectory and one per state."""
    return (
        file.create_dataset(CHECKSUMS, data=np.zeros(spec.trajectories, dtype=np.uint32)),
        file.create_dataset(FRAMES, data=np.zeros((spec.trajectories, spec.times), dtype=np.uint32)),
    )
