"""Spectral layers, patches and attention between frames: they commute, agree with slow references, and run under torch.func."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vmap

import orbitscope as osc
from orbitscope import nn as onn

MODES, CELLS = 3, 8
# Groups and what goes in and out: vectors, tensors whose components mix, pseudoscalars, irreps, fields out of order.
KINDS = {
    "c4": (("vector", "regular", "scalar"), ("regular", "vector")),
    "d4": (("regular", "vector", "regular", "pseudoscalar"), ("tensor", "regular", "irrep:1", "regular")),
    "d2": (("vector", "regular"), ("regular", "pseudovector")),
    "d1": (("vector",), ("regular*2",)),
    "o": (("vector", "scalar"), ("regular", "irrep:T2")),
    "oh": (("vector",), ("pseudovector", "irrep:Eg")),
}


def move(features: onn.Features, g: osc.Isometry, x: Tensor) -> Tensor:
    """Fields moved in a plain way: cells by index, channels by the matrix."""
    sizes, axes = np.array(x.shape[2:]), range(2, x.ndim)
    cells = np.indices(tuple(sizes)).reshape(len(sizes), -1)
    matrix = np.rint(g.matrix).astype(int)
    target = np.abs(matrix) @ sizes
    to = (matrix @ (2 * cells - (sizes[:, None] - 1)) + target[:, None] - 1) // 2
    mixed = torch.einsum("ij,bj...->bi...", torch.as_tensor(features.matrix(g), dtype=x.dtype), x)
    out = x.new_zeros(*mixed.shape[:2], *target)
    out[(slice(None), slice(None), *to)] = mixed.permute(0, 1, *axes).flatten(2)
    return out


def pair(group: str) -> tuple[onn.Features, onn.Features]:
    into, out = KINDS[group]
    return onn.Features.of(group, *into), onn.Features.of(group, *out)


def defect(layer: nn.Module, into: onn.Features, out: onn.Features, x: Tensor) -> float:
    """Largest difference over the group, of the size of input and output: where symmetry makes an answer 0 it says nothing."""
    with torch.no_grad():
        y = layer(x)
        size = float(y.abs().max() + x.abs().max())
        return max(float((layer(move(into, g, x)) - move(out, g, y)).abs().max()) for g in into.group) / size


def fields(features: onn.Features, cells: int = CELLS) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, features.channels, *(cells,) * features.ndim, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("group", KINDS)
def test_a_spectral_layer_commutes_and_reads_every_weight(group: str) -> None:
    torch.manual_seed(0)
    into, out = pair(group)
    modes = MODES if into.ndim == 2 else 2
    layer, x = onn.EquivariantSpectralConv(into, out, modes).double(), fields(into, CELLS if into.ndim == 2 else 5)
    assert defect(layer, into, out, x) < 1e-12
    y = layer(x)
    torch.testing.assert_close(layer(x.roll((1, -2), (2, 3))), y.roll((1, -2), (2, 3)), rtol=0, atol=1e-12)
    torch.testing.assert_close(layer.export()(x), y, rtol=0, atol=1e-12)
    assert defect(layer.float(), into, out, x.float()) < 1e-5
    y.square().sum().backward()
    for name, p in layer.named_parameters():
        assert p.grad is not None and (p.grad != 0).all(), name


def test_a_plain_spectral_layer_does_not_commute() -> None:
    """The measure can fail."""
    torch.manual_seed(0)
    into, out = pair("d4")
    assert defect(onn.SpectralConv(into.channels, out.channels, MODES).double(), into, out, fields(into)) > 0.1


@pytest.mark.parametrize(("group", "shape"), [("d4", (7, 7)), ("d2", (6, 9)), ("oh", (4, 4, 4))])
def test_the_spectral_layer_is_a_sum_over_wave_vectors(group: str, shape: tuple[int, ...]) -> None:
    """Slow and obvious: a real kernel on the wave vectors, its two parts, and a dense Fourier sum."""
    torch.manual_seed(0)
    into, out = onn.Features.of(group, "vector", "scalar"), onn.Features.of(group, "regular")
    modes = 3 if len(shape) == 2 else 2
    layer = onn.EquivariantSpectralConv(into, out, modes).double()
    x = torch.randn(1, into.channels, *shape, dtype=torch.float64)
    a = layer.kernel_tensor().detach()
    cells = torch.tensor(list(itertools.product(*(range(n) for n in shape))), dtype=torch.float64)
    expected = torch.zeros(out.channels, len(cells), dtype=torch.complex128)
    for k in itertools.product(range(1 - modes, modes), repeat=len(shape)):
        here, there = (a[(slice(None), slice(None), *(s * q + modes - 1 for q in k))] for s in (1, -1))
        weight = (1 + 1j) / 2 * here + (1 - 1j) / 2 * there
        wave = torch.exp(2j * math.pi * (cells / torch.tensor(shape) @ torch.tensor(k, dtype=torch.float64)))
        expected += (weight @ (x[0].flatten(1) * wave.conj()).sum(1, keepdim=True)) * wave / len(cells)
    assert float(expected.imag.abs().max()) < 1e-12
    torch.testing.assert_close(layer(x)[0].flatten(1), expected.real, rtol=0, atol=1e-12)


def test_weights_are_shared_over_the_orbit_of_a_wave_vector() -> None:
    """As many numbers as the plain layer has real ones, over the size of the group; and one size of output, whatever the modes."""
    torch.manual_seed(0)
    f = onn.Features.of("d4", "regular*2")
    layer = onn.EquivariantSpectralConv(f, f, MODES)
    assert sum(p.numel() for p in layer.parameters()) == 16 * 16 * (2 * MODES - 1) ** 2 // 8
    for modes in (2, 8):
        wide = onn.Features.of("d4", "regular*8")
        weight = onn.EquivariantSpectralConv(wide, wide, modes).weight_tensor().detach()
        assert 0.9 < float(weight.square().sum((-1, -3)).mean()) < 1.1


@pytest.mark.parametrize("group", KINDS)
@pytest.mark.parametrize("patch", [2, 3])
def test_patches_commute_there_and_back(group: str, patch: int) -> None:
    torch.manual_seed(0)
    into, out = pair(group)
    cells = 3 * patch if into.ndim == 2 else 2 * patch
    embed = onn.EquivariantConv(into, out, patch + 2 * (into.ndim == 2), stride=patch).double()
    back, x = onn.Unpatch(out, into, patch).double(), fields(into, cells)
    with torch.no_grad():
        for b in back.biases.values():
            b.add_(1.0)
    assert embed(x).shape[2:] == (cells // patch,) * into.ndim
    tokens = fields(out, cells // patch)
    assert defect(embed, into, out, x) < 1e-12 and defect(back, out, into, tokens) < 1e-12
    torch.testing.assert_close(back.export()(tokens), back(tokens), rtol=0, atol=1e-12)


def attention(group: str, tokens: tuple[int, ...], periodic: tuple[bool, ...]) -> tuple[onn.FrameAttention, onn.Features]:
    torch.manual_seed(0)
    f = onn.Features.of(group, "regular*4")
    layer = onn.FrameAttention(f, 2, tokens, periodic).double()
    with torch.no_grad():
        layer.bias.copy_(torch.randn_like(layer.bias))
    return layer, f


@pytest.mark.parametrize(
    ("group", "tokens", "periodic"),
    [
        ("c4", (4, 4), (True, True)),
        ("d4", (3, 3), (False, False)),
        ("d4", (4, 4), (True, True)),
        ("d2", (2, 4), (True, False)),
    ],
)
def test_attention_between_frames_commutes_and_equals_its_formula(group: str, tokens: tuple[int, ...], periodic: tuple[bool, ...]) -> None:
    layer, f = attention(group, tokens, periodic)
    x = torch.randn(1, f.channels, *tokens, dtype=torch.float64)
    assert defect(layer, f, f, x) < 1e-12
    if all(periodic):
        torch.testing.assert_close(layer(x.roll(1, -1)), layer(x).roll(1, -1), rtol=0, atol=1e-12)
    size = len(f.group)
    query, key, value = layer.project_in(x)[0].detach().reshape(3, 2, 2, size, -1).unbind(0)
    cells = np.array(list(itertools.product(*(range(n) for n in tokens))))
    spans = [n if p else 2 * n - 1 for n, p in zip(tokens, periodic, strict=True)]
    answer = torch.zeros_like(value)
    for head, (i, g) in itertools.product(range(2), enumerate(f.group)):
        scores = query[head, :, i].T @ key[head, :, i] / math.sqrt(2)
        for a, b in itertools.product(range(len(cells)), repeat=2):
            seen = np.rint(g.inverse().matrix).astype(int) @ (cells[b] - cells[a])
            place = [int(d % n if p else d + n - 1) for d, n, p in zip(seen, tokens, periodic, strict=True)]
            scores[a, b] += layer.bias.detach()[head, int(np.ravel_multi_index(place, spans))]
        answer[head, :, i] = value[head, :, i] @ torch.softmax(scores, 1).T
    torch.testing.assert_close(layer(x), layer.project_out(answer.reshape(x.shape)), rtol=0, atol=1e-12)


def network() -> tuple[nn.Module, onn.Features]:
    torch.manual_seed(0)
    v, f = onn.Features.of("d4", "vector"), onn.Features.of("d4", "regular*2")
    layers = (
        onn.EquivariantSpectralConv(v, f, 2), nn.GELU(), onn.EquivariantConv(f, f, 4, stride=2), onn.FrameAttention(f, 1, (2, 2)),
        onn.Unpatch(f, v, 2),
    )  # fmt: skip
    return nn.Sequential(*layers).double(), v


def test_they_run_under_torch_func_copy_and_export() -> None:
    model, v = network()
    x = fields(v, 4)
    assert defect(model, v, v, x) < 1e-12
    parameters = {k: p.detach() for k, p in model.named_parameters()}

    def loss(p: dict[str, Tensor], one: Tensor) -> Tensor:
        return functional_call(model, p, (one[None],)).square().mean()

    together = vmap(grad(loss), (None, 0))(parameters, x)
    alone = grad(loss)(parameters, x[1])
    for key, value in together.items():
        torch.testing.assert_close(value[1], alone[key], rtol=1e-9, atol=1e-11)
    direction = {k: torch.randn_like(p) for k, p in parameters.items()}
    tangent = jvp(lambda p: loss(p, x[1]), (parameters,), (direction,))[1]
    torch.testing.assert_close(tangent, sum((alone[k] * direction[k]).sum() for k in parameters))
    y = model(x)
    torch.testing.assert_close(copy.deepcopy(model)(x), y)
    assert list(model.state_dict()) == list(parameters)  # no table of indices among the weights
    torch.testing.assert_close(onn.export(model)(x), y, rtol=0, atol=1e-12)


def test_mistakes_are_named() -> None:
    d4, c8, d2 = (onn.Features.of(g, "regular*2") for g in ("d4", "c8", "d2"))
    for make, words in (
        (lambda: onn.EquivariantSpectralConv(c8, c8, 2), "take c4, d4"),
        (lambda: onn.EquivariantSpectralConv(d4, d2, 2), "different groups"),
        (lambda: onn.EquivariantSpectralConv(d4, d4, 0), "at least 1"),
        (lambda: onn.EquivariantSpectralConv(d4, d4, 3)(torch.zeros(1, 16, 5, 8)), "at least 6 cells"),
        (lambda: onn.Unpatch(c8, c8, 2), "take c4, d4"),
        (lambda: onn.Unpatch(d4, d4, 0), "at least 1"),
        (lambda: onn.FrameAttention(d4, 3, (2, 2)), "divide the 2 fields"),
        (lambda: onn.FrameAttention(onn.Features.of("d4", "vector"), 1, (2, 2)), "must be regular"),
        (lambda: onn.FrameAttention(d4, 1, (2, 3)), "Take the subgroup e, r2"),
        (lambda: onn.FrameAttention(d4, 1, (2, 2), (True, False)), "Take the subgroup e, r2"),
        (lambda: onn.FrameAttention(d4, 1, (2, 2))(torch.zeros(1, 16, 4, 4)), "built for a grid"),
        (lambda: onn.FrameAttention(d4, 1, (2,)), "one entry for each of 2 axes"),
    ):
        with pytest.raises(osc.OrbitscopeError, match=words):
            make()
