"""Writing trajectories that exist already."""

from pathlib import Path

import torch

from .._errors import OrbitscopeError
from .._expect import expect
from ._npz import SUFFIX, write_npz
from ._trajectories import Trajectories
from ._writer import Writer
from ._zarr import SUFFIX as ZARR
from ._zarr import write_zarr

_PIECE_BYTES = 32 * 2**20


def save(
    trajectories: Trajectories,
    path: str | Path,
    format: str | None = None,
    force: bool = False,
    *,
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write trajectories to one self-describing file and return its path; lazy ones are copied piece by piece.

    - `trajectories`: what is written, values and description.
    - `path`: the file (or the store, for zarr).
    - `format`: see below; by default the suffix of `path` decides.
    - `force`: whether a file that exists is replaced.
    - `dtype`: `torch.float32` or `torch.float64`, in which values are stored.

    `format` is "pdegym" (NetCDF-4), "the_well" (HDF5), "npz" or "zarr"; by default the suffix decides: .h5 and .hdf5 mean The Well, .npz
    a plain numpy archive (through memory) and .zarr a store of the package zarr, both with a TOML file beside them, all else PDEgym.
    Values are rounded to `dtype` (float32). In PDEgym files the Euler state is stored as (density, velocity, pressure, energy), so the
    momentum comes back within two roundings of `dtype`; every other layout comes back exactly.

    Raises `OrbitscopeError` where `path` exists and `force` is not given, for NaN or infinity, and for a full disk.
    """
    expect(trajectories, Trajectories, "save: `trajectories`", "Trajectories(values, layout, grid, dt)")
    if not trajectories.trajectories:
        raise OrbitscopeError(f"save: there is no trajectory to save, shape {trajectories.shape}.")
    t = trajectories
    if format == "npz" or (format is None and Path(path).suffix.lower() == SUFFIX):
        return write_npz(t, Path(path).expanduser().absolute(), force=force, dtype=dtype)
    if format == "zarr" or (format is None and Path(path).suffix.lower() == ZARR):
        return write_zarr(t, Path(path).expanduser().absolute(), force=force, dtype=dtype)
    writer = Writer(
        path, t.layout, t.grid, t.dt, t.trajectories, t.times, t.provenance,
        format=format, dtype=dtype, force=force, resume=False,
    )  # fmt: skip
    try:
        with writer:
            step = max(1, _PIECE_BYTES // max(1, t.nbytes // t.trajectories))
            for first in range(0, t.trajectories, step):
                block = range(first, min(first + step, t.trajectories))
                writer.write(block, t.values[block.start : block.stop])
    except BaseException:
        writer.part.unlink(missing_ok=True)
        raise
    return writer.path
