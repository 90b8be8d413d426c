"""Quaternions as axes: moved by a group they are the axes of the turned body, and go back to a quaternion."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbitscope import OrbitscopeError
from orbitscope.systems.control import EnvSymmetry, body_axes, body_quaternion

AXES = ("forward:vector", "left:vector", "up:pseudovector")


def product(p, q):
    """The Hamilton product, (w, x, y, z)."""
    scalar = p[0] * q[0] - p[1:] @ q[1:]
    return np.append(scalar, p[0] * q[1:] + q[0] * p[1:] + np.cross(p[1:], q[1:]))


def turned(q, v):
    """q v q*, the textbook's turn of a vector."""
    return product(product(q, np.append(0.0, v)), q * [1, -1, -1, -1])[1:]


@given(st.integers(0, 2**31), st.floats(0.1, 10.0))
def test_axes_are_those_of_the_hamilton_product_and_go_back(seed, size):
    q = np.random.default_rng(seed).normal(size=4)
    unit = q / np.linalg.norm(q)
    slow = np.concatenate([turned(unit, e) for e in np.eye(3)])
    assert np.abs(body_axes(size * q) - slow).max() < 1e-12
    back = body_quaternion(body_axes(q))
    assert back[0] >= 0 and min(np.abs(back - unit).max(), np.abs(back + unit).max()) < 1e-10


@pytest.mark.parametrize(("group", "axes"), [("o", ("axes:vector*3",)), ("oh", AXES)])
def test_moved_axes_are_those_of_a_body_turned_with_the_world(group, axes):
    symmetry = EnvSymmetry(group, axes, "force:vector")
    q = np.random.default_rng(0).normal(size=(5, 4))
    for g in symmetry.group:
        turn = np.asarray(g.matrix)
        flip = np.diag([1, 1, np.linalg.det(turn)])  # the body's own mirror, across its third axis
        moved = symmetry.observe(g, body_axes(q))
        wanted = turn @ body_axes(q).reshape(-1, 3, 3).transpose(0, 2, 1) @ flip
        assert np.abs(moved - wanted.transpose(0, 2, 1).reshape(-1, 9)).max() < 1e-12
        assert np.abs(body_axes(body_quaternion(moved)) - moved).max() < 1e-10


def test_a_quaternion_itself_is_refused_where_it_would_be_none():
    symmetry = EnvSymmetry("oh", ("axes:vector*3",), "force:vector")
    mirror = next(g for g in symmetry.group if np.linalg.det(np.asarray(g.matrix)) < 0)
    for wrong, words in (
        (lambda: body_axes(np.zeros(4)), "not all 0"),
        (lambda: body_axes(np.ones(3)), r"\[\.\.\., 4\]"),
        (lambda: body_axes([np.nan, 0, 0, 1]), "finite"),
        (lambda: body_quaternion(np.ones(4)), r"\[\.\.\., 9\]"),
        (lambda: body_quaternion(np.ones(9)), "orthogonal unit vectors"),
        (lambda: body_quaternion(symmetry.observe(mirror, body_axes([1.0, 0, 0, 0]))), "'pseudovector'"),
    ):
        with pytest.raises(OrbitscopeError, match=words):
            wrong()
