"""The ladder of scales: exact where it is said to be (judge: symmetry.Scaling), measured where it is not."""

import copy
import math
import pickle

import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.nn import ScaleConv, ScaleLift, ScaleProject
from orbitscope.symmetry import Scaling

FLOW = osc.Layout.of("velocity:vector")
PRECISION = [(torch.float64, 1e-12), (torch.float32, 2e-5)]


def ladder(levels: int, ratio: float = 2.0, first: float = 0.25) -> list[float]:
    return [first * ratio**i for i in range(levels)]


def net(levels: int, ratio: float = 2.0, power: float = 1.0, first: float = 0.25) -> nn.Sequential:
    torch.manual_seed(0)
    scales = ladder(levels, ratio, first)
    lift, mix = ScaleLift(2, 6, scales, width=0.05), ScaleConv(6, 6, scales, width=0.05)
    return nn.Sequential(lift, nn.SiLU(), mix, nn.SiLU(), ScaleProject(6, 2, scales, width=0.05, powers=power)).double()


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISION)
@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("ratio", [2.0, math.sqrt(2.0)])
def test_features_step_along_the_ladder(size: int, ratio: float, dtype: torch.dtype, tolerance: float) -> None:
    """Twice as fast, two copies per axis: level s of the moved features is level 2s of the original ones, copied."""
    grid = osc.Grid.square(size)
    step = 1 if ratio == 2.0 else 2
    layers = net(5, ratio).to(dtype)
    x = torch.randn(2, 2, size, size, dtype=dtype)
    moved = Scaling(FLOW, grid, velocity=2.0, copies=2).state(x)
    lifted, there = layers[:2](x), layers[:2](moved)
    torch.testing.assert_close(there[:, :, :-step], lifted[:, :, step:].repeat(1, 1, 1, 2, 2), rtol=0, atol=tolerance)
    mixed, there = layers[:4](x), layers[:4](moved)
    torch.testing.assert_close(there[:, :, : -step - 1], mixed[:, :, step:-1].repeat(1, 1, 1, 2, 2), rtol=0, atol=tolerance)
    assert (lifted[:, :, :-step] - lifted[:, :, step:]).abs().max() > 0.1


def error(levels: int, size: int, power: float = 1.0) -> float:
    """Relative error of the whole net under zoom by 2, for smooth flows; the ladder is centred on the same scale."""
    model = net(levels, 2.0, power, first=2.0 ** (-(levels // 2)))
    grid = osc.Grid.square(size)
    x, y = grid.coordinates() * 2 * math.pi
    state = torch.stack([torch.sin(y) + 0.5 * torch.sin(2 * x + y), torch.cos(x) - torch.sin(2 * x + y)])[None]
    scaling = Scaling(FLOW, grid, velocity=2.0, copies=2)
    with torch.no_grad():
        expected = 2.0**power * model(state).repeat(1, 1, 2, 2)
        return float((model(scaling.state(state)) - expected).norm() / expected.norm())


@pytest.mark.parametrize("size", [15, 16])
@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
def test_the_error_of_a_finite_ladder_falls_with_its_length(power: float, size: int) -> None:
    """Published: never measured. A net without the ladder would be off by about 1."""
    errors = [error(levels, size, power) for levels in (3, 5, 7, 9)]
    assert errors == sorted(errors, reverse=True) and errors[0] < 1.0 and errors[-1] < 0.02, errors


def blobs(points: int, zoom: float, time: float = 0.0) -> Tensor:
    """lambda f(lambda x, lambda^2 t) of two travelling, spreading blobs around the centre of the unit box: no grid, no interpolation."""
    x, y = (osc.Grid.square(points).coordinates() - 0.5) * zoom
    t = time * zoom**2
    out = []
    for a, b, k in ((0.03, 0.02, 1.0), (-0.02, 0.04, -0.7)):
        r = (x - a - 0.3 * t) ** 2 + (y - b + 0.2 * t) ** 2
        out.append(k * torch.exp(-r / (2 * 0.05**2)))
    return zoom * torch.stack(out)[None]


def test_zoom_between_grid_points() -> None:
    """lambda = sqrt 2 about the centre of the box, one step of the ladder; compared at the centre, where the two grids share a point."""
    zoom, points = math.sqrt(2.0), 65
    torch.manual_seed(0)
    lift = ScaleLift(2, 6, ladder(4, zoom, 0.5), width=0.05).double()
    first, moved = lift(blobs(points, 1.0)), lift(blobs(points, zoom))
    centre = points // 2
    gap = (moved[:, :, :-1, centre, centre] - first[:, :, 1:, centre, centre]).norm() / first[:, :, 1:, centre, centre].norm()
    unmoved = (moved[:, :, :-1, centre, centre] - first[:, :, :-1, centre, centre]).norm() / first[:, :, 1:, centre, centre].norm()
    assert gap < 1e-4 and unmoved > 0.05, (gap, unmoved)


def test_zoom_in_space_and_time() -> None:
    """Frames at a fixed dt, seen lambda^2 times faster: the error is that of the sum over frames, and falls with dt."""
    zoom, points = math.sqrt(2.0), 33
    gaps = []
    for dt in (0.02, 0.01, 0.005):
        frames = round(0.8 / dt)
        torch.manual_seed(0)
        lift = ScaleLift(2, 6, ladder(3, zoom, 0.5), width=0.1, frames=frames, dt=dt, memory=0.1).double()
        history = [torch.cat([blobs(points, z, -dt * (frames - 1 - j)) for j in range(frames)], 1) for z in (1.0, zoom)]
        with torch.no_grad():
            first, moved = (lift(h)[:, :, :, points // 2, points // 2] for h in history)
        gaps.append(float((moved[:, :, :-1] - first[:, :, 1:]).norm() / first[:, :, 1:].norm()))
    order = math.log2(gaps[0] / gaps[1])
    assert gaps[0] < 0.05 and order > 1.5, gaps


def test_the_frames_are_weighed_by_the_integral_of_the_kernel() -> None:
    """Against a fine sum; the weights of a long history add up to 1."""
    lift = ScaleLift(1, 1, [1.0, 2.0], width=0.1, frames=200, dt=0.1, memory=0.7)
    for scale in (1.0, 2.0):
        weights, u = lift.recall(scale), torch.arange(0, 30, 1e-3, dtype=torch.float64) + 5e-4
        frame = (u * scale**2 * 0.7 / 0.1).round().long()
        for n in range(2):
            fine = torch.zeros(200, dtype=torch.float64).index_add(0, frame[frame < 200], ((u**n) * torch.exp(-u) * 1e-3)[frame < 200])
            torch.testing.assert_close(weights[n].flip(0), fine, rtol=0, atol=2e-3)
        torch.testing.assert_close(weights.sum(1), torch.ones(2, dtype=torch.float64), rtol=0, atol=0.01)


def test_filters_are_derivatives_of_a_gaussian() -> None:
    """Against the closed form on a sine."""
    lift = ScaleLift(1, 1, [1.0], width=0.05, orders=(1, 1)).double()
    assert lift.filters.powers == [(0, 1), (1, 0)]
    x, _ = osc.Grid.square(16).coordinates()
    wave = 2 * math.pi * 3
    with torch.no_grad():
        lift.weight.copy_(torch.tensor([[[0.0, 1.0]]]))
    expected = wave * 0.05 * math.exp(-((wave * 0.05) ** 2) / 2) * torch.cos(wave * x)
    torch.testing.assert_close(lift(torch.sin(wave * x)[None, None])[0, 0, 0], expected, rtol=0, atol=1e-13)


def test_it_pickles_copies_runs_under_torch_func_and_every_weight_learns() -> None:
    model = net(3)
    x, target = torch.randn(2, 3, 2, 6, 6, dtype=torch.float64)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert torch.equal(other(x), model(x)) and list(other.state_dict()) == list(model.state_dict())
    torch.testing.assert_close(torch.func.vmap(lambda s: model(s[None])[0])(x), model(x), rtol=0, atol=1e-12)
    parameters: dict[str, Tensor] = dict(model.named_parameters())
    direction = {name: torch.randn_like(p) for name, p in parameters.items()}

    def loss(p: dict[str, Tensor], s: Tensor, t: Tensor) -> Tensor:
        return (torch.func.functional_call(model, p, (s[None],)) - t).square().sum()

    each = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(parameters, x, target)
    slopes = torch.func.jvp(lambda p: torch.func.vmap(loss, (None, 0, 0))(p, x, target), (parameters,), (direction,))[1]
    torch.testing.assert_close(sum((each[n] * direction[n]).flatten(1).sum(1) for n in each), slopes)
    for name, gradient in each.items():
        assert gradient.abs().amax() > 0, name


def test_mistakes_are_named() -> None:
    with pytest.raises(osc.OrbitscopeError, match="one ratio"):
        ScaleLift(2, 2, [1.0, 2.0, 3.0], width=0.1)
    with pytest.raises(osc.OrbitscopeError, match="powers"):
        ScaleLift(2, 2, [1.0, 2.0], width=0.1, powers=[1.0])
    with pytest.raises(osc.OrbitscopeError, match="same `scales`"):
        ScaleConv(2, 2, [1.0, 2.0], width=0.1)(torch.zeros(1, 2, 3, 4, 4))
