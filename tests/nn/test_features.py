"""What `Features` takes: words, representations, stacks; what it compares; the older name of its fields."""

import copy
import pickle

import numpy as np
import pytest
import torch

import orbitscope as osc
from orbitscope import nn as onn
from orbitscope.symmetry import FromMatrices, Regular, Restriction, Stack, Vector, representation

from .test_equivariant_layers import defect


def test_words_and_representations_say_the_same() -> None:
    d4 = osc.dihedral(4)
    words = onn.Features.of("d4", "regular*2", "vector", "irrep:1*3", "scalar")
    given = onn.Features.of(d4, Stack(Regular(d4), 2), Vector(), "irrep:1*3", representation("scalar"))
    assert (
        words == given and hash(words) == hash(given) and repr(words) == repr(given) == "Features(D4: regular*2, vector, irrep:1*3, scalar)"
    )
    assert words.order == tuple(range(words.channels)) and [n for _, n, _, _ in words.runs] == [2, 1, 3, 1]
    for g in d4:
        np.testing.assert_array_equal(words.matrix(g), given.matrix(g))
    assert pickle.loads(pickle.dumps(words)) == words == copy.deepcopy(words)
    layout = osc.Layout.of("u:vector*2", "p:scalar")
    assert onn.Features.from_layout(layout, "d4") == onn.Features.of("d4", "vector*2", "scalar")
    assert all(isinstance(f, Restriction) for f in words.fields)


def test_groups_are_compared_by_their_elements() -> None:
    """The subgroup that a channel keeps is D2, whatever it is called."""
    channel = onn.restrict("d4", ("circular", "zero"))
    assert channel.name != "D2" and channel.elements == osc.dihedral(2).elements
    a, b = onn.Features.of(channel, "regular"), onn.Features.of("d2", "vector")
    assert (a + b).channels == 6 and onn.EquivariantConv(a, b, 3).kernel_tensor().shape == (2, 4, 3, 3)
    with pytest.raises(osc.OrbitscopeError, match="different groups"):
        _ = a + onn.Features.of("d4", "vector")


@pytest.mark.parametrize("group", ["o", "oh"])
def test_irreps_of_all_rotations_are_fields_of_the_cube(group: str) -> None:
    f = onn.Features.of(group, "irrep:2e", "irrep:1o", "irrep:0e")
    layer = onn.EquivariantConv(f, f, 3).double()
    x = torch.randn(1, f.channels, 4, 4, 4, dtype=torch.float64)
    assert defect(layer, f, f, x, list(f.group)[::7]) < 1e-12


def test_fields_from_matrices_and_products() -> None:
    """A hidden field given by its generators alone, and a product that no word of before names."""
    d4 = osc.dihedral(4)
    turned = FromMatrices({d4["r"]: [[0, -1], [1, 0]], d4["s"]: [[1, 0], [0, -1]]})
    for group, word in ((d4, turned), (osc.parse_group("so2"), "vector x irrep:2"), (osc.parse_group("d8"), "vector x tensor")):
        f = onn.Features.of(group, word, "vector")
        layer = onn.EquivariantConv(f, f, 3).double()
        assert layer.kernel_tensor()[: f.fields[0].size, f.fields[0].size :].abs().max() > 0
        x = torch.randn(1, f.channels, 6, 6, dtype=torch.float64)
        assert defect(layer, f, f, x, list(osc.cyclic(4))) < 1e-12
        assert defect(onn.Activation(f).double(), f, f, x, list(osc.cyclic(4))) < 1e-12


def test_the_older_name_warns_and_works() -> None:
    with pytest.warns(DeprecationWarning, match="symmetry.Restriction"):
        older = onn.FieldType
    assert older("regular", osc.cyclic(4)) == onn.Features.of("c4", "regular").fields[0]
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = onn.Nothing


def test_a_count_that_is_none() -> None:
    with pytest.raises(osc.OrbitscopeError, match="cannot read 'regular\\*x'"):
        onn.Features.of("d4", "regular*x")
