"""Trajectories of a physical system, in memory or on disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from .._expect import expect, expect_number
from .._html import table_html
from ..symmetry import Grid, Layout
from ._lazy import Index, LazyArray, positions
from ._memory import require_memory, size_text
from ._split import split_indices, time_ranges
from ._windows import WINDOWS, cut, window_count

KEPT = "kept_fields"
"""The entry of `provenance` that names the fields where not all of them were kept."""

_BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False, repr=False, init=False)  # `__init__` takes more than the attributes hold
class Trajectories:
    """States over time of many runs of one system, with everything needed to read them rightly.

    - `values`: a real tensor, a numpy array, or an array in a file that reads only what is sliced, of shape
      [trajectory, time, channel, x, y]. x is the first spatial axis and component 0 of every vector field points along it.
    - `layout`: the fields that the channels are, in order. `grid`: where the values lie: points, box, boundaries.
    - `dt`: physical time between two stored states, above 0.
    - `provenance`: where the values come from, by name ("scenario", "seed", ...), values that JSON can hold; written into files.
    - `notes`: what a reader decided and why, one line each; for people, and not written into files.

    >>> layout = Layout.of("velocity:vector")
    >>> data = Trajectories(torch.zeros(6, 3, 2, 8, 8), layout, Grid.square(8), dt=0.05)
    >>> data
    Trajectories(6 trajectories x 3 times x 2 channels x 8 x 8, float32, in memory; velocity:vector; dt 0.05)
    >>> [len(part) for part in data.split((0.5, 0.2, 0.3), seed=0)]
    [3, 1, 2]

    Raises `OrbitscopeError` where the shape does not fit the layout or the grid.
    """

    values: Tensor | LazyArray
    layout: Layout
    grid: Grid
    dt: float
    provenance: dict[str, Any]
    notes: tuple[str, ...]

    def __init__(
        self,
        values: Tensor | LazyArray | NDArray[Any],
        layout: Layout,
        grid: Grid,
        dt: float | np.number[Any] | Tensor,
        provenance: dict[str, Any] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        values = torch.from_numpy(values) if isinstance(values, np.ndarray) else values
        if not isinstance(values, Tensor | LazyArray):
            raise OrbitscopeError(
                f"Trajectories: `values` should be a tensor or an array, got {type(values).__module__}.{type(values).__name__}. "
                'A dataset of xarray: Trajectories.from_xarray(dataset, fields="velocity=u,v:vector").'
            )
        expect(layout, Layout, "Trajectories: `layout`", "a Layout (Layout.of('velocity:vector'))")
        expect(grid, Grid, "Trajectories: `grid`", "a Grid (Grid.square(64))")
        number: Any = dt.item() if isinstance(dt, np.generic | np.ndarray | Tensor) and dt.ndim == 0 else dt
        expect_number(number, "Trajectories: `dt`, the time between two states,")
        provenance = {} if provenance is None else provenance
        held = {"values": values, "layout": layout, "grid": grid, "dt": float(number), "provenance": provenance, "notes": tuple(notes)}
        for name, value in held.items():
            object.__setattr__(self, name, value)
        self._fit()

    def _fit(self) -> None:
        """Raise where shapes, layout, grid and time do not fit one another."""
        expected = f"[trajectory, time, channel, {', '.join('xyz'[: self.grid.ndim])}]"
        shape = tuple(self.values.shape)
        if self.layout.ndim != self.grid.ndim:
            raise OrbitscopeError(f"Trajectories: `layout` is for {self.layout.ndim} space dimensions and `grid` has {self.grid.ndim}.")
        if len(shape) != 3 + self.grid.ndim:
            raise OrbitscopeError(f"Trajectories: `values` should be {expected}, {3 + self.grid.ndim} axes, got shape {shape}.")
        if shape[2] != self.layout.channels:
            raise OrbitscopeError(
                f"Trajectories: `values` has {shape[2]} channels (shape {shape}) and the layout declares "
                f"{self.layout.channels}: {', '.join(self.layout.channel_names)}. Declare another layout or select channels."
            )
        if shape[3:] != self.grid.shape:
            raise OrbitscopeError(f"Trajectories: `values` has the grid {shape[3:]} and `grid` says {self.grid.shape}.")
        if not self.values.dtype.is_floating_point:
            raise OrbitscopeError(f"Trajectories: `values` should be real floating point, got {self.values.dtype}.")
        if not (np.isfinite(self.dt) and self.dt > 0):
            raise OrbitscopeError(f"Trajectories: `dt` must be a positive time, got {self.dt}.")

    @classmethod
    def from_xarray(cls, dataset: Any, fields: Any = None, **options: Any) -> "Trajectories":
        """Trajectories from an `xarray.Dataset` (or `DataArray`) with named dimensions; what is lazy there stays lazy.

        - `dataset`: its dimensions are told apart by CF attributes, then by their names.
        - `fields`: maps variables to fields: "velocity=u,v:vector temperature=T:scalar:K", or a table {"velocity": ["u", "v"]}. Without it
          a single pair that declares itself eastward and northward is taken.
        - `options`: those of the reader "netcdf": `dims`, `select`, `box`, `land`, `dt`, `extent`, `boundary`, ...

        >>> import xarray as xr
        >>> u = xr.DataArray(np.zeros((3, 8, 6)), dims=("time", "y", "x"), coords={"time": [0, 1, 2], "y": np.arange(8), "x": np.arange(6)})
        >>> Trajectories.from_xarray(xr.Dataset({"u": u, "v": u}), fields="velocity=u,v:vector").shape
        (1, 3, 2, 6, 8)

        Raises `OrbitscopeError` where variables, axes, units, times or coordinates do not tell enough, with the line to use.
        """
        from ._load import load

        return load(dataset, fields=fields, **options)

    @property
    def shape(self) -> tuple[int, ...]:
        """(trajectories, times, channels, *grid)."""
        return tuple(self.values.shape)

    @property
    def trajectories(self) -> int:
        """Number of trajectories."""
        return self.shape[0]

    @property
    def times(self) -> int:
        """Number of stored states per trajectory."""
        return self.shape[1]

    @property
    def channels(self) -> int:
        """Number of channels of a state."""
        return self.shape[2]

    @property
    def lazy(self) -> bool:
        """Whether the values stay in their file until they are sliced."""
        return isinstance(self.values, LazyArray)

    @property
    def nbytes(self) -> int:
        """Size of all values once in memory."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.values.dtype.itemsize

    def __len__(self) -> int:
        return self.trajectories

    def __getitem__(self, key: Index) -> "Trajectories":
        """Some trajectories (an integer gives one); lazy where the values are lazy."""
        index = positions(key, self.trajectories, "trajectory")
        if isinstance(self.values, LazyArray):
            return self.replace(values=self.values.lazy(index))
        view = isinstance(key, slice) and (key.step or 1) > 0  # a slice shares memory; torch has none that go backwards
        return self.replace(values=self.values[key] if view else self.values[torch.from_numpy(index)])

    def __iter__(self) -> Iterator["Trajectories"]:
        return (self[i] for i in range(self.trajectories))

    def replace(self, **changes: Any) -> "Trajectories":
        """A copy in which `changes` replace attributes, by name; it is checked again."""
        return replace(self, **changes)

    def tensor(self, dtype: torch.dtype | None = None) -> Float[Tensor, "trajectory time channel ..."]:
        """All values in memory, in `dtype` (None: as they are). Raises `OrbitscopeError` where they exceed the memory of this machine."""
        if isinstance(self.values, LazyArray):
            require_memory(self.nbytes, "Trajectories.tensor")
            return self.values.tensor().to(dtype or self.values.dtype)
        return self.values.to(dtype or self.values.dtype)

    def load(self) -> "Trajectories":
        """The same data with all values in memory."""
        return self.replace(values=self.tensor())

    def state(self, trajectory: int, time: int) -> Float[Tensor, "channel ..."]:
        """The state number `time` (from 0) of the trajectory number `trajectory`, [channel, *space]."""
        i, t = positions(trajectory, self.trajectories, "trajectory")[0], positions(time, self.times, "time")[0]
        return self.values[int(i), int(t)]

    def pairs(
        self, trajectory: Index, time: Index, *, lead: int = 1
    ) -> tuple[Float[Tensor, "pair channel ..."], Float[Tensor, "pair channel ..."]]:
        """Transitions (x, y): states at (trajectory[k], time[k]) and the states `lead` steps later, each [pair, channel, x, y].

        - `trajectory`, `time`: numbers of equal length, from 0. `lead`: 0 gives each state twice.
        """
        i, t = positions(trajectory, self.trajectories, "trajectory"), positions(time, self.times, "time")
        if len(i) != len(t):
            raise OrbitscopeError(f"pairs: `trajectory` and `time` need the same length, got {len(i)} and {len(t)}.")
        if lead < 0 or (t.size and int(t.max()) + lead >= self.times):
            raise OrbitscopeError(f"pairs: with lead {lead}, `time` must lie in 0..{self.times - lead - 1}, got up to {t.max(initial=0)}.")
        if isinstance(self.values, Tensor):
            first, now = torch.from_numpy(i), torch.from_numpy(t)
            return self.values[first, now], self.values[first, now + lead]
        x = torch.empty((len(i), *self.shape[2:]), dtype=self.values.dtype)
        y = torch.empty_like(x)
        for one in np.unique(i):  # one visit per trajectory: its chunks are read once however the pairs are shuffled
            where = np.flatnonzero(i == one)
            frames = np.unique(np.concatenate([t[where], t[where] + lead]))
            block = self.values[int(one), frames]
            for k, now, then in zip(where, np.searchsorted(frames, t[where]), np.searchsorted(frames, t[where] + lead), strict=True):
                x[k], y[k] = block[now], block[then]
        return x, y

    def split(self, fractions: Sequence[float] | str = (0.65, 0.05, 0.30), seed: int = 0) -> tuple["Trajectories", ...]:
        """Disjoint parts (train, validation, test) by whole trajectories, shuffled by `seed`; `fractions` as of `split_indices`."""
        return tuple(self[index] for index in split_indices(self.trajectories, fractions, seed))

    def split_times(self, fractions: Sequence[float] = (0.65, 0.05, 0.30), gap: int = 1) -> tuple["Trajectories", ...]:
        """Parts of every trajectory in the order of time, `fractions` of it each, with `gap` states left out between two parts.

        For one long series, whose parts may not touch. Raises `OrbitscopeError` where the series is too short.

        >>> data = Trajectories(torch.zeros(1, 20, 1, 4, 4), Layout.of("q"), Grid.square(4), 0.1)
        >>> [part.times for part in data.split_times((0.5, 0.2, 0.3), gap=2)]
        [8, 3, 5]
        """
        found = []
        for start, stop in time_ranges(self.times, fractions, gap):
            values = self.values.lazy(slice(None), slice(start, stop)) if isinstance(self.values, LazyArray) else self.values[:, start:stop]
            found.append(self.replace(values=values, notes=(*self.notes, f"times: {start} to {stop - 1} of {self.times}")))
        return tuple(found)

    def windows(self, length: int, every: int | None = None) -> "Trajectories":
        """Every series cut into windows of `length` states as trajectories, one beginning `every` states after the other; lazy if this is.

        By default two neighbours share one state, so that each transition lies in exactly one window. `train` splits windows in the order
        of time, with a gap.

        >>> Trajectories(torch.zeros(1, 21, 1, 4, 4), Layout.of("q"), Grid.square(4), 0.1).windows(5).shape
        (5, 5, 1, 4, 4)
        """
        every = max(1, length - 1) if every is None else every
        per = window_count(self.times, length, every)
        said = {"length": length, "every": every, "per_series": per}
        note = f"windows: {per} of {length} states from each series, one beginning {every} after the other"
        provenance = {**self.provenance, WINDOWS: said}
        return self.replace(values=cut(self.values, length, every), provenance=provenance, notes=(*self.notes, note))

    def select(self, fields: str | Sequence[str]) -> "Trajectories":
        """Only the fields named by `fields`, in this order; the provenance says so. Raises `OrbitscopeError` for an unknown name.

        >>> layout = Layout.of("velocity:vector", "tracer")
        >>> Trajectories(torch.zeros(1, 2, 3, 8, 8), layout, Grid.square(8), 0.1).select("velocity").layout.channel_names
        ('velocity_x', 'velocity_y')
        """
        layout, channels = kept(self.layout, [fields] if isinstance(fields, str) else list(fields))
        if layout == self.layout:
            return self
        provenance = {**self.provenance, KEPT: [f.name for f in layout.fields]}
        return self.replace(values=self._take(channels), layout=layout, provenance=provenance)

    def swap_components(self) -> "Trajectories":
        """A copy whose vector components 0 and 1 are exchanged while the layout stays as it was: wrong on purpose.

        This is the commonest fault of stored fluid data (a component along the other axis than declared). The copy lets an audit
        show that it notices.
        """
        exchange = np.eye(self.layout.ndim)
        exchange[:2, :2] = [[0, 1], [1, 0]]
        # |rho(exchange)| is the permutation of components without the sign that a pseudo-field would get from a true reflection.
        channels = np.abs(self.layout.matrix(exchange)).argmax(axis=1)
        swapped = not self.provenance.get("components_swapped", False)
        note = "vector components 0 and 1 were exchanged on purpose (swap_components); the layout does not say so"
        return self.replace(
            values=self._take(channels), provenance={**self.provenance, "components_swapped": swapped}, notes=(*self.notes, note)
        )

    def _take(self, channels: NDArray[np.int64]) -> Tensor | LazyArray:
        if isinstance(self.values, LazyArray):
            return self.values.lazy(slice(None), slice(None), channels)
        return self.values[:, :, torch.from_numpy(channels)]

    def blocks(self, max_bytes: int = _BLOCK_BYTES) -> Iterator[tuple[int, int, Tensor]]:
        """Everything once, in order, as (first trajectory, first time, block [trajectories, times, channel, x, y]) of bounded size.

        A block holds whole trajectories, or, where one trajectory exceeds `max_bytes`, some of its times (at least one state).

        * `max_bytes`: the largest block, in bytes, unless one state is larger.
        """
        state = max(1, self.nbytes // max(1, self.trajectories * self.times))
        frames = min(max(1, max_bytes // state), max(1, self.times))
        rows = max(1, max_bytes // (state * self.times)) if frames == self.times else 1
        for i in range(0, self.trajectories, rows):
            for t in range(0, self.times, frames):
                yield i, t, self.values[i : i + rows, t : t + frames]

    def check_finite(self) -> "Trajectories":
        """Read everything in blocks; raise at the first NaN or infinity, naming trajectory, time, channel and cell. Returns itself."""
        for i, t, block in self.blocks():
            bad = ~torch.isfinite(block)
            if bad.any():
                a, b, c, *cell = (int(k) for k in bad.nonzero()[0])
                raise OrbitscopeError(
                    f"data: {self.layout.channel_names[c]!r} is {float(block[(a, b, c, *cell)])} at trajectory {i + a}, time {t + b}, "
                    f"cell {tuple(cell)}; {int(bad.sum())} bad values in this block. Leave the trajectory out or mend the file."
                )
        return self

    def __repr__(self) -> str:
        place = "lazy" if self.lazy else "in memory"
        grid = " x ".join(map(str, self.grid.shape))
        return (
            f"Trajectories({self.trajectories} trajectories x {self.times} times x {self.channels} channels x {grid}, "
            f"{str(self.values.dtype).removeprefix('torch.')}, {place}; {self.layout}; dt {self.dt:g})"
        )

    def _repr_html_(self) -> str:
        rows = (line.split(maxsplit=1) for line in self.describe().splitlines())
        return table_html("Trajectories", [(words[0], words[1] if len(words) > 1 else "") for words in rows if words])

    def describe(self) -> str:
        """Several lines of text: what the data are, where they come from, and what `load` decided and why."""
        units = ", ".join(
            f"{c} [{self.layout.fields[i].unit}]" for c, i in zip(self.layout.channel_names, self.layout.field_of_channel, strict=True)
        )
        place = f"lazy, {self.values.source.path}" if isinstance(self.values, LazyArray) else "in memory"
        lines = [
            f"trajectories {self.trajectories}, times {self.times}, dt {self.dt:g} (span {self.dt * (self.times - 1):g})",
            f"channels     {units}",
            f"layout       {self.layout}",
            f"grid         {self.grid}, extent {' x '.join(f'{e:g}' for e in self.grid.extent)}",
            f"values       {str(self.values.dtype).removeprefix('torch.')}, {size_text(self.nbytes)}, {place}",
            f"axes         [trajectory, time, channel, {', '.join('xyz'[: self.grid.ndim])}]; "
            "x is the first spatial axis, vector component 0 points along it",
        ]
        lines += [f"provenance   {key}: {value}" for key, value in self.provenance.items()] or ["provenance   not recorded"]
        lines += [f"note         {note}" for note in self.notes]
        return "\n".join(lines)


def kept(layout: Layout, names: Sequence[str]) -> tuple[Layout, NDArray[np.int64]]:
    """The layout of some fields alone, and the numbers of their channels.

    - `layout`: of all fields.
    - `names`: the fields to keep, in this order; empty keeps everything.

    Raises `OrbitscopeError` for an unknown or repeated name.
    """
    if not names:
        return layout, np.arange(layout.channels)
    slices = [layout.slice(name) for name in names]
    found = {f.name: f for f in layout.fields}
    return Layout(tuple(found[n] for n in names), layout.ndim), np.concatenate([np.arange(layout.channels)[s] for s in slices])
