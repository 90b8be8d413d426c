"""Meshes in files: read by trimesh, looked through, and mended only where that is asked for."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..._errors import OrbitscopeError, reading
from ._mesh import Index, Mesh, directed_edges

SUFFIXES = (".stl", ".obj", ".ply", ".glb", ".gltf", ".off")
UNITS = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "km": 1e3, "in": 0.0254, "ft": 0.3048}
_METRES = (".glb", ".gltf")  # whose format says so; the others have no unit
_THIN = 1e-12


@dataclass(frozen=True)
class Fault:
    """What is wrong with a mesh.

    * `name`: "degenerate", "doubled", "winding", "inverted", "open" or "non-manifold". `count`: of faces or edges.
    * `first`: the number of the first face. `words`: a sentence. `mendable`: whether `mend` can help.
    """

    name: str
    count: int
    first: int
    words: str
    mendable: bool


def faults(mesh: Mesh) -> list[Fault]:
    """What is wrong with a mesh as the surface of a body; nothing for a closed surface whose faces look outwards.

    * `mesh`: any.
    """
    found = []
    edge = np.linalg.norm(mesh.corners - np.roll(mesh.corners, 1, axis=1), axis=2).max(1)
    thin = mesh.areas <= _THIN * edge**2
    if thin.any():
        found.append(_fault("degenerate", thin, "faces have no area", True))
    _, first, count = np.unique(np.sort(mesh.faces, axis=1), axis=0, return_index=True, return_counts=True)
    doubled = np.ones(len(mesh), dtype=bool)
    doubled[first] = False
    if (count > 1).any():
        found.append(_fault("doubled", doubled, "faces are there twice", True))
    kept = mesh.faces[~thin & ~doubled]
    if not len(kept):
        return found
    uses = Counter(tuple(sorted(e)) for e in directed_edges(kept).tolist())
    turns = Counter(map(tuple, directed_edges(kept).tolist()))
    many, lonely = [e for e, n in uses.items() if n > 2], [e for e, n in uses.items() if n == 1]
    wrong = [e for e, n in turns.items() if n > 1 and uses[_undirected(e)] == 2]
    if many:
        found.append(_at("non-manifold", many, mesh, "edges belong to more than two faces", False))
    if wrong:
        found.append(_at("winding", wrong, mesh, "edges belong to two faces that turn against each other", True))
    if lonely:
        found.append(_at("open", lonely, mesh, "edges belong to one face only: the surface has holes", True))
    if not many and not wrong and not lonely and mesh.volume < 0:
        found.append(Fault("inverted", len(mesh), 0, "the faces look inwards (the enclosed volume is negative)", True))
    return found


def mend(mesh: Mesh) -> tuple[Mesh, list[str]]:
    """The mesh with what can be mended mended, and what was done, in words; one that is sound comes back as it is.

    * `mesh`: any. Faces without area and doubled ones go, faces are turned to agree and to look outwards, small holes are filled.

    Raises `OrbitscopeError` where a fault is left: edges of more than two faces, holes that cannot be filled.
    """
    if not faults(mesh):
        return mesh, []
    import trimesh

    done = []
    body = Mesh.of_corners(mesh.corners)
    edge = np.linalg.norm(body.corners - np.roll(body.corners, 1, axis=1), axis=2).max(1)
    keep = body.areas > _THIN * np.maximum(edge, 1e-300) ** 2
    if not keep.all():
        done.append(f"{int((~keep).sum())} faces without area left out")
    _, first = np.unique(np.sort(body.faces[keep], axis=1), axis=0, return_index=True)
    kept = body.faces[keep][np.sort(first)]
    if len(kept) < int(keep.sum()):
        done.append(f"{int(keep.sum()) - len(kept)} doubled faces left out")
    if not len(kept):
        raise OrbitscopeError("mend: no face with an area is left.")
    given = trimesh.Trimesh(body.vertices, kept, process=False)
    before = given.faces.copy()
    trimesh.repair.fix_winding(given)
    turned = int((given.faces != before).any(1).sum())
    if turned:
        done.append(f"{turned} faces turned to agree with their neighbours")
    holes = len(given.faces)
    if not given.is_watertight and trimesh.repair.fill_holes(given):
        done.append(f"holes filled with {len(given.faces) - holes} faces")
    found = Mesh(np.asarray(given.vertices, dtype=np.float64), np.asarray(given.faces, dtype=np.int64))
    if found.closed and found.volume < 0:
        found = Mesh(found.vertices, found.faces[:, ::-1])
        done.append("all faces turned to look outwards")
    if left := faults(found):
        raise OrbitscopeError(f"mend: the mesh cannot be mended: {left[0].words} ({left[0].count}). Mend it in a mesh editor.")
    return found, done


def load_mesh(path: str | Path, *, unit: str | None = None, fix: bool = False, check: bool = True) -> tuple[Mesh, list[str]]:
    """The mesh in a file, in metres, and what was mended, in words.

    * `path`: .stl, .obj, .ply, .off, .glb or .gltf; bodies of a scene are joined. `unit`: m, cm, mm, km, in or ft; None: what the format
      says (glTF: metres). STL, OBJ, PLY and OFF have no unit, so it must be given where sizes count (`check`).
    * `fix`: whether faults are mended (`mend`). `check`: whether faults and a missing unit are refused; without it they are let through.

    Raises `OrbitscopeError` for a file that is missing, unreadable or without faces, an unknown unit, NaN, and faults that are not mended.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise OrbitscopeError(f"path: {path} should be one of {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise OrbitscopeError(f"path: there is no file {path}.")
    if unit is not None and unit not in UNITS:
        raise OrbitscopeError(f"unit: should be one of {', '.join(UNITS)}, got {unit!r}.")
    if unit is None and check and path.suffix.lower() not in _METRES:
        raise OrbitscopeError(f"unit: {path} does not say its unit of length, no {path.suffix} file does. Give one: unit=m, mm, in, ...")
    with reading(path, "path", "It is damaged, or not what its name says."):
        import trimesh

        given = trimesh.load(path, force="mesh", process=False)
        points, faces = np.asarray(given.vertices, dtype=np.float64), np.asarray(given.faces, dtype=np.int64)  # pyright: ignore[reportAttributeAccessIssue]
    if not len(faces):
        raise OrbitscopeError(f"path: {path} holds no faces.")
    try:
        raw = Mesh(points * UNITS[unit or "m"], faces)
    except OrbitscopeError as error:
        raise OrbitscopeError(f"path: {path}: {error}") from error
    mesh = Mesh.of_corners(raw.corners)  # STL gives every face its own corners
    if fix:
        return mend(mesh)
    if check and (left := faults(mesh)):
        said = "; ".join(f"{f.name}: {f.count} {f.words}, first at face {f.first}" for f in left)
        cure = (
            "Mend it with fix (on the command line --fix, or --initial fix=true)." if all(f.mendable for f in left) else "Mend it by hand."
        )
        raise OrbitscopeError(f"path: {path} is no surface of a body: {said}. {cure}")
    return mesh, []


def _fault(name: str, where: np.ndarray, words: str, mendable: bool) -> Fault:
    return Fault(name, int(where.sum()), int(np.flatnonzero(where)[0]), words, mendable)


def _undirected(edge: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(edge))


def _at(name: str, edges: list[tuple[int, ...]], mesh: Mesh, words: str, mendable: bool) -> Fault:
    return Fault(name, len(edges), _face_of(mesh.faces, edges[0]), words, mendable)


def _face_of(faces: Index, edge: tuple[int, ...]) -> int:
    return int(np.flatnonzero(np.isin(faces, edge).sum(1) >= 2)[0])
