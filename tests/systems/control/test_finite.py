"""Exact values of finite processes, and the bound on their asymmetry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbitscope import OrbitscopeError
from orbitscope.systems.control import FiniteProcess, value_bound


def ring(size, wind=0.0, bonus=0.0, discount=0.9):
    """Places on a ring; step left, stay or right, slip with a tenth; the reward is near 0. The mirror i -> -i exchanges left and right."""
    step, reward = np.zeros((size, 3, size)), np.zeros((size, 3))
    for s in range(size):
        for a, d in enumerate((-1, 0, 1)):
            step[s, a, (s + d) % size] += 0.9 - wind
            step[s, a, s] += 0.1
            step[s, a, (s + 1) % size] += wind
            away = min(s, size - s)
            reward[s, a] = np.exp(-away) + bonus * (0 < s < size / 2)
    return FiniteProcess(reward, step, discount)


def mirror(size):
    return [[(-s) % size for s in range(size)]], [[2, 1, 0]]


def by_iteration(process, sweeps=3000):
    """The slow reference: value iteration."""
    q = np.zeros_like(process.reward)
    for _ in range(sweeps):
        q = process.reward + process.discount * process.step @ q.max(1)
    return q


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_values_are_those_of_value_iteration(seed):
    rng = np.random.default_rng(seed)
    process = FiniteProcess(rng.normal(size=(6, 3)), rng.dirichlet(np.ones(6), (6, 3)), 0.9)
    assert np.abs(process.values() - by_iteration(process, 400)).max() < 1e-10


def test_a_symmetric_process_has_symmetric_values():
    found = value_bound(ring(7), *mirror(7))
    assert found.reward_epsilon == 0.0 and found.step_epsilon < 1e-15 and found.asymmetry < 1e-12 and found.bound < 1e-12


@pytest.mark.parametrize("distance", [None, "ring"])
@pytest.mark.parametrize(("wind", "bonus"), [(0.0, 0.05), (0.02, 0.0), (0.1, 0.2)])
def test_the_bound_holds_and_is_no_bound_without_its_parts(distance, wind, bonus):
    size = 8
    metric = np.array([[min((i - j) % size, (j - i) % size) for j in range(size)] for i in range(size)], float) if distance else None
    found = value_bound(ring(size, wind, bonus), *mirror(size), metric)
    assert found.asymmetry <= found.bound + 1e-12 and found.asymmetry > 1e-3
    assert found.reward_epsilon == pytest.approx(bonus, abs=1e-12)
    assert found.step_epsilon == pytest.approx(wind * (2.0 if distance else 1.0), abs=1e-9)  # mass that goes one place right, not left
    if bonus == 0:
        assert found.bound == pytest.approx(0.9 * found.regularity * found.step_epsilon / 0.1)


@given(st.integers(0, 10_000), st.floats(0, 0.3), st.floats(0, 0.3))
@settings(max_examples=25, deadline=None)
def test_the_bound_holds_for_whatever_breaks_the_symmetry(seed, rewards, steps):
    rng, size = np.random.default_rng(seed), 6
    plain = ring(size)
    step = (1 - steps) * plain.step + steps * rng.dirichlet(np.ones(size), (size, 3))
    process = FiniteProcess(plain.reward + rewards * rng.uniform(-1, 1, (size, 3)), step, 0.8)
    for metric in (None, 1.0 - np.eye(size)):
        found = value_bound(process, *mirror(size), metric)
        assert found.asymmetry <= found.bound + 1e-10


def test_wasserstein_of_the_discrete_metric_is_total_variation():
    process = ring(6, 0.05, 0.1)
    a, b = value_bound(process, *mirror(6)), value_bound(process, *mirror(6), 1.0 - np.eye(6))
    assert a.step_epsilon == pytest.approx(b.step_epsilon, abs=1e-9) and a.regularity == pytest.approx(b.regularity)


def test_a_bound_that_is_reached():
    """One state whose two actions pay differently for ever: the bound is an equality where the discount is 0."""
    process = FiniteProcess(np.array([[1.0, 1.25]]), np.ones((1, 2, 1)), 0.0)
    found = value_bound(process, [[0]], [[1, 0]])
    assert found.asymmetry == found.bound == 0.25


def test_what_is_no_process_is_refused():
    good = ring(4)
    with pytest.raises(OrbitscopeError, match="should fit"):
        FiniteProcess(good.reward, good.step[:3], 0.9)
    with pytest.raises(OrbitscopeError, match="add up to 1"):
        FiniteProcess(good.reward, good.step * 0.5, 0.9)
    with pytest.raises(OrbitscopeError, match="`discount`"):
        FiniteProcess(good.reward, good.step, 1.0)
    with pytest.raises(OrbitscopeError, match="permutations"):
        value_bound(good, [[0, 0, 1, 2]], [[0, 1, 2]])
    with pytest.raises(OrbitscopeError, match="`distance`"):
        value_bound(good, *mirror(4), np.zeros((4, 4)))
