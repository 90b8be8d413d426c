"""Layers and wrappers that build a symmetry in: `torch.nn.Module`s on plain tensors."""

import warnings
from typing import Any

from ..symmetry import Restriction
from ._activation import Activation, Gate, GroupPool, NormActivation, Pointwise
from ._conv import EquivariantConv
from ._export import export
from ._features import Features, restrict
from ._field_norm import FieldNorm
from ._frames import FrameAveraged
from ._galilean import Galilean
from ._irrep_gate import IrrepGate
from ._irreps import Irreps, breaking_irreps
from ._magnitude import Magnitude, MagnitudeConv, divided, root
from ._motion import MotionBlock, MotionConv
from ._order import order_parameters, relaxed_weights
from ._pad import Pad, boundaries_of
from ._past import frames_of
from ._patch import FrameAttention, Unpatch
from ._radial import RadialBasis, Surroundings
from ._relax import RelaxationKind, relax
from ._relaxed import RelaxedConv, penalised_layers, relaxation, relaxation_penalty, relaxed_layers, strict
from ._relaxed_conv import RelaxedGroupConv, RelaxedResidualConv, RelaxedSteerableConv, RelaxedTranslationConv
from ._relaxed_weights import RelaxedWeights, present, shrink
from ._resolution import Pool, Upsample
from ._scale import ScaleConv, ScaleLift, ScaleProject
from ._spectral import EquivariantSpectralConv, SpectralConv
from ._surround import Surround, Surrounds
from ._symmetrize import Symmetrized, symmetrize
from ._tensor_conv import TensorConv
from ._vectors import EquivariantLinear, LinearThatMayLeave, RelaxedLinear, RelaxedResidualLinear, hidden_layout
from ._wrap import wrap

__all__ = [
    "Activation",
    "EquivariantConv",
    "EquivariantLinear",
    "EquivariantSpectralConv",
    "Features",
    "FieldNorm",
    "FrameAttention",
    "FrameAveraged",
    "Galilean",
    "Gate",
    "GroupPool",
    "IrrepGate",
    "Irreps",
    "LinearThatMayLeave",
    "Magnitude",
    "MagnitudeConv",
    "MotionBlock",
    "MotionConv",
    "NormActivation",
    "Pad",
    "Pointwise",
    "Pool",
    "RadialBasis",
    "RelaxedConv",
    "RelaxedGroupConv",
    "RelaxedLinear",
    "RelaxedResidualConv",
    "RelaxedResidualLinear",
    "RelaxedSteerableConv",
    "RelaxedTranslationConv",
    "RelaxedWeights",
    "ScaleConv",
    "ScaleLift",
    "ScaleProject",
    "RelaxationKind",
    "SpectralConv",
    "Surround",
    "Surrounds",
    "Surroundings",
    "TensorConv",
    "Symmetrized",
    "boundaries_of",
    "breaking_irreps",
    "divided",
    "penalised_layers",
    "present",
    "relaxed_layers",
    "root",
    "wrap",
    "Unpatch",
    "Upsample",
    "export",
    "frames_of",
    "hidden_layout",
    "order_parameters",
    "relaxed_weights",
    "restrict",
    "relax",
    "relaxation",
    "relaxation_penalty",
    "shrink",
    "strict",
    "symmetrize",
]


def __getattr__(name: str) -> Any:
    if name == "FieldType":
        warnings.warn(
            "orbitscope.nn.FieldType is orbitscope.symmetry.Restriction; this name goes in 0.3.", DeprecationWarning, stacklevel=2
        )
        return Restriction
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
