r"""Budgets of the Euler solver: entropy never falls where it must grow, and pressure work moves energy between its two forms.

With kinetic energy K the mean of |m|^2 / 2 rho, internal energy I of p / (gamma - 1): dK/dt = <p div u> = -dI/dt in smooth flow.
"""

import math
from typing import Any

import numpy as np
import pytest
import torch

from orbitscope.physics import Euler, scenario
from orbitscope.physics._riemann_exact import GasState, riemann_exact
from orbitscope.physics._spectral import gradient
from orbitscope.symmetry import Grid

GAMMA = 1.4
SCHEMES: Any = [
    {},
    {"limiter": "minmod", "backend": "torch"},
    {"limiter": "van-leer", "backend": "torch"},
    {"reconstruction": "weno3"},
    {"reconstruction": "weno5"},
]


def _entropy(state: torch.Tensor) -> torch.Tensor:
    """Mean of rho log(p / rho^gamma), [B]: constant in smooth flow, growing at shocks."""
    density, _, _, pressure = Euler().primitive(state).unbind(1)
    return (density * torch.log(pressure / density**GAMMA)).mean((1, 2))


def _energies(state: torch.Tensor) -> tuple[float, float]:
    density, u, v, pressure = Euler().primitive(state)[0]
    return float((0.5 * density * (u * u + v * v)).mean()), float((pressure / (GAMMA - 1)).mean())


def _tube(left: tuple[float, ...], right: tuple[float, ...], n: int) -> torch.Tensor:
    w = torch.zeros(1, 4, n, 4, dtype=torch.float64)
    w[0, :, : n // 2], w[0, :, n // 2 :] = (torch.tensor(s, dtype=torch.float64)[:, None, None] for s in (left, right))
    return Euler().conserved(w)


@pytest.mark.parametrize("options", SCHEMES, ids=str)
def test_entropy_never_falls_on_shocks_and_rarefactions(options: Any) -> None:
    law = Euler(**options)
    for left, right in (
        ((1.0, 0.0, 0.0, 1.0), (0.125, 0.0, 0.0, 0.1)),  # Sod: a shock and, at the seam, another
        ((1.0, -2.0, 0.0, 0.4), (1.0, 2.0, 0.0, 0.4)),  # the 123 problem: rarefactions here, shocks at the seam
        ((1.0, 0.75, 0.0, 1.0), (0.125, 0.0, 0.0, 0.1)),  # a sonic rarefaction: an entropy-violating scheme leaves a jump in it
    ):
        x = _tube(left, right, 100)
        values = [float(_entropy(x))]
        for _ in range(10):
            x = law.step(x, 0.01)
            values.append(float(_entropy(x)))
        assert np.diff(values).min() > 0, values


@pytest.mark.parametrize("options", SCHEMES, ids=str)
def test_entropy_made_in_sod_is_that_of_the_exact_shock(options: Any) -> None:
    """Both shocks (the seam has the mirror image) against the exact solution; smeared waves may add a little, and nothing is lost."""
    n, t = 400, 0.1
    x = _tube((1.0, 0.0, 0.0, 1.0), (0.125, 0.0, 0.0, 0.1), n)
    found = float(_entropy(Euler(**options).step(x, t)) - _entropy(x))
    at = (np.arange(50_000) + 0.5) / 100_000 - 0.25  # half the box around the membrane: no wave leaves it
    density, _, pressure = riemann_exact(GasState(1.0, 0.0, 1.0), GasState(0.125, 0.0, 0.1), at / t)
    exact = float((density * np.log(pressure / density**GAMMA)).mean() - float(_entropy(x)))
    assert exact > 0.001 and 0.95 * exact < found < 1.6 * exact, (found, exact)


def test_sonic_rarefaction_is_smooth() -> None:
    """Toro's first test: Godunov-type schemes without an entropy fix leave a jump at u = a."""
    x = Euler().step(_tube((1.0, 0.75, 0.0, 1.0), (0.125, 0.0, 0.0, 0.1), 200), 0.1)
    _, u, _, _ = Euler().primitive(x)[0, :, :, 0]
    fan = u[94:104]  # the sonic point stays at the membrane, cell 100
    assert (fan.diff() > 0).all() and fan.diff().max() < 3 * fan.diff().mean()


def test_entropy_of_random_gas_grows_and_of_smooth_flow_stays() -> None:
    x = torch.stack([scenario("CE-RP").initial(Grid.square(32), 1, i, torch.float64) for i in range(3)])
    for _ in range(5):
        y = Euler().step(x, 0.05)
        assert (_entropy(y) > _entropy(x)).all()
        x = y
    produced = []
    for n in (32, 64):
        still = _sound(n)
        produced.append(float(_entropy(Euler(reconstruction="weno3").step(still, 0.1)) - _entropy(still)))
    assert 0 <= produced[1] < 1e-6 and produced[0] > 6 * produced[1], produced  # an error of the scheme, not of the flow


def _sound(n: int) -> torch.Tensor:
    """An isentropic standing wave of moderate strength, oblique; nothing steepens into a shock before t = 0.1."""
    x, y = Grid.square(n).coordinates()
    density = 1 + 0.05 * torch.sin(2 * math.pi * (x + y))
    return Euler().conserved(torch.stack([density, 0.05 * torch.cos(2 * math.pi * x), torch.zeros_like(x), density**GAMMA]))[None]


def test_pressure_work_exchanges_kinetic_and_internal_energy() -> None:
    errors, h = [], 0.005
    for n in (16, 32, 64):
        law, states = Euler(reconstruction="weno3"), [_sound(n)]
        for _ in range(8):
            states.append(law.step(states[-1], h))
        energies = np.array([_energies(s) for s in states])
        assert np.ptp(energies.sum(1)) < 1e-13 * energies.sum(1).mean()  # the total, to rounding
        work = []
        for s in states:
            _, u, v, p = Euler().primitive(s)[0]
            slopes = gradient(torch.stack([u, v]), (1.0, 1.0))
            work.append(float((p * (slopes[0, 0] + slopes[1, 1])).mean()))
        # Simpson's rule over the eight intervals
        weights = np.array([1, 4, 2, 4, 2, 4, 2, 4, 1]) * h / 3
        gained = energies[-1, 0] - energies[0, 0]
        assert abs(gained) > 5e-5
        errors.append(abs(gained - float(np.dot(weights, work))) / abs(gained))
    assert errors[-1] < 5e-3 and errors[0] > 4 * errors[-1], errors


@pytest.mark.parametrize("options", SCHEMES, ids=str)
def test_totals_are_conserved_to_rounding(options: Any) -> None:
    x = torch.stack([scenario("CE-RPUI").initial(Grid.square(24), 1, i, torch.float64) for i in range(2)])
    y = x
    for _ in range(4):
        y = Euler(**options).step(y, 0.05)
    scale = x.abs().mean((2, 3)).amax(1, keepdim=True)
    assert ((y.mean((2, 3)) - x.mean((2, 3))).abs() < 1e-14 * 20 * scale).all()
    assert (y - x).norm() > 0.05 * x.norm()
