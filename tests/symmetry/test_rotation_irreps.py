"""Irreps of SO(3) and O(3) against e3nn, the library whose conventions they follow, in float64."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from e3nn import o3
from hypothesis import given, settings
from hypothesis import strategies as st

import orbitscope as osc
from orbitscope.symmetry import RotationIrrep, representation

from .elements import random_orthogonal


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # e3nn makes its constants in the default precision
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize("parity", ["e", "o"])
@pytest.mark.parametrize("degree", range(7))
def test_matrices_equal_those_of_e3nn(degree: int, parity: str) -> None:
    theirs: Any = o3.Irrep(f"{degree}{parity}")
    ours = representation(f"irrep:{degree}{parity}")
    rng = np.random.default_rng(degree)
    for _ in range(12):
        g = random_orthogonal(rng, 3)
        np.testing.assert_allclose(ours.matrix(g), theirs.D_from_matrix(torch.as_tensor(g)).numpy(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("degree", range(7))
def test_generators_equal_those_of_e3nn_and_rates_follow(degree: int) -> None:
    theirs = o3.wigner_D  # the group elements from angles about y, x, y
    ours, step = RotationIrrep(degree), 1e-3
    zero = torch.zeros(())
    about_y = (theirs(degree, torch.tensor(step), zero, zero) - theirs(degree, torch.tensor(-step), zero, zero)) / (2 * step)
    np.testing.assert_allclose(ours.rate([[0, 0, 1], [0, 0, 0], [-1, 0, 0]]), about_y.numpy(), rtol=0, atol=1e-4)
    x, y, z = (ours.rate(a) for a in _axes())
    np.testing.assert_allclose(x @ y - y @ x, z, atol=1e-12)
    np.testing.assert_allclose(y @ z - z @ y, x, atol=1e-12)
    np.testing.assert_allclose(x @ x + y @ y + z @ z, -degree * (degree + 1) * np.eye(2 * degree + 1), atol=1e-12)


def _axes() -> list[np.ndarray]:
    return [np.cross(np.eye(3)[i], np.eye(3)).T for i in range(3)]


@pytest.mark.parametrize("degree", range(5))
def test_they_turn_the_spherical_harmonics_of_e3nn(degree: int) -> None:
    """Y(R p) = D(R) Y(p), the meaning of order and signs, without their matrices."""
    rng = np.random.default_rng(degree)
    g, points = random_orthogonal(rng, 3), rng.normal(size=(10, 3))
    before, after = (o3.spherical_harmonics(degree, torch.as_tensor(p), False).numpy() for p in (points, points @ g.T))
    rep = RotationIrrep(degree, odd=degree % 2 == 1)
    np.testing.assert_allclose(after, before @ rep.matrix(g).T, rtol=0, atol=1e-11)


def test_degree_one_is_the_vector_in_the_order_x_y_z() -> None:
    g = random_orthogonal(np.random.default_rng(0), 3)
    np.testing.assert_array_equal(representation("irrep:1o").matrix(g), representation("vector").matrix(g))
    np.testing.assert_array_equal(representation("irrep:1e").matrix(g), representation("pseudovector").matrix(g))
    np.testing.assert_array_equal(representation("irrep:0o").matrix(g), representation("pseudoscalar").matrix(g))
    generic = RotationIrrep(1).rate([[0, -1, 0], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(generic, [[0, -1, 0], [1, 0, 0], [0, 0, 0]], atol=1e-15)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.sampled_from([0.0, 1e-12, 1e-8, 1e-3, 1.0, np.pi - 1e-9, np.pi]))
def test_every_angle_is_accurate(seed: int, degree: int, angle: float) -> None:
    """The matrix of half the angle, squared, where logarithms are delicate: near 0 and near pi."""
    axis = np.random.default_rng(seed).normal(size=3)
    axis /= np.linalg.norm(axis)
    cross = np.cross(axis, np.eye(3)).T

    def rotation(by: float) -> np.ndarray:
        return np.eye(3) + np.sin(by) * cross + (1 - np.cos(by)) * cross @ cross

    whole, half = (RotationIrrep(degree).matrix(rotation(a)) for a in (angle, angle / 2))
    np.testing.assert_allclose(whole, half @ half, rtol=0, atol=1e-12)
    np.testing.assert_allclose(whole @ whole.T, np.eye(2 * degree + 1), rtol=0, atol=1e-12)


def test_irreps_of_rotations_split_under_the_cube() -> None:
    """Degree 2 is E + T2, degree 3 is A2 + T1 + T2: characters over O."""
    group = osc.octahedral(reflections=False)

    def characters(word: str) -> np.ndarray:
        return np.array([np.trace(representation(word).matrix(g)) for g in group])

    np.testing.assert_allclose(characters("irrep:2e"), characters("irrep:E + irrep:T2"), atol=1e-12)
    np.testing.assert_allclose(characters("irrep:3e"), characters("irrep:A2 + irrep:T1 + irrep:T2"), atol=1e-12)
    np.testing.assert_allclose(characters("irrep:1e x irrep:1e"), characters("irrep:0e + irrep:1e + irrep:2e"), atol=1e-12)
