"""Several files that are one data set: which they are, whether they agree, and their trajectories one after the other, not copied."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ._lazy import Axes, LazyArray, Source
from ._trajectories import Trajectories

KEY = "shard"
"""The entry of `provenance` that says which part of a data set a file is."""

_ENDINGS = "nc nc4 netcdf cdf h5 hdf5 hdf he5 npz npy zarr mat grib grib2 grb grb2 vtu vtk vti vtr vts"
SUFFIXES = tuple(f".{word}" for word in re.split(" ", _ENDINGS))
"""Of the files that a folder is searched for."""

Parts = list[tuple[Path, Trajectories]]


def files_of(path: str | Path | Sequence[str | Path]) -> list[Path] | None:
    """The files of a list, a folder or a pattern, numbers in their natural order; None for a single file or a zarr store.

    - `path`: a list of files (kept in its order), a folder, a pattern such as "CE-RP_*.nc", or one file.

    Raises `OrbitscopeError` where there are none.
    """
    if not isinstance(path, str | Path):
        files = [Path(p).expanduser() for p in path]
        if not files:
            raise OrbitscopeError("path: the list of files is empty.")
        return files
    path = Path(path).expanduser()
    if path.suffix.lower() == ".zarr" and not is_pattern(path):
        return None
    if path.is_dir():
        files = folder_files(path)
        if not files:
            below = next((p.parent for p in sorted(path.glob("*/*/*")) + sorted(path.glob("*/*")) if p.suffix.lower() in SUFFIXES), None)
            hint = f" There are some in {below}: give that folder." if below else ""
            raise OrbitscopeError(f"path: {path} is a folder without files of trajectories ({', '.join(SUFFIXES)}).{hint}")
        return files
    if is_pattern(path):
        files = sorted((p for p in path.parent.glob(path.name) if not p.name.endswith(".part")), key=_natural)
        if not files:
            raise OrbitscopeError(f"path: no file matches {path}.")
        return files
    return None


def is_pattern(path: Path) -> bool:
    """Whether `path` is a pattern: it has a wildcard (*, ? or [) in its last part, and no file has that very name."""
    return not path.exists() and any(c in path.name for c in "*?[")


def folder_files(path: Path) -> list[Path]:
    """The files of the folder `path` that may hold trajectories, by their suffix, in their natural order (2 before 10)."""
    return sorted((p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")), key=_natural)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """CE-RP_2 before CE-RP_10."""
    return [(0, int(w), "") if w.isdecimal() else (1, 0, w) for w in re.findall(r"\d+|\D+", path.name)]


def joined(parts: Parts) -> Trajectories:
    """All trajectories one after the other; lazy where the files are."""
    if len(parts) == 1:
        return parts[0][1]
    parts, provenance = in_order(parts, "load")
    first, arrays = parts[0][1], [part.values for _, part in parts]
    values: torch.Tensor | LazyArray
    if all(isinstance(a, LazyArray) for a in arrays):
        values = LazyArray(Joined([a.source for a in arrays if isinstance(a, LazyArray)]))
    else:
        values = torch.cat([part.tensor() for _, part in parts])
    counts = ", ".join(f"{path.name} {part.trajectories}" for path, part in parts[:8]) + (", ..." if len(parts) > 8 else "")
    note = f"files: {len(parts)}, one after the other, trajectories in each: {counts}"
    return Trajectories(values, first.layout, first.grid, first.dt, provenance, (note, *first.notes))


class Joined(Source):
    """Sources one after the other along the trajectory axis (0), or the time axis (1)."""

    def __init__(self, sources: Sequence[Source], axis: int = 0) -> None:
        kinds = {s.dtype for s in sources}
        self.sources, self.axis = list(sources), axis
        self.dtype: np.dtype[Any] = max(kinds, key=lambda kind: kind.itemsize)
        self.starts = np.cumsum([0, *(s.shape[axis] for s in sources)])
        self.shape = (*sources[0].shape[:axis], int(self.starts[-1]), *sources[0].shape[axis + 1 :])

    @property
    def path(self) -> Path:
        """The folder of the files."""
        return self.sources[0].path.parent

    def read(self, axes: Axes) -> NDArray[Any]:
        """Every file is visited once, however its trajectories are shuffled."""
        wanted = axes[self.axis]
        where = np.searchsorted(self.starts, wanted, side="right") - 1
        touched = np.unique(where)
        if len(touched) == 1:
            k = int(touched[0])
            return self.sources[k].read(self._of(axes, wanted - self.starts[k])).astype(self.dtype, copy=False)
        out = np.empty(tuple(len(a) for a in axes), dtype=self.dtype)
        for k in touched.tolist():
            mine = np.flatnonzero(where == k)
            out[(slice(None),) * self.axis + (mine,)] = self.sources[k].read(self._of(axes, wanted[mine] - self.starts[k]))
        return out

    def _of(self, axes: Axes, along: NDArray[np.int64]) -> Axes:
        return (*axes[: self.axis], along, *axes[self.axis + 1 :])


def in_order(parts: Parts, who: str) -> tuple[Parts, dict[str, Any]]:
    """The parts in the order of their trajectories, after a check that they belong together, and the provenance of the whole."""
    _agree(parts, who)
    if KEY in parts[0][1].provenance:
        parts = sorted(parts, key=lambda part: part[1].provenance[KEY]["first"])
        _complete(parts, who)
        return parts, {k: v for k, v in parts[0][1].provenance.items() if k != KEY}
    said = [part.provenance for _, part in parts]
    common = {k: v for k, v in said[0].items() if all(other.get(k) == v for other in said)}
    return parts, {**common, "assembled": [p.name for p, _ in parts]}


def _agree(parts: Parts, who: str) -> None:
    """Every file as the first one, but for the number of its trajectories."""
    path, first = parts[0]
    for other, part in parts[1:]:
        for what in ("layout", "grid", "dt", "times"):
            if getattr(part, what) != getattr(first, what):
                raise OrbitscopeError(f"{who}: {path} has {what} {getattr(first, what)}, {other} has {getattr(part, what)}.")
        mine, theirs = ({k: v for k, v in t.provenance.items() if k != KEY} for t in (first, part))
        differ = sorted(k for k in {**mine, **theirs} if mine.get(k) != theirs.get(k))
        if (KEY in first.provenance) != (KEY in part.provenance):
            raise OrbitscopeError(f"{who}: of {path} and {other} one is a part of a data set (a shard) and one is not.")
        if KEY in first.provenance and differ:
            said = "; ".join(f"{k}: {mine.get(k)} and {theirs.get(k)}" for k in differ)
            raise OrbitscopeError(f"{who}: {path} and {other} are parts of different data sets ({said}).")


def _complete(parts: Parts, who: str) -> None:
    """Every part once."""
    count = parts[0][1].provenance[KEY]["of"]
    seen: dict[int, Path] = {}
    for path, part in parts:
        shard = part.provenance[KEY]
        if shard["of"] != count or shard["trajectories_in_all"] != parts[0][1].provenance[KEY]["trajectories_in_all"]:
            raise OrbitscopeError(f"{who}: {parts[0][0]} is one of {count} parts, {path} one of {shard['of']}: not the same data set.")
        if shard["number"] in seen:
            raise OrbitscopeError(f"{who}: {seen[shard['number']]} and {path} are both part {shard['number']}/{count}.")
        seen[shard["number"]] = path
    absent = [f"{k}/{count}" for k in range(1, count + 1) if k not in seen]
    if absent:
        raise OrbitscopeError(f"{who}: part {', '.join(absent)} is missing. Make it with --shard, or name its file.")
