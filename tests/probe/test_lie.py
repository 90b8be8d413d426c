"""`lie_derivative` and `lie_layers` against dense matrices, finite differences of finite elements, and closed forms."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.physics import NavierStokes
from orbitscope.physics._spectral import gradient, solenoidal
from orbitscope.probe.output._generators import Generator, derivative, generator
from orbitscope.probe.output._lie import lie_derivative
from orbitscope.probe.output._lie_layers import lie_layers
from orbitscope.symmetry import Boost

from ..cases import convolutions

Make = Callable[..., osc.Trajectories]


class Pointwise(nn.Module):
    """x -> phi(x) cell by cell; its one parameter says float64 and does nothing."""

    def __init__(self, phi: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.phi, self.unused = phi, nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.phi(x)


def crooked(channels: int, dtype: torch.dtype = torch.float64) -> nn.Module:
    return convolutions(channels, boundary="zeros", dtype=dtype)


def waves(*layout: str, points: int = 24, modes: int = 2, trajectories: int = 2, dt: float = 0.1) -> osc.Trajectories:
    """Band-limited random fields, so that products of a few are still without aliasing."""
    declared = osc.Layout.of(*(layout or ("velocity:vector",)))
    generator = torch.Generator().manual_seed(3)
    spectrum = torch.fft.rfft2(torch.randn(trajectories, 2, declared.channels, points, points, generator=generator, dtype=torch.float64))
    k = torch.fft.fftfreq(points, 1 / points)
    keep = (k.abs()[:, None] <= modes) & (torch.arange(points // 2 + 1)[None] <= modes)
    values = torch.fft.irfft2(spectrum * keep, s=(points, points))
    return osc.Trajectories(values / values.std(), declared, osc.Grid.square(points), dt=dt)


def slope_matrix(n: int) -> np.ndarray:
    """The derivative of the trigonometric interpolant through n points of [0, 1), n odd, by its definition."""
    x = np.arange(n) / n
    k = np.arange(-(n // 2), n // 2 + 1)
    forward = np.exp(-2j * np.pi * np.outer(k, x)) / n
    return np.real(np.exp(2j * np.pi * np.outer(x, k)) @ (2j * np.pi * k[:, None] * forward))


@pytest.mark.parametrize(("name", "axis"), [("tx", 0), ("ty", 1)])
def test_translations_against_dense_matrices(random_data: Make, name: str, axis: int) -> None:
    """J D x - D f(x) with J from reverse mode and D written out."""
    data, model, n = random_data("density", "momentum:vector", points=5), crooked(3), 5
    found = lie_derivative(model, data, name, trajectories=None, times=None, batch=4)
    d = -slope_matrix(n)
    full = torch.from_numpy(np.kron(np.eye(3), np.kron(d, np.eye(n)) if axis == 0 else np.kron(np.eye(n), d)))
    values = data.tensor()
    for k in range(found.sizes["transition"]):
        x = values[int(found["trajectory"][k]), int(found["time"][k])][None]
        jacobian = torch.func.jacrev(model)(x).reshape(75, 75)
        answer = model(x).detach().flatten()
        defect = (jacobian @ full @ x.flatten() - full @ answer).detach()
        lie, size = float(defect.norm() / answer.norm()), float((full @ x.flatten()).norm() / x.norm())
        assert float(found["lie"][0, k]) == pytest.approx(lie, rel=1e-10)
        assert float(found["relative"][0, k]) == pytest.approx(lie / size, rel=1e-10)
        by_channel = defect.reshape(3, -1).norm(dim=1) / answer.reshape(3, -1).norm(dim=1)
        np.testing.assert_allclose(found["lie_by_channel"][0, k].values, by_channel.numpy(), rtol=1e-10)


def central(f: Callable[[float], Tensor], h: float = 1e-4) -> Tensor:
    """Fourth order in h."""
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


def moves(name: str, data: osc.Trajectories) -> tuple[Callable[[float, Tensor], Tensor], Callable[[float, Tensor], Tensor]]:
    """Finite elements g_t and g'_t, from the public actions."""
    action, grid = osc.GridAction(data.layout, data.grid), data.grid
    if name == "ty":
        shift = lambda t, x: action(osc.Isometry(((1, 0), (0, 1)), (0, t)), x)  # noqa: E731
        return shift, shift
    if name == "boost_x":
        return (lambda t, x: Boost(data.layout, grid, (t, 0.0)).state(x)), (
            lambda t, y: Boost(data.layout, grid, (t, 0.0)).state(y, data.dt)
        )
    powers = torch.tensor([1.0, 1.0, 1.0, 1.0], dtype=torch.float64)[:, None, None]  # density, momentum, momentum, energy
    scale = lambda t, x: torch.exp(t * powers) * x  # noqa: E731
    return scale, scale


@pytest.mark.parametrize("name", ["ty", "boost_x", "density"])
def test_finite_elements_made_small(random_data: Make, name: str) -> None:
    """d/dt g'_{-t} f(g_t x) by central differences."""
    data, model = random_data("density", "momentum:vector", "energy", points=7), crooked(4)
    before, after = moves(name, data)
    found = lie_derivative(model, data, name, trajectories=None, times=None)
    values = data.tensor()
    with torch.no_grad():
        for k in range(found.sizes["transition"]):
            x = values[int(found["trajectory"][k]), int(found["time"][k])][None]
            defect = central(lambda t, x=x: after(-t, model(before(t, x))))
            expected = float(defect.norm() / model(x).norm())
            assert float(found["lie"][0, k]) == pytest.approx(expected, rel=1e-7)


def test_a_finite_rotation_made_small() -> None:
    """Interpolated rotations by a tenth of a degree; a cell-by-cell model, so that nothing enters the disc from outside."""
    data = waves(points=48, modes=2)
    mix = Pointwise(lambda u: torch.stack([u[:, 0] * u[:, 1], u[:, 0] ** 2], 1) + u)
    action, x = osc.GridAction(data.layout, data.grid, order=9), data.state(0, 0)[None]
    turn = lambda t, state: action(osc.rotation(t), state)  # noqa: E731
    defect = central(lambda t: turn(-t, mix(turn(t, x))), 2e-3)
    g = generator("rotation", data)
    assert g.window is not None
    expected = float((defect * g.window).norm() / (mix(x) * g.window).norm())
    found = lie_derivative(mix, data, "rotation", trajectories=None, times=None)
    first = found["lie"].where((found["trajectory"] == 0) & (found["time"] == 0), drop=True).item()
    assert first == pytest.approx(expected, rel=1e-4) and first > 0.3


def test_closed_forms_of_a_cubic() -> None:
    """f(u) = |u|^2 u turns with u; under a dilation (power 1) it gains two powers too many, so L f = 2 f; free of aliasing."""
    data = waves(points=24, modes=2)
    cubic = Pointwise(lambda u: u.square().sum(1, keepdim=True) * u)
    found = lie_derivative(cubic, data, ["rotation", "tx", "dilation"])
    assert found["lie"].sel(generator=["rotation", "tx"]).max() < 1e-11
    np.testing.assert_allclose(found["lie"].sel(generator="dilation").values, 2, rtol=1e-11)
    component = lie_derivative(Pointwise(lambda u: u**3), data, "rotation")
    assert component["lie"].min() > 0.1  # the control: a cube of each component does not turn


def test_a_step_of_the_solver_under_boosts_and_scaling() -> None:
    """f(u) = u + h du/dt commutes up to h^2, and by how much can be worked out."""
    law, h = NavierStokes(viscosity=0.0), 0.005
    plain = waves(points=24, modes=3, dt=h)
    data = plain.replace(values=solenoidal(plain.tensor()))
    euler_step = Pointwise(lambda u: u + h * law.rate(u))
    found = lie_derivative(euler_step, data, ["boost_x", "boost_y", "scaling"], equation=law, trajectories=None, times=None)
    for k in range(found.sizes["transition"]):
        u = data.state(int(found["trajectory"][k]), int(found["time"][k]))[None]
        rate, y = law.rate(u), u + h * law.rate(u)
        slopes = gradient(rate, (1.0, 1.0))
        expected = [h * h * slopes[:, :, 0], h * h * slopes[:, :, 1], h * (rate - law.rate(y))]
        np.testing.assert_allclose(found["lie"][:, k].values, [float(e.norm() / y.norm()) for e in expected], rtol=1e-9)
    assert "viscosity" in found.attrs["notes"]
    still = lie_derivative(Pointwise(lambda u: u), data, "boost_x")  # persistence does not carry anything along
    assert still["lie"].min() > 10 * float(found["lie"].sel(generator="boost_x").max())


def test_linear_circular_layers_commute_and_a_non_linearity_aliases(random_data: Make) -> None:
    """Sub-pixel shifts: 0 for convolutions; not for a CNN, although all its whole-cell shifts are exact."""
    torch.manual_seed(0)
    conv = lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular").double()  # noqa: E731
    data = random_data(points=9, times=4)
    linear = nn.Sequential(conv(), conv())
    found = lie_derivative(linear, data)
    assert (found["lie"].max("transition") < found["floor"]).all() and found["floor"].max() < 1e-12
    bent = nn.Sequential(conv(), nn.ReLU(), conv())
    assert osc.equivariance(bent, data, "tx*ty")["commutator"].max() < 1e-14 and lie_derivative(bent, data)["relative"].min() > 0.01


def test_the_floor_of_float32_is_that_of_an_equivariant_model(random_data: Make) -> None:
    torch.manual_seed(0)
    model = nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")
    found = lie_derivative(model, random_data(points=16, dtype=torch.float32), ["tx", "ty"])
    assert float(found["floor"].min()) > 1e-8 and (found["lie"].median("transition") < 3 * found["floor"]).all()
    assert float(found["floor"].max()) < 1e-4


def test_units_settings_and_batches(random_data: Make) -> None:
    data, model = random_data(points=6, times=4), crooked(2)
    found, other = lie_derivative(model, data, batch=32), lie_derivative(model, data, batch=2)
    np.testing.assert_allclose(found["lie"].values, other["lie"].values, rtol=1e-12)
    assert found["unit"].values.tolist() == ["length", "length"] and found.attrs["kind"] == "lie_derivative"
    assert all(found[name].attrs["units"] for name in found.data_vars) and "settings" in found.attrs
    mine = Generator("mine", lambda x: x, lambda y: 0 * y, "1")
    assert lie_derivative(nn.Identity(), data, mine)["lie"].values == pytest.approx(1)
    assert derivative(data.tensor(), -1, 2.0).shape == data.shape


@pytest.mark.parametrize("kind", ["unet", "vit", "resnet", "fno"])
@pytest.mark.parametrize("along", ["tx", "rotation"])
def test_terms_of_the_layers_add_up(random_data: Make, kind: str, along: str) -> None:
    """Every emulator, wrapped as trained ones are; the whole is that of `lie_derivative`."""
    small = {"width": 8, "heads": 2, "kernels": (3, 3)} if kind == "unet" else {"width": 8, "depth": 2}
    extra = {"vit": {"heads": 2, "patch": 2}, "fno": {"modes": 2}, "resnet": {"kernel": 3}, "unet": {}}[kind]
    torch.manual_seed(0)
    model = osc.build(kind, channels_in=2, resolution=8, **small, **extra)
    one = torch.ones(2)
    emulator = osc.Emulator(model, 0 * one, one, 0.5 * one, residual=True).double().eval()
    data = random_data(points=8)
    found = lie_layers(emulator, data, along, trajectories=2, times=1)
    whole = lie_derivative(emulator, data, along, trajectories=2, times=1)
    np.testing.assert_allclose(found["lie"].values, whole["lie"][0].values, rtol=1e-11)
    np.testing.assert_allclose(found["share"].sum("layer").values, 1, rtol=1e-10)
    assert (found["rest"] < 1e-11 * found["lie"]).all()
    assert found.sizes["layer"] > 5 and found["layer"].values[-1] == "(output)" and found["contribution"].max() > 0.01


def test_terms_are_those_of_the_chain_rule(random_data: Make) -> None:
    """Two convolutions and a tanh, dense: J3 J2 (J1 D - D J1) x and so on."""
    n = 5
    torch.manual_seed(0)
    first, bend, last = nn.Conv2d(2, 3, 3, padding=1).double(), nn.Tanh(), nn.Conv2d(3, 2, 3, padding=1).double()
    data = random_data(points=n)
    found = lie_layers(nn.Sequential(first, bend, last), data, "tx", trajectories=1, times=1)
    x = data.state(int(found["trajectory"][0]), int(found["time"][0]))[None]
    d = torch.from_numpy(-np.kron(slope_matrix(n), np.eye(n)))
    big = lambda c: torch.block_diag(*[d] * c)  # noqa: E731
    h1 = first(x).detach()
    h2 = bend(h1)
    answer = last(h2).detach()
    j1, j2, j3 = (torch.func.jacrev(f)(h).reshape(f(h).numel(), h.numel()).detach() for f, h in ((first, x), (bend, h1), (last, h2)))
    terms = [
        j3 @ j2 @ (j1 @ big(2) @ x.flatten() - big(3) @ h1.flatten()),
        j3 @ (j2 @ big(3) @ h1.flatten() - big(3) @ h2.flatten()),
        j3 @ big(3) @ h2.flatten() - big(2) @ answer.flatten(),
    ]
    whole = torch.stack(terms).sum(0)
    assert found["layer"].values.tolist() == ["0", "1", "2", "(output)"]
    for k, term in enumerate(terms):
        assert float(found["contribution"][k, 0]) == pytest.approx(float(term.norm() / answer.norm()), rel=1e-10)
        assert float(found["share"][k, 0]) == pytest.approx(float(term @ whole / (whole @ whole)), rel=1e-9)
    assert float(found["contribution"][3, 0]) < 1e-14


def test_a_linear_chain_blames_the_layer_that_breaks_the_shift(random_data: Make) -> None:
    """Circular, zero-padded, circular: all of it is the middle one's; chosen modules give the same sum."""
    torch.manual_seed(0)
    circular = lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular").double()  # noqa: E731
    model = nn.Sequential(circular(), nn.Sequential(nn.Conv2d(2, 2, 3, padding=1).double()), circular())
    found = lie_layers(model, random_data(points=6), "ty")
    np.testing.assert_allclose(found["share"].median("transition").values, [0, 1, 0, 0], atol=1e-12)
    some = lie_layers(model, random_data(points=6), "ty", modules=["1"])
    assert some["layer"].values.tolist() == ["1", "(output)"]
    np.testing.assert_allclose(some["share"].median("transition").values, [1, 0], atol=1e-12)


class Broken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.square().sum((1, 2, 3), keepdim=True).sub(x.square().sum((1, 2, 3), keepdim=True)).sqrt()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda d: lie_derivative(crooked(2), d, "wind"), "wind"),
        (lambda d: lie_derivative(crooked(2), d, []), "generators"),
        (lambda d: lie_derivative(crooked(2), d, "scaling"), "equation"),
        (lambda d: lie_derivative(crooked(2), d, "density"), "changes"),
        (lambda d: lie_derivative(crooked(2), d, batch=0), "batch"),
        (lambda d: lie_derivative(Broken(), d), "NaN"),
        (lambda d: lie_derivative(crooked(2), d.replace(grid=osc.Grid.square(4, boundary="wall"))), "periodic"),
        (lambda d: lie_layers(crooked(2), d, "boost_x"), "boost_x"),
        (lambda d: lie_layers(crooked(2), d, modules=["head"]), "head"),
        (lambda d: lie_layers(nn.Sequential(crooked(2), nn.Flatten(), nn.Unflatten(1, (2, 4, 4))), d, modules=["1"]), "neither"),
        (lambda d: generator("rotation", d, inner=1.5), "inner"),
        (lambda d: generator("tz", d), "tz"),
    ],
)
def test_mistakes_are_named(random_data: Make, call, words: str) -> None:
    with pytest.raises(osc.OrbitscopeError, match=words):
        call(random_data())


def test_the_model_is_left_as_it_was(random_data: Make) -> None:
    model = crooked(2)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    lie_layers(model, random_data(), "tx")
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not any(m._forward_hooks for m in model.modules()) and all(p.grad is None for p in model.parameters())
    assert math.isfinite(float(lie_derivative(model, random_data())["lie"].max()))


def advection(u: Tensor) -> Tensor:
    """(u . grad) u, spectral derivatives."""
    slopes = gradient(u, (1.0, 1.0))  # [N, component, derivative, X, Y]
    return (u[:, None] * slopes).sum(2)


def test_advection_turns_and_stretches_with_the_flow() -> None:
    """An operator with a derivative: here the carrying and the mixing (or growing) part have to fit each other, sign and all."""
    data = waves(points=64, modes=2)
    found = lie_derivative(Pointwise(advection), data, ["rotation", "dilation", "tx"])
    worst = found["lie"].max("transition")
    assert worst.sel(generator="tx") < 1e-10 and worst.sel(generator=["rotation", "dilation"]).max() < 5e-3
    finer = lie_derivative(Pointwise(advection), waves(points=96, modes=2), ["rotation", "dilation"])["lie"].max("transition")
    assert (finer < 0.2 * worst.sel(generator=["rotation", "dilation"])).all()  # what is left is the resolution of the taper
    wrong = data.replace(layout=osc.Layout.of("a", "b"))
    assert lie_derivative(Pointwise(advection), wrong, "rotation")["lie"].min() > 0.3  # the control: components that do not turn
