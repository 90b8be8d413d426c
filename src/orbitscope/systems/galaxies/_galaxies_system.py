"""Galaxies as a system: its scenarios, models and symmetries by name."""

from collections.abc import Mapping
from typing import ClassVar

from torch import nn

from ...data import Examples
from ...symmetry import Symmetry
from .._system import System, SystemModel, SystemScenario
from ._scenarios import HOD, simulated


class GalaxiesSystem(System):
    """Galaxies in halos: from seven numbers of a mock to three correlation functions of places and long axes."""

    name: ClassVar[str] = "galaxies"
    scenarios: ClassVar[Mapping[str, SystemScenario]] = {
        "galaxies.hod": SystemScenario(
            "galaxies.hod", "seven numbers of a halo occupation to xi, omega and eta of its mocks", simulated, HOD,
            "The number of examples counts parameter points; each has `realisations` rows.",
        ),
    }  # fmt: skip
    models: ClassVar[Mapping[str, SystemModel]] = {}

    def symmetries(self, examples: Examples, model: nn.Module | None = None) -> dict[str, Symmetry]:
        """None yet."""
        return {}


SYSTEM = GalaxiesSystem()
