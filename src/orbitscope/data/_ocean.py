"""Ocean currents in NetCDF-4 as the Copernicus Marine Service distributes them; read only.

Variables `uo` (eastward) and `vo` (northward) [time, (depth), latitude, longitude] in m/s, packed or not, missing values on land; CF
coordinates. One file is one trajectory. x points east and y north, so the stored axes are turned, and the components are already right.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ..symmetry import Boundary, Grid, Layout
from ._format import Declared, uniform_step
from ._hdf5 import Handle, dataset, real_dtype, text
from ._lazy import Axes, LazyArray, Source
from ._pdebench import ReadOnly
from ._trajectories import Trajectories

CURRENT = Layout.of("velocity:vector:m/s")
EARTH_RADIUS = 6.371e6
"""Metres."""
_COMPONENTS = ("uo", "vo")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}


class Ocean(ReadOnly):
    """Copernicus-style currents."""

    name = "ocean"
    suffixes = ()

    def recognises(self, file: h5py.File) -> bool:
        """Whether uo, vo and the coordinates are there."""
        found = [file.get(n) for n in _COMPONENTS]
        return all(isinstance(d, h5py.Dataset) and d.ndim in (3, 4) for d in found) and bool(_name(file, "latitude", "lat"))

    def read(self, handle: Handle, declared: Declared) -> Trajectories:
        """Lazy currents at one depth, of the whole area or of a box of it."""
        file = handle.file
        stored = [dataset(file, n) for n in _COMPONENTS]
        east, north = (_axis(file, *names) for names in (("longitude", "lon"), ("latitude", "lat")))
        time = np.asarray(dataset(file, "time")[()])
        deep = stored[0].ndim == 4
        levels = stored[0].shape[1] if deep else 1
        if any(d.shape != (len(time), *((levels,) if deep else ()), len(north), len(east)) for d in stored):
            raise OrbitscopeError(
                f"path: {handle.path}: uo and vo should be [time, (depth), latitude, longitude], got {[d.shape for d in stored]}."
            )
        if not 0 <= declared.depth < levels:
            raise OrbitscopeError(f"depth: {declared.depth} is not one of the {levels} levels of {handle.path}, numbered from 0.")
        layout = declared.layout or CURRENT
        if layout.channels != 2 or layout.ndim != 2:
            raise OrbitscopeError(f"layout: {handle.path} is read as its two currents uo and vo, got {layout}.")
        columns, rows, box_note = _box(east, north, declared, handle.path)
        shape = (1, len(time), 2, len(columns), len(rows))
        level = declared.depth if deep else None
        source = OceanArray(handle, level, columns, rows, declared.land, shape, real_dtype(stored[0]))
        land_note = _land(source, east, north, declared.land)
        grid, grid_note = _grid(east[columns], north[rows], declared)
        dt, dt_note = _time_step(file, time, declared)
        depth = file.get("depth")
        metres = f" ({float(depth[declared.depth]):g} m)" if deep and isinstance(depth, h5py.Dataset) else ""
        others = [n for n, d in file.items() if isinstance(d, h5py.Dataset) and d.ndim >= 3 and n not in _COMPONENTS]
        notes = (
            f"format: ocean NetCDF-4, uo and vo {list(stored[0].shape)}; one trajectory" + (f", level {level}{metres}" if deep else ""),
            "axes: stored [time, (depth), latitude, longitude], turned into x = east, y = north"
            + ("; latitude descends in the file, reversed" if north[0] > north[-1] else ""),
            f"channels: uo, vo -> {layout}" + (f"; left out: {', '.join(others)}" if others else ""),
            box_note,
            land_note,
            grid_note,
            dt_note,
        )
        provenance = {"scenario": text(file.attrs.get("title", "ocean currents")), "parameters": {}}
        return Trajectories(LazyArray(source), layout, grid, dt, provenance, notes)


@dataclass
class OceanArray(Source):
    """uo and vo at one level, unpacked, missing values as NaN or filled."""

    handle: Handle
    level: int | None
    columns: NDArray[np.int64]
    rows: NDArray[np.int64]
    land: float | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def path(self) -> Path:
        """The file."""
        return self.handle.path

    def read(self, axes: Axes) -> NDArray[Any]:
        """Rows are read in the file's order and put in ours."""
        out = np.empty(tuple(len(a) for a in axes), dtype=self.dtype)
        rows = self.rows[axes[4]]
        order = np.argsort(rows)
        level = () if self.level is None else (np.array([self.level]),)
        for n, c in enumerate(axes[2].tolist()):
            block = self.handle.gather(_COMPONENTS[c], (axes[1], *level, rows[order], self.columns[axes[3]]), self.dtype)
            block = block.reshape(len(axes[1]), len(rows), -1)
            unpacked = _unpack(dataset(self.handle.file, _COMPONENTS[c]), block)
            if self.land is not None:
                unpacked = np.where(np.isnan(unpacked), self.dtype.type(self.land), unpacked)
            out[:, :, n][..., order] = unpacked.transpose(0, 2, 1)[None]
        return out


def _unpack(stored: h5py.Dataset, block: NDArray[Any]) -> NDArray[Any]:
    """CF packing: value = stored * scale_factor + add_offset; _FillValue and missing_value become NaN."""
    missing = np.isnan(block)
    for name in ("_FillValue", "missing_value"):
        if name in stored.attrs:
            missing |= block == block.dtype.type(np.asarray(stored.attrs[name]).reshape(-1)[0])
    scale, offset = (float(np.asarray(stored.attrs.get(n, d)).reshape(-1)[0]) for n, d in (("scale_factor", 1.0), ("add_offset", 0.0)))
    values = block if (scale, offset) == (1.0, 0.0) else (block * scale + offset).astype(block.dtype)
    return np.where(missing, block.dtype.type(np.nan), values)


def _name(file: h5py.File, *names: str) -> str:
    return next((n for n in names if isinstance(file.get(n), h5py.Dataset)), "")


def _axis(file: h5py.File, *names: str) -> NDArray[np.float64]:
    stored = dataset(file, _name(file, *names) or names[0])[()]
    values = np.asarray(stored)
    if values.ndim != 1 or len(values) < 2 or uniform_step(np.sort(values)) is None:
        raise OrbitscopeError(f"path: {file.filename}: {names[0]} should be a uniform axis. Regrid the file to regular degrees.")
    return values.astype(np.float64)


def _box(
    east: NDArray[np.float64], north: NDArray[np.float64], declared: Declared, path: Path
) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
    """Columns and rows of the box, both towards growing coordinates."""
    west, right, south, top = declared.box or (east.min(), east.max(), north.min(), north.max())
    columns = np.flatnonzero((east >= west) & (east <= right))
    rows = np.flatnonzero((north >= south) & (north <= top))
    rows = rows[np.argsort(north[rows])]
    area = f"{east.min():g} to {east.max():g} E, {north.min():g} to {north.max():g} N"
    if len(columns) < 2 or len(rows) < 2:
        raise OrbitscopeError(f"box: (west, east, south, north) = {declared.box} holds no area of {path}, which covers {area}.")
    chosen = f"{east[columns[0]]:g} to {east[columns[-1]]:g} E, {north[rows[0]]:g} to {north[rows[-1]]:g} N"
    return columns, rows, f"area: {chosen}" + (f", a box of {area}" if declared.box else "")


def _land(source: OceanArray, east: NDArray[np.float64], north: NDArray[np.float64], fill: float | None) -> str:
    """Refuse land unless the caller says what shall stand there; the mask of the first time counts."""
    raw = OceanArray(source.handle, source.level, source.columns, source.rows, None, source.shape, source.dtype)
    first = raw.read((np.arange(1), np.arange(1), np.arange(2), np.arange(source.shape[3]), np.arange(source.shape[4])))
    dry = np.isnan(first[0, 0]).any(0)
    if not dry.any():
        return "land: none"
    i, j = np.argwhere(dry)[0]
    count = f"{int(dry.sum())} of {dry.size} cells"
    if fill is None:
        raise OrbitscopeError(
            f"land: {count} of {source.path} have no current (land or sea floor), the first at {east[source.columns[i]]:g} E, "
            f"{north[source.rows[j]]:g} N. Take a box of open sea, load(path, box=(west, east, south, north)), or say what shall stand "
            "there: load(path, land=0.0)."
        )
    return f"land: {count} without current hold {fill:g}, as the caller asked; a coast there breaks every symmetry of the water"


def _grid(east: NDArray[np.float64], north: NDArray[np.float64], declared: Declared) -> tuple[Grid, str]:
    """Metres on a plane that touches the middle of the area."""
    shape = (len(east), len(north))
    if declared.grid is not None:
        if declared.grid.shape != shape:
            raise OrbitscopeError(f"grid: {declared.grid} does not fit the area of {shape[0]} x {shape[1]} points.")
        return declared.grid, f"grid: {declared.grid}, declared by the caller"
    degree = np.pi / 180 * EARTH_RADIUS
    dx, dy = ((a[-1] - a[0]) / (len(a) - 1) for a in (east, north))
    shrink = np.cos(np.deg2rad(north))
    middle = float(np.cos(np.deg2rad(north.mean())))
    around: Boundary = "periodic" if abs(dx * len(east) - 360) < 0.01 * dx else "open"
    grid = Grid(shape, (float(dx * degree * middle * len(east)), float(dy * degree * len(north))), (around, "open"))
    spread = (shrink.max() - shrink.min()) / middle
    return grid, (
        f"grid: {grid}, extent {grid.extent[0] / 1e3:.4g} x {grid.extent[1] / 1e3:.4g} km; a degree east is {degree * middle / 1e3:.4g} km "
        f"at the middle and differs by {spread:.1%} over the area"
    )


def _time_step(file: h5py.File, time: NDArray[Any], declared: Declared) -> tuple[float, str]:
    if declared.dt is not None:
        return declared.dt, f"dt: {declared.dt:g}, declared by the caller"
    units = text(dataset(file, "time").attrs.get("units", ""))
    word = units.split(" ")[0].lower().rstrip("s")
    step = uniform_step(time)
    if step is None or word not in _SECONDS:
        raise OrbitscopeError(
            f"path: {file.filename}: time ({units or 'no units'}) gives no uniform step in seconds. Pass dt=... (seconds)."
        )
    return step * _SECONDS[word], f"dt: {step * _SECONDS[word]:g} s, from time in {units}"
