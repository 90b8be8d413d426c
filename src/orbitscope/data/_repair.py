"""Mending a file: the damaged trajectories are simulated again and must give the checksum that was written."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from .._errors import OrbitscopeError, reading
from .._lock import locked
from ..physics import Equation, Scenario, planned, simulate
from ._check import check, description, stored
from ._format import FileSpec, to_json
from ._hdf5 import dataset, open_hdf5
from ._sums import CHECKSUMS, DESCRIPTION, checksum, stretches
from ._trajectories import KEPT, kept
from ._writer import Writer

_COPY_BYTES = 32 * 2**20


def repair_file(
    path: Path, *, accept: bool = False, device: str = "cpu", progress: Callable[[str, int, int], None] | None = None
) -> list[int]:
    """Make the damaged trajectories of a simulated file again, from its provenance; returns their numbers.

    A new file is filled from the old one, checked, and put in its place in one step: an interruption leaves the damaged file as it was.
    A trajectory simulated again has to give the checksum in the file, bit for bit; where it does not (another version of the solver,
    another processor), nothing is changed unless `accept` says that the new one may stand.

    - `path`: a file that `simulate` wrote, or one shard of it.
    - `accept`: True lets a trajectory stand that differs from the written checksum.
    - `device`: of torch, on which the solver runs.
    - `progress(stage, done, total)`: called in trajectories, with the stage "check" and then "repair".

    Raises `OrbitscopeError` where the file has no checksums, does not say how it was simulated, or gives other values when simulated
    again, for a full disk, and where another process writes the file.
    """
    with locked(path):
        found = check(path, (lambda d, t: progress("check", d, t)) if progress else None)
        if not found.checksums:
            raise OrbitscopeError(f"repair: {path} has no checksums, so nothing says which trajectories are damaged. Make it again.")
        if found.damaged:
            _rebuild(path, sorted(found.damaged), accept, device, progress)
    return sorted(found.damaged)


def _rebuild(path: Path, damaged: list[int], accept: bool, device: str, progress: Callable[[str, int, int], None] | None) -> None:
    """A new file of the same description, filled from the old one and with what was simulated again, in the place of the old one.

    Not the old file changed: what its structure says about where its values lie is as damaged, or as hostile, as the rest.
    """
    fresh = path.with_name(path.name + ".repair")
    try:
        with open_hdf5(path) as file, reading(path):
            form, spec = description(file)
            sums = dataset(file, CHECKSUMS)[()]
            writer = Writer(
                fresh, spec.layout, spec.grid, spec.dt, spec.trajectories, spec.times, spec.provenance, format=form.name,
                dtype=getattr(torch, spec.dtype), force=True, resume=False, signs=DESCRIPTION in file.attrs,
            )  # fmt: skip
            with writer:
                for done, (i, values) in enumerate(_again(path, spec, damaged, device), 1):
                    new = form.encode(spec, values)
                    made = checksum(new.values())
                    if made not in (int(sums[i]), _sum(file, form, spec, i)) and not accept:
                        raise OrbitscopeError(
                            f"repair: trajectory {i} of {path}, simulated again, differs from the one that was written (checksum "
                            f"{made:08x}, written {int(sums[i]):08x}): another solver or machine. Nothing was changed; --accept takes the "
                            "new one."
                        )
                    writer.write_stored(i, {name: one[None] for name, one in new.items()})
                    if progress is not None:
                        progress("repair", done, len(damaged))
                step = max(1, _COPY_BYTES // max(1, spec.nbytes // spec.trajectories))
                for first, stop in stretches(np.array(writer.missing, dtype=np.int64)) if writer.missing else ():
                    for a in range(first, stop, step):
                        writer.write_stored(a, {name: dataset(file, name)[a : min(a + step, stop)] for name in form.variables(spec)})
        if left := check(fresh).damaged:
            raise OrbitscopeError(f"repair: trajectories {sorted(left)} of {path} are still damaged after writing. Is the disk sound?")
        os.replace(fresh, path)
    except OSError as error:
        raise OrbitscopeError(f"repair: {path} was not mended ({error.strerror or error}). It is as it was.") from error
    finally:
        for leftover in (fresh, fresh.with_name(fresh.name + ".save.part")):
            leftover.unlink(missing_ok=True)


def _sum(file: h5py.File, form: Any, spec: FileSpec, index: int) -> int | None:
    """The checksum of what lies there: if that is right, it was the written checksum that was damaged."""
    try:
        return checksum(stored(file, form, spec, index).values())
    except (OSError, RuntimeError):
        return None


def _again(path: Path, spec: FileSpec, damaged: list[int], device: str) -> Any:
    """Simulate single trajectories of a file from what its provenance says; pairs (position in the file, values)."""
    said = spec.provenance
    needed = [k for k in ("scenario", "seed", "refine", "t_end", "parameters") if k not in said]
    if needed or "assembled" in said:
        raise OrbitscopeError(
            f"repair: {path} does not say how it was simulated (no {', '.join(needed) or 'single origin'} in its provenance). "
            f"Copy trajectories {damaged} from another source."
        )
    plan, solver = _plan(path, said)
    shard = said.get("shard") or {"first": 0, "trajectories_in_all": spec.trajectories}
    channels = kept(solver.layout, said.get(KEPT) or ())[1]
    chunks = simulate(
        plan, trajectories=shard["trajectories_in_all"], indices=[shard["first"] + i for i in damaged],
        resolution=_resolution(path, spec, solver), frames=spec.times, t_end=said["t_end"], seed=said["seed"], refine=said["refine"],
        dtype=torch.float64 if spec.dtype == "float64" else torch.float32, device=device, equation=solver,
    )  # fmt: skip
    for indices, values in chunks:
        for i, one in zip(indices, values, strict=True):
            yield i - shard["first"], one[:, channels].numpy()


def _plan(path: Path, said: Mapping[str, Any]) -> tuple[Scenario, Equation]:
    """The scenario and the equation that the file was made with, or an error where they do not exist any more."""
    try:
        plan, solver = planned(said["scenario"], said.get("initial_parameters") or {}, said["parameters"])
    except OrbitscopeError as error:
        raise OrbitscopeError(f"repair: {path} cannot be simulated again as it was made: {error}") from error
    # Parameters that an older version did not have are at their defaults; the checksum decides whether that is the same solver.
    now = {k: v for k, v in json.loads(to_json(solver.parameters)).items() if k in said["parameters"]}
    if now != said["parameters"]:
        raise OrbitscopeError(f"repair: {path} was made with {said['parameters']}, and {plan.name} has {now} here.")
    return plan, solver


def _resolution(path: Path, spec: FileSpec, solver: Equation) -> int:
    """What `simulate` was asked for: not always the points of the first axis."""
    candidates = [spec.provenance["resolution"]] if "resolution" in spec.provenance else sorted(set(spec.grid.shape))
    for n in candidates:
        if solver.grid(int(n)).shape == spec.grid.shape:
            return int(n)
    raise OrbitscopeError(f"repair: {path} has the grid {spec.grid}, which {solver} does not have at resolution {candidates}.")
