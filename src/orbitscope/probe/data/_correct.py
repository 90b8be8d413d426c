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

from ..._errors import OrbitscopeError
from ..._version import __version__
from ...data import Trajectories, Writer
from ._decide import CONTRADICTS
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

    Components, axes, the order of the frames, the time step, the size of the box, the places of components and the representations are put
    right, one trajectory at a time, so that a file larger than memory can be mended. Its provenance gets an entry in the list `history`:
    what was done, why, the scores before and after, version and date. In a file whose trajectories do not share one convention each is put
    right by itself. A class of readings that no physics can tell apart is mended by its first, which gives the file up to a symmetry of the
    law.

    A number (a time step, the size of the box) is written only where its relative margin is below 10 %.

    * `out`: the file to write.
    * `choose`: name of one reading, where the audit found several that fit alike.
    * `format`: "pdegym" or "the_well"; None: by the ending of `out`.
    * `force`: replace a file that is there.

    Raises `OrbitscopeError` where the audit found nothing to correct, knows no number with such a margin, where several readings fit and
    none is chosen, where no reading fits some trajectories, and what `Writer` raises.
    """
    single = _single(found, data)
    reading = Reading("single trajectories") if single and choose is None else chosen(found, choose)
    provenance = {**data.provenance, "history": [*_history(data), _entry(reading, found, single)]}
    if provenance.get("components_swapped") and reading.components and not np.diag(np.array(reading.components)).all():
        provenance["components_swapped"] = False
    layout = reading.declared(data.layout)
    writer = Writer(
        out, layout, reading.box(data.grid), data.dt * reading.factor, data.trajectories, data.times, provenance,
        format=format, dtype=data.values.dtype, force=force, resume=False,
    )  # fmt: skip
    try:
        with writer:
            for index in range(data.trajectories):
                writer.write(index, corrected(data.values[index], single.get(index, reading), data))
    except BaseException:
        writer.part.unlink(missing_ok=True)
        raise
    return writer.path


def _single(found: xr.Dataset, data: Trajectories) -> dict[int, Reading]:
    """What is wrong with single trajectories, by their number; empty where one reading fits all."""
    try:
        known = {name: Reading.from_dict(d) for name, d in json.loads(found.attrs.get("readings", "{}")).items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise OrbitscopeError("correct: `found` should be the result of `audit` on this file.") from error
    if not known:
        return {}
    names = [str(r) for r in found["reading"].values]
    lost = [i for i, n in enumerate(names) if n not in known]
    whole = [n for n, r in known.items() if r.factor != 1 or r.length != 1 or r.representations]
    if lost or whole or len(names) != data.trajectories:
        why = f"no reading fits trajectories {', '.join(map(str, lost[:12]))}" if lost else f"{'; '.join(whole)} is a property of the file"
        raise OrbitscopeError(f"correct: the trajectories of this file do not share one convention, and {why}. Mend or drop them by hand.")
    return {i: known[n] for i, n in enumerate(names)}


def corrected(trajectory: Tensor, reading: Reading, data: Trajectories) -> Tensor:
    """[time, channel, *grid] as it should have been stored, same dtype."""
    exact = not reading.resampled  # permutations and signs need no precision; a shift by half a cell does
    moved = reading.states(trajectory if exact else trajectory.to(torch.float64), data.layout, data.grid)
    return (moved.flip(0) if reading.reverse else moved).to(trajectory.dtype)


def chosen(found: xr.Dataset, choose: str | None = None) -> Reading:
    """The reading that an audit wants applied."""
    try:
        options = [Reading.from_dict(d) for d in json.loads(found.attrs["fixes"])]
    except (KeyError, TypeError, ValueError) as error:
        raise OrbitscopeError("correct: `found` should be the result of `audit` on this file.") from error
    if not options and found.attrs["verdict"] == CONTRADICTS:
        raise OrbitscopeError(
            f"correct: the audit knows no number that it could write into the file with a margin. {found.attrs['explanation']} "
            "Name the equation (`law`), which tells the number, or look it up and declare it."
        )
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


def _entry(reading: Reading, found: xr.Dataset, single: Mapping[int, Reading]) -> dict[str, Any]:
    names, checks = [str(n) for n in found["convention"].values], [str(c) for c in found["check"].values]
    scores: Mapping[str, Any] = {
        name: {c: float(f"{s:.3g}") if np.isfinite(s) else None for c, s in zip(checks, found["score"].values[i], strict=True)}
        for i, name in enumerate(names)
        if i == 0 or name == reading.name.partition(";")[0]
    }
    return {
        "what": f"stored anew after an audit: {reading.name}",
        "reading": reading.to_dict(),
        **({"trajectories": {r.name: [i for i, other in single.items() if other == r] for r in single.values()}} if single else {}),
        "why": str(found.attrs["explanation"]),
        "scores": scores,
        "law": str(found.attrs["law"]),
        "orbitscope_version": __version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


__all__ = ["chosen", "correct", "corrected"]
