"""`shift_curve` and `boost_curve` on models whose error is known, and against plain loops."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.physics import NavierStokes
from orbitscope.probe.output._curves import boost_curve, dominant, periodicity, rms_speed, shift_curve
from orbitscope.probe.output._lie import lie_derivative

from ..cases import convolutions

Make = Callable[..., osc.Trajectories]


def crooked(channels: int) -> nn.Module:
    return convolutions(channels, boundary="zeros")


def strided(stride: int, channels: int = 2) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 6, stride, stride=stride), nn.Tanh(), nn.Upsample(scale_factor=stride), nn.Conv2d(6, channels, 1)
    ).double()


def shifted(x: np.ndarray, cells: float) -> np.ndarray:
    """The trigonometric interpolant of [..., n, m], n odd, moved along the first axis, by its definition."""
    n = x.shape[-2]
    k = np.arange(-(n // 2), n // 2 + 1)
    grid = np.arange(n)
    forward = np.exp(-2j * np.pi * np.outer(k, grid) / n) / n
    matrix = np.real(np.exp(2j * np.pi * np.outer(grid - cells, k) / n) @ forward)
    return np.einsum("ij,...jm->...im", matrix, x)


def test_every_shift_against_a_plain_loop(random_data: Make) -> None:
    """Thirds of a cell on an odd grid."""
    data, model = random_data("density", points=5, trajectories=2, times=2), crooked(1)
    found = shift_curve(model, data, parts=3, trajectories=None, times=None)
    np.testing.assert_allclose(found["shift"].values, np.arange(15) / 3)
    f = lambda v: model(torch.from_numpy(v)[None])[0].detach().numpy()  # noqa: E731
    values = data.tensor().numpy()
    for k in range(found.sizes["transition"]):
        x = values[int(found["trajectory"][k]), int(found["time"][k])]
        for s, cells in enumerate(found["shift"].values):
            expected = np.linalg.norm(f(shifted(x, cells)) - shifted(f(x), cells)) / np.linalg.norm(shifted(f(x), cells))
            assert float(found["commutator"][s, k]) == pytest.approx(expected, rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("stride", [2, 4])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_period_is_the_stride(random_data: Make, stride: int, axis: int) -> None:
    """Multiples of the stride commute to rounding, the rest does not, and the period says so."""
    data = random_data(points=16, trajectories=3, times=3)
    found = shift_curve(strided(stride), data, axis, parts=2)
    worst = found["commutator"].max("transition").values[::2]
    assert worst[::stride].max() < 1e-13 and np.delete(worst, np.s_[::stride]).min() > 0.1
    assert int(found["dominant_period"]) == stride and float(found["dominant_explained"]) > 0.9
    assert found["floor"].sel(shift=range(16)).max() < 1e-14  # whole cells are not resampled


def test_the_patch_of_a_vit_and_the_stride_of_a_unet(random_data: Make) -> None:
    """Without its position embedding a ViT commutes with shifts by a patch; with it, the ripple stays and explains less."""
    data = random_data(points=16, trajectories=2, times=2)
    torch.manual_seed(0)
    vit = osc.build("vit", channels_in=2, resolution=16, width=8, heads=2, depth=1, patch=4).double()
    whole = shift_curve(vit, data, parts=1)
    with torch.no_grad():
        vit.position.mul_(0)  # pyright: ignore
    free = shift_curve(vit, data, parts=1)
    assert free["commutator"].values[::4].max() < 1e-12 and whole["commutator"].values[4:13:4].min() > 1e-6
    assert int(free["dominant_period"]) == 4 and float(free["dominant_explained"]) > float(whole["dominant_explained"])
    unet = osc.build("unet", channels_in=2, width=4, kernels=(3, 3, 3), heads=1).double()
    assert int(shift_curve(unet, data, parts=1)["dominant_period"]) == 4
    resnet = osc.build("resnet", channels_in=2, width=4, depth=1, kernel=3).double()
    curve = shift_curve(resnet, data, parts=2)
    found = curve["commutator"].max("transition").values
    assert int(curve["dominant_period"]) == 1 and float(curve["dominant_explained"]) == 0
    assert found[::2].max() < 1e-12 < 1e-3 < found[1::2].min()  # whole cells, half cells


def test_periodicity_by_hand() -> None:
    """A sawtooth of period 3 in 12; noise; a constant."""
    saw = np.tile([0.0, 1.0, 2.0], 4)
    periods, explained = periodicity(saw)
    assert periods.tolist() == [1, 2, 3, 4, 6] and explained[0] == 0 and explained[2] == pytest.approx(1)
    assert periods[dominant(periods, explained)] == 3
    # By hand for period 2 without index 0: odd 1,0,2,1,0,2 and even 2,1,0,2,1.
    values = saw[1:]
    within = 2 / 3 * 6 + ((np.array([2, 1, 0, 2, 1]) - 1.2) ** 2).sum()
    expected = 1 - (within / 9) / (((values - values.mean()) ** 2).sum() / 10)
    assert explained[1] == pytest.approx(expected)
    flat = periodicity(np.full(12, 0.3))
    assert flat[0][dominant(*flat)] == 1 and not flat[1].any()
    assert not periodicity(saw, noise=1.0)[1].any() and periodicity(saw, noise=0.1)[1].any()
    noise = np.array([periodicity(row)[1][1:].max() for row in np.random.default_rng(0).normal(size=(50, 32))])
    assert np.median(noise) < 0.35
    assert periodicity(np.ones(7))[0].tolist() == [1]


class Step(nn.Module):
    """The solver as a model."""

    def __init__(self, dt: float) -> None:
        super().__init__()
        self.unused, self.law, self.dt = nn.Parameter(torch.ones((), dtype=torch.float64)), NavierStokes(cfl=0.05), dt

    def forward(self, x: Tensor) -> Tensor:
        return self.law.step(x, self.dt)


def test_boosts_of_the_solver_cost_nothing_and_those_of_persistence_do(simulated: Make) -> None:
    data = simulated("navier-stokes.sines", trajectories=3, points=24, frames=3, t_end=0.02)
    exact = boost_curve(Step(data.dt), data, (0.1, 1.0), trajectories=2, times=1)
    still = boost_curve(nn.Identity().double(), data, (0.1, 1.0), trajectories=2, times=1)
    assert exact["commutator"].max() < 1e-9 and still["commutator"].min() > 1e-3
    np.testing.assert_allclose(exact["relative_speed"].values, [0.1, 1.0])
    speed = float(exact["rms_speed"])
    np.testing.assert_allclose(exact["displacement"].values, np.array([0.1, 1.0]) * speed * data.dt * 24)
    assert exact["direction"].values == pytest.approx(np.pi / 2 * np.arange(4))


def test_boosts_against_a_plain_loop(random_data: Make) -> None:
    """Density, momentum, energy; c along +x and -x."""
    data, model = random_data("density", "momentum:vector", "energy", points=5, trajectories=2, times=2), crooked(4)
    values = data.tensor().abs() + 0.5
    data = data.replace(values=values)
    found = boost_curve(model, data, (0.3,), directions=2, trajectories=None, times=None)
    f = lambda v: model(torch.from_numpy(v)[None])[0].detach().numpy()  # noqa: E731
    speed = 0.3 * float(found["rms_speed"])
    velocities = []
    for k in range(found.sizes["transition"]):
        x = values[int(found["trajectory"][k]), int(found["time"][k])].numpy()
        velocities.append(((x[1:3] / x[0]) ** 2).sum(0).mean())
        for d, c in enumerate((speed, -speed)):
            moved = lambda v, c=c: np.stack([v[0], v[1] + c * v[0], v[2], v[3] + c * v[1] + 0.5 * c * c * v[0]])  # noqa: E731
            expected = shifted(moved(f(x)), c * data.dt * 5)
            gap = np.linalg.norm(f(moved(x)) - expected) / np.linalg.norm(f(x))
            assert float(found["commutator"][0, d, k]) == pytest.approx(gap, rel=1e-10)
            assert float(found["ignored"][0, d, k]) == pytest.approx(np.linalg.norm(moved(x) - x) / np.linalg.norm(x), rel=1e-10)
    assert float(found["rms_speed"]) == pytest.approx(np.sqrt(np.mean(velocities)))
    assert rms_speed(data.select("density").replace(layout=osc.Layout.of("velocity")), values[0, :, :1]) > 0


def test_small_boosts_tend_to_the_lie_derivative(random_data: Make) -> None:
    data, model = random_data(points=7), crooked(2)
    lie = lie_derivative(model, data, ["boost_x", "boost_y"], trajectories=2, times=1)["lie"].values
    found = boost_curve(model, data, (1e-5,), directions=4, trajectories=2, times=1)
    slope = (found["commutator"] / found["speed"]).values[0]
    np.testing.assert_allclose(slope[:2], lie, rtol=1e-3)
    np.testing.assert_allclose(slope[2:], lie, rtol=1e-3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda d: shift_curve(crooked(2), d, 2), "axis"),
        (lambda d: shift_curve(crooked(2), d, parts=0), "parts"),
        (lambda d: shift_curve(crooked(2), d, batch=0), "batch"),
        (lambda d: boost_curve(crooked(2), d, ()), "speeds"),
        (lambda d: boost_curve(crooked(2), d, (0.1, -1.0)), "speeds"),
        (lambda d: boost_curve(crooked(2), d, directions=0), "directions"),
        (lambda d: boost_curve(crooked(2), d.replace(values=0 * d.tensor())), "rest"),
        (lambda d: boost_curve(crooked(1), d.replace(values=d.tensor()[:, :, :1], layout=osc.Layout.of("density"))), "velocity"),
    ],
)
def test_mistakes_are_named(random_data: Make, call, words: str) -> None:
    with pytest.raises(osc.OrbitscopeError, match=words):
        call(random_data())
