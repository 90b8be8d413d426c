"""What the compiled Euler kernel is told at compile time: constants of the array's type, and the reconstruction; free of numba."""

from typing import Any, NamedTuple

import numpy as np


class Numbers(NamedTuple):
    """Constants of the array's own type: a literal would turn float32 into float64."""

    zero: Any
    quarter: Any
    half: Any
    two_thirds: Any
    one: Any
    two: Any
    three: Any
    four: Any
    five: Any
    six: Any
    bend: Any  # 13/3, the weight of curvature in WENO5's smoothness indicators
    gamma: Any
    g1: Any  # gamma - 1
    inv_g1: Any
    inv_dx: Any
    inv_dy: Any
    dx2: Any
    dy2: Any


class Scheme(NamedTuple):
    """The reconstruction, chosen by type at compile time: a field is None unless its scheme is meant; none set is "mc"."""

    minmod: bool | None = None
    leer: bool | None = None
    weno3: bool | None = None
    weno5: bool | None = None


SCHEMES = {
    "mc": Scheme(),
    "minmod": Scheme(minmod=True),
    "van-leer": Scheme(leer=True),
    "weno3": Scheme(weno3=True),
    "weno5": Scheme(weno5=True),
}


def numbers(dtype: np.dtype[Any], gamma: float, nx: int, ny: int) -> Numbers:
    """The constants for a gas on nx x ny cells of the unit square."""
    plain = (0.0, 0.25, 0.5, 2 / 3, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 13 / 3)
    gas = (gamma, gamma - 1.0, 1.0 / (gamma - 1.0), float(nx), float(ny), 1.0 / nx**2, 1.0 / ny**2)
    return Numbers(*(dtype.type(v) for v in plain + gas))
