"""Variables of a dataset as channels of an array [trajectory, time, channel, *space] that is read block by block."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..._errors import reading
from .._decode import decoded
from .._hdf5 import missing_filter, open_hdf5
from .._lazy import Axes, Source, runs
from ._fields import plain_attrs
from ._opened import Opened, quiet


@dataclass(frozen=True)
class Channel:
    """Where one channel lies: a variable, what its dimensions are, where the others stand, and its unit.

    `dims` has (role, dimension) of the axes it has; `fixed` (dimension, position) of those of which one point is taken. Physical values
    are `scale` * stored + `offset`. `shift` (role, a, b) is a staggered variable: the mean of the positions i + a and i + b.
    """

    variable: str
    dims: tuple[tuple[str, str], ...]
    fixed: tuple[tuple[str, int], ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    shift: tuple[str, int, int] | None = None


@dataclass
class DatasetArray(Source):
    """Channels read from a dataset; `index` has the stored positions along every role, `land` what stands where a value is missing."""

    opened: Opened
    channels: tuple[Channel, ...]
    roles: tuple[str, ...]
    index: dict[str, NDArray[np.int64]]
    dtype: np.dtype[Any]
    land: float | None = None
    dry: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        sizes = [len(self.index[r]) for r in self.roles]
        self.shape = (sizes[0], sizes[1], len(self.channels), *sizes[2:])
        self._filters: dict[str, str] = {}

    @property
    def path(self) -> Path:
        """The file."""
        return self.opened.path

    def read(self, axes: Axes) -> NDArray[Any]:
        """Channel by channel; only what the indices need is read and decoded."""
        out = np.empty(tuple(len(a) for a in axes), dtype=self.dtype)
        at = dict(zip(self.roles, (axes[0], axes[1], *axes[3:]), strict=True))
        stored = {role: self.index[role][where] for role, where in at.items()}
        for n, c in enumerate(axes[2].tolist()):
            channel = self.channels[c]
            block = self._block(channel, stored, 0)
            if channel.shift is not None and channel.shift[1] != channel.shift[2]:
                block = (block + self._block(channel, stored, 1)) / 2
            out[:, :, n] = block
        if self.land is not None:
            missing = np.isnan(out)
            if self.dry is not None and missing.any():  # a coast stands still: what is missing elsewhere is a gap in the data
                missing &= self.dry[np.ix_(*axes[3:])]
            out[missing] = self.land
        return out

    def _block(self, channel: Channel, stored: dict[str, NDArray[np.int64]], side: int) -> NDArray[Any]:
        """[trajectory, time, *space] of one variable, axes that it lacks of length 1."""
        dataset = self.opened.dataset
        variable = dataset[channel.variable].variable
        where = {d: np.array([k]) for d, k in channel.fixed}
        for role, dim in channel.dims:
            step = 0 if channel.shift is None or channel.shift[0] != role else channel.shift[1:][side]
            positions = stored[role] + step
            where[dim] = positions % variable.sizes[dim] if step else positions
        needs = self._needs(channel.variable)
        with reading(f"{self.path}: the variable {channel.variable!r}", "data", needs or "The file is damaged: copy it again."), quiet():
            raw = outer(variable, where)
        order = [d for r in self.roles for role, d in channel.dims if role == r]
        rest = [d for d in map(str, variable.dims) if d not in order]
        raw = raw.transpose([list(map(str, variable.dims)).index(d) for d in (*order, *rest)])
        have = {role for role, _ in channel.dims}
        raw = raw.reshape([len(stored[r]) if r in have else 1 for r in self.roles])
        convert = (channel.scale, channel.offset) != (1.0, 0.0)
        values = decoded(raw, plain_attrs_of(variable), np.dtype(np.float64) if convert else self.dtype)
        if convert:
            values = values * channel.scale + channel.offset
        return values.astype(self.dtype, copy=False)

    def _needs(self, variable: str) -> str:
        """What to install, where an HDF5 file is compressed with a filter that is not there; looked at once."""
        if variable not in self._filters:
            self._filters[variable] = ""
            if self.opened.memory is None and self.opened.build is None and self.opened.engine == "h5netcdf":
                with open_hdf5(self.path) as file:
                    stored = file.get(f"{self.opened.group or ''}/{variable}")
                    self._filters[variable] = missing_filter(stored) if isinstance(stored, h5py.Dataset) else ""
        return self._filters[variable]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_filters": {}}


def plain_attrs_of(variable: xr.Variable) -> dict[str, Any]:
    """What is left to decode: nothing of what xarray has decoded already, whose limits count in packed numbers."""
    if "scale_factor" in variable.encoding or "add_offset" in variable.encoding:
        scale, offset = (float(variable.encoding.get(n, d)) for n, d in (("scale_factor", 1.0), ("add_offset", 0.0)))
        found = dict(variable.attrs)
        for name in ("valid_min", "valid_max", "valid_range"):
            if name in found and np.asarray(found[name]).dtype.kind in "iu":
                found[name] = np.asarray(found[name]) * scale + offset
        return found
    return plain_attrs(variable)


def outer(variable: xr.Variable, where: dict[str, NDArray[np.int64]]) -> NDArray[Any]:
    """The outer product of positions along every dimension of a variable, read in as few strided slabs as they make up."""
    dims = [str(d) for d in variable.dims]
    wanted = [where[d] for d in dims]
    # Each axis is read in ascending order and put in the order wanted after.
    sorted_ones = [np.unique(w, return_inverse=True) for w in wanted]
    pieces = [runs(u) for u, _ in sorted_ones]
    if all(len(p) == 1 for p in pieces):
        out = np.asarray(variable[tuple(p[0][1] for p in pieces)].values)
    else:
        out = np.empty([len(u) for u, _ in sorted_ones], dtype=variable.dtype)
        for combination in itertools.product(*pieces):
            out[tuple(w for w, _ in combination)] = variable[tuple(r for _, r in combination)].values
    for axis, (unique, inverse) in enumerate(sorted_ones):
        if len(unique) != len(inverse) or not np.array_equal(inverse, np.arange(len(inverse))):
            out = np.take(out, inverse.reshape(-1), axis=axis)
    return out
