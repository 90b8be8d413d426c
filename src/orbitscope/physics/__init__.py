"""Equations with their solvers, their initial conditions and their declared symmetries."""

from . import _heat, _initial_smoke, _navier_stokes_variants, _scenarios  # noqa: F401  # registers their equations and scenarios
from ._capacity import capacity, potential_matrix, surface_charge
from ._equation import Equation, SolverError, equation, equations
from ._euler import Euler
from ._initial import Initial, euler_riemann, navier_stokes_gauss, navier_stokes_sines
from ._mie import cylinder_backscatter, sphere_backscatter
from ._navier_stokes import NavierStokes
from ._navier_stokes_3d import NavierStokes3D
from ._planned import fitted, planned
from ._radar import physical_optics, radar_cross_section, range_profile
from ._rayleigh_benard import RayleighBenard
from ._shallow_water import ShallowWater
from ._simulate import Scenario, initial_condition, register_scenario, scenario, scenarios, simulate
from ._smoke import Smoke

__all__ = [
    "fitted",
    "planned",
    "Equation",
    "Euler",
    "Initial",
    "NavierStokes",
    "NavierStokes3D",
    "RayleighBenard",
    "Scenario",
    "ShallowWater",
    "Smoke",
    "SolverError",
    "capacity",
    "cylinder_backscatter",
    "equation",
    "equations",
    "euler_riemann",
    "initial_condition",
    "navier_stokes_gauss",
    "navier_stokes_sines",
    "physical_optics",
    "potential_matrix",
    "radar_cross_section",
    "range_profile",
    "register_scenario",
    "scenario",
    "scenarios",
    "simulate",
    "sphere_backscatter",
    "surface_charge",
]
