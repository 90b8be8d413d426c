"""SMSE against the formula written as loops, and its invariance."""

import math

import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.emulators import relative_l2, smse
from orbitscope.symmetry import Grid, GridAction, Layout, dihedral

LAYOUT = Layout.of("density:scalar", "momentum:vector")


def pair():
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([1.0, 3.0, 0.2])[:, None, None]
    one, other = (torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=generator) * scale for _ in range(2))
    return one, other


def test_smse_is_the_formula():
    prediction, target = pair()
    per_sample = []
    for b in range(2):
        total = 0.0
        for c in range(3):
            rms = math.sqrt(sum(float(v) ** 2 for v in target[b, c].flatten()) / 16)
            total += sum((float(p) - float(t)) ** 2 for p, t in zip(prediction[b, c].flatten(), target[b, c].flatten(), strict=True)) / (
                rms + 1e-6
            )
        per_sample.append(total / 48)
    expected = torch.tensor(per_sample, dtype=torch.float64)
    torch.testing.assert_close(smse(prediction, target, "none"), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(smse(prediction, target), expected.mean(), rtol=1e-12, atol=0)
    torch.testing.assert_close(smse(prediction, target, "channel").mean(1), expected, rtol=1e-12, atol=0)


def test_smse_per_field_is_the_formula():
    """One root mean square over the cells and components of a field, those of the vector together."""
    prediction, target = pair()
    fields, start, expected = [], 0, torch.zeros(2, dtype=torch.float64)
    for size in LAYOUT.sizes:
        fields.append(range(start, start + size))
        start += size
    for b in range(2):
        for channels in fields:
            rms = math.sqrt(sum(float(v) ** 2 for c in channels for v in target[b, c].flatten()) / (16 * len(channels)))
            expected[b] += sum(float((prediction[b, c] - target[b, c]).square().sum()) for c in channels) / (rms + 1e-6) / 48
    assert max(map(len, fields)) > 1
    torch.testing.assert_close(smse(prediction, target, "none", per="field", layout=LAYOUT), expected, rtol=1e-12, atol=0)


def test_smse_is_invariant_under_d4_and_per_field_under_any_rotation():
    prediction, target = pair()
    action = GridAction(LAYOUT, Grid.square(4))
    for element in dihedral(4):
        for per in ("channel", "field"):
            moved = smse(action(element, prediction), action(element, target), "none", per=per, layout=LAYOUT)
            torch.testing.assert_close(moved, smse(prediction, target, "none", per=per, layout=LAYOUT), rtol=1e-12, atol=0)
    # A rotation by 30 degrees of the components alone (a uniform field, say) mixes channels of different rms.
    matrix = torch.tensor(LAYOUT.matrix([[math.cos(0.5), -math.sin(0.5)], [math.sin(0.5), math.cos(0.5)]]))
    one, other = (torch.einsum("ij,bjxy->bixy", matrix, s) for s in (prediction, target))
    torch.testing.assert_close(smse(one, other, per="field", layout=LAYOUT), smse(prediction, target, per="field", layout=LAYOUT))
    assert abs(smse(one, other) / smse(prediction, target) - 1) > 1e-3


def test_relative_l2():
    prediction, target = pair()
    expected = (prediction - target).flatten(2).norm(dim=-1) / target.flatten(2).norm(dim=-1)
    torch.testing.assert_close(relative_l2(prediction, target), expected)


def test_a_zero_target_is_finite():
    assert torch.isfinite(smse(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)))


@pytest.mark.parametrize(
    ("options", "words"),
    [({"per": "field"}, "layout"), ({"reduction": "sum"}, "sum"), ({"per": "field", "layout": Layout.of("u:vector")}, "2 channels")],
)
def test_mistakes_are_named(options, words):
    with pytest.raises(OrbitscopeError, match=words):
        smse(*pair(), **options)
    with pytest.raises(OrbitscopeError, match="same"):
        smse(torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 4))
