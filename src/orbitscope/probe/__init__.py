"""The instruments, on shelves by the question: `data`, `output`, `learning`, `verdicts`; `examine` is all of them at once.

`orbitscope.probe(...)`, a call of this package, is the old name of `orbitscope.examine` and goes with version 0.3.
"""

import sys
import types
import warnings

import xarray as xr

from ._doctor import command_line, doctor
from ._epochs import EpochProbe, by_epoch
from ._files import KIND, kind_of, open_probe, open_results, save_probe, write_results
from ._gradients import Loss
from ._loading import load_model, load_weights
from ._provenance import command, machine
from ._run import ProbeConfig, examine
from ._sample import resolve
from ._subject import check_module
from .data import audit, commuting, correct, leakage, screen
from .learning import (
    Adam,
    Applied,
    Euclidean,
    GaussNewton,
    GaussNewtonFull,
    Kronecker,
    Metric,
    Plan,
    Response,
    bra_loss,
    by_class,
    by_lag,
    coherence_blocks,
    influence,
    influence_by_step,
    join_classes,
    lag_correlation,
    loss_along_line,
    memory_bytes,
    normalised,
    plan_influence,
    spectrum,
    standardised_matrix,
    step_test,
    transfer_predictions,
    transfer_test,
)
from .output import (
    Generator,
    Unrolled,
    boost_curve,
    distribution_equivariance,
    equivariance,
    equivariance_by_step,
    generator,
    lie_derivative,
    lie_layers,
    normaliser_audit,
    orbit_curve,
    shift_curve,
)
from .verdicts import Change, Comparison, compare, learnt_subgroup, verdict

__all__ = [
    "KIND",
    "Adam",
    "Change",
    "Comparison",
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
    "compare",
    "command_line",
    "doctor",
    "commuting",
    "correct",
    "distribution_equivariance",
    "equivariance",
    "equivariance_by_step",
    "examine",
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
    "loss_along_line",
    "machine",
    "memory_bytes",
    "normalised",
    "normaliser_audit",
    "kind_of",
    "open_probe",
    "orbit_curve",
    "open_results",
    "write_results",
    "plan_influence",
    "resolve",
    "save_probe",
    "screen",
    "shift_curve",
    "spectrum",
    "standardised_matrix",
    "step_test",
    "transfer_predictions",
    "transfer_test",
    "verdict",
]


def probe(*args: object, **settings: object) -> xr.DataTree:
    """The old name of `examine`."""
    warnings.warn("orbitscope.probe(...) is called orbitscope.examine(...) now; the old name goes with version 0.3.", DeprecationWarning, 2)
    return examine(*args, **settings)  # pyright: ignore[reportArgumentType]


class _Callable(types.ModuleType):
    """This package can be called, because its name was that of the verb."""

    def __call__(self, *args: object, **settings: object) -> xr.DataTree:
        warnings.warn(
            "orbitscope.probe(...) is called orbitscope.examine(...) now; the old name goes with version 0.3.", DeprecationWarning, 2
        )
        return examine(*args, **settings)  # pyright: ignore[reportArgumentType]


sys.modules[__name__].__class__ = _Callable
