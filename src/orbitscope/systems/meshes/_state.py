"""Meshes as tensors: padded corners, who borders on whom, and which faces are there."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ._mesh import Mesh

MeshState = tuple[Tensor, Tensor, Tensor]
"""`corners` [N, F, 3, 3], `neighbours` [N, F, 3] (int64, -1 for none) and `there` [N, F] (bool); what is not there is 0 and -1."""


def mesh_state(meshes: Sequence[Mesh], faces: int | None = None, dtype: torch.dtype = torch.float32) -> MeshState:
    """Meshes as one state of three tensors (see `MeshState`).

    * `meshes`: at least one. `faces`: room for so many; None: as many as the largest has. `dtype`: of the corners.

    Raises `OrbitscopeError` where a mesh has more faces.
    """
    most = max(len(m) for m in meshes)
    room = most if faces is None else faces
    if most > room:
        raise OrbitscopeError(f"mesh_state: a mesh has {most} faces, and there is room for `faces` = {room}. Give more room.")
    corners = np.zeros((len(meshes), room, 3, 3))
    neighbours = np.full((len(meshes), room, 3), -1, dtype=np.int64)
    there = np.zeros((len(meshes), room), dtype=np.bool_)
    for i, mesh in enumerate(meshes):
        n = len(mesh)
        corners[i, :n], neighbours[i, :n], there[i, :n] = mesh.corners, mesh.neighbours, True
    return torch.from_numpy(corners).to(dtype), torch.from_numpy(neighbours), torch.from_numpy(there)


def mesh_of(state: MeshState, index: int) -> Mesh:
    """One of the meshes.

    * `state`: of `mesh_state`. `index`: which.
    """
    corners, _, there = (part[index] for part in state)
    return Mesh.of_corners(corners[there].double().numpy(), 1e-9 if corners.dtype == torch.float64 else 1e-6)


def trimmed(state: MeshState) -> MeshState:
    """Without the room that no mesh of the batch needs: what a training step computes on.

    * `state`: of `mesh_state`.
    """
    corners, neighbours, there = state
    most = int(there.sum(1).max())
    return corners[:, :most], neighbours[:, :most], there[:, :most]
