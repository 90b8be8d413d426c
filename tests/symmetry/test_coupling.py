"""Harmonics and couplings: their laws, and e3nn's as the outside reference."""

import itertools

import numpy as np
import pytest
import torch
from e3nn import o3

from orbitscope import OrbitscopeError
from orbitscope.symmetry import RotationIrrep, coupling, orthogonal, spherical_harmonics

TRIPLES = [(a, b, c) for a, b, c in itertools.product(range(5), repeat=3) if abs(a - b) <= c <= a + b]
ELEMENTS = orthogonal(3).probes(6, seed=1)


@pytest.mark.parametrize("degrees", TRIPLES)
def test_coupling_is_invariant_of_norm_one_and_that_of_e3nn_up_to_sign(degrees):
    found = coupling(*degrees)
    for g in ELEMENTS:
        a, b, c = (RotationIrrep(d).matrix(g) for d in degrees)
        assert np.allclose(np.einsum("ia,jb,kc,abc->ijk", a, b, c, found), found, atol=1e-10)
    other = o3.wigner_3j(*degrees, dtype=torch.float64).numpy()
    assert min(np.abs(found - other).max(), np.abs(found + other).max()) < 1e-10
    assert abs(np.linalg.norm(found) - 1) < 1e-12
    assert found.ravel()[np.abs(found.ravel()) > 1e-9][0] > 0


@pytest.mark.parametrize("degrees", [(1, 1, 3), (2, 1, 0), (9, 0, 9), (-1, 1, 1)])
def test_degrees_that_do_not_couple_are_refused(degrees):
    with pytest.raises(OrbitscopeError, match="do not couple"):
        coupling(*degrees)


def test_harmonics_are_those_of_e3nn_and_move_as_irreps():
    vectors = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = spherical_harmonics(6, vectors)
    assert torch.allclose(found, o3.spherical_harmonics(list(range(7)), vectors, True, "component"), atol=1e-12)
    for g in ELEMENTS:
        moved = spherical_harmonics(6, vectors @ torch.tensor(g.matrix).T)
        for degree in range(7):
            part = slice(degree**2, (degree + 1) ** 2)
            matrix = torch.tensor(RotationIrrep(degree, odd=degree % 2 == 1).matrix(g))
            assert torch.allclose(moved[:, part], found[:, part] @ matrix.T, atol=1e-10)
            assert torch.allclose(found[:, part].square().sum(1), torch.tensor(2.0 * degree + 1, dtype=torch.float64))


def test_a_vector_without_direction_has_the_constant_alone_and_finite_gradients():
    origin = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    found = spherical_harmonics(4, origin)
    assert found[0, 0] == 1 and not found[0, 1:].any()
    found.sum().backward()
    assert origin.grad is not None and bool(torch.isfinite(origin.grad).all())


def test_gradients_of_harmonics_are_differences():
    vectors = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: spherical_harmonics(4, v), (vectors,))


def test_a_degree_out_of_range_is_refused():
    with pytest.raises(OrbitscopeError, match="`degree`"):
        spherical_harmonics(9, torch.ones(1, 3))
