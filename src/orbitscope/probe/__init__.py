"""The instruments: data audit, equivariance error, influence and coherence, verdicts."""

from ._applied import Applied
from ._audit import audit
from ._blocks import coherence_blocks
from ._commuting import commuting
from ._correct import correct
from ._curvature import Adam, GaussNewtonFull
from ._curves import boost_curve, shift_curve
from ._epochs import EpochProbe, by_epoch
from ._equivariance import equivariance
from ._generators import Generator, generator
from ._gradients import Loss
from ._influence import influence
from ._kronecker import Kronecker
from ._lags import by_class, by_lag, join_classes, lag_correlation
from ._leakage import leakage
from ._learnt import learnt_subgroup
from ._lie import lie_derivative
from ._lie_layers import lie_layers
from ._losses import bra_loss
from ._metric import Euclidean, GaussNewton, Metric, Response
from ._normalise import normalised, standardised_matrix
from ._plan import Plan, memory_bytes, plan_influence
from ._provenance import command, machine
from ._run import KIND, ProbeConfig, open_probe, probe, save_probe
from ._screen import screen
from ._spectrum import spectrum
from ._steps import Unrolled, equivariance_by_step, influence_by_step
from ._steptest import step_test
from ._subject import check_module, load_model, load_weights
from ._transfer import transfer_test
from ._verdict import verdict

__all__ = [
    "KIND",
    "Adam",
    "Applied",
    "EpochProbe",
    "Euclidean",
    "GaussNewton",
    "GaussNewtonFull",
    "Generator",
    "Kronecker",
    "Loss",
    "Metric",
    "Plan",
    "ProbeConfig",
    "Response",
    "Unrolled",
    "audit",
    "boost_curve",
    "bra_loss",
    "by_class",
    "by_epoch",
    "by_lag",
    "check_module",
    "coherence_blocks",
    "command",
    "commuting",
    "correct",
    "equivariance",
    "equivariance_by_step",
    "generator",
    "influence",
    "influence_by_step",
    "join_classes",
    "lag_correlation",
    "leakage",
    "learnt_subgroup",
    "lie_derivative",
    "lie_layers",
    "load_model",
    "load_weights",
    "machine",
    "memory_bytes",
    "normalised",
    "open_probe",
    "plan_influence",
    "probe",
    "save_probe",
    "screen",
    "shift_curve",
    "spectrum",
    "standardised_matrix",
    "step_test",
    "transfer_test",
    "verdict",
]
