"""Long series as windows in time: one ocean, one climate run, cut so that it can be trained on and its parts do not touch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ._lazy import Axes, LazyArray, Source
from ._split import sizes_of

WINDOWS = "windows"
"""The entry of `provenance` that says how a series was cut: states per window, states from one to the next, windows per series."""


@dataclass
class WindowArray(Source):
    """Overlapping windows of an array [trajectory, time, ...] as trajectories, those of one series one after the other."""

    base: LazyArray
    length: int
    every: int

    def __post_init__(self) -> None:
        self.count = window_count(self.base.shape[1], self.length, self.every)
        self.shape = (self.base.shape[0] * self.count, self.length, *self.base.shape[2:])
        self.dtype = self.base.source.dtype

    @property
    def path(self) -> Path:
        """That of the whole."""
        return self.base.source.path

    def read(self, axes: Axes) -> NDArray[Any]:
        """Every series is visited once, and a state that several windows share is read once."""
        out = np.empty(tuple(len(a) for a in axes), dtype=self.dtype)
        series, number = axes[0] // self.count, axes[0] % self.count
        for one in np.unique(series):
            mine = np.flatnonzero(series == one)
            times = number[mine, None] * self.every + axes[1]  # [window, time]
            needed, back = np.unique(times, return_inverse=True)
            block = self.base.source.read(tuple(a[k] for a, k in zip(self.base._axes, (np.array([one]), needed, *axes[2:]), strict=True)))
            out[mine] = block[0, back.reshape(times.shape)]
        return out


def window_count(times: int, length: int, every: int) -> int:
    """How many whole windows a series of so many states has."""
    if not (1 <= length <= times and every >= 1):
        raise OrbitscopeError(
            f"windows: `length` must lie in 1..{times}, the states of the series, and `every` be at least 1; got {length} and {every}."
        )
    return (times - length) // every + 1


def cut(values: Tensor | LazyArray, length: int, every: int) -> Tensor | LazyArray:
    """[trajectory, time, ...] -> [trajectory * window, length, ...]; lazy where the values are."""
    if isinstance(values, LazyArray):
        return LazyArray(WindowArray(values, length, every))
    count = window_count(values.shape[1], length, every)
    index = torch.arange(count)[:, None] * every + torch.arange(length)
    return values[:, index].flatten(0, 1)


def usual_window(times: int, states: int) -> tuple[int, int]:
    """(length, every) of the windows in which a series is trained on: each run of `states` states lies in exactly one window.

    A window has a tenth of the series, at most 21 states and at least `states` (but no more than the series).

    - `times`: states of the series.
    - `states`: states that a training example needs, one after the other.

    >>> usual_window(12, 2), usual_window(365, 2)
    ((2, 1), (21, 20))
    """
    length = min(times, max(states, min(21, times // 10)))
    return length, max(1, length - states + 1)


def split_windows(said: dict[str, Any], windows: int, fractions: Sequence[float]) -> tuple[NDArray[np.int64], ...]:
    """Disjoint windows, one array per fraction, in the order of time: no state of one part is, or follows, a state of another.

    - `said`: the entry `WINDOWS` of the provenance.
    - `windows`: how many there are.
    - `fractions`: of each part, together 1.

    Between two parts as many windows are left out as it takes to keep their states apart.

    Raises `OrbitscopeError` where the series is too short for its parts.
    """
    per, every, length = int(said["per_series"]), int(said["every"]), int(said["length"])
    if windows % per:
        raise OrbitscopeError(f"split: {windows} windows are not whole series of {per}. Split before windows are chosen.")
    parts = np.asarray(list(fractions), dtype=np.float64)
    positive = int((parts > 0).sum())
    gap = -(-(length - every + 1) // every) if positive > 1 else 0
    free = per - gap * (positive - 1)
    if free < positive:
        raise OrbitscopeError(
            f"split: a series of {per} windows of {length} states has no room for {positive} parts with {gap} between them. Take shorter "
            f"windows, a longer series, or fewer parts."
        )
    found, start = [], 0
    for size in sizes_of(free, parts).tolist():
        numbers = np.arange(start, start + size)
        found.append((np.arange(windows // per)[:, None] * per + numbers).reshape(-1))
        start += size + (gap if size else 0)
    return tuple(found)
