"""Discovery of symmetry that nobody declared: generators of a group from data or from a model, with their uncertainty."""

from ._adversarial import Adversarial
from ._atlas import Atlas, Commutator
from ._cosets import Components, components
from ._discovery import Discovery, holds_discovery, load_discovery
from ._door import group_from, is_file, naming, symmetry_from
from ._evidence import HOLDS, WIDEST, Evidence, Forms, weigh
from ._finite import finite_check
from ._gradient import Gradient
from ._hypothesis import hypothesis, search_space
from ._identify import Identification, identify, principal_cosines
from ._membership import distance_to_group
from ._on_grid import OnGrid
from ._predictors import ProductNet, Trained, trained
from ._problem import Directions, Method, Predictor, Problem, Tell
from ._rates import Rates, rates
from ._verb import as_method, discover_symmetry

__all__ = [
    "HOLDS",
    "WIDEST",
    "Adversarial",
    "Atlas",
    "Commutator",
    "Components",
    "Directions",
    "Discovery",
    "Evidence",
    "Forms",
    "Gradient",
    "Identification",
    "Method",
    "OnGrid",
    "Predictor",
    "Problem",
    "ProductNet",
    "Rates",
    "Tell",
    "Trained",
    "as_method",
    "components",
    "discover_symmetry",
    "distance_to_group",
    "finite_check",
    "group_from",
    "holds_discovery",
    "hypothesis",
    "identify",
    "is_file",
    "load_discovery",
    "naming",
    "principal_cosines",
    "rates",
    "search_space",
    "symmetry_from",
    "trained",
    "weigh",
]
