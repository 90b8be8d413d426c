"""Results are written and read without h5netcdf, and are what xarray writes and reads through it."""

import io
from collections.abc import Callable

import h5py
import numpy as np
import pytest
import xarray as xr

from orbitscope.probe._netcdf import Unusual, from_netcdf, to_netcdf


def _everything() -> xr.DataTree:
    root = xr.Dataset(
        {
            "flag": ("a", [True, False]),
            "when": ("a", np.array(["2020-01-01", "2021-03-04"], "M8[ns]")),
            "lag": ("a", np.array([1, 2], "m8[s]")),
            "complex": ("a", [1j, 2]),
            "small": ("a", np.array([1, 2], np.int8)),
            "missing": ("a", np.array([np.nan, 1], np.float32)),
            "fixed": ("a", np.array(["x", "yyy"])),
            "free": ("a", np.array(["", "Ω"], object)),
            "none": (("no", "a"), np.zeros((0, 2))),
            "number": ((), 3),
            "word": ((), "one"),
        },
        coords={"a": [10, 20], "label": ("a", ["p", "q"]), "table": (("a", "b"), [[1, 2], [3, 4]])},
        attrs={"int": 1, "float": 0.5, "empty": "", "ints": [1, 2, 3], "words": ["a", "b"], "single": np.float32(2), "word": "é"},
    )
    deep = xr.Dataset({"below": (("a", "own"), [[5.0], [6.0]])}, coords={"own": ["x"]}, attrs={"deep": 3})
    return xr.DataTree.from_dict({"/": root, "/empty": xr.Dataset(), "/empty/deep": deep, "/other": xr.Dataset({"own": ("n", [1, 2, 3])})})


def _types(tree: xr.DataTree) -> list[object]:
    """What `identical` does not look at: order, types and kinds of everything."""
    found: list[object] = []
    for node in tree.subtree:
        data = node.to_dataset(inherit=False)
        attrs = [data.attrs, *(v.attrs for v in data.variables.values())]
        found += [node.path, list(data.indexes), list(data.coords), [(k, v.dtype, type(v)) for k, v in data.variables.items()]]
        found += [[(k, type(v), getattr(v, "dtype", None)) for k, v in a.items()] for a in attrs]
        found += [type(v.values.flat[0]) for v in data.variables.values() if v.size]
    return found


def _slow_write(tree: xr.DataTree) -> bytes:
    return bytes(tree.to_netcdf(engine="h5netcdf"))


def _slow_read(content: bytes) -> xr.DataTree:
    with xr.open_datatree(io.BytesIO(content), engine="h5netcdf", phony_dims="access") as tree:
        return tree.load()


def _fast_read(content: bytes) -> xr.DataTree:
    with h5py.File(io.BytesIO(content)) as file:
        return from_netcdf(file)


@pytest.mark.parametrize("write", [_slow_write, to_netcdf])
def test_both_ways_to_write_and_to_read_give_the_same_tree(write: Callable[[xr.DataTree], bytes]):
    tree = _everything()
    reference = _slow_read(_slow_write(tree))
    for read in (_slow_read, _fast_read):
        found = read(write(tree))
        xr.testing.assert_identical(found, reference)
        assert _types(found) == _types(reference)


def test_a_data_set_is_a_tree_of_one():
    data = xr.Dataset({"x": ("n", [1.0, 2.0])}, attrs={"kind": "table"})
    xr.testing.assert_identical(_fast_read(to_netcdf(data)).to_dataset(), data)


def test_what_only_xarray_can_tell_is_left_to_it():
    for data in (xr.Dataset({"b": ("n", np.array([b"xy", b"z"]))}), xr.Dataset(attrs={"bytes": np.bytes_(b"\xff")})):
        with pytest.raises(Unusual):
            _fast_read(_slow_write(xr.DataTree(data)))
    bare = io.BytesIO()
    with h5py.File(bare, "w") as file:
        file["x"] = [1.0, 2.0]
    with pytest.raises(Unusual, match="x has an axis without a name"):
        _fast_read(bare.getvalue())


def test_what_no_file_can_hold_is_refused():
    with pytest.raises(TypeError, match="bool"):
        to_netcdf(xr.Dataset(attrs={"yes": True}))
