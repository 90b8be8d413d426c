"""Reading a file whatever its format."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from .._errors import OrbitscopeError, reading
from ..symmetry import Grid, Layout
from ._hdf5 import dataset
from ._many import files_of, joined
from ._reader import Candidate, Reader, reader_named, readers, register_reader
from ._readers import Npz, PDEBenchReader, PDEgymReader, WellReader, ZarrArrays
from ._trajectories import Trajectories
from ._writer import COMPLETE
from .foreign import FOREIGN, Matlab, NetCDF, from_dataset

# In this order a file is tried: what names itself before what takes any HDF5 file.
for _reader in (Matlab, Npz, ZarrArrays, PDEBenchReader, PDEgymReader, WellReader, *FOREIGN):
    register_reader(_reader, first=False)


def load(
    path: str | Path | Sequence[str | Path] | xr.Dataset,
    *,
    format: str | Reader | type[Reader] | None = None,
    layout: Layout | str | None = None,
    grid: Grid | None = None,
    dt: float | None = None,
    **options: Any,
) -> Trajectories:
    """Open a file of trajectories, whatever its format; values stay on disk until sliced. `.notes` says what was decided and why.

    - `path`: a file, several of them (a list, a folder, or a pattern such as "CE-RP_*.nc"), or a dataset of xarray.
    - `format`: name of a reader, or a reader with its options; by default the file is looked into. `readers()` lists them.
    - `layout`, `grid`, `dt`: declare what the file does not say, or overrule it.
    - `options`: those of the reader (`readers()[name].options()`, docs/formats.md), such as `fields="velocity=u,v:vector T"` for files
      with separate variables, `extent` and `boundary` for all.

    Several files are one data set, not copied: files with later and later dates are joined
    in time, others come one after the other (2 before 10); the parts of `simulate --shard` come in their own order and must be complete.
    A dataset of xarray is read as `Trajectories.from_xarray` does.

    What the caller declares beats the file's own attributes, which beat the documented defaults of the format (PDEgym: dt 0.05,
    periodic unit square, cell-centred).

    Raises `OrbitscopeError` for a file that is missing, truncated, unfinished, in another format (it lists what is in there), whose
    channels do not fit the layout, and for an option that its reader does not take. NaN and infinity are found on demand:
    `load(path).check_finite()`.
    """
    given = {**options, "layout": layout, "grid": grid, "dt": dt}
    if isinstance(path, xr.Dataset | xr.DataArray):
        if format is not None:
            raise OrbitscopeError("format: a dataset in memory has none. Leave it out.")
        return from_dataset(path if isinstance(path, xr.Dataset) else path.to_dataset(name=path.name or "values"), given)
    with reading(path):
        files = files_of(path) if not isinstance(format, Reader) or not _folder_of(format, path) else None
    if files is None:
        one = Path(path).expanduser()  # pyright: ignore[reportArgumentType]
        with reading(one):
            reader = reader_for(one, format, given)
            return reader.sized(reader.read(one))
    chosen: list[Reader] = []
    for file in files:
        with reading(file):
            chosen.append(reader_for(file, format, given))
    with reading(path):
        if all(type(r) is type(chosen[0]) for r in chosen):
            return chosen[0].sized(chosen[0].read_files(files))
        return joined([(file, r.sized(r.read(file))) for file, r in zip(files, chosen, strict=True)])


def reader_for(path: Path, format: str | Reader | type[Reader] | None, given: dict[str, Any]) -> Reader:
    """The reader of a file with the options given: the one named or handed over, else the first that recognises the file.

    Raises `OrbitscopeError` for an unknown file, and for options that its reader does not take.
    """
    if isinstance(format, Reader):
        if said := [k for k, v in given.items() if v is not None]:
            raise OrbitscopeError(f"{said[0]}: the reader {format.name!r} was handed over with its options; set it there, {format!r}.")
        return format
    if format is not None:
        found = reader_named(format) if isinstance(format, str) else format
        if not isinstance(found, type) or not issubclass(found, Reader):
            raise OrbitscopeError(f"format: expected the name of a reader or a Reader, got {format!r}.")
        return found.of(given)
    candidate = Candidate(path)
    try:
        return _chosen(candidate, given)
    finally:
        candidate.close()


def _chosen(candidate: Candidate, given: dict[str, Any]) -> Reader:
    path = candidate.path
    if not path.exists():
        raise OrbitscopeError(f"path: there is no {'folder' if path.suffix.lower() == '.zarr' else 'file'} {path}.")
    kinds = [r for r in readers().values() if r.recognises(candidate)]
    if not kinds:
        raise OrbitscopeError(_unknown(candidate))
    if kinds[-1] is NetCDF:
        _require_finished(candidate)
    # Two options say by themselves how an HDF5 file is to be read, whatever it looks like.
    for name, kind in (("fields", NetCDF), ("variable", PDEgymReader)):
        if given.get(name) is not None and name not in kinds[0].options() and NetCDF in kinds:
            return kind.of(given)
    return kinds[0].of(given)


def _folder_of(format: Reader, path: Any) -> bool:
    """Whether a reader takes the folder itself."""
    return isinstance(path, str | Path) and Path(path).is_dir() and type(format).recognises(Candidate(Path(path)))


def _require_finished(candidate: Candidate) -> None:
    file = candidate.hdf5
    if COMPLETE in file:
        done = dataset(file, COMPLETE)[()]
        raise OrbitscopeError(
            f"path: {candidate.path} is unfinished, {int(done.sum())} of {len(done)} trajectories are complete. "
            "Run the command that was writing it again: it goes on from there."
        )


def _unknown(candidate: Candidate) -> str:
    """What to say of a file that no reader knows: the diagnosis of HDF5, which knows what is empty or cut, or the list of formats."""
    if candidate.path.is_dir():
        return f"path: {candidate.path} is a folder that no reader knows; name one file in it."
    if candidate.suffix in (".nc", ".nc4", ".netcdf", ".cdf", ".h5", ".hdf5", ".hdf", "") or not candidate.head:
        try:
            _ = candidate.hdf5
        except OrbitscopeError as error:
            return str(error)
    known = "; ".join(r.title for r in readers().values())
    return f"path: {candidate.path} is in none of the formats that are read: {known}. Convert it, or pass a reader: load(path, format=...)."
