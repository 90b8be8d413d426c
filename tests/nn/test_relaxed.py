"""Relaxed layers start exactly equivariant, every weight learns, the penalty is linear, and the way back is the strict net."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.nn import (
    EquivariantConv,
    Features,
    RelaxedGroupConv,
    RelaxedResidualConv,
    RelaxedSteerableConv,
    RelaxedTranslationConv,
    relax,
    relaxation,
    relaxation_penalty,
    strict,
)  # fmt: skip

from ..cases import EXACT

LAYOUT = osc.Layout.of("density", "vorticity:pseudoscalar", "velocity:vector")
KINDS = ["group", "steerable", "translation", "residual"]


class Net(nn.Module):
    """Lift, group convolution, project; the activation acts on regular fields, where any function of single values commutes."""

    def __init__(self, group: str = "d4", layout: osc.Layout = LAYOUT, width: int = 2, boundary: Any = "circular") -> None:
        super().__init__()
        state, hidden = Features.from_layout(layout, group), Features.of(group, f"regular*{width}", ndim=layout.ndim)
        self.lift = EquivariantConv(state, hidden, 3, boundary=boundary)
        self.mix = EquivariantConv(hidden, hidden, 3, boundary=boundary)
        self.project = EquivariantConv(hidden, state, 3, boundary=boundary)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.lift(x))
        return self.project(torch.tanh(h + self.mix(h)))


def relaxed(kind: str, size: int, dtype: torch.dtype = torch.float64, group: str = "d4", keep: bool = True) -> tuple[Net, Net, Tensor]:
    torch.manual_seed(0)
    plain = Net(group)
    with torch.no_grad():
        for name, p in plain.named_parameters():
            if "bias" in name:
                p.normal_()
    x = torch.randn(2, LAYOUT.channels, size, size, dtype=dtype)
    plain = plain.to(dtype)
    return plain, relax(plain, kind, example=x, keep=keep), x  # pyright: ignore[reportArgumentType]


def disturb(model: nn.Module, size: float = 0.3) -> None:
    """What a training might do."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith(("shares", "free", "free_bias")):
                p.add_(size * torch.randn(p.shape, generator=generator, dtype=p.dtype))


def gap(model: nn.Module, x: Tensor, group: str = "d4", layout: osc.Layout = LAYOUT) -> float:
    """Largest equivariance error, relative; judge: GridAction."""
    action = osc.GridAction(layout, osc.Grid.square(x.shape[-1], ndim=layout.ndim))
    with torch.no_grad():
        elements = osc.parse_group(group, ndim=layout.ndim).elements
        y, *moved = model(torch.cat([x, *(action(g, x) for g in elements)])).split(len(x))  # one batch: kernels are made in every call
        return max(float((z - action(g, y)).norm() / y.norm()) for g, z in zip(elements, moved, strict=True))


@pytest.mark.parametrize(("dtype", "tolerance"), EXACT)
@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("group", ["c4", "d4", "d2"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_starts_exactly_equivariant_and_can_leave(kind: str, group: str, size: int, dtype: torch.dtype, tolerance: float) -> None:
    _, model, x = relaxed(kind, size, dtype, group)
    assert gap(model, x, group) < tolerance
    shifted = model(x.roll((1, 3), (-2, -1)))
    torch.testing.assert_close(shifted, model(x).roll((1, 3), (-2, -1)), rtol=0, atol=20 * tolerance)
    assert relaxation_penalty(model).item() == 0.0
    disturb(model)
    assert gap(model, x, group) > 1e-2
    moved = (model(x.roll(1, -1)) - model(x).roll(1, -1)).abs().max()
    assert (moved > 1e-2) == (kind == "translation")


@pytest.mark.parametrize("kind", KINDS)
def test_three_dimensions_and_walls(kind: str) -> None:
    torch.manual_seed(0)
    layout = osc.Layout.of("density", "velocity:vector", ndim=3)
    x = torch.randn(1, 4, 4, 4, 4, dtype=torch.float64)
    model = relax(Net("o", layout, 1).double(), kind, example=x)  # pyright: ignore[reportArgumentType]
    assert gap(model, x, "o", layout) < 1e-12
    walls = Net("d2", boundary=("circular", "symmetric")).double()
    x = torch.randn(1, 4, 6, 5, dtype=torch.float64)
    model = relax(walls, kind, example=x)  # pyright: ignore[reportArgumentType]
    action = osc.GridAction(LAYOUT, osc.Grid((6, 5), (1.0, 1.0), ("periodic", "wall")))
    for g in osc.parse_group("d2"):
        torch.testing.assert_close(model(action(g, x)), action(g, model(x)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["group", "steerable", "residual"])
def test_the_physical_radial_field_stays_radial(kind: str) -> None:
    """Judge that no convention of ours can fool: positions minus the centre, as a velocity, stay invariant under D4 by hand."""
    size = 7
    torch.manual_seed(0)
    model = relax(Net("d4", osc.Layout.of("velocity:vector"), boundary="zero").double(), kind)  # pyright: ignore[reportArgumentType]
    axis = torch.arange(size, dtype=torch.float64) - 3
    x, y = torch.meshgrid(axis, axis, indexing="ij")
    u, v = model(torch.stack([x, y])[None])[0]
    # Exchange x and y: (u, v)(x, y) = (v, u)(y, x); flip x: u(-x, y) = -u(x, y), v(-x, y) = v(x, y).
    torch.testing.assert_close(u, v.T, rtol=0, atol=1e-12)
    torch.testing.assert_close(u.flip(0), -u, rtol=0, atol=1e-12)
    torch.testing.assert_close(v.flip(0), v, rtol=0, atol=1e-12)
    assert u.abs().max() > 0.1


@pytest.mark.parametrize("banks", [1, 3])
@pytest.mark.parametrize("lifting", [False, True])
def test_the_group_layer_is_the_formula_of_the_paper(banks: int, lifting: bool) -> None:
    r"""$\sum_h \sum_l w_l(h) \psi_l(g^{-1}h) f(h)$ in a plain loop over banks and elements, for the equivariant kernels of the layer."""
    group = osc.dihedral(4)
    hidden = Features.of("d4", "regular*2")
    into = Features.of("d4", "vector", "scalar") if lifting else hidden
    layer = RelaxedGroupConv(into, hidden, 3, banks=banks).double()
    with torch.no_grad():
        layer.shares.normal_()
    kernels = [EquivariantConv.kernel_tensor(layer), *[bank.kernel_tensor() for bank in layer.more]]  # pyright: ignore[reportCallIssue]
    expected = torch.zeros_like(kernels[0])
    for bank, kernel in enumerate(kernels):
        for i in range(len(group)):
            for start in hidden.starts:
                here = start + i
                if lifting:
                    expected[here] += layer.shares[bank, i] * kernel[here]
                else:
                    expected[:, here] += layer.shares[bank, i] * kernel[:, here]
    torch.testing.assert_close(layer.kernel_tensor(), expected, rtol=0, atol=1e-14)


def test_the_translation_layer_is_a_sum_place_by_place() -> None:
    into = Features.of("c4", "scalar*2")
    layer = RelaxedTranslationConv(into, Features.of("c4", "scalar"), 3, shape=(4, 5), banks=2).double()
    with torch.no_grad():
        layer.shares.normal_()
    x = torch.randn(1, 2, 4, 5, dtype=torch.float64)
    wide, kernels = layer.pad(x), layer.bank_tensor()
    for i in range(4):
        for j in range(5):
            kernel = sum(layer.shares[bank, i, j] * kernels[bank] for bank in range(2))
            torch.testing.assert_close(layer(x)[0, 0, i, j], (kernel * wide[0, :, i : i + 3, j : j + 3]).sum(), rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_the_penalty_is_linear_and_the_way_back_is_strict(kind: str) -> None:
    plain, model, x = relaxed(kind, 6)
    disturb(model)
    one = relaxation_penalty(model)
    assert one > 0.05
    for alpha in (0.0, 0.5, 1e3, 1e6):
        torch.testing.assert_close(relaxation_penalty(model, alpha), alpha * one)
    back = strict(model)
    assert gap(back, x) < 1e-12 and gap(model, x) > 1e-2 and relaxation_penalty(back).item() < 1e-14
    if kind == "residual":
        torch.testing.assert_close(back(x), plain(x), rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_an_ever_larger_alpha_leads_to_the_strict_net(kind: str) -> None:
    """Minimising loss + alpha R over the relaxing weights of one layer: R falls to 0 as alpha grows."""
    torch.manual_seed(0)
    hidden = Features.of("d4", "regular")
    layer = relax(EquivariantConv(hidden, hidden, 3).double(), kind, banks=1, example=torch.zeros(1, 8, 4, 4, dtype=torch.float64))  # pyright: ignore[reportArgumentType]
    free = [p.requires_grad_() for name, p in layer.named_parameters() if name.endswith(("shares", "free"))]
    x, y = torch.randn(2, 4, 8, 4, 4, dtype=torch.float64)
    left = []
    for alpha in (0.0, 0.3, 100.0):
        model = copy.deepcopy(layer)
        free = [p for name, p in model.named_parameters() if name.endswith(("shares", "free"))]
        for step in range(200):
            rate = 0.05 * (1 - step / 200)
            loss = (model(x) - y).square().mean() + relaxation_penalty(model, alpha)
            gradients = torch.autograd.grad(loss, free)
            with torch.no_grad():
                for p, g in zip(free, gradients, strict=True):
                    p.sub_(rate * g / g.norm().clamp(min=1.0))
        left.append(relaxation_penalty(model).item())
    assert left[0] > left[2] and left[2] < 0.05 * left[0], left


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_weight(kind: str, keep: bool) -> None:
    """At the start, where everything is still symmetric; the published scale layer had weights without any.

    Where the function is kept, the fresh kernels weigh 0: they follow one step after their weights.
    """
    _, model, x = relaxed(kind, 6, keep=keep)
    target, optimiser = torch.randn_like(x), torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(2):
        optimiser.zero_grad()
        (model(x) - target).square().sum().backward()
        for name, p in model.named_parameters():
            assert p.grad is not None
            waits = step == 0 and keep and ".more." in name
            assert waits or p.grad.abs().max() > 1e-8, (step, name)
            if name.endswith("shares") and step == 0:
                assert (p.grad != 0).all(), name
        optimiser.step()
    for _ in range(5):
        optimiser.zero_grad()
        (model(x) - target).square().sum().backward()
        optimiser.step()
    assert gap(model, x) > 1e-2  # it does leave
    for layer in model.modules():
        if isinstance(layer, RelaxedGroupConv | RelaxedSteerableConv | RelaxedTranslationConv):
            assert (layer.shares.abs().flatten(1).amax(1) > 1e-2).all() and layer.shares.flatten(1).std(1).min() > 1e-3, layer


def trained(model: nn.Module, x: Tensor) -> nn.Module:
    """A model some steps away from its initialisation, biases included."""
    optimiser, target = torch.optim.Adam(model.parameters(), lr=3e-2), torch.randn_like(x)
    for _ in range(5):
        optimiser.zero_grad()
        (model(x) - target).square().mean().backward()
        optimiser.step()
    return model


@pytest.mark.parametrize("banks", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_trained_model_keeps_its_function(kind: str, banks: int) -> None:
    """Values, and where they lead: the gradient by the model's own weights is the strict model's."""
    torch.manual_seed(0)
    x = torch.randn(2, LAYOUT.channels, 6, 6, dtype=torch.float64)
    plain = trained(Net().double(), x)
    model = relax(plain, kind, banks=banks, example=x)  # pyright: ignore[reportArgumentType]
    assert (model(x) - plain(x)).norm() < 1e-10 * plain(x).norm()
    assert gap(model, x) < 1e-12 and relaxation_penalty(model).item() == 0 and float(np.nanmax(relaxation(model)["broken"])) < 1e-15
    for net in (plain, model):
        net.zero_grad()
        net(x).square().sum().backward()
    own = dict(model.named_parameters())
    for name, p in plain.named_parameters():
        torch.testing.assert_close(own[name].grad, p.grad, rtol=0, atol=1e-10 * float(p.grad.abs().max()))  # pyright: ignore[reportOptionalMemberAccess]
    # The negative control: the start of a model that is trained from scratch is another function, as ever.
    if kind != "residual" and banks > 1:
        other = relax(plain, kind, banks=banks, example=x, keep=False)  # pyright: ignore[reportArgumentType]
        assert (other(x) - plain(x)).norm() > 0.1 * plain(x).norm() and gap(other, x) < 1e-12


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["equivariant_resnet", "equivariant_unet"])
def test_a_trained_emulator_keeps_its_function(name: str, kind: str) -> None:
    """Norms, gates, strides and attention between the layers; C8, where kernels are sampled from harmonics."""
    torch.manual_seed(0)
    size: dict[str, Any] = {"depth": 1, "width": 2} if name == "equivariant_resnet" else {"width": 2, "kernels": (3, 3), "heads": 1}
    x = torch.randn(2, 2, 8, 8, dtype=torch.float64)
    layout = osc.Layout.of("velocity:vector")
    built = osc.build(
        name, channels_in=2, layout=layout, grid=osc.Grid.square(8), group="c8" if name == "equivariant_resnet" else "d4", **size
    )
    plain = trained(built.double(), x).eval()
    model = relax(plain, kind, example=x)  # pyright: ignore[reportArgumentType]
    assert (model(x) - plain(x)).norm() < 1e-10 * plain(x).norm()
    assert gap(model, x, "c4", layout) < 1e-10


def test_a_layer_used_twice_stays_one_layer_and_relaxing_twice_is_refused() -> None:
    hidden = Features.of("d4", "regular")
    layer = EquivariantConv(hidden, hidden, 3)
    model = relax(nn.Sequential(layer, nn.Tanh(), layer))
    assert isinstance(model[0], RelaxedGroupConv) and model[0] is model[2]
    with pytest.raises(osc.OrbitscopeError, match="no EquivariantConv left"):
        relax(model)


@pytest.mark.parametrize("kind", KINDS)
def test_it_pickles_copies_and_runs_under_torch_func(kind: str) -> None:
    _, model, x = relaxed(kind, 6)
    disturb(model)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert torch.equal(other(x), model(x)) and list(other.state_dict()) == list(model.state_dict())
    assert list(model.train().state_dict()) == list(model.eval().state_dict())
    torch.testing.assert_close(torch.func.vmap(lambda s: model(s[None])[0])(x), model(x), rtol=0, atol=1e-12)
    parameters: dict[str, Tensor] = dict(model.named_parameters())
    direction = {name: torch.randn_like(p) for name, p in parameters.items()}
    target = torch.randn_like(x)

    def loss(p: dict[str, Tensor], s: Tensor, t: Tensor) -> Tensor:
        return (torch.func.functional_call(model, p, (s[None],)) - t).square().sum()

    each = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(parameters, x, target)
    slopes = torch.func.jvp(lambda p: torch.func.vmap(loss, (None, 0, 0))(p, x, target), (parameters,), (direction,))[1]
    torch.testing.assert_close(sum((each[n] * direction[n]).flatten(1).sum(1) for n in each), slopes)
    if kind != "translation":
        folded = model.mix.export()
        h = torch.randn(1, 16, 6, 6, dtype=torch.float64)
        torch.testing.assert_close(folded(h), model.mix(h), rtol=0, atol=1e-12)


def test_the_residual_pathway_starts_as_the_model_and_loads_its_weights() -> None:
    plain, model, x = relaxed("residual", 6)
    assert torch.equal(model(x), plain(x))
    assert set(plain.state_dict()) < set(model.state_dict())


def test_the_read_out_names_element_and_layer() -> None:
    """Zero everywhere at the start; then one weight of one layer is changed, and only what that breaks shows."""
    _, model, _ = relaxed("group", 6)
    table = relaxation(model)
    assert list(table["layer"].values) == ["lift", "mix", "project"] and list(table["element"].values) == [g.name for g in osc.dihedral(4)]
    assert float(np.nanmax(table["broken"])) < 1e-15 and float(abs(table["share"]).max()) < 1e-15
    with torch.no_grad():
        model.mix.shares[:, 4] *= 1.5  # pyright: ignore[reportIndexIssue, reportArgumentType]
    table = relaxation(model)
    assert float(np.nanmax(table["broken"].sel(layer=["lift", "project"]))) < 1e-15
    assert float(table["broken"].sel(layer="mix").min()) > 0.05
    assert int(np.argmax(table["share"].sel(layer="mix").values)) == 4 and float(table["penalty"].sel(layer="mix")) > 0
    # Weights that differ between rotations and reflections only leave the rotations whole.
    with torch.no_grad():
        model.mix.shares[:, :4], model.mix.shares[:, 4:] = 1.0, 2.0  # pyright: ignore[reportIndexIssue, reportArgumentType]
    broken = relaxation(model)["broken"].sel(layer="mix")
    assert float(broken.sel(element=["r", "r2", "r3"]).max()) < 1e-15 and float(broken.sel(element=["s", "sr", "sr2", "sr3"]).min()) > 0.1


def test_the_read_out_is_the_equivariance_error_of_the_layer() -> None:
    """A kernel whose read-out is 0 for some elements commutes with exactly those."""
    into = Features.of("d4", "vector")
    layer = RelaxedSteerableConv(into, into, 3).double()
    with torch.no_grad():
        layer.shares[:] = torch.tensor([[1.0, 2.0, 1.0], [3.0, 1.0, 3.0], [1.0, 2.0, 1.0]])  # flips and half turn only
    broken = layer.broken()
    action = osc.GridAction(osc.Layout.of("velocity:vector"), osc.Grid.square(6))
    x = torch.randn(1, 2, 6, 6, dtype=torch.float64)
    for g in osc.dihedral(4).elements[1:]:
        error = ((layer(action(g, x)) - action(g, layer(x))).norm() / layer(x).norm()).item()
        assert (broken[g.name] < 1e-14) == (error < 1e-13) == (g.name in ("r2", "s", "sr2")), (g, broken, error)


def test_translations_in_the_read_out() -> None:
    _, model, _ = relaxed("translation", 6)
    with torch.no_grad():
        model.lift.shares[:, :, 2] = 3.0  # pyright: ignore[reportIndexIssue, reportArgumentType]
    row = relaxation(model)["broken"].sel(layer="lift")
    assert float(row.sel(element="tx")) == 0 and float(row.sel(element="ty")) > 0.1 and float(row.sel(element="r")) > 0.1


def test_eighth_turns_can_be_weighed() -> None:
    """C8: exact for quarter turns at the start; the read-out leaves the sampled kernels out and keeps the weights."""
    torch.manual_seed(0)
    model = relax(Net("c8").double())
    x = torch.randn(1, 4, 7, 7, dtype=torch.float64)
    assert gap(model, x, "c4") < 1e-12
    table = relaxation(model)
    assert np.isnan(table["broken"].sel(layer="mix", element="r")) and table["share"].sel(layer="mix").notnull().all()


def test_mistakes_are_named() -> None:
    vector = Features.of("d4", "vector")
    for make, words in (
        (lambda: RelaxedGroupConv(vector, vector, 3), "RelaxedSteerableConv"),
        (lambda: RelaxedSteerableConv(vector, vector, 1), "RelaxedResidualConv"),
        (lambda: RelaxedTranslationConv(vector, vector, 3, shape=(4,)), "shape"),
        (lambda: RelaxedTranslationConv(vector, vector, 3, shape=(4, 4))(torch.zeros(1, 2, 5, 5)), "made for outputs"),
        (lambda: RelaxedTranslationConv(vector, vector, 3, shape=(4, 4)).export(), "nn.strict"),
        (lambda: relaxation_penalty(nn.Identity()), "no relaxed layer"),
        (lambda: relaxation_penalty(RelaxedResidualConv(vector, vector, 3), -1.0), "alpha"),
        (lambda: relax(nn.Conv2d(2, 2, 3)), "no EquivariantConv"),
        (lambda: relax(Net(), "translation"), "example"),
        (lambda: relax(Net(), "nonsense"), "kind"),  # pyright: ignore[reportArgumentType]
        (lambda: RelaxedGroupConv(vector, Features.of("d4", "regular"), 3, banks=0), "banks"),
    ):
        with pytest.raises(osc.OrbitscopeError, match=words):
            make()
