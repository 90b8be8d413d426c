"""Arrays that live in a file: shape and slices now, bytes only for what is read."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError, reading

Axes = tuple[NDArray[np.int64], ...]
"""Which indices of each stored axis are wanted, one integer array per axis of [trajectory, time, channel, *space]."""


Index = int | slice | Sequence[int] | NDArray[Any] | Tensor
"""What selects positions along one axis: an integer, a slice, integers in any container, or a boolean mask."""


_LONGEST = 2**24  # of an axis: its positions are kept, 8 bytes each


class Source(ABC):
    """Something that can hand out any block of an array [trajectory, time, channel, *space]; it converts on the block only."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    @abstractmethod
    def path(self) -> Path:
        """Where it lies."""

    @abstractmethod
    def read(self, axes: Axes) -> NDArray[Any]:
        """The outer product of the indices in `axes`, in memory."""


class LazyArray:
    """A view of a `Source` that slices like a tensor and reads only what the slice asks for.

    Indexing with integers, slices, one list of integers or one boolean mask returns a tensor; `lazy` takes the same keys and returns
    another view without reading. Pickles and forks safely: every process opens the file for itself.

    - `source`: what reads blocks of [trajectory, time, channel, *space].
    - `axes`: the wanted indices of every axis of the source, one integer array per axis; None takes all.

    Raises `OrbitscopeError` for a source with an axis longer than 2**24, and while reading where the file is damaged.
    """

    def __init__(self, source: Source, axes: Axes | None = None) -> None:
        self.source = source
        if axes is None and max(source.shape, default=0) > _LONGEST:
            raise OrbitscopeError(
                f"data: {source.path} declares the shape {list(source.shape)}, and no axis may be longer than {_LONGEST:,}. Is its header "
                "damaged? Else split the file."
            )
        self._axes: Axes = axes if axes is not None else tuple(np.arange(n) for n in source.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return tuple(len(a) for a in self._axes)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._axes)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of what is read."""
        return torch.float64 if self.source.dtype == np.float64 else torch.float32

    def __len__(self) -> int:
        return len(self._axes[0])

    def __getitem__(self, key: Any) -> Tensor:
        axes, drop = self._resolve(key)
        with reading(self.source.path, "data"):
            block = torch.from_numpy(self.source.read(axes))
        return block[tuple(0 if d else slice(None) for d in drop)]

    def lazy(self, *key: Any) -> "LazyArray":
        """The selection that indexing with `key` makes, unread; an integer keeps its axis with length 1."""
        return LazyArray(self.source, self._resolve(key)[0])

    def tensor(self) -> Tensor:
        """Everything, in memory."""
        return self[...]

    def _resolve(self, key: Any) -> tuple[Axes, list[bool]]:
        keys = list(key) if isinstance(key, tuple) else [key]
        if any(k is Ellipsis for k in keys):
            at = next(i for i, k in enumerate(keys) if k is Ellipsis)
            keys[at : at + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        if len(keys) > self.ndim:
            raise OrbitscopeError(f"index: {len(keys)} indices for an array with {self.ndim} axes {self.shape}.")
        keys += [slice(None)] * (self.ndim - len(keys))
        drop = [isinstance(k, int | np.integer) for k in keys]
        if sum(not isinstance(k, int | np.integer | slice) for k in keys) > 1:
            raise OrbitscopeError("index: a lazy array takes one list of indices at a time. For (trajectory, time) couples use `pairs`.")
        return tuple(a[positions(k, len(a))] for a, k in zip(self._axes, keys, strict=True)), drop

    def __repr__(self) -> str:
        return f"LazyArray({' x '.join(map(str, self.shape))}, {self.dtype}, {str(self.source.path)!r})"


def positions(key: Any, length: int, what: str = "index") -> NDArray[np.int64]:
    """Integer positions that `key` (integer, slice, sequence of integers, boolean mask) selects from an axis of that length."""
    if isinstance(key, slice):
        return np.ascontiguousarray(np.arange(length)[key])  # torch takes no negative strides
    index = np.atleast_1d(np.asarray(key.cpu() if isinstance(key, Tensor) else key))
    if index.size == 0:
        return np.zeros(0, dtype=np.int64)
    if index.ndim != 1 or index.dtype.kind not in "iub" or (index.dtype.kind == "b" and len(index) != length):
        raise OrbitscopeError(f"{what}: expected an integer, slice, list of integers or mask of length {length}, got {key!r}.")
    if index.dtype.kind == "b":
        return np.flatnonzero(index)
    bad = index[(index < -length) | (index >= length)]
    if bad.size:
        raise OrbitscopeError(f"{what}: {int(bad[0])} is out of range for an axis of length {length}.")
    return np.where(index < 0, index + length, index).astype(np.int64)


def runs(index: Sequence[int] | NDArray[np.int64]) -> list[tuple[slice, slice]]:
    """Cut an index list into ascending arithmetic runs: (where it goes in the result, the slice to read).

    HDF5 reads a strided slab in one call, but a list of points one by one.

    >>> runs([0, 1, 2, 7, 5])
    [(slice(0, 3, None), slice(0, 3, 1)), (slice(3, 4, None), slice(7, 8, 1)), (slice(4, 5, None), slice(5, 6, 1))]
    """
    found, start, count = [], 0, len(index)
    while start < count:
        step = max(int(index[start + 1] - index[start]), 0) if start + 1 < count else 0
        stop = start + 1
        while step and stop < count and index[stop] - index[stop - 1] == step:
            stop += 1
        first, last = int(index[start]), int(index[stop - 1])
        found.append((slice(start, stop), slice(first, last + 1, step or 1)))
        start = stop
    return found
