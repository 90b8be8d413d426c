"""The scenarios that come with the package."""

from ._initial_shallow import shallow_water_balanced
from ._shallow_water import ShallowWater
from ._simulate import Scenario, register_scenario

for _scenario in (
    Scenario(
        "shallow-water", ShallowWater, shallow_water_balanced, "a random flow near geostrophic balance, turning either way",
        notes="Of this package, not published.",
    ),
):  # fmt: skip
    register_scenario(_scenario)
