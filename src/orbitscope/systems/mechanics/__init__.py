"""Mechanics without integrators: motions solved to many digits, maps that learn them, and the Denoising Hamiltonian Network."""

from ._about import Motion, momenta, motion_examples, motion_of, numbers_of, trajectories_of
from ._baselines import EulerHNN, LeapfrogHNN, MotionTransformer, ResidualMLP, SympNet
from ._bodies import BODIES, Body
from ._codes import CodePrior, FittedCode, fit_code
from ._dhn import DHN
from ._integrate import flow, lyapunov
from ._interpolate import gaussian_process
from ._masks import Every, First, Mask, Scattered
from ._measures import calibration, code_probe, energy_errors, errors_by_horizon, reversal_error, symplectic_defect, valid_times
from ._mechanics_system import SYSTEM, MechanicsSystem
from ._models import HamiltonianMap, MotionModel
from ._moves import OfFrames, OfMotion
from ._training import CoordinateError, EndsKnown, MotionLoss

__all__ = [
    "BODIES",
    "DHN",
    "SYSTEM",
    "Body",
    "CodePrior",
    "CoordinateError",
    "EndsKnown",
    "EulerHNN",
    "Every",
    "First",
    "FittedCode",
    "HamiltonianMap",
    "LeapfrogHNN",
    "Mask",
    "MechanicsSystem",
    "Motion",
    "MotionLoss",
    "MotionModel",
    "MotionTransformer",
    "OfFrames",
    "OfMotion",
    "ResidualMLP",
    "Scattered",
    "SympNet",
    "calibration",
    "code_probe",
    "energy_errors",
    "errors_by_horizon",
    "fit_code",
    "flow",
    "gaussian_process",
    "lyapunov",
    "momenta",
    "motion_examples",
    "motion_of",
    "numbers_of",
    "reversal_error",
    "symplectic_defect",
    "trajectories_of",
    "valid_times",
]
