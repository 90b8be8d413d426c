"""Datasets of plain HDF5 as lazy variables on axes that the format documents, and groups of them as one."""

from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from ..._errors import OrbitscopeError
from .._hdf5 import Handle, dataset, missing_filter, text


class StoredArray(BackendArray):
    """One dataset, read slice by slice."""

    def __init__(self, handle: Handle, name: str) -> None:
        stored = dataset(handle.file, name)
        self.handle, self.name = handle, name
        self.shape, self.dtype = stored.shape, stored.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        return _slab(dataset(self.handle.file, self.name), key)


def _slab(stored: h5py.Dataset, key: tuple[Any, ...]) -> NDArray[Any]:
    if needs := missing_filter(stored):
        raise OrbitscopeError(f"data: {stored.file.filename}: the variable {stored.name!r} cannot be read. {needs}")
    return np.asarray(stored[key])


class StackedArray(StoredArray):
    """The dataset of the same name in every one of several groups, along a first axis of its own."""

    def __init__(self, handle: Handle, names: Sequence[str]) -> None:
        stored = [dataset(handle.file, n) for n in names]
        if wrong := [n for n, d in zip(names, stored, strict=True) if (d.shape, d.dtype) != (stored[0].shape, stored[0].dtype)]:
            other = dataset(handle.file, wrong[0]).shape
            raise OrbitscopeError(
                f"path: {handle.path}: {wrong[0]} has the shape {other}, {names[0]} has {stored[0].shape}; the trajectories of one data "
                "set have one shape. Copy those that agree into a file of their own."
            )
        self.handle, self.names = handle, list(names)
        self.shape, self.dtype = (len(names), *stored[0].shape), stored[0].dtype

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        first, rest = key[0], key[1:]
        if isinstance(first, int | np.integer):
            return _slab(dataset(self.handle.file, self.names[int(first)]), rest)
        found = [_slab(dataset(self.handle.file, n), rest) for n in self.names[first]]
        shape = np.empty((0, *self.shape[1:]), dtype=self.dtype)[(slice(None), *rest)].shape
        return np.stack(found) if found else np.empty(shape, dtype=self.dtype)


def stored(handle: Handle, name: str | Sequence[str], dims: Sequence[str]) -> xr.Variable:
    """A lazy variable on these dimensions; of several names a stack."""
    array = StoredArray(handle, name) if isinstance(name, str) else StackedArray(handle, name)
    if len(dims) != len(array.shape):
        raise OrbitscopeError(f"path: {handle.path}: {name!r} should lie on {', '.join(dims)} and has the shape {array.shape}.")
    first = dataset(handle.file, name if isinstance(name, str) else name[0])
    attributes = {k: v for k, v in first.attrs.items() if k in ("units", "long_name", "scale_factor", "add_offset", "_FillValue")}
    attributes = {k: text(v) if isinstance(v, bytes | str) else v for k, v in attributes.items()}
    return xr.Variable(dims, indexing.LazilyIndexedArray(array), attributes)


def rows(handle: Handle, name: str, length: int, what: str) -> xr.Variable | None:
    """A coordinate [n] of that length, or the one row that all trajectories share [trajectory, n]; None where the file has none.

    One entry more than there are points is cut off, as PDEBench's times have.
    """
    item = handle.file.get(name)
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu":
        return None
    values = np.asarray(item[()])
    flat = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values[None]
    if values.ndim > 1 and 1 in values.shape and values.size in (length, length + 1):
        flat = values.reshape(1, -1)
    if flat.shape[1] not in (length, length + 1):
        return None
    if (flat != flat[0]).any():
        raise OrbitscopeError(f"path: {handle.path}: {name} differs between trajectories, which gives them no common {what}.")
    return xr.Variable((what,), flat[0, :length])


def assembled(variables: Mapping[str, xr.Variable], coordinates: Mapping[str, xr.Variable | None], title: str) -> xr.Dataset:
    """A dataset of lazy variables and of the coordinates that the file has."""
    known = {k: v for k, v in coordinates.items() if v is not None}
    found = xr.Dataset({k: (v.dims, v._data, v.attrs) for k, v in variables.items()}, attrs={"title": title})
    return found.assign_coords({k: ((k,), v.values, v.attrs) for k, v in known.items()})
