"""Galaxies in dark matter halos: intrinsic alignments from catalogue to posterior (extra `cosmo`)."""

from ._calibration import Conformal, Points, calibration, conformal, points_of, probability_integral
from ._catalogue import Halos
from ._correlation import noise_correlation
from ._counts import PairSums, edges, pair_sums
from ._design import Design
from ._emulators import CorrelationEmulator, Prediction
from ._ensemble import AlignmentEmulator
from ._figures import bands_figure, calibration_figure, corner_figure, fit_figure
from ._flips import XiOf, flips, xi_examples
from ._galaxies_system import SYSTEM, GalaxiesSystem
from ._given_places import PARTS, expected_orientations, mock_statistics
from ._halos import HaloConfig, halo_bias, make_halos, tidal_axes
from ._halotools import halotools_catalogue, halotools_model, populate_halotools
from ._hamiltonian import ManyChains, hamiltonian_chains
from ._iaemu import IAEmu
from ._inference import infer, say
from ._losses import BetaNLL, StatisticError
from ._mocks import Galaxies, Population, expected_galaxies, mean_occupation, parameters, populate
from ._moments import Link, Moments, from_latent, lognormal_moments, physical, published_moments, to_latent
from ._moves import InBox, StatisticsLaw, catalogue_symmetries
from ._nuts import Chains, NUTSConfig, run_nuts
from ._posterior import Posterior
from ._quick import QuickEmulator
from ._ranks import simulation_based_calibration
from ._readers import CatalogueWarning, Columns, read_halos, save_halos
from ._region import PARAMETERS, Region, RegionWarning
from ._statistics import Spread, alignment_statistics, correlations, filled, jackknife, present, realisation_spread
from ._targets import STATISTICS, Scales, values_and_known
from ._tng300 import MeasuredOmega, StrengthFit, fit_strengths, tng300_omega
from ._vector import DataVector, data_vector, read_vector
from ._view import slice_figure
from ._walkers import stretch_walkers
from ._watson import alignment_amplitude, axes_about, mean_square_cosine, watson_cosines

__all__ = [
    "PARAMETERS",
    "PARTS",
    "STATISTICS",
    "SYSTEM",
    "AlignmentEmulator",
    "BetaNLL",
    "CatalogueWarning",
    "Chains",
    "Columns",
    "Conformal",
    "CorrelationEmulator",
    "DataVector",
    "Design",
    "Galaxies",
    "GalaxiesSystem",
    "HaloConfig",
    "Halos",
    "IAEmu",
    "InBox",
    "Link",
    "ManyChains",
    "MeasuredOmega",
    "Moments",
    "NUTSConfig",
    "PairSums",
    "Points",
    "Population",
    "Posterior",
    "Prediction",
    "QuickEmulator",
    "Region",
    "RegionWarning",
    "Scales",
    "Spread",
    "StatisticError",
    "StatisticsLaw",
    "StrengthFit",
    "XiOf",
    "alignment_amplitude",
    "alignment_statistics",
    "axes_about",
    "bands_figure",
    "calibration",
    "calibration_figure",
    "catalogue_symmetries",
    "conformal",
    "corner_figure",
    "correlations",
    "data_vector",
    "edges",
    "expected_galaxies",
    "expected_orientations",
    "filled",
    "fit_figure",
    "fit_strengths",
    "flips",
    "from_latent",
    "halo_bias",
    "halotools_catalogue",
    "halotools_model",
    "hamiltonian_chains",
    "infer",
    "jackknife",
    "lognormal_moments",
    "make_halos",
    "mean_occupation",
    "mean_square_cosine",
    "mock_statistics",
    "noise_correlation",
    "pair_sums",
    "parameters",
    "physical",
    "points_of",
    "populate",
    "populate_halotools",
    "present",
    "probability_integral",
    "published_moments",
    "read_halos",
    "read_vector",
    "realisation_spread",
    "run_nuts",
    "save_halos",
    "say",
    "simulation_based_calibration",
    "slice_figure",
    "stretch_walkers",
    "tidal_axes",
    "tng300_omega",
    "to_latent",
    "values_and_known",
    "watson_cosines",
    "xi_examples",
]
