"""The WENO reconstructions of the Euler solver: against the textbook's polynomials, their orders, their symmetry; float64."""

import math
from typing import Any, Literal

import numpy as np
import pytest
import torch

from orbitscope._errors import OrbitscopeError
from orbitscope.physics import Euler, SolverError, _euler_torch, scenario
from orbitscope.symmetry import Grid, GridAction, dihedral

WENO: Any = ("weno3", "weno5")
Weno = Literal["weno3", "weno5"]


def _state(name: str, n: int, count: int = 2, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.stack([scenario(name).initial(Grid.square(n), 1, i, dtype) for i in range(count)])


def _derivatives(q: list[float], shift: int) -> tuple[float, float, float]:
    """The parabola with three given cell averages: its value at the right face of the cell in question, first and second difference.

    `shift` is the place of that cell among the three.
    """
    # Primitive function through the faces -1.5 .. 1.5 about the middle cell, by solving for the coefficients.
    faces = np.array([-1.5, -0.5, 0.5, 1.5])
    total = np.concatenate([[0.0], np.cumsum(q)])
    poly = np.polynomial.Polynomial(np.linalg.solve(np.vander(faces, 4, increasing=True), total)).deriv()
    at = shift - 1  # centre of the cell
    return float(poly(at + 0.5)), float(poly.deriv()(at)), float(poly.deriv(2)(at))


def _textbook(q: list[float], floor: float) -> float:
    """Value at the right face of the middle of three or five cells: candidates, indicators as integrals of squares, Z weights."""
    if len(q) == 3:
        # Straight lines through two averages; the square of the slope.
        value = [q[1] + 0.5 * (q[1] - q[0]), q[1] + 0.5 * (q[2] - q[1])]
        beta = [(q[1] - q[0]) ** 2, (q[2] - q[1]) ** 2]
        ideal, tau, power = (1 / 3, 2 / 3), abs(beta[0] - beta[1]), 1
    else:
        value, beta = [], []
        for k in range(3):
            face, slope, bend = _derivatives(q[k : k + 3], 2 - k)
            value.append(face)
            # Integral over the cell of (q')^2 + (q'')^2 of a parabola with that slope at the centre; times 4, as the scheme's.
            beta.append(4 * (slope**2 + bend**2 / 12 + bend**2))
        ideal, tau, power = (0.1, 0.6, 0.3), abs(beta[0] - beta[2]), 2
    weight = [d * (1 + (tau / (b + floor)) ** power) for d, b in zip(ideal, beta, strict=True)]
    return sum(w * v for w, v in zip(weight, value, strict=True)) / sum(weight)


@pytest.mark.parametrize("scheme", WENO)
def test_face_values_against_the_textbook(scheme: str) -> None:
    n, gen = 40, torch.Generator().manual_seed(0)
    prim = torch.rand(1, 4, n, 1, generator=gen, dtype=torch.float64) + 0.5
    prim[0, :, 20:] = prim[0, :, 20:] * 0.02 + 1 + torch.sin(torch.arange(20) / 8.0)[:, None] * 0.1  # smooth half, rough half
    up, down = _euler_torch._rises(prim, torch.roll(prim, -1, 2) - prim, 2, 1.4, scheme)
    reach = 1 if scheme == "weno3" else 2
    density, pressure = prim[0, 0, :, 0].tolist(), prim[0, 3, :, 0].tolist()
    for c in range(4):
        q = prim[0, c, :, 0].tolist()
        for i in range(n):
            own = {0: density[i] ** 2, 3: pressure[i] ** 2}.get(c, 1.4 * pressure[i] / density[i])
            cells = [q[(i + o) % n] for o in range(-reach, reach + 1)]
            assert q[i] + float(up[0, c, i, 0]) == pytest.approx(_textbook(cells, own / n**2), abs=1e-12)
            assert q[i] - float(down[0, c, i, 0]) == pytest.approx(_textbook(cells[::-1], own / n**2), abs=1e-12)


@pytest.mark.parametrize("scheme", WENO)
def test_compiled_and_eager_agree(scheme: Weno) -> None:
    for name, tolerance in (("CE-RP", 1e-12), ("CE-RPUI", 1e-10)):  # the latter's energies are of order 100
        x = _state(name, 24)[:, :, :, :18].contiguous()
        found = [Euler(reconstruction=scheme, backend=b).step(x, 0.05) for b in ("numba", "torch")]  # type: ignore[arg-type]
        assert (found[0] - found[1]).abs().max() < tolerance
        assert (found[0] - Euler().step(x, 0.05)).norm() > 1e-3 * x.norm()
        assert (found[0].mean((2, 3)) - x.mean((2, 3))).abs().max() < 1e-15 * float(x.abs().max()) * 50


def _wave(n: int, t: float, wind: tuple[float, float]) -> torch.Tensor:
    """Exact cell averages of a density wave in a uniform wind."""
    x, y = Grid.square(n).coordinates()
    phase, damp = torch.zeros_like(x), 1.0
    for p, w in ((x, wind[0]), (y, wind[1])):
        if w:
            phase, damp = phase + 2 * math.pi * (p - w * t), damp * math.sin(math.pi / n) / (math.pi / n)
    one = torch.ones_like(x)
    return Euler().conserved(torch.stack([1 + 0.3 * damp * torch.sin(phase), wind[0] * one, wind[1] * one, one]))[None]


@pytest.mark.parametrize(("scheme", "order", "sizes"), [("weno3", 3.0, (32, 64, 128)), ("weno5", 5.0, (16, 24, 32))])
@pytest.mark.parametrize("wind", [(1.0, 0.0), (1.0, 0.5)])
def test_order_on_a_density_wave_extrema_included(scheme: Weno, order: float, sizes: tuple[int, ...], wind: tuple[float, float]) -> None:
    law = Euler(reconstruction=scheme, cfl=0.2)
    errors = [float((law.step(_wave(n, 0.0, wind), 0.1) - _wave(n, 0.1, wind))[0, 0].abs().mean()) for n in sizes]
    fitted = -np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert order - 0.25 < fitted < order + 0.5, (fitted, errors)
    worst = [float((law.step(_wave(n, 0.0, wind), 0.1) - _wave(n, 0.1, wind))[0, 0].abs().max()) for n in sizes]
    assert -np.polyfit(np.log(sizes), np.log(worst), 1)[0] > order - 0.6, worst  # in the largest norm too


@pytest.mark.parametrize(("scheme", "order"), [("weno3", 3), ("weno5", 3), ("muscl", 2)])
def test_order_in_time(scheme: Any, order: int) -> None:
    """The same cells with ever smaller steps: what is left is the Runge-Kutta method."""
    x = _wave(32, 0.0, (1.0, 0.5))
    law = Euler(reconstruction=scheme)
    exact = Euler(reconstruction=scheme, cfl=0.01).step(x, 0.1)
    steps = (0.8, 0.4, 0.2) if order == 3 else (0.2, 0.1, 0.05)  # the limiter's kinks need small ones
    errors = [float((Euler(reconstruction=scheme, cfl=c).step(x, 0.1) - exact).abs().mean()) for c in steps]
    fitted = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert fitted == pytest.approx(order, abs=0.35), (fitted, errors, law)


@pytest.mark.parametrize("scheme", WENO)
def test_reflections_to_the_last_bit_and_the_whole_group(scheme: Weno) -> None:
    x = _state("CE-RP", 18)
    grid = Grid.square(18)
    for backend in ("numba", "torch"):
        law = Euler(reconstruction=scheme, backend=backend)  # type: ignore[arg-type]
        y, action = law.step(x, 0.05), GridAction(law.layout, grid)
        for g in dihedral(4):
            moved = law.step(action(g, x), 0.05)
            assert torch.equal(moved, action(g, y)) or (moved - action(g, y)).abs().max() < 1e-13, g.name
        flipped = x.flip(2) * torch.tensor([1.0, -1.0, 1.0, 1.0], dtype=x.dtype)[:, None, None]
        assert torch.equal(law.step(flipped, 0.05), y.flip(2) * torch.tensor([1.0, -1.0, 1.0, 1.0], dtype=x.dtype)[:, None, None])
        assert torch.equal(law.step(x.roll((3, 5), (2, 3)), 0.05), y.roll((3, 5), (2, 3)))


@pytest.mark.parametrize("scheme", WENO)
def test_units_of_the_gas_do_not_matter(scheme: Weno) -> None:
    """The floor of the indicators scales with the gas, so scaling of speed and of density commute with the scheme."""
    x, law = _state("CE-RP", 16), Euler(reconstruction=scheme)
    faster, denser = 340.0, 1.2e-3
    weight = denser * torch.tensor([1.0, faster, faster, faster**2], dtype=torch.float64)[:, None, None]
    found, expected = law.step(weight * x, 0.05 / faster), weight * law.step(x, 0.05)
    assert ((found - expected).abs().amax((2, 3)) < 1e-11 * expected.abs().amax((2, 3))).all()


@pytest.mark.parametrize("scheme", WENO)
def test_constant_states_stay_and_smooth_flow_gains(scheme: Weno) -> None:
    still = Euler().conserved(torch.tensor([0.7, 0.5, -0.3, 0.4], dtype=torch.float64)[:, None, None].expand(4, 8, 8))[None]
    assert (Euler(reconstruction=scheme).step(still, 0.3) - still).abs().max() < 1e-14
    x, exact = _wave(32, 0.0, (1.0, 0.5)), _wave(32, 0.2, (1.0, 0.5))
    error, plain = ((law.step(x, 0.2) - exact).abs().mean() for law in (Euler(reconstruction=scheme), Euler()))
    assert error < 0.2 * plain


@pytest.mark.parametrize(("scheme", "dtype"), [("weno3", torch.float32), ("weno3", torch.float64), ("weno5", torch.float64)])
def test_near_vacuum_is_repaired_alike_in_both_backends(scheme: Weno, dtype: torch.dtype) -> None:
    w = torch.tensor([1.0, 0.0, 0.0, 0.01], dtype=dtype)[:, None, None].repeat(1, 32, 4)
    w[1, :16], w[1, 16:] = -8.0, 8.0
    x = Euler().conserved(w)[None]
    y = [Euler(cfl=1.0, reconstruction=scheme, backend=b).step(x, 0.01) for b in ("numba", "torch")]  # type: ignore[arg-type]
    scale = x.abs().amax((2, 3)).clamp_min(1)
    assert ((y[0] - y[1]).abs().amax((2, 3)) < (1e-11 if dtype == torch.float64 else 1e-4) * scale).all()
    assert Euler().primitive(y[0])[:, [0, 3]].min() > 0
    assert ((y[0].mean((2, 3)) - x.mean((2, 3))).abs() < (1e-13 if dtype == torch.float64 else 1e-5) * scale).all()


def test_repair_was_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_euler_torch, "REPAIRS", 0)
    w = torch.tensor([1.0, 0.0, 0.0, 0.01], dtype=torch.float64)[:, None, None].repeat(1, 32, 4)
    w[1, :16], w[1, 16:] = -8.0, 8.0
    for scheme in WENO:
        with pytest.raises(SolverError, match="no longer positive"):
            Euler(cfl=1.0, reconstruction=scheme, backend="torch").step(Euler().conserved(w)[None], 0.01)


@pytest.mark.parametrize("scheme", WENO)
def test_rate_is_the_limit_of_a_step_and_gradients_flow(scheme: Weno) -> None:
    x, law = _wave(16, 0.0, (1.0, 0.5)), Euler(reconstruction=scheme)
    errors = [float(((law.step(x, h) - x) / h - law.rate(x)).norm() / law.rate(x).norm()) for h in (1e-4, 5e-5)]
    assert errors[0] < 0.02 and errors[0] / errors[1] == pytest.approx(2, rel=0.05)
    leaf = _state("CE-RP", 8, 1).requires_grad_()
    law.step(leaf, 0.01).square().sum().backward()
    assert leaf.grad is not None and leaf.grad.isfinite().all() and leaf.grad.norm() > 0


def test_wrong_choices_are_refused() -> None:
    with pytest.raises(OrbitscopeError, match="reconstruction"):
        Euler(reconstruction="weno7")  # type: ignore[arg-type]
    with pytest.raises(OrbitscopeError, match="limiter"):
        Euler(reconstruction="weno3", limiter="minmod")


@pytest.mark.parametrize("scheme", ["mc", "minmod", "van-leer", *WENO])
def test_eager_stages_stay_on_their_device(scheme: str) -> None:
    """The meta device refuses to meet a CPU tensor, as another device would: nothing in a stage is made on the CPU."""
    x = torch.empty(2, 4, 16, 16, device="meta")
    keep, h = torch.ones(2, 1, 16, 16, dtype=torch.bool, device="meta"), torch.empty(2, dtype=torch.float64, device="meta")
    prim = _euler_torch.primitives(x, 1.4)
    new = _euler_torch._blend(x, _euler_torch._stage(x, prim, h, 1.4, scheme, keep), 1, scheme)
    assert new.device.type == _euler_torch.physical(prim, _euler_torch.crossings(prim, 1.4)).device.type == "meta"
    assert new.dtype == x.dtype and _euler_torch.rate_of_change(prim, 1.4, scheme).shape == x.shape
