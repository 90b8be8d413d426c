"""What h5py and xarray hand out as one of several kinds, as the kind that a test means."""

from typing import Any

import h5py
import xarray as xr


def dataset(file: h5py.File, name: str) -> Any:
    """The array of that name in an open file."""
    found = file[name]
    assert isinstance(found, h5py.Dataset), (name, found)
    return found


def variable(tree: xr.DataTree | xr.DataArray, path: str) -> xr.DataArray:
    """The variable at the end of a path such as "D4/equivariance/commutator"."""
    found = tree[path]
    assert isinstance(found, xr.DataArray), (path, found)
    return found
