"""Order of accuracy on the isentropic vortex; Galilean boosts and scaling on the rate du/dt, in float64."""

import math

import numpy as np
import pytest
import torch

from orbitscope._errors import OrbitscopeError
from orbitscope.physics import Equation, Euler, NavierStokes, initial_condition
from orbitscope.physics._spectral import gradient, resample, solenoidal
from orbitscope.symmetry import Grid

GAMMA = 1.4


def _vortex(n: int, t: float, drift: tuple[float, float] = (0.6, -0.4), width: float = 0.08) -> torch.Tensor:
    """Cell averages (4 x 4 points) of a vortex in equilibrium, carried along by a uniform wind."""
    x, y = Grid.square(4 * n).coordinates()
    dx, dy = ((p - d * t) % 1 - 0.5 for p, d in ((x, drift[0]), (y, drift[1])))
    swirl = 1 / (2 * math.pi) * torch.exp(0.5 * (1 - (dx * dx + dy * dy) / width**2))
    temperature = 1 - (GAMMA - 1) / (2 * GAMMA) * swirl**2
    density = temperature ** (1 / (GAMMA - 1))
    w = torch.stack([density, drift[0] - swirl * dy / width, drift[1] + swirl * dx / width, density * temperature])
    return Euler().conserved(w).reshape(4, n, 4, n, 4).mean((2, 4))[None]


@pytest.mark.parametrize(("limiter", "least", "bound"), [("mc", 1.9, 1.2e-5), ("van-leer", 1.9, 1.4e-5), ("minmod", 1.5, 3.5e-5)])
def test_isentropic_vortex(limiter: str, least: float, bound: float) -> None:
    """Second order in the mean; minmod is of first order at extrema, which shows. `bound` is at 128^2 after a fifth of a period."""
    sizes, errors = (32, 64, 128), []
    for n in sizes:
        found = Euler(limiter=limiter).step(_vortex(n, 0.0), 0.2)  # type: ignore[arg-type]
        errors.append(float((found - _vortex(n, 0.2))[0, 0].abs().mean()))
    order = -np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert order > least and errors[-1] < bound, (order, errors)


def _boosted(state: torch.Tensor, c: tuple[float, float]) -> torch.Tensor:
    density, mx, my, energy = state.unbind(1)
    kinetic = c[0] * mx + c[1] * my + 0.5 * density * (c[0] ** 2 + c[1] ** 2)
    return torch.stack([density, mx + c[0] * density, my + c[1] * density, energy + kinetic], 1)


def test_euler_rate_under_a_boost() -> None:
    """U'(x, t) = B U(x - c t, t), so dU'/dt = B (dU/dt - c . grad U), B linear; up to the error of the scheme, at its order."""
    c, sizes, errors = (0.7, 0.3), (32, 64, 128), []
    for n in sizes:
        x = _vortex(n, 0.0, drift=(0.0, 0.0), width=0.1)
        slopes = gradient(x, (1.0, 1.0))
        expected = _boosted(Euler().rate(x) - c[0] * slopes[:, :, 0] - c[1] * slopes[:, :, 1], c)
        errors.append(float((Euler().rate(_boosted(x, c)) - expected).abs().mean() / expected.abs().mean()))
    order = -np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert order > 1.7 and errors[-1] < 0.02, (order, errors)


def test_euler_rate_under_scaling() -> None:
    x = initial_condition("CE-RP")(Grid.square(16), 0, 0, torch.float64)[None]
    faster, denser = 1.7, 0.3
    weight = torch.tensor([1.0, faster, faster, faster**2], dtype=torch.float64)[:, None, None]
    rate = Euler().rate(x)
    assert torch.allclose(Euler().rate(weight * x), faster * weight * rate, atol=1e-11, rtol=1e-11)
    assert torch.allclose(Euler().rate(denser * x), denser * rate, atol=1e-11, rtol=1e-11)
    assert torch.allclose(Euler().step(weight * x, 0.05 / faster), weight * Euler().step(x, 0.05), atol=1e-11)
    # The control: momentum scaled without energy is another flow.
    wrong = torch.tensor([1.0, faster, faster, 1.0 + faster], dtype=torch.float64)[:, None, None]
    assert (Euler().rate(wrong * x) - faster * wrong * rate).norm() > 0.01 * rate.norm()


@pytest.mark.parametrize("viscosity", [None, 0.0, 0.01])
def test_navier_stokes_rate_under_boost_and_scaling(viscosity: float | None) -> None:
    law, grid = NavierStokes(viscosity=viscosity), Grid.square(16)
    u = initial_condition("NS-Gauss")(grid, 0, 0, torch.float64)[None]
    rate = law.rate(u)
    c = torch.tensor([0.7, -1.3], dtype=torch.float64)[None, :, None, None]
    slopes = gradient(u, (1.0, 1.0))
    expected = rate - c[0, 0] * slopes[:, :, 0] - c[0, 1] * slopes[:, :, 1]
    assert (law.rate(u + c) - expected).abs().max() < 1e-11 * expected.abs().max()
    if viscosity is None:
        return  # spectral viscosity belongs to the grid: it does not scale
    assert torch.allclose(NavierStokes(viscosity=1.7 * viscosity).rate(1.7 * u), 1.7**2 * rate, atol=1e-10)
    # Half the size, twice as often in the box: u'(x) = u(2 x), so dn'/dt = 2 du/dt at 2 x, with half the viscosity.
    tiled = u[..., torch.arange(32) % 16, :][..., torch.arange(32) % 16]
    assert torch.allclose(NavierStokes(viscosity=viscosity / 2).rate(tiled), 2 * rate.repeat(1, 1, 2, 2), atol=1e-10)
    assert not torch.allclose(NavierStokes(viscosity=viscosity + 0.01).rate(1.7 * u), 1.7**2 * rate, atol=1e-3)


@pytest.mark.parametrize("law", [Euler(), NavierStokes(), NavierStokes(viscosity=0.01)])
def test_rate_is_the_limit_of_a_step(law: Equation) -> None:
    u = (
        _vortex(16, 0.0)
        if law.name == "euler"
        else solenoidal(resample(initial_condition("NS-Gauss")(Grid.square(16), 0, 0, torch.float64), (24, 24)))[None]
    )
    errors = [float(((law.step(u, h) - u) / h - law.rate(u)).norm() / law.rate(u).norm()) for h in (1e-4, 5e-5)]
    assert errors[0] < 0.02 and errors[0] / errors[1] == pytest.approx(2, rel=0.05)


def test_an_equation_without_a_rate_says_so() -> None:
    with pytest.raises(OrbitscopeError, match="step"):
        Equation.rate(Euler(), torch.ones(1, 4, 8, 8))
