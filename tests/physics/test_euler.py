"""Euler against a textbook loop, exact waves and its conservation laws, in float64."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from orbitscope._errors import OrbitscopeError
from orbitscope.physics import Euler, SolverError, _euler, _euler_torch, scenario
from orbitscope.symmetry import Grid, GridAction, dihedral

GAMMA = 1.4


def _riemann(n: int, count: int = 2, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.stack([scenario("CE-RP").initial(Grid.square(n), 1, i, dtype) for i in range(count)])


def _primitive(u: Any) -> Any:
    r, a, b = u[0], u[1] / u[0], u[2] / u[0]
    return np.array([r, a, b, (GAMMA - 1) * (u[3] - 0.5 * r * (a * a + b * b))])


def _exact_flux(w: Any) -> tuple[Any, Any]:
    """Conserved variables and flux along the first axis of one primitive state."""
    r, u, v, p = w
    e = p / (GAMMA - 1) + 0.5 * r * (u * u + v * v)
    return np.array([r, r * u, r * v, e]), np.array([r * u, r * u * u + p, r * u * v, (e + p) * u])


def _hllc(left: Any, right: Any) -> Any:
    """Toro's HLLC with branches, Einfeldt's wave speeds."""
    (rl, ul, _, pl), (rr, ur, _, pr) = left, right
    al, ar = math.sqrt(GAMMA * pl / rl), math.sqrt(GAMMA * pr / rr)
    wl, wr = math.sqrt(rl), math.sqrt(rr)
    roe = (wl * ul + wr * ur) / (wl + wr)
    d = math.sqrt((wl * al**2 + wr * ar**2) / (wl + wr) + 0.5 * wl * wr / (wl + wr) ** 2 * (ur - ul) ** 2)
    sl, sr = min(ul - al, roe - d), max(ur + ar, roe + d)
    sm = (pr - pl + rl * ul * (sl - ul) - rr * ur * (sr - ur)) / (rl * (sl - ul) - rr * (sr - ur))
    if sl >= 0:
        return _exact_flux(left)[1]
    if sr <= 0:
        return _exact_flux(right)[1]
    w, s = (left, sl) if sm >= 0 else (right, sr)
    (r, u, v, p), (q, f) = w, _exact_flux(w)
    star = r * (s - u) / (s - sm) * np.array([1, sm, v, q[3] / r + (sm - u) * (sm + p / (r * (s - u)))])
    return f + s * (star - q)


def _slope(a: Any, b: Any) -> Any:
    """Monotonised central, component by component."""
    return np.array(
        [math.copysign(min(2 * abs(x), 2 * abs(y), abs(x + y) / 2), x) if x * y > 0 else 0.0 for x, y in zip(a, b, strict=True)]
    )


def _face(w: Any, i: int, j: int, axis: int) -> Any:
    """Flux through the upper face of cell (i, j); y faces by exchanging the roles of the velocities."""
    n, m = w.shape[1:]
    cells = [w[:, (i + o) % n, j] if axis == 0 else w[[0, 2, 1, 3], i, (j + o) % m] for o in (-1, 0, 1, 2)]
    left = cells[1] + 0.5 * _slope(cells[1] - cells[0], cells[2] - cells[1])
    right = cells[2] - 0.5 * _slope(cells[2] - cells[1], cells[3] - cells[2])
    flux = _hllc(left, right)
    return flux if axis == 0 else flux[[0, 2, 1, 3]]


def _rate(u: Any) -> Any:
    w, (n, m) = _primitive(u), u.shape[1:]
    out = np.zeros_like(u)
    for i in range(n):
        for j in range(m):
            out[:, i, j] -= n * (_face(w, i, j, 0) - _face(w, i - 1, j, 0)) + m * (_face(w, i, j, 1) - _face(w, i, j - 1, 1))
    return out


def _reference(u: Any, dt: float, cfl: float) -> Any:
    left = dt
    while left > 1e-15:
        w = _primitive(u)
        a = np.sqrt(GAMMA * w[3] / w[0])
        fastest = ((abs(w[1]) + a) * u.shape[1] + (abs(w[2]) + a) * u.shape[2]).max()
        h = left / math.ceil(left * fastest / cfl)
        first = u + h * _rate(u)
        u = 0.5 * (u + first + h * _rate(first))
        left -= h
    return u


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_several_steps_against_the_textbook_loop(backend: str) -> None:
    torch.manual_seed(0)
    primitive = torch.rand(2, 4, 8, 6, dtype=torch.float64) * 2 - 1  # supersonic and subsonic faces, both signs, unequal axes
    primitive[:, 0], primitive[:, 3] = primitive[:, 0] + 1.5, primitive[:, 3].abs() * 0.5 + 0.05
    primitive[:, 1:3] *= 1.5
    x = Euler().conserved(primitive)
    found = Euler(backend=backend).step(x, 0.06)  # type: ignore[arg-type]
    for i in range(2):
        expected = _reference(x[i].numpy(), 0.06, 0.5)
        assert np.abs(found[i].numpy() - expected).max() < 1e-10
    assert float((found - x).norm() / x.norm()) > 0.05


@pytest.mark.parametrize("n", [8, 34])
def test_compiled_and_eager_agree(n: int) -> None:
    x = _riemann(n, 3)
    assert (Euler(backend="numba").step(x, 0.05) - Euler(backend="torch").step(x, 0.05)).abs().max() < 1e-10
    x = x.float()
    assert (Euler(backend="numba").step(x, 0.05) - Euler(backend="torch").step(x, 0.05)).abs().max() < 1e-4


def test_primitive_inverts_conserved() -> None:
    x = _riemann(8)
    assert torch.allclose(Euler().conserved(Euler().primitive(x)), x, atol=1e-14)


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_conserves_mass_momentum_energy(backend: str) -> None:
    x = _riemann(24)
    y = Euler(backend=backend).step(x, 0.2)  # type: ignore[arg-type]
    assert (y.mean((2, 3)) - x.mean((2, 3))).abs().max() < 1e-14
    assert (y - x).norm() > 0.1 * x.norm()


def test_constant_state_stays() -> None:
    x = Euler().conserved(torch.tensor([0.7, 0.5, -0.3, 0.4], dtype=torch.float64)[:, None, None].expand(4, 8, 8))[None]
    assert (Euler().step(x, 0.3) - x).abs().max() < 1e-14


def _wave(n: int, t: float) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = Grid.square(n).coordinates()
    phase = 2 * math.pi * (x - t + y - 0.5 * t)
    density = 1 + 0.3 * torch.sin(phase)
    return Euler().conserved(torch.stack([density, torch.ones_like(x), 0.5 * torch.ones_like(x), torch.ones_like(x)]))[None], phase


def test_second_order_on_a_smooth_density_wave() -> None:
    sizes, errors = (24, 48, 96), []
    for n in sizes:
        exact, phase = _wave(n, 0.1)
        error = (Euler().step(_wave(n, 0.0)[0], 0.1) - exact)[0, 0].abs()
        errors.append(float(error[phase.sin().abs() < 0.8].mean()))  # away from the extrema, where the limiter is of first order
    order = -np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert order > 1.8, (order, errors)


@pytest.mark.parametrize("axis", [0, 1])
def test_sod(axis: int) -> None:
    """Exact star region (Toro, table 4.3): p = 0.30313, u = 0.92745, rho = 0.42632 | 0.26557, shock speed 1.7522."""
    n, t = 200, 0.1
    w = torch.zeros(4, n, 4, dtype=torch.float64)
    w[0, : n // 2], w[0, n // 2 :] = 1.0, 0.125
    w[3, : n // 2], w[3, n // 2 :] = 1.0, 0.1
    x = Euler().conserved(w)
    if axis:
        x = x[[0, 2, 1, 3]].transpose(1, 2)
    y = Euler().step(x[None].contiguous(), t)[0]
    if axis:
        y = y.transpose(1, 2)[[0, 2, 1, 3]]
    r, u, v, p = Euler().primitive(y)
    assert v.abs().max() == 0 and torch.equal(r[:, 0], r[:, 3])
    at = (torch.arange(n) + 0.5) / n
    before_contact, after_contact = (at > 0.52) & (at < 0.57), (at > 0.615) & (at < 0.655)
    for where, density in ((before_contact, 0.42632), (after_contact, 0.26557)):
        assert abs(r[where, 0].mean() / density - 1) < 0.01
        assert abs(u[where, 0].mean() / 0.92745 - 1) < 0.01 and abs(p[where, 0].mean() / 0.30313 - 1) < 0.01
    right_half = (at > 0.6) & (at < 0.8)  # the seam's shock comes from the other side
    shock = at[right_half & (r[:, 0] > 0.5 * (0.26557 + 0.125))].max()
    assert abs(float(shock) - (0.5 + 1.7522 * t)) < 2.5 / n
    half = r[n // 4 : 3 * n // 4, 0]  # the tube proper; the seam has its own, mirrored waves
    assert half.max() < 1 + 1e-9 and half.min() > 0.125 - 1e-9 and (half.diff() < 3e-3).all()  # no overshoot beyond 0.3 %


def test_mass_residual_tells_swapped_components() -> None:
    x = _riemann(32, 12, torch.float32)
    solver, grid = Euler(), Grid.square(32)
    for _ in range(4):
        y = solver.step(x, 0.05)
        right = solver.constraints(x, y, 0.05, grid)["mass"]
        swap = [0, 2, 1, 3]
        assert right.max() < 0.25
        assert (solver.constraints(x[:, swap], y[:, swap], 0.05, grid)["mass"] > 2 * right).all()
        x = y


def test_mass_residual_against_its_definition() -> None:
    """A wave of mode (1, 2) that obeys continuity exactly: what is left is the trapezoidal rule."""
    n, dt, c = 16, 0.05, 1.5
    x, y = Grid.square(n).coordinates()

    def state(t: float) -> torch.Tensor:
        phase = 2 * math.pi * (x + 2 * y) - c * t
        flow = c / (2 * math.pi) * torch.sin(phase)  # m_x + 2 m_y carries it
        return torch.stack([1 + torch.sin(phase), 0.2 * flow, 0.4 * flow, torch.ones_like(x)])[None]

    half = c * dt / 2
    found = float(Euler().constraints(state(0), state(dt), dt, Grid.square(n))["mass"])
    assert found == pytest.approx(abs(1 - half / math.tan(half)), rel=1e-4)
    assert float(Euler().constraints(state(0), state(0), dt, Grid.square(n))["mass"]) > 10  # a frozen file with a diverging flow
    rest = torch.ones(1, 4, n, n)
    assert float(Euler().constraints(rest, rest, dt, Grid.square(n))["mass"]) == 0


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 0.0])
@pytest.mark.parametrize("channel", [0, 3])
def test_unphysical_states_are_reported_with_their_place(backend: str, value: float, channel: int) -> None:
    x = _riemann(8, 3)
    x[2, channel, 1, 5] = value
    with pytest.raises(SolverError, match="trajectory 2") as caught:
        Euler(backend=backend).step(x, 0.05)  # type: ignore[arg-type]
    assert caught.value.item == 2 and caught.value.time == 0.0


def _parting(speed: float = 8.0, n: int = 32) -> torch.Tensor:
    w = torch.tensor([1.0, 0.0, 0.0, 0.01], dtype=torch.float64)[:, None, None].repeat(1, n, 4)
    w[1, : n // 2], w[1, n // 2 :] = -speed, speed
    return Euler().conserved(w)[None]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_near_vacuum_stays_positive_and_conserves(dtype: torch.dtype) -> None:
    """Two gases part at Mach 68: unlimited second order fails in the first step; the repaired step is the same in both backends."""
    x = _parting().to(dtype)
    y = {backend: Euler(cfl=1.0, backend=backend).step(x, 0.02) for backend in ("numba", "torch")}  # type: ignore[arg-type]
    scale = x.abs().amax((2, 3))
    assert ((y["numba"] - y["torch"]).abs().amax((2, 3)) < (1e-11 if dtype == torch.float64 else 1e-4) * scale.clamp_min(1)).all()
    w = Euler().primitive(y["numba"])
    assert w[:, [0, 3]].min() > 0 and w[:, 0].min() < 0.05
    drift = (y["numba"].mean((2, 3)) - x.mean((2, 3))).abs() / scale.clamp_min(1)
    assert drift.max() < (1e-13 if dtype == torch.float64 else 1e-5)


def test_repairs_happen_and_follow_the_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    x = _parting().expand(1, 4, 32, 4).repeat(1, 1, 1, 8).contiguous()
    x = x + Euler().conserved(torch.rand(1, 4, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.01)
    solver = Euler(cfl=1.0)
    action = GridAction(solver.layout, Grid.square(32))
    y = solver.step(x, 0.01)
    for g in dihedral(4):
        assert torch.allclose(solver.step(action(g, x), 0.01), action(g, y), atol=1e-10), g.name
    monkeypatch.setattr(_euler_torch, "REPAIRS", 0)
    with pytest.raises(SolverError, match="no longer positive"):
        Euler(cfl=1.0, backend="torch").step(x, 0.01)


@pytest.mark.parametrize("limiter", ["mc", "minmod", "van-leer"])
def test_limiters_agree_between_backends_and_are_odd(limiter: Any) -> None:
    x = _riemann(16)
    found = Euler(limiter=limiter, backend="numba").step(x, 0.05)
    assert torch.allclose(found, Euler(limiter=limiter, backend="torch").step(x, 0.05), atol=1e-12)
    a, b = torch.randn(2, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slope = _euler_torch._half_slope(a, b, limiter)
    formula = {
        "mc": lambda a, b: min(abs(a), abs(b), abs(a + b) / 4),
        "minmod": lambda a, b: min(abs(a), abs(b)) / 2,
        "van-leer": lambda a, b: abs(a * b / (a + b)),
    }[limiter]
    expected = [math.copysign(formula(p, q), p) if p * q > 0 else 0.0 for p, q in zip(a.tolist(), b.tolist(), strict=True)]
    assert torch.allclose(slope, torch.tensor(expected, dtype=torch.float64), atol=1e-15)
    for p, q in ((a, a), (a, 0 * a), (0 * a, 0 * a)):
        assert torch.allclose(_euler_torch._half_slope(p, q, limiter), p / 2 if q is a else 0 * a)
    assert torch.equal(_euler_torch._half_slope(-a, -b, limiter), -slope) and torch.equal(_euler_torch._half_slope(b, a, limiter), slope)
    others = {"mc", "minmod", "van-leer"} - {limiter}
    assert all((Euler(limiter=o).step(x, 0.05) - found).norm() > 1e-3 * found.norm() for o in others)  # type: ignore[arg-type]


def test_too_many_steps_are_reported_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_euler, "_MAX_STEPS", 3)
    times = []
    for backend in ("numba", "torch"):
        with pytest.raises(SolverError, match="limit of steps") as caught:
            Euler(backend=backend).step(_riemann(16), 0.5)  # type: ignore[arg-type]
        times.append(caught.value.time)
    assert 0 < times[0] < 0.5 and times[0] == pytest.approx(times[1], rel=1e-9)


def test_numba_is_refused_off_the_cpu() -> None:
    with pytest.raises(OrbitscopeError, match="CPU"):
        Euler(backend="numba").step(torch.ones(1, 4, 8, 8, device="meta"), 0.1)


def test_gradients_flow_through_the_eager_step() -> None:
    x = _riemann(8, 1).requires_grad_()
    Euler().step(x, 0.01).square().sum().backward()
    assert x.grad is not None and x.grad.isfinite().all() and x.grad.norm() > 0
