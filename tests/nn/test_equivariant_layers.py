"""Every layer commutes with its group: field types x boundaries x sizes, in float32 and float64, judged by physical fields too."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import orbitscope as osc
from orbitscope import nn as onn
from orbitscope.symmetry import Field, representation

GROUPS = ("c1", "c4", "d1", "d2", "d4", "c6", "d8", "so2", "o2")
PHYSICAL = ("scalar", "pseudoscalar", "vector", "pseudovector", "tensor")
BOUNDARIES = ("circular", "zero", "replicate", "symmetric", "reflect")


def layout(*words: str, ndim: int = 2) -> osc.Layout:
    return osc.Layout(tuple(Field(f"f{i}", representation(w)) for i, w in enumerate(words)), ndim)


def hidden(group: osc.Group) -> onn.Features:
    """Every kind of hidden field that the group has, not sorted by type."""
    turns = int(sum(np.linalg.det(g.matrix) > 0 for g in group))
    reflects = bool(turns < len(group))
    words = ["scalar"]
    if group.sampled:
        words += ["irrep:1", "irrep:0", "irrep:2", "vector", "irrep:3", "irrep:2"]
    else:
        words += ["regular", "vector", "regular", "irrep:0"]
        words += [f"irrep:{k}" for k in range(1, turns // 2 + 1) if turns % 2 == 0]
        words += [f"irrep:{turns // 2}-"] * (reflects and turns % 2 == 0) + ["irrep:0-"] * reflects
    return onn.Features(group, words)


def exact(group: osc.Group) -> list[osc.Isometry]:
    """The elements that the grid represents without interpolation; of a continuous group too."""
    lattice = osc.parse_group("d4")
    turns_only = all(np.linalg.det(g.matrix) > 0 for g in group)
    return [g for g in lattice if g in group or (group.sampled and (not turns_only or np.linalg.det(g.matrix) > 0))]


def move(features: onn.Features, g: osc.Isometry, x: Tensor) -> Tensor:
    """Hidden fields moved in a plain way: cells by index, channels by the matrix."""
    ndim, n = features.ndim, x.shape[-1]
    cells = np.indices((n,) * ndim).reshape(ndim, -1)
    to = (np.rint(g.matrix).astype(int) @ (2 * cells - (n - 1)) + n - 1) // 2
    out = torch.zeros_like(x)
    mixed = torch.einsum("ij,bj...->bi...", torch.as_tensor(features.matrix(g), dtype=x.dtype), x)
    out[(slice(None), slice(None), *to)] = mixed[(slice(None), slice(None), *cells)]
    return out


def defect(layer: nn.Module, into: onn.Features, out: onn.Features, x: Tensor, elements: list[osc.Isometry]) -> float:
    """The worst of the elements. All moved inputs are one batch: a layer makes its kernel anew in every call, most of the work here."""
    with torch.no_grad():
        plain, *moved = layer(torch.cat([x, *(move(into, g, x) for g in elements)])).split(len(x))
        return max(float((y - move(out, g, plain)).norm() / plain.norm()) for g, y in zip(elements, moved, strict=True))


def noisy(layer: nn.Module) -> nn.Module:
    """Biases and gains away from their initial values."""
    with torch.no_grad():
        for name, p in layer.named_parameters():
            if p.ndim < 3 and "kernel" not in name:
                p.add_(0.3 * torch.randn_like(p))
    return layer


# The boundaries of a group follow each other: the library remembers the bases of its last kernels, and making them is most of the work.
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("name", GROUPS)
def test_convolutions_commute(name: str, boundary: str) -> None:
    """Lifting, group and projecting, odd and even sizes, both precisions."""
    torch.manual_seed(0)
    group = osc.parse_group(name)
    state, inner = onn.Features(group, PHYSICAL), hidden(group)
    for into, out, kernel in ((state, inner, 3), (inner, inner, 3), (inner, state, 5), (inner, inner, 1)):
        try:
            layer = noisy(onn.EquivariantConv(into, out, kernel, boundary=boundary))
        except osc.OrbitscopeError as error:
            assert boundary == "reflect" and name not in ("d2", "d4", "d8", "o2") and "Take a group with that flip" in str(error)
            continue
        for n in (7, 8):
            x = torch.randn(2, into.channels, n, n, dtype=torch.float64)
            assert defect(layer.double(), into, out, x, exact(group)) < 1e-12
            if n == 7 or kernel == 5:
                assert defect(layer.float(), into, out, x.float(), exact(group)) < 1e-5


@pytest.mark.parametrize("name", ("d4", "c4", "d8", "o2"))
def test_a_strided_even_kernel_and_every_other_layer_commute(name: str) -> None:
    group = osc.parse_group(name)
    f = hidden(group)
    torch.manual_seed(0)
    layers: list[tuple[nn.Module, onn.Features, onn.Features]] = [
        (onn.EquivariantConv(f, f, 4, stride=2), f, f),
        (onn.EquivariantConv(f, f, 2, stride=2), f, f),
        (onn.Activation(f), f, f),
        (onn.NormActivation(f), f, f),
        (onn.Gate(f), onn.Gate(f).into, f),
        (onn.FieldNorm(f), f, f),
        (onn.FieldNorm(f, "field"), f, f),
        (onn.Pool(f), f, f),
        (onn.Upsample(f), f, f),
        *((onn.Upsample(f, "linear", b), f, f) for b in BOUNDARIES if b != "reflect" or name not in ("c4",)),
        (onn.GroupPool(f), f, onn.GroupPool(f).out),
        (onn.GroupPool(f, "max"), f, onn.GroupPool(f).out),
    ]
    if not group.sampled:
        regular = onn.Features.of(group, "scalar", "regular*2")
        layers += [(onn.Pointwise(regular), regular, regular), (onn.FieldNorm(regular), regular, regular)]
    for layer, into, out in layers:
        x = torch.randn(2, into.channels, 8, 8, dtype=torch.float64)
        assert defect(noisy(layer).double(), into, out, x, exact(group)) < 1e-12, layer
        assert defect(layer.float(), into, out, x.float(), exact(group)) < 1e-5, layer


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(GROUPS), words=st.lists(st.sampled_from(PHYSICAL), min_size=1, max_size=4), out=st.sampled_from(PHYSICAL),
    n=st.integers(5, 9), kernel=st.sampled_from((1, 3, 5)), boundary=st.sampled_from(BOUNDARIES), seed=st.integers(0, 99),
)  # fmt: skip
def test_layers_commute_with_the_action_on_states(name, words, out, n, kernel, boundary, seed) -> None:
    """Against GridAction, with a layer in between that has the group's hidden fields."""
    torch.manual_seed(seed)
    group = osc.parse_group(name)
    source, target = layout(*words), layout(out)
    inner = onn.Features.of(group, "irrep:1", "scalar") if group.sampled else onn.Features.of(group, "regular", "scalar")
    a, b = (onn.Features.from_layout(s, group) for s in (source, target))
    if boundary == "reflect" and name not in ("d2", "d4", "d8", "o2"):
        boundary = "symmetric"
    net = nn.Sequential(
        onn.EquivariantConv(a, inner, kernel, boundary=boundary),
        onn.Activation(inner),
        onn.EquivariantConv(inner, b, kernel, boundary=boundary),
    ).double()
    grid = osc.Grid.square(n, boundary="wall")
    act_in, act_out = osc.GridAction(source, grid), osc.GridAction(target, grid)
    x = torch.randn(1, source.channels, n, n, dtype=torch.float64)
    with torch.no_grad():
        size = net(x).norm() + x.norm()  # where no kernel of one cell maps a scalar to a vector the answer is rounding alone
        for g in exact(group):
            assert float((net(act_in(g, x)) - act_out(g, net(x))).norm() / size) < 1e-12


def radial(n: int) -> Tensor:
    """w = p - centre, written out: the physical judge of a vector convention."""
    w = torch.zeros(1, 2, n, n, dtype=torch.float64)
    for i in range(n):
        for j in range(n):
            w[0, 0, i, j], w[0, 1, i, j] = i - (n - 1) / 2, j - (n - 1) / 2
    return w


@pytest.mark.parametrize("name", ("c4", "d4", "c8", "o2"))
@pytest.mark.parametrize("n", (8, 9))
def test_a_radial_field_stays_radial(name: str, n: int) -> None:
    """A quarter turn by torch.rot90 and (u, v) -> (-v, u) leaves p - centre alone; the image under a layer too, and a flip under D_n."""
    torch.manual_seed(0)
    group = osc.parse_group(name)
    f = onn.Features.of(group, "vector")
    inner = onn.Features.of(group, "irrep:1*3", "irrep:0*3") if group.sampled else onn.Features.of(group, "regular*3")
    net = nn.Sequential(
        onn.EquivariantConv(f, inner, 3, boundary="zero"), onn.Activation(inner), onn.EquivariantConv(inner, f, 3, boundary="zero")
    ).double()
    w = radial(n)

    def quarter(u: Tensor) -> Tensor:
        u = torch.rot90(u, 1, (-2, -1))  # turns axis -2 towards axis -1
        return torch.stack([-u[:, 1], u[:, 0]], 1)

    torch.testing.assert_close(quarter(w), w)
    y = net(w).detach()
    assert float(y.norm()) > 1e-3
    torch.testing.assert_close(quarter(y), y, rtol=0, atol=1e-12)
    if name in ("d4", "o2"):
        mirrored = y.flip(-2) * torch.tensor([-1.0, 1.0]).reshape(2, 1, 1)
        torch.testing.assert_close(mirrored, y, rtol=0, atol=1e-12)


def advection(w: Tensor) -> Tensor:
    """(w . grad) w by centred differences on a periodic grid: u d/dx + v d/dy, x the first spatial axis."""
    dx, dy = ((w.roll(-1, a) - w.roll(1, a)) / 2 for a in (-2, -1))
    return w[:, :1] * dx + w[:, 1:] * dy


@pytest.mark.parametrize("name", ("c4", "d4", "d8"))
def test_layers_commute_with_advection_moved_alike(name: str) -> None:
    """(w . grad) w commutes with the same elements: f after advection does, and a swapped convention would not."""
    torch.manual_seed(0)
    group = osc.parse_group(name)
    f = onn.Features.of(group, "vector")
    layer = onn.EquivariantConv(f, f, 3).double()
    w = torch.randn(1, 2, 8, 8, dtype=torch.float64)
    swapped = w.flip(1)
    for g in exact(group):
        torch.testing.assert_close(advection(move(f, g, w)), move(f, g, advection(w)))
        torch.testing.assert_close(layer(advection(move(f, g, w))), move(f, g, layer(advection(w))))
    r = group["r"] if name != "d8" else group["r2"]
    wrong = advection(move(f, r, swapped).flip(1)) - move(f, r, advection(swapped.flip(1)).flip(1)).flip(1)
    assert float(wrong.norm()) > 0.1


@pytest.mark.parametrize("name", ("d4", "d8", "o2", "c4"))
def test_the_admissible_kernels_are_the_differential_operators(name: str) -> None:
    """Gradient, divergence and curl lie in the kernels of their types, and in D_n curl is no scalar and divergence no pseudoscalar."""
    difference = torch.zeros(2, 3, 3, dtype=torch.float64)
    difference[0, 0, 1], difference[0, 2, 1] = -0.5, 0.5  # d/dx: along the first axis
    difference[1, 1, 0], difference[1, 1, 2] = -0.5, 0.5
    curl = torch.stack([-difference[1], difference[0]])
    group = osc.parse_group(name)

    def distance(into: str, out: str, kernel: Tensor) -> float:
        layer = onn.EquivariantConv(onn.Features.of(group, into), onn.Features.of(group, out), 3, bias=False).double()
        weights = [p for p in layer.parameters() if p.numel()]
        rows = []
        for p in weights:
            for i in range(p.numel()):
                for q in weights:
                    q.data.zero_()
                p.data.view(-1)[i] = 1
                rows.append(layer.kernel_tensor().detach().flatten())
        if not rows:
            return 1.0
        a = torch.stack(rows).T
        best = a @ torch.linalg.lstsq(a, kernel.flatten()[:, None]).solution
        return float((best[:, 0] - kernel.flatten()).norm() / kernel.norm())

    # Circular harmonics hold a smoothed difference, three cells wide: the parity is what is judged there.
    near = 1e-12 if name in ("c4", "d4") else 0.7
    assert distance("scalar", "vector", difference[:, None]) < near
    assert distance("vector", "scalar", difference[None]) < near
    assert distance("vector", "pseudoscalar", curl[None]) < near
    if name != "c4":
        assert distance("vector", "scalar", curl[None]) > 0.99
        assert distance("vector", "pseudoscalar", difference[None]) > 0.99
