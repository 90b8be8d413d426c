"""What every file format shares: the description of a file to be written, and the attributes that make a file explain itself."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
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
from ._sums import CHECKSUMS, DESCRIPTION, FRAMES, Watch, description_sum, frame_sums, trajectory_sums
from ._trajectories import Trajectories

AXES = "[trajectory, time, channel, x, y]: x is the first spatial axis and component 0 of a vector points along it"
"""The one axis convention of orbitscope, written into every file."""

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
    axes: tuple[str, ...] | None = None


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

    def put(self, file: h5py.File, spec: FileSpec, first: int, values: NDArray[Any]) -> None:
        """Consecutive trajectories [trajectory, time, channel, *space] from number `first` on, with their checksums."""
        encoded = [self.encode(spec, one) for one in values]
        put_stored(file, first, {name: np.stack([e[name] for e in encoded]) for name in encoded[0]})


def put_stored(file: h5py.File, first: int, stored: Mapping[str, NDArray[Any]]) -> None:
    """Consecutive trajectories from number `first` on, arrays [trajectory, time, ...] as `encode` makes them, and their checksums."""
    blocks = list(stored.values())
    where = slice(first, first + len(blocks[0]))
    for name, values in stored.items():
        dataset(file, name)[where] = values
    if CHECKSUMS in file:
        dataset(file, CHECKSUMS)[where] = trajectory_sums(blocks)
    if FRAMES in file:
        dataset(file, FRAMES)[where] = frame_sums(blocks)


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


def sign(file: h5py.File, form: Format, spec: FileSpec) -> None:
    """Sign what a new file says beside its values."""
    file.attrs[DESCRIPTION] = np.uint32(description_sum(file, form.variables(spec)))


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


def signed(file: h5py.File, form: Format) -> tuple[Watch | None, str]:
    """The checksums of a file and a note on them, after what the file says beside its values was compared with its own.

    Raises `OrbitscopeError` where that differs: a wrong box or time step would be believed.
    """
    said = read_attributes(file)
    if said.layout is None or said.grid is None or said.dt is None or CHECKSUMS not in file:
        return None, "checksums: none in this file; what is read is not verified"
    damaged = OrbitscopeError(
        f"path: {file.filename}: layout, grid, time step, provenance or coordinates do not give the checksum that was written with them: "
        f"the file is damaged. Copy it again. If you changed them yourself, delete the attribute {DESCRIPTION!r}."
    )
    try:
        variables = form.variables(FileSpec(said.layout, said.grid, said.dt, 1, 1, said.provenance))
    except OrbitscopeError as error:  # a layout that this format could not have stored
        raise damaged from error
    if DESCRIPTION in file.attrs and int(file.attrs[DESCRIPTION]) != description_sum(file, variables):  # pyright: ignore[reportArgumentType]
        raise damaged
    watch = Watch.of(file, {name: dataset(file, name).shape for name in variables})
    states = "every state is compared with its own when it is first read"
    if DESCRIPTION in file.attrs:
        return watch, f"checksums: what the file says fits its own; {states}"
    return watch, f"checksums: {states}; layout, grid, dt, provenance have none in this older file: not verified"


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
