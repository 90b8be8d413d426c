"""The amplitude of alignment as a smooth function of its strength, for emulators: where omega and eta have their strengths from."""

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from ._catalogue import Real
from ._watson import alignment_amplitude

_INTERVALS = 1024


@cache
def amplitude_table() -> Real:
    """Coefficients of a cubic spline through `alignment_amplitude` on equal intervals of -1 to 1, [4, intervals], highest power first, of
    the place within an interval from 0 to 1."""
    from scipy.interpolate import CubicSpline

    knots = np.linspace(-1, 1, _INTERVALS + 1)
    spline = CubicSpline(knots, [alignment_amplitude(float(k)) for k in knots])
    return spline.c * (2 / _INTERVALS) ** np.arange(3, -1, -1)[:, None]


class Amplitude(nn.Module):
    """`alignment_amplitude` of strengths, twice differentiable, to 1e-9; it moves with the emulator that holds it."""

    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.from_numpy(amplitude_table().copy()), persistent=False)

    def forward(self, strength: Tensor) -> Tensor:
        """Amplitudes, of any shape.

        * `strength`: mu, -1 to 1; beyond them the outermost cubics go on.
        """
        place = (strength + 1) * (_INTERVALS / 2)
        number = place.detach().floor().clamp(0, _INTERVALS - 1)
        t = place - number
        a, b, c, d = self.table.to(strength)[:, number.long()]
        return ((a * t + b) * t + c) * t + d
