"""Re-meshing: moves that leave the shape alone, as an action on states, and what they do to the geometry."""

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from torch import Tensor

from ..._errors import OrbitscopeError
from ...symmetry import Action, Moves, State, Word
from ._mesh import Mesh
from ._state import MeshState

_FLAT = {torch.float64: 1e-9, torch.float32: 1e-5}  # sine of the angle of two faces in one plane, in the precision of the corners
_LETTER = re.compile(r"([a-z]+)(?:_(\d+))?")


@dataclass(frozen=True)
class Operator:
    """A way to mesh the same shape anew.

    * `name`: without its level. `exact`: whether flat faces stay where they are; else `surface_error` tells what it costs.
    * `levelled`: whether a level follows the name, in hundredths of the faces (splits, attempts) or of the faces that are left.
    * `description`: one line.
    """

    name: str
    exact: bool
    levelled: bool
    description: str


OPERATORS = {
    o.name: o
    for o in (
        Operator("split", True, True, "a new vertex inside a face, for so many of a hundred faces"),
        Operator("edge", True, True, "a new vertex on an edge, for so many of a hundred faces"),
        Operator("flip", True, True, "the other diagonal of two faces in one plane, so many attempts for a hundred faces"),
        Operator("midpoint", True, False, "every face in four"),
        Operator("remesh", False, True, "cut to short edges, then decimated to so many of a hundred faces: faces of like size"),
        Operator("decimate", False, True, "quadric edge collapse to so many of a hundred faces"),
    )
}
EXACT = ("split_30", "split_100", "edge_30", "edge_100", "flip_50", "flip_200", "midpoint")
APPROXIMATE = ("remesh_200", "midpoint+decimate_50", "edge_100+decimate_70")


def remeshing(moves: Sequence[str] = EXACT, name: str = "remeshing") -> Moves:
    """Moves that mesh a shape anew: operators with their level, such as "split_30", several one after the other "midpoint+decimate_50".

    * `moves`: as above; by default those that leave flat faces where they are. `name`: what results call them.

    Raises `OrbitscopeError` for letters that are no operators.
    """
    words = []
    for move in moves:
        letters = tuple(reversed(move.split("+")))  # of a word the last letter is done first
        for letter in letters:
            read(letter)
        words.append(Word(letters, name=move))
    return Moves(name, words)


def read(letter: str) -> tuple[Operator, int]:
    """Operator and level of a letter; raises `OrbitscopeError` for another text."""
    match = _LETTER.fullmatch(letter)
    found = OPERATORS.get(match[1]) if match else None
    if match is None or found is None or (match[2] is not None) != found.levelled:
        known = ", ".join(f"{o.name}_30" if o.levelled else o.name for o in OPERATORS.values())
        raise OrbitscopeError(f"remeshing: {letter!r} is no move. Moves are an operator and, if it has one, a level: {known}.")
    return found, int(match[2] or 0)


class Remesh(Action[Word]):
    """Re-meshing of states (`MeshState`); which faces are cut depends on the shape, the move and `seed` alone.

    * `seed`: of all random choices; another one cuts the same meshes elsewhere. `measured`: geometric error by move, for results.

    Where the room of a state does not suffice, fewer faces are cut. A move has no inverse.
    """

    channels = ("corners", "neighbours", "there")

    def __init__(self, seed: int = 0, measured: Mapping[str, float] | None = None) -> None:
        self.seed, self.measured = seed, dict(measured or {})

    def blocks(self, state: State) -> tuple[Tensor, ...]:
        return tuple(part.flatten(1)[:, None] for part in state)

    def describe(self) -> dict[str, Any]:
        """With the geometric error of every move, 0 for an exact one."""
        return {**super().describe(), "seed": self.seed, "surface_error": self.measured}

    def __call__(self, element: Word, state: State) -> State:
        self.require(element)
        for letter in reversed(element.letters):
            operator, level = read(letter)
            state = remeshed(state, operator.name, level, self._seeds(letter, state))
        return state

    def require(self, element: Word) -> None:
        for letter in element.letters:
            if letter.endswith("^-1"):
                raise OrbitscopeError(f"remeshing: {letter} is no move: what was cut is not mended. Take the mesh as it was.")
            read(letter)

    def is_exact(self, element: Word) -> bool:
        """Whether flat faces stay where they are."""
        return all(read(letter)[0].exact for letter in element.letters)

    def error(self, element: Word, state: State) -> float:
        """How far the surface moves: the largest `surface_error` of the first four meshes over the size of each."""
        if self.is_exact(element):
            return 0.0
        from ._state import mesh_of

        moved = self(element, tuple(p[:4] for p in state))
        gaps = []
        for i in range(len(moved[0])):
            mesh = mesh_of(state, i)
            gaps.append(surface_error(mesh, mesh_of(moved, i)) / float(np.ptp(mesh.vertices, axis=0).max()))
        return max(gaps)

    def _seeds(self, letter: str, state: MeshState) -> list[int]:
        found = []
        for corners, there in zip(state[0], state[2], strict=True):
            content = corners[there].float().contiguous().cpu().numpy().round(4) + 0.0  # the same in both precisions
            found.append(zlib.crc32(content.tobytes(), zlib.crc32(f"{letter} {self.seed}".encode())))
        return found


def remeshed(state: MeshState, name: str, level: int, seeds: Sequence[int]) -> MeshState:
    """The meshes of `state` under an operator, each by its own seed; corners keep their precision and the state its room."""
    corners, neighbours, there = (part.detach().cpu().clone() for part in state)
    room, flat = corners.shape[1], _FLAT[torch.float32 if corners.dtype != torch.float64 else torch.float64]
    for i, seed in enumerate(seeds):
        n = int(there[i].sum())
        wide = corners[i].double().numpy().copy()
        near = neighbours[i].numpy().copy()
        if OPERATORS[name].exact:
            now, wide, near = _cut(wide, near, n, room, name, level, seed, flat)
        else:
            mesh = _APPROXIMATE[name](Mesh.of_corners(wide[:n], 1e-6), level)
            if len(mesh) > room:
                raise OrbitscopeError(f"remeshing: {name} gives {len(mesh)} faces, and the state has room for {room}.")
            now, wide, near = len(mesh), np.zeros_like(wide), np.full_like(near, -1)
            wide[:now], near[:now] = mesh.corners, mesh.neighbours
        corners[i], neighbours[i] = torch.from_numpy(wide).to(corners.dtype), torch.from_numpy(near)
        there[i] = torch.arange(room) < now
    return tuple(part.to(given.device) for part, given in zip((corners, neighbours, there), state, strict=True))  # pyright: ignore[reportReturnType]


def _cut(
    corners: NDArray[np.float64], near: NDArray[np.int64], count: int, room: int, name: str, level: int, seed: int, flat: float
) -> tuple[int, NDArray[np.float64], NDArray[np.int64]]:
    from ._remesh_kernel import cut_all, many_edges, many_faces, many_flips  # numba

    rng, times = np.random.default_rng(seed), max(1, round(count * level / 100))
    if name == "midpoint":
        if 4 * count > room:
            raise OrbitscopeError(
                f"remeshing: midpoint gives {4 * count} faces, and the state has room for {room}. Simulate with more faces=."
            )
        out, border = np.zeros_like(corners), np.full_like(near, -1)
        return cut_all(corners, near, count, out, border), out, border
    if name == "split":
        count = many_faces(corners, near, count, room, times, rng.random((times, 4)))
    elif name == "edge":
        count = many_edges(corners, near, count, room, times, rng.random((times, 3)))
    else:
        many_flips(corners, near, count, times, rng.random((times, 2)), flat)
    return count, corners, near


def _decimated(mesh: Mesh, level: int) -> Mesh:
    import fast_simplification

    wanted = max(4, round(len(mesh) * level / 100))
    made: Any = fast_simplification.simplify(mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32), target_count=wanted)  # pyright: ignore[reportArgumentType]
    kept = Mesh(made[0].astype(np.float64), made[1].astype(np.int64)).corners
    found = Mesh.of_corners(kept, 1e-6)
    sound = found.areas > 1e-12 * found.area
    return Mesh(found.vertices, found.faces[sound])


def _like_sized(mesh: Mesh, level: int) -> Mesh:
    from trimesh.remesh import subdivide_to_size

    edge = 0.75 * np.sqrt(4 / np.sqrt(3) * mesh.area / max(4, len(mesh) * level / 100))
    points, faces = subdivide_to_size(mesh.vertices, mesh.faces, edge, max_iter=20)[:2]
    fine = Mesh.of_corners(points[faces], 1e-9)
    return _decimated(fine, max(1, round(100 * max(4, len(mesh) * level / 100) / len(fine))))


_APPROXIMATE: dict[str, Callable[[Mesh, int], Mesh]] = {"remesh": _like_sized, "decimate": _decimated}


def surface_error(mesh: Mesh, other: Mesh, points: int = 3) -> float:
    r"""How far two surfaces lie apart: the largest distance of points of one from the other, both ways (Hausdorff, on a sample).

    * `mesh`, `other`: the surfaces. `points`: so many to an edge of every face, at least 2; the sample.

    In the unit of length. The sample bounds the distance from below.
    """
    return max(_one_way(mesh, other, points), _one_way(other, mesh, points))


def _one_way(mesh: Mesh, other: Mesh, points: int) -> float:
    grid = [(i, j) for i in range(points) for j in range(points - i)]
    share = np.array([[i, j, points - 1 - i - j] for i, j in grid]) / (points - 1)
    at = np.unique(np.einsum("sc,fcx->fsx", share, mesh.corners).reshape(-1, 3), axis=0)
    # No triangle can be nearer than the nearest corner unless its centre lies within that distance and its own reach.
    centres = other.corners.mean(1)
    reach = float(np.linalg.norm(other.corners - centres[:, None], axis=2).max())
    nearest = KDTree(other.corners.reshape(-1, 3)).query(at)[0]
    chosen = KDTree(centres).query_ball_point(at, (nearest + reach) * (1 + 1e-9))
    return float(max(_to_triangles(p, other.corners[some]) for p, some in zip(at, chosen, strict=True)))


def _to_triangles(p: NDArray[np.float64], corners: NDArray[np.float64]) -> float:
    """Distance of a point from the nearest of some triangles."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    normal = np.cross(b - a, c - a)
    size = np.maximum((normal**2).sum(1), 1e-300)
    longest = np.maximum(np.maximum(((b - a) ** 2).sum(1), ((c - b) ** 2).sum(1)), ((a - c) ** 2).sum(1))
    inside = size > (1e-12 * longest) ** 2  # a face without area has no inside: its edges are all of it
    best = np.full(len(a), np.inf)
    for u, v in ((a, b), (b, c), (c, a)):
        edge = v - u
        inside &= (np.cross(edge, p - u) * normal).sum(1) >= 0
        t = np.clip(((p - u) * edge).sum(1) / np.maximum((edge**2).sum(1), 1e-300), 0, 1)
        best = np.minimum(best, np.linalg.norm(u + t[:, None] * edge - p, axis=1))
    plane = np.abs(((p - a) * normal).sum(1)) / np.sqrt(size)
    return float(np.where(inside, np.minimum(plane, best), best).min())


class RandomRemesh:
    """Augmentation: every training example of every step under a random move.

    * `moves`: letters, one of which is drawn for each example, or none of them (the mesh as it is), all alike likely.
    """

    def __init__(self, moves: Sequence[str] = EXACT) -> None:
        self.moves = tuple(moves)
        self.name = "remesh " + " ".join(self.moves)
        for move in self.moves:
            read(move)

    def draw(self, length: int, seed: int, epoch: int, step: int) -> Tensor:
        """A number for each example, from which move and cuts follow, [length].

        * `length`: of the batch. `seed`, `epoch`, `step`: of the training.
        """
        words = np.random.Philox(np.random.SeedSequence((seed, zlib.crc32(b"remesh"), epoch, step))).random_raw(length)
        return torch.from_numpy((np.atleast_1d(words) >> np.uint64(2)).astype(np.int64))

    def __call__(self, drawn: Tensor, x: State, y: State) -> tuple[State, State]:
        parts: list[list[Any]] = []
        for i, word in enumerate(drawn.tolist()):
            one = tuple(p[i : i + 1] for p in x)
            which = word % (len(self.moves) + 1)
            if which < len(self.moves):
                operator, level = read(self.moves[which])
                if operator.name != "midpoint" or 4 * int(one[2].sum()) <= one[0].shape[1]:
                    one = remeshed(one, operator.name, level, [word >> 8])  # pyright: ignore[reportArgumentType]
            parts.append(list(one))
        return tuple(torch.cat(some) for some in zip(*parts, strict=True)), y
