"""Files that xarray opens: per process, undecoded, one engine a kind."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from ..._errors import OrbitscopeError
from .._hdf5 import open_hdf5
from .._zarr import refuse_codecs

ENGINES = ("h5netcdf", "scipy", "zarr", "cfgrib")
"""What opens NetCDF-4 and HDF5, NetCDF-3, zarr, GRIB."""

_OPTIONS: dict[str, dict[str, Any]] = {
    "h5netcdf": {"phony_dims": "access"},
    "scipy": {},
    "zarr": {"consolidated": False},
    # cfgrib would write an index beside the file.
    "cfgrib": {"backend_kwargs": {"indexpath": ""}},
}
_PACKAGES = {"zarr": ("zarr", "zarr"), "cfgrib": ("cfgrib with eccodes", "grib")}


@dataclass
class Opened:
    """A dataset that opens itself again in every process; only the path travels in a pickle. A dataset in memory has no path."""

    path: Path
    engine: str = "h5netcdf"
    group: str | None = None
    prepare: Callable[[xr.Dataset], xr.Dataset] | None = None
    memory: xr.Dataset | None = None
    build: Callable[[Path], xr.Dataset] | None = None
    """What makes the dataset of a format that xarray has no engine for."""
    _held: xr.Dataset | None = field(default=None, repr=False)
    _pid: int = -1
    _stamp: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.memory is None:
            self._stamp = _stamp(self.path)

    @property
    def dataset(self) -> xr.Dataset:
        """The dataset of this process, its values unread and undecoded."""
        if self.memory is not None:
            return self.memory
        if self._held is None or self._pid != os.getpid():
            if _stamp(self.path) != self._stamp:
                raise OrbitscopeError(f"data: {self.path} changed or vanished after it was loaded. Load it again.")
            found = self.build(self.path) if self.build else open_raw(self.path, self.engine, self.group)
            self._held, self._pid = (self.prepare(found) if self.prepare else found), os.getpid()
        return self._held

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": None, "_pid": -1}


def open_raw(path: Path, engine: str, group: str | None = None) -> xr.Dataset:
    """A lazy dataset, neither unpacked nor masked nor with dates; raises `OrbitscopeError` for what cannot be opened."""
    if engine == "h5netcdf":
        open_hdf5(path).close()  # refuses what reaches outside the file, and says what is wrong with one
    if not path.exists():
        raise OrbitscopeError(f"path: there is no file {path}.")
    if engine == "zarr":
        refuse_codecs(path)
    options = dict(_OPTIONS[engine])
    if group:
        options["group"] = group
    try:
        with quiet():
            return xr.open_dataset(
                path, engine=engine, mask_and_scale=False, decode_times=False, decode_timedelta=False, cache=False, chunks=None, **options
            )
    except Exception as error:
        if engine in _PACKAGES and isinstance(error, ImportError | ValueError) and _absent(engine):
            package, extra = _PACKAGES[engine]
            raise OrbitscopeError(f"path: {path} needs the package {package}: pip install 'orbitscope[{extra}]'.") from error
        raise OrbitscopeError(f"path: {path} cannot be opened with xarray's engine {engine} ({type(error).__name__}: {error}).") from error


def _absent(engine: str) -> bool:
    try:
        __import__({"zarr": "zarr", "cfgrib": "cfgrib"}[engine])
    except Exception:  # eccodes raises RuntimeError where its library is missing
        return True
    return False


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of xarray and its engines on files that other people wrote: they are about attributes we do not use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
