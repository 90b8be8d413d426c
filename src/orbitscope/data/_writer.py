"""Writing trajectories piece by piece, so that an interrupted run can go on and a failed one leaves nothing half-written."""

import errno
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError, reading
from .._json import json_text
from .._lock import Lock
from ..symmetry import Grid, Layout
from ._format import FileSpec, put_stored, sign
from ._formats import format_for
from ._hdf5 import dataset, open_hdf5, text
from ._lazy import Index, positions
from ._memory import reserve, size_text
from ._sums import CHECKSUMS, FRAMES

COMPLETE = "orbitscope_complete"
_SETTINGS = "orbitscope_settings"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_VOLATILE = ("created", "machine", "command")


class Writer:
    """Writes `<path>.part`, trajectory by trajectory, and gives it its name when all are there.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "small.nc"
    >>> with Writer(path, Layout.of("velocity:vector"), Grid.square(8), dt=0.05, trajectories=2, times=3) as writer:
    ...     for index in writer.missing:
    ...         writer.write([index], torch.zeros(1, 3, 2, 8, 8))
    >>> path.exists()
    True

    - `path`: the file to be made, in a folder that exists.
    - `layout`, `grid`: the fields and the grid of every state.
    - `dt`: physical time between two states.
    - `trajectories`, `times`: how many of each the file will hold.
    - `provenance`: where the values come from, values that JSON can hold.
    - `format`: "pdegym" or "the_well"; by default the suffix of `path` decides.
    - `dtype`: `torch.float32` or `torch.float64`, in which values are stored, uncompressed.
    - `force`: whether a finished file is replaced, and an unfinished one started over.
    - `resume`: whether an unfinished file of the same settings is gone on with; False begins anew.
    - `signs`: False writes no checksum over layout, grid, time step and provenance, for those that come from a file that has none either.

    Opening it again with the same settings after an interruption goes on: `missing` lists the trajectories still to be written.
    Leaving the `with` block without an exception calls `commit`; an exception or Ctrl-C keeps the `.part` file. The disk space for all
    values is taken when the file is made, so a full disk shows at once.

    Raises `OrbitscopeError` where `path` exists (`force=True` replaces it), where another process is writing it (naming that process),
    where the unfinished file has other settings or cannot be read (`force=True` starts over), where the disk is too small, and for NaN,
    infinity or a wrong shape in `write`.
    """

    def __init__(
        self,
        path: str | Path,
        layout: Layout,
        grid: Grid,
        dt: float,
        trajectories: int,
        times: int,
        provenance: dict[str, Any] | None = None,
        *,
        format: str | None = None,
        dtype: torch.dtype = torch.float32,
        force: bool = False,
        resume: bool = True,
        signs: bool = True,
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        self.force, self.signs = force, signs
        self.spec = spec_of(layout, grid, dt, trajectories, times, provenance or {}, dtype)
        self.format = format_for(self.path, format)
        # A save that cannot be resumed has a name of its own, so that its leftovers are never mistaken for a run to go on with.
        self.part = self.path.with_name(self.path.name + (".part" if resume else ".save.part"))
        if not self.path.parent.is_dir():
            raise OrbitscopeError(f"path: the folder {self.path.parent} does not exist. Make it first.")
        self._lock = Lock(self.path)  # first: what is found from here on is nobody else's
        try:
            self._refuse_existing()
            if force or not resume:
                self.part.unlink(missing_ok=True)
            self._file: h5py.File | None = self._continue() if os.path.lexists(self.part) else self._create()
            self._done: NDArray[np.bool_] = dataset(self._file, COMPLETE)[()].astype(bool)
        except BaseException:
            self._lock.release()
            raise

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Which trajectories are in the file, shape [trajectory]."""
        return self._done.copy()

    @property
    def missing(self) -> list[int]:
        """The trajectories still to be written."""
        return np.flatnonzero(~self._done).tolist()

    def write(self, index: Index, values: Float[Tensor, "..."] | NDArray[Any]) -> None:
        """Store trajectories.

        - `index`: number of one, or numbers of several.
        - `values`: [time, channel, x, y] of one, [trajectory, time, channel, x, y] of several.

        Raises `OrbitscopeError` for another shape, NaN, infinity and a full disk.
        """
        file = self._open_file()
        single = isinstance(index, int | np.integer)
        where = positions(index, self.spec.trajectories, "index")
        expected = self.spec.shape[1:] if single else (len(where), *self.spec.shape[1:])
        if tuple(values.shape) != expected:
            raise OrbitscopeError(
                f"write: `values` for trajectories {where.tolist()} should have shape {expected}, got {tuple(values.shape)}."
            )
        block = torch.as_tensor(values).detach().cpu().numpy().reshape(len(where), *self.spec.shape[1:])
        for i, trajectory in zip(where.tolist(), block, strict=True):
            self._refuse_nonfinite(i, trajectory)
        try:
            for part in np.split(np.arange(len(where)), np.flatnonzero(np.diff(where) != 1) + 1):
                if len(part):
                    self.format.put(file, self.spec, int(where[part[0]]), block[part[0] : part[-1] + 1])
            self._mark(file, where)
        except (OSError, RuntimeError) as error:
            self._fail(error)

    def write_stored(self, first: int, stored: dict[str, NDArray[Any]]) -> None:
        """Consecutive trajectories from number `first` on as another file of the same format stores them, bit for bit.

        - `stored`: name of a dataset -> its array [trajectory, time, ...].
        """
        file = self._open_file()
        expected = {name: shape[1:] for name, shape in self.format.variables(self.spec).items()}
        counts = {len(values) for values in stored.values()}
        if {name: tuple(values.shape[1:]) for name, values in stored.items()} != expected or len(counts) != 1:
            raise OrbitscopeError(f"write_stored: expected the datasets {expected}, got { {n: v.shape for n, v in stored.items()} }.")
        where = positions(slice(first, first + counts.pop()), self.spec.trajectories)
        try:
            put_stored(file, first, stored)
            self._mark(file, where)
        except (OSError, RuntimeError) as error:
            self._fail(error)

    def _mark(self, file: h5py.File, where: NDArray[np.int64]) -> None:
        file.flush()
        # Only what has reached the file is marked: a mark without its values would be believed on resuming.
        self._done[where] = True
        touched = slice(int(where.min()), int(where.max()) + 1) if len(where) else slice(0)
        dataset(file, COMPLETE)[touched] = self._done[touched]
        file.flush()

    def commit(self) -> Path:
        """Give the finished file its name; raises where trajectories are missing."""
        file = self._open_file()
        if self.missing:
            raise OrbitscopeError(
                f"commit: {len(self.missing)} of {self.spec.trajectories} trajectories were not written, first {self.missing[:5]}. "
                f"What there is stays in {self.part}."
            )
        self._refuse_existing()
        try:
            del file[COMPLETE], file.attrs[_SETTINGS]
            self._file = None
            file.close()
            with self.part.open("rb+") as stream:
                os.fsync(stream.fileno())
            os.replace(self.part, self.path)
        except (OSError, RuntimeError) as error:
            self._fail(error)
        self._lock.release()
        return self.path

    def close(self) -> None:
        """Stop for now; the `.part` file stays and a Writer with the same settings goes on with it."""
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        finally:
            self._lock.release()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and self._file is not None:
            try:
                self.commit()
            finally:
                self.close()
            return
        try:
            self.close()
        except (OSError, RuntimeError):
            if kind is None:
                raise

    def _open_file(self) -> h5py.File:
        if self._file is None:
            raise OrbitscopeError(f"Writer: {self.path} is closed. Open a Writer with the same settings to go on.")
        return self._file

    def _refuse_existing(self) -> None:
        if self.path.exists() and (self.path.is_dir() or not self.force):
            raise OrbitscopeError(f"path: {self.path} exists. Choose another name, or replace it with force=True (--force).")

    def _refuse_nonfinite(self, index: int, trajectory: NDArray[Any]) -> None:
        if not np.isfinite(trajectory).all():
            t, c, *cell = (int(k) for k in np.argwhere(~np.isfinite(trajectory))[0])
            raise OrbitscopeError(
                f"write: {self.spec.layout.channel_names[c]!r} is {trajectory[(t, c, *cell)]} at trajectory {index}, time {t}, "
                f"cell {tuple(cell)}. Only finite values are stored; was the simulation unstable?"
            )

    def _settings(self) -> dict[str, Any]:
        return {**settled(self.spec), "format": self.format.name}

    def _create(self) -> h5py.File:
        free = shutil.disk_usage(self.part.parent).free
        if self.spec.nbytes > free:
            raise OrbitscopeError(f"path: {self.path} needs {size_text(self.spec.nbytes)}, and {size_text(free)} are free on that disk.")
        # Under a name of its own until it can be continued: a process that is killed here leaves nothing that blocks the next one.
        fresh = self.part.with_name(self.part.name + ".new")
        fresh.unlink(missing_ok=True)
        try:
            # HDF5 does not recover from a refused write, so the system is asked for the space before it, and to keep it for us after.
            reserve(fresh, self.spec.nbytes)
            # The v108 format has no mark for "open for writing", which would lock the file after a killed process.
            with h5py.File(fresh, "w", libver=("v108", "v108")) as file:
                self.format.create(file, self.spec)
                if self.signs:
                    sign(file, self.format, self.spec)
                self._put_marks(file, 0)
            reserve(fresh, fresh.stat().st_size)
            os.replace(fresh, self.part)
            return h5py.File(self.part, "r+")
        except BaseException as error:
            fresh.unlink(missing_ok=True)
            self.part.unlink(missing_ok=True)
            if isinstance(error, OSError | RuntimeError):  # HDF5 reports a full disk as either
                self._file = None
                self._fail(error)
            raise

    def _continue(self) -> h5py.File:
        """What an earlier run left, if it is the beginning of this file."""
        try:
            if self.part.is_symlink():
                raise OrbitscopeError("it is a link to another file.")
            file = open_hdf5(self.part, "r+")
        except OrbitscopeError as error:
            raise OrbitscopeError(
                f"path: {self.part} is left from an earlier run and cannot be read ({error}). Start over with force=True (--force)."
            ) from error
        try:
            with reading(self.part, advice="Start over with force=True (--force)."):
                self._refuse_other(file)
        except BaseException:
            file.close()
            raise
        return file

    def _refuse_other(self, file: h5py.File) -> None:
        """Raise where an unfinished file was not written by a Writer with these settings."""
        if (_SETTINGS not in file.attrs or COMPLETE not in file) and not self._marked_again(file):
            raise OrbitscopeError(f"path: {self.part} exists and was not written by orbitscope. Move it away, or use force=True (--force).")
        old, new = json.loads(text(file.attrs[_SETTINGS])), json.loads(json_text(self._settings(), what="settings"))
        if old != new:
            changed = "; ".join(f"{k}: {old.get(k)} there, {new.get(k)} now" for k in {**old, **new} if old.get(k) != new.get(k))
            raise OrbitscopeError(
                f"path: {self.part} is an unfinished file with other settings ({changed}). Use the old settings to go on with it, "
                "or start over with force=True (--force)."
            )
        count, times = self.spec.trajectories, self.spec.times
        sums = {name: shape for name, shape in ((CHECKSUMS, (count,)), (FRAMES, (count, times))) if name in file}  # older files lack them
        shapes = {**self.format.variables(self.spec), COMPLETE: (count,), **sums}
        wrong = [name for name, shape in shapes.items() if dataset(file, name).shape != shape]
        types = {dataset(file, name).dtype.name for name in self.format.variables(self.spec)}
        if wrong or types != {self.spec.dtype}:
            raise OrbitscopeError(
                f"path: {self.part} is damaged ({', '.join(wrong) or 'its values'}). Start over with force=True (--force)."
            )

    def _marked_again(self, file: h5py.File) -> bool:
        """Mark a file as complete whose commit was interrupted after its marks had gone; False for any other file."""
        from ._unmarked import is_finished  # built on this module

        found = is_finished(file, json.loads(json_text(self._settings(), what="settings")))
        if found:
            self._put_marks(file, 1)
        return found

    def _put_marks(self, file: h5py.File, done: int) -> None:
        file.attrs[_SETTINGS] = json_text(self._settings(), what="settings")
        if COMPLETE not in file:
            file.create_dataset(COMPLETE, data=np.full(self.spec.trajectories, done, dtype=np.uint8))

    def _fail(self, error: BaseException) -> None:
        """Turn a failed write into one clear error; the final name never appears."""
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except (OSError, RuntimeError):
            pass  # the same full disk; the first error tells the story
        self._lock.release()
        code = getattr(error, "errno", None)
        full = code in _NO_ROOM or any(f"errno = {n}," in str(error) for n in _NO_ROOM)
        reason = "the disk (or your quota) is full" if full else f"writing failed ({error})"
        left = f" What was finished is in {self.part}." if self.part.exists() else ""
        raise OrbitscopeError(f"path: {self.path} was not written, {reason}.{left} Make room and run the same command again.") from error


def settled(spec: FileSpec) -> dict[str, Any]:
    """The settings of a file without what differs from call to call."""
    settings = spec.settings()
    return {**settings, "provenance": {k: v for k, v in settings["provenance"].items() if k not in _VOLATILE}}


def spec_of(
    layout: Layout,
    grid: Grid,
    dt: float,
    trajectories: int,
    times: int,
    provenance: dict[str, Any],
    dtype: torch.dtype,
) -> FileSpec:
    if layout.ndim != grid.ndim:
        raise OrbitscopeError(f"Writer: `layout` is for {layout.ndim} space dimensions and `grid` has {grid.ndim}.")
    if trajectories < 1 or times < 1 or not dt > 0:
        raise OrbitscopeError(f"Writer: `trajectories`, `times` and `dt` must be positive, got {trajectories}, {times}, {dt}.")
    if dtype not in (torch.float32, torch.float64):
        raise OrbitscopeError(f"Writer: `dtype` is torch.float32 or torch.float64, got {dtype}.")
    return FileSpec(layout, grid, float(dt), int(trajectories), int(times), provenance, str(dtype).removeprefix("torch."))
