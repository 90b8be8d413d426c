"""Adapters for other people's models."""

from ._adapt import adapt
from ._guest import Guest
from ._presets import Preset, presets, register_preset

__all__ = ["Guest", "Preset", "adapt", "presets", "register_preset"]
