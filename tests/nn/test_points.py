"""Layers on points: equivariance, a slow reference, strict and relaxed, derivatives, periodic images."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from orbitscope import OrbitscopeError
from orbitscope.nn import (
    IrrepGate,
    Irreps,
    RadialBasis,
    RelaxedWeights,
    Surroundings,
    TensorConv,
    breaking_irreps,
    order_parameters,
    present,
    relaxation_penalty,
    shrink,
    strict,
)
from orbitscope.symmetry import coupling, octahedral, orthogonal, spherical_harmonics

FEATURES = Irreps.of("3x0e+2x1o+1x2e+1x1e+1x0o")
ELEMENTS = orthogonal(3).probes(5, seed=2)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def surroundings(hidden: int = 0) -> Surroundings:
    torch.manual_seed(0)
    return Surroundings(RadialBasis(2.0, 4, hidden), 2).double()


def conv(relaxed: str | Irreps | None = None, out: Irreps = FEATURES) -> TensorConv:
    torch.manual_seed(1)
    return TensorConv(FEATURES, out, 5, relaxed=relaxed).double()


def turned(values: Tensor, irreps: Irreps, g) -> Tensor:
    return values @ torch.tensor(irreps.matrix(np.asarray(getattr(g, "matrix", g)))).T


def test_irreps_parse_print_and_count():
    assert Irreps.of(str(FEATURES)) == FEATURES and FEATURES.dim == 3 + 6 + 5 + 3 + 1
    assert Irreps.of("") == Irreps(()) and Irreps.of("0x1o+2e") == Irreps.of("2e")
    assert [where.start for _, where in FEATURES] == [0, 3, 9, 14, 17] and FEATURES.count("1o") == 2
    assert FEATURES.fields("h")[3] == "h3:irrep:1o"
    for words in ("1x", "2f", "1o,2e", "-1x1o"):
        with pytest.raises(OrbitscopeError, match="irreps"):
            Irreps.of(words)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("relaxed", [None, breaking_irreps(3)], ids=["strict", "relaxed"])
def test_the_layer_moves_with_points_features_and_relaxed_weights(relaxed, periodic):
    layer, seen = conv(relaxed), surroundings(hidden=5)
    x, places = drawn(2, 4, FEATURES.dim), drawn(2, 4, 3, seed=1)
    cell = (3 * torch.eye(3, dtype=torch.float64) + 0.1 * drawn(3, 3, seed=2)).expand(2, 3, 3) if periodic else None
    theta = None if relaxed is None else drawn(2, relaxed.dim, seed=3)
    plain = layer(x, seen(places, cell), theta)
    for g in ELEMENTS[1:]:
        matrix = torch.tensor(g.matrix)
        around = seen(places @ matrix.T, None if cell is None else cell @ matrix.T)
        there = layer(turned(x, FEATURES, g), around, theta if relaxed is None or theta is None else turned(theta, relaxed, g))
        assert torch.allclose(there, turned(plain, FEATURES, g), atol=1e-10)
        if theta is not None:  # held, the weights break the symmetry
            assert not torch.allclose(layer(turned(x, FEATURES, g), around, theta), turned(plain, FEATURES, g), atol=1e-2)


@pytest.mark.parametrize("folded", [False, True])
def test_the_layer_is_its_formula_in_loops(monkeypatch, folded):
    """Every path, pair, radial channel and copy by itself, from the tensors of `coupling` alone; in both orders of the sums."""
    monkeypatch.setattr(TensorConv, "_folds", lambda *_: folded)
    relaxed = Irreps.of("1o+1e+2e")
    into, out = Irreps.of("2x0e+1x1o"), Irreps.of("1x0e+2x1o")
    torch.manual_seed(0)
    layer = TensorConv(into, out, 3, relaxed=relaxed).double()
    seen = Surroundings(RadialBasis(2.0, 2), 2).double()(drawn(1, 3, 3, seed=4))
    x, theta = drawn(1, 3, into.dim, seed=5), drawn(1, relaxed.dim, seed=6)
    expected = torch.zeros(1, 3, out.dim, dtype=torch.float64)
    for o, (c, to) in enumerate(out):
        row = 0
        for a, of in into:
            rows = [(b, copy) for b in range(3) for copy in range(a.count)]
            filters = []
            for f in range(abs(a.degree - c.degree), a.degree + c.degree + 1):
                odd = a.odd != c.odd
                terms = [
                    (t, w, y)
                    for t, w in relaxed
                    for y in range(3)
                    if (t.odd != (y % 2 == 1)) == odd and abs(t.degree - y) <= f <= t.degree + y
                ]
                natural = f <= 2 and odd == (f % 2 == 1)
                if natural or terms:
                    filters.append((f, natural, terms))
            for (b, copy), (f, natural, terms) in itertools.product(rows, filters):
                for i, j in itertools.product(range(3), repeat=2):
                    harmonics = seen[0, i, j, b]
                    made = harmonics[f**2 : (f + 1) ** 2].clone() if natural else torch.zeros(2 * f + 1, dtype=torch.float64)
                    for t, w, y in terms:
                        tensor = torch.tensor(coupling(t.degree, y, f)) * math.sqrt((2 * f + 1) / len(terms))
                        made += torch.einsum("a,b,abc->c", theta[0, w], harmonics[y**2 : (y + 1) ** 2], tensor)
                    feature = x[0, j, of].reshape(a.count, a.size)[copy]
                    joined = torch.einsum("a,b,abc->c", feature, made, torch.tensor(coupling(a.degree, f, c.degree)) * math.sqrt(c.size))
                    for m in range(c.count):
                        weight = layer.weights[o][row, m]
                        expected[0, i, to.start + m * c.size : to.start + (m + 1) * c.size] += weight * joined
                row += 1
    assert torch.allclose(layer(x, seen, theta), expected.detach(), atol=1e-10)


@pytest.mark.parametrize("relaxed", [None, breaking_irreps(3)], ids=["strict", "relaxed"])
@pytest.mark.parametrize("out", [Irreps.of("2x1o"), FEATURES], ids=["some pairs do not couple", "all"])
def test_both_orders_of_the_sums_are_one_map_with_one_gradient(monkeypatch, relaxed, out):
    layer, seen = conv(relaxed, out), surroundings()(drawn(2, 4, 3, seed=1))
    x = drawn(2, 4, FEATURES.dim).requires_grad_()
    theta = () if relaxed is None else (drawn(1, relaxed.dim, seed=3).requires_grad_(),)
    found = []
    for folded in (False, True):
        monkeypatch.setattr(TensorConv, "_folds", lambda *_, folded=folded: folded)
        answer = layer(x, seen, *theta)
        found.append([answer.detach(), *torch.autograd.grad((answer * drawn(*answer.shape, seed=5)).sum(), [x, *theta, *layer.weights])])
    for a, b in zip(*found, strict=True):
        assert float((a - b).abs().max()) < 1e-10 * float(a.abs().max())
        assert bool(a.any())


def test_the_order_follows_the_sizes_and_each_example_with_its_own_weights_gathers():
    narrow, wide = TensorConv("16x0e+16x1o+16x2e", "0e+1o+2e", 9, relaxed="1o"), TensorConv("0e", "16x0e+16x1o+16x2e", 9, relaxed="1o")
    assert narrow._folds(torch.zeros(4, 8, narrow.into.dim), torch.zeros(1, 3))
    assert not narrow._folds(torch.zeros(4, 8, narrow.into.dim), torch.zeros(4, 3))
    assert not wide._folds(torch.zeros(4, 8, 1), None)


def test_relaxed_weights_of_zero_are_the_strict_layer_exactly():
    plain, relaxed = conv(), conv(breaking_irreps(4))
    x, seen = drawn(2, 4, FEATURES.dim), surroundings()(drawn(2, 4, 3, seed=1))
    assert torch.equal(relaxed(x, seen), relaxed(x, seen, torch.zeros(1, breaking_irreps(4).dim, dtype=torch.float64)))
    for g in ELEMENTS:
        there = relaxed(turned(x, FEATURES, g), surroundings()(drawn(2, 4, 3, seed=1) @ torch.tensor(g.matrix).T))
        assert torch.allclose(there, turned(relaxed(x, seen), FEATURES, g), atol=1e-10)
    assert plain.paths < relaxed.paths


def test_the_layer_keeps_the_stabiliser_of_its_weights():
    """With a cubic tensor for its weights the layer commutes with the cube's group and with no other turn."""
    layer, seen = conv(breaking_irreps(4)), surroundings()
    weights = RelaxedWeights().double()
    axes = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
    weights.set({"4e": spherical_harmonics(4, axes)[:, 16:].sum(0)})
    x, places = drawn(1, 4, FEATURES.dim), drawn(1, 4, 3, seed=1)
    plain = layer(x, seen(places), weights())
    for g in [*list(octahedral())[::7], ELEMENTS[1]]:
        matrix = torch.tensor(np.array(getattr(g, "matrix", g), dtype=float))
        there = layer(turned(x, FEATURES, matrix), seen(places @ matrix.T), weights())
        same = torch.allclose(there, turned(plain, FEATURES, matrix), atol=1e-10)
        assert same == (g is not ELEMENTS[1])
    found = order_parameters(weights)
    assert '"group": "Oh"' in found.attrs["groups"]
    assert found["allowed"].sel(irrep="4e").item() == 1 and float(found["forbidden"].max()) < 1e-12


def test_the_gate_moves_with_its_features():
    gate = IrrepGate(FEATURES)
    x = drawn(2, 4, gate.into.dim)
    for g in ELEMENTS:
        assert torch.allclose(gate(turned(x, gate.into, g)), turned(gate(x), FEATURES, g), atol=1e-12)
    assert gate.into.dim == FEATURES.dim + 5


@pytest.mark.parametrize("hidden", [0, 8])
def test_radial_functions_are_not_proportional_to_the_distance_and_end_at_the_cutoff(hidden):
    torch.manual_seed(0)
    radial = RadialBasis(2.0, 6, hidden).double()
    r = torch.linspace(0.1, 1.0, 7, dtype=torch.float64)
    f, g = radial(r), radial(2 * r)
    assert float(((g - 2 * f).norm(dim=0) / (g.norm(dim=0) + 1e-12)).min().detach()) > 0.1
    assert not radial(torch.tensor([2.0, 2.5], dtype=torch.float64)).any()
    with pytest.raises(OrbitscopeError, match="`cutoff`"):
        RadialBasis(0.0)


def test_a_crystal_sees_its_images_as_a_larger_cell_does():
    seen = surroundings()
    places = torch.rand(1, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2.5
    cell = 2.5 * torch.eye(3, dtype=torch.float64)[None]
    double = torch.cat([places, places + cell[0, 0]], 1)
    larger = cell * torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64)[:, None]
    one, two = seen(places, cell), seen(double, larger)
    assert torch.allclose(two[:, :2, :2, :-1] + two[:, :2, 2:, :-1], one[:, :, :, :-1], atol=1e-12)
    with pytest.raises(OrbitscopeError, match="cutoff"):
        seen(places, 0.7 * cell)


def test_derivatives_by_torch_func_are_those_of_a_loop_and_of_differences():
    layer, seen = conv(breaking_irreps(2)), surroundings(hidden=4)
    x, places, theta = drawn(3, 4, FEATURES.dim), drawn(3, 4, 3, seed=1), drawn(1, breaking_irreps(2).dim, seed=2)

    def loss(p, x, t):
        return layer(x[None], seen(p[None]), t).square().sum()

    together = torch.func.vmap(torch.func.grad(loss), (0, 0, None))(places, x, theta)
    alone = torch.stack([torch.func.grad(loss)(p, v, theta) for p, v in zip(places, x, strict=True)])
    assert torch.allclose(together, alone, atol=1e-10) and bool(torch.isfinite(alone).all())
    along = drawn(*theta.shape, seed=3)
    change = torch.func.jvp(lambda t: layer(x, seen(places), t), (theta,), (along,))[1]
    step = 1e-5
    difference = (layer(x, seen(places), theta + step * along) - layer(x, seen(places), theta - step * along)) / (2 * step)
    assert torch.allclose(change, difference, rtol=1e-6, atol=1e-7)


def test_penalty_and_the_way_back():
    weights = RelaxedWeights("1o")
    weights.set({"1o": torch.tensor([0.0, 3.0, 4.0])})
    assert float(relaxation_penalty(weights, 2.0).detach()) == 50.0
    assert not strict(weights).theta.any() and weights.theta.any()


def test_what_is_refused():
    with pytest.raises(OrbitscopeError, match="nothing of 1x0e couples to 1x1e"):
        TensorConv("0e", "1e", 2)
    with pytest.raises(OrbitscopeError, match="without 0e"):
        RelaxedWeights("0e+1o")
    with pytest.raises(OrbitscopeError, match="it has 0"):
        order_parameters(torch.nn.Linear(2, 2))


def test_the_step_of_the_penalty_is_its_minimum():
    """argmin over u of sum |u^l| t + |u - theta|^2 / 2, against a search along each irrep."""
    irreps = Irreps.of("1o+2e")
    theta = torch.cat([drawn(1, 3), 0.01 * drawn(1, 5, seed=1)], 1)
    plain, t = theta.clone(), 0.1
    shrink(theta, irreps, torch.tensor([[t]], dtype=torch.float64))
    for _, where in irreps:
        length = float(plain[0, where].norm())
        grid = torch.linspace(0, length, 20001, dtype=torch.float64)
        best = float(grid[(t * grid + (grid - length) ** 2 / 2).argmin()])
        assert torch.allclose(theta[0, where], plain[0, where] * best / length, atol=1e-4)
    assert present(theta, irreps).tolist() == [[1.0] * 3 + [0.0] * 5]
    turn = orthogonal(3).probes(2, seed=4)[1]
    moved = turned(plain, irreps, turn)
    shrink(moved, irreps, torch.tensor([[t]], dtype=torch.float64))
    assert torch.allclose(moved, turned(theta, irreps, turn), atol=1e-12)


def test_stages_out_of_range_are_refused():
    ranges: list[dict[str, Any]] = [{"hold": 0.9}, {"hold": -0.1}, {"lasso": -1.0}, {"refit": 1.5}]
    for wrong in ranges:
        with pytest.raises(OrbitscopeError, match="`hold`"):
            RelaxedWeights(**wrong)
