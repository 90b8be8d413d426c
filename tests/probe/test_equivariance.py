"""`equivariance` against plain loops over transitions, channels and cells, and on models of known symmetry."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc

from ..cases import convolutions

Make = Callable[..., osc.Trajectories]
CHANNELS = ("density", "momentum:vector", "energy")


def small(dtype: torch.dtype = torch.float64) -> nn.Module:
    return convolutions(4, 5, last=1, boundary="zeros", act=nn.SiLU, dtype=dtype)


class Shift(nn.Module):
    """x -> a x rolled by some cells: every number can be worked out."""

    def __init__(self, cells: int = 0, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor, dtype=torch.float64))
        self.cells = cells

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x.roll(self.cells, -2)


def rms_error(y: np.ndarray, prediction: np.ndarray) -> float:
    """SMSE of one channel [x, y], with plain loops."""
    power = error = 0.0
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            power += y[i, j] ** 2 / y.size
            error += (y[i, j] - prediction[i, j]) ** 2 / y.size
    return error / (np.sqrt(power) + 1e-6)


def turned(state: np.ndarray) -> np.ndarray:
    """r by hand on (density, momentum_x, momentum_y, energy): turn the picture by +90 degrees from x towards y, and (u, v) -> (-v, u)."""
    rho, u, v, e = (np.rot90(channel, 1, (0, 1)) for channel in state)
    return np.stack([rho, -v, u, e])


def flipped(state: np.ndarray) -> np.ndarray:
    """s by hand: flip the first axis, negate the first vector component."""
    rho, u, v, e = (channel[::-1] for channel in state)
    return np.stack([rho, -u, v, e])


@pytest.mark.parametrize(("name", "by_hand"), [("r", turned), ("s", flipped), ("sr", lambda x: flipped(turned(x)))])
def test_errors_are_those_of_a_plain_loop(random_data: Make, name: str, by_hand: Callable[[np.ndarray], np.ndarray]) -> None:
    """Every transition, every channel, with the action written out by hand."""
    model, data = small(), random_data(*CHANNELS, trajectories=3, times=3)
    found = osc.equivariance(model, data, "d4", elements=[name], trajectories=None, times=None, batch=2).sel(element=name)
    f = lambda x: model(torch.from_numpy(x.copy())[None])[0].detach().numpy()  # noqa: E731
    values = data.tensor().numpy()
    assert found.sizes["transition"] == 6
    for n in range(6):
        trajectory, time = int(found["trajectory"][n]), int(found["time"][n])
        x, y = values[trajectory, time], values[trajectory, time + 1]
        f_gx, g_fx, gy = f(by_hand(x)), by_hand(f(x)), by_hand(y)
        moved = [rms_error(gy[c], f_gx[c]) for c in range(4)]
        original = [rms_error(y[c], f(x)[c]) for c in range(4)]
        assert float(found["commutator"][n]) == pytest.approx(np.linalg.norm(f_gx - g_fx) / np.linalg.norm(f(x)), rel=1e-12)
        assert float(found["relative_error"][n]) == pytest.approx(np.mean(moved) / np.mean(original), rel=1e-10)
        persistence = np.mean([rms_error(y[c], x[c]) for c in range(4)])
        assert float(found["skill"][n]) == pytest.approx(np.mean(original) / persistence, rel=1e-10)
        for c in range(4):
            gap = np.linalg.norm(f_gx[c] - g_fx[c]) / np.linalg.norm(g_fx[c])
            assert float(found["commutator_by_channel"][n, c]) == pytest.approx(gap, rel=1e-12)
            by_channel = moved[c] / rms_error(gy[c], g_fx[c])
            assert float(found["relative_error_by_channel"][n, c]) == pytest.approx(by_channel, rel=1e-10)


def test_channels_and_transitions_are_named(random_data: Make) -> None:
    """Coordinates say what was looked at; units and norms are in the attributes."""
    found = osc.equivariance(small(), random_data(*CHANNELS, trajectories=5, times=4), "d4", trajectories=2, times=2, seed=1)
    assert found["channel"].values.tolist() == ["density", "momentum_x", "momentum_y", "energy"]
    assert found["element"].values.tolist() == ["e", "r", "r2", "r3", "s", "sr", "sr2", "sr3"]
    assert found["time"].values.tolist() == [0, 0, 2, 2] and len(set(found["trajectory"].values.tolist())) == 2
    assert all(found[name].attrs["units"] == "1" for name in ("commutator", "relative_error", "skill", "floor"))
    assert found.attrs["group"] == "D4" and found.attrs["order"] == 8


def test_the_batch_size_changes_nothing_but_rounding(random_data: Make) -> None:
    """1, 4 and all at once."""
    data = random_data(*CHANNELS)
    results = [osc.equivariance(small(), data, "d4", batch=b) for b in (1, 4, 32)]
    for other in results[1:]:
        for name in ("commutator", "relative_error", "commutator_by_channel", "relative_error_by_channel"):
            np.testing.assert_allclose(other[name].values, results[0][name].values, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("group", ["d4", "tx4*ty4"])
def test_the_group_average_commutes_to_the_floor(random_data: Make, group: str) -> None:
    """So the floor is what rounding leaves; the model underneath is far above it."""
    data = random_data(*CHANNELS)
    average = osc.symmetrize(small(), osc.parse_group(group), osc.GridAction(data.layout, data.grid))
    found = osc.equivariance(average, data, group)
    assert (found["commutator"].max("transition") <= found["floor"]).all() and found["floor"].max() < 1e-14
    np.testing.assert_allclose(found["relative_error"].values, 1, atol=1e-12)
    plain = osc.equivariance(small(), data, group)
    assert (plain["commutator"].sel(element=plain["element"] != "e") > 1e-2).all() and (plain["commutator"].sel(element="e") == 0).all()


@pytest.mark.parametrize(("dtype", "low", "high"), [(torch.float32, 1e-8, 1e-5), (torch.float64, 1e-17, 1e-13)])
def test_the_floor_follows_the_precision(random_data: Make, dtype: torch.dtype, low: float, high: float) -> None:
    """The group average of a float32 model commutes to float32, and the floor says so."""
    data = random_data(*CHANNELS, dtype=dtype)
    average = osc.symmetrize(small(dtype), osc.dihedral(4), osc.GridAction(data.layout, data.grid))
    found = osc.equivariance(average, data, "d4")
    assert low < float(found["floor"].max()) < high
    assert (found["commutator"].max("transition") <= 10 * found["floor"]).all()


def test_layers_that_commute_by_construction(random_data: Make) -> None:
    """Circular convolution and whole shifts; a 1x1 convolution of scalars and D4: 1e-15."""
    torch.manual_seed(0)
    conv = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"), nn.Tanh()).double()
    assert osc.equivariance(conv, random_data(*CHANNELS), "tx*ty")["commutator"].max() < 1e-14
    pointwise = nn.Sequential(nn.Conv2d(2, 4, 1), nn.SiLU(), nn.Conv2d(4, 2, 1)).double()
    assert osc.equivariance(pointwise, random_data("density", "energy"), "d4")["commutator"].max() < 1e-14


def test_a_model_that_moves_things_along_x_breaks_what_turns_x(random_data: Make) -> None:
    """Rolling by one cell along x commutes with shifts and with the flip of y alone."""
    data = random_data("density")
    found = osc.equivariance(Shift(1), data, "d4")["commutator"].max("transition")
    assert [str(n) for n in found["element"].values[found.values < 1e-15]] == ["e", "sr2"]
    assert osc.equivariance(Shift(1), data, "tx")["commutator"].max() == 0


def test_a_stride_shows_at_its_multiples(random_data: Make) -> None:
    """Stride 2: even shifts commute, odd ones do not."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 2, stride=2), nn.Tanh(), nn.Upsample(scale_factor=2), nn.Conv2d(4, 2, 1)).double()
    worst = osc.equivariance(model, random_data(points=8), "tx")["commutator"].median("transition").values
    assert worst[::2].max() < 1e-14 and worst[1::2].min() > 0.1


def test_interpolated_elements_are_compared_inside_the_disc_only(random_data: Make) -> None:
    """A model that is the identity inside and garbage in the corners: the mask hides them for 45 degrees and not for 90."""
    n = 24  # so that no stencil of a cell of the disc reaches a corner
    grid = osc.Grid.square(n)
    smooth = 2 + 0.1 * torch.cos(2 * torch.pi * grid.coordinates()[0])
    data = osc.Trajectories(smooth.expand(2, 2, 1, n, n).clone(), osc.Layout.of("density"), grid, dt=1.0)

    class Corners(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Parameter(torch.ones((), dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            corner = torch.zeros(n, n, dtype=x.dtype)
            corner[0, 0] = 100.0
            return self.one * x + corner

    found = osc.equivariance(Corners(), data, "so2/8")
    assert found["commutator"].sel(element="r").max() < 1e-12  # 45 degrees: the same resampling on both sides
    assert found["commutator"].sel(element="r2").min() > 1  # 90 degrees: exact, compared everywhere
    assert found["floor"].sel(element="r").item() > found["floor"].sel(element="r2").item()
    action = osc.GridAction(data.layout, grid)
    assert not bool(action.mask(osc.rotations(8)["r"])[0, 0]) and bool(action.mask(osc.rotations(8)["r2"])[0, 0])


def test_masked_errors_are_those_of_a_loop_over_the_disc(random_data: Make) -> None:
    """45 degrees with the resampling taken from the action: sums over masked cells only."""
    data = random_data("density", "momentum:vector", trajectories=2, times=2, points=8)
    torch.manual_seed(0)
    model = nn.Conv2d(3, 3, 3, padding=1).double()
    group = osc.rotations(8)
    action = osc.GridAction(data.layout, data.grid)
    found = osc.equivariance(model, data, group, elements=["r"]).sel(element="r")
    inside = action.mask(group["r"]).numpy()
    for n in range(2):
        trajectory = int(found["trajectory"][n])
        x, y = data.state(trajectory, 0)[None], data.state(trajectory, 1)[None]
        with torch.no_grad():
            f_gx, g_fx = model(action(group["r"], x))[0].numpy(), action(group["r"], model(x))[0].numpy()
        gy = action(group["r"], y)[0].numpy()
        gap = np.sqrt(((f_gx - g_fx)[:, inside] ** 2).sum() / (g_fx[:, inside] ** 2).sum())
        assert float(found["commutator"][n]) == pytest.approx(gap, rel=1e-11)
        moved, original = (np.mean([rms_error(gy[c] * inside, a[c] * inside) for c in range(3)]) for a in (f_gx, g_fx))
        assert float(found["relative_error"][n]) == pytest.approx(moved / original, rel=1e-10)


def test_skill_tells_an_untrained_model_from_a_good_one() -> None:
    """x rolled by one cell per step: the model that rolls has skill 0, persistence has 1, doubling has more."""
    torch.manual_seed(0)
    start = torch.randn(4, 1, 6, 6, dtype=torch.float64)
    data = osc.Trajectories(torch.stack([start, start.roll(1, -2)], 1), osc.Layout.of("density"), osc.Grid.square(6), dt=1.0)
    skill = {f: float(osc.equivariance(Shift(*f), data, "tx")["skill"].median()) for f in ((1, 1.0), (0, 1.0), (0, 2.0))}
    assert skill[1, 1.0] < 1e-20 and skill[0, 1.0] == pytest.approx(1) and skill[0, 2.0] > 1


def test_elements_and_groups_by_name(random_data: Make) -> None:
    """Some elements in the order asked for; words and groups are one."""
    data = random_data(*CHANNELS)
    some = osc.equivariance(small(), data, osc.dihedral(4), elements=["s", "r"])
    every = osc.equivariance(small(), data, "d4")
    assert some["element"].values.tolist() == ["s", "r"]
    np.testing.assert_array_equal(some["commutator"].values, every["commutator"].sel(element=["s", "r"]).values)


def test_the_model_is_left_as_it_was(random_data: Make) -> None:
    """No gradients, no change of weights or mode."""
    model = small()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    osc.equivariance(model, random_data(*CHANNELS), "c2")
    assert all(
        torch.equal(v, before[k]) and p.grad is None for (k, v), p in zip(model.state_dict().items(), model.parameters(), strict=True)
    )


def test_a_model_without_parameters_has_an_equivariance_error(random_data: Make) -> None:
    """Only influence needs parameters."""
    assert osc.equivariance(nn.Identity(), random_data(), "d4")["commutator"].max() == 0
