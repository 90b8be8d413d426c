"""The figures of the report from Python: each takes what an instrument returned; plotly, or matplotlib for fields."""

from ._cases import answers, example, fields, readings, relaxation, training, verdicts
from ._curves import orbit_curve, rollout, spectrum
from ._discoveries import breaking, breaking_by_chart, generators, span_angles
from ._elements import audit, dampings, equivariance, influence, influence_matrix, standardised, steps

__all__ = [
    "answers",
    "audit",
    "breaking",
    "breaking_by_chart",
    "dampings",
    "equivariance",
    "example",
    "fields",
    "generators",
    "influence",
    "influence_matrix",
    "orbit_curve",
    "readings",
    "relaxation",
    "rollout",
    "span_angles",
    "spectrum",
    "standardised",
    "steps",
    "training",
    "verdicts",
]
