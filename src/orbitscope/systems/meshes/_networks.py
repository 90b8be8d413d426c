"""Networks from a mesh to a response: encoder of faces, sum over them, decoder."""

from typing import Any

import torch
from torch import Tensor, nn

from ...data import Examples
from ._codebook import FaceCodebook
from ._faces import mean_over_faces, normal_and_area
from ._graph import FaceGraph, FaceMLP, mlp
from ._integral import WaveIntegral
from ._state import trimmed


class FaceTokens(nn.Module):
    r"""Token encoder: embeddings of the faces rounded to a codebook, with the gradient passed straight through.

    Each of `digits` numbers is squashed to [-1, 1] and rounded to one of `levels`: a codebook of levels^digits words, none of which can
    fall out of use. What leaves is the embedding of the word.

    * `width`: of the embedding. `depth`: rounds of the graph below. `digits`, `levels`: of the codebook.
    """

    def __init__(self, width: int = 64, depth: int = 3, digits: int = 6, levels: int = 5) -> None:
        super().__init__()
        self.width, self.levels = width, levels
        self.graph, self.down, self.up = FaceGraph(width, depth), nn.Linear(width, digits), mlp(digits, width, width)

    def tokens(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        """The rounded numbers, [..., face, digit], each in [-1, 1].

        * `corners`: in the unit of length, [..., face, 3, 3]. `neighbours`: faces across the edges, [..., face, 3], -1 for none.
        * `there`: [..., face], not looked at.
        """
        half = (self.levels - 1) / 2
        soft = self.down(self.graph(corners, neighbours, there)).tanh()
        return soft + ((soft * half).round() / half - soft).detach()

    def forward(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        """Embeddings of `corners` [..., face, 3, 3] with `neighbours` [..., face, 3]; `there` [..., face] is not looked at."""
        return self.up(self.tokens(corners, neighbours, there))


ENCODERS: dict[str, type[nn.Module]] = {"mlp": FaceMLP, "graph": FaceGraph, "token": FaceTokens, "codebook": FaceCodebook}


class Response(nn.Module):
    """Base of all: y = mean + scale * network, with mean and scale of the training answers.

    * `answers`: y of the training examples, [N, answer]. `features`: that `pooled` gives. `width`: of the decoder.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, answers: Tensor, features: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", answers.float().mean(0))
        self.register_buffer("scale", answers.float().std().clamp_min(1e-6))
        self.decoder = mlp(features, width, width, answers.shape[1])

    def pooled(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        """What the decoder reads of meshes, [N, features].

        * `corners`: in the unit of length, [N, face, 3, 3]. `neighbours`: faces across the edges, [N, face, 3], -1 for none.
        * `there`: which faces there are, bool [N, face].
        """
        raise NotImplementedError

    def forward(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        """The response [N, answer] of meshes as `mesh_state` gives them.

        * `corners`: in the unit of length, [N, face, 3, 3]. `neighbours`: faces across the edges, [N, face, 3], -1 for none.
        * `there`: which faces there are, bool [N, face].
        """
        if self.training:  # the room that no mesh of the batch needs costs time; how much is needed is not known under torch.func
            corners, neighbours, there = trimmed((corners, neighbours, there))
        return self.mean + self.scale * self.decoder(self.pooled(corners, neighbours, there))


class MeshNetwork(Response):
    """An encoder of faces, the plain mean over them, a decoder.

    * `answers`: as of `Response`. `encoder`: mlp, graph, token or codebook. `width`: of the embedding. `decoder`: width of the decoder.
      `options`: of the encoder.
    """

    def __init__(self, answers: Tensor, encoder: str, width: int = 64, decoder: int = 128, **options: Any) -> None:
        super().__init__(answers, width, decoder)
        self.encoder = ENCODERS[encoder](width, **options)

    def pooled(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        return mean_over_faces(self.encoder(corners, neighbours, there), there)


class MeshQuadrature(Response):
    r"""$\sum_f S_f\, \phi(c_f, \hat n_f)$ with the area S and the centre c of the faces: a quadrature of one point a face.

    * `answers`: as of `Response`. `width`: of $\phi$. `decoder`: width of the decoder. `waves`: sines and cosines of the centre.
    * `spread`: standard deviation of their frequencies, which are drawn once and stay, in the inverse unit of length.
    """

    frequencies: Tensor

    def __init__(self, answers: Tensor, width: int = 64, decoder: int = 128, waves: int = 32, spread: float = 4.0) -> None:
        super().__init__(answers, width, decoder)
        self.register_buffer("frequencies", spread * torch.randn(waves, 3))
        self.layers = mlp(6 + 2 * waves, width, width, width)

    def pooled(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        centre, (normal, area) = corners.mean(-2), normal_and_area(corners)
        phase = centre @ self.frequencies.T
        found = self.layers(torch.cat([centre, normal, phase.sin(), phase.cos()], -1))
        return (found * (area * there)[..., None]).sum(-2)


class MeshIntegral(Response):
    """Exact integrals of learnt waves over the surface (`WaveIntegral`), a decoder: cutting flat faces changes nothing.

    * `answers`: as of `Response`. `channels`, `spread`, `width`, `points`: of `WaveIntegral`. `decoder`: width of the decoder.
    """

    def __init__(
        self, answers: Tensor, channels: int = 128, decoder: int = 128, spread: float = 6.0, width: int = 32, points: int = 8
    ) -> None:
        super().__init__(answers, 3 * channels, decoder)
        self.integral = WaveIntegral(channels, spread, width, points)

    def pooled(self, corners: Tensor, neighbours: Tensor, there: Tensor) -> Tensor:
        return self.integral(corners, there)


def made(kind: str, examples: Examples, **options: Any) -> Response:
    """A network by name for examples like these: "mlp", "graph", "token", "codebook", "quadrature" or "integral".

    * `kind`: its name. `examples`: whose answers give mean and scale. `options`: of the network.
    """
    answers = examples.y
    assert isinstance(answers, Tensor)
    if kind == "quadrature":
        return MeshQuadrature(answers, **options)
    if kind == "integral":
        return MeshIntegral(answers, **options)
    return MeshNetwork(answers, kind, **options)
