"""Groups, representations, layouts, grids, and how elements move states. Pure: torch and numpy only."""

from ._action import GridAction
from ._grid import Boundary, Centring, Grid
from ._group import Group
from ._groups import cyclic, dihedral, octahedral, parse_group, product, rotation, rotations, rotations_reflections, translations
from ._interpolate import fourier_shift
from ._isometry import Isometry
from ._layout import Field, Layout
from ._moving import DIMENSIONS, Boost, MovedPair, PairSymmetry, Scaling, field_meanings
from ._octahedral import OCTAHEDRAL_IRREPS, octahedral_irrep
from ._representation import Pseudoscalar, Pseudovector, Representation, Scalar, Stack, Tensor2, Vector, Vertical, representation

__all__ = [
    "DIMENSIONS",
    "OCTAHEDRAL_IRREPS",
    "Boost",
    "Boundary",
    "Centring",
    "Field",
    "Grid",
    "GridAction",
    "Group",
    "Isometry",
    "Layout",
    "MovedPair",
    "PairSymmetry",
    "Pseudoscalar",
    "Pseudovector",
    "Representation",
    "Scalar",
    "Scaling",
    "Stack",
    "Tensor2",
    "Vector",
    "Vertical",
    "cyclic",
    "dihedral",
    "field_meanings",
    "fourier_shift",
    "octahedral",
    "octahedral_irrep",
    "parse_group",
    "product",
    "representation",
    "rotation",
    "rotations",
    "rotations_reflections",
    "translations",
]
