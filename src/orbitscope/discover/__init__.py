"""Discovery of symmetry that nobody declared: generators of a group from data or from a model, with their uncertainty."""

from ._atlas import Atlas, Commutator
from ._discovery import Discovery, load_discovery
from ._evidence import Evidence, Forms, weigh
from ._finite import finite_check
from ._gradient import Gradient
from ._hypothesis import hypothesis
from ._identify import Identification, identify, principal_cosines
from ._predictors import ProductNet, Trained, trained
from ._problem import Directions, Method, Predictor, Problem, Tell
from ._rates import Rates, rates
from ._verb import discover_symmetry

__all__ = [
    "Atlas",
    "Commutator",
    "Directions",
    "Discovery",
    "Evidence",
    "Forms",
    "Gradient",
    "Identification",
    "Method",
    "Predictor",
    "Problem",
    "ProductNet",
    "Rates",
    "Tell",
    "Trained",
    "discover_symmetry",
    "finite_check",
    "hypothesis",
    "identify",
    "load_discovery",
    "principal_cosines",
    "rates",
    "trained",
    "weigh",
]
