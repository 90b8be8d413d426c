"""The heat equation against analytic solutions and its laws, in float64."""

import math

import pytest
import torch

from orbitscope._errors import OrbitscopeError
from orbitscope.physics import SolverError, equation
from orbitscope.symmetry import Grid, GridAction

KAPPA = 0.01


def _modes(n: int, t: float) -> torch.Tensor:
    x, y = Grid.square(n).coordinates() * 2 * math.pi
    decay = {s: math.exp(-KAPPA * (2 * math.pi) ** 2 * s * t) for s in (1, 5, 25)}
    return (0.3 + decay[1] * torch.sin(x) + decay[5] * 0.5 * torch.cos(x + 2 * y) - decay[25] * torch.sin(3 * x) * torch.cos(4 * y))[
        None, None
    ]


def test_modes_decay_as_they_should() -> None:
    law = equation("heat", diffusivity=KAPPA)
    assert torch.allclose(law.step(_modes(16, 0.0), 0.7), _modes(16, 0.7), atol=1e-14)
    assert torch.allclose(law.step(_modes(16, 0.0).float(), 0.7), _modes(16, 0.7).float(), atol=1e-6)
    h = 1e-5
    assert torch.allclose(law.rate(_modes(16, 0.0)), (_modes(16, h) - _modes(16, -h)) / (2 * h), atol=1e-7)


@pytest.mark.parametrize("n", [32, 48])
def test_a_gaussian_spreads(n: int) -> None:
    """Width^2 grows by 2 kappa t, the peak falls in proportion; periodic images summed."""

    def blob(width2: float) -> torch.Tensor:
        x, y = Grid.square(n).coordinates()
        total = torch.zeros_like(x)
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                total = total + torch.exp(-((x - 0.3 - i) ** 2 + (y - 0.6 - j) ** 2) / (2 * width2))
        return (total * 0.1**2 / width2)[None, None]

    found = equation("heat", diffusivity=KAPPA).step(blob(0.1**2), 0.4)
    assert (found - blob(0.1**2 + 2 * KAPPA * 0.4)).abs().max() < 1e-7


def test_laws() -> None:
    law, x = equation("heat"), torch.rand(3, 1, 12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = law.step(x, 0.05)
    assert torch.allclose(law.step(law.step(x, 0.02), 0.03), y, atol=1e-14) and torch.allclose(law.step(x, 0.0), x, atol=1e-14)
    assert law.constraints(x, y, 0.05, law.grid(12))["heat"].max() < 1e-13
    assert (y.flatten(1).std(1) < x.flatten(1).std(1)).all()
    assert torch.equal(law.step(x[1:2], 0.05), y[1:2])
    action = GridAction(law.layout, law.grid(12))
    for group in law.groups(12):
        for g in group:
            assert torch.allclose(law.step(action(g, x), 0.05), action(g, y), atol=1e-13), g.name
    # Scaling: half the size spreads four times as fast.
    tiled = x.repeat(1, 1, 2, 2)[..., :24, :24]
    assert torch.allclose(law.step(tiled, 0.05 / 4)[..., :12, :12], y, atol=1e-13)


def test_wrong_input_is_named() -> None:
    with pytest.raises(OrbitscopeError, match="diffusivity"):
        equation("heat", diffusivity=-1.0)
    x = torch.ones(2, 1, 8, 8)
    x[1, 0, 0, 0] = float("nan")
    with pytest.raises(SolverError, match="trajectory 1"):
        equation("heat").step(x, 0.1)
