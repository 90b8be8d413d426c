"""Results on disk: NetCDF with a digest of all its bytes, whole or not at all, looked at before they are believed."""

import hashlib
from pathlib import Path

import h5py
import xarray as xr

from .._errors import OrbitscopeError, reading
from .._expect import expect
from .._whole import write_whole
from ..data import open_hdf5
from ._netcdf import Unusual, from_netcdf, to_netcdf

KIND = "orbitscope probe"
_MARK = b"\norbitscope sha256 "
_TRAILER = len(_MARK) + 65  # hexadecimal digits and a newline; HDF5 does not read behind its own end
_PIECE = 2**20


def write_results(results: xr.Dataset | xr.DataTree, path: Path) -> None:
    """One NetCDF-4 file, whole or not at all, with a SHA-256 of its bytes behind them.

    * `results`: a data set or a tree of them.
    * `path`: the file to write; one that is there is replaced.
    """
    content = to_netcdf(results)
    digest = hashlib.sha256(content).hexdigest().encode()
    write_whole(path, lambda part: part.write_bytes(content + _MARK + digest + b"\n"))


def save_probe(tree: xr.DataTree, path: str | Path, *, force: bool = False) -> Path:
    """Write a tree of `examine` to one NetCDF file, whole or not at all. Raises `OrbitscopeError` if it exists and not `force`.

    * `tree`: the results, as `examine` gives them.
    * `path`: the file to write.
    """
    path = Path(path)
    if path.exists() and not force:
        raise OrbitscopeError(f"out: {path} exists. Give another --out, or --force to replace it.")
    write_results(tree, path)
    return path


def open_probe(path: str | Path) -> xr.DataTree:
    """Read a file of `save_probe` into memory. Raises `OrbitscopeError` if it is something else, or damaged.

    * `path`: the file.
    """
    expect(path, (str, Path), "path:", "a file of `orbitscope probe`")
    path = Path(path)
    kind = kind_of(path)
    if kind != KIND:
        raise OrbitscopeError(f"probe: {path} is no probe result (kind {kind!r}). Make one with 'orbitscope probe'.")
    return _loaded(path)


def open_results(path: Path) -> xr.DataTree:
    """Any results into memory, whoever wrote them; raises `OrbitscopeError` where they cannot be read.

    * `path`: the file.
    """
    kind_of(path)
    return _loaded(path)


def kind_of(path: Path) -> str | None:
    """The attribute `kind` of a NetCDF-4 file, None where it has none; values are not read.

    * `path`: the file.

    Raises `OrbitscopeError` for a file that is not there, is no such file, was changed since it was written (the digest is compared
    before HDF5 sees the file, which may never come back from a damaged one), or holds less than it declares.
    """
    if not path.exists():
        raise OrbitscopeError(f"probe: there is no file {path}.")
    if not path.is_file():
        raise OrbitscopeError(f"probe: {path} cannot be read as a probe result: it is no file.")
    with reading(path, "probe"):
        _compare_digest(path)
        try:
            file = open_hdf5(path)
        except OrbitscopeError as error:
            raise OrbitscopeError(f"probe: {path} cannot be read as a probe result: {error}") from error
        with file:
            kind = file.attrs.get("kind")
            if kind == KIND:
                _refuse_oversized(file, path)
    return kind.decode(errors="replace") if isinstance(kind, bytes) else None if kind is None else str(kind)


def _loaded(path: Path) -> xr.DataTree:
    with reading(path, "probe"):
        try:
            with open_hdf5(path) as file:
                return from_netcdf(file)
        except Unusual:
            with xr.open_datatree(path, engine="h5netcdf") as tree:
                return tree.load()


def _compare_digest(path: Path) -> None:
    """Raise where the bytes of a file are not those that its digest was made of; files without one pass."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - _TRAILER))
        trailer = stream.read()
        if len(trailer) < _TRAILER or not trailer.startswith(_MARK):
            return
        stream.seek(0)
        found, left = hashlib.sha256(), size - _TRAILER
        while left and (piece := stream.read(min(_PIECE, left))):
            found.update(piece)
            left -= len(piece)
    if found.hexdigest().encode() != trailer[len(_MARK) : -1]:
        raise OrbitscopeError(f"probe: {path} is damaged: its bytes do not give the digest that was written with them. Make it again.")


def _refuse_oversized(file: h5py.File, path: Path) -> None:
    """Raise where tables are declared that are far larger than the file: reading would make them up."""
    sizes: list[int] = []
    file.visititems(lambda _, item: sizes.append(item.nbytes) if isinstance(item, h5py.Dataset) else None)
    if sum(sizes) > 64 * path.stat().st_size + 2**26:
        raise OrbitscopeError(f"probe: {path} declares {sum(sizes):,} bytes of tables and is far smaller. It is damaged: make it again.")
