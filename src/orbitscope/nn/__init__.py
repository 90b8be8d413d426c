"""Layers and wrappers that build a symmetry in: `torch.nn.Module`s on plain tensors."""

from ._frames import FrameAveraged
from ._symmetrize import Symmetrized, symmetrize

__all__ = ["FrameAveraged", "Symmetrized", "symmetrize"]
