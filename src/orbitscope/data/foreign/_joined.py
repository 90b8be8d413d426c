"""Files that follow one another in time, as one series: in order, without gaps, without times that two of them hold."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..._errors import OrbitscopeError
from .._lazy import LazyArray
from .._many import Joined, joined
from .._trajectories import Trajectories
from ._convert import Part
from ._time import Times

Finish = Callable[[Part, float | None, str], Trajectories]


def joined_in_time(parts: list[tuple[Path, Part]], dt: float | None, join: str | None, overlap: str | None, finish: Finish) -> Trajectories:
    """One series from files whose times are dates and follow one another, else their trajectories one after the other.

    `join` decides where the caller knows: "time" or "trajectory". Without it files with the same times are trajectories (members of an
    ensemble), files with later and later dates are one series.

    Raises `OrbitscopeError` for times that two files share (`overlap`: "first" or "last" keeps one), and for gaps, by name.
    """
    if join not in (None, "time", "trajectory") or overlap not in (None, "first", "last"):
        raise OrbitscopeError(f"join: one of time, trajectory, and overlap one of first, last; got {join!r} and {overlap!r}.")
    dated = all(p.times is not None and p.times.dated for _, p in parts)
    if join == "time" and not dated:
        which = next(path for path, p in parts if p.times is None or not p.times.dated)
        raise OrbitscopeError(f"join: the times of {which} are no dates, so its place in the series is unknown. Use join='trajectory'.")
    if join == "trajectory" or not dated:
        return joined([(path, finish(p, dt, str(path))) for path, p in parts])
    epochs = [_epoch(path, p, parts[0][1]) for path, p in parts]
    if join is None and all(len(e.values) == len(epochs[0].values) and (e.values == epochs[0].values).all() for e in epochs):
        return joined([(path, finish(p, dt, str(path))) for path, p in parts])
    order = sorted(range(len(parts)), key=lambda k: epochs[k].values[0])
    parts, epochs = [parts[k] for k in order], [epochs[k] for k in order]
    _agree(parts)
    taken = _without_overlaps(parts, epochs, overlap)
    times = replace(epochs[0], values=np.concatenate([e.values[i] for e, i in zip(epochs, taken, strict=True)]))
    first = parts[0][1]
    sources = [
        replace(p.source, index={**p.source.index, "time": p.source.index["time"][index]})
        for (_, p), index in zip(parts, taken, strict=True)
    ]
    whole = Joined(sources, axis=1)
    names = f"{parts[0][0].name} to {parts[-1][0].name}"
    if dt is None:
        step, note = _step(times, parts, taken)
    else:
        step, note = dt, f"dt: {dt:g}, declared by the caller"
    notes = (
        f"files: {len(parts)} joined in time, {names}, {len(times.values)} times from {times.label(0)} to {times.label(-1)}",
        *first.notes,
        note,
    )
    provenance = {**first.provenance, "assembled": [path.name for path, _ in parts]}
    return Trajectories(LazyArray(whole), first.layout, first.grid, step, provenance, notes)


def _epoch(path: Path, part: Part, first: Part) -> Times:
    assert part.times is not None and first.times is not None
    if part.times.calendar != first.times.calendar:
        raise OrbitscopeError(f"join: {path} counts in the calendar {part.times.calendar!r}, the first file in {first.times.calendar!r}.")
    return part.times.since_epoch(str(path))


def _agree(parts: list[tuple[Path, Part]]) -> None:
    path, first = parts[0]
    for other, part in parts[1:]:
        for what in ("layout", "grid"):
            mine, theirs = getattr(first, what), getattr(part, what)
            if mine != theirs:
                raise OrbitscopeError(f"load: {path} has {what} {mine}, {other} has {theirs}.")
        if part.source.shape[0] != first.source.shape[0]:
            raise OrbitscopeError(f"load: {path} has {first.source.shape[0]} trajectories, {other} has {part.source.shape[0]}.")


def _without_overlaps(parts: list[tuple[Path, Part]], epochs: list[Times], overlap: str | None) -> list[np.ndarray]:
    """The positions of every file that are taken."""
    taken = [np.arange(len(e.values)) for e in epochs]
    for k in range(1, len(parts)):
        before, after = epochs[k - 1].values, epochs[k].values
        shared = int((after <= before[-1]).sum())
        if overlap is None and shared:
            raise OrbitscopeError(
                f"join: {parts[k - 1][0]} and {parts[k][0]} overlap: the first ends at {epochs[k - 1].label(-1)}, the second begins at "
                f"{epochs[k].label(0)} ({shared} time{'s' * (shared > 1)}). load(..., overlap='first') or 'last' keeps those of one."
            )
    if overlap is None:
        return taken
    order = range(len(parts)) if overlap == "first" else range(len(parts) - 1, -1, -1)
    seen: np.ndarray = np.zeros(0, dtype=epochs[0].values.dtype)
    for k in order:
        taken[k] = np.flatnonzero(~np.isin(epochs[k].values, seen))
        seen = np.concatenate([seen, epochs[k].values])
    return taken


def _step(times: Times, parts: list[tuple[Path, Part]], taken: list[np.ndarray]) -> tuple[float, str]:
    """The step of the whole; a gap is named by the two files around it."""
    try:
        return times.step(f"{len(parts)} files")
    except OrbitscopeError as error:
        steps = np.diff(times.values.astype(np.float64))
        edges = np.cumsum([len(t) for t in taken])[:-1]
        usual = float(np.median(steps)) if len(steps) else 0.0
        for k, edge in enumerate(edges.tolist()):
            if 0 < edge <= len(steps) and abs(steps[edge - 1] - usual) > 1e-3 * abs(usual):
                raise OrbitscopeError(
                    f"join: between {parts[k][0].name} and {parts[k + 1][0].name} the time goes from {times.label(edge - 1)} to "
                    f"{times.label(edge)}, elsewhere a step is {usual * (times.unit or 1):g} s: a gap, or a file is missing. "
                    "Name the files of one part without it, or pass dt=... to insist."
                ) from error
        raise
