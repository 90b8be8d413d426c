"""The readers of the formats that orbitscope also writes, or reads bit for bit through h5py and numpy."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import h5py

from ._format import Declared, Format, signed
from ._formats import PDEBENCH, PDEGYM, WELL
from ._hdf5 import Handle
from ._npz import read_npz
from ._reader import Candidate, Reader, as_flag, as_words, option
from ._trajectories import Trajectories
from ._zarr import has_named_dimensions, read_zarr


@dataclass(frozen=True)
class InHDF5(Reader):
    """What the three HDF5 formats of collections have in common: a `Format` that recognises and reads."""

    form: ClassVar[Format]

    @classmethod
    def recognises(cls, found: Candidate) -> bool:
        """By the names of what is in the file."""
        return found.path.is_file() and h5py.is_hdf5(str(found.path)) and cls.form.recognises(found.hdf5)

    def read(self, path: Path) -> Trajectories:
        """Lazy trajectories, which are compared with the checksums of the file where it has some."""
        handle = Handle(path)
        try:
            found = self.form.read(handle, self.declared())
            handle.watch, note = signed(handle.file, self.form)
        except BaseException:
            handle.close()
            raise
        return replace(found, notes=(*found.notes, note))

    def declared(self) -> Declared:
        """The options as the format takes them."""
        return Declared(
            self.layout, self.grid, self.dt, getattr(self, "variable", None), getattr(self, "tracer", False), getattr(self, "axes", None)
        )


@dataclass(frozen=True)
class PDEgymReader(InHDF5):
    """PDEgym and our own NetCDF-4: one variable [trajectory, time, channel, x, y]."""

    variable: str | None = option(None, "name of the one variable [trajectory, time, channel, x, y]")
    tracer: bool = option(False, "true: keep the passive tracer", as_flag)
    axes: tuple[str, ...] | None = option(None, "names of the axes of the variable, as they lie: time,trajectory,channel,x,y", as_words)

    name: ClassVar[str] = "pdegym"
    title: ClassVar[str] = "PDEgym NetCDF-4 and what orbitscope writes: one variable with an axis of channels"
    form: ClassVar[Format] = PDEGYM


@dataclass(frozen=True)
class PDEBenchReader(InHDF5):
    """PDEBench's two-dimensional flows."""

    tracer: bool = option(False, "true: keep the particles", as_flag)

    name: ClassVar[str] = "pdebench"
    title: ClassVar[str] = "PDEBench HDF5, two-dimensional flow"
    form: ClassVar[Format] = PDEBENCH


@dataclass(frozen=True)
class WellReader(InHDF5):
    """The Well's HDF5."""

    name: ClassVar[str] = "the_well"
    title: ClassVar[str] = "The Well HDF5"
    form: ClassVar[Format] = WELL


@dataclass(frozen=True)
class Npz(Reader):
    """Plain numpy archives, described by a TOML file or the caller."""

    variable: tuple[str, ...] | None = option(None, "one array, or several that become channels in this order: u,v", as_words)
    axes: tuple[str, ...] | None = option(None, "the axes of the arrays, as they lie: trajectory,time,y,x", as_words)

    name: ClassVar[str] = "npz"
    title: ClassVar[str] = "numpy .npz and .npy, with a .toml beside it or options"
    lazy: ClassVar[bool] = False

    @classmethod
    def recognises(cls, found: Candidate) -> bool:
        """By the suffix."""
        return found.suffix in (".npz", ".npy")

    def read(self, path: Path) -> Trajectories:
        """Everything in memory."""
        return read_npz(path, self)


@dataclass(frozen=True)
class ZarrArrays(Npz):
    """Plain zarr stores, described by a TOML file or the caller."""

    name: ClassVar[str] = "zarr"
    title: ClassVar[str] = "plain .zarr, with a .toml beside it or options"
    lazy: ClassVar[bool] = True

    @classmethod
    def recognises(cls, found: Candidate) -> bool:
        """A store that a TOML file describes, or without named dimensions."""
        return found.suffix == ".zarr" and (found.path.with_suffix(".toml").exists() or not has_named_dimensions(found.path))

    def read(self, path: Path) -> Trajectories:
        """Lazy trajectories."""
        return read_zarr(path, self)
