"""Examples of meshes with their response: radar of basic shapes and of files, capacity of basic shapes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Examples
from ...physics import capacity, physical_optics
from ._doors import load_mesh
from ._mesh import Mesh
from ._remesh import Remesh, remeshing
from ._shadow import in_light
from ._shapes import CONVEX, SHAPES, random_shape, sphere
from ._state import MeshState, mesh_state

Real = NDArray[np.float64]
Progress = Callable[[str, float, float], None]

RADAR = {"wavenumbers": 8, "k_low": 1.25, "k_high": 5.0, "floor": 0.03, "shadow": False}
SHAPES_DEFAULTS: dict[str, Any] = {"kinds": tuple(SHAPES), "turned": "z", "faces": 320, "meshings": 1, **RADAR}
FILES_DEFAULTS: dict[str, Any] = {"files": (), "unit": "", "size": 1.0, "turned": "all", "faces": 0, "fix": False, **RADAR}
CAPACITY_DEFAULTS: dict[str, Any] = {"kinds": CONVEX, "turned": "all", "faces": 320, "elements": 200}


def radar_directions() -> Real:
    """The twelve directions that the radar looks from, corners of an icosahedron, [12, 3]."""
    return sphere(0).vertices


class RadarLaw:
    r"""The simulator as a map of states: $y = \log_{10}(|A|^2 + \epsilon^2)$ in twelve directions at every wavenumber, [N, 12 K].

    * `wavenumbers`: k, [K], in the inverse unit of length. `floor`: $\epsilon$, a length: what the receiver's noise hides.
      `shadow`: whether faces shade one another (rays to the centres of faces).
    """

    def __init__(self, wavenumbers: Real, floor: float = 0.03, shadow: bool = False) -> None:
        self.wavenumbers, self.floor, self.shadow = np.asarray(wavenumbers, dtype=np.float64), floor, shadow
        if not (np.isfinite(floor) and floor > 0):
            raise OrbitscopeError(f"radar: `floor` should be a positive length, got {floor}.")

    __name__ = "physical optics"

    def of(self, triangles: Real) -> Real:
        """The answer [12 K] for one body of `triangles`, corners [face, 3, 3] in the unit of length."""
        towards = radar_directions()
        lit = in_light(triangles, towards) if self.shadow else None
        amplitude = physical_optics(triangles, towards, self.wavenumbers, lit=lit, threads=1)
        return np.log10(np.abs(amplitude) ** 2 + self.floor**2).ravel()

    def __call__(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        """Of a state; `neighbours` play no part."""
        found = [self.of(c[t].double().cpu().numpy()) for c, t in zip(corners, there, strict=True)]
        return torch.from_numpy(np.array(found)).to(corners.dtype)


class CapacityLaw:
    """The capacity of bodies, [N, 1], with faces cut in four until there are `elements` of them.

    * `elements`: boundary elements at least.
    """

    def __init__(self, elements: int = 200) -> None:
        self.elements = elements

    __name__ = "boundary elements"

    def of(self, triangles: Real) -> Real:
        """The capacity [1] of one body of `triangles`, corners [face, 3, 3], in their unit of length."""
        while len(triangles) < self.elements:
            a, b, c = np.moveaxis(triangles, 1, 0)
            ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
            triangles = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
        return np.array([capacity(triangles)])

    def __call__(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        """Of a state; `neighbours` play no part."""
        found = [self.of(c[t].double().cpu().numpy()) for c, t in zip(corners, there, strict=True)]
        return torch.from_numpy(np.array(found)).to(corners.dtype)


def law_of(about: dict[str, Any]) -> RadarLaw | CapacityLaw:
    """The simulator behind a file, from what the file says.

    * `about`: of the examples.
    """
    given = about.get("parameters", {})
    if about.get("scenario") == "capacity.shapes":
        return CapacityLaw(int(given["elements"]))
    return RadarLaw(wavenumbers_of(given), float(given["floor"]), bool(given["shadow"]))


def wavenumbers_of(given: dict[str, Any]) -> Real:
    """Evenly spaced wavenumbers from the parameters `wavenumbers`, `k_low`, `k_high`.

    * `given`: parameters of a scenario.
    """
    low, high, count = float(given["k_low"]), float(given["k_high"]), int(given["wavenumbers"])
    if not 0 < low < high < np.inf or count < 2:
        raise OrbitscopeError(f"radar: expected 0 < k_low < k_high and at least 2 wavenumbers, got {low}, {high} and {count}.")
    return np.linspace(low, high, count)


def radar_shapes(count: int, seed: int, progress: Progress | None, **given: Any) -> Examples:
    """Basic shapes, each a unit, with their radar response; slot 0 is the mesh as it is made, further slots are exact re-meshings.

    * `count`: shapes. `seed`: of their sizes and turns, and of the cuts. `progress`: called with (stage, done, total), or None.
    * `given`: parameters, see `SHAPES_DEFAULTS`: `kinds` of shapes, how they are `turned`, room for `faces`, how many `meshings` of each.
    """
    law = RadarLaw(wavenumbers_of(given), float(given["floor"]), bool(given["shadow"]))
    meshes = _shapes(count, seed, given)
    return _examples(meshes, law, int(given["faces"]), int(given["meshings"]), seed, "radar.shapes", progress)


def capacity_shapes(count: int, seed: int, progress: Progress | None, **given: Any) -> Examples:
    """Basic shapes with their capacity, in the unit of length.

    * `count`, `seed`, `progress`: as of `radar_shapes`. `given`: parameters, see `CAPACITY_DEFAULTS`.
    """
    return _examples(
        _shapes(count, seed, given), CapacityLaw(int(given["elements"])), int(given["faces"]), 1, seed, "capacity.shapes", progress
    )


def radar_files(count: int, seed: int, progress: Progress | None, **given: Any) -> Examples:
    """Meshes in files with their radar response, each file turned at random; the longest extent is scaled to `size`.

    * `count`: examples, shared among the files in turn. `seed`: of the turns. `progress`: called with (stage, done, total), or None.
    * `given`: parameters, see `FILES_DEFAULTS`: `files`, the `unit` that files without one are in, `fix` to mend what can be mended.
    """
    names = _listed(given["files"])
    if not names:
        raise OrbitscopeError("radar.files: name the files, --initial files=a.stl,b.ply unit=m.")
    read = [load_mesh(Path(name), unit=str(given["unit"]) or None, fix=bool(given["fix"]))[0] for name in names]
    law = RadarLaw(wavenumbers_of(given), float(given["floor"]), bool(given["shadow"]))
    meshes = [_turned(read[i % len(read)], seed, i, str(given["turned"]), float(given["size"])) for i in range(count)]
    room = int(given["faces"]) or max(len(m) for m in meshes)
    return _examples(meshes, law, room, 1, seed, "radar.files", progress)


def _shapes(count: int, seed: int, given: dict[str, Any]) -> list[Mesh]:
    kinds = _listed(given["kinds"])
    return [random_shape(kinds[i % len(kinds)], seed, i, str(given["turned"])) for i in range(count)]


def _listed(words: Any) -> list[str]:
    """Words with commas between them, or a list of words."""
    return [w.strip() for w in words.split(",") if w.strip()] if isinstance(words, str) else [str(w) for w in words]


def _turned(mesh: Mesh, seed: int, index: int, turned: str, size: float) -> Mesh:
    centre = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    scaled = mesh.moved(offset=-centre).moved(np.eye(3) * size / float(np.ptp(mesh.vertices, axis=0).max()))
    if turned == "none":
        return scaled
    rng = np.random.default_rng([seed, 0xF11E, index])
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    turn = q * np.sign(np.diag(r))
    return scaled.moved(turn * np.sign(np.linalg.det(turn)))


def _examples(
    meshes: Sequence[Mesh], law: RadarLaw | CapacityLaw, faces: int, meshings: int, seed: int, name: str, progress: Progress | None
) -> Examples:
    if meshings < 1:
        raise OrbitscopeError(f"{name}: `meshings` should be at least 1, got {meshings}.")
    answers = []
    for i, mesh in enumerate(meshes):
        answers.append(law.of(mesh.corners))
        if progress is not None:
            progress(f"simulate {name}", i + 1, len(meshes))
    y = torch.from_numpy(np.array(answers)).float()
    states, cuts = [mesh_state(meshes, faces)], remeshing().probes()[1:]
    for k in range(1, meshings):
        states.append(_meshed(states[0], cuts[(k - 1) % len(cuts)], seed + k))
    x = tuple(torch.cat(some) for some in zip(*states, strict=True))
    n = len(meshes)
    return Examples(x, y.repeat(meshings, 1), np.tile(np.arange(n), meshings), np.repeat(np.arange(meshings), n), name)


def _meshed(state: MeshState, move: Any, seed: int) -> MeshState:
    return Remesh(seed)(move, state)  # pyright: ignore[reportReturnType]
