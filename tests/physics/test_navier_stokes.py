"""Navier-Stokes against a convolution sum, the Taylor-Green vortex and its own conservation laws, in float64."""

import math

import numpy as np
import pytest
import torch

from orbitscope.physics import NavierStokes, SolverError, scenario
from orbitscope.physics._navier_stokes import make_table, tendency
from orbitscope.physics._spectral import resample, solenoidal
from orbitscope.symmetry import Grid


def _gauss(n: int, count: int = 2) -> torch.Tensor:
    plan = scenario("NS-Gauss")
    return torch.stack([plan.initial(Grid.square(n), 0, i, torch.float64) for i in range(count)])


def _taylor_green(n: int, t: float, viscosity: float, drift: tuple[float, float], waves: int = 1) -> torch.Tensor:
    k = 2 * math.pi * waves
    x, y = Grid.square(n).coordinates()
    x, y = x - drift[0] * t, y - drift[1] * t
    decay = math.exp(-2 * viscosity * k * k * t)
    return torch.stack([decay * torch.sin(k * x) * torch.cos(k * y) + drift[0], -decay * torch.cos(k * x) * torch.sin(k * y) + drift[1]])[
        None
    ]


def test_tendency_equals_the_convolution_sum() -> None:
    n, cut = 10, 3  # |k| < 10 / 3
    u = _gauss(n, 1)
    w = torch.fft.fft2(u) / n**2
    freq = np.fft.fftfreq(n, 1 / n).astype(int)
    hat = {(a, b): w[0, :, i, j].numpy() for i, a in enumerate(freq) for j, b in enumerate(freq) if max(abs(a), abs(b)) <= cut}
    curl = {k: 2j * np.pi * (k[0] * v[1] - k[1] * v[0]) for k, v in hat.items()}
    expected = np.zeros((n, n // 2 + 1), complex)
    for i, a in enumerate(freq):
        for b in range(cut + 1):
            if abs(a) <= cut:
                # (u . grad) w at mode k is the sum over p + q = k of (u_p . 2 pi i q) w_q
                for p, v in hat.items():
                    q = (a - p[0], b - p[1])
                    if q in curl:
                        expected[i, b] -= 2j * np.pi * (v[0] * q[0] + v[1] * q[1]) * curl[q]
    table = make_table((n, n), u.device, u.dtype, None, None)
    full = torch.fft.rfft2(u)
    vorticity = (full[:, 1] * table.kx - full[:, 0] * table.ky) * table.rotate
    found = tendency(vorticity, u.mean((2, 3)), table)[0][0].numpy() / n**2
    assert np.abs(found - expected).max() < 1e-10 * np.abs(expected).max()


@pytest.mark.parametrize("drift", [(0.0, 0.0), (0.7, -0.3)])
def test_taylor_green(drift: tuple[float, float]) -> None:
    viscosity = 0.01
    found = NavierStokes(viscosity=viscosity, cfl=0.2).step(_taylor_green(32, 0.0, viscosity, drift), 0.25)
    assert (found - _taylor_green(32, 0.25, viscosity, drift)).abs().max() < (1e-12 if drift == (0.0, 0.0) else 2e-7)


def test_spectral_viscosity_acts_above_sqrt_n_only() -> None:
    n = 36  # sqrt(N) = 6; Taylor-Green with k waves per axis has |k| = sqrt(2) waves
    for waves, rate in ((4, 0.0), (5, 0.05 / n * 8 * math.pi**2 * 25)):
        x = _taylor_green(n, 0.0, 0.0, (0.0, 0.0), waves)
        y = NavierStokes().step(x, 0.1)
        assert torch.allclose(y, math.exp(-rate * 0.1) * x, atol=1e-12)
    assert torch.equal(NavierStokes(modes=n).step(x, 0.1), y)
    assert not torch.allclose(NavierStokes(modes=2).step(x, 0.1), y)


def test_fourth_order_in_time() -> None:
    x = solenoidal(resample(_gauss(16), (32, 32)))
    exact = NavierStokes(cfl=0.02).step(x, 0.1)
    cfls = np.array([0.6, 0.3, 0.15])
    errors = [float((NavierStokes(cfl=c).step(x, 0.1) - exact).norm()) for c in cfls]
    order = np.polyfit(np.log(cfls), np.log(errors), 1)[0]
    assert order > 3.75, (order, errors)


def test_inviscid_flow_conserves_energy_enstrophy_and_momentum() -> None:
    x = _gauss(24) + torch.tensor([0.3, -0.2], dtype=torch.float64)[:, None, None]
    y = NavierStokes(viscosity=0.0, cfl=0.05).step(x, 0.1)
    assert torch.allclose(y.mean((2, 3)), x.mean((2, 3)), atol=1e-14)
    assert torch.allclose(y.square().mean((1, 2, 3)), x.square().mean((1, 2, 3)), rtol=1e-7)
    solver, grid = NavierStokes(), Grid.square(24)
    assert solver.constraints(x, y, 0.1, grid)["divergence"].max() < 1e-13


def test_step_projects_first() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 2, 16, 16, dtype=torch.float64)
    solver = NavierStokes()
    assert torch.allclose(solver.step(x, 0.0), solenoidal(x), atol=1e-13)
    assert torch.allclose(solver.step(x, 0.01), solver.step(solenoidal(x), 0.01), atol=1e-11)


def test_divergence_residual_against_its_definition() -> None:
    n, grid = 16, Grid((16, 16), (2.0, 2.0), ("periodic", "periodic"))
    x, y = Grid.square(n).coordinates() * 2 * math.pi
    potential = torch.stack([torch.sin(x) * torch.cos(2 * y), 2 * torch.cos(x) * torch.sin(2 * y)])[None]  # grad of -cos x cos 2y
    rotation = torch.stack([2 * torch.cos(x) * torch.sin(2 * y), -torch.sin(x) * torch.cos(2 * y)])[None]
    solver = NavierStokes()

    def residual(u: torch.Tensor) -> float:
        return float(solver.constraints(u, u, 0.1, grid)["divergence"])

    assert residual(potential) == pytest.approx(1.0, abs=1e-12)
    assert residual(rotation) < 1e-13
    assert residual(potential + rotation) == pytest.approx(math.sqrt(0.5), abs=1e-12)
    assert residual(torch.ones_like(potential)) == 0.0


def test_swapped_components_are_noticed() -> None:
    x = _gauss(32).float()
    solver, grid = NavierStokes(), Grid.square(32)
    y = solver.step(x, 0.05)
    assert solver.constraints(x, y, 0.05, grid)["divergence"].max() < 1e-5
    assert solver.constraints(x.flip(1), y.flip(1), 0.05, grid)["divergence"].min() > 0.4


def test_nan_is_reported_with_its_place() -> None:
    x = _gauss(16, 3)
    x[1, 0, 2, 2] = float("nan")
    with pytest.raises(SolverError, match="trajectory 1") as caught:
        NavierStokes().step(x, 0.05)
    assert caught.value.item == 1 and caught.value.time == 0.0


def test_an_item_keeps_its_number_when_the_batch_is_shared_out() -> None:
    x = _gauss(64, 1).repeat(20, 1, 1, 1)
    x[17, 1, 0, 0] = float("inf")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(SolverError, match="trajectory 17"):
            NavierStokes().step(x, 0.01)
        assert torch.get_num_threads() == 2
        x[17] = x[0]
        y = NavierStokes().step(x, 0.01)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(y, NavierStokes().step(x[:1], 0.01).expand_as(y))


def test_gradients_flow_through_a_step() -> None:
    x = _gauss(8, 1).requires_grad_()
    NavierStokes().step(x, 0.01).square().sum().backward()
    assert x.grad is not None and x.grad.isfinite().all() and x.grad.norm() > 0
