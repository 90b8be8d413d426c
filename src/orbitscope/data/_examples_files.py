"""Examples on disk: plain numpy archives (no pickle) and NetCDF, with arrays x, y, unit and slot."""

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from .._errors import OrbitscopeError, reading
from .._expect import expect
from .._json import finite_json, json_text
from .._whole import write_whole
from ..symmetry import State
from ._examples import Examples
from ._hdf5 import open_hdf5
from ._memory import require_memory

_LABELS = ("unit", "slot")
_ABOUT = "about"  # JSON, written by `save_examples`
_NEEDED = "Examples are arrays x and y with one row each (x_0, x_1, ... for states of several parts) and, if wanted, unit and slot"
Arrays = dict[str, NDArray[Any]]


def save_examples(examples: Examples, path: str | Path, *, force: bool = False) -> Path:
    """Write examples to one file, whole or not at all, and return its path.

    * `examples`: what is written; x and y in their own precision.
    * `path`: .npz is a plain numpy archive, .nc is NetCDF-4. `force`: whether a file that exists is replaced.

    Raises `OrbitscopeError` for another suffix, a file that exists, and an `about` that JSON cannot hold.
    """
    expect(examples, Examples, "save_examples: `examples`", "Examples(x, y)")
    path = Path(path).expanduser()
    write = _writer(path)
    if path.exists() and (path.is_dir() or not force):
        raise OrbitscopeError(f"path: {path} exists. Choose another name, or replace it with force=True (--force).")
    arrays: Arrays = {"unit": examples.unit, "slot": examples.slot}
    for what, state in (("x", examples.x), ("y", examples.y)):
        arrays |= {what: _array(state)} if isinstance(state, torch.Tensor) else {f"{what}_{k}": _array(p) for k, p in enumerate(state)}
    said = json_text(finite_json({"name": examples.name, "about": examples.about}), what=_ABOUT, default=str)
    write_whole(path, lambda part: write(part, arrays, said))
    return path


def load_examples(path: str | Path) -> Examples:
    """The examples in a .npz or NetCDF file with arrays x, y and, if wanted, unit and slot (see `Examples`).

    * `path`: the file. States of several parts have an array for each part: x_0, x_1, ... Whole numbers in y are class numbers. A file
      with other arrays is refused, so that no misspelt `unit` goes unseen; axes of NetCDF may have coordinates.

    Raises `OrbitscopeError` that names the file and the array: for a file that is missing, damaged, of another kind, or holds Python
    objects; for arrays that are missing, not real numbers, of different lengths or not finite.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_examples(save_examples(Examples(torch.randn(6, 2), torch.randn(6, 1)), f"{folder}/pairs.npz"))
    Examples(6: 6 units x 1 slots, x (2,), y (1,))
    """
    expect(path, (str, Path), "path:", "a file of examples, .npz or .nc")
    path = Path(path).expanduser()
    _writer(path)
    if not path.is_file():
        raise OrbitscopeError(f"path: there is no file {path}.")
    require_memory(path.stat().st_size, "load_examples")
    with reading(path):
        arrays, said = _read_npz(path) if path.suffix.lower() == ".npz" else _read_netcdf(path)
    if unknown := [name for name in arrays if not re.fullmatch(r"[xy](_\d+)?|unit|slot", name)]:
        raise OrbitscopeError(f"path: {path} holds {', '.join(arrays)}, and {unknown[0]!r} has no meaning here. {_NEEDED}. Leave it out.")
    parts = {what: _state(path, arrays, what) for what in ("x", "y")}
    labels = {name: arrays[name] for name in _LABELS if name in arrays}
    try:
        return Examples(**parts, **labels, name=str(said.get("name", path.stem)), about=dict(said.get("about", {})))
    except OrbitscopeError as error:
        raise OrbitscopeError(f"path: {path}: {error}") from error


def _writer(path: Path) -> Callable[[Path, Arrays, str], None]:
    found = {".npz": _write_npz, ".nc": _write_netcdf}.get(path.suffix.lower())
    if found is None:
        raise OrbitscopeError(f"path: {path} should end in .npz (numpy) or .nc (NetCDF), the two kinds of files that hold examples.")
    return found


def _array(part: torch.Tensor) -> NDArray[Any]:
    return part.detach().cpu().numpy()


def _write_npz(part: Path, arrays: Arrays, said: str) -> None:
    with part.open("wb") as stream:  # numpy would add a suffix to a name
        np.savez(stream, **arrays, **{_ABOUT: np.array(said)})  # pyright: ignore[reportArgumentType]  # no array is called allow_pickle


def _write_netcdf(part: Path, arrays: Arrays, said: str) -> None:
    # NetCDF has no booleans; no axis may bear the name of an array, which would make the array a coordinate.
    whole = {name: a.astype(np.int8) if a.dtype == bool else a for name, a in arrays.items()}
    variables = {name: (("example", *(f"{name}_axis_{k}" for k in range(1, a.ndim))), a) for name, a in whole.items()}
    xr.Dataset(variables, attrs={_ABOUT: said, "what": "examples"}).to_netcdf(part, engine="h5netcdf")


def _read_npz(path: Path) -> tuple[Arrays, Mapping[str, Any]]:
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream), np.load(stream, allow_pickle=False) as archive:
            arrays: Arrays = {}
            for name in archive.files:
                try:
                    arrays[name] = archive[name]
                except ValueError as error:
                    told = "holds Python objects, which are never unpickled" if "pickle" in str(error).lower() else f"is damaged ({error})"
                    raise OrbitscopeError(f"path: the array {name!r} of {path} {told}. Save numbers with numpy.savez.") from error
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise OrbitscopeError(
            f"path: {path} is not a plain numpy archive ({error}). Save numbers with numpy.savez(path, x=..., y=...)."
        ) from error
    said = arrays.pop(_ABOUT, None)
    return arrays, _said(None if said is None else said.item() if said.shape == () else None)


def _read_netcdf(path: Path) -> tuple[Arrays, Mapping[str, Any]]:
    open_hdf5(path).close()  # says what a file is that is no HDF5, and refuses links to other files
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        data = stored.load()
    for what in ("x", "y"):
        if what in data.coords:
            raise OrbitscopeError(
                f"path: {path}: {what!r} is the coordinate of an axis, as in fields on a grid, and no array of examples. {_NEEDED}."
            )
    return {str(name): np.asarray(v.values) for name, v in data.data_vars.items()}, _said(data.attrs.get(_ABOUT))


def _said(text: Any) -> Mapping[str, Any]:
    """What `save_examples` wrote beside the arrays; nothing where somebody else wrote the file."""
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("about", {}), dict) else {}


def _state(path: Path, arrays: Arrays, what: str) -> State:
    """x or y: one array, or the parts in order."""
    numbered = sorted((name for name in arrays if re.fullmatch(rf"{what}_\d+", name)), key=lambda n: int(n[2:]))
    if (what in arrays) == bool(numbered) or numbered != [f"{what}_{k}" for k in range(len(numbered))]:
        raise OrbitscopeError(f"path: {path} holds {', '.join(arrays) or 'nothing'}, which gives no {what}. {_NEEDED}.")
    found = []
    for name in numbered or [what]:
        array = arrays[name]
        if array.dtype.kind not in "fiub":
            raise OrbitscopeError(f"path: the array {name!r} of {path} has dtype {array.dtype}; expected real numbers.")
        if not array.ndim:
            raise OrbitscopeError(f"path: the array {name!r} of {path} is a single number; examples lie along its first axis.")
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        found.append(torch.from_numpy(np.ascontiguousarray(native.astype(np.int64) if array.dtype.kind in "ub" else native)))
    return tuple(found) if numbered else found[0]
