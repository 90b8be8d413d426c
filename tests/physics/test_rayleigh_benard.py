"""Rayleigh-Benard convection: order of accuracy, exact budgets, symmetries, onset; float64 unless said."""

import math

import numpy as np
import pytest
import torch

from orbitscope._errors import OrbitscopeError
from orbitscope.physics import RayleighBenard, SolverError, equation, scenario
from orbitscope.symmetry import Grid, GridAction


def _states(law: RayleighBenard, resolution: int, count: int = 2, **options: float) -> torch.Tensor:
    initial = scenario("RBC", **options).initial
    return torch.stack([initial(law.grid(resolution), 5, i, torch.float64) for i in range(count)])


def _developed(resolution: int = 16, rayleigh: float = 1e5) -> tuple[RayleighBenard, torch.Tensor]:
    """Convection in full swing, coarse."""
    law = RayleighBenard(rayleigh=rayleigh, prandtl=0.71, aspect=2.0)
    return law, law.step(_states(law, resolution, amplitude=0.3), 3.0)


def test_own_output_is_taken_as_it_is() -> None:
    law, x = _developed()
    assert torch.allclose(law.step(x, 0.0), x, atol=1e-14)
    assert law.constraints(x, x, 1.0, law.grid(16))["divergence"].max() < 1e-13


def test_two_steps_follow_the_solution_of_one() -> None:
    """The difference is the error in time alone, so it falls with the fourth power of the step."""
    law, x = _developed(12)
    errors = []
    for parts in (1, 2):
        fine = RayleighBenard(**{**law.parameters, "cfl": 1.0 / parts / 4})
        coarse = RayleighBenard(**{**law.parameters, "cfl": 1.0 / parts})
        errors.append(float((coarse.step(x, 0.5) - fine.step(x, 0.5)).norm() / x.norm()))
    assert errors[0] < 1e-3 and errors[0] / errors[1] > 8.0
    y = law.step(x, 0.4)
    for _ in range(4):
        x = law.step(x, 0.1)
    assert (x - y).norm() < 1e-4 * y.norm()


def test_budgets_of_energy_and_temperature_variance_close() -> None:
    """Exact in space: the derivative of both sums along the rate of change is work minus dissipation, to rounding."""
    law, x = _developed()
    terms, rate, h = law.budgets(x), law.rate(x), 1e-4
    for quantity, change in (
        (law.kinetic_energy, terms["work"] - terms["dissipation"]),
        (lambda s: 0.5 * s[:, 2].square().mean((1, 2)), terms["heating"] - terms["thermal_dissipation"]),
    ):
        found = (quantity(x + h * rate) - quantity(x - h * rate)) / (2 * h)  # exact for a quadratic
        assert change.abs().min() > 1e-4 and torch.allclose(found, change, atol=1e-11)


def test_advection_alone_conserves_energy_and_temperature_variance() -> None:
    law = RayleighBenard(rayleigh=1e30, aspect=2.0)
    x = _states(law, 12, amplitude=0.5)
    rate, h = law.rate(x), 1e-4
    terms = law.budgets(x)
    energy = (law.kinetic_energy(x + h * rate) - law.kinetic_energy(x - h * rate)) / (2 * h)
    variance = ((x + h * rate)[:, 2].square().mean((1, 2)) - (x - h * rate)[:, 2].square().mean((1, 2))) / (2 * h)
    assert torch.allclose(energy, terms["work"], atol=1e-12) and variance.abs().max() < 1e-12
    assert rate[:, 2].norm() > 0.1


def test_wrong_parameters_and_states_are_named() -> None:
    for wrong in ({"rayleigh": 0.0}, {"prandtl": -1.0}, {"aspect": math.inf}, {"cfl": 3.0}):
        with pytest.raises(OrbitscopeError, match=next(iter(wrong))):
            equation("rayleigh-benard", **wrong)
    law = RayleighBenard(aspect=2.0)
    x = _states(law, 8)
    x[1, 0, 0, 0] = float("nan")
    with pytest.raises(SolverError, match="trajectory 1") as caught:
        law.step(x, 0.1)
    assert caught.value.item == 1
    for grid in (Grid.square(8), Grid((8, 8), (1.0, 2.0), ("periodic", "wall"))):
        with pytest.raises(OrbitscopeError, match="layer"):
            scenario("RBC").initial(grid, 0, 0, torch.float64)
    for options in ({"amplitude": -1.0}, {"waves": 0.0}, {"levels": 1.5}):
        with pytest.raises(OrbitscopeError, match=next(iter(options))):
            scenario("RBC", **options).initial(law.grid(8), 0, 0, torch.float64)


def test_commutes_with_every_flip_and_shift() -> None:
    law, x = _developed(10)
    action, y = GridAction(law.layout, law.grid(10)), law.step(x, 0.3)
    for group in law.groups(10):
        for g in group:
            assert (law.step(action(g, x), 0.3) - action(g, y)).abs().max() < 1e-10, g.name
    wrong = x.flip(3) * torch.tensor([1.0, -1.0, 1.0], dtype=x.dtype)[:, None, None]  # theta taken for a scalar
    assert (law.step(wrong, 0.3) - y.flip(3) * torch.tensor([1.0, -1.0, 1.0], dtype=x.dtype)[:, None, None]).abs().max() > 0.1


def test_initial_flow_has_the_stated_energy() -> None:
    law = RayleighBenard(aspect=2.0)
    x = _states(law, 32, 200)
    energy = 2 * law.kinetic_energy(x).numpy()
    assert abs(energy.mean() - 0.01) < 4 * energy.std() / math.sqrt(len(energy)) + 0.02 * 0.01
    assert np.allclose(x[:, 2], 0.5 - (np.arange(32) + 0.5) / 32)
