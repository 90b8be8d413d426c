"""States that more than one part of a split has seen."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ...data import Trajectories
from ...symmetry import GridAction, Group, Isometry
from ._fingerprint import hashes, invariants, mover, near_pairs
from ._screen import moving_elements

_LISTED = 8


@dataclass(frozen=True)
class _Part:
    """Every state of one part: where it stands, its hash, its invariants."""

    name: str
    data: Trajectories
    trajectory: NDArray[np.int64]
    time: NDArray[np.int64]
    hash: NDArray[np.uint64]
    prints: NDArray[np.float64]


def leakage(
    parts: Mapping[str, Trajectories] | Trajectories,
    split: Mapping[str, Sequence[int]] | None = None,
    group: Group | str | None = None,
    *,
    tolerance: float = 1e-6,
    block_bytes: int = 64 * 2**20,
) -> xr.Dataset:
    """Which states of one part of a split are, exactly or moved by a group element, states of another?

    Every state of every part is looked at once, in blocks.

    One row per run of shared states, [leak]: `part_a`, `trajectory_a`, `first_a` and `part_b`, `trajectory_b`, `first_b` say where it
    begins, `length` how many successive states are shared, `kind` is "same trajectory" (an index in both parts), "identical", "moved" (by
    `element`, of `group`, by default all turns and flips that the grid allows) or "near" (equal to a relative error `tolerance`). A
    whole trajectory shared is a run of all its states; windows cut from one trajectory that overlap share the states of the overlap.
    `shared` [part, other]: the share of a part's states that the other part has too. Attributes: `verdict` ("disjoint" or "leak")
    and `findings`, a JSON list of sentences.

    * `parts`: the data of each part ({"train": ..., "test": ...}), or everything, with `split`.
    * `split`: part -> numbers of its trajectories ({"train": [0, 3, ...], ...}, as a run keeps it), where `parts` is everything.
    * `group`: moves that are looked for, a `Group` or its name; None: all turns and flips that the grid allows.
    * `tolerance`: relative error up to which states are equal.
    * `block_bytes`: how much is read at a time.

    Where it fails: windows of one trajectory that touch without overlapping share no state, though the one is the other's future;
    shifted copies are found only if `group` has the shift; of states with equal invariants (a uniform state) each pair is checked.

    Raises `OrbitscopeError` for fewer than two parts and for parts of different layouts or grids.
    """
    named, indices = _named(parts, split)
    first = next(iter(named.values()))
    elements, action = moving_elements(first, group), GridAction(first.layout, first.grid)
    read = [_read(name, data, block_bytes) for name, data in named.items()]
    rows: list[tuple[object, ...]] = []
    shared = np.zeros((len(read), len(read)))
    for a, b in combinations(range(len(read)), 2):
        pairs = _pairs(read[a], read[b], elements, action, tolerance)
        shared[a, b] = len({i for i, _, _ in pairs}) / max(1, len(read[a].hash))
        shared[b, a] = len({j for _, j, _ in pairs}) / max(1, len(read[b].hash))
        rows += _runs(read[a], read[b], pairs, indices)
    names = list(named)
    columns = ("part_a", "trajectory_a", "first_a", "part_b", "trajectory_b", "first_b", "length", "kind", "element")
    text = ("part_a", "part_b", "kind", "element")
    values = {c: np.array([r[k] for r in rows], dtype=str if c in text else np.int64) for k, c in enumerate(columns)}
    result = xr.Dataset(
        {**{c: ("leak", v) for c, v in values.items()}, "shared": (("part", "other"), shared)}, coords={"part": names, "other": names}
    )
    findings = [_sentence(r) for r in rows[:_LISTED]]
    if len(rows) > _LISTED:
        findings.insert(0, f"{len(rows)} runs of states are in two parts; the first {_LISTED}:")
    result.attrs.update(kind="leakage", verdict="leak" if rows else "disjoint", findings=json.dumps(findings), tolerance=tolerance)
    return result


def _named(
    parts: Mapping[str, Trajectories] | Trajectories, split: Mapping[str, Sequence[int]] | None
) -> tuple[dict[str, Trajectories], dict[str, NDArray[np.int64]]]:
    """The data of each part and, where one file is split, the numbers of its trajectories in that file."""
    if isinstance(parts, Trajectories):
        if split is None:
            raise OrbitscopeError('leakage: give the data of each part, {"train": ..., "test": ...}, or all of them and `split`.')
        indices = {name: np.asarray(list(index), dtype=np.int64) for name, index in split.items() if len(index)}
        named = {name: parts[index] for name, index in indices.items()}
    elif split is not None:
        raise OrbitscopeError("leakage: `split` goes with the data of one file, not with data given part by part.")
    else:
        named, indices = dict(parts), {}
    if len(named) < 2:
        raise OrbitscopeError(f"leakage: at least two parts that are not empty are needed, got {', '.join(named) or 'none'}.")
    first_name, first = next(iter(named.items()))
    for name, data in named.items():
        if data.layout != first.layout or data.grid.shape != first.grid.shape:
            raise OrbitscopeError(
                f"leakage: {name} has the layout {data.layout} on {data.grid}, {first_name} has {first.layout} on {first.grid}. "
                "Parts of one data set have the same."
            )
    return named, indices


def _read(name: str, data: Trajectories, block_bytes: int) -> _Part:
    trajectory, time, hashed, prints = [], [], [], []
    for i, t, block in data.blocks(block_bytes):
        frames = block.flatten(0, 1)
        n, m = block.shape[:2]
        trajectory.append(np.repeat(np.arange(i, i + n), m))
        time.append(np.tile(np.arange(t, t + m), n))
        hashed.append(hashes(frames))
        prints.append(invariants(frames, data.layout))
    order = np.lexsort((np.concatenate(time), np.concatenate(trajectory)))
    return _Part(name, data, *(np.concatenate(c)[order] for c in (trajectory, time, hashed, prints)))


def _pairs(a: _Part, b: _Part, elements: tuple[Isometry, ...], action: GridAction, tolerance: float) -> list[tuple[int, int, str]]:
    """(state of a, state of b, element) of all that agree; "" stands for equal bits."""
    equal = np.intersect1d(a.hash, b.hash)
    found = []
    where: dict[int, list[int]] = {}
    for j in np.flatnonzero(np.isin(b.hash, equal)):
        where.setdefault(int(b.hash[j]), []).append(int(j))
    for i in np.flatnonzero(np.isin(a.hash, equal)):
        found += [(int(i), j, "") for j in where[int(a.hash[i])]]
    known = {(i, j) for i, j, _ in found}
    finite_a, finite_b = (np.flatnonzero(np.isfinite(p.prints).all(1)) for p in (a, b))
    if len(finite_a) and len(finite_b):
        for i, j in near_pairs(a.prints[finite_a], b.prints[finite_b], 3 * tolerance + 1e-7):
            i, j = int(finite_a[i]), int(finite_b[j])
            if (i, j) in known:
                continue
            one, other = a.data.state(int(a.trajectory[i]), int(a.time[i])), b.data.state(int(b.trajectory[j]), int(b.time[j]))
            name = mover(other, one, elements, action, tolerance)
            if name is not None:
                found.append((i, j, name))
    return sorted(found)


def _runs(a: _Part, b: _Part, pairs: list[tuple[int, int, str]], indices: dict[str, NDArray[np.int64]]) -> list[tuple[object, ...]]:
    """Successive shared states in one row."""
    lines: dict[tuple[int, int, int, str], list[int]] = {}
    for i, j, element in pairs:
        key = int(a.trajectory[i]), int(b.trajectory[j]), int(b.time[j] - a.time[i]), element
        lines.setdefault(key, []).append(int(a.time[i]))
    rows = []
    for (i, j, lag, element), times in lines.items():
        number_i, number_j = (int(indices[p.name][k]) if p.name in indices else k for p, k in ((a, i), (b, j)))
        times = sorted(times)
        start = 0
        for k in range(1, len(times) + 1):
            if k == len(times) or times[k] != times[k - 1] + 1:
                same = bool(indices) and number_i == number_j
                kind = "same trajectory" if same else "identical" if element == "" else "near" if element == "e" else "moved"
                first = times[start]
                rows.append((a.name, number_i, first, b.name, number_j, first + lag, k - start, kind, element or "e"))
                start = k
    return sorted(rows, key=lambda r: (r[1], r[4], r[2]))


def _sentence(row: tuple[object, ...]) -> str:
    part_a, i, first, part_b, j, other, length, kind, element = row
    last_a, last_b = int(str(first)) + int(str(length)) - 1, int(str(other)) + int(str(length)) - 1
    if kind == "same trajectory":
        return f"trajectory {i} is in {part_a} and in {part_b}"
    how = {"identical": "are", "near": "nearly are", "moved": f"are, moved by {element},"}[str(kind)]
    return f"times {first} to {last_a} of trajectory {i} of {part_a} {how} times {other} to {last_b} of trajectory {j} of {part_b}"


__all__ = ["leakage"]
