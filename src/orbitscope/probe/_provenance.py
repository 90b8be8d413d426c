"""What goes into the attributes of every result."""

import datetime
import json
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from .._version import __version__
from ..data import Examples, Trajectories
from ..symmetry import FiniteGroup, Group, Isometry, Symmetry
from ._subject import Subject


def stamp(
    result: xr.Dataset,
    kind: str,
    group: Group | None,
    data: Trajectories | Examples,
    subject: Subject | None,
    **settings: Any,
) -> xr.Dataset:
    """The same dataset with settings, versions and conventions in its attributes, and what its elements are in its coordinates.

    `group` is None for what is not about a finite group.
    """
    if group is not None:
        result.attrs.update(group=group.name, order=len(group) if isinstance(group, FiniteGroup) else 0)
    if isinstance(data, Trajectories):
        axes = "x, y, z"[: 3 * data.grid.ndim - 2]
        result.attrs.update(
            layout=json.dumps(data.layout.to_dict()),
            grid=json.dumps(data.grid.to_dict()),
            axes=f"states are [channel, {axes}]; vector component 0 points along x, the first spatial axis",
        )
    else:
        result.attrs.update(data=data.name, examples=repr(data))
    result.attrs.update(kind=kind, settings=json.dumps(settings, default=str), **versions())
    if group is not None and "element" in result.dims:
        names = [str(n) for n in result["element"].values]
        known = {g.name: g for g in (group if isinstance(group, FiniteGroup) else group.probes(None, 0))}  # as `Symmetry.elements`
        result = result.assign_coords(coordinates([known[n] for n in names]))
    if subject is not None:
        result.attrs.update(
            parameters=subject.count, frames=subject.frames, dtype=str(subject.dtype).removeprefix("torch."), device=str(subject.device)
        )
    return result


def actions_of(symmetry: Symmetry) -> dict[str, str]:
    """What goes in and comes out, for the attributes of a result."""
    sides = [symmetry.input.describe(), symmetry.output.describe()]
    return {"symmetry": repr(symmetry), "actions": json.dumps(sides, default=str)}


def element_coordinates(group: Group, names: Sequence[str]) -> dict[str, tuple[tuple[str, ...], Any]]:
    """`coordinates` of the elements with these names."""
    return coordinates([group[n] for n in names])


def coordinates(elements: Sequence[Any]) -> dict[str, tuple[tuple[str, ...], Any]]:
    """What every element is, so that nobody guesses from a name: its kind, identity, and of isometries whether it is a translation, the
    shift in periods, the angle in degrees, the determinant."""
    found: dict[str, tuple[tuple[str, ...], Any]] = {
        "element_identity": (("element",), np.array([g.is_identity for g in elements])),
        "element_kind": (("element",), np.array([type(g).__name__ for g in elements])),
    }
    if not all(isinstance(g, Isometry) for g in elements):
        return found
    return found | {
        "element_translation": (("element",), np.array([g.is_translation for g in elements])),
        "element_shift": (("element", "axis"), np.array([[float(s) for s in g.shift] for g in elements])),
        "element_angle": (("element",), np.array([g.angle for g in elements])),
        "element_determinant": (("element",), np.array([round(float(np.linalg.det(g.matrix))) for g in elements])),
    }


def versions() -> dict[str, str]:
    """Of this library and of torch, and the time."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"orbitscope_version": __version__, "torch_version": str(torch.__version__), "created": now}


def machine() -> str:
    """This machine in words: processor, cores, memory, operating system."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        name = next((line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")), name)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else float("nan")
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB{gpu}, {platform.system()}, Python {platform.python_version()}"


def command() -> str:
    """How this program was called."""
    program = Path(sys.argv[0])
    name = program.parent.name if program.name == "__main__.py" else program.name  # python -m orbitscope
    return shlex.join([name or "python", *sys.argv[1:]])
