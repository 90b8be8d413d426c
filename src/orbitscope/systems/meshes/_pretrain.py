"""Pretraining of face encoders without labels: reconstruct faces, reconstruct hidden faces, tell shapes apart whatever their mesh."""

from typing import Any

import torch
from torch import Tensor, nn

from ...symmetry import State
from ...training import Loss
from ._faces import FACE_FEATURES, face_features, mean_over_faces
from ._graph import mlp
from ._networks import ENCODERS
from ._remesh import EXACT, RandomRemesh

_TEMPERATURE = 0.1


class FaceAutoencoder(nn.Module):
    """An encoder of faces, a narrow code, a network that gives corners, normal and area of every face back, [N, face, 13].

    * `encoder`: mlp, graph, token or codebook. `width`: of the embedding. `code`: numbers between encoder and decoder.
    * `hidden`: part of the faces whose corners are hidden from the encoder, drawn anew in every training step (0: none).
    * `options`: of the encoder.
    """

    def __init__(self, encoder: str = "graph", width: int = 64, code: int = 8, hidden: float = 0.0, **options: Any) -> None:
        super().__init__()
        self.encoder, self.hidden = ENCODERS[encoder](width, **options), hidden
        self.code, self.back = nn.Linear(width, code), mlp(code, width, width, FACE_FEATURES)

    def forward(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        """The faces of meshes as `mesh_state` gives them, from a code of each, [N, face, 13].

        * `corners`: in the unit of length, [N, face, 3, 3]. `neighbours`: faces across the edges, [N, face, 3], -1 for none.
        * `there`: which faces there are, bool [N, face].
        """
        if self.hidden:
            drawn = torch.rand(there.shape, device=there.device) if self.training else _fixed(there)
            corners = corners * (drawn >= self.hidden)[..., None, None]
        return self.back(self.code(self.encoder(corners, neighbours, there)))


class ReconstructionLoss(Loss):
    """Mean squared error of the faces that are there, against what is in the state itself; y plays no part."""

    name = "reconstruction"
    needs_state = True

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """[B], of predictions [B, face, 13]."""
        corners, _, there = state
        gap = (prediction - face_features(corners)).square().mean(-1, keepdim=True)
        return mean_over_faces(gap, there)[..., 0]


class MeshContrast(nn.Module):
    """Two embeddings of every shape, of its mesh and of another of the same shape, [N, 2, width].

    * `encoder`: mlp, graph, token or codebook. `width`: of the embedding. `moves`: that make the other mesh. `options`: of the encoder.

    The other mesh is drawn anew in every training step, and is always the same in evaluation.
    """

    def __init__(self, encoder: str = "graph", width: int = 64, moves: tuple[str, ...] = EXACT, **options: Any) -> None:
        super().__init__()
        self.encoder, self.head = ENCODERS[encoder](width, **options), mlp(width, width, width)
        self.moves = RandomRemesh(moves)

    def forward(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        """The embeddings of meshes as `mesh_state` gives them and of their other meshes, [N, 2, width].

        * `corners`: in the unit of length, [N, face, 3, 3]. `neighbours`: faces across the edges, [N, face, 3], -1 for none.
        * `there`: which faces there are, bool [N, face].
        """
        seed = int(torch.randint(2**31, ())) if self.training else 0
        drawn = self.moves.draw(len(corners), seed, 0, 0)
        other, _ = self.moves(drawn, (corners, neighbours, there), there)
        found = [self.head(mean_over_faces(self.encoder(*state), state[2])) for state in ((corners, neighbours, there), other)]
        return torch.stack(found, 1)


class ContrastLoss(Loss):
    r"""$-\log$ of the softmax share of one's own other mesh among those of the batch, by cosines over a temperature of 0.1, both ways."""

    name = "contrast"

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """The mean over the batch, [], of embeddings [B, 2, width]."""
        a, b = torch.nn.functional.normalize(prediction, dim=-1).unbind(1)
        likeness, own = a @ b.T / _TEMPERATURE, torch.arange(len(a), device=a.device)
        both = (torch.nn.functional.cross_entropy(m, own) for m in (likeness, likeness.T))
        return sum(both, torch.zeros((), device=a.device, dtype=a.dtype)) / 2


def _fixed(there: Tensor) -> Tensor:
    """Numbers in [0, 1) that look drawn and are always the same, [..., face]."""
    place = torch.arange(there.shape[-1], device=there.device, dtype=torch.float64)
    return (place * 0.6180339887498949).remainder(1.0).expand(there.shape)
