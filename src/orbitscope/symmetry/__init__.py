"""Groups, representations, layouts, grids, and how elements move states. Pure: torch and numpy only."""

from ._action import Action, Invariant, PartsAction
from ._affine import Affine, Linear, Rigid
from ._affine_fields import FrameVelocity, Point
from ._averaging import averaged_over, is_lattice, same_elements
from ._classes import Classes
from ._combined import DirectSum, Stack, TensorProduct
from ._coupling import coupling, spherical_harmonics
from ._direct_product import Several, sampled, times
from ._domain import Charts, Domain, Nodes, Points, Values
from ._element import Element
from ._field_action import FieldAction
from ._frames import Factors, Velocity, boosts, scalings
from ._grid import Boundary, Centring, Grid
from ._grid_action import GridAction
from ._group import FiniteGroup, Group
from ._groups import cyclic, dihedral, octahedral, product, rotation, rotations, rotations_reflections, symmetric, translations
from ._interpolate import fourier_shift
from ._isometry import Isometry
from ._layout import Field, Layout
from ._learnt import FromMatrices, Learnt
from ._letters import Words
from ._lie import LieGroup
from ._lie_groups import (
    affine,
    euclidean,
    general_linear,
    lorentz,
    orthogonal,
    special_euclidean,
    special_linear,
    special_orthogonal,
)
from ._linear import block_diagonal
from ._moves import Moves
from ._moving import DIMENSIONS, Boost, MovedPair, PairSymmetry, Scaling, field_meanings
from ._moving_action import BoostAction, ScalingAction
from ._octahedral import OCTAHEDRAL_IRREPS, OctahedralIrrep, octahedral_irrep
from ._parse import parse_group
from ._patch import Patch
from ._permutation import Permutation
from ._planar import PlanarIrrep
from ._presented import WordGroup, braid, free, presented_cyclic, presented_symmetric
from ._regular import PermutationRepresentation, Regular
from ._representation import Representation
from ._restriction import Restriction
from ._rotational import RotationIrrep
from ._schoenflies import schoenflies
from ._sphere import Icosahedral, LonLat, Sphere, SphereAction
from ._stabiliser import Stabiliser, stabiliser
from ._standard import Pseudoscalar, Pseudovector, Scalar, Standard, Tensor2, Vector, Vertical
from ._states import State, called, chunks, flattened, joined, length, mapped, parts, taken
from ._surface import Cylinder, Surface, SurfaceCharts
from ._symmetry import Symmetry
from ._word import Word
from ._words import representation

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
    "DirectSum",
    "Domain",
    "Element",
    "Factors",
    "Field",
    "FieldAction",
    "FiniteGroup",
    "FrameVelocity",
    "FromMatrices",
    "Grid",
    "GridAction",
    "Group",
    "Invariant",
    "Isometry",
    "Layout",
    "Learnt",
    "LieGroup",
    "Linear",
    "MovedPair",
    "Moves",
    "Nodes",
    "OctahedralIrrep",
    "PairSymmetry",
    "PartsAction",
    "Patch",
    "Permutation",
    "PermutationRepresentation",
    "PlanarIrrep",
    "Point",
    "Points",
    "Pseudoscalar",
    "Pseudovector",
    "Regular",
    "Representation",
    "Restriction",
    "Rigid",
    "RotationIrrep",
    "Scalar",
    "Scaling",
    "ScalingAction",
    "Several",
    "Stack",
    "Stabiliser",
    "Standard",
    "State",
    "Symmetry",
    "Tensor2",
    "TensorProduct",
    "Values",
    "Vector",
    "Velocity",
    "Vertical",
    "Word",
    "WordGroup",
    "Words",
    "affine",
    "averaged_over",
    "block_diagonal",
    "boosts",
    "braid",
    "called",
    "chunks",
    "coupling",
    "cyclic",
    "dihedral",
    "euclidean",
    "field_meanings",
    "flattened",
    "fourier_shift",
    "free",
    "general_linear",
    "is_lattice",
    "joined",
    "length",
    "lorentz",
    "mapped",
    "octahedral",
    "octahedral_irrep",
    "orthogonal",
    "parse_group",
    "parts",
    "presented_cyclic",
    "presented_symmetric",
    "product",
    "representation",
    "rotation",
    "rotations",
    "rotations_reflections",
    "same_elements",
    "sampled",
    "scalings",
    "schoenflies",
    "special_euclidean",
    "special_linear",
    "special_orthogonal",
    "spherical_harmonics",
    "stabiliser",
    "symmetric",
    "taken",
    "times",
    "translations",
    "Icosahedral",
    "LonLat",
    "Sphere",
    "SphereAction",
    "Cylinder",
    "Surface",
    "SurfaceCharts",
]
