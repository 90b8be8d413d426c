"""Control as a system: environments stand where files of examples stand elsewhere."""

from collections.abc import Mapping
from typing import ClassVar

from torch import nn

from ...data import Examples
from ...symmetry import Symmetry
from .._system import System, SystemModel, SystemScenario


class ControlSystem(System):
    """Environments, agents and planners; its verbs take the name of an environment, so it has no scenarios."""

    name: ClassVar[str] = "control"
    scenarios: ClassVar[Mapping[str, SystemScenario]] = {}
    models: ClassVar[Mapping[str, SystemModel]] = {}

    def symmetries(self, examples: Examples, model: nn.Module | None = None) -> dict[str, Symmetry]:
        """None by examples alone: `symmetry_of` names those of an environment."""
        return {}


SYSTEM = ControlSystem()
