"""The scenarios that come with the package."""

from ._euler import Euler
from ._heat import Heat
from ._initial import euler_riemann, navier_stokes_gauss, navier_stokes_sines
from ._initial_cube import navier_stokes_3d_random, navier_stokes_3d_taylor_green
from ._initial_flow import navier_stokes_brownian, navier_stokes_patches, navier_stokes_shear, navier_stokes_sheet
from ._initial_gas import euler_curved, euler_gauss, euler_kelvin_helmholtz, euler_uncertain
from ._initial_shallow import shallow_water_balanced
from ._initial_variants import heat_gauss, heat_sines, kolmogorov_gauss, navier_stokes_tracer_patches
from ._navier_stokes import NavierStokes
from ._navier_stokes_3d import NavierStokes3D
from ._navier_stokes_variants import KolmogorovFlow, NavierStokesTracer
from ._shallow_water import ShallowWater
from ._simulate import Scenario, register_scenario

_NS, _CE = NavierStokes, Euler
for _scenario in (
    Scenario("navier-stokes.gauss", _NS, navier_stokes_gauss, "a hundred Gaussian vortices of random sign and width", "NS-Gauss"),
    Scenario("navier-stokes.sines", _NS, navier_stokes_sines, "random sines up to mode 10, projected", "NS-Sines"),
    Scenario("navier-stokes.brownian", _NS, navier_stokes_brownian, "a Brownian bridge, evolved for half a unit of time", "NS-BB"),
    Scenario("navier-stokes.patches", _NS, navier_stokes_patches, "vorticity constant on 10 x 10 squares (slow)", "NS-PwC"),
    Scenario("navier-stokes.sheet", _NS, navier_stokes_sheet, "a mollified sinusoidal vortex sheet", "NS-SVS"),
    Scenario(
        "navier-stokes.shear", _NS, navier_stokes_shear, "two perturbed shear layers", "NS-SL",
        notes="In print the perturbation does not displace the layers; here it does, as in the source of that formula.",
    ),
    Scenario("euler.riemann", _CE, euler_riemann, "four quadrants of constant gas states (shocks, contacts, slip lines)", "CE-RP"),
    Scenario(
        "euler.curved", _CE, euler_curved, "3 x 3 pieces with curved interfaces (p = 2 chosen by eye, not published)", "CE-CRP",
        notes="p is not published: 2 was chosen by looking at pictures. The sine's argument is read as 2 pi (i x + j y + beta).",
    ),
    Scenario(
        "euler.uncertain", _CE, euler_uncertain, "3 x 3 pieces, rippled interfaces, strong jumps (p = 2 chosen by eye, not published)",
        "CE-RPUI", notes="p is not published: 2 was chosen by looking at pictures. The sine's argument is read as 2 pi (i x + j y + beta).",
    ),
    Scenario("euler.gauss", _CE, euler_gauss, "Gaussian vortices in a gas of constant density and pressure", "CE-Gauss"),
    Scenario(
        "euler.kelvin-helmholtz", _CE, euler_kelvin_helmholtz, "two perturbed contact layers with opposite velocities", "CE-KH",
        notes="The number of modes of the interfaces is not published for this case: 10, as elsewhere in the collection.",
    ),
    Scenario(
        "navier-stokes-tracer.patches", NavierStokesTracer, navier_stokes_tracer_patches,
        "vorticity and a carried tracer, both constant on 10 x 10 squares (slow)", "NS-Tracer-PwC",
        notes="The published law of the tracer is not known: here it is constant on 10 x 10 squares, uniform in [0, 1].",
    ),
    Scenario(
        "kolmogorov", KolmogorovFlow, kolmogorov_gauss, "a hundred Gaussian vortices, driven by a steady sinusoidal force",
        notes="Of this package, not published. amplitude=0 starts from rest.",
    ),
    Scenario("heat.gauss", Heat, heat_gauss, "twenty Gaussian spots, hot and cold, that spread", notes="Of this package, not published."),
    Scenario("heat.sines", Heat, heat_sines, "random sines up to mode 10 that decay", notes="Of this package, not published."),
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
