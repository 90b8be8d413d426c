"""Linear layers on vectors: every commuting matrix and no other, exact at the start, and how they leave."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from orbitscope import OrbitscopeError
from orbitscope.nn import (
    EquivariantLinear,
    RelaxedLinear,
    RelaxedResidualLinear,
    hidden_layout,
    relaxation,
    relaxation_penalty,
    relaxed_layers,
    strict,
)
from orbitscope.symmetry import Layout, cyclic, dihedral, octahedral, parse_group, special_orthogonal, symmetric

GROUPS = {"d1": dihedral(1), "d2": dihedral(2), "c3": cyclic(3), "d4": dihedral(4)}
KINDS = (EquivariantLinear, RelaxedLinear, RelaxedResidualLinear)


def sides(group):
    plain = Layout.of("place:vector", "mass", "spin:pseudoscalar*2")
    return plain, hidden_layout(group, 3 * len(group))


def gap(layer, group):
    """The largest change of W under conjugation by the matrices of the group, and of the bias under them: the definition itself."""
    w = layer.matrix().detach()
    b = layer.bias.detach() @ layer.fixed if layer.bias is not None else torch.zeros(len(w))
    worst = 0.0
    for g in group:
        left, right = (torch.as_tensor(side.matrix(g), dtype=w.dtype) for side in (layer.out, layer.into))
        worst = max(worst, float((left @ w - w @ right).abs().max()), float((left @ b - b).abs().max()))
    return worst


def dimension(into, out, group):
    """How many independent commuting matrices there are, by characters."""
    return round(np.mean([np.trace(into.matrix(g)) * np.trace(out.matrix(g)) for g in group]))


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("word", GROUPS)
def test_layers_commute_at_the_start(kind, word):
    group = GROUPS[word]
    plain, hidden = sides(group)
    for into, out in ((plain, hidden), (hidden, hidden), (hidden, plain), (plain, plain)):
        if kind is RelaxedLinear and into is out is plain:
            continue
        layer = kind(group, into, out)
        assert gap(layer, group) < 1e-12 and float(layer.matrix().detach().abs().max()) > 0.05
        x = torch.randn(5, into.channels)
        direct = x @ layer.matrix().T + (layer.bias @ layer.fixed if layer.bias is not None else 0)
        assert float((layer(x) - direct).detach().abs().max()) < 1e-12


@pytest.mark.parametrize("word", GROUPS)
def test_there_is_a_weight_for_every_commuting_matrix_and_none_more(word):
    group = GROUPS[word]
    plain, hidden = sides(group)
    for into, out in ((plain, hidden), (hidden, hidden), (hidden, plain), (plain, plain)):
        layer = EquivariantLinear(group, into, out, bias=False)
        count = layer.weight.numel()
        assert count == dimension(into, out, group)
        eye = torch.eye(count)
        rows = []
        for k in range(count):
            layer.weight.data = eye[k].reshape(layer.weight.shape)
            rows.append(layer.matrix().detach().flatten())
        assert int(torch.linalg.matrix_rank(torch.stack(rows))) == count


def test_groups_of_space_and_of_permutations():
    cube, swaps = octahedral(reflections=False), symmetric(3)
    layer = EquivariantLinear(cube, "vector*2", hidden_layout(cube, 48))
    assert gap(layer, cube) < 1e-12
    layer = EquivariantLinear(swaps, "permutation(3)*2", "permutation(3)")
    assert gap(layer, swaps) < 1e-12 and layer.weight.numel() == 4


def test_the_relaxed_layer_is_the_formula():
    group = dihedral(2)
    hidden = hidden_layout(group, 8)
    layer = RelaxedLinear(group, hidden, hidden, banks=3, bias=False)
    layer.shares.data.uniform_(0.5, 1.5)
    w, psi = layer.shares.detach(), layer.weight.detach().reshape(3, 2, 2, 4)
    x, expected = torch.randn(8), torch.zeros(2, 4)
    for i in range(2):
        for a, g in enumerate(group.elements):
            for j in range(2):
                for b, h in enumerate(group.elements):
                    k = group.index(g.inverse() @ h)
                    expected[i, a] += sum(w[bank, b] * psi[bank, i, j, k] for bank in range(3)) * x.reshape(2, 4)[j, b]
    assert float((layer(x) - expected.flatten()).detach().abs().max()) < 1e-12


@pytest.mark.parametrize("kind", KINDS[1:])
def test_it_can_leave_says_so_and_finds_back(kind):
    group = dihedral(2)
    plain, hidden = sides(group)
    net = nn.Sequential(kind(group, plain, hidden), nn.ReLU(), kind(group, hidden, plain))
    assert float(relaxation_penalty(net).detach()) == 0.0 and float(relaxation(net)["broken"].max()) < 1e-12
    x, target = torch.randn(64, plain.channels), torch.randn(64, plain.channels)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(20):
        optimiser.zero_grad()
        (net(x) - target).square().mean().backward()
        optimiser.step()
    found = relaxation(net)
    assert list(relaxed_layers(net)) == ["0", "2"] and float(relaxation_penalty(net, 2.0).detach()) > 0
    broken = found["broken"].sel(layer="0", element="r")
    first: Any = net[0]

    w = first.matrix().detach()
    left, right = (torch.as_tensor(side.matrix(group["r"])) for side in (hidden, plain))
    assert float(broken) == pytest.approx(float((left @ w @ right.T - w).norm() / w.norm()), rel=1e-9) and float(broken) > 1e-3
    if kind is RelaxedLinear:
        assert np.isfinite(found["share"].sel(layer="0")).all()
    assert max(gap(layer, group) for layer in strict(net) if hasattr(layer, "matrix")) < 1e-12


def test_the_start_has_the_variance_of_a_plain_layer():
    group = dihedral(4)
    plain, hidden = sides(group)
    for kind in (EquivariantLinear, RelaxedLinear):
        made = [kind(group, hidden, hidden).matrix().detach() for _ in range(40)]
        usual = [nn.Linear(hidden.channels, hidden.channels).weight.detach() for _ in range(40)]
        ratio = float(torch.stack(made).var() / torch.stack(usual).var())
        assert 0.8 < ratio < 1.25
    made = torch.stack([EquivariantLinear(group, plain, plain).matrix().detach() for _ in range(200)])
    assert 0.7 < float(made.square().sum((1, 2)).mean() / (plain.channels / 3)) < 1.4


def test_what_does_not_fit_is_refused():
    with pytest.raises(OrbitscopeError, match="has no list of elements"):
        EquivariantLinear(parse_group("so2/8"), "vector", "vector")
    with pytest.raises(OrbitscopeError, match="has no list of elements"):
        EquivariantLinear(special_orthogonal(3), "vector", "vector")
    with pytest.raises(OrbitscopeError, match="no side of regular fields"):
        RelaxedLinear(dihedral(2), "vector", "vector")
    with pytest.raises(OrbitscopeError, match="`banks`"):
        RelaxedLinear(dihedral(2), "vector", "regular(d2)", banks=0)
    with pytest.raises(OrbitscopeError, match=r"expected \[\.\.\., 2\]"):
        EquivariantLinear(dihedral(2), "vector", "regular(d2)")(torch.zeros(3, 4))
