"""Files with named axes and CF attributes, through xarray: NetCDF-4 and -3, plain HDF5, zarr, GRIB, and a dataset in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import h5py
import xarray as xr

from ..._errors import OrbitscopeError, reading
from .._axes import named, parse_pairs
from .._lazy import LazyArray
from .._reader import Candidate, Reader, as_box, as_integer, as_number, as_words, option
from .._trajectories import Trajectories
from ._convert import Part, part_of
from ._fields import Mapped, parse_fields
from ._joined import joined_in_time
from ._opened import Opened
from ._wanted import NamedAxes, Wanted


def as_pairs(value: Any) -> dict[str, str]:
    """{"T": "time"} from words."""
    return parse_pairs(value, "dims")


def as_selection(value: Any) -> dict[str, Any]:
    """{"number": 0} from words or a mapping; numbers stay or become numbers."""
    if isinstance(value, Mapping):
        return dict(value)
    found: dict[str, Any] = {}
    for name, word in parse_pairs(value, "select").items():
        try:
            found[name] = int(word) if word.lstrip("+-").isdigit() else float(word)
        except ValueError:
            found[name] = word
    return found


@dataclass(frozen=True)
class DatasetReader(Reader):
    """What every format with named variables has in common: the mapping of variables to fields, axes, units, area, gaps."""

    fields: tuple[Mapped, ...] | None = option(
        None, 'which variables are which fields: "velocity=u,v:vector temperature=T:scalar:K"', parse_fields
    )
    dims: dict[str, str] | None = option(None, "what an axis is, where its name does not tell: T=time,j=y,i=x", as_pairs)
    axes: tuple[str, ...] | None = option(None, "names for axes that have none, as they lie: trajectory,time,y,x", as_words)
    select: dict[str, Any] | None = option(None, "one point of an axis, by its coordinate: pressure_level=500,number=0", as_selection)
    depth: int | None = option(None, "level of a vertical axis, 0 is the first", as_integer)
    land: float | None = option(None, "value to put where values are missing (land)", as_number)
    box: tuple[float, ...] | None = option(None, "west,east,south,north: a part, in the units of the coordinates", as_box)
    staggered: str | None = option(None, "where components lie on a C grid: right (NEMO), left (MITgcm), outer, inner (ROMS), none")
    group: str | None = option(None, "group of the file that holds the variables")
    join: str | None = option(None, "several files: time (one series) or trajectory (one after the other)")
    overlap: str | None = option(None, "times that two files share: first or last keeps those of one; else they are refused")

    engine: ClassVar[str] = "h5netcdf"

    def prepared(self, dataset: xr.Dataset) -> xr.Dataset:
        """The dataset with the axes and the coordinates that this format has by its documentation."""
        return dataset

    def default_fields(self, dataset: xr.Dataset) -> tuple[Mapped, ...] | None:
        """The fields that this format has by its documentation; None: the file has to say, or the caller."""
        return None

    def wanted(self, opened: Opened) -> Wanted:
        """What the caller declared, with the documented fields where nothing was."""
        return Wanted(
            self.fields or (None if self.layout_alone else self.default_fields(opened.dataset)), self.layout, self.grid, self.dt,
            self.extent, self.boundary, self.dims or {}, self.axes, self.select or {}, self.depth or 0, self.land,
            self.box, self.staggered,  # pyright: ignore[reportArgumentType]
        )  # fmt: skip

    layout_alone: ClassVar[bool] = False
    edges: ClassVar[tuple[str, str]] = ("open", "")
    """The boundary that the format has by its documentation, and why."""

    def opened(self, path: Path) -> Opened:
        """The file as a dataset."""
        return Opened(path.absolute(), self.engine, self.group, self.prepared)

    def part(self, path: Path) -> Part:
        """One file, not yet given a time step."""
        opened = self.opened(path)
        return part_of(opened, self.wanted(opened), str(path), self.title, self.edges)

    def read(self, path: Path) -> Trajectories:
        """Lazy trajectories."""
        return finished(self.part(path), self.dt, str(path))

    def read_files(self, paths: Sequence[Path]) -> Trajectories:
        """One series where the files follow one another in time, else trajectories one after the other."""
        if len(paths) == 1:
            return self.read(paths[0])
        parts: list[tuple[Path, Part]] = []
        for path in paths:
            with reading(path):
                parts.append((path, self.part(path)))
        return joined_in_time(parts, self.dt, self.join, self.overlap, finished)


def finished(part: Part, dt: float | None, where: str) -> Trajectories:
    """Trajectories with the declared time step, else that of the times."""
    if dt is not None:
        step, note = dt, f"dt: {dt:g}, declared by the caller"
    elif part.times is None:
        raise OrbitscopeError(f"path: {where} has no times, so the step between two states is unknown. Pass dt=...")
    else:
        step, note = part.times.step(where)
    return Trajectories(LazyArray(part.source), part.layout, part.grid, step, part.provenance, (*part.notes, note))


def from_dataset(dataset: xr.Dataset, options: Mapping[str, Any]) -> Trajectories:
    """Trajectories from a dataset in memory (or lazily opened by xarray); see `Trajectories.from_xarray`."""
    reader = NetCDF.of(options)
    assert isinstance(reader, NetCDF)
    source = dataset.encoding.get("source")
    opened = Opened(Path(source) if isinstance(source, str) else Path("an xarray.Dataset"), memory=dataset)
    part = part_of(opened, reader.wanted(opened), "the dataset", "xarray.Dataset", reader.edges)
    return reader.sized(finished(part, reader.dt, "the dataset"))


_COPERNICUS = (("time",), ("depth",), ("latitude", "lat"), ("longitude", "lon"))


@dataclass(frozen=True)
class NetCDF(DatasetReader):
    """NetCDF-4 and any HDF5 file whose variables one can name."""

    name: ClassVar[str] = "netcdf"
    title: ClassVar[str] = "NetCDF-4 or HDF5 with separate variables (CF: ERA5, Copernicus, NEMO, CMIP, ...)"

    @classmethod
    def recognises(cls, found: Candidate) -> bool:
        """Any HDF5 file; the other formats in HDF5 are asked before."""
        return is_hdf5(found)

    def opened(self, path: Path) -> Opened:
        """The group that holds the variables: the one named, else the one in which all mapped variables lie ("run/u")."""
        group, fields = self.group, self.fields
        heads = {v.rsplit("/", 1)[0] for m in fields or () for v in m.variables if "/" in v}
        if group is None and len(heads) == 1:
            group = heads.pop()
        return Opened(path.absolute(), self.engine, group, self.prepared)

    def prepared(self, dataset: xr.Dataset) -> xr.Dataset:
        """Currents uo and vo without named axes lie as Copernicus documents it, if their coordinates have these lengths."""
        if not {"uo", "vo"} <= set(dataset.variables) or any(named(str(d)) for d in dataset["uo"].dims):
            return dataset
        names = [next((n for n in some if n in dataset.variables), "") for some in _COPERNICUS]
        names = names if dataset["uo"].ndim == 4 else [names[0], *names[2:]]
        if dataset["uo"].ndim not in (3, 4) or "" in names or any(
            dataset[n].shape != (k,) for n, k in zip(names, dataset["uo"].shape, strict=True)
        ):  # fmt: skip
            return dataset
        return NamedAxes(tuple(names), ("uo", "vo"))(dataset, keep=True)

    def wanted(self, opened: Opened) -> Wanted:
        """The mapped variables without the name of their group."""
        found = super().wanted(opened)
        if found.fields is None or opened.group is None:
            return found
        short = tuple(Mapped(m.name, tuple(v.removeprefix(f"{opened.group}/") for v in m.variables), m.kind, m.unit) for m in found.fields)
        return Wanted(**{**found.__dict__, "fields": short})


@dataclass(frozen=True)
class NetCDF3(DatasetReader):
    """Classic NetCDF, through scipy."""

    name: ClassVar[str] = "netcdf3"
    title: ClassVar[str] = "NetCDF-3 (classic, 64-bit offset)"
    engine: ClassVar[str] = "scipy"

    @classmethod
    def recognises(cls, found: Candidate) -> bool:
        """By its first bytes."""
        return found.head[:4] in (b"CDF\x01", b"CDF\x02")


@dataclass(frozen=True)
class Grib(DatasetReader):
    """GRIB 1 and 2, through cfgrib; needs orbitscope[grib]."""

    name: ClassVar[str] = "grib"
    title: ClassVar[str] = "GRIB 1 and 2 (one kind of level in the file)"
    engine: ClassVar[str] = "cfgrib"

    @classmethod
    def recognises(cls, found: Candidate) -> bool:
        """By its first bytes."""
        return found.head[:4] == b"GRIB"


@dataclass(frozen=True)
class ZarrDataset(DatasetReader):
    """Zarr stores whose arrays have named dimensions, as xarray writes them (WeatherBench, ARCO-ERA5); needs orbitscope[zarr]."""

    name: ClassVar[str] = "zarr-cf"
    title: ClassVar[str] = "zarr with named dimensions, as xarray writes it (WeatherBench, ...)"
    engine: ClassVar[str] = "zarr"

    @classmethod
    def recognises(cls, found: Candidate) -> bool:
        """A folder with the metadata of a group of arrays."""
        return found.path.is_dir() and any((found.path / n).exists() for n in ("zarr.json", ".zgroup", ".zmetadata"))


def is_hdf5(found: Candidate) -> bool:
    """Whether a file is HDF5, also behind a block of the user's."""
    if not found.path.is_file():
        return False
    return bool(h5py.is_hdf5(str(found.path)))
