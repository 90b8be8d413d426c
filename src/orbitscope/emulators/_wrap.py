"""Periodic padding; it lives with the layers."""

from ..nn._wrap import wrap

__all__ = ["wrap"]
