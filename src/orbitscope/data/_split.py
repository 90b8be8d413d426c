"""Splits by trajectory, the same on every machine."""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError

OFFICIAL = {"pdegym": (120, 240)}
"""Splits of published collections: how many trajectories before the last ones validate, and how many at the end test."""


def split_indices(trajectories: int, fractions: Sequence[float] | str = (0.65, 0.05, 0.30), seed: int = 0) -> tuple[NDArray[np.int64], ...]:
    """Disjoint, ascending trajectory indices, one array per fraction; together they are all trajectories.

    - `trajectories`: how many there are.
    - `fractions`: the share of every part, adding to 1; by default training, validation, test. Or the name of a published split.
    - `seed`: of the shuffle, at least 0.

    "pdegym" instead of fractions is that collection's own split (Poseidon, arXiv 2405.19101): the last 240 trajectories test, the 120
    before validate, the rest train; nothing is shuffled.

    Sizes are the nearest to `fractions` (which add to 1), and at least 1 for every fraction above 0. The shuffle orders the
    trajectories by the raw 64-bit words of a Philox stream seeded with (seed, "split"), which no numpy release may change; so a
    split depends on (trajectories, fractions, seed) alone.

    Raises `OrbitscopeError` for fractions that do not add to 1 and for fewer trajectories than parts.
    """
    if isinstance(fractions, str):
        return _official(trajectories, fractions)
    parts = np.asarray(list(fractions), dtype=np.float64)
    if parts.ndim != 1 or not parts.size or not np.isfinite(parts).all() or (parts < 0).any() or abs(parts.sum() - 1) > 1e-6:
        raise OrbitscopeError(f"split: `fractions` must be at least 0 and add to 1, got {tuple(fractions)}.")
    wanted = int((parts > 0).sum())
    if trajectories < wanted:
        raise OrbitscopeError(
            f"split: {wanted} parts need at least {wanted} trajectories, got {trajectories}. One long series is split by time: "
            "data.split_times(...), or data.windows(...), which `train` does by itself."
        )
    if seed < 0:
        raise OrbitscopeError(f"split: `seed` must be at least 0, got {seed}.")
    stream = np.random.Philox(np.random.SeedSequence((seed, zlib.crc32(b"split"))))
    order = np.argsort(np.atleast_1d(stream.random_raw(trajectories)), kind="stable")
    ends = np.cumsum(sizes_of(trajectories, parts))
    return tuple(np.sort(piece) for piece in np.split(order, ends[:-1]))


def _official(trajectories: int, name: str) -> tuple[NDArray[np.int64], ...]:
    if name not in OFFICIAL:
        raise OrbitscopeError(f"split: {name!r} is no published split. Known: {', '.join(map(repr, OFFICIAL))}; or give fractions.")
    validation, test = OFFICIAL[name]
    if trajectories <= validation + test:
        raise OrbitscopeError(f"split: {name!r} takes the last {test} for the test and {validation} before; got {trajectories} in all.")
    return tuple(np.split(np.arange(trajectories), [trajectories - test - validation, trajectories - test]))


def sizes_of(total: int, parts: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many of `total` each part gets: largest remainders, then one from the largest for every positive part left empty."""
    ideal = parts * total
    sizes = np.floor(ideal + 1e-9).astype(np.int64)
    for i in np.argsort(sizes - ideal, kind="stable")[: total - sizes.sum()]:
        sizes[i] += 1
    for i in np.flatnonzero((parts > 0) & (sizes == 0)):
        sizes[sizes.argmax()] -= 1
        sizes[i] = 1
    return sizes


def time_ranges(times: int, fractions: Sequence[float], gap: int) -> list[tuple[int, int]]:
    """[start, stop) of every part of a series of so many states, in order, with `gap` states left out between two parts.

    Raises `OrbitscopeError` for fractions that do not add to 1, and where no state is left for a part.
    """
    parts = np.asarray(list(fractions), dtype=np.float64)
    if parts.ndim != 1 or not parts.size or not np.isfinite(parts).all() or (parts < 0).any() or abs(parts.sum() - 1) > 1e-6:
        raise OrbitscopeError(f"split: `fractions` must be at least 0 and add to 1, got {tuple(fractions)}.")
    positive = int((parts > 0).sum())
    free = times - gap * (positive - 1)
    if gap < 0 or free < positive:
        raise OrbitscopeError(f"split: {times} states have no room for {positive} parts with `gap` {gap} between them.")
    found, start = [], 0
    for size in sizes_of(free, parts).tolist():
        found.append((start, start + size))
        start += size + (gap if size else 0)
    return found
