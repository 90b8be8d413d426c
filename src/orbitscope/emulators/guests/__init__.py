"""Adapters for other people's models."""

from ._adapt import adapt
from ._guest import Guest
from ._normaliser import Affine, Functions, OfSample
from ._presets import Preset, presets, register_preset
from ._statistics import OfChange

__all__ = ["Affine", "Functions", "Guest", "OfChange", "OfSample", "Preset", "adapt", "presets", "register_preset"]
