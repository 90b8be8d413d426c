"""Groups, representations, layouts, grids, and how elements move states. Pure: torch and numpy only."""

from ._action import Action, Invariant, PartsAction
from ._affine import Affine, Linear, Rigid
from ._classes import Classes
from ._domain import Charts, Domain, Nodes, Points, Values
from ._element import Element
from ._field_action import FieldAction
from ._grid import Boundary, Centring, Grid
from ._grid_action import GridAction
from ._group import FiniteGroup, Group
from ._groups import cyclic, dihedral, octahedral, parse_group, product, rotation, rotations, rotations_reflections, translations
from ._interpolate import fourier_shift
from ._isometry import Isometry
from ._layout import Field, Layout
from ._lie import LieGroup
from ._lie_groups import euclidean, general_linear, lorentz, orthogonal, special_euclidean, special_orthogonal
from ._moving import DIMENSIONS, Boost, MovedPair, PairSymmetry, Scaling, field_meanings
from ._moving_action import BoostAction, ScalingAction
from ._octahedral import OCTAHEDRAL_IRREPS, octahedral_irrep
from ._permutation import Permutation
from ._representation import Pseudoscalar, Pseudovector, Representation, Scalar, Stack, Tensor2, Vector, Vertical, representation
from ._states import State, called, chunks, flattened, joined, length, mapped, parts, taken
from ._symmetry import Symmetry

__all__ = [
    "DIMENSIONS",
    "OCTAHEDRAL_IRREPS",
    "Action",
    "Affine",
    "Boost",
    "BoostAction",
    "Boundary",
    "Centring",
    "Charts",
    "Classes",
    "Domain",
    "Element",
    "Field",
    "FieldAction",
    "FiniteGroup",
    "Grid",
    "GridAction",
    "Group",
    "Invariant",
    "Isometry",
    "Layout",
    "LieGroup",
    "Linear",
    "MovedPair",
    "Nodes",
    "PairSymmetry",
    "PartsAction",
    "Permutation",
    "Points",
    "Pseudoscalar",
    "Pseudovector",
    "Representation",
    "Rigid",
    "Scalar",
    "Scaling",
    "ScalingAction",
    "Stack",
    "State",
    "Symmetry",
    "Tensor2",
    "Values",
    "Vector",
    "Vertical",
    "called",
    "chunks",
    "cyclic",
    "dihedral",
    "euclidean",
    "field_meanings",
    "flattened",
    "fourier_shift",
    "general_linear",
    "joined",
    "length",
    "lorentz",
    "mapped",
    "octahedral",
    "octahedral_irrep",
    "orthogonal",
    "parse_group",
    "parts",
    "product",
    "representation",
    "rotation",
    "rotations",
    "rotations_reflections",
    "special_euclidean",
    "special_orthogonal",
    "taken",
    "translations",
]
