"""One variable of an HDF5 file that holds all channels: the order of its axes, its coordinates and times, by what the file says."""

from collections.abc import Sequence
from dataclasses import dataclass

import h5py
import numpy as np

from .._errors import OrbitscopeError
from ..symmetry import Grid
from ._axes import stored_order
from ._hdf5 import text
from .foreign import Axis, Times, grid_of

_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable"


@dataclass(frozen=True)
class NamedVariable:
    """A stored variable and what its axes are: `order` gives the logical axis [trajectory, time, channel, *space] of every stored one.

    `flipped` are the logical axes whose coordinate falls.
    """

    stored: h5py.Dataset
    order: tuple[int, ...]
    names: tuple[str, ...]
    axes: tuple[Axis | None, ...]
    note: str

    @classmethod
    def of(cls, stored: h5py.Dataset, space: int, declared: Sequence[str] | None, ours: bool) -> "NamedVariable":
        """From the names that the caller gives, else those of the file, else the documented order."""
        expected = ["trajectory", "time", "channel", *"xyz"[:space]]
        names = [dimension_name(stored, k) for k in range(stored.ndim)] if declared is None else list(declared)
        where = f"axes: {stored.name!r} of {stored.file.filename}" if declared is None else "axes: what the caller named"
        short = str(stored.name).rsplit("/", 1)[-1]
        how = f'Say what they are as they lie: load(path, variable={short!r}, axes="time,trajectory,channel,x,y").'
        if len(names) != stored.ndim:
            raise OrbitscopeError(f"{where}: {len(names)} names for {stored.ndim} axes {stored.shape}.")
        found = None if ours and declared is None else stored_order(names, expected, where, how)
        order = found or tuple(range(stored.ndim))
        logical = [names[order.index(k)] for k in range(len(order))]
        axes = tuple(_axis(stored, name, expected[3 + k], stored.shape[order.index(3 + k)]) for k, name in enumerate(logical[3:]))
        return cls(stored, order, tuple(logical), axes, _note(names, expected, order, axes, found is not None))

    @property
    def flipped(self) -> tuple[int, ...]:
        """Logical axes that are read backwards."""
        return tuple(3 + k for k, axis in enumerate(self.axes) if axis is not None and axis.reversed)

    def grid(self, shape: tuple[int, ...]) -> tuple[Grid, str] | None:
        """The grid of the coordinates, if every axis in space has one; periodic as PDEgym's, which no coordinate can tell."""
        if any(a is None for a in self.axes):
            return None
        axes = {"xyz"[k]: a for k, a in enumerate(self.axes) if a is not None}
        default, why = ("open", "a part of the Earth") if self.geographic else ("periodic", "PDEgym's default, the file does not say")
        return grid_of(
            axes, shape, self.stored.file.filename, grid=None, extent=None, boundary=None, default=default, why_default=why
        )  # fmt: skip

    @property
    def geographic(self) -> bool:
        """Whether the axes are longitude and latitude, which PDEgym's defaults do not fit."""
        return any(n.lower().startswith(("lat", "lon")) for n in self.names[3:]) or any(
            a is not None and a.unit == "degree" for a in self.axes
        )

    def step(self) -> tuple[float, str] | None:
        """The time step of the file's own times; None where it has none."""
        times = self.stored.shape[self.order.index(1)]
        for name in dict.fromkeys((self.names[1], "time", "t")):
            found = _coordinate(self.stored, name, times)
            if found is not None and times > 1:
                import xarray as xr

                attributes = {k: text(v) for k, v in found.attrs.items() if k in ("units", "calendar")}
                return Times.of(xr.Variable(("time",), np.asarray(found[()]), attributes), name).step(self.stored.file.filename)
        return None


def dimension_name(stored: h5py.Dataset, axis: int) -> str:
    """The name of a dimension, by its label or its scale; "" where it has none."""
    dimension = stored.dims[axis]
    return dimension.label or (str(dimension[0].name).rsplit("/", 1)[-1] if len(dimension) else "")


def _coordinate(stored: h5py.Dataset, name: str, length: int) -> h5py.Dataset | None:
    """The numbers along a dimension, if the file holds any."""
    found = stored.parent[name] if name and name in stored.parent else None  # pyright: ignore[reportOperatorIssue, reportIndexIssue]
    if not isinstance(found, h5py.Dataset) or found.shape != (length,) or found.dtype.kind not in "fiu":
        return None
    return None if text(found.attrs.get("NAME", "")).startswith(_NO_VARIABLE) else found


def _axis(stored: h5py.Dataset, name: str, role: str, length: int) -> Axis | None:
    found = _coordinate(stored, name, length) or _coordinate(stored, role, length)
    if found is None or length < 2:
        return None
    values = np.asarray(found[()], dtype=np.float64)
    falls = bool(values[0] > values[-1])
    unit = "degree" if text(found.attrs.get("units", "")).startswith("degree") else ""
    return Axis(name, np.arange(length), values[::-1].copy() if falls else values, unit, str(found.name).rsplit("/", 1)[-1], "", falls)


def _note(names: list[str], expected: list[str], order: tuple[int, ...], axes: Sequence[Axis | None], named: bool) -> str:
    told = (
        f"the file calls them {', '.join(n or '?' for n in names)}"
        if any(names)
        else "the file does not name them, this is the documented order"
    )
    if not named or order == tuple(range(len(order))):
        words = f"axes: read as [{', '.join(expected)}]; {told}"
    else:
        words = f"axes: the file calls them {', '.join(names)}; turned into {', '.join(expected)} (vector components kept in order)"
    falling = [a.name for a in axes if a is not None and a.reversed]
    return words + (f"; {', '.join(falling)} falls, reversed" if falling else "")
