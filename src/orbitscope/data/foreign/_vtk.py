"""Meshes of VTK (and what foamToVTK makes of OpenFOAM) whose points or cells form a uniform grid; through meshio, in memory."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..._errors import OrbitscopeError, reading
from .._reader import Candidate
from .._trajectories import Trajectories
from ._cf import DatasetReader, finished
from ._convert import part_of
from ._opened import Opened


@dataclass(frozen=True)
class VTK(DatasetReader):
    """One file is one state; a folder or a pattern is a series in the order of the numbers in the names, `dt` apart.

    Values at points or in cells; those in cells where a file has both and the caller maps them. Components of a vector are told apart by
    the axes of the mesh: a flat mesh in x, y keeps the first two.
    """

    name: ClassVar[str] = "vtk"
    title: ClassVar[str] = "VTK (.vtu, .vtk) on a uniform grid; OpenFOAM after foamToVTK"
    lazy: ClassVar[bool] = False

    @classmethod
    def recognises(cls, found: Candidate) -> bool:
        """By the suffix."""
        return found.suffix in (".vtu", ".vtk")

    def read(self, path: Path) -> Trajectories:
        """One state."""
        return self.read_files([path])

    def read_files(self, paths: Sequence[Path]) -> Trajectories:
        """The states one after the other."""
        if self.dt is None:
            raise OrbitscopeError("dt: files of VTK hold no time. Pass dt=..., the time from one file to the next.")
        states = []
        for path in paths:
            with reading(path):
                states.append(gridded(path))
        for path, one in zip(paths, states, strict=True):
            if one.sizes != states[0].sizes or set(one.data_vars) != set(states[0].data_vars):
                raise OrbitscopeError(f"path: {path} has other points or arrays than {paths[0]}. A series has one mesh.")
        whole: Any = xr.concat(states, dim="time", coords="minimal", compat="override", join="override")
        opened = Opened(paths[0].absolute(), memory=whole)
        where = str(paths[0]) if len(paths) == 1 else f"{paths[0]} to {paths[-1].name}"
        part = part_of(opened, self.wanted(opened), where, self.title, self.edges)
        note = f"files: {len(paths)}, one state each, in the order of the numbers in their names"
        return finished(replace(part, notes=(note, *part.notes)), self.dt, where)


def gridded(path: Path) -> xr.Dataset:
    """The arrays of a mesh on the grid that its points (or the centres of its cells) form."""
    try:
        import meshio
    except ImportError:
        raise OrbitscopeError(f"path: {path} needs the package meshio: pip install 'orbitscope[formats]'.") from None
    mesh: Any = meshio.read(path)
    points = np.asarray(mesh.points, dtype=np.float64)
    found: dict[str, xr.DataArray] = {}
    if mesh.point_data:
        found |= _on_grid(path, points, mesh.point_data, "")
    blocks = [b for b in mesh.cells if re.fullmatch(r"quad|pixel|voxel|hexahedron|line", b.type)]
    if mesh.cell_data and len(blocks) == len(mesh.cells) and blocks:
        centres = np.concatenate([points[b.data].mean(1) for b in blocks])
        held = {name: np.concatenate([np.asarray(a) for a in arrays]) for name, arrays in mesh.cell_data.items()}
        if not found:
            found |= _on_grid(path, centres, held, "")
    if not found:
        raise OrbitscopeError(f"path: {path} holds no array on its points or on its quadrilateral or hexahedral cells.")
    return xr.Dataset(found, attrs={"title": path.stem})


def _on_grid(path: Path, points: NDArray[np.float64], arrays: dict[str, Any], prefix: str) -> dict[str, xr.DataArray]:
    size = float(np.ptp(points, axis=0).max())
    near = np.round(points / (size or 1.0), 7)
    axes = [(name, *np.unique(near[:, k], return_inverse=True)) for k, name in enumerate("xyz"[: points.shape[1]])]
    axes = [a for a in axes if len(a[1]) > 1]
    shape = tuple(len(a[1]) for a in axes)
    where = np.ravel_multi_index(tuple(a[2].reshape(-1) for a in axes), shape) if axes else np.zeros(0, dtype=int)
    if int(np.prod(shape)) != len(points) or len(np.unique(where)) != len(points):
        told = " x ".join(map(str, shape))
        raise OrbitscopeError(
            f"path: {path}: its {len(points)} points do not form a grid ({told} different coordinates). Interpolate to a uniform grid "
            "first (ParaView: Resample To Image)."
        )
    names = [a[0] for a in axes]
    coordinates = {name: (name, values * size) for name, values, _ in axes}
    found: dict[str, xr.DataArray] = {}
    for name, held in arrays.items():
        values = np.asarray(held)
        if values.dtype.kind not in "fiu" or len(values) != len(points):
            continue
        inner = values.shape[1:]
        put = np.empty((len(points), *inner), dtype=values.dtype)
        put[where] = values
        put = put.reshape(*shape, *inner)
        if inner and inner[0] == 3:  # VTK writes three components on a flat mesh too
            put = put[..., ["xyz".index(n) for n in names]]
        dims = (*names, *(("channel",) if inner else ()))
        if put.ndim == len(dims):
            found[f"{prefix}{name}"] = xr.DataArray(put, dims=dims, coords=coordinates)
    return found
