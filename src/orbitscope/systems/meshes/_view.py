"""Pictures of meshes: shaded triangles with their edges, in true proportion, drawn by the page and for print."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ...data import Examples
from ._doors import SUFFIXES, faults, load_mesh
from ._mesh import Mesh
from ._reading import RIGHT, UP, seen_faces
from ._state import mesh_of

_FACE, _INSIDE, _EDGE, _TEXT = np.array([0.42, 0.62, 0.80]), np.array([0.85, 0.62, 0.50]), "#22344a", "#303a46"
_FEW = 6


def mesh_figure(meshes: Sequence[Mesh], titles: Sequence[str], columns: int = 3) -> Figure:
    """A sheet of meshes, seen from the front, the right and above, orthographic; faces seen from inside are reddish.

    * `meshes`: at least one. `titles`: one for each. `columns`: side by side at most.
    """
    columns = min(columns, len(meshes))
    rows = -(-len(meshes) // columns)
    figure = Figure(figsize=(3.1 * columns, 3.3 * rows), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    for k, (mesh, title) in enumerate(zip(meshes, titles, strict=True)):
        axes = figure.add_subplot(rows, columns, k + 1)
        _draw(axes, mesh)
        axes.set_title(title, fontsize=8.5, color=_TEXT)
    return figure


def _draw(axes, mesh: Mesh) -> None:
    corners = mesh.corners - (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    flat, order, seen, bright = seen_faces(corners)
    colours = np.where(seen[:, None], _FACE, _INSIDE) * bright[:, None]
    width = float(np.clip(9 / np.sqrt(len(mesh)), 0.15, 0.9))
    axes.add_collection(PolyCollection(list(flat[order]), facecolors=colours[order], edgecolors=_EDGE, linewidths=width, joinstyle="round"))
    reach = 1.06 * float(np.abs(flat).max())
    for axis, name in zip(np.eye(3), "xyz", strict=True):
        start, end = np.array([-1.08, -1.2]) * reach, np.array([axis @ RIGHT, axis @ UP]) * 0.2 * reach
        axes.annotate("", start + end, start, arrowprops={"arrowstyle": "->", "color": _TEXT, "lw": 0.9})
        axes.text(*(start + 1.35 * end), name, fontsize=7.5, color=_TEXT, ha="center", va="center")
    axes.set(xlim=(-1.15 * reach, 1.05 * reach), ylim=(-1.3 * reach, 1.02 * reach), aspect="equal")
    axes.axis("off")


def file_figure(path: Path, chosen: Sequence[int], fix: bool = False) -> tuple[Figure, list[str]]:
    """A sheet of the mesh in a file, with its faults in the title, and what was mended, in words.

    * `path`: one of `SUFFIXES`. `chosen`: must be empty, as a file has one mesh. `fix`: whether faults are mended.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OrbitscopeError(f"view: {path} should be one of {', '.join(SUFFIXES)}, or a file of examples.")
    if len(chosen):
        raise OrbitscopeError(f"trajectory: {path} holds one mesh. Leave --trajectory out.")
    mesh, done = load_mesh(path, check=False, fix=fix)
    said = ", ".join(f"{f.name}: {f.count}" for f in faults(mesh)) or "closed"
    size = " x ".join(f"{v:.3g}" for v in np.ptp(mesh.vertices, axis=0))
    return mesh_figure([mesh], [f"{path.name}\n{len(mesh):,} faces, {size}\n{said}"]), done


def examples_figure(examples: Examples, chosen: Sequence[int]) -> Figure:
    """A sheet of some examples.

    * `examples`: of meshes. `chosen`: their numbers; none given: the first six.
    """
    numbers = list(chosen) or list(range(min(_FEW, len(examples))))
    if wrong := [i for i in numbers if not 0 <= i < len(examples)]:
        raise OrbitscopeError(f"trajectory: {wrong[0]} is not in the file, which has {len(examples)} examples (numbered from 0).")
    meshes = [mesh_of(examples.x, i) for i in numbers]  # pyright: ignore[reportArgumentType]
    labels: NDArray[np.int64] = examples.slot
    several = len(examples.slots) > 1
    titles = [f"example {i}{f', meshing {labels[i]}' if several else ''}: {len(m)} faces" for i, m in zip(numbers, meshes, strict=True)]
    return mesh_figure(meshes, titles)
