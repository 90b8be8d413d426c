"""Trees of results as NetCDF-4, written and read with h5py alone.

The same file and the same tree as xarray's own way through h5netcdf, of which it asks the conventions (missing values, times, booleans)
and no more: h5netcdf looks every variable up again for each of its properties, which for a probe of some hundred small variables takes
seconds, several times in every report. What these two do not know is left to xarray.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import h5py
import numpy as np
import xarray as xr
from h5netcdf.attrs import Attributes
from h5py import h5o, h5r  # pyright: ignore[reportAttributeAccessIssue]
from xarray import conventions

_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable."


class Unusual(Exception):
    """Something that xarray and h5netcdf know and this module does not."""


def to_netcdf(results: xr.Dataset | xr.DataTree) -> bytes:
    """The bytes of a NetCDF-4 file of a data set or a tree of them; raises what xarray raises for values that no file can hold."""
    tree = results if isinstance(results, xr.DataTree) else xr.DataTree(results)
    nodes = {node.path: _encoded(node.to_dataset(inherit=node is tree)) for node in tree.subtree}
    # In memory: HDF5 can crash the process on a full disk.
    with h5py.File("results", "w", driver="core", backing_store=False, track_order=True) as file:
        properties = f"version=2,h5py={h5py.__version__},hdf5={h5py.version.hdf5_version}"
        file.attrs["_NCProperties"] = np.array(properties, h5py.string_dtype("ascii", len(properties)))
        scales: dict[str, dict[str, h5py.Dataset]] = {}
        for path, (variables, attrs) in nodes.items():
            group = file if path == "/" else file.create_group(path, track_order=True)
            above = scales.get(path.rpartition("/")[0] or "/", {})
            scales[path] = _write_group(group, variables, attrs, dict(above), sum(map(len, scales.values())))
        file.flush()
        return file.id.get_file_image()


def _encoded(data: xr.Dataset) -> tuple[dict[str, xr.Variable], dict[str, Any]]:
    """Variables and attributes as the conventions store them."""
    variables, attrs = conventions.encode_dataset_coordinates(data)
    encoded = {str(k): conventions.encode_cf_variable(v, name=k) for k, v in variables.items()}
    return encoded, {str(k): v for k, v in attrs.items()}


def _write_group(
    group: h5py.Group, variables: dict[str, xr.Variable], attrs: Mapping[str, Any], known: dict[str, h5py.Dataset], first: int
) -> dict[str, h5py.Dataset]:
    """One data set; returns the scale of every dimension known in the group, those of the groups above included."""
    for name, value in attrs.items():
        _write_attribute(group, name, value)
    sizes = {str(d): n for v in variables.values() for d, n in v.sizes.items()}
    new = [d for d, n in sizes.items() if d not in known or known[d].shape != (n,)]
    stored = {name: _create(group, name, variable) for name, variable in variables.items()}
    for number, dim in enumerate(new):
        bare = dim not in stored
        known[dim] = _bare_scale(group, dim, sizes[dim]) if bare else stored[dim]
        known[dim].make_scale(f"{_NO_VARIABLE}{sizes[dim]:10}" if bare else dim)
        known[dim].attrs["_Netcdf4Dimid"] = np.int32(first + number)
    for name, variable in variables.items():
        for axis, dim in enumerate(() if variable.dims == (name,) else variable.dims):
            stored[name].dims[axis].attach_scale(known[str(dim)])
        if variable.ndim:
            numbers = [known[str(d)].attrs["_Netcdf4Dimid"] for d in variable.dims]
            stored[name].attrs["_Netcdf4Coordinates"] = np.array(numbers, np.int32)
            stored[name].attrs["_Netcdf4Dimid"] = numbers[0]
    return known


def _bare_scale(group: h5py.Group, name: str, size: int) -> h5py.Dataset:
    return group.create_dataset(name, (size,), ">f4", maxshape=None if size else (None,), track_order=True)


def _create(group: h5py.Group, name: str, variable: xr.Variable) -> h5py.Dataset:
    """A variable with its values and attributes."""
    attrs = dict(variable.attrs)
    values = np.asarray(variable.values)
    text = values.dtype.kind in "OU"
    dtype = h5py.string_dtype() if text else values.dtype
    fill = None if text else attrs.get("_FillValue")
    chunks = True if values.size == 0 and values.ndim else None
    stored = group.create_dataset(name, values.shape, dtype, fillvalue=fill, chunks=chunks, track_order=True)
    if values.size:
        stored[...] = values.astype(object) if text else values
    for key, value in attrs.items():
        _write_attribute(stored, key, value if key != "_FillValue" else np.asarray(value, dtype))
    return stored


def _write_attribute(item: h5py.Group | h5py.Dataset, name: str, value: Any) -> None:
    """As netCDF's own library does: a number is an array of one. Raises `TypeError` for a kind of number that NetCDF does not have."""
    Attributes(item.attrs, _refuse_bool, h5py)[name] = value


def _refuse_bool(dtype: np.dtype[Any]) -> None:
    if dtype.kind == "b":
        raise TypeError("NetCDF has no attributes of type bool; write 0 or 1")


def from_netcdf(file: h5py.File) -> xr.DataTree:
    """The tree in an open NetCDF-4 file, in memory; raises `Unusual` where only xarray can tell what is meant."""
    return xr.DataTree.from_dict(dict(_decoded(file, {})))


def _decoded(group: h5py.Group, scales: dict[int, tuple[str, int]]) -> Iterator[tuple[str, xr.Dataset]]:
    """A group and those in it as data sets, as xarray makes them; `scales`: name and length of dimensions by their place."""
    items = {str(k): v for k, v in group.items()}
    found = {k: v for k, v in items.items() if isinstance(v, h5py.Dataset)}
    own = {h5o.get_info(v.id).addr: (k, int(v.size or 0)) for k, v in found.items() if v.attrs.get("CLASS") == b"DIMENSION_SCALE"}
    scales = scales | own
    stored = {k: _read(k, v, scales) for k, v in found.items() if not _bare(v)}
    variables, attrs, names = conventions.decode_cf_variables(stored, _attributes(group))
    coords = {k: v for k, v in variables.items() if k in names or v.dims == (k,)}
    yield str(group.name), xr.Dataset({k: v for k, v in variables.items() if k not in coords}, coords, attrs).load()
    for item in items.values():
        if isinstance(item, h5py.Group):
            yield from _decoded(item, scales)


def _bare(stored: h5py.Dataset) -> bool:
    """Whether a data set only says how long a dimension is."""
    label = stored.attrs.get("NAME", b"")
    return isinstance(label, bytes) and label.startswith(_NO_VARIABLE.encode())


def _read(name: str, stored: h5py.Dataset, scales: dict[int, tuple[str, int]]) -> xr.Variable:
    text = h5py.check_string_dtype(stored.dtype)
    if (stored.dtype.kind not in "iufc") if text is None else text.length is not None:
        raise Unusual(f"{name} holds {stored.dtype}")
    values = stored[()] if text is None else stored.asstr()[()]
    values = np.asarray(values, object if text else None)
    return xr.Variable(_dims(stored, scales), values, _attributes(stored), {"dtype": str if text else stored.dtype})


def _dims(stored: h5py.Dataset, scales: dict[int, tuple[str, int]]) -> tuple[str, ...]:
    """The names of the axes: of a scale its own, else those of the scales that are attached to them."""
    if stored.ndim == 1 and (own := scales.get(h5o.get_info(stored.id).addr)):
        return (own[0],)
    lists = stored.attrs.get("DIMENSION_LIST", ())
    attached = [h5o.get_info(h5r.dereference(references[-1], stored.id)).addr for references in lists if len(references)]
    found = [scales[place] for place in attached if place in scales]
    if tuple(size for _, size in found) != stored.shape:
        raise Unusual(f"{stored.name} has an axis without a name, or one that is longer in another variable")
    return tuple(name for name, _ in found)


def _attributes(item: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """All that are no bookkeeping of netCDF's; h5netcdf knows how every library writes its strings."""
    found = {}
    for name, value in Attributes(item.attrs, None, h5py).items():
        if isinstance(value, bytes) and name not in ("_FillValue", "missing_value"):
            raise Unusual(f"the attribute {name} of {item.name} is bytes")
        found[name] = value
    return found
