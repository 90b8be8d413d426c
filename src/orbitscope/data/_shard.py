"""One data set made in parts: which trajectories a part holds, and the whole from the parts."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .._errors import OrbitscopeError, reading
from ._format import FileSpec, Format
from ._formats import FORMATS
from ._hdf5 import dataset, open_hdf5
from ._lazy import LazyArray
from ._load import load
from ._many import in_order
from ._sums import DESCRIPTION, Watch, stretches
from ._trajectories import Trajectories
from ._writer import Writer

_COPY_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `count`: a contiguous block of trajectories, all blocks of the same length or one more.

    Blocks rather than every `count`-th: the parts one after the other are the whole, so assembling copies each file once from start to
    end, and "trajectories 12 to 23" can be said of a part. The work is as evenly spread: the cost of a trajectory has no trend in its
    number.

    >>> [list(Shard(k, 3).indices(8)) for k in (1, 2, 3)]
    [[0, 1], [2, 3, 4], [5, 6, 7]]
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise OrbitscopeError(f"shard: K/N should have 1 <= K <= N, got {self}.")

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The part that `text` names, such as "3/16"."""
        match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text)
        if not match:
            raise OrbitscopeError(f"shard: expected K/N such as 3/16, got {text[:40]!r}.")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Shard | None":
        """The part of this process under torchrun, None elsewhere or alone; RANK and WORLD_SIZE of `environment`, by default os.environ."""
        environment = os.environ if environment is None else environment
        rank, size = environment.get("RANK", ""), environment.get("WORLD_SIZE", "")
        return cls(int(rank) + 1, int(size)) if rank.isdecimal() and size.isdecimal() and int(size) > 1 else None

    def indices(self, trajectories: int) -> range:
        """The numbers of this part, of `trajectories` in all; raises `OrbitscopeError` where there are fewer than parts."""
        if trajectories < self.count:
            raise OrbitscopeError(f"shard: {trajectories} trajectories cannot be shared by {self.count} parts. Take fewer parts.")
        return range((self.number - 1) * trajectories // self.count, self.number * trajectories // self.count)

    def path(self, whole: Path) -> Path:
        """The name of this part beside the file `whole`: ns.nc -> ns.shard-03-of-16.nc."""
        digits = len(str(self.count))
        return whole.with_name(f"{whole.stem}.shard-{self.number:0{digits}d}-of-{self.count}{whole.suffix}")

    def describe(self, trajectories: int) -> dict[str, int]:
        """What the provenance of this part says, of `trajectories` in all."""
        block = self.indices(trajectories)
        return {"number": self.number, "of": self.count, "first": block.start, "trajectories_in_all": trajectories}

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def assemble(paths: Sequence[str | Path], out: str | Path, *, format: str | None = None, force: bool = False) -> Path:
    """One file from several: the parts of a simulation, in order, or any files that agree, in the order given.

    - `paths`: the files to put together.
    - `out`: the file to be made.
    - `format`: as in `save`; by default the suffix of `out` decides.
    - `force`: whether a file that exists is replaced.

    Parts made by `simulate(..., shard)` must be all there, each once; the result equals the file of the single run, bit for bit (stored
    values are copied, not converted, after they were compared with their checksums). Other files (PDEgym's numbered downloads) are put one
    after the other. Interrupted, the same call goes on. Raises `OrbitscopeError` where a part is missing, or the same file is there twice,
    where layout, grid, times or provenance differ, and where a trajectory does not fit its checksum: a copy would hide the damage.
    """
    if not paths:
        raise OrbitscopeError("assemble: give the files to put together.")
    parts, provenance = in_order([(Path(p), load(p)) for p in paths], "assemble")
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        if (known := found.setdefault(path.expanduser().resolve(), path)) is not path:
            raise OrbitscopeError(f"assemble: {known} and {path} are the same file. Give every file once.")
    first, signs = parts[0][1], all(_signed(path) for path, _ in parts)
    total = sum(t.trajectories for _, t in parts)
    with Writer(
        out, first.layout, first.grid, first.dt, total, first.times, provenance, format=format, dtype=first.values.dtype, force=force,
        signs=signs,
    ) as writer:  # fmt: skip
        missing, start = set(writer.missing), 0
        for path, part in parts:
            wanted = [i for i in range(part.trajectories) if start + i in missing]
            _copy(writer, path, part, wanted, start)
            start += part.trajectories
    return writer.path


def _copy(writer: Writer, path: Path, part: Trajectories, wanted: list[int], start: int) -> None:
    """Stored bytes where both files lay them out alike, else values; either are compared with their checksums on the way."""
    step = max(1, _COPY_BYTES // max(1, part.nbytes // part.trajectories))
    if not isinstance(part.values, LazyArray) or not _stored_alike(writer.format, writer.spec, path):
        for k in range(0, len(wanted), step):
            some = wanted[k : k + step]
            writer.write([start + i for i in some], part.values[some])
        return
    with open_hdf5(path) as file, reading(path):
        names = tuple(writer.format.variables(writer.spec))
        watch = Watch.of(file, {name: dataset(file, name).shape for name in names})
        for first, stop in stretches(np.array(wanted, dtype=np.int64)) if wanted else ():
            for a in range(first, stop, step):
                b = min(a + step, stop)
                if watch is not None:
                    watch.verify(file, np.arange(a, b), np.arange(part.times))
                writer.write_stored(start + a, {name: dataset(file, name)[a:b] for name in names})


def _signed(path: Path) -> bool:
    """Whether what a file says has a checksum, or could not have one: a copy of an older file of ours should not look verified."""
    if not path.is_file() or not h5py.is_hdf5(path):
        return True
    with open_hdf5(path) as file, reading(path):
        return DESCRIPTION in file.attrs or "orbitscope_version" not in file.attrs


def _stored_alike(form: Format, spec: FileSpec, path: Path) -> bool:
    with open_hdf5(path) as file, reading(path):
        if next((f for f in FORMATS if f.recognises(file)), None) is not form:
            return False
        for name, shape in form.variables(spec).items():
            stored: Any = file.get(name)
            if not isinstance(stored, h5py.Dataset) or stored.shape[1:] != shape[1:] or stored.dtype != np.dtype(spec.dtype):
                return False
        return "orbitscope_version" in file.attrs
