"""The instruments: data audit, equivariance error, influence and coherence, verdicts."""

from ._audit import audit
from ._equivariance import equivariance
from ._generators import Generator, generator
from ._gradients import Loss
from ._influence import influence
from ._lie import lie_derivative, lie_layers
from ._metric import Euclidean, GaussNewton, Metric, Response
from ._normalise import normalised
from ._provenance import command, machine
from ._run import KIND, ProbeConfig, open_probe, probe, save_probe
from ._subject import check_module, load_model, load_weights
from ._verdict import verdict

__all__ = [
    "KIND",
    "Euclidean",
    "GaussNewton",
    "Generator",
    "Loss",
    "Metric",
    "ProbeConfig",
    "Response",
    "audit",
    "check_module",
    "command",
    "equivariance",
    "generator",
    "influence",
    "lie_derivative",
    "lie_layers",
    "load_model",
    "load_weights",
    "machine",
    "normalised",
    "open_probe",
    "probe",
    "save_probe",
    "verdict",
]
