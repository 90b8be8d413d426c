"""Plain numpy archives: `data.npz` (no pickle) with `data.toml` beside it, which says what the arrays are."""

import json
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from .._lock import locked
from .._whole import write_together
from ..symmetry import Grid, Layout
from ._format import to_json
from ._memory import require_memory
from ._reader import Reader
from ._trajectories import Trajectories

SUFFIX = ".npz"
_EXAMPLE = """variable = "velocity"
layout = ["velocity:vector:m/s"]
axes = ["trajectory", "time", "channel", "x", "y"]
dt = 0.05
[grid]
extent = [1.0, 1.0]
boundary = ["periodic", "periodic"]
centring = "cell\""""


def read_npz(path: Path, declared: Reader) -> Trajectories:
    """Trajectories in memory from an archive; the caller's declarations beat the TOML file's.

    The TOML file has `variable` (one array, or a list of arrays that become channels in that order), `layout` (words), `axes` (the order
    in which the arrays lie; without "trajectory" or "time" they have one), `dt`, a table `grid` and, if wanted, `provenance`.
    """
    layout, dt, said, where = described(path, declared)
    names, arrays = _arrays(path, said.get("variable"))
    space = ["x", "y", "z"][: layout.ndim]
    default = ["trajectory", "time", *(() if len(arrays) > 1 else ("channel",)), *space]
    values, axes = _ordered(path, arrays, list(said.get("axes", default)), space)
    grid = declared.grid or grid_of(where, said["grid"], values.shape[3:])
    notes = (
        f"format: npz, {', '.join(f'{n!r}' for n in names)}, all in memory; described by {said['by']}",
        f"axes: stored [{', '.join(axes)}], read as [trajectory, time, channel, {', '.join(space)}]",
        f"channels: {layout}; {'declared by the caller' if declared.layout else f'from {where.name}'}",
        f"grid: {grid}; dt: {dt:g}",
    )
    return Trajectories(torch.from_numpy(values), layout, grid, dt, said.get("provenance", {}), notes)


def described(path: Path, declared: Reader) -> tuple[Layout, float, dict[str, Any], Path]:
    """Layout, time step, the rest of what the TOML file and the options say (`variable`, `axes`, `grid`), and where that file would be."""
    said, where = _settings(path), path.with_suffix(".toml")
    by_file = bool(said)
    for name in ("variable", "axes"):
        if (given := getattr(declared, name, None)) is not None:
            said[name] = list(given) if name == "axes" or len(given) > 1 else given[0]
    if declared.extent is not None or declared.boundary is not None:
        box = dict(said.get("grid", {}))
        box.update({k: list(v) for k, v in (("extent", declared.extent), ("boundary", declared.boundary)) if v is not None})
        said["grid"] = box
    words = said.get("layout")
    layout = declared.layout or (Layout.of(*words, ndim=len(said.get("grid", {}).get("extent", (0, 0)))) if words else None)
    dt = declared.dt or said.get("dt")
    missing = [
        n for n, v in (("layout", layout), ("dt", dt), ("grid", declared.grid or said.get("grid"))) if v is None
    ]  # fmt: skip
    if missing or layout is None or dt is None:
        raise OrbitscopeError(
            f"path: nothing says the {', '.join(missing)} of {path}. Pass them to load(...) (for the grid: extent= and boundary=), or "
            f"write {where} such as:\n{_EXAMPLE}"
        )
    provenance = said.get("provenance", {})
    said["provenance"] = dict(json.loads(provenance) if isinstance(provenance, str) else provenance)
    said["by"] = where.name if by_file else "the caller"
    return layout, float(dt), said, where


def write_npz(trajectories: Trajectories, path: Path, *, force: bool, dtype: torch.dtype = torch.float32) -> Path:
    """`path` and the TOML file beside it; everything goes through memory."""
    described, t = path.with_suffix(".toml"), trajectories
    for target in (path, described):
        if target.exists() and (target.is_dir() or not force):
            raise OrbitscopeError(f"path: {target} exists. Choose another name, or replace it with force=True (--force).")
    with locked(path):
        t.check_finite()
        values = t.tensor(dtype).numpy()
        write_together(
            {path: lambda part: _save_values(part, values), described: lambda part: part.write_text(toml_text(t), encoding="utf-8")}
        )
    return path


def _save_values(part: Path, values: NDArray[Any]) -> None:
    with part.open("wb") as stream:  # numpy would add a suffix to a name
        np.savez(stream, values=values)


def toml_text(t: Trajectories) -> str:
    """The TOML file for an array `values` that holds them."""
    words = [f"{f.name}:{f.representation!r}:{f.unit}" for f in t.layout.fields]
    lines = [
        'variable = "values"', f"layout = {json.dumps(words)}",
        f"axes = {json.dumps(['trajectory', 'time', 'channel', *'xyz'[: t.grid.ndim]])}", f"dt = {t.dt!r}",
        f"provenance = {json.dumps(to_json(t.provenance))}", "[grid]", f"extent = {list(t.grid.extent)}",
        f"boundary = {json.dumps(list(t.grid.boundary))}", f"centring = {json.dumps(t.grid.centring)}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _settings(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise OrbitscopeError(f"path: there is no file {path}.")
    beside = path.with_suffix(".toml")
    if not beside.exists():
        return {}
    try:
        said = tomllib.loads(beside.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise OrbitscopeError(f"path: {beside}, which describes {path.name}, is not a TOML file: {error}") from error
    known = {"variable", "layout", "axes", "dt", "grid", "provenance"}
    if strange := sorted(set(said) - known):
        raise OrbitscopeError(f"path: {beside} sets {', '.join(strange)}, which mean nothing here. Known: {', '.join(sorted(known))}.")
    return said


def _arrays(path: Path, variable: str | list[str] | None) -> tuple[list[str], list[NDArray[Any]]]:
    if path.suffix.lower() == ".npy":
        try:
            held = np.load(path, allow_pickle=False, mmap_mode="c")  # torch wants it writable; nothing is written to the file
        except (OSError, ValueError) as error:
            raise OrbitscopeError(f"path: {path} is not one plain numpy array ({error}). Python objects are never unpickled.") from error
        return [path.stem], _real(path, [path.stem], [held])
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream), np.load(stream, allow_pickle=False) as archive:
            names = list(archive.files)
            chosen = [variable] if isinstance(variable, str) else list(variable or names)
            if variable is None and len(names) != 1:
                raise OrbitscopeError(f"variable: {path} holds {', '.join(names)}; say which: load(path, variable=...) or in the TOML.")
            if absent := [n for n in chosen if n not in names]:
                raise OrbitscopeError(f"variable: {absent[0]!r} is not in {path}, which holds {', '.join(names)}.")
            require_memory(path.stat().st_size, "load")
            arrays = [archive[n] for n in chosen]
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        told = "it holds Python objects, which are never unpickled" if "pickle" in str(error).lower() else str(error)
        raise OrbitscopeError(f"path: {path} is not a plain numpy archive ({told}). Save numbers with numpy.savez.") from error
    return chosen, _real(path, chosen, arrays)


def _real(path: Path, names: list[str], arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    for name, array in zip(names, arrays, strict=True):
        if array.dtype.kind not in "fiu":
            raise OrbitscopeError(f"variable: {name!r} of {path} has dtype {array.dtype}; expected real numbers.")
    return [a.astype(np.float64 if a.dtype == np.float64 else np.float32, copy=False) for a in arrays]


def _ordered(path: Path, arrays: list[NDArray[Any]], axes: list[str], space: list[str]) -> tuple[NDArray[Any], list[str]]:
    """[trajectory, time, channel, *space] from arrays that lie as `axes` says."""
    wanted = ["trajectory", "time", "channel", *space]
    if len(set(axes)) != len(axes) or set(axes) - set(wanted) or set(space) - set(axes) or (len(arrays) > 1 and "channel" in axes):
        raise OrbitscopeError(
            f"axes: expected {', '.join(space)} and any of trajectory, time and channel (none for several arrays), each once, got {axes}."
        )
    if wrong := [a.shape for a in arrays if a.ndim != len(axes) or a.shape != arrays[0].shape]:
        raise OrbitscopeError(f"axes: {axes} do not fit the shape {wrong[0]} of an array of {path}.")
    full = [a for a in wanted if a in axes]
    turned = [np.transpose(a, [axes.index(name) for name in full]) for a in arrays]
    for k, name in enumerate(wanted):
        if name not in axes:
            turned = [np.expand_dims(a, k) for a in turned]
    return np.ascontiguousarray(turned[0] if len(turned) == 1 else np.concatenate(turned, axis=2)), axes


def grid_of(where: Path, said: Any, shape: tuple[int, ...]) -> Grid:
    """The grid that the table `grid` of a TOML file describes."""
    if not isinstance(said, Mapping) or "extent" not in said or "boundary" not in said:
        raise OrbitscopeError(f"grid: {where} should have a table with `extent` and `boundary`:\n{_EXAMPLE}")
    return Grid(shape, tuple(said["extent"]), tuple(said["boundary"]), said.get("centring", "cell"))
