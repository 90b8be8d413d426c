"""Finding damage: the stored bytes of every trajectory and every state against their checksums."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from .._errors import OrbitscopeError, reading
from ..symmetry import Grid, Layout
from ._format import FileSpec, Format
from ._formats import FORMATS
from ._hdf5 import dataset, open_hdf5
from ._lazy import LazyArray
from ._load import load
from ._sums import CHECKSUMS, Watch, checksum, frame_sums, trajectory_sums
from ._writer import settled, spec_of

_PIECE_BYTES = 32 * 2**20


@dataclass(frozen=True)
class FileCheck:
    """What `check` found: the damaged trajectories with what is wrong, and whether the file has checksums at all.

    - `path`: the file.
    - `trajectories`: how many it holds, damaged or not.
    - `checksums`: whether the file stores a checksum per trajectory; without them NaN and infinity alone are found.
    - `damaged`: number of a trajectory (from 0) -> what is wrong with it; empty where nothing is.
    """

    path: Path
    trajectories: int
    checksums: bool
    damaged: dict[int, str] = field(default_factory=dict)

    def __str__(self) -> str:
        how = "checksums" if self.checksums else "no checksums in this file; read and looked for NaN and infinity only"
        if not self.damaged:
            return f"check        {self.trajectories} trajectories intact ({how})"
        lines = [f"check        {len(self.damaged)} of {self.trajectories} trajectories damaged ({how})"]
        return "\n".join(lines + [f"damaged      trajectory {i}: {why}" for i, why in self.damaged.items()])


def check(path: str | Path, progress: Callable[[int, int], None] | None = None) -> FileCheck:
    """Read every trajectory once and compare it with its checksum (files written by orbitscope), or look for NaN and infinity (others).

    - `path`: one file, or a zarr store.
    - `progress(done, total)`: called in trajectories, after every block that was read; of HDF5 files (NetCDF-4, The Well) alone.

    Raises `OrbitscopeError` where the file cannot be opened at all, or where what it says beside its values (layout, grid, time step,
    provenance, coordinates) does not fit its checksum; damage of single trajectories is in the result.
    """
    path = Path(path).expanduser()
    data, damaged = load(path), {}
    if not isinstance(data.values, LazyArray) or not path.is_file():  # an archive in memory, a zarr store
        for i, one in enumerate(data):
            try:
                one.check_finite()
            except OrbitscopeError as error:
                damaged[i] = "NaN or infinity" if "bad values" in str(error) else str(error)
        return FileCheck(path, data.trajectories, False, damaged)
    with open_hdf5(path) as file, reading(path):
        kept = CHECKSUMS in file
        if kept:
            damaged = by_sums(file, progress)
        else:
            for i in range(data.trajectories):
                try:
                    if not bool(np.isfinite(data.values[i].numpy()).all()):
                        damaged[i] = "NaN or infinity"
                except OrbitscopeError as error:
                    damaged[i] = f"cannot be read ({error})"
                if progress is not None:
                    progress(i + 1, data.trajectories)
    return FileCheck(path, data.trajectories, kept, damaged)


def by_sums(file: h5py.File, progress: Callable[[int, int], None] | None) -> dict[int, str]:
    """The damaged trajectories of a file with checksums: many are read at once, and those that differ are looked at one by one."""
    form, spec = description(file)
    watch = Watch.of(file, form.variables(spec))
    assert watch is not None
    damaged, step = {}, max(1, _PIECE_BYTES // max(1, spec.nbytes // spec.trajectories))
    for a in range(0, spec.trajectories, step):
        b = min(a + step, spec.trajectories)
        frames = None if watch.frames is None else watch.frames[a:b]
        try:
            blocks = [dataset(file, name)[a:b] for name in watch.values]
            bad = trajectory_sums(blocks) != watch.trajectories[a:b]
            if frames is not None:
                bad |= (frame_sums(blocks) != frames).any(axis=1)
        except (OSError, RuntimeError):  # one of them cannot be read
            bad = np.ones(b - a, dtype=bool)
        for k in np.flatnonzero(bad).tolist():
            wrong = _damage(file, form, spec, a + k, int(watch.trajectories[a + k]), None if frames is None else frames[k])
            if wrong:
                damaged[a + k] = wrong
        if progress is not None:
            progress(b, spec.trajectories)
    return damaged


def _damage(file: h5py.File, form: Format, spec: FileSpec, index: int, written: int, frames: NDArray[np.uint32] | None) -> str:
    """What is wrong with a trajectory and in which of its states; empty where nothing is."""
    try:
        arrays = list(stored(file, form, spec, index).values())
    except (OSError, RuntimeError) as error:
        lost = [t for t in range(spec.times) if not _readable(file, form, spec, index, t)]
        return f"{_frames(lost, spec)} cannot be read ({error})"
    found = checksum(arrays)
    off = [] if frames is None else np.flatnonzero(frame_sums([a[None] for a in arrays])[0] != frames).tolist()
    if found == written and not off:
        return ""
    if found == written or (frames is not None and not off):
        return "its values are right and a written checksum is damaged"
    where = f"{_frames(off, spec)}: " if off else ""
    return f"{where}its bytes give the checksum {found:08x}, written was {written:08x}"


def _frames(frames: list[int], spec: FileSpec) -> str:
    """Frames in words."""
    some = ", ".join(map(str, frames[:8])) + (f" and {len(frames) - 8} more" if len(frames) > 8 else "")
    times = f"t = {frames[0] * spec.dt:g}" + (f" to {frames[-1] * spec.dt:g}" if len(frames) > 1 else "") if frames else ""
    return f"frame{'s' if len(frames) > 1 else ''} {some} ({times})" if frames else "no single frame, but the whole,"


def _readable(file: h5py.File, form: Format, spec: FileSpec, index: int, time: int) -> bool:
    try:
        for name in form.variables(spec):
            _ = dataset(file, name)[index, time]
    except (OSError, RuntimeError):
        return False
    return True


def description(file: h5py.File) -> tuple[Format, FileSpec]:
    """The format of a file of ours, and everything about it except its values."""
    form = next(f for f in FORMATS if f.recognises(file))
    data = load(file.filename)
    draft = FileSpec(data.layout, data.grid, data.dt, data.trajectories, data.times, data.provenance)
    name = next(iter(form.variables(draft)))
    spec = FileSpec(data.layout, data.grid, data.dt, data.trajectories, data.times, data.provenance, dataset(file, name).dtype.name)
    return form, spec


def stored(file: h5py.File, form: Format, spec: FileSpec, index: int) -> dict[str, NDArray[Any]]:
    """One trajectory as it lies in the file."""
    return {name: dataset(file, name)[index] for name in form.variables(spec)}


def holds(path: Path, layout: Layout, grid: Grid, dt: float, trajectories: int, times: int, provenance: Mapping[str, Any]) -> bool:
    """Whether a finished file is the one that a `Writer` with these arguments would have made; False where it is missing or unreadable.

    - `path`: the file.
    - `layout`, `grid`: the fields and the grid that it should have.
    - `dt`: time between two stored states, in physical units. `trajectories`, `times`: how many of each.
    - `provenance`: what it should say about its origin, compared without "created", "machine" and "command".

    The values are not compared. Raises `OrbitscopeError` for arguments that no file could have.
    """
    if not path.is_file():
        return False
    try:
        found = load(path)
    except OrbitscopeError:
        return False
    mine = spec_of(layout, grid, dt, trajectories, times, dict(provenance), torch.float32)
    theirs = spec_of(found.layout, found.grid, found.dt, found.trajectories, found.times, found.provenance, torch.float32)
    return settled(mine) == settled(theirs)
