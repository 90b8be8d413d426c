"""Uniform motion, Galilean boosts and magnitude: exact, on odd and even grids, in float64 and float32, with rotations where claimed."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.nn import Galilean, Magnitude, MagnitudeConv, MotionBlock, MotionConv
from orbitscope.physics import Euler, NavierStokes
from orbitscope.symmetry import Boost

from ..cases import EXACT

ACT = nn.SiLU


def seeded(make: Callable[[], nn.Module], dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(0)
    return make().to(dtype)


def motion_net(boundary: str = "circular", ndim: int = 2) -> nn.Module:
    kind = {"components": ndim, "ndim": ndim, "boundary": boundary}
    return nn.Sequential(
        MotionConv(1, 3, 3, activation=ACT(), **kind),  # pyright: ignore[reportArgumentType]
        MotionBlock(3, 4, 3, **kind),  # pyright: ignore[reportArgumentType]
        MotionBlock(4, 4, 3, **kind),  # pyright: ignore[reportArgumentType]
        MotionConv(4, 1, 1, **kind),  # pyright: ignore[reportArgumentType]
    )


def strided() -> nn.Module:
    """Down and up again: the U-Net's two moves."""
    return nn.Sequential(MotionConv(1, 3, 4, stride=2, activation=ACT()), nn.Upsample(scale_factor=2), MotionConv(3, 1, 3))


# --- uniform motion -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "tolerance"), EXACT)
@pytest.mark.parametrize("boundary", ["circular", "replicate"])
@pytest.mark.parametrize("shape", [(7, 7), (8, 8), (5, 8)])
def test_motion_commutes_with_a_constant(dtype: torch.dtype, tolerance: float, boundary: str, shape: tuple[int, int]) -> None:
    net = seeded(lambda: motion_net(boundary), dtype)
    x = torch.randn(3, 2, *shape, dtype=dtype)
    c = torch.tensor([3.0, -2.0], dtype=dtype)[:, None, None]
    torch.testing.assert_close(net(x + c), net(x) + c, rtol=0, atol=5 * tolerance)
    plain = seeded(lambda: nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), ACT(), nn.Conv2d(6, 2, 3, padding=1)), dtype)
    assert (plain(x + c) - plain(x) - c).abs().max() > 0.1


def test_motion_commutes_when_strided_and_in_three_dimensions() -> None:
    x, c = torch.randn(2, 2, 8, 6, dtype=torch.float64), torch.tensor([3.0, -2.0], dtype=torch.float64)[:, None, None]
    net = seeded(strided)
    torch.testing.assert_close(net(x + c), net(x) + c, rtol=0, atol=1e-12)
    x, c = torch.randn(1, 3, 4, 5, 4, dtype=torch.float64), torch.tensor([3.0, -2.0, 1.0], dtype=torch.float64)[:, None, None, None]
    net = seeded(lambda: motion_net(ndim=3))
    torch.testing.assert_close(net(x + c), net(x) + c, rtol=0, atol=1e-12)


@pytest.mark.parametrize("boundary", ["circular", "replicate"])
def test_the_layer_is_the_conjugation_of_the_paper(boundary: str) -> None:
    """Window by window: subtract the mean over pairs and window, convolve, activate, add it back."""
    layer = MotionConv(2, 3, 3, invariant_in=1, invariant_out=2, boundary=boundary, activation=nn.ReLU()).double()  # pyright: ignore[reportArgumentType]
    x = torch.randn(2, 5, 4, 6, dtype=torch.float64)
    wide = F.pad(x, (1, 1, 1, 1), mode="circular" if boundary == "circular" else "replicate")
    expected = torch.empty(2, 8, 4, 6, dtype=torch.float64)
    for b in range(2):
        for i in range(4):
            for j in range(6):
                window = wide[b, :, i : i + 3, j : j + 3].clone()
                mean = torch.stack([window[[0, 2]].mean(), window[[1, 3]].mean()])
                window[:4] -= mean.repeat(2)[:, None, None]
                out = torch.relu((layer.weight * window).sum((1, 2, 3)) + layer.bias)
                out[:6] += mean.repeat(3)
                expected[b, :, i, j] = out
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-13)


def test_the_residual_rule() -> None:
    """x + f(x) commutes with an invariant f and does not with one that commutes."""
    block = MotionBlock(1, 1).double()
    x, c = torch.randn(1, 2, 5, 5, dtype=torch.float64), 1.5
    inner = block.second(block.first(x))
    torch.testing.assert_close(block.second(block.first(x + c)), inner, rtol=0, atol=1e-13)
    torch.testing.assert_close(block(x + c), block(x) + c, rtol=0, atol=1e-13)
    wrong = x + block.first(x)
    assert (x + c + block.first(x + c) - wrong - c).abs().min() > 1.0


# --- Galilean boosts ------------------------------------------------------------------------------------------------


def some_model(channels_in: int, channels_out: int, dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(1)
    first = nn.Conv2d(channels_in, 8, 3, padding=1, padding_mode="circular")
    return nn.Sequential(first, nn.Tanh(), nn.Conv2d(8, channels_out, 3, padding=1, padding_mode="circular")).to(dtype)


def field(layout: osc.Layout, points: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    x = torch.randn(2, layout.channels, points, points, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    if "density" in [f.name for f in layout.fields]:
        x[:, 0] = 1 + 0.5 * torch.sigmoid(x[:, 0])
    return x


LAYOUTS = {"flow": NavierStokes.layout, "tracer": osc.Layout.of("velocity:vector", "tracer"), "gas": Euler.layout}


@pytest.mark.parametrize(("dtype", "tolerance"), EXACT)
@pytest.mark.parametrize("points", [7, 8])
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("kind", LAYOUTS)
def test_the_moving_frame_commutes_with_boosts(kind: str, frames: int, points: int, dtype: torch.dtype, tolerance: float) -> None:
    """Judge: symmetry.Boost, which moves frame j by c t_j. White noise, so that the highest modes are there; shifts between cells."""
    layout, grid, dt = LAYOUTS[kind], osc.Grid.square(points, extent=2.0), 0.13
    model = Galilean(some_model(frames * layout.channels, layout.channels, dtype), layout, grid, dt, frames=frames)
    boost = Boost(layout, grid, (1.3, -0.7))
    states = [field(layout, points, dtype, seed) for seed in range(frames)]
    times = [-dt * (frames - 1 - j) for j in range(frames)]
    moved = [boost.state(s, t) for s, t in zip(states, times, strict=True)]
    answer = model(torch.cat(states, 1))
    torch.testing.assert_close(model(torch.cat(moved, 1)), boost.state(answer, dt), rtol=0, atol=20 * tolerance)
    bare = model.model(torch.cat(states, 1))
    assert (model.model(torch.cat(moved, 1)) - boost.state(bare, dt)).abs().max() > 0.1
    # Shifting values alone, as the published test does, is another map, and F does not commute with it.
    values = boost.values
    assert (model(torch.cat([values(s) for s in states], 1)) - values(answer)).abs().max() > 1e-2


def test_around_the_solver_it_changes_nothing() -> None:
    """The solver commutes with boosts, so in the moving frame it gives the same next state (to its error of time stepping)."""
    law, dt = NavierStokes(viscosity=1e-2, cfl=0.1), 0.05
    grid = law.grid(16)
    x, y = grid.coordinates() * 2 * torch.pi
    state = torch.stack([1.0 + torch.sin(y), 0.5 + torch.sin(x)])[None]

    class Step(nn.Module):
        def forward(self, s: Tensor) -> Tensor:
            return law.step(s, dt)

    plain, moving = law.step(state, dt), Galilean(Step(), law.layout, grid, dt)(state)
    assert (moving - plain).norm() < 1e-4 * (plain - state).norm()


def test_standing_still_in_the_moving_frame_beats_standing_still() -> None:
    """A weak flow carried along by a strong wind: with f the identity, F carries it; persistence is off by the whole motion."""
    law, dt = NavierStokes(viscosity=1e-3), 0.2
    grid = law.grid(16)
    x, y = grid.coordinates() * 2 * torch.pi
    state = torch.stack([1.0 + 0.1 * torch.sin(y), 0.5 + 0.1 * torch.sin(x)])[None]
    truth = law.step(state, dt)
    moving = Galilean(nn.Identity(), law.layout, grid, dt)(state)
    assert (moving - truth).norm() < 0.2 * (state - truth).norm()


def test_nothing_is_taken_out_across_a_wall() -> None:
    layout = osc.Layout.of("velocity:vector")
    grid = osc.Grid((6, 5), (1.0, 1.0), ("periodic", "wall"))
    model = Galilean(some_model(2, 2), layout, grid, 0.1)
    x = torch.randn(2, 2, 6, 5, dtype=torch.float64)
    assert (model.velocity(x)[:, 1] == 0).all() and (model.velocity(x)[:, 0] != 0).all()
    boost = Boost(layout, grid, (1.0, 0.0))
    torch.testing.assert_close(model(boost.state(x)), boost.state(model(x), 0.1), rtol=0, atol=1e-12)


def test_it_keeps_rotations() -> None:
    """Around a model that commutes with D4 the whole commutes with D4 and with boosts."""
    layout, grid = NavierStokes.layout, osc.Grid.square(7)
    action = osc.GridAction(layout, grid)
    model = Galilean(osc.symmetrize(some_model(2, 2), osc.dihedral(4), action), layout, grid, 0.1)
    x = torch.randn(2, 2, 7, 7, dtype=torch.float64)
    for g in osc.dihedral(4):
        torch.testing.assert_close(model(action(g, x)), action(g, model(x)), rtol=0, atol=1e-12)


# --- magnitude ------------------------------------------------------------------------------------------------------


def magnitude_net() -> nn.Module:
    return nn.Sequential(MagnitudeConv(2, 5, 3, activation=ACT()), MagnitudeConv(5, 4, 3, activation=ACT()), MagnitudeConv(4, 2, 1))


@pytest.mark.parametrize(("dtype", "tolerance"), EXACT)
@pytest.mark.parametrize("factor", [1e-6, 0.3, 7.0, 1e9])
@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("kind", ["layers", "wrapper"])
def test_magnitude_commutes_with_positive_factors(kind: str, size: int, factor: float, dtype: torch.dtype, tolerance: float) -> None:
    net = seeded(magnitude_net if kind == "layers" else lambda: Magnitude(some_model(2, 2)), dtype)
    x = torch.randn(3, 2, size, size, dtype=dtype)
    x[0, :, :4, :4] = 0  # windows without any flow
    torch.testing.assert_close(net(factor * x) / factor, net(x), rtol=0, atol=tolerance)
    assert (net(torch.zeros_like(x)) == 0).all() and (
        some_model(2, 2, dtype)(factor * x) / factor - some_model(2, 2, dtype)(x)
    ).abs().max() > 0.01


def d4_mean(weight: Tensor) -> Tensor:
    """A kernel vector -> vector averaged over D4 by the action itself."""
    action = osc.GridAction(osc.Layout.of("a:vector"), osc.Grid.square(weight.shape[-1], boundary="open"))
    total = torch.zeros_like(weight)
    for g in osc.dihedral(4):
        moved = action(g, weight)  # moves the cells and the input component
        total = total + torch.einsum("ij,jkxy->ikxy", torch.as_tensor(g.matrix).to(weight), moved)
    return total / 8


def anisotropic(layer: MagnitudeConv, x: Tensor) -> Tensor:
    """The published layer: one scale per component."""
    wide = F.pad(x, (1, 1, 1, 1), mode="circular")
    sigma = F.max_pool2d(wide, 3, 1) + F.max_pool2d(-wide, 3, 1)
    cells = F.unfold(wide, 3).reshape(len(x), 2, 9, *x.shape[2:]) / sigma[:, :, None]
    return torch.tanh(torch.einsum("oik,bikxy->boxy", layer.weight.flatten(2), cells)) * sigma


def test_magnitude_commutes_with_d4_and_the_published_one_does_not() -> None:
    layer = MagnitudeConv(2, 2, 3, activation=nn.Tanh()).double()
    with torch.no_grad():
        layer.weight.copy_(d4_mean(torch.randn(2, 2, 3, 3, dtype=torch.float64)))
        layer.bias.zero_()
    for size in (6, 7):
        action = osc.GridAction(osc.Layout.of("velocity:vector"), osc.Grid.square(size))
        x = torch.randn(2, 2, size, size, dtype=torch.float64)
        for g in osc.dihedral(4):
            torch.testing.assert_close(layer(action(g, x)), action(g, layer(x)), rtol=0, atol=1e-12)
    # One scale per component commutes with exchanging components only, not with the turns between: mix them by 45 degrees.
    turn = torch.tensor([[1.0, -1.0], [1.0, 1.0]], dtype=torch.float64) / 2**0.5

    def mixed(v: Tensor) -> Tensor:
        return torch.einsum("ij,bjxy->bixy", turn, v)

    with torch.no_grad():
        layer.weight.copy_(torch.eye(2, dtype=torch.float64)[:, :, None, None] * torch.rand(3, 3, dtype=torch.float64))
    layer.activation = Radial()
    torch.testing.assert_close(layer(mixed(x)), mixed(layer(x)), rtol=0, atol=1e-12)
    assert (anisotropic(layer, mixed(x)) - mixed(anisotropic(layer, x))).abs().max() > 0.1


class Radial(nn.Module):
    """An activation of a vector that commutes with every rotation."""

    def forward(self, v: Tensor) -> Tensor:
        return v * torch.sigmoid(v.square().sum(1, keepdim=True))


def test_the_wrapper_keeps_rotations_and_leaves_other_channels() -> None:
    layout, grid = osc.Layout.of("velocity:vector", "density"), osc.Grid.square(6)
    action = osc.GridAction(layout, grid)
    net = Magnitude(osc.symmetrize(some_model(3, 3), osc.dihedral(4), action), [0, 1])
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    factors = torch.tensor([2.5, 2.5, 1.0], dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(net(factors * x), factors * net(x), rtol=0, atol=1e-12)
    for g in osc.dihedral(4):
        torch.testing.assert_close(net(action(g, x)), action(g, net(x)), rtol=0, atol=1e-12)


# --- all of them ----------------------------------------------------------------------------------------------------

EVERY: dict[str, Callable[[], nn.Module]] = {
    "motion": motion_net,
    "strided": strided,
    "galilean": lambda: Galilean(some_model(2, 2), NavierStokes.layout, osc.Grid.square(6), 0.1),
    "magnitude": magnitude_net,
    "wrapped": lambda: Magnitude(some_model(2, 2)),
}


@pytest.mark.parametrize("kind", EVERY)
def test_it_pickles_copies_runs_under_torch_func_and_every_weight_learns(kind: str) -> None:
    net = seeded(EVERY[kind])
    x = torch.randn(3, 2, 6, 6, dtype=torch.float64)
    for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert torch.equal(other(x), net(x)) and list(other.state_dict()) == list(net.state_dict())
    torch.testing.assert_close(torch.func.vmap(lambda s: net(s[None])[0])(x), net(x), rtol=0, atol=1e-12)
    parameters: dict[str, Tensor] = dict(net.named_parameters())
    direction = {name: torch.randn_like(p) for name, p in parameters.items()}
    target = torch.randn_like(x)

    def loss(p: dict[str, Tensor], s: Tensor, t: Tensor) -> Tensor:
        return (torch.func.functional_call(net, p, (s[None],)) - t).square().sum()

    each = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(parameters, x, target)
    slopes = torch.func.jvp(lambda p: torch.func.vmap(loss, (None, 0, 0))(p, x, target), (parameters,), (direction,))[1]
    torch.testing.assert_close(sum((each[n] * direction[n]).flatten(1).sum(1) for n in each), slopes)
    for name, gradient in each.items():
        assert gradient.abs().amax() > 0, name
    assert torch.autograd.gradcheck(net, (x[:1].requires_grad_(),), fast_mode=True)
    tangent = torch.randn_like(x)
    jvp = torch.func.jvp(net, (x.detach(),), (tangent,))[1]
    step = 1e-6
    torch.testing.assert_close(
        jvp, (net(x.detach() + step * tangent) - net(x.detach() - step * tangent)) / (2 * step), rtol=1e-6, atol=1e-8
    )


def test_mistakes_are_named() -> None:
    for make, words in (
        (lambda: MotionConv(1, 1, boundary="zero"), "'replicate'"),
        (lambda: MotionConv(0, 1), "vectors_in"),
        (lambda: MotionConv(1, 1)(torch.zeros(1, 3, 4, 4)), r"\[batch, 2, \*grid\]"),
        (lambda: MagnitudeConv(2, 0), "output"),
        (lambda: Galilean(nn.Identity(), osc.Layout.of("u:vector"), osc.Grid.square(4), 0.1), "roles"),
        (lambda: Galilean(nn.Identity(), osc.Layout.of("a"), osc.Grid.square(4), 0.1), "no velocity"),
        (lambda: Galilean(nn.Identity(), NavierStokes.layout, osc.Grid.square(4), 0.0), "dt"),
        (lambda: Galilean(nn.Conv2d(2, 3, 1), NavierStokes.layout, osc.Grid.square(4), 0.1)(torch.zeros(1, 2, 4, 4)), "should return"),
    ):
        with pytest.raises(osc.OrbitscopeError, match=words):
            make()
