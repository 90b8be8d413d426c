"""Representations from matrices: products of generators, words, functions, and how far they are from homomorphisms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import orbitscope as osc
from orbitscope.symmetry import FromMatrices, Learnt, representation

from .elements import Spelled


@pytest.mark.parametrize(("name", "generators"), [("c4", ["r"]), ("d4", ["r", "s"]), ("d6", ["s", "sr"]), ("c8", ["r"])])
def test_generators_give_the_whole_representation(name: str, generators: list[str]) -> None:
    group = osc.parse_group(name)
    for word in ("vector", "tensor", "irrep:2", "regular"):
        rep = representation(word, group)
        made = FromMatrices({group[g]: rep.matrix(group[g]) for g in generators})
        for g in group:
            np.testing.assert_allclose(made.matrix(g), rep.matrix(g), atol=1e-12)
        assert made.homomorphism_error(group) < 1e-13 and made.size(2) == rep.size(2) and made.permutes(group) == rep.permutes(group)


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-6, 0.1), st.integers(0, 2**32 - 1))
def test_matrices_that_break_the_relations_are_told(size: float, seed: int) -> None:
    group = osc.dihedral(4)
    noise = np.random.default_rng(seed).normal(size=(2, 2))
    broken = FromMatrices({group["r"]: group["r"].matrix + size * noise, group["s"]: group["s"].matrix})
    assert 1e-3 * size < broken.homomorphism_error(group) < 100 * size


def test_the_burau_matrices_obey_the_braid_relation() -> None:
    t = 0.7
    burau = FromMatrices({"a": [[1 - t, t, 0], [1, 0, 0], [0, 0, 1]], "b": [[1, 0, 0], [0, 1 - t, t], [0, 1, 0]]}, label="burau")
    a, b = Spelled(("a",)), Spelled(("b",))
    np.testing.assert_allclose(burau.matrix(a @ b @ a), burau.matrix(b @ a @ b), atol=1e-15)
    np.testing.assert_allclose(burau.matrix(a @ b @ b.inverse() @ a.inverse()), np.eye(3), atol=1e-15)
    assert burau.homomorphism_error([a, b, a.inverse(), b @ a]) < 1e-14 and repr(burau) == "burau"
    assert burau == FromMatrices(burau.generators) and burau != FromMatrices({"a": np.eye(3), "b": np.eye(3)})
    with pytest.raises(osc.OrbitscopeError, match="generator 'c'"):
        burau.matrix(Spelled(("c",)))


def test_a_function_is_a_representation_as_far_as_it_is_one() -> None:
    torch.manual_seed(0)
    group = osc.cyclic(8)
    change = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)

    def exact(g: osc.Isometry) -> torch.Tensor:
        return change @ torch.as_tensor(g.matrix) @ torch.linalg.inv(change)

    good, bad = Learnt(exact, 2), Learnt(lambda g: exact(g) * 1.01, 2, "one percent off")
    assert good.homomorphism_error(group) < 1e-13 and good.matrix(group["r"]).dtype == np.float64
    assert bad.homomorphism_error(group) == pytest.approx(0.01 / 1.01, rel=1e-6) and repr(bad) == "one percent off"
    assert good == Learnt(exact, 2) and good != Learnt(lambda g: exact(g), 2)
    assert osc.Layout((osc.Field("latent", good), osc.Field("v", representation("vector")))).channels == 4
    with pytest.raises(osc.OrbitscopeError, match=r"should give \[3, 3\]"):
        Learnt(exact, 3).matrix(group["r"])


def test_mistakes_are_named() -> None:
    c4, irrational = osc.cyclic(4), osc.rotation(1.0)
    with pytest.raises(osc.OrbitscopeError, match="one square matrix per generator"):
        FromMatrices({c4["r"]: np.eye(2), c4["r2"]: np.eye(3)})
    with pytest.raises(osc.OrbitscopeError, match="one square matrix per generator"):
        FromMatrices({})
    with pytest.raises(osc.OrbitscopeError, match="more than 4096"):
        FromMatrices({irrational: irrational.matrix})
    half = FromMatrices({c4["r2"]: -np.eye(2)})
    with pytest.raises(osc.OrbitscopeError, match="no product of the generators"):
        half.matrix(c4["r"])
    assert half.knows(c4["r2"]) and not half.knows(c4["r"].matrix)
