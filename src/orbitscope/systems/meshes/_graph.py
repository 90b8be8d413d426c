"""Encoders of faces: one by one, and refined over the graph of faces."""

import torch
from torch import Tensor, nn

from ._faces import FACE_FEATURES, face_features, mean_over_neighbours


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers with SiLU between them.

    * `widths`: of what goes in, of the layers, of what comes out.
    """
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(zip(widths, widths[1:], strict=False)):
        layers += [nn.Linear(a, b)] + ([nn.SiLU()] if i < len(widths) - 2 else [])
    return nn.Sequential(*layers)


class FaceMLP(nn.Module):
    """Direct encoder: a network on the corners, normal and area of each face, [..., face, width].

    * `width`: of the embedding.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.width, self.layers = width, mlp(FACE_FEATURES, width, width, width)

    def forward(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        """Embeddings of `corners` [..., face, 3, 3]; `neighbours` [..., face, 3] and `there` [..., face] are not looked at."""
        return self.layers(face_features(corners))


class FaceGraph(nn.Module):
    r"""Graph encoder: direct embeddings, refined by $h_f \leftarrow h_f + \phi(h_f, \mathrm{mean}_{g \sim f} h_g)$, g across an edge.

    * `width`: of the embedding. `depth`: rounds.
    """

    def __init__(self, width: int = 64, depth: int = 3) -> None:
        super().__init__()
        self.width, self.first = width, FaceMLP(width)
        self.rounds = nn.ModuleList(nn.Sequential(nn.LayerNorm(2 * width), mlp(2 * width, width, width)) for _ in range(depth))

    def forward(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        """Embeddings of `corners` [..., face, 3, 3] with `neighbours` [..., face, 3]; `there` [..., face] is not looked at."""
        h = self.first(corners, neighbours, there)
        for layer in self.rounds:
            h = h + layer(torch.cat([h, mean_over_neighbours(h, neighbours)], -1))
        return h
