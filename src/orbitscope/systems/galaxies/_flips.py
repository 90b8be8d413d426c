"""A symmetry that an emulator should have: xi counts pairs, whatever the long axes do."""

import numpy as np
import torch
from torch import Tensor, nn

from ...data import Examples
from ...symmetry import FieldAction, Invariant, Layout, Symmetry, Values, dihedral
from ._emulators import CorrelationEmulator
from ._region import PARAMETERS
from ._targets import checked

_LEAST = 1e-2


class XiOf(nn.Module):
    r"""ln(1 + xi) of an emulator, [B, R], averaged over its members: what `flips` asks for.

    * `model`: the emulator; its weights are shared.
    """

    def __init__(self, model: CorrelationEmulator) -> None:
        super().__init__()
        self.model = model

    def forward(self, theta: Tensor) -> Tensor:
        """[B, R].

        * `theta`: parameters, [B, 7].
        """
        mean, variance, _ = self.model.heads(theta)
        xi = torch.exp(mean[:, :, 0] + variance[:, :, 0] / 2) if self.model.links[0] == "log" else mean[:, :, 0]
        return (1 + xi.mean(1)).clamp_min(_LEAST).log()


def xi_examples(examples: Examples) -> Examples:
    """One example for each parameter point: its numbers, and ln(1 + xi) of the mean of its realisations, [U, R].

    * `examples`: of a training file.
    """
    x, value, known = checked(examples)
    _, first, number = np.unique(examples.unit, return_index=True, return_inverse=True)
    at, w = torch.from_numpy(number), known[:, 0].to(value)
    shape = (len(first), value.shape[2])
    total = torch.zeros(shape, dtype=value.dtype).index_add_(0, at, w * value[:, 0])
    mean = total / torch.zeros(shape, dtype=value.dtype).index_add_(0, at, w).clamp_min(1)
    y = (1 + mean).clamp_min(_LEAST).log()
    return Examples(x[torch.from_numpy(first)], y.to(x), examples.unit[first], np.zeros(len(first), int), examples.name, examples.about)


def flips(bins: int) -> Symmetry:
    """The signs of mu_cen and mu_sat, which leave xi alone: four elements, e, both (r), mu_cen (s), mu_sat (sr).

    * `bins`: of xi.

    Exact for the expected xi; a mock of flipped strengths has the same galaxies, only other axes.
    """
    layout = Layout.of("alignment:vector", *(f"{name}:scalar" for name in PARAMETERS[2:]), ndim=2)
    return Symmetry(dihedral(2), FieldAction(layout, Values()), Invariant(tuple(f"xi{k}" for k in range(bins))), name="flips")
