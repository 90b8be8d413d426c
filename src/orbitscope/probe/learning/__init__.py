"""What the learning shares: influence and coherence in any metric, and the tests of what they predict."""

from ._applied import Applied
from ._blocks import coherence_blocks
from ._curvature import Adam, GaussNewtonFull
from ._gauss_newton import GaussNewton
from ._influence import influence
from ._kronecker import Kronecker
from ._lags import by_class, by_lag, join_classes, lag_correlation
from ._line import loss_along_line
from ._losses import bra_loss
from ._memory import Plan, memory_bytes
from ._metric import Euclidean, Metric
from ._normalise import normalised, standardised_matrix
from ._permutation import LEVEL, trajectories_needed
from ._plan import plan_influence
from ._response import Response
from ._spectrum import spectrum
from ._steps import influence_by_step
from ._steptest import step_test
from ._transfer import transfer_test
from ._transfer_predictions import transfer_predictions

__all__ = [
    "Adam",
    "Applied",
    "Euclidean",
    "GaussNewton",
    "GaussNewtonFull",
    "Kronecker",
    "LEVEL",
    "Metric",
    "Plan",
    "Response",
    "bra_loss",
    "by_class",
    "by_lag",
    "coherence_blocks",
    "influence",
    "influence_by_step",
    "join_classes",
    "lag_correlation",
    "loss_along_line",
    "memory_bytes",
    "normalised",
    "plan_influence",
    "spectrum",
    "standardised_matrix",
    "step_test",
    "trajectories_needed",
    "transfer_predictions",
    "transfer_test",
]
