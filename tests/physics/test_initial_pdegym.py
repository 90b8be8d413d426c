"""The other PDEgym initial conditions against their published laws, and that every scenario runs to the end."""

import numpy as np
import pytest
import torch

from orbitscope._errors import OrbitscopeError
from orbitscope.physics import Euler, NavierStokes, initial_condition, scenario, scenarios, simulate
from orbitscope.physics._initial import stream
from orbitscope.physics._initial_flow import _spline_transform
from orbitscope.physics._spectral import gradient, resample
from orbitscope.symmetry import Grid

FLOWS = ["NS-BB", "NS-PwC", "NS-SVS", "NS-SL"]


def _draw(name: str, n: int, count: int, **parameters: object) -> torch.Tensor:
    law = initial_condition(name, **parameters)
    return torch.stack([law(Grid.square(n), 0, i, torch.float64) for i in range(count)])


PDEGYM = sorted(name for name, plan in scenarios().items() if plan.alias.startswith(("NS-", "CE-")))


def _vorticity(u: torch.Tensor) -> torch.Tensor:
    slopes = gradient(u, (1.0, 1.0))
    return slopes[..., 1, 0, :, :] - slopes[..., 0, 1, :, :]


@pytest.mark.parametrize("name", PDEGYM)
@pytest.mark.parametrize("resolution", [32, 64])
def test_every_scenario_runs_to_the_end(name: str, resolution: int) -> None:
    for _, values in simulate(name, trajectories=8, resolution=resolution, frames=2):
        assert values.isfinite().all() and (values[:, 1] - values[:, 0]).abs().max() > 1e-4


@pytest.mark.parametrize("name", PDEGYM)
def test_a_law_says_what_it_is(name: str) -> None:
    plan = scenario(name)
    assert plan.alias and plan.description and "arXiv 2405.19101" in (plan.initial.__doc__ or "")
    with pytest.raises(OrbitscopeError, match="no parameter nonsense"):
        scenario(name, nonsense=1)
    for key, value in plan.initial_parameters.items():
        assert scenario(name, **{key: value}).initial_parameters == plan.initial_parameters
    if name in ("euler.curved", "euler.uncertain"):
        assert "not published" in plan.description and "p is not published" in plan.notes
        assert scenario(name, p=1).initial_parameters["p"] == 1


@pytest.mark.parametrize("name", FLOWS)
def test_flows_are_divergence_free_and_agree_between_grids(name: str) -> None:
    parameters = {"spin_up": 0.0} if name == "NS-BB" else {}
    u, fine = _draw(name, 32, 3, **parameters), _draw(name, 96, 3, **parameters)
    assert NavierStokes().constraints(u, u, 0.1, Grid.square(32))["divergence"].max() < 1e-12
    spectrum, other = torch.fft.rfft2(resample(fine, (32, 32))), torch.fft.rfft2(u)
    assert (spectrum - other)[..., :11, :11].abs().max() < 1e-9 * other.abs().max()
    assert (spectrum - other)[..., -10:, :11].abs().max() < 1e-9 * other.abs().max()


def test_bridge_is_its_sum_and_then_evolves() -> None:
    n, u = 16, _draw("NS-BB", 16, 1, spin_up=0.0)[0]
    draw = stream(0, "navier-stokes.brownian", 0)
    x, y = 2 * np.pi * Grid.square(n).coordinates().numpy()
    raw = np.zeros((2, n, n))
    sc = (np.sin, np.cos)
    for shell in range(1, 6):
        ends = [(shell, j, draw_) for j, draw_ in enumerate(np.moveaxis(draw.uniform(-1, 1, (2, 2, 2, shell + 1)), -1, 0))]
        ends += [(i, shell, draw_) for i, draw_ in enumerate(np.moveaxis(draw.uniform(-1, 1, (2, 2, 2, shell)), -1, 0))]
        for i, j, alpha in ends:
            for c in range(2):
                for m in range(2):
                    for k in range(2):
                        raw[c] += alpha[c, m, k] * (i * i + j * j) ** -0.75 * sc[m](i * x) * sc[k](j * y)
    removed = torch.from_numpy(raw) - u
    assert _vorticity(removed).abs().max() < 1e-10 and abs(float((removed * u).mean())) < 1e-12
    assert torch.allclose(_draw("NS-BB", 16, 1), NavierStokes().step(u[None], 0.5), atol=1e-12)


def test_patches_are_constant_away_from_their_edges() -> None:
    c = stream(0, "navier-stokes.patches", 0).uniform(-1, 1, (10, 10))
    n = 640
    found = _vorticity(_draw("NS-PwC", n, 1)[0])
    middle = found.reshape(10, 64, 10, 64)[:, 16:48, :, 16:48].mean((1, 3))  # Gibbs oscillations average out
    assert (middle - torch.from_numpy(c - c.mean())).abs().max() < 0.02
    assert float(_draw("NS-PwC", 32, 40).square().sum(1).mean().sqrt()) == pytest.approx(0.027, rel=0.15)
    assert torch.allclose(_draw("NS-PwC", 16, 1, amplitude=10.0), 10 * _draw("NS-PwC", 16, 1))


def test_sheet_carries_one_unit_of_vorticity_per_length() -> None:
    n = 256
    found = _vorticity(_draw("NS-SVS", n, 1)[0])
    away = found[:, : n // 16].mean()  # nothing of the sheet there: minus the mean
    draw = stream(0, "navier-stokes.sheet", 0)
    alpha, beta = draw.uniform(0, 0.003125, 10), draw.uniform(0, 1, 10)
    x = (np.arange(n) + 0.5) / n
    height = 0.5 + 0.2 * np.sin(2 * np.pi * x) + (alpha * np.sin(2 * np.pi * (x[:, None] + beta))).sum(1)
    slope = 0.4 * np.pi * np.cos(2 * np.pi * x) + 2 * np.pi * (alpha * np.cos(2 * np.pi * (x[:, None] + beta))).sum(1)
    length = np.sqrt(1 + slope**2)
    assert float(away) == pytest.approx(-length.mean(), rel=1e-4)
    total = (found - away).mean(1).numpy()  # integral along y at every x, blurred by the mollifier along x
    centre = ((found - away).numpy() * x).mean(1) / total
    assert np.abs(total / length - 1).max() < 0.05 and np.abs(centre - height).max() < 0.01
    assert float((found - away).min()) > -0.05 * float(found.max())


def test_spline_transform_against_a_sum() -> None:
    r = (np.arange(4000) + 0.5) / 4000
    q = 40 / (7 * np.pi) * np.where(r < 0.5, 1 - 6 * r**2 + 6 * r**3, 2 * (1 - r) ** 3)  # the same spline, as usually written
    angle = 2 * np.pi * (np.arange(64) + 0.5) / 64
    for k in (0.0, 0.7, 3.3):
        wave = np.cos(2 * np.pi * k * r[:, None] * np.cos(angle)).mean(1)
        assert float(_spline_transform(np.array([k]))[0]) == pytest.approx(float((q * wave * 2 * np.pi * r).mean()), abs=1e-6)


def test_layers_follow_their_perturbation() -> None:
    n = 128
    u = _draw("NS-SL", n, 40)
    assert u.abs().max() < 2.5 and float(u[:, 0].mean()) == pytest.approx(0, abs=0.02)
    below = (u[:, 0].numpy() < 0).sum(2) / n  # thickness of the stream that flows back: half of every column, up to the projection
    assert np.abs(below.mean(1) - 0.5).max() < 0.03
    straight = _draw("NS-SL", n, 8, delta=0.0)
    assert straight[:, 1].abs().max() < 1e-12 and u[:, 1].abs().max() > 0.1
    y = (np.arange(n) + 0.5) / n
    for i in range(8):
        draw = stream(0, "navier-stokes.shear", i)
        modes = int(draw.integers(7, 13))
        draw.uniform(0, 1, 2 * modes)
        rho, xi = draw.uniform(0.08, 0.12), draw.uniform(-0.0625, 0.0625)
        eta = (y + xi) % 1
        expected = np.tanh(2 * np.pi * np.where(eta <= 0.5, eta - 0.25, 0.75 - eta) / rho)
        assert np.abs(straight[i, 0, 0].numpy() - expected).max() < 2e-2  # the cut to n / 3 modes


@pytest.mark.parametrize(("name", "ranges"), [("CE-CRP", ((0.1, 1), (-1, 1), (0.1, 1))), ("CE-RPUI", ((1, 3), (-10, 10), (5, 7)))])
def test_pieces(name: str, ranges: tuple[tuple[float, float], ...]) -> None:
    w = Euler().primitive(_draw(name, 32, 120))
    for channel, (low, high) in enumerate((ranges[0], ranges[1], ranges[1], ranges[2])):
        values = w[:, channel]
        assert values.min() >= low - 1e-9 and values.max() <= high + 1e-9
        assert float(values.mean()) == pytest.approx((low + high) / 2, abs=0.05 * (high - low))
        assert float(values.std()) == pytest.approx((high - low) / 12**0.5, rel=0.08)
    assert all(len(torch.unique(item)) <= 9 for item in w[:, 0].round(decimals=9)) and len(torch.unique(w[0, 0].round(decimals=9))) >= 8
    straight = Euler().primitive(_draw(name, 30, 1, amplitude=0.0))[0]
    blocks = straight.reshape(4, 3, 10, 3, 10)
    assert (blocks - blocks[:, :, :1, :, :1]).abs().max() < 1e-9
    # Every interface continues across the seam: at most as much changes there as at other rows.
    mask = (w[:, 0].roll(1, 2) != w[:, 0]).double().mean((0, 1))
    assert float(mask[0]) < 1.0 and (name == "CE-RPUI" or float(mask[0]) < 2 * float(mask.mean()))
    with pytest.raises(OrbitscopeError, match="`p`"):
        _draw(name, 8, 1, p=0)
    with pytest.raises(OrbitscopeError, match="pressure"):
        _draw(name, 8, 1, pressure=(-1.0, 1.0))


def test_gas_vortices_are_those_of_the_liquid() -> None:
    w = Euler().primitive(_draw("CE-Gauss", 32, 60))
    assert (w[:, 0] - 0.1).abs().max() < 1e-12 and (w[:, 3] - 2.5).abs().max() < 1e-12
    residual = NavierStokes().constraints(w[:, 1:3], w[:, 1:3], 0.1, Grid.square(32))["divergence"]
    assert residual.max() < 1e-12
    liquid = _draw("NS-Gauss", 32, 60).square().sum(1).mean()
    assert float(w[:, 1:3].square().sum(1).mean() / liquid) == pytest.approx(1, rel=0.25)


def test_kelvin_helmholtz_layers() -> None:
    n = 128
    w = Euler().primitive(_draw("CE-KH", n, 60))
    heavy = w[:, 0] > 1.5
    for channel, inside, outside in ((0, 2, 1), (1, -0.5, 0.5), (2, 0, 0), (3, 2.5, 2.5)):
        assert (w[:, channel] - torch.where(heavy, float(inside), float(outside))).abs().max() < 1e-12
    y = (torch.arange(n) + 0.5) / n
    assert not heavy[..., (y < 0.2) | (y > 0.8)].any() and heavy[..., (y > 0.3) & (y < 0.7)].all()
    lower = heavy.int().argmax(2) / n - 0.25
    assert float(lower.mean()) == pytest.approx(0, abs=0.003) and 0.008 < float(lower.std()) < 0.025
    flat = Euler().primitive(_draw("CE-KH", n, 1, epsilon=0.0))
    assert torch.equal(flat[..., :1, :].expand_as(flat), flat)
