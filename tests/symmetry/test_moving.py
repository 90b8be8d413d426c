"""Boosts and scalings of transitions: group laws, plain-loop values, and the solvers, which must carry x' to y'."""

import math

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.physics import Equation, Euler, NavierStokes, equation, equations, initial_condition
from orbitscope.physics._spectral import resample, solenoidal
from orbitscope.symmetry import Boost, Grid, Layout, Scaling

FLOW, GAS = NavierStokes.layout, Euler.layout


def smooth(channels: int, points: int, seed: int = 0, modes: int = 3) -> torch.Tensor:
    """A random field [1, C, n, n] of a few low modes, the same function at every resolution."""
    generator = torch.Generator().manual_seed(seed)
    x, y = Grid.square(points).coordinates()
    total = torch.zeros(channels, points, points, dtype=torch.float64)
    for kx in range(-modes, modes + 1):
        for ky in range(modes + 1):
            a, b = torch.randn(2, channels, 1, 1, generator=generator, dtype=torch.float64)
            angle = 2 * math.pi * (kx * x + ky * y)
            total = total + a * torch.cos(angle) + b * torch.sin(angle)
    return total[None] / (2 * modes)


def flow(points: int) -> torch.Tensor:
    return solenoidal(smooth(2, points)) + torch.tensor([0.3, -0.2], dtype=torch.float64)[None, :, None, None]


def gas(points: int) -> torch.Tensor:
    w = smooth(4, points, modes=1)
    density, pressure = 1 + 0.1 * torch.tanh(w[:, :1]), 1 + 0.1 * torch.tanh(w[:, 3:])
    return Euler().conserved(torch.cat([density, 0.1 * w[:, 1:3], pressure], 1))


def gap(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


def test_a_boost_by_a_plain_loop() -> None:
    """Values cell by cell; y moved by whole cells, so no interpolation: c dt = (2, -1) cells of 8."""
    n, dt, c = 8, 0.25, (1.0, -0.5)
    x, y = gas(n)[0].numpy(), gas(n).flip(2)[0].numpy()
    moved = Boost(GAS, Grid.square(n), c).pair(torch.from_numpy(x), torch.from_numpy(y), dt)
    assert moved.dt == dt
    for i in range(n):
        for j in range(n):
            for old, new, (a, b) in ((x, moved.x, (i, j)), (y, moved.y, ((i - 2) % n, (j + 1) % n))):
                rho, mx, my, e = old[:, a, b]
                energy = e + mx * c[0] + my * c[1] + 0.5 * rho * (c[0] ** 2 + c[1] ** 2)
                np.testing.assert_allclose(new[:, i, j].numpy(), [rho, mx + rho * c[0], my + rho * c[1], energy], rtol=1e-14)


def test_a_boost_leaves_the_pressure_and_moves_the_velocity() -> None:
    state = gas(8)
    before, after = Euler().primitive(state), Euler().primitive(Boost(GAS, Grid.square(8), (0.7, -0.4)).values(state))
    c = torch.tensor([0.0, 0.7, -0.4, 0.0], dtype=torch.float64)[None, :, None, None]
    assert gap(after, before + c) < 1e-14
    primitive = Boost(Layout.of("density", "velocity:vector", "pressure"), Grid.square(8), (0.7, -0.4)).values(before)
    assert gap(primitive, after) < 1e-14


@pytest.mark.parametrize(("layout", "make"), [(FLOW, flow), (GAS, gas)])
def test_boosts_are_a_group(layout: Layout, make) -> None:
    """a after b is the boost by the sum; the inverse undoes; on odd grids, where no Nyquist mode is in the way, for any field."""
    n, dt = 15, 0.13
    grid = Grid.square(n)
    a, b = Boost(layout, grid, (0.31, -0.7)), Boost(layout, grid, (-1.2, 0.4))
    x, y = make(n), make(n).flip(3)
    for time in (0.0, 0.4):
        once = (a @ b).pair(x, y, dt, time=time)
        twice = a.pair(*b.pair(x, y, dt, time=time), time=time)
        back = a.inverse().pair(*a.pair(x, y, dt, time=time), time=time)
        for one, other in ((once, twice), (back, (x, y, dt))):
            assert gap(one[0], other[0]) < 1e-14 and gap(one[1], other[1]) < 1e-13 and one[2] == other[2]
    assert (a @ b).velocity == pytest.approx((0.31 - 1.2, -0.7 + 0.4))
    assert a.parameters({"viscosity": 0.1}) == {"viscosity": 0.1}


def test_the_interpolation_error_is_told() -> None:
    """0 for whole cells; rounding for a band-limited field; large for noise on an even grid, whose Nyquist mode is lost."""
    grid = Grid.square(16)
    noise = torch.randn(1, 2, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert Boost(FLOW, grid, (1.0, 0.0)).error(noise, 1 / 16) == 0.0
    half = Boost(FLOW, grid, (1.0, 0.0))
    assert half.error(flow(16), 0.5 / 16) < 1e-14 < 0.05 < half.error(noise, 0.5 / 16)


@pytest.mark.parametrize("viscosity", [None, 0.0, 0.003])
def test_navier_stokes_carries_boosted_states_to_boosted_states(viscosity: float | None) -> None:
    """The scheme in space commutes with boosts; its error in time does not, falls at fourth order, and reaches rounding."""
    n, dt = 24, 0.05
    x, boost = flow(n), Boost(FLOW, Grid.square(n), (0.83, -0.37))
    gaps, steps = [], (0.8, 0.4, 0.2)
    for cfl in steps:
        law = NavierStokes(viscosity=viscosity, cfl=cfl)
        moved = boost.pair(x, law.step(x, dt), dt)
        gaps.append(gap(law.step(moved.x, moved.dt), moved.y))
    order = np.polyfit(np.log(steps), np.log(gaps), 1)[0]
    assert order > 3.5 and gaps[-1] < 1e-7, (order, gaps)
    fine = NavierStokes(viscosity=viscosity, cfl=0.004)
    moved = boost.pair(x, fine.step(x, dt / 5), dt / 5)
    assert gap(fine.step(moved.x, moved.dt), moved.y) < 1e-12
    assert gap(fine.step(moved.x, moved.dt), boost.values(fine.step(x, dt / 5))) > 1e-3  # the control: not shifted


def test_euler_carries_boosted_states_up_to_the_error_of_the_scheme() -> None:
    """Not exact: the dissipation of the scheme depends on the frame. Falls with the resolution at second order or nearly."""
    gaps, sizes, dt = [], (16, 32, 64), 0.1
    for n in sizes:
        x, boost = gas(n), Boost(GAS, Grid.square(n), (0.5, 0.3))
        moved = boost.pair(x, Euler().step(x, dt), dt)
        gaps.append(gap(Euler().step(moved.x, moved.dt), moved.y))
    order = -np.polyfit(np.log(sizes), np.log(gaps), 1)[0]
    assert order > 1.5 and gaps[-1] < 1e-3, (order, gaps)


@pytest.mark.parametrize(("velocity", "copies"), [(1.7, 1), (1.0, 2), (0.6, 3)])
def test_navier_stokes_scales(velocity: float, copies: int) -> None:
    """Faster, smaller, with another viscosity: exact to rounding, since the steps scale too."""
    law, n = NavierStokes(viscosity=0.01), 12
    x = solenoidal(resample(flow(24), (n, n)))
    scaling = Scaling(FLOW, Grid.square(n), velocity=velocity, copies=copies)
    moved = scaling.pair(x, law.step(x, 0.05), 0.05)
    other = NavierStokes(**scaling.parameters(law.parameters))
    assert other.viscosity == pytest.approx(0.01 * velocity / copies) and moved.dt == pytest.approx(0.05 / velocity / copies)
    assert gap(other.step(moved.x, moved.dt), moved.y) < 1e-11
    assert gap(law.step(moved.x, 0.05), moved.y) > 1e-5  # the control: the old viscosity and time


@pytest.mark.parametrize(("velocity", "density", "copies"), [(1.7, 1.0, 1), (1.0, 0.3, 1), (1.0, 1.0, 2), (0.5, 4.0, 2)])
def test_euler_scales(velocity: float, density: float, copies: int) -> None:
    """Shocks and all, to rounding; powers of two to the last bits."""
    x = initial_condition("CE-RP")(Grid.square(16), 0, 0, torch.float64)[None]
    scaling = Scaling(GAS, Grid.square(16), velocity=velocity, density=density, copies=copies)
    moved = scaling.pair(x, Euler().step(x, 0.05), 0.05)
    assert moved.x.shape[-1] == 16 * copies == scaling.moved_grid.shape[0]
    assert gap(Euler(**scaling.parameters(Euler().parameters)).step(moved.x, moved.dt), moved.y) < 1e-10


def test_scalings_are_a_group() -> None:
    grid = Grid.square(6)
    b = Scaling(GAS, grid, velocity=1.5, density=0.5, copies=2)
    a = Scaling(GAS, b.moved_grid, velocity=0.4, copies=3)
    x, y = gas(6), gas(6).flip(2)
    once, twice = (a @ b).pair(x, y, 0.1), a.pair(*b.pair(x, y, 0.1))
    assert gap(once.x, twice.x) < 1e-14 and gap(once.y, twice.y) < 1e-14 and once.dt == pytest.approx(twice.dt)
    viscous = {"viscosity": 0.2, "cfl": 0.8}
    assert (a @ b).parameters(viscous)["viscosity"] == pytest.approx(a.parameters(b.parameters(viscous))["viscosity"])
    single = Scaling(GAS, grid, velocity=1.5, density=0.5)
    assert gap(single.inverse().state(single.state(x)), x) < 1e-15 and single.error(x, 0.1) == 0.0
    vorticity = Scaling(Layout.of("vorticity:pseudoscalar"), grid, velocity=3.0, copies=2)
    assert vorticity.factors.tolist() == [6.0]


def test_equations_that_declare_continuous_symmetries_take_both_moves() -> None:
    """Every declared word is known, and the moves accept the layout of the equation."""
    declared = {name: equation(name).continuous for name in equations()}
    assert declared["navier-stokes"] == ("boost", "scaling") == declared["euler"] and declared["kolmogorov"] == ()
    for name, words in declared.items():
        assert set(words) <= {"boost", "scaling"}
        law: Equation = equation(name)
        grid = law.grid(8)
        if "boost" in words:
            Boost(law.layout, grid, (0.1,) * grid.ndim)
        if "scaling" in words:
            Scaling(law.layout, grid, velocity=2.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Boost(FLOW, Grid.square(4), (1.0,)), "velocity"),
        (lambda: Boost(FLOW, Grid.square(4, boundary="wall"), (1.0, 0.0)), "periodic"),
        (lambda: Boost(Layout.of("magnetic:pseudovector"), Grid.square(4), (1.0, 0.0)), "roles"),
        (lambda: Boost(Layout.of("momentum:vector"), Grid.square(4), (1.0, 0.0)), "density"),
        (lambda: Boost(FLOW, Grid.square(4), (1.0, 0.0), {"u": "velocity"}), "roles"),
        (lambda: Boost(FLOW, Grid.square(4), (1.0, 0.0), {"velocity": "speed"}), "roles"),
        (lambda: Boost(FLOW, Grid.square(4), (1.0, 0.0)) @ Boost(FLOW, Grid.square(8), (1.0, 0.0)), "compose"),
        (lambda: Scaling(FLOW, Grid.square(4), velocity=-1.0), "velocity"),
        (lambda: Scaling(FLOW, Grid.square(4), copies=0), "copies"),
        (lambda: Scaling(FLOW, Grid.square(4, boundary="wall"), copies=2), "copies"),
        (lambda: Scaling(Layout.of("temperature"), Grid.square(4)), "temperature"),
        (lambda: Scaling(FLOW, Grid.square(4), copies=2).inverse(), "undone"),
        (lambda: Scaling(FLOW, Grid.square(4), velocity=2.0).parameters({"viscosity": None}), "spectral viscosity"),
        (lambda: Scaling(FLOW, Grid.square(4), velocity=2.0).parameters({"gravity": 1.0}), "gravity"),
        (lambda: Scaling(FLOW, Grid.square(4)) @ Scaling(FLOW, Grid.square(4), copies=2), "made for"),
    ],
)
@pytest.mark.wrong_types
def test_mistakes_are_named(make, words: str) -> None:
    with pytest.raises(OrbitscopeError, match=words):
        make()
