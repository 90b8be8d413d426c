"""Groups, representations, layouts, grids, and how elements move states. Pure: torch and numpy only."""

from ._action import GridAction
from ._affine_fields import FrameVelocity, Point
from ._averaging import averaged_over, is_lattice, same_elements
from ._combined import DirectSum, Stack, TensorProduct
from ._grid import Boundary, Centring, Grid
from ._group import Group
from ._groups import cyclic, dihedral, octahedral, parse_group, product, rotation, rotations, rotations_reflections, translations
from ._isometry import Isometry
from ._layout import Field, Layout
from ._learnt import FromMatrices, Learnt
from ._linear import block_diagonal
from ._moving import Boost, MovedPair, PairSymmetry, Scaling
from ._octahedral import OCTAHEDRAL_IRREPS, OctahedralIrrep, octahedral_irrep
from ._planar import PlanarIrrep
from ._regular import PermutationRepresentation, Regular
from ._representation import Representation
from ._restriction import Restriction
from ._rotational import RotationIrrep
from ._standard import Pseudoscalar, Pseudovector, Scalar, Standard, Tensor2, Vector, Vertical
from ._words import representation

__all__ = [
    "OCTAHEDRAL_IRREPS",
    "Boost",
    "Boundary",
    "Centring",
    "DirectSum",
    "Field",
    "FrameVelocity",
    "FromMatrices",
    "Grid",
    "GridAction",
    "Group",
    "Isometry",
    "Layout",
    "Learnt",
    "MovedPair",
    "OctahedralIrrep",
    "PairSymmetry",
    "PermutationRepresentation",
    "PlanarIrrep",
    "Point",
    "Pseudoscalar",
    "Pseudovector",
    "Regular",
    "Representation",
    "Restriction",
    "RotationIrrep",
    "Scalar",
    "Scaling",
    "Stack",
    "Standard",
    "Tensor2",
    "TensorProduct",
    "Vector",
    "Vertical",
    "averaged_over",
    "block_diagonal",
    "cyclic",
    "dihedral",
    "is_lattice",
    "octahedral",
    "octahedral_irrep",
    "parse_group",
    "product",
    "representation",
    "rotation",
    "rotations",
    "rotations_reflections",
    "same_elements",
    "translations",
]
