"""A corrected copy of a file, with the change in its history."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from .._errors import OrbitscopeError
from .._version import __version__
from ..data import Trajectories, Writer
from ._readings import Reading


def correct(
    data: Trajectories,
    found: xr.Dataset,
    out: str | Path,
    *,
    choose: str | None = None,
    format: str | None = None,
    force: bool = False,
) -> Path:
    """Write a copy of `data` as the audit `found` says it should have been stored; return its path.

    Components, axes, the order of the frames, the time step, the places of components and the representations are put right, one
    trajectory at a time, so that a file larger than memory can be mended. Its provenance gets an entry in the list `history`: what
    was done, why, the scores before and after, version and date. `choose` names one reading where the audit found several that fit
    alike; a class of readings that no physics can tell apart is mended by its first, which gives the file up to a symmetry of the law.

    Raises `OrbitscopeError` where the audit found nothing to correct, where several readings fit and none is chosen, and what `Writer`
    raises.
    """
    reading = chosen(found, choose)
    provenance = {**data.provenance, "history": [*_history(data), _entry(reading, found)]}
    if provenance.get("components_swapped") and reading.components and not np.diag(np.array(reading.components)).all():
        provenance["components_swapped"] = False
    layout = reading.declared(data.layout)
    writer = Writer(
        out, layout, data.grid, data.dt * reading.factor, data.trajectories, data.times, provenance,
        format=format, dtype=data.values.dtype, force=force, resume=False,
    )  # fmt: skip
    try:
        with writer:
            for index in range(data.trajectories):
                writer.write(index, corrected(data.values[index], reading, data))
    except BaseException:
        writer.part.unlink(missing_ok=True)
        raise
    return writer.path


def corrected(trajectory: Tensor, reading: Reading, data: Trajectories) -> Tensor:
    """[time, channel, *grid] as it should have been stored, same dtype."""
    exact = not reading.faces  # permutations and signs need no precision; a shift by half a cell does
    moved = reading.states(trajectory if exact else trajectory.to(torch.float64), data.layout, data.grid)
    return (moved.flip(0) if reading.reverse else moved).to(trajectory.dtype)


def chosen(found: xr.Dataset, choose: str | None = None) -> Reading:
    """The reading that an audit wants applied."""
    try:
        options = [Reading.from_dict(d) for d in json.loads(found.attrs["fixes"])]
    except (KeyError, TypeError, ValueError) as error:
        raise OrbitscopeError("correct: `found` should be the result of `audit` on this file.") from error
    if not options:
        raise OrbitscopeError(f"correct: the audit found nothing to correct ({found.attrs['verdict']}). {found.attrs['explanation']}")
    if choose is not None:
        match = next((o for o in options if o.name == choose), None)
        if match is None:
            raise OrbitscopeError(f"correct: `choose` is {choose!r}; the audit offers: {'; '.join(o.name for o in options)}.")
        return match
    if len(options) > 1:
        raise OrbitscopeError(
            f"correct: {len(options)} readings fit this file alike: {'; '.join(o.name for o in options)}. Name the equation (`law`), "
            "which may tell them apart, or choose one of them by its name."
        )
    return options[0]


def _history(data: Trajectories) -> list[Any]:
    """What was done to the file before."""
    history = data.provenance.get("history", [])
    return list(history) if isinstance(history, list | tuple) else [history]


def _entry(reading: Reading, found: xr.Dataset) -> dict[str, Any]:
    names, checks = [str(n) for n in found["convention"].values], [str(c) for c in found["check"].values]
    scores: Mapping[str, Any] = {
        name: {c: float(f"{s:.3g}") if np.isfinite(s) else None for c, s in zip(checks, found["score"].values[i], strict=True)}
        for i, name in enumerate(names)
        if i == 0 or name == reading.name.partition(";")[0]
    }
    return {
        "what": f"stored anew after an audit: {reading.name}",
        "reading": reading.to_dict(),
        "why": str(found.attrs["explanation"]),
        "scores": scores,
        "law": str(found.attrs["law"]),
        "orbitscope_version": __version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


__all__ = ["chosen", "correct", "corrected"]
