"""Rotating shallow water: conservation, balance, waves, symmetry with a pseudoscalar, in float64."""

import math

import numpy as np
import pytest
import torch

from orbitscope._errors import OrbitscopeError
from orbitscope.physics import SolverError, equation, scenario
from orbitscope.physics._shallow_water import ShallowWater
from orbitscope.physics._spectral import gradient, resample
from orbitscope.symmetry import Grid, GridAction, Layout


def _smooth(n: int) -> torch.Tensor:
    """Large waves of everything, f varying in space and changing sign; far from balance."""
    x, y = Grid.square(n).coordinates() * 2 * math.pi
    h = 1 + 0.1 * torch.sin(x) * torch.cos(y + 0.3)
    first = torch.stack([h, 0.2 * torch.sin(y) + 0.05 * torch.cos(2 * x), 0.15 * torch.cos(x + 1), 2 + 3 * torch.sin(x + y)])
    second = torch.stack([h.flip(0), 0.1 * torch.cos(x - y), 0.3 * torch.sin(2 * y) + 0.1, torch.full_like(x, -4.0)])
    return torch.stack([first, second])


def _balanced(n: int, count: int = 3, **parameters: float) -> torch.Tensor:
    plan = scenario("shallow-water", **parameters)
    return torch.stack([plan.initial(Grid.square(n), 0, i, torch.float64) for i in range(count)])


def test_rate_equals_the_advective_form() -> None:
    """Another form of the equations, u_t = -u . grad u + f u_perp - g grad h, by pointwise products: equal where all is resolved."""
    state, g = _smooth(64), 2.5
    h, u, v, f = state.unbind(1)
    slopes = gradient(state[:, :3], (1.0, 1.0))  # [B, field, derivative, x, y]
    flux = gradient(torch.stack([h * u, h * v], 1), (1.0, 1.0))
    expected = torch.stack(
        [
            -flux[:, 0, 0] - flux[:, 1, 1],
            -u * slopes[:, 1, 0] - v * slopes[:, 1, 1] + f * v - g * slopes[:, 0, 0],
            -u * slopes[:, 2, 0] - v * slopes[:, 2, 1] - f * u - g * slopes[:, 0, 1],
            torch.zeros_like(h),
        ],
        1,
    )
    assert (ShallowWater(gravity=g, viscosity=0.0).rate(state) - expected).abs().max() < 1e-10 * expected.abs().max()
    # Viscosity acts on the velocity and not on the height.
    more = ShallowWater(gravity=g, viscosity=0.01).rate(state) - ShallowWater(gravity=g, viscosity=0.0).rate(state)
    kx, ky = torch.fft.fftfreq(64, 1 / 64, dtype=torch.float64)[:, None], torch.arange(33, dtype=torch.float64)[None, :]
    drag = torch.fft.irfft2(-0.01 * 4 * math.pi**2 * (kx**2 + ky**2) * torch.fft.rfft2(state[:, 1:3]), s=(64, 64))
    assert (more[:, 1:3] - drag).abs().max() < 1e-9 and more[:, 0].abs().max() < 1e-9


def test_mass_and_circulation_are_kept_to_rounding_and_energy_to_the_order_in_time() -> None:
    """On a coarse grid too, where potential enstrophy is not kept: energy is conserved whatever the resolution."""
    x = resample(_smooth(64)[:, :3], (12, 12))
    x = torch.cat([x, _smooth(12)[:, 3:]], 1)
    start = ShallowWater().step(x, 0.0)
    cfls, drifts = np.array([0.8, 0.4, 0.2]), []
    for cfl in cfls:
        law = ShallowWater(viscosity=0.0, cfl=float(cfl))
        before, after = law.invariants(start), law.invariants(law.step(start, 0.5))
        assert torch.allclose(before["mass"], after["mass"], rtol=1e-14)
        assert torch.allclose(before["circulation"], after["circulation"], atol=1e-13)
        drifts.append(float((after["energy"] - before["energy"]).abs().max() / before["energy"].max()))
    order = np.polyfit(np.log(cfls), np.log(drifts), 1)[0]
    assert order > 4.5 and drifts[-1] < 1e-6, (order, drifts)
    viscous = ShallowWater(viscosity=0.01)
    assert (viscous.invariants(viscous.step(start, 0.5))["energy"] < viscous.invariants(start)["energy"]).all()


def test_potential_enstrophy_is_kept_while_the_flow_is_resolved() -> None:
    drifts, sizes = [], (12, 18, 27, 40)
    for n in sizes:
        law = ShallowWater(viscosity=0.0, cfl=0.1)
        x = law.step(_smooth(n)[:1], 0.0)
        before, after = law.invariants(x)["potential_enstrophy"], law.invariants(law.step(x, 0.2))["potential_enstrophy"]
        drifts.append(float((after / before - 1).abs()))
    order = -np.polyfit(np.log(sizes), np.log(drifts), 1)[0]
    assert order > 10 and drifts[0] > 1e-6, (order, drifts)  # no power of the spacing: spectral; and the coarsest does not keep it


def test_fourth_order_in_time() -> None:
    x = _smooth(16)
    exact = ShallowWater(viscosity=0.0, cfl=0.02).step(x, 0.3)
    cfls = np.array([0.8, 0.4, 0.2])
    errors = [float((ShallowWater(viscosity=0.0, cfl=float(c)).step(x, 0.3) - exact).norm()) for c in cfls]
    order = np.polyfit(np.log(cfls), np.log(errors), 1)[0]
    assert order > 3.75, (order, errors)


def test_rate_is_the_limit_of_a_step() -> None:
    law = ShallowWater(viscosity=0.01)
    x = law.step(_smooth(16), 0.0)
    errors = [float(((law.step(x, h) - x) / h - law.rate(x)).norm() / law.rate(x).norm()) for h in (1e-4, 5e-5)]
    assert errors[0] < 0.02 and errors[0] / errors[1] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("f", [5.0, -5.0])
def test_inertial_oscillation(f: float) -> None:
    """A uniform flow turns clockwise for f > 0 (against the rotation) with period 2 pi / f."""
    x = torch.ones(1, 4, 8, 8, dtype=torch.float64)
    x[:, 1], x[:, 2], x[:, 3] = 0.3, 0.1, f
    law = ShallowWater(cfl=0.05)
    quarter = law.step(x, 2 * math.pi / abs(f) / 4)
    sign = math.copysign(1.0, f)
    assert torch.allclose(quarter[:, 1], sign * x[:, 2], atol=1e-6) and torch.allclose(quarter[:, 2], -sign * x[:, 1], atol=1e-6)
    assert torch.allclose(law.step(x, 2 * math.pi / abs(f)), x, atol=1e-6)
    assert torch.allclose(quarter[:, 0], x[:, 0], atol=1e-14) and torch.equal(quarter[:, 3], x[:, 3])


@pytest.mark.parametrize("mode", [(1, 0), (2, 3), (0, 4)])
@pytest.mark.parametrize("f", [0.0, 7.0])
def test_waves_obey_their_dispersion_relation(mode: tuple[int, int], f: float) -> None:
    """omega^2 = f^2 + g H k^2, measured from the turning of a Fourier coefficient, for gravity waves (f = 0) and Poincare waves."""
    n, gravity, depth, small, time = 24, 2.0, 0.7, 1e-6, 0.1
    kx, ky = 2 * math.pi * mode[0], 2 * math.pi * mode[1]
    k = math.hypot(kx, ky)
    omega = math.sqrt(f * f + gravity * depth * k * k)
    x, y = Grid.square(n).coordinates()
    phase = kx * x + ky * y
    # h' = cos(phase - omega t): along k the velocity omega / (k H) in phase, across it f / (k H) a quarter behind.
    along, across = omega / (k * depth) * torch.cos(phase), f / (k * depth) * torch.sin(phase)
    wave = torch.stack([torch.cos(phase), (kx * along - ky * across) / k, (ky * along + kx * across) / k, torch.zeros_like(x)])
    state = small * wave[None]
    state[:, 0] += depth
    state[:, 3] = f
    end = ShallowWater(gravity=gravity, viscosity=0.0, cfl=0.1).step(state, time)
    turn = torch.fft.fft2(end[0, 0])[mode] / torch.fft.fft2(state[0, 0])[mode]
    measured = -math.atan2(float(turn.imag), float(turn.real)) % (2 * math.pi) / time
    expected = omega * time % (2 * math.pi) / time
    assert measured == pytest.approx(expected, rel=1e-5)
    assert abs(turn) == pytest.approx(1.0, abs=1e-5)  # one wave only: no other travels back


@pytest.mark.parametrize("varying", [False, True])
def test_geostrophic_balance_stays(varying: bool) -> None:
    """A jet v(x) with g h' = f v is steady, f constant or not; here with all Fourier modes, so up to the error in space."""
    law, states, drifts, sizes = ShallowWater(viscosity=0.0, cfl=0.4), [], [], (12, 18, 27, 36)
    for n in sizes:
        x = torch.arange(n * 64, dtype=torch.float64).add(0.5) / (n * 64) * 2 * math.pi
        bump = torch.exp(torch.sin(x))
        f = 3 + (torch.cos(2 * x) if varying else 0.0) * torch.ones_like(x)
        v = 0.3 * (torch.cos(x) * bump)
        v = v - (f * v).mean() / f.mean()  # the height is periodic
        spectrum, k = torch.fft.rfft(f * v), torch.arange(n * 32 + 1, dtype=torch.float64)
        h = 1 + torch.fft.irfft(spectrum / (2j * math.pi * k.clamp_min(1)), n=n * 64)
        fine = torch.stack([h, torch.zeros_like(x), v, f])
        coarse = resample(fine[:, None, :].expand(4, 4, -1), (4, n))[:, 0]
        states.append(coarse[:, :, None].expand(4, n, n)[None].contiguous())
        drifts.append(float((law.step(states[-1], 0.5) - law.step(states[-1], 0.0)).abs().max()))
    order = -np.polyfit(np.log(sizes), np.log(drifts), 1)[0]
    assert order > 6 and drifts[-1] < 1e-5, (order, drifts)
    off = states[-1].clone()
    off[:, 3] = -off[:, 3]  # the control: turned the other way the same jet is far from balance
    assert (law.step(off, 0.5) - law.step(off, 0.0)).abs().max() > 0.1


def test_a_scalar_coriolis_parameter_breaks_reflections() -> None:
    """With f declared a pseudoscalar all of D4 commutes; declared a scalar, the four rotations do and no reflection does."""
    law, x = ShallowWater(), _smooth(16)
    y = law.step(x, 0.1)
    right = GridAction(law.layout, law.grid(16))
    wrong = GridAction(Layout.of("height:scalar", "velocity:vector", "coriolis:scalar"), law.grid(16))
    for g in law.groups(16)[0]:
        assert (law.step(right(g, x), 0.1) - right(g, y)).abs().max() < 1e-12, g.name
        error = float((law.step(wrong(g, x), 0.1) - wrong(g, y)).norm() / (y - x).norm())
        if np.linalg.det(g.matrix) > 0:
            assert error < 1e-12, g.name
        else:
            assert error > 0.1, g.name


def test_mass_balance_sees_swapped_components() -> None:
    law, grid = ShallowWater(), Grid.square(32)
    x = _balanced(32, 6)
    y = law.step(x, 0.05)
    right = law.constraints(x, y, 0.05, grid)["mass"]
    order = [0, 2, 1, 3]
    swapped = law.constraints(x[:, order], y[:, order], 0.05, grid)["mass"]
    assert right.max() < 0.4 and swapped.min() > 2 and (swapped / right).min() > 50
    still = torch.ones(1, 4, 8, 8, dtype=torch.float64)
    still[:, 1:3] = 0.0
    assert float(law.constraints(still, still, 0.1, Grid.square(8))["mass"]) == 0.0
    # Another box: the same numbers on twice the extent with twice the velocity.
    scale = torch.tensor([1.0, 2.0, 2.0, 1.0], dtype=torch.float64)[:, None, None]
    double = law.constraints(scale * x, scale * y, 0.05, Grid.square(32, extent=2.0))["mass"]
    assert torch.allclose(double, right, rtol=1e-10)


def test_a_trajectory_does_not_feel_its_batch() -> None:
    law = ShallowWater()
    x = torch.cat([_smooth(16), _balanced(16, 3)])
    x[2, 1:3] *= 3  # needs more steps than its neighbours
    y = law.step(x, 0.05)
    for part in ([0], [2], [4, 1], [2, 3, 4]):
        assert torch.equal(law.step(x[part], 0.05), y[part])


def test_float32_agrees_and_gradients_flow() -> None:
    law, x = ShallowWater(), _balanced(16)
    y = law.step(x, 0.05)
    assert torch.allclose(law.step(x.float(), 0.05).double(), y, atol=3e-6)
    one = x[:1].clone().requires_grad_()
    law.step(one, 0.02).square().sum().backward()
    assert one.grad is not None and one.grad.isfinite().all() and one.grad[:, 3].norm() > 0


def test_dry_ground_and_wrong_parameters_are_named() -> None:
    x = _smooth(16).repeat(2, 1, 1, 1)
    x[1, 0] -= 0.95
    with pytest.raises(SolverError, match="trajectory 1") as caught:
        ShallowWater().step(x, 0.05)
    assert caught.value.item == 1
    x[1] = x[0]
    x[3, 2, 0, 0] = float("nan")
    with pytest.raises(SolverError, match="trajectory 3"):
        ShallowWater().step(x, 0.05)
    for bad in ({"gravity": 0.0}, {"viscosity": -1.0}, {"cfl": 2.0}):
        with pytest.raises(OrbitscopeError, match=next(iter(bad))):
            equation("shallow-water", **bad)
    with pytest.raises(OrbitscopeError, match="dry"):
        _balanced(16, depth=0.01)
    with pytest.raises(OrbitscopeError, match="wave"):
        _balanced(16, wave=0.0)


def test_scenario_has_its_published_statistics() -> None:
    x = _balanced(24, 200)
    h, u, v, f = x.unbind(1)
    assert set(f.unique().tolist()) == {-10.0, 10.0}
    positive = int((f[:, 0, 0] > 0).sum())
    assert 70 <= positive <= 130  # 4 standard deviations of a fair coin
    assert torch.allclose(h.mean((1, 2)), torch.ones(200, dtype=torch.float64), atol=1e-13)
    assert float((u * u + v * v).mean()) == pytest.approx(0.2**2, rel=0.1)
    assert float((u * u).mean() / (v * v).mean()) == pytest.approx(1, abs=0.15)
    slopes = gradient(x[:, 1:3], (1.0, 1.0))
    assert (slopes[:, 0, 0] + slopes[:, 1, 1]).abs().max() < 1e-11
    # High pressure goes with the sense of rotation against f: the correlation has one sign for every trajectory.
    zeta = slopes[:, 1, 0] - slopes[:, 0, 1]
    assert ((h * zeta).mean((1, 2)) * f[:, 0, 0] < 0).all()
    # As many highs with either sense: their mean product with the vorticity alone vanishes, as invariance under reflections asks.
    product = (h * zeta).mean((1, 2))
    assert abs(float(product.mean())) < 4 * float(product.std()) / 200**0.5


def test_scenario_starts_in_balance() -> None:
    """The tendency of the divergence is that of the truncation only; with a flat surface it is large."""
    law, x = ShallowWater(viscosity=0.0), _balanced(64)

    def tendency(state: torch.Tensor) -> torch.Tensor:
        slopes = gradient(law.rate(state)[:, 1:3], (1.0, 1.0))
        return (slopes[:, 0, 0] + slopes[:, 1, 1]).square().mean().sqrt()

    flat = x.clone()
    flat[:, 0] = 1.0
    assert tendency(x) < 1e-6 * tendency(flat)


def test_two_grids_share_the_flow() -> None:
    coarse, fine = _balanced(16), resample(_balanced(48), (16, 16))
    a, b = torch.fft.rfft2(coarse[:, 1:3]), torch.fft.rfft2(fine[:, 1:3])
    assert (a - b)[:, :, :6, :6].abs().max() < 1e-10
