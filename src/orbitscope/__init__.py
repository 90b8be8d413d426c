"""orbitscope: measure symmetry in machine-learned models of physical systems."""

from ._errors import OrbitscopeError

__version__ = "0.1.0"
__all__ = ["OrbitscopeError", "__version__"]
