"""Groups, representations, layouts, grids, and how elements move states. Pure: torch and numpy only."""

from ._action import GridAction
from ._affine import Affine, Linear, Rigid
from ._direct_product import Several, sampled, times
from ._element import Element
from ._frames import Factors, Velocity, boosts, scalings
from ._grid import Boundary, Centring, Grid
from ._group import FiniteGroup, Group
from ._groups import cyclic, dihedral, octahedral, product, rotation, rotations, rotations_reflections, symmetric, translations
from ._isometry import Isometry
from ._layout import Field, Layout
from ._lie import LieGroup
from ._lie_groups import euclidean, general_linear, lorentz, orthogonal, special_euclidean, special_orthogonal
from ._moving import Boost, MovedPair, PairSymmetry, Scaling
from ._octahedral import OCTAHEDRAL_IRREPS, octahedral_irrep
from ._parse import parse_group
from ._permutation import Permutation
from ._presented import WordGroup, braid, free, presented_cyclic, presented_symmetric
from ._representation import Pseudoscalar, Pseudovector, Representation, Scalar, Stack, Tensor2, Vector, Vertical, representation
from ._word import Word

__all__ = [
    "OCTAHEDRAL_IRREPS",
    "Affine",
    "Boost",
    "Boundary",
    "Centring",
    "Element",
    "Factors",
    "Field",
    "FiniteGroup",
    "Grid",
    "GridAction",
    "Group",
    "Isometry",
    "Layout",
    "LieGroup",
    "Linear",
    "MovedPair",
    "PairSymmetry",
    "Permutation",
    "Pseudoscalar",
    "Pseudovector",
    "Representation",
    "Rigid",
    "Scalar",
    "Scaling",
    "Several",
    "Stack",
    "Tensor2",
    "Vector",
    "Velocity",
    "Vertical",
    "Word",
    "WordGroup",
    "boosts",
    "braid",
    "cyclic",
    "dihedral",
    "euclidean",
    "free",
    "general_linear",
    "lorentz",
    "octahedral",
    "octahedral_irrep",
    "orthogonal",
    "parse_group",
    "presented_cyclic",
    "presented_symmetric",
    "product",
    "representation",
    "rotation",
    "rotations",
    "rotations_reflections",
    "sampled",
    "scalings",
    "special_euclidean",
    "special_orthogonal",
    "symmetric",
    "times",
    "translations",
]
