"""Checksums of a file of ours: of every state, of every trajectory, and of everything else that the file says."""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError, reading

CHECKSUMS = "orbitscope_checksums"
"""Dataset [trajectory] of CRC-32 sums over the stored bytes of each trajectory.

Not HDF5's own fletcher32 filter: it is computed on every read, and a chunk that passes a filter is written when HDF5 likes, where an
interrupted run needs chunks that have their place in the file from the start.
"""

FRAMES = "orbitscope_frame_checksums"
"""Dataset [trajectory, time] of CRC-32 sums over the stored bytes of each state, so that damage is named by trajectory and frame.

A chunk holds one or more whole states of one trajectory: these sums are at least as fine as one per chunk. Older files lack them.
"""

DESCRIPTION = "orbitscope_description_checksum"
"""Attribute of the file: CRC-32 over all that is no value: layout, grid, time step, provenance, coordinates, names. Older files lack it."""

UNSUMMED = frozenset({CHECKSUMS, FRAMES, "orbitscope_complete"})
_SKIPPED = frozenset({DESCRIPTION, "orbitscope_settings", "CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST"})
_PIECE_BYTES = 32 * 2**20
_LARGEST = 256 * 2**20


def checksum(arrays: Iterable[NDArray[Any]]) -> int:
    """CRC-32 of the bytes of arrays one after the other, as they lie in a file (little-endian, C order)."""
    found = 0
    for array in arrays:
        found = zlib.crc32(_rows(array[None])[0].data, found)
    return found


def trajectory_sums(arrays: Iterable[NDArray[Any]]) -> NDArray[np.uint32]:
    """`checksum` of every trajectory, [trajectory]: arrays [trajectory, time, ...]."""
    rows = [_rows(a) for a in arrays]
    return np.array([_chained(r[i] for r in rows) for i in range(len(rows[0]))], dtype=np.uint32)


def frame_sums(arrays: Iterable[NDArray[Any]]) -> NDArray[np.uint32]:
    """`checksum` of every state, [trajectory, time]: arrays [trajectory, time, ...]."""
    listed = list(arrays)
    count, times = listed[0].shape[:2]
    rows = [_rows(a.reshape(count * times, *a.shape[2:])) for a in listed]
    return np.array([_chained(r[k] for r in rows) for k in range(count * times)], dtype=np.uint32).reshape(count, times)


def _chained(parts: Iterable[NDArray[np.uint8]]) -> int:
    found = 0
    for part in parts:
        found = zlib.crc32(part.data, found)
    return found


def _rows(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of every entry of the first axis."""
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return plain.reshape(len(plain), -1).view(np.uint8) if plain.size else np.zeros((len(plain), 0), np.uint8)


def description_sum(file: h5py.File, values: Iterable[str]) -> int:
    """CRC-32 of everything in a file but its values, the datasets `values`: of these name, shape and type count."""
    found, skipped = 0, set(values)
    for name, item in _items(file):
        if isinstance(item, h5py.Dataset) and name not in skipped and item.nbytes > _LARGEST:
            raise OrbitscopeError(
                f"path: {file.filename}: {name!r} is larger than any coordinate ({item.nbytes} bytes). Is the file damaged?"
            )
        parts = [name, *(f"{k}={_text(item.attrs[k])}" for k in sorted(item.attrs) if _summed(item, k))]
        if isinstance(item, h5py.Dataset):
            parts.append(f"{item.shape} {item.dtype.kind}{item.dtype.itemsize}" if name in skipped else _text(item[()]))
        found = zlib.crc32("\n".join(parts).encode(), found)
    return found


def _items(group: h5py.Group, where: str = "") -> Iterator[tuple[str, Any]]:
    """A group and all in it, sorted by name."""
    yield where, group
    for name in sorted(group):
        path = f"{where}/{name}" if where else name
        item = group.get(name)
        if isinstance(item, h5py.Group):
            yield from _items(item, path)
        elif isinstance(item, h5py.Dataset) and path not in UNSUMMED:
            yield path, item


def _summed(item: Any, name: str) -> bool:
    return name not in _SKIPPED and not name.startswith("_") and not h5py.check_ref_dtype(item.attrs.get_id(name).dtype)


def _text(value: Any) -> str:
    """A value as text that does not depend on how HDF5 keeps it (fixed or variable strings, byte order)."""
    array = np.asarray(value)
    if array.dtype.kind in "OSU":
        return repr([v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in array.reshape(-1).tolist()])
    return f"{array.dtype.kind}{array.shape}{array.astype(array.dtype.newbyteorder('<')).tobytes().hex()}"


@dataclass
class Watch:
    """The sums of one file: every state that is read is compared with its own, once per process."""

    path: Path
    values: tuple[str, ...]
    """The datasets of the values, in the order in which they were summed."""
    trajectories: NDArray[np.uint32]
    frames: NDArray[np.uint32] | None
    times: int
    seen: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = np.zeros((len(self.trajectories), self.times), dtype=bool)

    @classmethod
    def of(cls, file: h5py.File, variables: Mapping[str, tuple[int, ...]]) -> "Watch | None":
        """The sums in a file; None where it has none. Raises `OrbitscopeError` where they do not fit its shape."""
        if CHECKSUMS not in file:
            return None
        path, (count, times) = Path(file.filename), next(iter(variables.values()))[:2]
        kept = [(CHECKSUMS, (count,)), *([(FRAMES, (count, times))] if FRAMES in file else [])]
        found = []
        for name, shape in kept:
            item = file[name]
            if not isinstance(item, h5py.Dataset) or item.shape != shape or item.dtype.kind not in "ui":
                raise OrbitscopeError(
                    f"path: {path}: {name!r} should hold whole numbers of shape {shape}: the file is damaged. Copy it again."
                )
            found.append(item[()].astype(np.uint32))
        return cls(path, tuple(variables), found[0], found[1] if len(found) > 1 else None, times)

    def verify(self, file: h5py.File, trajectories: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        """Compare the states at all of these trajectories and times that were not compared before; raises naming the first that differs."""
        rows = np.unique(trajectories)
        columns = np.unique(times) if self.frames is not None else np.arange(self.times)  # an old file has sums of whole trajectories only
        if not len(rows) or not len(columns):
            return
        rows = rows[~self.seen[np.ix_(rows, columns)].all(axis=1)]
        for t0, t1 in stretches(columns) if len(rows) else ():
            for i0, i1 in stretches(rows):
                self._stretch(file, i0, i1, t0, t1)

    def _stretch(self, file: h5py.File, i0: int, i1: int, t0: int, t1: int) -> None:
        stored: list[h5py.Dataset] = [file[name] for name in self.values]  # pyright: ignore[reportAssignmentType]
        each = sum(int(np.prod(s.shape[1:])) * s.dtype.itemsize for s in stored) * (t1 - t0) // max(1, self.times)
        step = max(1, _PIECE_BYTES // max(1, each))
        for a in range(i0, i1, step):
            b = min(a + step, i1)
            with reading(self.path, "data", "The file is damaged: 'orbitscope info FILE --check' says where; repair it or copy it again."):
                blocks = [s[a:b, t0:t1] for s in stored]
            if self.frames is not None:
                off = np.argwhere(frame_sums(blocks) != self.frames[a:b, t0:t1])
                where = f"trajectory {a + off[0][0]}, frame {t0 + off[0][1]}" if len(off) else ""
            else:
                off = np.flatnonzero(trajectory_sums(blocks) != self.trajectories[a:b])
                where = f"trajectory {a + off[0]}" if len(off) else ""
            if where:
                raise OrbitscopeError(
                    f"data: {self.path} is damaged at {where}: its bytes do not give the checksum that was written with them. "
                    f"'orbitscope info {self.path} --check' lists all of it, 'orbitscope repair' simulates it again; or leave these "
                    "trajectories out."
                )
            self.seen[a:b, t0:t1] = True


def stretches(index: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and behind-last of every run of consecutive numbers in a sorted index.

    >>> stretches(np.array([0, 1, 2, 7, 8]))
    [(0, 3), (7, 9)]
    """
    breaks = np.flatnonzero(np.diff(index) != 1) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(index, breaks)]
