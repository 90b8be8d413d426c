"""PDEBench HDF5, two-dimensional flow (Takamoto et al., arXiv 2210.07182); read only.

Compressible Navier-Stokes: float datasets `density`, `pressure`, `Vx`, `Vy` [trajectory, time, x, y], cell centres in `x-coordinate`
and `y-coordinate`, times in `t-coordinate` (which may have one entry more than there are states), attributes eta, zeta, M.
Incompressible (inhomogeneous): `velocity` [trajectory, time, x, y, 2], `particles` [trajectory, time, x, y, 1], `force`, times in `t`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ..symmetry import Boundary, Grid, Layout
from ._format import Declared, FileSpec, Format
from ._hdf5 import Handle, dataset, real_dtype
from ._lazy import Axes, LazyArray, Source
from ._trajectories import Trajectories
from ._uniform import required_step, uniform_step

GAMMA = 5 / 3
"""Ratio of heats of every compressible file (its generator's settings); the files do not hold it."""
CONSERVED = Layout.of("density:scalar", "momentum:vector", "energy:scalar")
PRIMITIVE = Layout.of("density:scalar", "velocity:vector", "pressure:scalar")
INCOMPRESSIBLE = Layout.of("velocity:vector")
TRACED = Layout.of("velocity:vector", "particles:scalar")
_STORED = ("density", "Vx", "Vy", "pressure")


class ReadOnly(Format):
    """A format of others that is read and not written."""

    def variables(self, spec: FileSpec) -> dict[str, tuple[int, ...]]:
        """Refused."""
        raise OrbitscopeError(f"format: {self.name} is read only. Save as .nc (PDEgym) or .h5 (The Well).")

    def encode(self, spec: FileSpec, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Refused."""
        raise OrbitscopeError(f"format: {self.name} is read only. Save as .nc (PDEgym) or .h5 (The Well).")

    def create(self, file: h5py.File, spec: FileSpec) -> None:
        """Refused."""
        self.variables(spec)


class PDEBench(ReadOnly):
    """The two-dimensional flow files of PDEBench."""

    name = "pdebench"
    suffixes = ()

    def recognises(self, file: h5py.File) -> bool:
        """Whether the datasets of one of the two kinds are there."""
        return _is_compressible(file) or _is_incompressible(file)

    def read(self, handle: Handle, declared: Declared) -> Trajectories:
        """Lazy trajectories, converted block by block."""
        return _compressible(handle, declared) if _is_compressible(handle.file) else _incompressible(handle, declared)


@dataclass
class GasArray(Source):
    """Four datasets read as density, momentum and energy, or as density, velocity and pressure."""

    handle: Handle
    conserved: bool
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def path(self) -> Path:
        """The file."""
        return self.handle.path

    def read(self, axes: Axes) -> NDArray[Any]:
        """One trajectory at a time; products in the dtype of the file."""
        wanted = axes[2].tolist()
        needs = ((0,), (0, 1), (0, 2), (0, 1, 2, 3)) if self.conserved else ((0,), (1,), (2,), (3,))
        out = np.empty(tuple(len(a) for a in axes), dtype=self.dtype)
        for i in range(len(axes[0])):
            at = (axes[0][i : i + 1], axes[1], *axes[3:])
            part = {k: self.handle.gather(_STORED[k], at, self.dtype)[0] for k in {k for c in wanted for k in needs[c]}}
            for n, c in enumerate(wanted):
                if not self.conserved or c == 0:
                    out[i, :, n] = part[c]
                elif c == 3:
                    out[i, :, n] = part[3] / self.dtype.type(GAMMA - 1) + 0.5 * part[0] * (part[1] * part[1] + part[2] * part[2])
                else:
                    out[i, :, n] = part[0] * part[c]
        return out


@dataclass
class LastAxisArray(Source):
    """Datasets [trajectory, time, x, y, component] side by side."""

    handle: Handle
    names: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def path(self) -> Path:
        """The file."""
        return self.handle.path

    def read(self, axes: Axes) -> NDArray[Any]:
        """Only the datasets that are wanted."""
        out, start = np.empty(tuple(len(a) for a in axes), dtype=self.dtype), 0
        for name in self.names:
            size = dataset(self.handle.file, name).shape[-1]
            where = np.flatnonzero((axes[2] >= start) & (axes[2] < start + size))
            if where.size:
                block = self.handle.gather(name, (axes[0], axes[1], *axes[3:], axes[2][where] - start), self.dtype)
                out[:, :, where] = np.moveaxis(block, -1, 2)
            start += size
        return out


def _is_compressible(file: h5py.File) -> bool:
    found = [file.get(n) for n in _STORED]
    return all(isinstance(d, h5py.Dataset) and d.ndim == 4 for d in found)


def _is_incompressible(file: h5py.File) -> bool:
    velocity, particles = file.get("velocity"), file.get("particles")
    return (
        isinstance(velocity, h5py.Dataset) and isinstance(particles, h5py.Dataset)
        and velocity.ndim == particles.ndim == 5 and velocity.shape[-1] == 2 and particles.shape[-1] == 1
    )  # fmt: skip


def _compressible(handle: Handle, declared: Declared) -> Trajectories:
    file = handle.file
    stored = [dataset(file, n) for n in _STORED]
    if len({d.shape for d in stored}) != 1:
        raise OrbitscopeError(f"path: {handle.path}: the datasets differ in shape, {[(n, dataset(file, n).shape) for n in _STORED]}.")
    trajectories, times, *space = stored[0].shape
    layout = declared.layout or CONSERVED
    names = tuple((f.name, f.representation.name) for f in layout.fields)
    known = {tuple((f.name, f.representation.name) for f in k.fields): k for k in (CONSERVED, PRIMITIVE)}
    if names not in known:
        raise OrbitscopeError(f"layout: {handle.path} can be read as {CONSERVED} or as {PRIMITIVE}, got {layout}.")
    conserved = known[names] is CONSERVED
    how = (
        "momentum = density * velocity, energy = pressure / (gamma - 1) + density |velocity|^2 / 2 with gamma = 5/3, the generator's value"
        if conserved
        else "as stored"
    )
    grid, grid_note = _grid(file, handle.path, tuple(space), declared)
    dt, dt_note = _time_step(file, "t-coordinate", times, declared)
    attributes = {k: float(file.attrs[k]) for k in ("eta", "zeta", "M") if k in file.attrs}  # pyright: ignore[reportArgumentType]
    notes = (
        f"format: PDEBench HDF5, compressible Navier-Stokes, {list(stored[0].shape)} each of {', '.join(_STORED)}",
        "axes: stored [trajectory, time, x, y]; Vx points along the first of them",
        f"channels: {', '.join(_STORED)} -> {layout}; {how}",
        grid_note,
        dt_note,
    )
    dtype = np.dtype(max((real_dtype(d) for d in stored), key=lambda kind: kind.itemsize))
    source = GasArray(handle, conserved, (trajectories, times, 4, *space), dtype)
    provenance: dict[str, Any] = {"scenario": f"PDEBench {handle.path.stem}", "parameters": {"gamma": GAMMA, **attributes}}
    if attributes.get("eta") == attributes.get("zeta") == 0:  # the viscous equations are none of ours to check
        provenance["equation"] = "euler"
    return Trajectories(LazyArray(source), layout, grid, dt, provenance, notes)


def _incompressible(handle: Handle, declared: Declared) -> Trajectories:
    file = handle.file
    velocity = dataset(file, "velocity")
    trajectories, times, *space = velocity.shape[:-1]
    layout = declared.layout or (TRACED if declared.tracer else INCOMPRESSIBLE)
    if layout.channels not in (2, 3):
        raise OrbitscopeError(f"layout: {handle.path} has velocity (2 channels) and particles (1), got {layout}.")
    names = ("velocity", "particles")[: layout.channels - 1]
    if declared.grid is not None and declared.grid.shape != tuple(space):
        raise OrbitscopeError(f"grid: {declared.grid} does not fit the stored fields {tuple(space)} of {handle.path}.")
    grid = declared.grid or Grid(tuple(space), tuple(map(float, space)), ("wall", "wall"))
    dt, dt_note = _time_step(file, "t", times, declared)
    left_out = "" if len(names) == 2 else "particles (a tracer that the force acts on) left out, tracer=True keeps it; "
    why = "declared by the caller" if declared.grid else "cells of size 1 and walls, as the generator; the file does not say"
    notes = (
        f"format: PDEBench HDF5, incompressible Navier-Stokes, velocity {list(velocity.shape)}",
        "axes: stored [trajectory, time, x, y, component]; component 0 points along the first of x, y",
        f"channels: {layout}; {left_out}the force, one field per trajectory, is not read: a state alone does not determine the next",
        f"grid: {grid}; {why}",
        dt_note,
    )
    source = LastAxisArray(handle, names, (trajectories, times, layout.channels, *space), real_dtype(velocity))
    provenance = {"scenario": f"PDEBench {handle.path.stem}", "parameters": {}}
    return Trajectories(LazyArray(source), layout, grid, dt, provenance, notes)


def _grid(file: h5py.File, path: Path, space: tuple[int, ...], declared: Declared) -> tuple[Grid, str]:
    if declared.grid is not None:
        if declared.grid.shape != space:
            raise OrbitscopeError(f"grid: {declared.grid} does not fit the stored fields {space} of {path}.")
        return declared.grid, f"grid: {declared.grid}, declared by the caller"
    steps = [uniform_step(np.asarray(dataset(file, f"{n}-coordinate")[()])) for n in "xy"]
    if any(s is None for s in steps):
        raise OrbitscopeError(f"path: {path}: x-coordinate and y-coordinate should be uniform. Pass grid=Grid(...) to insist.")
    stem = path.stem.lower()
    boundary: Boundary = "periodic" if "periodic" in stem else "open"
    why = (
        "the file's name"
        if boundary == "periodic" or "trans" in stem
        else "nothing, it claims least; pass grid=... if the flow is periodic"
    )
    grid = Grid(space, tuple(float(f"{(s or 1) * n:.6g}") for s, n in zip(steps, space, strict=True)), (boundary, boundary))
    return grid, f"grid: {grid}, extent {grid.extent[0]:g} x {grid.extent[1]:g}; from the coordinates, boundary from {why}"


def _time_step(file: h5py.File, name: str, times: int, declared: Declared) -> tuple[float, str]:
    if declared.dt is not None:
        return declared.dt, f"dt: {declared.dt:g}, declared by the caller"
    found = file.get(name)
    values = np.asarray(found[()]) if isinstance(found, h5py.Dataset) else np.zeros(0)
    if values.ndim == 2:
        if (values != values[0]).any():
            raise OrbitscopeError(f"path: {file.filename}: the times {name!r} differ between trajectories. Pass dt=... to insist.")
        values = values[0]
    step = required_step(values[:times], f"path: {file.filename}: {name!r}", "Pass dt=... to insist.")
    return step, f"dt: {step:g}, from {name!r}"
