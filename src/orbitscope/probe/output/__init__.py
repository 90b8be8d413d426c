"""What the output says: equivariance errors over groups, curves, small moves and roll-outs."""

from ._curves import boost_curve, shift_curve
from ._equivariance import equivariance
from ._generators import Generator, generator
from ._in_distribution import distribution_equivariance
from ._lie import lie_derivative
from ._lie_layers import lie_layers
from ._normaliser import normaliser_audit
from ._orbit_curve import orbit_curve
from ._steps import Unrolled, equivariance_by_step

__all__ = [
    "Generator",
    "Unrolled",
    "boost_curve",
    "distribution_equivariance",
    "equivariance",
    "equivariance_by_step",
    "generator",
    "lie_derivative",
    "lie_layers",
    "normaliser_audit",
    "orbit_curve",
    "shift_curve",
]
