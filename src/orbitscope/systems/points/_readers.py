"""Clouds and crystals from files: .xyz and .extxyz through ase, .npz by the names of its arrays."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..._errors import OrbitscopeError, reading
from ..._expect import expect
from ...data import Examples
from ._about import point_examples

Array = NDArray[Any]
_CLOSE = 1e-3  # of the typical distance: points nearer than this lie on one another
_NUMBERS = ("positions", "answers", "features", "cell")
_NAMES = ("positions", "answers", "features", "species", "cell", "there", "unit", "slot")


def read_points(path: str | Path, target: str = "forces", *, out: str = "1o", into: str | None = None) -> Examples:
    """The examples in a file of point clouds or crystals: from places and kinds of points to a quantity of each point.

    * `path`: .xyz or .extxyz, read by ase (positions and cells in angstrom, the format's unit); or .npz with the arrays positions [N, P, 3]
      and answers [N, P, D], and if wanted features [N, P, C], species [P] or [N, P] (whole numbers or symbols), cell [N, 3, 3],
      there [N, P] (which points there are, for clouds of different sizes), unit [N], slot [N], in one unit of length.
    * `target`: of .xyz files: the quantity of each atom that is the answer, such as forces. `out`: irreps of the answer.
    * `into`: irreps of the features, where the file has some of its own; species are scalars, one channel for each kind.

    Frames of different sizes are padded to the largest, with a mask; crystals are periodic in all three directions or in none. Raises
    `OrbitscopeError` that names the file and the frame: for a file that is missing, empty or damaged, values that are not finite,
    points that lie on one another, a cell without volume, periodic directions without one, a missing target.
    """
    expect(path, (str, Path), "path:", "a file of points, .xyz, .extxyz or .npz")
    path = Path(path).expanduser()
    if not path.is_file():
        raise OrbitscopeError(f"path: there is no file {path}.")
    kind = path.suffix.lower()
    if kind not in (".xyz", ".extxyz", ".npz"):
        raise OrbitscopeError(f"path: {path} should end in .xyz, .extxyz or .npz.")
    found = _arrays(path) if kind == ".npz" else _frames(path, target)
    places = found["positions"]
    if places.ndim != 3 or places.shape[2] != 3 or not places.size:
        raise OrbitscopeError(f"path: positions of {path} should be [N, P, 3], with at least one point, got {list(places.shape)}.")
    for name, values in found.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            frame = int(np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))[0])
            raise OrbitscopeError(f"path: {name} of {path} holds NaN or infinite values, first in frame {frame}. Leave that frame out.")
    cell = _checked_cell(path, found.get("cell"))
    there = _checked_there(path, found.get("there"), places.shape[:2])
    _checked_places(path, places, cell, there)
    kinds, names = _kinds(path, found.get("species"), places.shape[:2])
    parts, words = [kinds], [f"{kinds.shape[2]}x0e"]
    if "features" in found:
        if into is None:
            raise OrbitscopeError(f"path: {path} holds features; say how they move, such as into='2x0e+1o'.")
        parts, words = [*parts, torch.as_tensor(found["features"], dtype=torch.float64)], [*words, into]
    try:
        return point_examples(
            torch.as_tensor(places, dtype=torch.float64), torch.cat(parts, 2), torch.as_tensor(found["answers"], dtype=torch.float64),
            into="+".join(words), out=out, cell=None if cell is None else torch.as_tensor(cell, dtype=torch.float64), names=names,
            there=None if there is None else torch.as_tensor(there), about={"file": path.name, "target": target},
            cutoff=_cutoff(places, cell, there), unit=found.get("unit"),
            slot=found.get("slot"),
        )  # fmt: skip
    except OrbitscopeError as error:
        raise OrbitscopeError(f"path: {path}: {error}") from error


def is_archive_of_points(path: Path) -> bool:
    """Whether a file is a plain numpy archive with positions, and no file of `save_examples`.

    * `path`: the file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return "positions" in archive.files
    except (OSError, ValueError, EOFError, TypeError):
        return False


def _frames(path: Path, target: str) -> dict[str, Array]:
    try:
        from ase.io import read
    except ImportError as error:
        raise OrbitscopeError(f"path: reading {path} needs ase. Install it with: pip install 'orbitscope[graphs]'.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms: Any = read(path, index=":", format="extxyz")
    except Exception as error:  # ase raises many kinds for a damaged file
        raise OrbitscopeError(f"path: {path} is no (ext)xyz file that ase can read ({type(error).__name__}: {error}).") from error
    if not atoms:
        raise OrbitscopeError(f"path: {path} holds no frame.")
    sizes = np.array([len(a) for a in atoms])
    there = np.arange(sizes.max()) < sizes[:, None]
    species = _padded([a.get_atomic_numbers() for a in atoms], there)
    if there.all() and (species != species[0]).any():
        raise OrbitscopeError(f"path: frames of {path} list their atoms in different orders. Sort them alike.")
    answers = []
    for k, a in enumerate(atoms):
        stored = {**a.arrays, **(a.calc.results if a.calc is not None else {})}
        if target not in stored:
            known = ", ".join(n for n in stored if n not in ("numbers", "positions")) or "nothing"
            raise OrbitscopeError(f"path: frame {k} of {path} has no {target!r} of its atoms; beside their places it has {known}.")
        answers.append(np.asarray(stored[target], dtype=np.float64).reshape(len(a), -1))
    found = {"positions": _padded([a.get_positions() for a in atoms], there), "answers": _padded(answers, there), "species": species}
    if not there.all():
        found["there"] = there
    periodic = np.array([a.get_pbc() for a in atoms])
    if periodic.any():
        if not periodic.all():
            raise OrbitscopeError(f"path: {path} is periodic in some directions or frames only. All three in all frames, or none.")
        found["cell"] = np.array([np.asarray(a.get_cell()) for a in atoms])
    return found


def _padded(rows: list[Array], there: Array) -> Array:
    """Frames of different sizes in one array; the last point again where there is none."""
    return np.stack([row[np.minimum(np.arange(there.shape[1]), len(row) - 1)] for row in rows])


def _checked_there(path: Path, there: Array | None, shape: tuple[int, ...]) -> Array | None:
    if there is None:
        return None
    if there.shape != shape or there.dtype != np.bool_ or not there.any(1).all():
        raise OrbitscopeError(f"path: there of {path} should be true or false, {list(shape)}, with a point in every frame.")
    return None if there.all() else there


def _arrays(path: Path) -> dict[str, Array]:
    with reading(path), np.load(path, allow_pickle=False) as archive:
        found = {name: archive[name] for name in archive.files}
    unknown = [name for name in found if name not in _NAMES]
    if unknown or "positions" not in found or "answers" not in found:
        listed = ", ".join(found) or "nothing"
        raise OrbitscopeError(f"path: {path} holds {listed}; expected positions, answers and, if wanted, {', '.join(_NAMES[2:])}.")
    if wrong := [name for name in _NUMBERS if name in found and found[name].dtype.kind not in "fiu"]:
        raise OrbitscopeError(f"path: {wrong[0]} of {path} should be real numbers, got {found[wrong[0]].dtype}.")
    return {name: a.astype(np.float64) if name in _NUMBERS else a for name, a in found.items()}


def _checked_cell(path: Path, cell: Array | None) -> Array | None:
    if cell is None:
        return None
    if cell.ndim != 3 or cell.shape[1:] != (3, 3):
        raise OrbitscopeError(f"path: cell of {path} should be [N, 3, 3], a lattice vector in each row, got {list(cell.shape)}.")
    sizes = np.linalg.norm(cell, axis=2).prod(1)
    flat = np.abs(np.linalg.det(cell)) <= 1e-6 * np.maximum(sizes, 1e-300)
    if flat.any():
        raise OrbitscopeError(
            f"path: the cell of frame {int(np.flatnonzero(flat)[0])} of {path} has no volume. Give three independent vectors."
        )
    return cell


def _checked_places(path: Path, places: Array, cell: Array | None, there: Array | None) -> None:
    """Refuse points that lie on one another, in a crystal those of neighbouring cells too."""
    for k, some in enumerate(places if there is None else [p[t] for p, t in zip(places, there, strict=True)]):
        if len(some) < 2:
            continue
        apart = some[:, None] - some[None]
        if cell is not None:
            fractional = apart @ np.linalg.inv(cell[k])
            apart = (fractional - np.round(fractional)) @ cell[k]
        distance = np.linalg.norm(apart, axis=2)[np.triu_indices(len(some), 1)]
        if distance.min() <= _CLOSE * np.median(distance):
            raise OrbitscopeError(f"path: two points of frame {k} of {path} lie on one another. Leave one of them out.")


def _kinds(path: Path, species: Array | None, shape: tuple[int, ...]) -> tuple[torch.Tensor, tuple[str, ...]]:
    """One channel for each kind of point, and the kinds by name."""
    if species is None:
        return torch.ones(*shape, 1, dtype=torch.float64), ()
    if species.shape not in (shape, shape[1:]):
        raise OrbitscopeError(f"path: species of {path} should be [P] or [N, P] = {list(shape)}, got {list(species.shape)}.")
    known = np.unique(species)
    rows = np.broadcast_to(species, shape)[..., None] == known
    return torch.tensor(rows.astype(np.float64)), tuple(str(s) for s in np.broadcast_to(species, shape)[0])


def _cutoff(places: Array, cell: Array | None, there: Array | None) -> float:
    """A distance within which points see each other: the layer distance of a crystal, the typical width of a cloud."""
    if cell is not None:
        return 0.97 * float((1 / np.linalg.norm(np.linalg.inv(cell), axis=1)).min())
    if places.shape[1] < 2:
        return 1.0
    apart = np.linalg.norm(places[:, :, None] - places[:, None], axis=3)
    if there is not None:
        apart = apart * (there[:, :, None] & there[:, None])
    return 1.2 * float(apart.max(axis=(1, 2)).mean())
