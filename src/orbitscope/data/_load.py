"""Reading a file whatever its format."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .._errors import OrbitscopeError, reading
from ..symmetry import Grid, Layout
from ._format import Declared, signed
from ._formats import FORMATS, PDEGYM
from ._hdf5 import Handle, contents, dataset
from ._many import files_of, joined
from ._npz import SUFFIX, read_npz
from ._trajectories import Trajectories
from ._writer import COMPLETE
from ._zarr import SUFFIX as ZARR
from ._zarr import read_zarr


def load(
    path: str | Path | Sequence[str | Path],
    *,
    layout: Layout | None = None,
    grid: Grid | None = None,
    dt: float | None = None,
    variable: str | None = None,
    tracer: bool = False,
    depth: int = 0,
    land: float | None = None,
    box: tuple[float, float, float, float] | None = None,
) -> Trajectories:
    """Open a file of trajectories, whatever its format; values stay on disk until sliced. `.notes` says what was decided and why.

    Formats: PDEgym NetCDF-4, The Well HDF5, PDEBench HDF5 (two-dimensional flow), ocean NetCDF-4 (uo, vo), plain `.npz` (read into
    memory) and `.zarr`, both described by a TOML file beside them.

    A list of files, a folder, or a pattern such as "CE-RP_*.nc" is one data set, its files one after the other (2 before 10) without
    copying; the parts of `simulate --shard` come in their own order and must be complete.

    What the caller declares beats the file's own attributes, which beat the documented defaults of the format (PDEgym: dt 0.05,
    periodic unit square, cell-centred).

    - `layout`, `grid`, `dt`: declare what the file does not say, or overrule it.
    - `variable`: the 5-D NetCDF variable [trajectory, time, channel, x, y] to read, where the name is not one of PDEgym's.
    - `tracer`: keep the passive tracer, the third channel of the PDEgym variable `velocity`, or the particles of PDEBench.
    - `depth`, `land`, `box`: of ocean files the level (0 is the first), the value to put on land (else land is refused), and the part
      (west, east, south, north) in degrees.

    Raises `OrbitscopeError` for a file that is missing, truncated, unfinished, in another format (it lists what is in there), or whose
    channels do not fit the layout. NaN and infinity are found on demand: `load(path).check_finite()`.
    """
    declared = Declared(layout, grid, dt, variable, tracer, depth, land, box)
    with reading(path):
        files = files_of(path)
    if files is not None:
        parts = [(file, _one(file, declared)) for file in files]
        with reading(path):
            return joined(parts)
    return _one(Path(path).expanduser(), declared)  # pyright: ignore[reportArgumentType]


def _one(path: Path, declared: Declared) -> Trajectories:
    """One file; whatever its bytes do to the libraries that read them, an `OrbitscopeError` names it."""
    with reading(path):
        return _read(path, declared)


def _read(path: Path, declared: Declared) -> Trajectories:
    if path.suffix.lower() == SUFFIX:
        return read_npz(path, declared)
    if path.suffix.lower() == ZARR:
        return read_zarr(path, declared)
    handle = Handle(path)
    try:
        return _from_hdf5(handle, declared)
    except BaseException:
        handle.close()
        raise


def _from_hdf5(handle: Handle, declared: Declared) -> Trajectories:
    """The first format that recognises a file reads it."""
    path, file = handle.path, handle.file
    if COMPLETE in file:
        done = dataset(file, COMPLETE)[()]
        raise OrbitscopeError(
            f"path: {path} is unfinished, {int(done.sum())} of {len(done)} trajectories are complete. "
            "Run the command that was writing it again: it goes on from there."
        )
    forms = (PDEGYM,) if declared.variable is not None else FORMATS
    for form in forms:
        if declared.variable is not None or form.recognises(file):
            found = form.read(handle, declared)
            handle.watch, note = signed(file, form)
            return replace(found, notes=(*found.notes, note))
    raise OrbitscopeError(
        f"path: {path} is HDF5, but neither PDEgym NetCDF (variables data, velocity, state), nor The Well (groups t0_fields, "
        "t1_fields, t2_fields), nor PDEBench (density, pressure, Vx, Vy), nor ocean currents (uo, vo). "
        f"It holds: {contents(file)}. If one of them is [trajectory, time, channel, x, y], name it: "
        "load(path, variable=..., layout=Layout.of(...))."
    )
