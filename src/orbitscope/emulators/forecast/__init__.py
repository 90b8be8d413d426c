"""Forecasts with an emulator, and their errors."""

from ._rollout import rollout
from ._spectra import energy_spectrum, ese, rmse, spectrum_error

__all__ = ["energy_spectrum", "ese", "rmse", "rollout", "spectrum_error"]
