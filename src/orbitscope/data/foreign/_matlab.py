"""MATLAB's files: v5 to v7 through scipy, in memory, and v7.3, which is HDF5 with its axes reversed."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import xarray as xr

from ..._errors import OrbitscopeError
from .._hdf5 import Handle
from .._memory import require_memory
from .._reader import Candidate
from ._arrays import stored
from ._cf import is_hdf5
from ._collections import Documented
from ._opened import Opened
from ._wanted import Wanted

_COORDINATES = {"t": "time", "time": "time", "x": "x", "y": "y", "z": "z"}


@dataclass(frozen=True)
class Matlab(Documented):
    """Arrays of a `.mat` file, whose axes have no names: `axes` names them in MATLAB's order, as `size(u)` shows them.

    The sets of the Fourier neural operator (Li et al., arXiv 2010.08895) hold `u` as trajectory,x,y,time. Vectors called t, x, y, z are
    coordinates of the axes of these names.
    """

    name: ClassVar[str] = "matlab"
    title: ClassVar[str] = "MATLAB .mat, v5 to v7.3 (Fourier neural operator sets)"

    @classmethod
    def recognises(cls, found: Candidate) -> bool:
        """By the first bytes, or by what MATLAB writes on every variable of v7.3."""
        if found.head[:10] in (b"MATLAB 5.0", b"MATLAB 7.3"):
            return True
        return is_hdf5(found) and any("MATLAB_class" in item.attrs for item in found.hdf5.values() if isinstance(item, h5py.Dataset))

    def opened(self, path: Path) -> Opened:
        """Lazy where the file is HDF5."""
        return Opened(path.absolute(), build=self.build) if h5py.is_hdf5(str(path)) else Opened(path.absolute(), memory=_version5(path))

    def build(self, path: Path) -> xr.Dataset:
        """Every variable on numbered axes of its own."""
        handle = Handle(path)
        found: dict[str, xr.Variable] = {}
        for name, item in handle.file.items():
            if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu" and item.shape is not None and "MATLAB_empty" not in item.attrs:
                variable = stored(handle, name, [f"dim_{name}_{k}" for k in range(item.ndim)])
                variable.attrs.pop("MATLAB_class", None)
                found[name] = variable
        return _with_coordinates(found)

    def wanted(self, opened: Opened) -> Wanted:
        """In v7.3 the file's order of axes is MATLAB's backwards."""
        found = super().wanted(opened)
        if self.axes is None:
            names = [str(n) for n, v in opened.dataset.variables.items() if v.ndim >= 2]
            sizes = ", ".join(f"{n} {_size(opened, n)}" for n in names[:10])
            raise OrbitscopeError(
                f"axes: the arrays of {opened.path} have no names on their axes ({sizes or 'no array'}, as size() shows them). Name the "
                'fields and the axes of each: load(path, fields="vorticity=u:pseudoscalar", axes="trajectory,x,y,time", dt=..., '
                'extent=(1, 1), boundary=("periodic", "periodic")).'
            )
        return replace(found, axes=tuple(reversed(self.axes)) if opened.memory is None else self.axes)


def _size(opened: Opened, name: str) -> str:
    shape = opened.dataset[name].shape
    return "x".join(map(str, shape[::-1] if opened.memory is None else shape))


def _version5(path: Path) -> xr.Dataset:
    from scipy.io import loadmat, whosmat

    require_memory(sum(8 * int(np.prod(shape)) for _, shape, _ in whosmat(str(path))), "load")
    held: dict[str, Any] = loadmat(str(path), mat_dtype=False)
    return _with_coordinates(
        {n: xr.Variable([f"dim_{n}_{k}" for k in range(v.ndim)], v) for n, v in held.items()
         if isinstance(v, np.ndarray) and v.dtype.kind in "fiuc" and not n.startswith("__")}
    )  # fmt: skip


def _with_coordinates(found: dict[str, xr.Variable]) -> xr.Dataset:
    """Vectors t, x, y, z (MATLAB has no one-dimensional arrays) along the axes of these names."""
    kept = {n: v for n, v in found.items() if n not in _COORDINATES or sum(k > 1 for k in v.shape) > 1}
    vectors = {
        _COORDINATES[n]: xr.Variable((_COORDINATES[n],), np.asarray(v.values).reshape(-1)) for n, v in found.items() if n not in kept
    }
    return xr.Dataset({**kept, **vectors})
