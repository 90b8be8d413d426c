"""Navier-Stokes in the cube against a convolution sum, exact solutions, the plane's solver and its conservation laws, in float64."""

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

import orbitscope
from orbitscope._errors import OrbitscopeError
from orbitscope.physics import NavierStokes, SolverError, equation, scenario, simulate
from orbitscope.physics._navier_stokes_3d import NavierStokes3D
from orbitscope.physics._spectral import cut, resample
from orbitscope.probe import audit
from orbitscope.symmetry import Boost, Grid, GridAction, Scaling, parse_group


def _random(n: int, count: int = 2, **parameters: float) -> torch.Tensor:
    plan = scenario("navier-stokes-3d.random", **parameters)
    return torch.stack([plan.initial(Grid.square(n, ndim=3), 0, i, torch.float64) for i in range(count)])


def _taylor_green(n: int) -> torch.Tensor:
    x, y, z = Grid.square(n, ndim=3).coordinates() * 2 * math.pi
    return torch.stack([x.sin() * y.cos() * z.cos(), -x.cos() * y.sin() * z.cos(), torch.zeros_like(x)])[None]


def _beltrami(n: int, waves: int = 1) -> torch.Tensor:
    """The Arnold-Beltrami-Childress flow: its vorticity is 2 pi `waves` times itself."""
    x, y, z = Grid.square(n, ndim=3).coordinates() * 2 * math.pi * waves
    a, b, c = 1.0, 0.7, 0.4
    return torch.stack([a * z.sin() + c * y.cos(), b * x.sin() + a * z.cos(), c * y.sin() + b * x.cos()])[None]


def test_rate_equals_the_convolution_sum() -> None:
    n, top = 8, 2  # |k| < 8 / 3
    u = _random(n, 1)[0] + torch.tensor([0.3, -0.1, 0.2], dtype=torch.float64)[:, None, None, None]
    hat = torch.fft.fftn(u, dim=(1, 2, 3)).numpy() / n**3
    expected = np.zeros_like(hat)
    span = range(-top, top + 1)
    for p in product(span, repeat=3):
        for q in product(span, repeat=3):
            k = tuple(a + b for a, b in zip(p, q, strict=True))
            if max(map(abs, k)) <= top:
                expected[(slice(None), *k)] -= 2j * np.pi * (hat[(slice(None), *p)] @ q) * hat[(slice(None), *q)]  # (u . grad) u
    for k in product(span, repeat=3):
        if any(k):
            wave = np.array(k)
            expected[(slice(None), *k)] -= wave * (wave @ expected[(slice(None), *k)]) / (wave @ wave)
            expected[(slice(None), *k)] -= 0.01 * 4 * np.pi**2 * (wave @ wave) * hat[(slice(None), *k)]
    found = torch.fft.fftn(NavierStokes3D(viscosity=0.01).rate(u[None])[0], dim=(1, 2, 3)).numpy() / n**3
    assert np.abs(found - expected).max() < 1e-12 * np.abs(expected).max()


def test_a_plane_flow_is_that_of_the_solver_in_the_plane() -> None:
    n = 16
    flat = torch.stack([scenario("NS-Gauss").initial(Grid.square(n), 0, i, torch.float64) for i in range(2)])
    flat += torch.tensor([0.2, -0.5], dtype=torch.float64)[:, None, None]
    deep = torch.cat([flat, torch.zeros_like(flat[:, :1])], 1)[..., None].expand(2, 3, n, n, n)
    for viscosity in (0.0, 0.01, None):
        # Spectral viscosity counts the points per axis, the same here.
        expected = NavierStokes(viscosity=viscosity).step(flat, 0.1)
        found = NavierStokes3D(viscosity=viscosity).step(deep.contiguous(), 0.1)
        assert (found[:, :2] - expected[..., None]).abs().max() < 1e-10 * expected.abs().max()
        assert found[:, 2].abs().max() < 1e-12
    # The same in a plane that contains z: nothing prefers an axis.
    turned = deep.permute(0, 1, 4, 2, 3)[:, [2, 0, 1]].contiguous()
    found = NavierStokes3D(viscosity=0.01).step(turned, 0.1)
    assert (found[:, 1:] - NavierStokes(viscosity=0.01).step(flat, 0.1)[:, :, None]).abs().max() < 1e-9


@pytest.mark.parametrize("waves", [1, 2])
def test_beltrami_flow_decays_exactly(waves: int) -> None:
    nu, t, u = 0.01, 0.4, _beltrami(12, waves)
    expected = math.exp(-nu * (2 * math.pi * waves) ** 2 * t) * u
    assert (NavierStokes3D(viscosity=nu).step(u, t) - expected).abs().max() < 1e-13
    law = NavierStokes3D()
    found = law.invariants(u)
    assert float(found["helicity"] / found["energy"]) == pytest.approx(2 * 2 * math.pi * waves, rel=1e-12)
    assert float(found["enstrophy"] / found["energy"]) == pytest.approx((2 * math.pi * waves) ** 2, rel=1e-12)


def test_a_wind_carries_the_flow_along() -> None:
    """Galilean: with the mean flow c the Beltrami flow arrives, decayed, at x - c t."""
    u, nu, t = _beltrami(12), 0.01, 0.25
    wind = torch.tensor([1.0, 0.0, -2.0], dtype=torch.float64)[:, None, None, None]
    found = NavierStokes3D(viscosity=nu, cfl=0.1).step(u + wind, t)  # a quarter of the period along x, half along z
    expected = math.exp(-nu * 4 * math.pi**2 * t) * u.roll((3, -6), (2, 4)) + wind
    assert (found - expected).abs().max() < 1e-6


def test_energy_and_helicity_without_viscosity() -> None:
    """Kept at every point of the grid by the form of the scheme, so up to the error in time, resolved or not."""
    x = _random(12)
    cfls, energy, helicity = np.array([0.2, 0.1, 0.05]), [], []
    for cfl in cfls:
        law = NavierStokes3D(viscosity=0.0, cfl=float(cfl))
        start = law.step(x, 0.0)
        before, after = law.invariants(start), law.invariants(law.step(start, 0.4))
        assert (after["enstrophy"] / before["enstrophy"] - 1).abs().min() > 0.05  # something happens
        energy.append(float((after["energy"] / before["energy"] - 1).abs().max()))
        helicity.append(float(((after["helicity"] - before["helicity"]) / before["energy"]).abs().max()))
    for drift in (energy, helicity):
        order = np.polyfit(np.log(cfls), np.log(drift), 1)[0]
        assert order > 3.75 and drift[-1] < 1e-8, (order, drift)


def test_energy_balance() -> None:
    r"""$dE/dt = -2 \nu \Omega$: on the rate to rounding, over an interval to the order in time (Simpson's rule for the enstrophy)."""
    nu, x = 0.01, _random(16, peak=1.5)
    law = NavierStokes3D(viscosity=nu)
    power = (law.step(x, 0.0) * law.rate(x)).sum(1).mean((1, 2, 3))
    assert torch.allclose(power, -2 * nu * law.invariants(x)["enstrophy"], rtol=1e-12)
    steps, errors = np.array([0.04, 0.02, 0.01]), []
    for h in steps:
        fine = NavierStokes3D(viscosity=nu, cfl=0.1)
        half = fine.step(x, float(h) / 2)
        first, middle, last = (law.invariants(s) for s in (x, half, fine.step(half, float(h) / 2)))
        dissipated = nu * h / 3 * (first["enstrophy"] + 4 * middle["enstrophy"] + last["enstrophy"])
        errors.append(float(((last["energy"] - first["energy"] + dissipated) / dissipated).abs().max()))
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] > 3.5 and errors[-1] < 1e-6, errors


def test_taylor_green_stretches_its_vortices_as_its_series_says() -> None:
    r"""$\Omega(t) = 4 \pi^2 (3/8 + 5/128\, (2 \pi t)^2 + O(t^4))$ without viscosity, on the unit box.

    By hand, in units where the wave is 1: $u_1 = \partial_t u = 1/8 (-\sin 2x \cos 2z, -\sin 2y \cos 2z, (\cos 2x + \cos 2y) \sin 2z)$ from
    the pressure $(\cos 2x + \cos 2y)(2 + \cos 2z)/16$, $\langle u_1^2 \rangle = 1/64$, $\langle \omega_1^2 \rangle = 1/8$; and since
    $\Delta u_0 = -3 u_0$ and energy is kept, $\langle \omega_0 \omega_2 \rangle = 3 \langle u_0 u_2 \rangle = -3/64$. So the coefficient
    of $t^2$ is $(1/8 - 3/64) / 2 = 5/128$.
    """
    law, x = NavierStokes3D(viscosity=0.0, cfl=0.1), _taylor_green(16)
    start = float(law.invariants(x)["enstrophy"]) / (4 * math.pi**2)
    assert start == pytest.approx(3 / 8, rel=1e-12)
    times = np.array([0.02, 0.04, 0.06])
    growth = np.array([float(law.invariants(law.step(x, float(t)))["enstrophy"]) / (4 * math.pi**2) - start for t in times])
    slope, quadratic = np.polyfit((2 * math.pi * times) ** 2, growth / (2 * math.pi * times) ** 2, 1)
    assert quadratic == pytest.approx(5 / 128, rel=2e-3)
    wave = 2 * math.pi * Grid.square(16, ndim=3).coordinates()
    first = torch.stack(
        [
            -(2 * wave[0]).sin() * (2 * wave[2]).cos(),
            -(2 * wave[1]).sin() * (2 * wave[2]).cos(),
            ((2 * wave[0]).cos() + (2 * wave[1]).cos()) * (2 * wave[2]).sin(),
        ]
    )
    assert (law.rate(x)[0] - 2 * math.pi / 8 * first).abs().max() < 1e-12


def test_fourth_order_in_time() -> None:
    x = _random(12, 1)
    exact = NavierStokes3D(cfl=0.02).step(x, 0.2)
    cfls = np.array([0.6, 0.3, 0.15])
    errors = [float((NavierStokes3D(cfl=float(c)).step(x, 0.2) - exact).norm()) for c in cfls]
    assert np.polyfit(np.log(cfls), np.log(errors), 1)[0] > 3.75, errors


def test_rate_is_the_limit_of_a_step() -> None:
    law, x = NavierStokes3D(viscosity=0.01), _random(12)
    errors = [float(((law.step(x, h) - law.step(x, 0.0)) / h - law.rate(x)).norm() / law.rate(x).norm()) for h in (1e-4, 5e-5)]
    assert errors[0] < 0.02 and errors[0] / errors[1] == pytest.approx(2, rel=0.05)


def test_commutes_with_all_forty_eight_elements() -> None:
    law, x = NavierStokes3D(), _random(12, 1)
    y, action = law.step(x, 0.1), GridAction(law.layout, law.grid(12))
    elements = list(parse_group("oh"))
    assert len(elements) == 48
    for g in elements:
        assert (law.step(action(g, x), 0.1) - action(g, y)).abs().max() < 1e-12, g.name
    # The control: two components exchanged without their axes.
    order = [1, 0, 2]
    assert (law.step(x[:, order], 0.1) - y[:, order]).norm() > 0.1 * y.norm()


def test_boosts_and_scalings_of_a_transition() -> None:
    """A boost up to the error in time, at its order (Fourier modes are carried exactly); a scaling, two copies per axis, to rounding."""
    x, dt = _random(12, 1), 0.1
    law = NavierStokes3D(viscosity=0.01, cfl=0.05)
    x = law.step(x, 0.0)
    boost = Boost(law.layout, law.grid(12), (0.7, -0.2, 0.4)).pair(x, law.step(x, dt), dt)
    cfls, errors = np.array([0.8, 0.4, 0.2]), []
    for cfl in cfls:
        found = NavierStokes3D(viscosity=0.01, cfl=float(cfl)).step(boost.x, dt)
        errors.append(float((found - boost.y).norm() / boost.y.norm()))
    assert np.polyfit(np.log(cfls), np.log(errors), 1)[0] > 3.5 and errors[-1] < 1e-5, errors
    law = NavierStokes3D(viscosity=0.01)
    scaling = Scaling(law.layout, law.grid(12), velocity=1.7, copies=2)
    moved = scaling.pair(x, law.step(x, dt), dt)
    other = NavierStokes3D(**scaling.parameters(law.parameters))
    assert other.viscosity == pytest.approx(0.01 * 1.7 / 2)
    assert (other.step(moved.x, moved.dt) - moved.y).abs().max() < 1e-11 * moved.y.abs().max()
    assert (law.step(moved.x, moved.dt) - moved.y).abs().max() > 1e-4  # the control: viscosity not scaled


def test_divergence_tells_exchanged_components() -> None:
    law, x = NavierStokes3D(), _random(16)
    y = law.step(x, 0.05)
    assert law.constraints(x, y, 0.05, law.grid(16))["divergence"].max() < 1e-13
    for order in ([1, 0, 2], [2, 1, 0], [1, 2, 0]):
        assert law.constraints(x[:, order], y[:, order], 0.05, law.grid(16))["divergence"].min() > 0.3
    wave = 2 * math.pi * Grid.square(8, ndim=3).coordinates()
    potential = torch.stack([wave[0].cos() * wave[1].sin(), wave[0].sin() * wave[1].cos(), 0 * wave[2]])[None]
    assert float(law.constraints(potential, potential, 0.1, law.grid(8))["divergence"]) == pytest.approx(1.0, abs=1e-12)
    assert float(law.constraints(torch.ones_like(potential), torch.ones_like(potential), 0.1, law.grid(8))["divergence"]) == 0.0


def test_a_trajectory_does_not_feel_its_batch() -> None:
    law, x = NavierStokes3D(), _random(8, 5)
    x[2] *= 4
    y = law.step(x, 0.1)
    for part in ([0], [2], [4, 1], [2, 3, 4]):
        assert torch.equal(law.step(x[part], 0.1), y[part])
    assert torch.allclose(law.step(x.float(), 0.1).double(), y, atol=1e-4)


def test_cut_keeps_the_modes_that_both_grids_hold() -> None:
    fine, coarse = _random(24), _random(12)
    kept = torch.fft.rfftn(cut(fine, (12, 12, 12)) - coarse, dim=(2, 3, 4))[..., [0, 1, 2, 3, -1, -2, -3], :, :]
    assert kept[..., [0, 1, 2, 3, -1, -2, -3], :4].abs().max() < 1e-10
    plane = torch.randn(2, 3, 12, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for shape in ((8, 10), (6, 9), (5, 20)):
        if shape[1] == 20:  # the Nyquist modes of an axis that stays are dropped by one and the other
            assert torch.allclose(cut(plane, (5, 19)), resample(plane, (5, 19)), atol=1e-13)
        else:
            assert torch.allclose(cut(plane, shape), resample(plane, shape), atol=1e-13)
    ((_, values),) = simulate("navier-stokes-3d.random", trajectories=2, resolution=8, frames=2, t_end=0.05, refine=2, dtype=torch.float64)
    law = NavierStokes3D()
    assert law.constraints(values[:, 0], values[:, 1], 0.05, law.grid(8))["divergence"].max() < 1e-12


def test_the_laws_of_the_initial_states() -> None:
    x = _random(24, 40)
    assert float(x.square().sum(1).mean()) == pytest.approx(1.0, rel=0.05)
    parts = x.square().mean((0, 2, 3, 4))
    assert (parts / parts.mean() - 1).abs().max() < 0.12
    assert x.mean((2, 3, 4)).abs().max() < 1e-13
    helicity = NavierStokes3D().invariants(x)["helicity"]
    assert abs(float(helicity.mean())) < 4 * float(helicity.std()) / 40**0.5 and float(helicity.std()) > 0.1
    # The spectrum, shell by shell.
    hat = torch.fft.fftn(x, dim=(2, 3, 4)).abs().square().sum(1).mean(0) / 24**6
    line = torch.fft.fftfreq(24, 1 / 24)
    length = (line[:, None, None] ** 2 + line[None, :, None] ** 2 + line**2).sqrt()
    for k2 in (1, 2, 3, 5, 9):
        shell = (length**2 - k2).abs() < 0.1
        expected = k2 * math.exp(-2 * k2 / 4)
        first = (length**2 - 1).abs() < 0.1
        assert float(hat[shell].mean() / hat[first].mean()) == pytest.approx(expected / math.exp(-0.5), rel=0.25)
    plan, grid = scenario("navier-stokes-3d.taylor-green"), Grid.square(8, ndim=3)
    drawn = torch.stack([plan.initial(grid, 0, i, torch.float64) for i in range(150)])
    empty = (drawn.abs().amax((2, 3, 4)) == 0).sum(0)
    assert int(empty.sum()) == 150 and empty.min() > 25  # each axis in turn
    speed = (drawn.square().sum(1).mean((1, 2, 3)) * 4).sqrt()  # rms of the vortex is U / 2
    assert speed.min() >= 0.5 and speed.max() <= 1.5 and float(speed.mean()) == pytest.approx(1.0, abs=0.08)
    assert NavierStokes3D().constraints(drawn, drawn, 0.1, grid)["divergence"].max() < 1e-12


def test_wrong_input_is_named() -> None:
    x = _random(8, 3)
    x[1, 0, 2, 2, 2] = float("nan")
    with pytest.raises(SolverError, match="trajectory 1"):
        NavierStokes3D().step(x, 0.05)
    for bad in ({"viscosity": -1.0}, {"cfl": 2.0}):
        with pytest.raises(OrbitscopeError, match=next(iter(bad))):
            equation("navier-stokes-3d", **bad)
    with pytest.raises(OrbitscopeError, match="cube"):
        scenario("navier-stokes-3d.random").initial(Grid.square(8), 0, 0, torch.float64)
    for name, word, value in (
        ("navier-stokes-3d.random", "peak", 0.0),
        ("navier-stokes-3d.taylor-green", "waves", 3),
        ("navier-stokes-3d.taylor-green", "speed", (2.0, 1.0)),
    ):
        with pytest.raises(OrbitscopeError, match=word):
            scenario(name, **{word: value}).initial(Grid.square(8, ndim=3), 0, 0, torch.float64)


def test_gradients_flow_through_a_step() -> None:
    x = _random(8, 1).requires_grad_()
    NavierStokes3D().step(x, 0.01).square().sum().backward()
    assert x.grad is not None and x.grad.isfinite().all() and x.grad.norm() > 0


def test_trajectories_in_the_cube_are_saved_and_audited(tmp_path: Path) -> None:
    plan = scenario("navier-stokes-3d.random", peak=1.5)
    law = plan.equation()
    parts = simulate(plan, trajectories=24, resolution=8, frames=3, t_end=0.1, seed=1)
    data = orbitscope.Trajectories(
        torch.cat([values for _, values in parts]), law.layout, law.grid(8), dt=0.05,
        provenance={"equation": law.name, "parameters": law.parameters},
    )  # fmt: skip
    loaded = orbitscope.load(orbitscope.save(data, tmp_path / "cube.h5"))
    assert loaded.layout == data.layout and loaded.grid == data.grid and torch.equal(loaded.tensor(), data.tensor())
    found = audit(loaded, "oh", transitions=4, permutations=1999)
    assert found.attrs["verdict"] == "consistent" and "declared" in found.attrs["convention_fits"]
    assert found.sizes["element"] == 48 and set(found["verdict"].values) <= {
        "symmetry of the physics and of the file",
        "symmetry of the physics; too few trajectories to test the file",
    }
    assert float(found["residual"].max()) < 1e-4
    # Exchanged components are found out, and which.
    swapped = loaded.replace(values=loaded.tensor()[:, :, [1, 0, 2]])
    report = audit(swapped, "oh", transitions=4, elements=["e"], permutations=99)
    assert report.attrs["verdict"] == "file contradicts its declared convention"
    assert report.attrs["convention_fits"] == "components x, y swapped"
    # A wind along z that is not in the law: the physics still holds, the file has a direction.
    windy = data.tensor() + torch.tensor([0.0, 0.0, 1.0])[:, None, None, None]
    report = audit(loaded.replace(values=windy), "oh", transitions=4, permutations=9999, law=None)
    verdicts = dict(zip(report["element"].values, report["p_value"].values, strict=True))
    turned = [name for name, g in zip(report["element"].values, parse_group("oh"), strict=True) if g.matrix[2, 2] < 1]
    assert max(verdicts[name] for name in turned) < 0.05
