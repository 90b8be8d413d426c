"""Reading The Well's HDF5: which fields there are, how they lie, and what the file says of grid and time.

A field is [trajectory, time, x, y, (component), (component)]; flags say which of the leading axes it lacks.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ..symmetry import Boundary, Centring, Field, Grid, Layout
from ._format import Declared, read_attributes
from ._hdf5 import Handle, contents, dataset, real_dtype, text
from ._lazy import Axes, LazyArray, Source
from ._trajectories import Trajectories
from ._uniform import required_step, uniform_step

GROUPS = ("t0_fields", "t1_fields", "t2_fields")
_REPRESENTATIONS = ("scalar", "vector", "tensor")


def read(handle: Handle, declared: Declared) -> Trajectories:
    """Lazy trajectories of every field that varies in time."""
    file, attributes = handle.file, read_attributes(handle.file)
    names = _strings(file["dimensions"].attrs.get("spatial_dims", ()))
    ndim = len(names)
    if ndim not in (1, 2, 3):
        raise OrbitscopeError(f"path: {handle.path}: `dimensions` should name 1 to 3 `spatial_dims`, got {names}.")
    fields, skipped = _fields(file, ndim)
    if not fields:
        raise OrbitscopeError(f"path: {handle.path} holds no field that varies in time. It holds: {contents(file)}.")
    layout, note = _layout(fields, declared.layout or attributes.layout, "the caller" if declared.layout else "the file's attributes", ndim)
    by = f"by orbitscope {attributes.version}" if attributes.version else "not by orbitscope"
    notes = [
        f"format: The Well HDF5, data set {text(file.attrs.get('dataset_name', 'without a name'))!r}, written {by}",
        f"axes: stored [trajectory, time, {', '.join(names)}, (component)], read as [trajectory, time, channel, {', '.join(names)}]; "
        f"vector component i points along axis i ({', '.join(names)})",
        note,
    ]
    notes += [f"left out: {', '.join(skipped)} (do not vary in time)"] if skipped else []
    by_name = {f.name: f for f in fields}
    space = tuple(int(dataset(file, f"dimensions/{n}").shape[-1]) for n in names)
    source = _source(handle, [by_name[f.name] for f in layout.fields], space)
    grid, grid_note = _grid(file, names, space, declared.grid, attributes.grid)
    dt, dt_note = _time_step(file, declared.dt, attributes.dt)
    provenance = attributes.provenance if attributes.version else _foreign_provenance(file)
    return Trajectories(LazyArray(source), layout, grid, dt, provenance, (*notes, grid_note, dt_note))


@dataclass(frozen=True)
class StoredField:
    """One dataset of a t0, t1 or t2 group: which leading axes it has and how its components lie."""

    name: str
    dataset: str
    order: int
    sample_varying: bool
    dim_varying: tuple[bool, ...]
    component_shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of channels."""
        return int(np.prod(self.component_shape, dtype=int))

    def read(self, handle: Handle, axes: Axes, components: NDArray[np.int64], dtype: np.dtype[Any]) -> NDArray[Any]:
        """[trajectory, time, component, *space]; axes that the file lacks have length 1."""
        present = [self.sample_varying, True, *self.dim_varying]
        leading = [axes[0], axes[1], *axes[3:]]
        selection = tuple(a for a, p in zip(leading, present, strict=True) if p)
        inner: Axes = tuple(np.arange(n) for n in self.component_shape)
        if len(inner) == 1:  # a vector: read only the components asked for
            inner, picked = (components,), np.arange(len(components))
        else:
            picked = components
        block = handle.gather(self.dataset, (*selection, *inner), dtype)
        block = block.reshape(*(len(a) if p else 1 for a, p in zip(leading, present, strict=True)), -1)
        return np.moveaxis(block[..., picked], -1, 2)


@dataclass
class WellArray(Source):
    """Fields of The Well side by side along the channel axis."""

    handle: Handle
    fields: list[StoredField]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def path(self) -> Path:
        """The file."""
        return self.handle.path

    def read(self, axes: Axes) -> NDArray[Any]:
        """Only the fields and components that the wanted channels need."""
        out = np.empty(tuple(len(a) for a in axes), dtype=self.dtype)
        start = 0
        for f in self.fields:
            where = np.flatnonzero((axes[2] >= start) & (axes[2] < start + f.size))
            if where.size:
                out[:, :, where] = f.read(self.handle, axes, axes[2][where] - start, self.dtype)
            start += f.size
        return out


def _source(handle: Handle, fields: list[StoredField], space: tuple[int, ...]) -> WellArray:
    """Fields side by side, after a check that they agree on every axis."""
    stored = [dataset(handle.file, f.dataset) for f in fields]
    trajectories = {d.shape[0] for d, f in zip(stored, fields, strict=True) if f.sample_varying} or {1}
    times = {d.shape[int(f.sample_varying)] for d, f in zip(stored, fields, strict=True)}
    if len(trajectories) != 1 or len(times) != 1:
        raise OrbitscopeError(f"path: {handle.path}: the fields disagree on the numbers of trajectories {trajectories} or times {times}.")
    for d, f in zip(stored, fields, strict=True):
        expected = tuple(n for n, v in zip(space, f.dim_varying, strict=True) if v)
        found = d.shape[1 + f.sample_varying : d.ndim - len(f.component_shape)]
        if found != expected:
            raise OrbitscopeError(f"path: {handle.path}: the field {f.name!r} has the grid {found}, `dimensions` says {expected}.")
    dtype = np.dtype(max((real_dtype(d) for d in stored), key=lambda kind: kind.itemsize))
    return WellArray(handle, fields, (trajectories.pop(), times.pop(), sum(f.size for f in fields), *space), dtype)


def _fields(file: h5py.File, ndim: int) -> tuple[list[StoredField], list[str]]:
    """The fields that vary in time, in the order of the file, and the names of the others."""
    found: list[StoredField] = []
    skipped: list[str] = []
    for order, group_name in enumerate(GROUPS):
        group = file.get(group_name)
        if not isinstance(group, h5py.Group):
            continue
        for name in _strings(group.attrs.get("field_names", list(group))):
            stored = dataset(file, f"{group_name}/{name}")
            sample, time = (bool(stored.attrs.get(k, True)) for k in ("sample_varying", "time_varying"))
            dims = tuple(bool(v) for v in np.atleast_1d(stored.attrs.get("dim_varying", [True] * ndim)))
            if not time:
                skipped.append(name)
                continue
            inner = stored.shape[1 + sample + sum(dims) :]
            if len(dims) != ndim or int(np.prod(inner, dtype=int)) != ndim**order or (order == 0 and inner):
                raise OrbitscopeError(
                    f"path: {file.filename}: {group_name}/{name} has shape {stored.shape}, which does not fit {ndim} space dimensions, "
                    f"sample_varying={sample}, dim_varying={dims} and tensor order {order}."
                )
            found.append(StoredField(name, f"{group_name}/{name}", order, sample, dims, inner))
    return found, skipped


def _layout(fields: list[StoredField], given: Layout | None, who: str, ndim: int) -> tuple[Layout, str]:
    if given is None:
        layout = Layout(tuple(Field(f.name, _REPRESENTATIONS[f.order]) for f in fields), ndim)  # pyright: ignore[reportArgumentType]
        return (
            layout,
            f"channels: {layout}; from the groups t0 (scalar), t1 (vector), t2 (tensor); t0 cannot tell a pseudoscalar (vorticity)",
        )
    sizes = {f.name: f.size for f in fields}
    for f in given.fields:
        if sizes.get(f.name) != f.representation.size(given.ndim):
            raise OrbitscopeError(
                f"layout: {who} declares {f.name}:{f.representation!r}, but the file's fields (name: channels) are {sizes}. "
                "Use their names and sizes."
            )
    return given, f"channels: {given}; declared by {who}"


def _grid(file: h5py.File, names: list[str], space: tuple[int, ...], declared: Grid | None, own: Grid | None) -> tuple[Grid, str]:
    given = declared or own
    if given:
        why = "declared by the caller" if declared else "from the file's attributes"
        if given.shape != space:
            raise OrbitscopeError(
                f"grid: {given} {why}, but the stored fields have {' x '.join(map(str, space))} points. Pass the right `grid`."
            )
        return given, f"grid: {given}, extent {' x '.join(f'{e:g}' for e in given.extent)}; {why}"
    kind = text(file.attrs.get("grid_type", "cartesian"))
    if kind != "cartesian":
        raise OrbitscopeError(
            f"path: {file.filename} has a {kind} grid; only cartesian ones have a layout here. Pass grid=Grid(...) to insist."
        )
    boundary, why = _boundaries(file, names)
    steps, firsts = [], []
    for name, points in zip(names, space, strict=True):
        values = _same_rows(file, name)
        step = uniform_step(values) if points > 1 else 1.0
        if step is None:
            raise OrbitscopeError(f"path: {file.filename}: the coordinate {name!r} is not uniform. Pass grid=Grid(...) to insist.")
        steps.append(step)
        firsts.append(float(values[0]))
    centring: Centring = "cell" if all(abs(f / s - 0.5) < 0.1 for f, s in zip(firsts, steps, strict=True)) else "node"
    counts = [n - (centring == "node" and b != "periodic") for n, b in zip(space, boundary, strict=True)]
    grid = Grid(space, tuple(float(f"{s * max(1, n):.6g}") for s, n in zip(steps, counts, strict=True)), boundary, centring)
    return (
        grid,
        f"grid: {grid}, extent {' x '.join(f'{e:g}' for e in grid.extent)}; from the file's coordinates and {why}",
    )


def _boundaries(file: h5py.File, names: list[str]) -> tuple[tuple[Boundary, ...], str]:
    """One kind per axis; where the two ends differ the axis counts as a wall if one is a wall."""
    kinds: dict[str, set[str]] = {n: set() for n in names}
    group = file.get("boundary_conditions")
    for entry in group.values() if isinstance(group, h5py.Group) else ():
        for name in _strings(entry.attrs.get("associated_dims", ())):
            kinds.setdefault(name, set()).add(text(entry.attrs.get("bc_type", "open")).lower())
    chosen: list[Boundary] = []
    for name in names:
        found = kinds[name]
        chosen.append("periodic" if found == {"periodic"} else "wall" if "wall" in found else "open")
    silent = [n for n in names if not kinds[n]]
    return tuple(chosen), "boundary_conditions" + (f" (none stated for {', '.join(silent)}: open)" if silent else "")


def _time_step(file: h5py.File, declared: float | None, own: float | None) -> tuple[float, str]:
    if declared or own:
        dt = float(declared or own or 0)
        return dt, f"dt: {dt:g}, " + ("declared by the caller" if declared else "from the file's attributes")
    step = required_step(_same_rows(file, "time"), f"path: {file.filename}: dimensions/time", "Pass dt=... to insist.")
    return step, f"dt: {step:g}, from dimensions/time"


def _same_rows(file: h5py.File, name: str) -> NDArray[Any]:
    """A coordinate [n]; one that varies by trajectory ([trajectory, n], which the specification allows) must have equal rows."""
    values = np.asarray(dataset(file, f"dimensions/{name}")[()])
    if values.ndim < 2:
        return values
    rows = values.reshape(-1, values.shape[-1])
    if differ := np.flatnonzero((rows != rows[0]).any(1)).tolist():
        how = "dt=..." if name == "time" else "grid=Grid(...)"
        raise OrbitscopeError(
            f"path: {file.filename}: dimensions/{name} varies by trajectory: row {differ[0]} is not row 0. Trajectories of one data set "
            f"have one axis. Split the file, or pass {how} to insist."
        )
    return rows[0]


def _foreign_provenance(file: h5py.File) -> dict[str, Any]:
    names = _strings(file.attrs.get("simulation_parameters", ()))
    parameters = {n: float(file.attrs[n]) for n in names if n in file.attrs and np.ndim(file.attrs[n]) == 0}  # pyright: ignore
    return {"scenario": text(file.attrs.get("dataset_name", "")), "parameters": parameters}


def _strings(values: Any) -> list[str]:
    return [text(v) for v in np.atleast_1d(np.asarray(values, dtype=object))]
