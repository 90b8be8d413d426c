"""Order of accuracy on the isentropic vortex; Galilean boosts and scaling on the rate du/dt, in float64."""

import pytest
import torch
from proofs.laws import euler_boost_error
from proofs.orders import isentropic_vortex, order, vortex_error

from orbitscope._errors import OrbitscopeError
from orbitscope.physics import Equation, Euler, NavierStokes, initial_condition
from orbitscope.physics._spectral import gradient, resample, solenoidal
from orbitscope.symmetry import Grid


@pytest.mark.parametrize(("limiter", "least", "bound"), [("mc", 1.9, 1.2e-5), ("van-leer", 1.9, 1.4e-5), ("minmod", 1.5, 3.5e-5)])
def test_isentropic_vortex(limiter: str, least: float, bound: float) -> None:
    """Second order in the mean; minmod is of first order at extrema, which shows. `bound` is at 128^2 after a fifth of a period."""
    sizes, errors = (32, 64, 128), []
    for n in sizes:
        errors.append(vortex_error(Euler(limiter=limiter), n))  # type: ignore[arg-type]
    assert order(sizes, errors) > least and errors[-1] < bound, errors


def test_euler_rate_under_a_boost() -> None:
    sizes = (32, 64, 128)
    errors = [euler_boost_error(n) for n in sizes]
    assert order(sizes, errors) > 1.7 and errors[-1] < 0.02, errors


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
        isentropic_vortex(16, 0.0)
        if law.name == "euler"
        else solenoidal(resample(initial_condition("NS-Gauss")(Grid.square(16), 0, 0, torch.float64), (24, 24)))[None]
    )
    errors = [float(((law.step(u, h) - u) / h - law.rate(u)).norm() / law.rate(u).norm()) for h in (1e-4, 5e-5)]
    assert errors[0] < 0.02 and errors[0] / errors[1] == pytest.approx(2, rel=0.05)


def test_an_equation_without_a_rate_says_so() -> None:
    with pytest.raises(OrbitscopeError, match="step"):
        Equation.rate(Euler(), torch.ones(1, 4, 8, 8))
