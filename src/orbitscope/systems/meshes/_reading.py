"""What a report shows of re-meshing: a few bodies in other meshes, and by how much the answer changes for each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from ...data import Examples
from ._remesh import APPROXIMATE, EXACT, Remesh, remeshing, surface_error
from ._state import mesh_of

_MEASURED = 6  # shapes on which the geometric error of a move is measured
_LOOKED = 24  # examples at which the change of the answer is measured
_SHOWN = 6000  # faces; a mesh of more is no picture, and is not kept

# Rows: to the right, upwards, towards the reader, for a view from the front, the right and above.
RIGHT, UP, NEAR = np.array([0.866, 0.5, 0.0]), np.array([-0.25, 0.433, 0.866]), np.array([0.433, -0.75, 0.5])
_LIGHT = np.array([0.15, -0.65, 0.745])


def seen_faces(corners: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
    """Triangles as they are seen from the front, the right and above, orthographic: flat corners [face, 3, 2], the order to draw them in
    (far ones first, those seen from inside before all others), which show their outside [face], how bright each is [face], 0.55 to 1.

    * `corners`: [face, 3, 3], counterclockwise seen from outside.
    """
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-300)
    outside = normal @ NEAR > 0
    order = np.lexsort(((corners @ NEAR).mean(1), outside))
    bright = 0.55 + 0.45 * np.clip(np.where(outside, 1, -1) * (normal @ _LIGHT), 0, 1)
    return np.stack([corners @ RIGHT, corners @ UP], -1), order, outside, bright


@torch.no_grad()
def mesh_reading(model: nn.Module, examples: Examples, *, bodies: int = 2, moves: Sequence[str] = (*EXACT, *APPROXIMATE)) -> xr.Dataset:
    r"""By how much a model's answer changes when the mesh does, $\|f(g x) - f(x)\| / \|y - \bar y\|$ (root mean squares), with the
    meshes of a few examples to look at.

    * `model`: from meshes to answers as those of `examples`. `examples`: of meshes; 24 of them, evenly chosen, are looked at.
    * `bodies`: how many are kept for a picture, at most 2: the one whose answer changes most, and one in the middle. `moves`: re-meshings.

    `change` [body, element] and `typical` [element] (root mean square over all that were looked at), dimensionless; `surface_error`
    [element]: geometric error of the move over the size of the body, 0 for an exact one; `corners` [body, element, face, corner, axis], in
    the unit of length, NaN where there is no face (a mesh of more than 6000 is left out). The first element is the mesh as it was.
    """
    x, y = examples.x, examples.y
    assert isinstance(x, tuple) and isinstance(y, Tensor)
    like, action, words = next(model.parameters()), Remesh(), remeshing(moves).probes()
    chosen = torch.linspace(0, len(examples) - 1, min(_LOOKED, len(examples))).round().long().unique()
    state = tuple(part[chosen] for part in x)
    spread = float((y.double() - y.double().mean(0)).square().mean().sqrt()) or 1.0
    states = [state, *(action(word, state) for word in words[1:])]
    answers = [model(s[0].to(like), *s[1:]).double() for s in states]
    change = np.array([float(((a - answers[0]) / spread).square().mean().sqrt()) for a in answers])
    each = np.stack([((a - answers[0]) / spread).square().mean(1).sqrt().numpy() for a in answers], 1)  # [example, element]
    ranked = np.argsort(-each[:, 1:].mean(1), kind="stable")
    kept = list(dict.fromkeys([int(ranked[0]), int(ranked[len(ranked) // 2])]))[:bodies]
    room = min(_SHOWN, max(int(s[2][k].sum()) for s in states for k in kept))
    corners = np.full((len(kept), len(states), room, 3, 3), np.nan, dtype=np.float32)
    for b, k in enumerate(kept):
        for e, (places, _, there) in enumerate(states):
            if (count := int(there[k].sum())) <= room:
                corners[b, e, :count] = places[k][there[k]].cpu().numpy()
    moved = [0.0 if e == 0 else geometric_error(examples, word) for e, word in enumerate(words)]
    units = {"units": "1"}
    return xr.Dataset(
        {
            "change": (("body", "element"), each[kept], {"long_name": "change of the answer over the spread of the true ones", **units}),
            "typical": ("element", change, {"long_name": "the same, over all examples that were looked at", **units}),
            "surface_error": ("element", np.array(moved), {"long_name": "distance of the surfaces over the size of the body", **units}),
            "corners": (("body", "element", "face", "corner", "axis"), corners, {"long_name": "corners of the faces"}),
        },
        {"body": chosen[kept].numpy(), "element": [word.name for word in words], "axis": ["x", "y", "z"]},
        {"looked_at": len(chosen)},
    )


def geometric_error(examples: Examples, move: Any) -> float:
    """How far a move moves the surface, over the size of the body: the largest of six shapes; 0 for an exact move.

    * `examples`: whose meshes are moved. `move`: of `remeshing`.
    """
    action = Remesh()
    if action.is_exact(move):
        return 0.0
    chosen = torch.linspace(0, len(examples) - 1, min(_MEASURED, len(examples))).round().long()  # neighbours may be of one kind
    state = tuple(p[chosen] for p in examples.x)
    moved, worst = action(move, state), 0.0
    for i in range(len(state[0])):
        mesh = mesh_of(state, i)  # pyright: ignore[reportArgumentType]
        worst = max(worst, surface_error(mesh, mesh_of(moved, i)) / max(float(v) for v in mesh.vertices.max(0) - mesh.vertices.min(0)))
    return worst
