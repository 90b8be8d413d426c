r"""Energy and enstrophy budgets of the plane Navier-Stokes equations, with ordinary viscosity, unforced and driven.

With E the mean of |u|^2 / 2, Z of omega^2 / 2 and P of |grad omega|^2 / 2: dE/dt = -2 nu Z + <u . f>, dZ/dt = -2 nu P + <omega curl f>.
"""

import math

import numpy as np
import pytest
import torch

from orbitscope.physics import Equation, NavierStokes, equation, initial_condition
from orbitscope.physics._spectral import gradient
from orbitscope.symmetry import Grid

NU = 0.01


def moments(velocity: torch.Tensor, amplitude: float = 0.0, wave: int = 1) -> dict[str, float]:
    """Means over the box of one state [2, X, Y]: energy, enstrophy, palinstrophy, and the work of a Kolmogorov force on both."""
    slopes = gradient(velocity, (1.0, 1.0))  # [component, derivative, x, y]
    vorticity = slopes[1, 0] - slopes[0, 1]
    y = Grid.square(velocity.shape[-1]).coordinates()[1].to(velocity.dtype) * 2 * math.pi * wave
    return {
        "energy": float(0.5 * velocity.square().sum(0).mean()),
        "enstrophy": float(0.5 * vorticity.square().mean()),
        "palinstrophy": float(0.5 * gradient(vorticity, (1.0, 1.0)).square().sum(0).mean()),
        "work": float((velocity[0] * amplitude * torch.sin(y)).mean()),
        "curl_work": float((vorticity * -amplitude * 2 * math.pi * wave * torch.cos(y)).mean()),
    }


def budget(law: Equation, velocity: torch.Tensor, interval: float, parts: int = 4, nu: float | None = None) -> dict[str, float]:
    """Gains, losses and work over `interval` of one state [2, X, Y], and what does not balance, relative to the loss.

    Losses and work are integrated by Simpson's rule over 2 `parts` sub-intervals, so the error falls with the fourth power of their
    length while the solver's own is smaller. `nu` is the viscosity to balance with, by default that of the law.
    """
    amplitude, wave = (law.parameters.get(name, default) for name, default in (("amplitude", 0.0), ("wave", 1)))
    nu = float(law.parameters["viscosity"]) if nu is None else nu
    h = interval / (2 * parts)
    state, rows = law.step(velocity[None], 0.0), []
    for i in range(2 * parts + 1):
        rows.append(moments(state[0], amplitude, wave))
        if i < 2 * parts:
            state = law.step(state, h)
    weights = h / 3 * np.array([1.0, *[4.0, 2.0] * (parts - 1), 4.0, 1.0])
    total = {name: float(weights @ np.array([row[name] for row in rows])) for name in rows[0]}
    energy, enstrophy = (rows[-1][name] - rows[0][name] for name in ("energy", "enstrophy"))
    return {
        "energy_gain": energy,
        "energy_loss": 2 * nu * total["enstrophy"],
        "energy_work": total["work"],
        "enstrophy_gain": enstrophy,
        "enstrophy_loss": 2 * nu * total["palinstrophy"],
        "enstrophy_work": total["curl_work"],
        "energy_residual": (energy + 2 * nu * total["enstrophy"] - total["work"]) / (2 * nu * total["enstrophy"]),
        "enstrophy_residual": (enstrophy + 2 * nu * total["palinstrophy"] - total["curl_work"]) / (2 * nu * total["palinstrophy"]),
    }


LAWS = {
    "unforced": lambda cfl: NavierStokes(viscosity=NU, cfl=cfl),
    "driven": lambda cfl: equation("kolmogorov", viscosity=NU, cfl=cfl, amplitude=2.0, wave=2),
}


def _flow(n: int = 32) -> torch.Tensor:
    wind = torch.tensor([0.2, -0.1], dtype=torch.float64)[:, None, None]
    # Wide vortices: narrow ones are gone within less than a sub-interval, and Simpson's rule would miss it.
    return initial_condition("NS-Gauss", width=(0.07, 0.1))(Grid.square(n), 0, 0, torch.float64) + wind


@pytest.mark.parametrize("case", sorted(LAWS))
def test_the_rate_keeps_the_budgets_to_rounding(case: str) -> None:
    """No error in time: <u . du/dt> and <omega . domega/dt> against losses and work. Advection drops out on the grid itself."""
    law = LAWS[case](0.8)
    u = law.step(_flow()[None], 0.0)
    rate, found = law.rate(u), moments(u[0], law.parameters.get("amplitude", 0.0), law.parameters.get("wave", 1))
    slopes, change = gradient(u, (1.0, 1.0))[0], gradient(rate, (1.0, 1.0))[0]
    power = float((u * rate).sum(1).mean())
    assert power == pytest.approx(found["work"] - 2 * NU * found["enstrophy"], rel=1e-11)
    growth = float(((slopes[1, 0] - slopes[0, 1]) * (change[1, 0] - change[0, 1])).mean())
    assert growth == pytest.approx(found["curl_work"] - 2 * NU * found["palinstrophy"], rel=1e-11)
    if case == "driven":
        assert abs(found["work"]) > 1e-3 * 2 * NU * found["enstrophy"]  # the work is seen


@pytest.mark.parametrize("case", sorted(LAWS))
def test_the_budgets_close_over_an_interval(case: str) -> None:
    law = LAWS[case](0.1)
    parts, residual = (2, 4, 8), {"energy_residual": [], "enstrophy_residual": []}
    for count in parts:
        found = budget(law, _flow(), 0.2, count)
        for name, values in residual.items():
            values.append(abs(found[name]))
    for name, values in residual.items():
        order = -np.polyfit(np.log(parts), np.log(values), 1)[0]
        assert order > 3.5 and values[-1] < 1e-5, (name, order, values)


def test_the_budget_closes_to_the_order_of_the_steps() -> None:
    """Without viscosity nothing is lost: what energy and enstrophy change is the error in time alone, fourth order or better."""
    cfls, drift = np.array([0.8, 0.4, 0.2]), {"energy": [], "enstrophy": []}
    for cfl in cfls:
        law = NavierStokes(viscosity=0.0, cfl=float(cfl))
        start = law.step(_flow()[None], 0.0)
        before, after = moments(start[0]), moments(law.step(start, 0.4)[0])
        for name, values in drift.items():
            values.append(abs(after[name] / before[name] - 1))
    for name, values in drift.items():
        assert np.polyfit(np.log(cfls), np.log(values), 1)[0] > 3.75 and values[-1] < 1e-5, (name, values)


def test_a_steady_laminar_flow_works_as_much_as_it_loses() -> None:
    amplitude, wave, n = 2.0, 2, 16
    law = equation("kolmogorov", viscosity=NU, amplitude=amplitude, wave=wave)
    y = Grid.square(n).coordinates()[1] * 2 * math.pi * wave
    laminar = amplitude / (NU * (2 * math.pi * wave) ** 2) * torch.stack([torch.sin(y), torch.zeros_like(y)])
    found = budget(law, laminar, 0.1, 1)
    assert found["energy_work"] == pytest.approx(found["energy_loss"], rel=1e-9) and abs(found["energy_gain"]) < 1e-9
    assert found["enstrophy_work"] == pytest.approx(found["enstrophy_loss"], rel=1e-9)


def test_a_wrong_viscosity_does_not_balance() -> None:
    """The control: the same states against another viscosity leave the difference."""
    found = budget(NavierStokes(viscosity=NU, cfl=0.2), _flow(16), 0.2, nu=1.1 * NU)
    assert found["energy_residual"] == pytest.approx(1 - 1 / 1.1, abs=1e-3)
