"""What seven numbers mean for a catalogue of halos: galaxies and pairs of the same halo that they let expect, as inputs of an emulator."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ._catalogue import Halos

_CLASSES = 32
_SOFT = 0.01  # by which the edge at M0 is rounded, so that sums over classes are smooth in it
_LEAST = 1e-12
NUMBERS = ("galaxies", "satellites", "with_centrals", "among_satellites", "one_halo", "bias", "mass_of_pairs", "mass_of_satellites")
"""Logarithms of mean numbers: of galaxies and of satellites among them; of pairs of a satellite with its central, of two satellites, and of
both, over the square of the number of galaxies; of the mean of M^0.4 over galaxies; mean log10 M of pairs of one halo and of satellites."""


def mass_classes(halos: Halos) -> dict[str, list[float]]:
    """Halos by classes of log10 M, for the file of a training set: mean `log_mass` of each class and the `count` in it.

    * `halos`: of the set.
    """
    log_mass = halos.log_mass
    limits = np.linspace(log_mass.min(), log_mass.max() + 1e-9, _CLASSES + 1)
    count, _ = np.histogram(log_mass, limits)
    total, _ = np.histogram(log_mass, limits, weights=log_mass)
    kept = count > 0
    return {"log_mass": (total[kept] / count[kept]).tolist(), "count": count[kept].astype(float).tolist()}


class OccupationNumbers(nn.Module):
    """`NUMBERS` of parameters, in units of their spread over the training; smooth, so that what follows has slopes.

    * `classes`: of `mass_classes`, or None: no numbers at all. `x`: parameters of the training, [N, 7].

    Sums over classes of mass; they are inputs, no predictions, and need not be exact. Raises `OrbitscopeError` for classes that are none.
    """

    log_mass: Tensor
    count: Tensor
    middle: Tensor
    size: Tensor

    def __init__(self, classes: Any, x: Tensor) -> None:
        super().__init__()
        self.numbers = 0 if classes is None else len(NUMBERS)
        log_mass, count = (torch.tensor([] if classes is None else classes[k], dtype=torch.float64) for k in ("log_mass", "count"))
        if classes is not None and (not len(log_mass) or log_mass.shape != count.shape or not bool((count > 0).all())):
            raise OrbitscopeError("examples: `masses` in what they say of themselves should be classes of mass with counts above 0.")
        self.register_buffer("log_mass", log_mass)
        self.register_buffer("count", count)
        found = self._raw(x.double()) if self.numbers else x.new_zeros(len(x), 0).double()
        self.register_buffer("middle", found.mean(0))
        spread = (found - self.middle).square().mean(0).sqrt()
        self.register_buffer("size", torch.where(spread > 0, spread, torch.ones_like(spread)))

    def _raw(self, theta: Tensor) -> Tensor:
        _, _, least, sigma, floor, unit, alpha = theta[..., None, :].unbind(-1)
        m, n = self.log_mass.to(theta), self.count.to(theta)
        central = 0.5 * torch.special.erfc((least - m) / sigma)
        above = 1 - 10 ** (floor - m).clamp_max(2.0)
        root = (above.square() + _SOFT).sqrt()
        above = 0.5 * torch.where(above > 0, above + root, _SOFT / (root - above))  # twice the same: no difference of equals
        satellites = 10 ** (alpha * (m - unit + above.log10()))
        many, few = (n * (central + satellites)).sum(-1) + _LEAST, (n * satellites).sum(-1) + _LEAST
        mixed, both = (n * central * satellites).sum(-1) + _LEAST, (n * satellites.square()).sum(-1) + _LEAST
        pairs = 2 * mixed + both
        bias = (n * (central + satellites) * 10 ** (0.4 * (m - 13))).sum(-1) / many
        of_pairs = (n * satellites * (2 * central + satellites) * m).sum(-1) / pairs
        of_satellites = (n * satellites * m).sum(-1) / few
        logs = [p.log() for p in (many, few / many, mixed / many.square(), both / many.square(), pairs / many.square(), bias + _LEAST)]
        return torch.stack([*logs, of_pairs, of_satellites], -1)

    def forward(self, theta: Tensor) -> Tensor:
        """[..., 8], or [..., 0] without classes.

        * `theta`: parameters, [..., 7].
        """
        if not self.numbers:
            return theta.new_zeros(*theta.shape[:-1], 0)
        return (self._raw(theta) - self.middle.to(theta)) / self.size.to(theta)

    def log_galaxies(self, theta: Tensor) -> Tensor:
        """Logarithm of the mean number of galaxies, less its mean over the training, [...].

        * `theta`: parameters, [..., 7].
        """
        return self.forward(theta)[..., 0] * self.size[0].to(theta)
