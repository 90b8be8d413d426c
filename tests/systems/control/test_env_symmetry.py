"""What an environment's symmetry is, and which declarations are refused."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from hypothesis import given
from hypothesis import strategies as st

from orbitscope import OrbitscopeError
from orbitscope.symmetry import Field, Grid, GridAction, Layout, Representation, parse_group
from orbitscope.systems.control import EnvSymmetry, environments, symmetry_of


class Spaces:
    def __init__(self, observations, low, high):
        self.observation_space = Box(-np.inf, np.inf, (observations,), np.float64)
        self.action_space = Box(np.asarray(low, np.float32), np.asarray(high, np.float32))


@given(st.integers(0, 10), st.integers(0, 10), st.sampled_from(["d2", "d4", "d6", "so2/5"]))
def test_products_of_elements_move_as_one_after_the_other(i, j, words):
    symmetry = symmetry_of("reacher", words)
    a, b = (symmetry.group.elements[k % len(symmetry.group)] for k in (i, j))
    rng = np.random.default_rng(i + 11 * j)
    for move, size in ((symmetry.observe, 8), (symmetry.act, 2), (symmetry.move, 7)):
        x = rng.normal(size=(3, size))
        assert np.abs(move(a @ b, x) - move(a, move(b, x))).max() < 1e-12
        assert np.abs(move(a, x[0]) - move(a, x)[0]).max() == 0.0
        assert np.abs(move(symmetry.group.identity, x) - x).max() == 0.0


def test_matrices_are_what_moves():
    symmetry = symmetry_of("walker")
    x = np.random.default_rng(0).normal(size=24)
    for g, matrix in zip(symmetry.group, symmetry.matrices("observation"), strict=True):
        assert np.abs(matrix @ x - symmetry.observe(g, x)).max() < 1e-12
    swapped = symmetry.observe(symmetry.group["s"], x)
    assert np.array_equal(swapped[2:8], x[8:14]) and np.array_equal(swapped[18:21], x[21:24])


def test_symmetries_of_maps_have_the_declared_sides():
    symmetry = symmetry_of("reacher")
    g = symmetry.group["s"]
    o, a = torch.randn(4, 8, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    assert torch.allclose(symmetry.policy.output(g, a), torch.from_numpy(symmetry.act(g, a)))
    moved = symmetry.critic.input(g, (o, a))
    assert torch.allclose(moved[0], torch.from_numpy(symmetry.observe(g, o))) and torch.allclose(moved[1], -a)
    assert symmetry.dynamics.output.channels[-1] == "1.reward" and symmetry.value.output.channels == ("value",)


@pytest.mark.parametrize("name", environments())
def test_every_entry_of_the_table_is_a_representation(name):
    symmetry_of(name).group.check()


@pytest.mark.parametrize(
    ("name", "group"), [("cartpole", "d2"), ("point_mass", "d8"), ("walker", "c4"), ("reacher", "d2*tx4"), ("reacher", "oh")]
)
def test_groups_of_which_nothing_is_declared_are_refused(name, group):
    with pytest.raises(OrbitscopeError, match="nothing is declared|group: cannot read|moves 2 axes"):
        symmetry_of(name, group)


def test_what_does_not_fit_is_refused_by_name():
    symmetry = EnvSymmetry("d1", ("cos", "sin:pseudoscalar", "speed:pseudoscalar"), "torque:pseudoscalar")
    symmetry.check(Spaces(3, [-1], [1]))
    with pytest.raises(OrbitscopeError, match=r"declares 3 numbers \(cos, sin, speed\).*shape \(4,\)"):
        symmetry.check(Spaces(4, [-1], [1]))
    with pytest.raises(OrbitscopeError, match="does not leave the box of actions"):
        symmetry.check(Spaces(3, [-1], [2]))
    with pytest.raises(OrbitscopeError, match="`observation` of shape"):
        symmetry.observe(symmetry.group["s"], np.zeros(4))
    with pytest.raises(OrbitscopeError, match="no `state` is declared"):
        symmetry.move(symmetry.group["s"], np.zeros(2))
    with pytest.raises(OrbitscopeError, match="does not know|no representation"):
        EnvSymmetry("d4", "up:vertical", "force:vector")
    with pytest.raises(OrbitscopeError, match="should be a Layout"):
        EnvSymmetry("d4", 3, "force:vector")  # pyright: ignore[reportArgumentType]
    with pytest.raises(OrbitscopeError, match="should be a Group"):
        EnvSymmetry(3, "place:vector", "force:vector")  # pyright: ignore[reportArgumentType]
    spaces: Any = Spaces(3, [-1], [1])
    spaces.action_space = Discrete(3)
    with pytest.raises(OrbitscopeError, match="action space should be a box"):
        symmetry.check(spaces)


def test_the_box_decides_which_groups_of_the_plane_may_act():
    force = {"observation": "place:vector", "action": "force:vector"}
    EnvSymmetry("d4", **force).check_box([-1, -1], [1, 1])
    for words, low, high in (("d8", [-1, -1], [1, 1]), ("d4", [-1, -2], [1, 2]), ("c2", [0, 0], [1, 1])):
        with pytest.raises(OrbitscopeError, match="leave the box"):
            EnvSymmetry(words, **force).check_box(low, high)


def test_a_representation_that_is_none_is_refused():
    class Squared(Representation):
        def size(self, ndim):
            return 2

        def matrix(self, element, /):
            return np.asarray(element) @ np.asarray(element)

        def __repr__(self):
            return "squared"

    with pytest.raises(OrbitscopeError, match="moves by no representation"):
        EnvSymmetry("d3", Layout((Field("v", Squared()),)), "force:vector")


def test_images_move_as_on_a_grid():
    symmetry = EnvSymmetry("d1", GridAction(Layout.of("grey"), Grid.square(5)), "force:pseudoscalar")
    picture = np.random.default_rng(0).normal(size=(2, 1, 5, 5))
    moved = symmetry.observe(parse_group("d1")["s"], picture)
    assert moved.shape == picture.shape and not np.array_equal(moved, picture)
    with pytest.raises(OrbitscopeError, match="should be a vector of values"):
        symmetry.matrices("observation")
