"""Hidden fields of the cube's irreps: as many kernels as the characters say, the very space of the dense constraint, exact layers."""

import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope import nn as onn
from orbitscope.nn._orbit_kernel import orbit_basis
from orbitscope.nn._shared_kernel import moved_cells
from orbitscope.symmetry import OCTAHEDRAL_IRREPS

FULL, ROTATIONS = osc.octahedral(), osc.octahedral(reflections=False)
WORDS = {
    "O": [f"irrep:{name}" for name in OCTAHEDRAL_IRREPS],
    "Oh": [f"irrep:{name}{parity}" for parity in "gu" for name in OCTAHEDRAL_IRREPS],
}


def move(features: onn.Features, g: osc.Isometry, x: Tensor) -> Tensor:
    """Cells by index, channels by the matrix."""
    n = x.shape[-1]
    cells = np.indices((n,) * 3).reshape(3, -1)
    to = (np.rint(g.matrix).astype(int) @ (2 * cells - (n - 1)) + n - 1) // 2
    out = torch.zeros_like(x)
    mixed = torch.einsum("ij,bjxyz->bixyz", torch.as_tensor(features.matrix(g), dtype=x.dtype), x)
    out[(slice(None), slice(None), *to)] = mixed[(slice(None), slice(None), *cells)]
    return out


def defect(layer: nn.Module, into: onn.Features, out: onn.Features, x: Tensor) -> float:
    """The worst of the elements; all moved inputs are one batch, for a layer makes its kernel anew in every call."""
    with torch.no_grad():
        plain, *moved = layer(torch.cat([x, *(move(into, g, x) for g in into.group)])).split(len(x))
        return max(float((y - move(out, g, plain)).norm() / plain.norm()) for g, y in zip(into.group, moved, strict=True))


def count(layer: onn.EquivariantConv) -> int:
    return sum(p.numel() for name, p in layer.named_parameters() if "bias" not in name)


@pytest.mark.parametrize(("group", "kernel"), [(ROTATIONS, 2), (ROTATIONS, 3), (FULL, 1), (FULL, 3)], ids=["O-2", "O-3", "Oh-1", "Oh-3"])
def test_as_many_kernels_as_the_characters_say(group: osc.Group, kernel: int) -> None:
    """1/|G| sum of chi_out chi_in times the cells that an element keeps; for every pair of irreps, and with physical fields."""
    f = onn.Features(group, [*WORDS[group.name], "vector", "tensor"])
    layer = onn.EquivariantConv(f, f, kernel, stride=2 - kernel % 2, boundary="zero", bias=False)
    kept = np.array([(moved_cells(g, kernel) == np.arange(kernel**3)).sum() for g in group])
    characters = [np.array([np.trace(one.matrix(g)) for g in group]) for one in f.fields]
    for row, a in zip(layer.rows, characters, strict=True):
        for pair, b in zip(row, characters, strict=True):  # pyright: ignore[reportArgumentType]
            found = 0 if pair.weight is None else pair.weight.shape[-1]
            assert found == pytest.approx(float((a * b * kept).sum()) / len(group), abs=1e-9), pair


@pytest.mark.parametrize(("into", "out"), [("irrep:Eg", "irrep:T2g"), ("vector", "irrep:Eu"), ("irrep:Eg", "irrep:Eg")])
def test_the_kernels_are_those_of_the_dense_constraint(into: str, out: str) -> None:
    """The null space of K(gp) - rho_out(g) K(p) rho_in(g)^-1 for all g at once, from its normal equations."""
    a, b = (onn.Features.of(FULL, w).fields[0] for w in (into, out))
    basis = orbit_basis(b, a, 3).reshape(-1, a.size * b.size * 27)
    constraint = np.zeros((a.size * b.size * 27,) * 2)
    for g in FULL:
        cells = np.zeros((27, 27))
        cells[moved_cells(g, 3), np.arange(27)] = 1.0
        row = np.kron(np.kron(b.matrix(g), a.matrix(g)), cells) - np.eye(len(constraint))
        constraint += row.T @ row
    values, vectors = np.linalg.eigh(constraint)  # what is not 0 is of order 1
    free = vectors[:, values < 1e-9].T
    assert len(free) == len(basis)
    left = np.linalg.qr(basis.T)[0]
    np.testing.assert_allclose(left @ left.T, free.T @ free, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.square(basis).sum(1) / b.size, 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("group", "boundary"), [(ROTATIONS, "circular"), (FULL, "circular"), (FULL, "reflect")], ids=["O", "Oh", "Oh-mirrors"]
)
def test_layers_commute_with_every_element(group: osc.Group, boundary: str) -> None:
    """All irreps in, all out, unsorted, with regular and physical fields; odd and even sizes; both precisions."""
    torch.manual_seed(0)
    words = WORDS[group.name]
    inner = onn.Features(group, [*words, "vector", words[2], "tensor"])
    into = onn.Features(group, [words[2], "scalar", "vector", words[2]])
    for a, b, kernel in ((into, inner, 3), (inner, into, 3), (inner, inner, 1)):
        layer = onn.EquivariantConv(a, b, kernel, boundary=boundary).double()
        with torch.no_grad():
            for bias in layer.biases.values():
                bias.normal_()
        for n in (4, 3):
            x = torch.randn(1, a.channels, n, n, n, dtype=torch.float64)
            assert defect(layer, a, b, x) < 1e-12
        assert defect(layer.float(), a, b, x.float()) < 1e-5
    x = torch.randn(1, inner.channels, 4, 4, 4, dtype=torch.float64)
    for layer in (onn.Activation(inner), onn.FieldNorm(inner), onn.Pool(inner), onn.Upsample(inner), onn.GroupPool(inner)):
        assert defect(layer.double(), inner, getattr(layer, "out", inner), x) < 1e-12, layer


def test_a_network_through_e_commutes_with_the_action_on_flows() -> None:
    """Judged by GridAction on velocity and vorticity: declared fields in and out, E and regular fields between."""
    torch.manual_seed(0)
    layout = osc.Layout.of("velocity:vector", "vorticity:pseudovector", "stress:tensor", ndim=3)
    state = onn.Features.from_layout(layout, FULL)
    hidden = onn.Features.of(FULL, "irrep:Eg*2", "irrep:Eu*2", "irrep:T2g", "irrep:A2u", "regular")
    net = nn.Sequential(
        onn.EquivariantConv(state, hidden, 3),
        onn.Activation(hidden),
        onn.EquivariantConv(hidden, hidden, 3),
        onn.EquivariantConv(hidden, state, 3),
    ).double()
    action = osc.GridAction(layout, osc.Grid.square(4, ndim=3))
    x = torch.randn(1, 15, 4, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        y = net(x)
        for g in FULL:
            assert float((net(action(g, x)) - action(g, y)).norm() / y.norm()) < 1e-12
    # The variance of the outputs is that of the inputs, as for every other field.
    wide = onn.Features.of(FULL, "irrep:Eg*16")
    y = onn.EquivariantConv(wide, wide, 3)(torch.randn(1, wide.channels, 8, 8, 8)).detach()
    assert 0.6 < float(y.square().mean()) < 1.5
    folded = onn.export(net)
    torch.testing.assert_close(folded(x), net(x), rtol=0, atol=1e-12)


def test_the_deviator_of_a_stress_is_an_e_and_a_t2_field() -> None:
    """The one kernel of one cell from tensors to Eg reads the diagonal as 2 zz - xx - yy and xx - yy."""
    stress, e = onn.Features.of(FULL, "tensor"), onn.Features.of(FULL, "irrep:Eg")
    layer = onn.EquivariantConv(stress, e, 1, bias=False).double()
    kernel = layer.kernel_tensor().detach().reshape(2, 9)
    expected = torch.zeros(2, 9, dtype=torch.float64)
    expected[0, [0, 4, 8]], expected[1, [0, 4]] = torch.tensor([-1.0, -1, 2]).double(), torch.tensor([1.0, -1]).double() * 3**0.5
    assert count(layer) == 1
    torch.testing.assert_close(kernel / kernel.norm() * torch.sign(kernel[0, 8]), expected / expected.norm(), rtol=0, atol=1e-13)


def test_it_pickles_trains_and_runs_under_torch_func() -> None:
    torch.manual_seed(0)
    f = onn.Features.of("oh", "irrep:Eg*2", "vector")
    layer = onn.EquivariantConv(f, f, 3).double()
    x = torch.randn(2, f.channels, 4, 4, 4, dtype=torch.float64)
    again = pickle.loads(pickle.dumps(layer))
    assert torch.equal(again(x), layer(x)) and list(again.state_dict()) == list(layer.state_dict())
    torch.testing.assert_close(torch.func.vmap(lambda s: layer(s[None])[0])(x), layer(x), rtol=0, atol=1e-12)
    layer(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for name, p in layer.named_parameters() if "bias" not in name)
    loose = onn.relax(layer, "steerable")
    assert defect(loose, f, f, x) < 1e-12


@pytest.mark.parametrize(
    ("group", "word", "message"),
    [
        ("oh", "irrep:E", "O_h the same with g or u"),
        ("o", "irrep:Eg", "O has irrep:A1, A2, E, T1, T2"),
        ("oh", "irrep:1", "no irrep here; in space"),
        ("d4", "irrep:Eg", "in the plane"),
    ],
)
def test_words_that_are_none(group: str, word: str, message: str) -> None:
    with pytest.raises(osc.OrbitscopeError, match=message):
        onn.Features.of(group, word)
    channel = onn.restrict("oh", ("circular", "reflect", "circular"))
    with pytest.raises(osc.OrbitscopeError, match="Their subgroups"):
        onn.Features.of(channel, "irrep:Eg")
