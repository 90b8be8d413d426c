"""PDEgym NetCDF-4: variables `data` (compressible Euler), `velocity` (incompressible flow), and our own `state` for the rest.

Herde et al., Poseidon, arXiv 2405.19101, appendix B: [trajectory, time, channel, x, y], dt 0.05, periodic unit square.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ..symmetry import Grid, Layout
from ._format import (
    Attributes,
    Declared,
    FileSpec,
    Format,
    create_checksums,
    create_variable,
    read_attributes,
    write_attributes,
)
from ._hdf5 import Handle, contents, dataset, real_dtype, text
from ._lazy import Axes, LazyArray, Source
from ._named import NamedVariable
from ._trajectories import Trajectories
from .foreign import conversion

GAMMA = 1.4
EULER = Layout.of("density:scalar", "momentum:vector", "energy:scalar")
VELOCITY = Layout.of("velocity:vector")
TRACED = Layout.of("velocity:vector", "tracer:scalar")
EULER_STORED = ("density", "velocity_x", "velocity_y", "pressure", "energy")
_DT = 0.05
_KNOWN = ("data", "velocity", "state")


class PDEgym(Format):
    """The NetCDF-4 files of PDEgym, and ours, which have the same variables and say what they hold in attributes."""

    name = "pdegym"
    suffixes = (".nc", ".nc4", ".netcdf", ".cdf")

    def recognises(self, file: h5py.File) -> bool:
        """Whether one of the known variables is there."""
        return any(isinstance(file.get(name), h5py.Dataset) for name in (*_KNOWN, "solution"))

    def read(self, handle: Handle, declared: Declared) -> Trajectories:
        """Lazy trajectories of one variable."""
        file = handle.file
        attributes = read_attributes(file)
        variable = _choose_variable(file, declared)
        stored = dataset(file, variable)
        space = (declared.layout or attributes.layout or VELOCITY).ndim
        if stored.ndim != 3 + space:
            raise OrbitscopeError(
                f"path: {handle.path}: the variable {variable!r} should be {3 + space}-D [trajectory, time, channel, "
                f"{', '.join('xyz'[:space])}], got shape {stored.shape}. Where the file is none of PDEgym's, map its variables: "
                f'load(path, fields="{variable}").'
            )
        by = f"by orbitscope {attributes.version}" if attributes.version else "not by orbitscope"
        notes = [f"format: PDEgym NetCDF-4, variable {variable!r} {list(stored.shape)}, written {by}"]
        named = NamedVariable.of(stored, space, declared.axes, attributes.layout is not None)
        notes.append(named.note)
        layout, source, more = _interpret(handle, variable, stored, named, attributes, declared)
        grid, grid_note = _grid(named, source.shape[3:], attributes, declared)
        dt, dt_note = _time_step(named, attributes, declared)
        return Trajectories(LazyArray(source), layout, grid, dt, attributes.provenance, (*notes, *more, grid_note, dt_note))

    def create(self, file: h5py.File, spec: FileSpec) -> None:
        """An empty file with named dimensions."""
        write_attributes(file, spec)
        file.attrs["Conventions"] = "CF-1.8"
        name, channels = _stored_as(spec.layout)
        if name == "data":
            file.attrs["gamma"] = _gamma(spec.provenance)
        variable = create_variable(file, name, (spec.trajectories, spec.times, len(channels), *spec.grid.shape), spec)
        coordinates: dict[str, Any] = {
            "trajectory": np.arange(spec.trajectories, dtype=np.int64),
            "time": np.arange(spec.times) * spec.dt,
            "channel": np.array(channels, dtype=object),
            **{"xyz"[i]: spec.grid.axis(i).numpy() for i in range(spec.grid.ndim)},
        }
        for axis, (label, values) in enumerate(coordinates.items()):
            scale = file.create_dataset(label, data=values, dtype=h5py.string_dtype() if label == "channel" else None)
            scale.make_scale(label)
            variable.dims[axis].attach_scale(scale)
        for sums in create_checksums(file, spec):
            for axis, label in enumerate(("trajectory", "time")[: sums.ndim]):
                sums.dims[axis].attach_scale(file[label])

    def variables(self, spec: FileSpec) -> dict[str, tuple[int, ...]]:
        """One variable."""
        name, channels = _stored_as(spec.layout)
        return {name: (spec.trajectories, spec.times, len(channels), *spec.grid.shape)}

    def encode(self, spec: FileSpec, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """One trajectory; the Euler state becomes the five channels of PDEgym."""
        name, _ = _stored_as(spec.layout)
        stored = conserved_to_stored(values, _gamma(spec.provenance)) if name == "data" else values
        return {name: stored.astype(spec.dtype, copy=False)}


def conserved_to_stored(values: NDArray[Any], gamma: float = GAMMA) -> NDArray[np.float64]:
    r"""(rho, rho v, E) -> (rho, v, p, E) on axis 1 with $p = (\gamma - 1)(E - \rho |v|^2 / 2)$, in float64."""
    rho, mx, my, energy = np.moveaxis(values.astype(np.float64), 1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        vx, vy = mx / rho, my / rho
    return np.stack([rho, vx, vy, (gamma - 1) * (energy - 0.5 * (mx * vx + my * vy)), energy], axis=1)


@dataclass
class StoredArray(Source):
    """One variable as it lies, except that `order` says which logical axis each stored axis is, and `flipped` which run backwards."""

    handle: Handle
    variable: str
    order: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    flipped: tuple[int, ...] = ()

    @property
    def path(self) -> Path:
        """The file."""
        return self.handle.path

    def read(self, axes: Axes) -> NDArray[Any]:
        """Read in stored order, then turn the block."""
        stored = list(axes)
        for k in self.flipped:  # read in ascending order: HDF5 takes no other slab
            stored[k] = (self.shape[k] - 1 - axes[k])[::-1]
        block = self.handle.gather(self.variable, tuple(stored[k] for k in self.order), self.dtype)
        block = block.transpose(np.argsort(self.order))
        return np.ascontiguousarray(np.flip(block, self.flipped) if self.flipped else block)


@dataclass
class EulerArray(StoredArray):
    """Five stored channels read as the four conserved ones: momentum = density * velocity, pressure left out."""

    def read(self, axes: Axes) -> NDArray[Any]:
        """Read one slab of stored channels per trajectory, and multiply on it."""
        wanted = axes[2].tolist()
        needs = {stored for c in wanted for stored in ((0,), (0, 1), (0, 2), (4,))[c]}
        # A gap in the channels costs more calls than it saves bytes: they lie in one chunk.
        first, stop = min(needs, default=0), max(needs, default=-1) + 1
        out = np.empty(tuple(len(a) for a in axes), dtype=self.dtype)
        for i in range(len(axes[0])):  # each trajectory has chunks of its own; one at a time halves the memory
            stored = super().read((axes[0][i : i + 1], axes[1], np.arange(first, stop), *axes[3:]))[0]
            for k, c in enumerate(wanted):
                field = stored[:, (0, 1, 2, 4)[c] - first]
                if c in (1, 2):
                    np.multiply(field, stored[:, -first], out=out[i, :, k])
                else:
                    out[i, :, k] = field
        return out


def _choose_variable(file: h5py.File, declared: Declared) -> str:
    if declared.variable:
        if declared.variable not in file:
            raise OrbitscopeError(f"variable: {declared.variable!r} is not in {file.filename}. It holds: {contents(file)}.")
        return declared.variable
    found = [name for name in _KNOWN if name in file]
    if found:
        return found[0]
    raise OrbitscopeError(
        f"path: {file.filename} has the variable 'solution' (PDEgym CE-RM, GCE-RT), whose channels and boundaries have no default here. "
        "Declare them: load(path, variable='solution', layout=Layout.of(...), grid=Grid(...))."
    )


def _interpret(
    handle: Handle, variable: str, stored: h5py.Dataset, named: NamedVariable, attributes: Attributes, declared: Declared
) -> tuple[Layout, StoredArray, list[str]]:
    """The layout, how to read it, and why."""
    order, shape = named.order, tuple(np.array(stored.shape)[np.argsort(named.order)].tolist())
    found, dtype = shape[2], real_dtype(stored)
    layout, why = declared.layout or attributes.layout, "as declared by the caller" if declared.layout else "from the file's attributes"
    if variable == "data" and found == 5 and (layout is None or is_euler(layout)):
        why = why if layout else "documented for the variable 'data'"
        note = f"channels: density, velocity, pressure, energy -> density, momentum = density * velocity, energy; pressure dropped; {why}"
        return layout or EULER, EulerArray(handle, variable, order, (*shape[:2], 4, *shape[3:]), dtype, named.flipped), [note]
    if layout is None and variable == "velocity" and found in (2, 3):
        layout = TRACED if found == 3 and declared.tracer else VELOCITY
        dropped = ", the third is a passive tracer, left out (load(..., tracer=True) keeps it)" if found > layout.channels else ""
        why = f"documented for the variable 'velocity': the first two channels are u_x, u_y{dropped}"
    elif layout is None:
        raise OrbitscopeError(f"path: {handle.path}: " + _no_layout(variable, found))
    _require_units(stored, layout, f"layout: {variable!r} of {handle.path}")
    spare = variable == "velocity" and found == 3 and layout.channels == 2
    if layout.channels != found and not spare:
        raise OrbitscopeError(
            f"layout: {layout.channels} channels ({', '.join(layout.channel_names)}) {why}, but the variable {variable!r} of {handle.path} "
            f"has {found}. Declare a layout with {found} channels: load(path, layout=Layout.of(...))."
        )
    source = StoredArray(handle, variable, order, (*shape[:2], layout.channels, *shape[3:]), dtype, named.flipped)
    return layout, source, [f"channels: {layout}; {why}"]


def _require_units(stored: h5py.Dataset, layout: Layout, who: str) -> None:
    """Raise where the file's unit is another than that of the layout; values of this format are not converted."""
    unit = text(stored.attrs.get("units", ""))
    for f in layout.fields if unit else ():
        if f.unit != "1" and conversion(unit, f.unit, who) != (1.0, 0.0):
            raise OrbitscopeError(
                f"{who} is in {unit!r} and the layout says {f.unit!r}. Say {unit!r}, or have it converted: "
                f'load(path, fields="{f.name}={str(stored.name).rsplit("/", 1)[-1]}:{f.representation!r}:{f.unit}").'
            )


def _no_layout(variable: str, found: int) -> str:
    expected = {"data": f"5 channels ({', '.join(EULER_STORED)})", "velocity": "2 or 3 channels (u_x, u_y, tracer)"}
    if variable in expected:
        return f"the variable {variable!r} should have {expected[variable]}, got {found}. Declare them: load(path, layout=Layout.of(...))."
    how = f"load(path, variable={variable!r}, layout=Layout.of(...))"
    return f"nothing says what the {found} channels of {variable!r} are. Declare them: {how}."


def _grid(named: NamedVariable, shape: tuple[int, ...], attributes: Attributes, declared: Declared) -> tuple[Grid, str]:
    grid, why = declared.grid or attributes.grid, "declared by the caller" if declared.grid else "from the file's attributes"
    if grid is None and (found := named.grid(shape)) is not None:
        return found
    if grid is None:
        edge, why = ("open", "a unit box, open as a part of the Earth is; ") if named.geographic else ("periodic", "PDEgym's default, ")
        grid, why = Grid(shape, (1.0,) * len(shape), (edge,) * len(shape)), f"{why}the file has no coordinates"
    if grid.shape != shape:
        raise OrbitscopeError(
            f"grid: {grid} {why}, but the stored fields have {' x '.join(map(str, shape))} points. Pass the right `grid`."
        )
    return grid, f"grid: {grid}, extent {' x '.join(f'{e:g}' for e in grid.extent)}; {why}"


def _time_step(named: NamedVariable, attributes: Attributes, declared: Declared) -> tuple[float, str]:
    if declared.dt is not None:
        return declared.dt, f"dt: {declared.dt:g}, declared by the caller"
    if attributes.dt is not None:
        return attributes.dt, f"dt: {attributes.dt:g}, from the file's attributes"
    return named.step() or (_DT, f"dt: {_DT:g}, PDEgym's default (21 snapshots over t = 0..1), the file has no times")


def is_euler(layout: Layout) -> bool:
    """Whether these are the conserved variables of the compressible Euler equations in the plane."""
    return _signature(layout) == _signature(EULER)


def _signature(layout: Layout) -> list[tuple[str, str]]:
    return [(f.name, repr(f.representation)) for f in layout.fields] + [("ndim", str(layout.ndim))]


def _stored_as(layout: Layout) -> tuple[str, tuple[str, ...]]:
    """The variable name and the stored channels for a layout."""
    if is_euler(layout):
        return "data", EULER_STORED
    if layout.ndim == 2 and _signature(layout) in (_signature(VELOCITY), _signature(TRACED)):
        return "velocity", layout.channel_names
    return "state", layout.channel_names


def _gamma(provenance: dict[str, Any]) -> float:
    parameters = provenance.get("parameters")
    return float(parameters.get("gamma", GAMMA)) if isinstance(parameters, dict) else GAMMA
