"""Layers and wrappers that build a symmetry in: `torch.nn.Module`s on plain tensors."""

from ._frames import FrameAveraged
from ._galilean import Galilean
from ._magnitude import Magnitude, MagnitudeConv
from ._motion import MotionBlock, MotionConv
from ._scale import ScaleConv, ScaleLift, ScaleProject
from ._symmetrize import Symmetrized, symmetrize

__all__ = [
    "FrameAveraged",
    "Galilean",
    "Magnitude",
    "MagnitudeConv",
    "MotionBlock",
    "MotionConv",
    "ScaleConv",
    "ScaleLift",
    "ScaleProject",
    "Symmetrized",
    "symmetrize",
]
