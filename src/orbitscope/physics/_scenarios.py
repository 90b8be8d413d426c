"""The scenarios that come with the package."""

from ._initial_cube import navier_stokes_3d_random, navier_stokes_3d_taylor_green
from ._initial_shallow import shallow_water_balanced
from ._navier_stokes_3d import NavierStokes3D
from ._shallow_water import ShallowWater
from ._simulate import Scenario, register_scenario

for _scenario in (
    Scenario(
        "shallow-water", ShallowWater, shallow_water_balanced, "a random flow near geostrophic balance, turning either way",
        notes="Of this package, not published.",
    ),
    Scenario(
        "navier-stokes-3d.taylor-green", NavierStokes3D, navier_stokes_3d_taylor_green,
        "a Taylor-Green vortex in the cube, of random speed, place and axis", notes="The random parameters are of this package.",
    ),
    Scenario(
        "navier-stokes-3d.random", NavierStokes3D, navier_stokes_3d_random, "a Gaussian random flow in the cube with a given spectrum",
        notes="Of this package, not published.",
    ),
):  # fmt: skip
    register_scenario(_scenario)
