"""The Well's HDF5 (Polymathic AI, docs/data_format.md): scalar, vector and tensor fields in groups t0, t1, t2, channels last."""

from collections.abc import Iterable
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ..symmetry import Field
from ._format import Declared, FileSpec, Format, create_checksums, create_variable, write_attributes
from ._hdf5 import Handle
from ._trajectories import Trajectories
from ._well_read import GROUPS, read


class TheWell(Format):
    """The HDF5 files of The Well."""

    name = "the_well"
    suffixes = (".h5", ".hdf5", ".hdf")

    def recognises(self, file: h5py.File) -> bool:
        """Whether the groups of the specification are there."""
        return "dimensions" in file and any(isinstance(file.get(g), h5py.Group) for g in GROUPS)

    def read(self, handle: Handle, declared: Declared) -> Trajectories:
        """Lazy trajectories of every field that varies in time."""
        return read(handle, declared)

    def create(self, file: h5py.File, spec: FileSpec) -> None:
        """An empty file of the specification, with our attributes beside."""
        write_attributes(file, spec)
        parameters = {k: float(v) for k, v in sorted(dict(spec.provenance.get("parameters") or {}).items()) if isinstance(v, int | float)}
        file.attrs["dataset_name"] = str(spec.provenance.get("scenario") or spec.provenance.get("equation") or "orbitscope")
        file.attrs["grid_type"] = "cartesian"
        file.attrs["n_spatial_dims"] = spec.grid.ndim
        file.attrs["n_trajectories"] = spec.trajectories
        _string_list(file, "simulation_parameters", parameters)
        for key, value in parameters.items():
            file.attrs[key] = value
        _create_dimensions(file, spec)
        _create_boundaries(file, spec)
        scalars = file.create_group("scalars")
        _string_list(scalars, "field_names", parameters)
        for key, value in parameters.items():
            _flags(scalars.create_dataset(key, data=np.float32(value)), sample_varying=False, time_varying=False)
        for order, group_name in enumerate(GROUPS):
            group = file.create_group(group_name)
            members = [f for f in spec.layout.fields if _order(f, spec.layout.ndim) == order]
            _string_list(group, "field_names", [f.name for f in members])
            for f in members:
                shape = (spec.trajectories, spec.times, *spec.grid.shape, *((spec.grid.ndim,) * order))
                variable = create_variable(group, f.name, shape, spec)
                _flags(variable, sample_varying=True, time_varying=True)
                variable.attrs["dim_varying"] = np.ones(spec.grid.ndim, dtype=bool)
                variable.attrs["units"] = f.unit
                if order == 2:
                    _flags(variable, symmetric=False, antisymmetric=False)
        create_checksums(file, spec)

    def variables(self, spec: FileSpec) -> dict[str, tuple[int, ...]]:
        """One dataset per field."""
        found = {}
        for f in spec.layout.fields:
            order = _order(f, spec.layout.ndim)
            shape = (spec.trajectories, spec.times, *spec.grid.shape, *((spec.grid.ndim,) * order))
            found[f"{GROUPS[order]}/{f.name}"] = shape
        return found

    def encode(self, spec: FileSpec, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """One trajectory, channels moved last, field by field."""
        found = {}
        for f, (name, shape) in zip(spec.layout.fields, self.variables(spec).items(), strict=True):
            part = np.moveaxis(values[:, spec.layout.slice(f.name)], 1, -1)
            found[name] = part.reshape(shape[1:]).astype(spec.dtype, copy=False)
        return found


def _create_dimensions(file: h5py.File, spec: FileSpec) -> None:
    group = file.create_group("dimensions")
    names = "xyz"[: spec.grid.ndim]
    _string_list(group, "spatial_dims", names)
    _flags(group.create_dataset("time", data=(np.arange(spec.times) * spec.dt).astype(np.float32)), sample_varying=False, time_varying=True)
    for i, name in enumerate(names):
        axis = group.create_dataset(name, data=spec.grid.axis(i).numpy().astype(np.float32))
        _flags(axis, sample_varying=False, time_varying=False)


def _create_boundaries(file: h5py.File, spec: FileSpec) -> None:
    group = file.create_group("boundary_conditions")
    for i, kind in enumerate(spec.grid.boundary):
        entry = group.create_group(f"{'xyz'[i]}_{kind}")
        _string_list(entry, "associated_dims", ["xyz"[i]])
        _string_list(entry, "associated_fields", [])
        entry.attrs["bc_type"] = kind.upper()
        _flags(entry, sample_varying=False, time_varying=False)
        mask = np.zeros(spec.grid.shape[i], dtype=bool)
        mask[[0, -1]] = True
        entry.create_dataset("mask", data=mask)


def _order(f: Field, ndim: int) -> int:
    """The tensor order under which The Well files a field."""
    name, size = f.representation.name, f.representation.size(ndim)
    for order, names in enumerate((("scalar", "pseudoscalar", "vertical"), ("vector", "pseudovector"), ("tensor",))):
        if name in names and size == ndim**order:
            return order
    raise OrbitscopeError(f"format: The Well has no place for {f.name}:{f.representation!r}. Save as PDEgym NetCDF (a path ending in .nc).")


def _flags(item: h5py.Dataset | h5py.Group, **flags: bool) -> None:
    for name, value in flags.items():
        item.attrs[name] = np.bool_(value)


def _string_list(item: h5py.File | h5py.Group, name: str, values: Iterable[str]) -> None:
    item.attrs.create(name, np.array(list(values), dtype=object), dtype=h5py.string_dtype())
