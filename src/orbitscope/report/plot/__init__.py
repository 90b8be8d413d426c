"""The figures of the report from Python: each takes what an instrument returned; plotly, or matplotlib for fields."""

from ._cases import answers, example, fields, readings, relaxation, training, verdicts
from ._curves import orbit_curve, rollout, spectrum
from ._elements import audit, dampings, equivariance, influence, influence_matrix, standardised, steps

__all__ = [
    "answers",
    "audit",
    "dampings",
    "equivariance",
    "example",
    "fields",
    "influence",
    "influence_matrix",
    "orbit_curve",
    "readings",
    "relaxation",
    "rollout",
    "spectrum",
    "standardised",
    "steps",
    "training",
    "verdicts",
]
