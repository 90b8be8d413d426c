"""Groups, representations, layouts, grids, and how elements move states. Pure: torch and numpy only."""

from ._action import GridAction
from ._affine import Affine, Linear, Rigid
from ._element import Element
from ._grid import Boundary, Centring, Grid
from ._group import FiniteGroup, Group
from ._groups import cyclic, dihedral, octahedral, parse_group, product, rotation, rotations, rotations_reflections, translations
from ._isometry import Isometry
from ._layout import Field, Layout
from ._lie import LieGroup
from ._lie_groups import euclidean, general_linear, lorentz, orthogonal, special_euclidean, special_orthogonal
from ._moving import Boost, MovedPair, PairSymmetry, Scaling
from ._octahedral import OCTAHEDRAL_IRREPS, octahedral_irrep
from ._permutation import Permutation
from ._representation import Pseudoscalar, Pseudovector, Representation, Scalar, Stack, Tensor2, Vector, Vertical, representation

__all__ = [
    "OCTAHEDRAL_IRREPS",
    "Affine",
    "Boost",
    "Boundary",
    "Centring",
    "Element",
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
    "Stack",
    "Tensor2",
    "Vector",
    "Vertical",
    "cyclic",
    "dihedral",
    "euclidean",
    "general_linear",
    "lorentz",
    "octahedral",
    "octahedral_irrep",
    "orthogonal",
    "parse_group",
    "product",
    "representation",
    "rotation",
    "rotations",
    "rotations_reflections",
    "special_euclidean",
    "special_orthogonal",
    "translations",
]
