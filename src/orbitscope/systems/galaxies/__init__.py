"""Galaxies: intrinsic alignments from catalogue to posterior."""

from ._emulators import AlignmentEmulator, CorrelationEmulator, Prediction
from ._iaemu import IAEmu
from ._losses import BetaNLL, StatisticError
from ._moments import Link, Moments, from_latent, lognormal_moments, physical, published_moments, sinh_normal_moments, to_latent
from ._region import PARAMETERS, Region, RegionWarning
from ._targets import STATISTICS, Scales, values_and_known

__all__ = [
    "PARAMETERS",
    "STATISTICS",
    "AlignmentEmulator",
    "BetaNLL",
    "CorrelationEmulator",
    "IAEmu",
    "Link",
    "Moments",
    "Prediction",
    "Region",
    "RegionWarning",
    "Scales",
    "StatisticError",
    "from_latent",
    "lognormal_moments",
    "physical",
    "published_moments",
    "sinh_normal_moments",
    "to_latent",
    "values_and_known",
]
