"""Exact integrals of waves over triangles, as a layer: what it gives does not change when flat faces are cut."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from ._faces import normal_and_area, ordered


def wave_integrals(corners: Tensor, frequencies: Tensor, points: int = 6) -> tuple[Tensor, Tensor]:
    r"""Real and imaginary part of $\int_f e^{i \omega \cdot x} dA$ over triangles, [..., face, frequency] each.

    One of the two integrations is done in closed form, the other by Gauss points, and nowhere is a small number divided by:

    $$\int_f e^{i \omega \cdot x} dA = 2 S \int_0^1 (1 - s)\, e^{i [s p_0 + (1 - s)(p_1 + p_2) / 2]}\,
    \mathrm{sinc}\big((1 - s)(p_2 - p_1) / 2\big)\, ds, \qquad p_j = \omega \cdot x_j$$

    * `corners`: [..., face, 3, 3], in the unit of length. `frequencies`: $\omega$, [frequency, 3], in its inverse.
    * `points`: Gauss points; 6 are exact to 1e-5 of the area where phases differ by up to 6 on a face, 10 to 1e-11.
    """
    nodes, weights = np.polynomial.legendre.leggauss(points)
    phase = corners @ frequencies.T  # [..., face, corner, frequency]
    p0, p1, p2 = phase[..., 0, :], phase[..., 1, :], phase[..., 2, :]
    mean, half = (p1 + p2) / 2, (p2 - p1) / 2
    _, area = normal_and_area(corners)
    re = im = torch.zeros_like(p0)
    for node, weight in zip(((nodes + 1) / 2).tolist(), (weights / 2).tolist(), strict=True):
        left = 1 - node
        size = weight * left * torch.sinc(left * half / math.pi)
        angle = node * p0 + left * mean
        re, im = re + size * angle.cos(), im + size * angle.sin()
    return 2 * area[..., None] * re, 2 * area[..., None] * im


class WaveIntegral(nn.Module):
    r"""Integrals over a surface, $I_c = \int m_c(\hat n)\, e^{i \omega_c \cdot x}\, dA$, with learnt $\omega_c$ and a learnt network m.

    Exact on every triangle (see `wave_integrals`), so that cutting flat faces changes nothing beyond that. Returns the real parts, the
    imaginary parts and $\log(|I|^2 + \epsilon)$, [..., 3 channels].

    * `channels`: how many. `spread`: standard deviation of the first frequencies, in the inverse unit of length. `width`: of m.
    * `points`: Gauss points of `wave_integrals`.
    """

    def __init__(self, channels: int, spread: float = 6.0, width: int = 32, points: int = 8) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(spread * torch.randn(channels, 3))
        self.of_normal = nn.Sequential(nn.Linear(3, width), nn.SiLU(), nn.Linear(width, 2 * channels))
        self.points = points

    def forward(self, corners: Tensor, there: Tensor) -> Tensor:
        """Of `corners` [..., face, 3, 3] that are `there` [..., face]."""
        re, im = wave_integrals(ordered(corners), self.frequencies, self.points)  # no face has a first corner
        normal, _ = normal_and_area(corners)
        a, b = (self.of_normal(normal) * there[..., None]).chunk(2, -1)
        real, imaginary = (a * re - b * im).sum(-2), (a * im + b * re).sum(-2)
        return torch.cat([real, imaginary, (real.square() + imaginary.square() + 1e-3).log() / 3], -1)
