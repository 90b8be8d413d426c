"""Kolmogorov's force against its laminar solution; the tracer against exact transport and diffusion, in float64."""

import math

import pytest
import torch

from orbitscope._errors import OrbitscopeError
from orbitscope.physics import NavierStokes, equation, initial_condition, simulate
from orbitscope.physics._spectral import gradient
from orbitscope.symmetry import Grid, GridAction


def _gauss(n: int, count: int = 2) -> torch.Tensor:
    return torch.stack([initial_condition("NS-Gauss")(Grid.square(n), 0, i, torch.float64) for i in range(count)])


def _blob(n: int) -> torch.Tensor:
    x, y = Grid.square(n).coordinates() * 2 * math.pi
    return 0.7 + torch.sin(x + 2 * y) + 0.5 * torch.cos(3 * x)


@pytest.mark.parametrize("wave", [1, 3])
def test_laminar_kolmogorov_flow(wave: int) -> None:
    n, t, viscosity, amplitude = 24, 0.5, 0.02, 0.3
    law = equation("kolmogorov", viscosity=viscosity, amplitude=amplitude, wave=wave, cfl=0.02)
    y = Grid.square(n).coordinates()[1]
    rate = viscosity * (2 * math.pi * wave) ** 2
    profile = amplitude / rate * torch.sin(2 * math.pi * wave * y)
    start = torch.stack([profile, 0 * y])[None] * 0.5
    found = law.step(start, t)
    expected = profile * (1 - 0.5 * math.exp(-rate * t))
    assert (found[0, 0] - expected).abs().max() < 1e-5 and found[0, 1].abs().max() < 1e-14
    steady = torch.stack([profile, 0 * y])[None]
    assert law.rate(steady).abs().max() < 1e-12


def test_the_force_adds_to_the_rate_and_keeps_what_it_declares() -> None:
    u, law = _gauss(20), equation("kolmogorov", amplitude=0.4, wave=2)
    y = Grid.square(20).coordinates()[1]
    force = torch.stack([0.4 * torch.sin(4 * math.pi * y), 0 * y])
    assert torch.allclose(law.rate(u), NavierStokes().rate(u) + force, atol=1e-12)
    action, out = GridAction(law.layout, law.grid(20)), law.step(u, 0.05)
    for group in law.groups(20):
        for g in group:
            assert torch.allclose(law.step(action(g, u), 0.05), action(g, out), atol=1e-10), g.name
    quarter = NavierStokes().groups(20)[0]["r"]  # the control: no symmetry of the force
    assert (law.step(action(quarter, u), 0.05) - action(quarter, out)).abs().max() > 1e-3
    assert torch.equal(equation("kolmogorov", amplitude=0.0).step(u, 0.05), NavierStokes().step(u, 0.05))


def test_forced_runs_take_any_flow_scenario() -> None:
    ((_, values),) = simulate("NS-PwC", trajectories=2, resolution=16, frames=3, equation=equation("kolmogorov"))
    ((_, free),) = simulate("NS-PwC", trajectories=2, resolution=16, frames=3)
    assert torch.equal(values[:, 0], free[:, 0]) and (values[:, 2] - free[:, 2]).abs().max() > 0.02
    with pytest.raises(OrbitscopeError, match="equation"):
        simulate("NS-PwC", trajectories=2, resolution=16, equation=equation("navier-stokes-tracer"))
    for wrong in ({"wave": 0}, {"amplitude": float("nan")}):
        with pytest.raises(OrbitscopeError, match="kolmogorov"):
            equation("kolmogorov", **wrong)
    with pytest.raises(OrbitscopeError, match="third"):
        equation("kolmogorov", wave=6).step(_gauss(16), 0.1)


def test_tracer_in_a_uniform_wind_moves_and_diffuses() -> None:
    n, t, kappa = 24, 0.3, 0.01
    x, y = Grid.square(n).coordinates() * 2 * math.pi
    c = (0.5, -0.25)
    wind = torch.stack([c[0] + 0 * x, c[1] + 0 * x])
    found = equation("navier-stokes-tracer", diffusivity=kappa, cfl=0.1).step(torch.cat([wind, _blob(n)[None]])[None], t)[0]
    x, y = x - 2 * math.pi * c[0] * t, y - 2 * math.pi * c[1] * t
    decay = lambda square: math.exp(-kappa * (2 * math.pi) ** 2 * square * t)  # noqa: E731
    expected = 0.7 + decay(5) * torch.sin(x + 2 * y) + decay(9) * 0.5 * torch.cos(3 * x)
    assert (found[2] - expected).abs().max() < 1e-6
    assert torch.allclose(found[:2], wind, atol=1e-13)


def test_tracer_follows_the_flow_and_keeps_its_mean_and_variance() -> None:
    u = _gauss(24)
    x = torch.cat([u, _blob(24).expand(2, 1, 24, 24)], 1)
    law = equation("navier-stokes-tracer", viscosity=0.0, diffusivity=0.0, cfl=0.05)
    y = law.step(x, 0.1)
    assert torch.allclose(y[:, :2], NavierStokes(viscosity=0.0, cfl=0.05).step(u, 0.1), atol=1e-12)
    assert torch.allclose(y[:, 2].mean((1, 2)), x[:, 2].mean((1, 2)), atol=1e-13)
    assert torch.allclose(y[:, 2].square().mean((1, 2)), x[:, 2].square().mean((1, 2)), rtol=1e-7)
    assert (y[:, 2] - x[:, 2]).norm() > 0.1 * x[:, 2].norm()
    low = torch.cat([torch.stack([torch.sin(6.283185307179586 * Grid.square(24).coordinates()[1]), 0 * _blob(24)]), _blob(24)[None]])[None]
    slopes = gradient(low[:, 2], (1.0, 1.0))
    assert torch.allclose(law.rate(low)[:, 2], -(low[:, :2] * slopes).sum(1), atol=1e-10)


def test_tracer_commutes_with_d4_and_does_not_feel_its_batch() -> None:
    law, x = equation("navier-stokes-tracer"), torch.cat([_gauss(20, 3), _blob(20).expand(3, 1, 20, 20)], 1)
    action, y = GridAction(law.layout, law.grid(20)), law.step(x, 0.05)
    for group in law.groups(20):
        for g in group:
            assert torch.allclose(law.step(action(g, x), 0.05), action(g, y), atol=1e-10), g.name
    assert torch.equal(law.step(x[1:2], 0.05), y[1:2])
    assert law.constraints(x, y, 0.05, law.grid(20))["divergence"].max() < 1e-12
    with pytest.raises(OrbitscopeError, match="diffusivity"):
        equation("navier-stokes-tracer", diffusivity=-1.0)
