"""Initial conditions against their published laws; `simulate`: chunks, streams, refinement, errors."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from orbitscope._errors import OrbitscopeError
from orbitscope.physics import Euler, SolverError, initial_condition, register_scenario, scenario, scenarios, simulate
from orbitscope.physics import _simulate as module
from orbitscope.physics._initial import stream
from orbitscope.physics._spectral import gradient, resample
from orbitscope.symmetry import Grid

NAMES = sorted(name for name, plan in scenarios().items() if plan.alias.startswith(("NS-", "CE-")))


def _draw(name: str, n: int, count: int) -> torch.Tensor:
    return torch.stack([initial_condition(name)(Grid.square(n), 0, i, torch.float64) for i in range(count)])


def test_gauss_is_the_sum_over_periodic_images() -> None:
    n = 192  # resolves the narrowest vortex
    draw = stream(0, "navier-stokes.gauss", 0)
    alpha, sigma, centre = draw.uniform(-1, 1, 100), draw.uniform(0.01, 0.1, 100), draw.uniform(0, 1, (100, 2))
    x, y = Grid.square(n).coordinates().numpy()
    expected = np.zeros((n, n))
    for a, s, (cx, cy) in zip(alpha, sigma, centre, strict=True):
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                expected += a / s * np.exp(-((x - cx - i) ** 2 + (y - cy - j) ** 2) / (2 * s * s))
    slopes = gradient(_draw("NS-Gauss", 32, 1)[0], (1.0, 1.0))  # [component, derivative, x, y]
    found = torch.fft.rfft2(slopes[1, 0] - slopes[0, 1])
    whole = torch.fft.rfft2(resample(torch.from_numpy(expected), (32, 32)))
    kept = torch.zeros(32, 17, dtype=torch.bool)
    kept[list(range(-10, 11)), :11] = True
    kept[0, 0] = False
    assert (found - whole * kept).abs().max() < 1e-9 * whole.abs().max()


def test_sines_is_the_projected_sum() -> None:
    n = 32
    draw = stream(0, "navier-stokes.sines", 0)
    shape = (10, 10)
    alpha, beta, gamma = draw.uniform(-1, 1, shape), draw.uniform(0, 2 * np.pi, shape), draw.uniform(0, 2 * np.pi, shape)
    x, y = Grid.square(n).coordinates().numpy()
    raw = np.zeros((2, n, n))
    for i in range(1, 11):
        for j in range(1, 11):
            a, b, c = alpha[i - 1, j - 1] / np.sqrt(2 * np.pi * (i + j)), beta[i - 1, j - 1], gamma[i - 1, j - 1]
            raw[0] += a * np.sin(2 * np.pi * i * x + b) * np.sin(2 * np.pi * j * y + c)
            raw[1] += a * np.cos(2 * np.pi * i * x + b) * np.cos(2 * np.pi * j * y + c)
    u = _draw("NS-Sines", n, 1)[0]
    removed = torch.from_numpy(raw) - u
    slopes = gradient(removed, (1.0, 1.0))
    assert (slopes[1, 0] - slopes[0, 1]).abs().max() < 1e-10  # a gradient: no curl
    assert abs(float((removed * u).mean())) < 1e-12  # orthogonal to what is kept


@pytest.mark.parametrize("name", ["NS-Gauss", "NS-Sines"])
def test_flows_are_divergence_free_and_agree_between_grids(name: str) -> None:
    u, solver = _draw(name, 32, 4), scenario(name).equation()
    assert solver.constraints(u, u, 0.1, Grid.square(32))["divergence"].max() < 1e-12
    assert u.mean((2, 3)).abs().max() < 1e-12
    fine = _draw(name, 128, 4)
    spectrum, other = torch.fft.rfft2(resample(fine, (32, 32))), torch.fft.rfft2(u)
    assert (spectrum - other)[:, :, :10, :10].abs().max() < 1e-9
    small = _draw(name, 8, 1)
    assert small.shape == (1, 2, 8, 8) and solver.constraints(small, small, 0.1, Grid.square(8))["divergence"].max() < 1e-12


def test_published_statistics() -> None:
    u = _draw("NS-Gauss", 64, 60)
    # Mean enstrophy of independent vortices: 100 E[alpha^2] E[(1 / sigma)^2 pi sigma^2], less the removed mean vorticity.
    slopes = gradient(u, (1.0, 1.0))
    enstrophy = float((slopes[:, 1, 0] - slopes[:, 0, 1]).square().mean())
    mean = 100 / 3 * (2 * np.pi) ** 2 * (0.1**3 - 0.01**3) / (3 * 0.09)
    assert enstrophy == pytest.approx(100 / 3 * np.pi - mean, rel=0.1)
    # Energy per component the same: the law is isotropic.
    assert float(u[:, 0].square().mean() / u[:, 1].square().mean()) == pytest.approx(1, abs=0.25)
    energy = float(_draw("NS-Sines", 32, 60).square().sum(1).mean())
    i, j = np.meshgrid(np.arange(1, 11), np.arange(1, 11))
    whole = float((1 / 3 / (2 * np.pi * (i + j)) / 4 * 2).sum())
    assert 0.75 * whole < energy < whole
    w = Euler().primitive(_draw("CE-RP", 4, 400))
    for channel, (low, high) in enumerate(((0.1, 1), (-1, 1), (-1, 1), (0.1, 1))):
        values = w[:, channel]
        assert values.min() >= low - 1e-12 and values.max() <= high + 1e-12
        assert float(values.mean()) == pytest.approx((low + high) / 2, abs=0.05 * (high - low))
        assert float(values.std()) == pytest.approx((high - low) / 12**0.5, rel=0.05)


def test_quadrants_have_their_faces_at_one_half() -> None:
    w = _draw("CE-RP", 8, 1)[0]
    for a in range(2):
        for b in range(2):
            block = w[:, 4 * a : 4 * a + 4, 4 * b : 4 * b + 4]
            assert torch.equal(block, block[:, :1, :1].expand_as(block))
    assert len(torch.unique(w[0])) == 4
    with pytest.raises(OrbitscopeError, match="even"):
        initial_condition("CE-RP")(Grid.square(9), 0, 0, torch.float64)
    with pytest.raises(OrbitscopeError, match="periodic"):
        initial_condition("CE-RP")(Grid.square(8, boundary="wall"), 0, 0, torch.float64)


@pytest.mark.parametrize("name", NAMES)
def test_chunks_do_not_change_the_numbers(name: str) -> None:
    def run(**options: object) -> dict[int, torch.Tensor]:
        kwargs = dict(trajectories=5, resolution=16, frames=3, t_end=0.1, seed=4) | options
        return {i: v for part, values in simulate(name, **kwargs) for i, v in zip(part, values, strict=True)}  # type: ignore[arg-type]

    whole = run()
    assert sorted(whole) == list(range(5)) and whole[0].shape == (3, scenario(name).equation().layout.channels, 16, 16)
    for other in (run(), run(batch=2), run(batch=1), run(indices=[3, 1]), run(trajectories=400, indices=[4])):
        for i, values in other.items():
            assert torch.equal(values, whole[i])
    assert not torch.equal(run(seed=5)[0], whole[0]) and not torch.equal(whole[0], whole[1])
    assert torch.equal(whole[2][0], initial_condition(name)(Grid.square(16), 4, 2, torch.float32))


@pytest.mark.parametrize("name", NAMES)
def test_times_compose(name: str) -> None:
    """A snapshot is `step` of the one before."""
    ((_, values),) = simulate(name, trajectories=1, resolution=16, frames=3, t_end=0.1, dtype=torch.float64)
    solver = scenario(name).equation()
    assert torch.allclose(values[:, 2], solver.step(values[:, 1].contiguous(), 0.05), atol=1e-9)


def test_refined_runs() -> None:
    options = {"trajectories": 2, "resolution": 16, "frames": 2, "t_end": 0.05, "dtype": torch.float64}
    ((_, fine),) = simulate("CE-RP", **options, refine=2)  # type: ignore[arg-type]
    ((_, direct),) = simulate("CE-RP", **(options | {"resolution": 32}))  # type: ignore[arg-type]
    blocks = direct.reshape(2, 2, 4, 16, 2, 16, 2).mean((-3, -1))
    assert torch.allclose(fine, blocks, atol=1e-14)
    assert torch.allclose(fine.mean((3, 4)), fine.mean((3, 4))[:, :1].expand(2, 2, 4), atol=1e-14)
    ((_, flow),) = simulate("NS-Gauss", **options, refine=2)  # type: ignore[arg-type]
    residual = scenario("NS-Gauss").equation().constraints(flow[:, 0], flow[:, 1], 0.05, Grid.square(16))["divergence"]
    assert residual.max() < 1e-12


def test_progress_counts_written_chunks() -> None:
    seen: list[tuple[int, int]] = []
    parts = simulate("NS-Sines", trajectories=5, resolution=8, frames=2, batch=2, progress=lambda a, b: seen.append((a, b)))
    next(parts)
    assert seen == []  # the first chunk is in the caller's hands, not yet written
    next(parts)
    assert seen == [(2, 5)]
    list(parts)
    assert seen == [(2, 5), (4, 5), (5, 5)]


def test_a_failing_trajectory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = scenario("CE-RP")

    def broken(grid: Grid, seed: int, index: int, dtype: torch.dtype) -> torch.Tensor:
        state = plan.initial(grid, seed, index, dtype)
        return state * float("nan") if index == 5 else state

    monkeypatch.setattr(module, "_SCENARIOS", dict(module._SCENARIOS))
    register_scenario(replace(plan, name="euler.broken", alias="", initial=broken))
    parts = simulate("euler.broken", trajectories=8, resolution=8, frames=2, batch=3)
    assert next(parts)[0] == (0, 1, 2)
    with pytest.raises(SolverError, match="trajectory 5 of euler.broken.*time 0"):
        next(parts)
    with pytest.raises(OrbitscopeError, match="exists already"):
        register_scenario(plan)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"trajectories": 0}, "trajectories"),
        ({"resolution": 2}, "resolution"),
        ({"frames": 0}, "frames"),
        ({"t_end": -1.0}, "t_end"),
        ({"batch": 0}, "batch"),
        ({"refine": 0}, "refine"),
        ({"seed": -1}, "seed"),
        ({"dtype": torch.float16}, "dtype"),
        ({"indices": [7]}, "indices"),
        ({"equation": scenario("NS-Gauss").equation()}, "equation"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(options: dict[str, object], word: str) -> None:
    with pytest.raises(OrbitscopeError, match=word):
        simulate("CE-RP", **({"trajectories": 2, "resolution": 8} | options))  # type: ignore[arg-type]
    with pytest.raises(OrbitscopeError, match="Known"):
        simulate("nonsense", trajectories=1, resolution=8)


def test_importing_loads_nothing_that_only_some_calls_need() -> None:
    """Each of these takes a part of a second or more of every start; they are imported in the functions that use them."""
    later = ("numba", "scipy.stats", "scipy.optimize", "scipy.spatial", "scipy.sparse", "matplotlib", "plotly", "lightning_fabric", "tyro")
    code = f"import sys, orbitscope; orbitscope.scenarios(); print([m for m in {later} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
