"""Galaxies in dark matter halos: intrinsic alignments from catalogue to posterior (extra `cosmo`)."""

from ._calibration import Conformal, Points, calibration, conformal, points_of, probability_integral
from ._catalogue import Halos
from ._counts import PairSums, edges, pair_sums
from ._design import Design
from ._emulators import AlignmentEmulator, CorrelationEmulator, Prediction
from ._galaxies_system import SYSTEM, GalaxiesSystem
from ._halos import HaloConfig, halo_bias, make_halos, tidal_axes
from ._halotools import halotools_catalogue, halotools_model, populate_halotools
from ._iaemu import IAEmu
from ._losses import BetaNLL, StatisticError
from ._mocks import Galaxies, expected_galaxies, mean_occupation, parameters, populate
from ._moments import Link, Moments, from_latent, lognormal_moments, physical, published_moments, to_latent
from ._region import PARAMETERS, Region, RegionWarning
from ._statistics import Spread, alignment_statistics, correlations, filled, jackknife, present, realisation_spread
from ._targets import STATISTICS, Scales, values_and_known
from ._watson import axes_about, mean_square_cosine, watson_cosines

__all__ = [
    "PARAMETERS",
    "STATISTICS",
    "SYSTEM",
    "AlignmentEmulator",
    "BetaNLL",
    "Conformal",
    "CorrelationEmulator",
    "Design",
    "Galaxies",
    "GalaxiesSystem",
    "HaloConfig",
    "Halos",
    "IAEmu",
    "Link",
    "Moments",
    "PairSums",
    "Points",
    "Prediction",
    "Region",
    "RegionWarning",
    "Scales",
    "Spread",
    "StatisticError",
    "alignment_statistics",
    "axes_about",
    "calibration",
    "conformal",
    "correlations",
    "edges",
    "expected_galaxies",
    "filled",
    "from_latent",
    "halo_bias",
    "halotools_catalogue",
    "halotools_model",
    "jackknife",
    "lognormal_moments",
    "make_halos",
    "mean_occupation",
    "mean_square_cosine",
    "pair_sums",
    "parameters",
    "physical",
    "points_of",
    "populate",
    "populate_halotools",
    "present",
    "probability_integral",
    "published_moments",
    "realisation_spread",
    "tidal_axes",
    "to_latent",
    "values_and_known",
    "watson_cosines",
]
