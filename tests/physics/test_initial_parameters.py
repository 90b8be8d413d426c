"""Every parameter of a law of initial states does what it says; the streams stay what they were; the laws of heat and tracer."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from orbitscope._errors import OrbitscopeError
from orbitscope.physics import Euler, equation, initial_condition, scenario, simulate
from orbitscope.physics._initial import stream
from orbitscope.physics._spectral import gradient, resample, solenoidal
from orbitscope.symmetry import Grid

#: A value of each published law at seed 7, index 3, on 16 x 16 points: the last channel at the cell (5, 2). Written down when the laws
#: got their parameters: a seed keeps its trajectories.
PINNED = {
    "euler.curved": 0.4403555162141769,
    "euler.gauss": 6.321551488851922,
    "euler.kelvin-helmholtz": 6.375000000000002,
    "euler.riemann": 2.673087396422635,
    "euler.uncertain": 133.6830041738159,
    "navier-stokes.brownian": -0.15925256344647312,
    "navier-stokes.gauss": -0.45411626939222927,
    "navier-stokes.patches": 0.013168419410175113,
    "navier-stokes.shear": -0.051946132329055365,
    "navier-stokes.sheet": -0.04189098962828472,
    "navier-stokes.sines": 0.14756534522730952,
}


def _draw(name: str, n: int = 16, count: int = 1, seed: int = 0, **parameters: Any) -> torch.Tensor:
    law = initial_condition(name, **parameters)
    return torch.stack([law(Grid.square(n), seed, i, torch.float64) for i in range(count)])


def _vorticity(u: torch.Tensor) -> torch.Tensor:
    slopes = gradient(u[:, :2], (1.0, 1.0))
    return slopes[:, 1, 0] - slopes[:, 0, 1]


@pytest.mark.parametrize("name", sorted(PINNED))
def test_seeds_keep_their_trajectories(name: str) -> None:
    state = initial_condition(name)(Grid.square(16), 7, 3, torch.float64)
    assert float(state[-1, 5, 2]) == pytest.approx(PINNED[name], rel=1e-9)


def test_every_parameter_of_a_published_law_changes_it() -> None:
    other: dict[str, dict[str, Any]] = {
        "navier-stokes.gauss": {"vortices": 7, "width": (0.05, 0.06), "amplitude": 2.0},
        "navier-stokes.sines": {"modes": 3, "amplitude": 2.0},
        "navier-stokes.brownian": {"exponent": 2.0, "spin_up": 0.1, "amplitude": 0.5},
        "navier-stokes.patches": {"p": 4, "amplitude": 2.0},
        "navier-stokes.sheet": {"p": 3, "amplitude": 0.01, "radius": 0.1, "wave": 0.1},
        "navier-stokes.shear": {"delta": 0.05, "thickness": (0.2, 0.3), "offset": 0.2, "modes": (1, 2)},
        "navier-stokes-tracer.patches": {"p": 4, "amplitude": 2.0, "tracer_p": 3, "tracer": (2.0, 3.0)},
        "euler.riemann": {"density": (2.0, 3.0), "velocity": (0.0, 0.1), "pressure": (4.0, 5.0)},
        "euler.curved": {"p": 1, "amplitude": 0.2, "density": (2.0, 3.0), "velocity": (0.0, 0.1), "pressure": (4.0, 5.0)},
        "euler.uncertain": {"p": 1, "amplitude": 0.2, "density": (4.0, 5.0), "velocity": (0.0, 0.1), "pressure": (8.0, 9.0)},
        "euler.gauss": {"vortices": 7, "width": (0.05, 0.06), "amplitude": 2.0, "density": 1.0, "pressure": 1.0},
        "euler.kelvin-helmholtz": {"modes": 3, "epsilon": 0.1, "density": (3.0, 1.5), "speed": 1.0, "pressure": 1.0},
        "kolmogorov": {"vortices": 7, "width": (0.05, 0.06), "amplitude": 0.0},
        "heat.gauss": {"spots": 3, "width": (0.2, 0.3), "amplitude": 2.0},
        "heat.sines": {"modes": 2, "decay": 3.0, "amplitude": 2.0},
    }
    for name, parameters in other.items():
        assert set(parameters) == set(scenario(name).initial_parameters), name
        before = _draw(name)
        for key, value in parameters.items():
            assert not torch.allclose(_draw(name, **{key: value}), before), (name, key)


@pytest.mark.parametrize(
    ("name", "parameters", "word"),
    [
        ("NS-Gauss", {"vortices": 0}, "vortices"),
        ("NS-Gauss", {"width": (0.0, 0.1)}, "width"),
        ("NS-Gauss", {"amplitude": -1.0}, "amplitude"),
        ("NS-Sines", {"modes": 0}, "modes"),
        ("NS-Sines", {"amplitude": float("nan")}, "amplitude"),
        ("NS-SVS", {"radius": 0.0}, "radius"),
        ("NS-SL", {"thickness": (0.2, 0.1)}, "thickness"),
        ("NS-SL", {"modes": (0, 3)}, "modes"),
        ("CE-RP", {"density": (-0.1, 1.0)}, "density"),
        ("CE-RP", {"velocity": (1.0, -1.0)}, "velocity"),
        ("CE-RP", {"pressure": (0.0, 1.0)}, "pressure"),
        ("CE-Gauss", {"vortices": 0}, "vortices"),
        ("CE-KH", {"density": (0.0, 1.0)}, "density"),
        ("NS-Tracer-PwC", {"tracer_p": 0}, "tracer_p"),
        ("NS-Tracer-PwC", {"tracer": (1.0, 0.0)}, "tracer"),
        ("kolmogorov", {"vortices": 0}, "vortices"),
        ("heat.gauss", {"spots": 0}, "spots"),
        ("heat.gauss", {"width": (0.0, 0.1)}, "width"),
        ("heat.sines", {"modes": 0}, "modes"),
    ],
)
def test_impossible_parameters_are_named(name: str, parameters: dict[str, Any], word: str) -> None:
    with pytest.raises(OrbitscopeError, match=word):
        _draw(name, **parameters)


def test_ranges_of_the_quadrants() -> None:
    ranges: dict[str, Any] = {"density": (2.0, 3.0), "velocity": (-0.5, 0.1), "pressure": (4.0, 5.0)}
    w = Euler().primitive(_draw("CE-RP", 4, 300, **ranges))
    for channel, (low, high) in enumerate((ranges["density"], ranges["velocity"], ranges["velocity"], ranges["pressure"])):
        values = w[:, channel]
        assert values.min() >= low - 1e-12 and values.max() <= high + 1e-12
        assert float(values.mean()) == pytest.approx((low + high) / 2, abs=0.05 * (high - low))


def test_vortices_and_widths() -> None:
    """One vortex is one Gaussian of its width; amplitude is a factor on the same draw."""
    u = _draw("NS-Gauss", 48, vortices=1, width=(0.07, 0.07))[0]
    draw = stream(0, "navier-stokes.gauss", 0)
    alpha, _, (cx, cy) = draw.uniform(-1, 1, 1)[0], draw.uniform(0.07, 0.07, 1), draw.uniform(0, 1, (1, 2))[0]
    x, y = Grid.square(48).coordinates()
    expected = torch.zeros_like(x)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            expected += alpha / 0.07 * torch.exp(-((x - cx - i) ** 2 + (y - cy - j) ** 2) / (2 * 0.07**2))
    assert (_vorticity(u[None])[0] - (expected - expected.mean())).abs().max() < 1e-6 * expected.abs().max()
    assert torch.allclose(_draw("NS-Gauss", amplitude=2.5), 2.5 * _draw("NS-Gauss"), atol=1e-12)
    assert torch.allclose(_draw("NS-Sines", amplitude=2.5), 2.5 * _draw("NS-Sines"), atol=1e-12)
    assert not _draw("kolmogorov", amplitude=0.0).any()


def test_sines_up_to_another_mode() -> None:
    for n, modes in ((32, 3), (64, 18), (16, 20)):
        draw = stream(0, "navier-stokes.sines", 0)
        shape = (modes, modes)
        alpha, beta, gamma = draw.uniform(-1, 1, shape), draw.uniform(0, 2 * np.pi, shape), draw.uniform(0, 2 * np.pi, shape)
        x, y = Grid.square(64).coordinates().numpy()
        raw = np.zeros((2, 64, 64))
        for i in range(1, modes + 1):
            for j in range(1, modes + 1):
                a, b, c = alpha[i - 1, j - 1] / np.sqrt(2 * np.pi * (i + j)), beta[i - 1, j - 1], gamma[i - 1, j - 1]
                raw[0] += a * np.sin(2 * np.pi * i * x + b) * np.sin(2 * np.pi * j * y + c)
                raw[1] += a * np.cos(2 * np.pi * i * x + b) * np.cos(2 * np.pi * j * y + c)
        expected = solenoidal(resample(torch.from_numpy(raw), (n, n)))
        assert torch.allclose(_draw("NS-Sines", n, modes=modes)[0], expected, atol=1e-10), n


def test_tracer_patches() -> None:
    state = _draw("NS-Tracer-PwC", 60, 3)
    assert torch.equal(state[:, :2], _draw("NS-PwC", 60, 3))  # the same flow
    # The middle of a square holds its value up to the ringing of the cut, and the mean is exact.
    values = stream(0, "navier-stokes-tracer.patches", 0).uniform(0.0, 1.0, (3, 3))
    coarse = _draw("NS-Tracer-PwC", 180, tracer_p=3)[0, 2]
    assert float(coarse.mean()) == pytest.approx(values.mean(), rel=1e-12)
    assert np.abs(coarse[30::60, 30::60].numpy() - values).max() < 0.03
    many = torch.stack([_draw("NS-Tracer-PwC", 32, 1, seed=s)[0, 2] for s in range(60)])
    assert float(many.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(many.mean((1, 2)).std()) == pytest.approx(1 / 12**0.5 / 10, rel=0.3)
    # Carried by the flow: the mean stays, and no new extremes but ringing.
    parts = simulate("NS-Tracer-PwC", trajectories=1, resolution=32, frames=3, dtype=torch.float64)
    ((_, run),) = parts
    assert torch.allclose(run[0, :, 2].mean((1, 2)), run[0, :1, 2].mean((1, 2)), atol=1e-13)
    assert (run[0, 2, 2] - run[0, 0, 2]).norm() > 1e-3 * run[0, 0, 2].norm()


def test_kolmogorov_runs_from_gauss_and_from_rest() -> None:
    law = equation("kolmogorov", viscosity=0.01)
    from_rest = simulate(scenario("kolmogorov", amplitude=0.0), trajectories=1, resolution=16, frames=2, equation=law, dtype=torch.float64)
    ((_, run),) = from_rest
    _, y = Grid.square(16).coordinates()
    rate = 0.01 * 4 * math.pi**2
    laminar = 0.1 / rate * (1 - math.exp(-rate)) * torch.sin(2 * math.pi * y)
    assert (run[0, 1, 0] - laminar).abs().max() < 1e-6 and run[0, 1, 1].abs().max() < 1e-12
    plan = scenario("kolmogorov")
    ((_, run),) = simulate(plan, trajectories=2, resolution=16, frames=2, t_end=0.1)
    assert run.isfinite().all() and run[:, 0].any()


def test_hot_spots_are_their_sum_and_have_their_statistics() -> None:
    n = 128
    draw = stream(0, "heat.gauss", 0)
    alpha, sigma, centre = draw.uniform(-1, 1, 20), draw.uniform(0.02, 0.1, 20), draw.uniform(0, 1, (20, 2))
    x, y = Grid.square(n).coordinates().numpy()
    expected = np.zeros((n, n))
    for a, s, (cx, cy) in zip(alpha, sigma, centre, strict=True):
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                expected += a * np.exp(-((x - cx - i) ** 2 + (y - cy - j) ** 2) / (2 * s * s))
    assert np.abs(_draw("heat.gauss", n)[0, 0].numpy() - expected).max() < 1e-8
    fields = _draw("heat.gauss", 32, 300)
    # Independent spots: E T^2 = 20 E[alpha^2] E[pi sigma^2], images neglected.
    second = 20 / 3 * math.pi * (0.1**3 - 0.02**3) / (3 * 0.08)
    assert float(fields.square().mean()) == pytest.approx(second, rel=0.1)
    assert abs(float(fields.mean())) < 0.02
    slopes = gradient(fields[:, 0], (1.0, 1.0)).square().mean((0, 2, 3))
    assert float(slopes[0] / slopes[1]) == pytest.approx(1.0, abs=0.1)


def test_random_sines_are_their_sum_and_have_their_statistics() -> None:
    draw = stream(0, "heat.sines", 0)
    k = np.arange(1, 11)
    alpha = draw.uniform(-1, 1, (10, 10)) / np.sqrt(k[:, None] ** 2 + k[None, :] ** 2)
    beta, gamma = draw.uniform(0, 2 * np.pi, (2, 10, 10))
    x, y = Grid.square(32).coordinates().numpy()
    expected = np.zeros((32, 32))
    for i in range(10):
        for j in range(10):
            expected += alpha[i, j] * np.sin(2 * np.pi * k[i] * x + beta[i, j]) * np.sin(2 * np.pi * k[j] * y + gamma[i, j])
    assert np.abs(_draw("heat.sines", 32)[0, 0].numpy() - expected).max() < 1e-12
    fields = _draw("heat.sines", 24, 300)
    variance = (1 / 12 / (k[:, None] ** 2 + k[None, :] ** 2)).sum()  # alpha^2 / 3, each sine squared 1 / 2
    assert float(fields.square().mean()) == pytest.approx(variance, rel=0.1)
    assert fields.mean((1, 2, 3)).abs().max() < 1e-13
    # Too coarse a grid drops what it cannot hold, and shares the rest.
    small = torch.fft.rfft2(_draw("heat.sines", 8)[0, 0]) / 64
    shared = torch.fft.rfft2(resample(_draw("heat.sines", 64)[0, 0], (8, 8))) / 64
    assert (small - shared)[:, :4].abs().max() < 1e-12
