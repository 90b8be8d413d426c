"""Permutation tests in both directions, against a plain loop over permutations; how many trajectories they need."""

import itertools
import math

import numpy as np
import pytest

from orbitscope.probe.learning._permutation import draws_for, exchanged, holm, permutation_test, trajectories_needed


def slow(block: np.ndarray, order: tuple[int, ...]) -> float:
    """Median of the diagonal minus median of the rest, kets reordered."""
    own, rest = [], []
    for t, i, j in np.ndindex(block.shape):
        value = block[t, i, order[j]]
        if not np.isnan(value):
            (own if i == j else rest).append(value)
    return float(np.median(own) - np.median(rest)) if own and rest else float("nan")


@pytest.mark.parametrize("undefined", [0.0, 0.2, 0.8])
@pytest.mark.parametrize("ties", [False, True])
def test_the_statistic_is_that_of_a_plain_loop(undefined: float, ties: bool) -> None:
    """By ranks, as written out; NaN left out; ties."""
    rng = np.random.default_rng(3)
    for count, times in ((2, 1), (3, 2), (4, 3)):
        block = rng.normal(size=(times, count, count))
        block = np.round(block) if ties else block
        block[rng.random(block.shape) < undefined] = np.nan
        orders = list(itertools.permutations(range(count)))
        np.testing.assert_allclose(exchanged(block, np.array(orders)), [slow(block, o) for o in orders])


def test_it_counts_all_permutations_in_both_directions() -> None:
    block = np.random.default_rng(0).normal(size=(2, 4, 4)) + 0.7 * np.eye(4)
    values = np.array([slow(block, o) for o in itertools.permutations(range(4))])
    found = permutation_test(block, 0)
    assert found.more == pytest.approx(np.mean(values >= values[0] - 1e-12))
    assert found.less == pytest.approx(np.mean(values <= values[0] + 1e-12))
    assert found.least == pytest.approx(2 / 24) and found.p == pytest.approx(min(1, 2 * min(found.more, found.less)))
    turned = permutation_test(-block, 0)
    assert (turned.more, turned.less) == pytest.approx((found.less, found.more))


@pytest.mark.parametrize("count", [5, 8])
def test_it_is_calibrated_and_has_power(count: int) -> None:
    """All permutations, and random ones. 300 nulls: at most 26 of 15 expected below 5 % (three standard deviations)."""
    rng = np.random.default_rng(5)
    null = np.array([permutation_test(rng.normal(size=(2, count, count)), 0, 499).p for _ in range(300)])
    assert np.sum(null <= 0.05) <= 26 and 0.4 < np.mean(null) < 0.62
    for sign in (1, -1):
        found = permutation_test(rng.normal(size=(2, count, count)) + sign * 6 * np.eye(count), 0)
        assert found.p == pytest.approx(found.least)


def test_nothing_to_test() -> None:
    for block in (np.ones((2, 1, 1)), np.full((2, 4, 4), np.nan), np.where(np.eye(3, dtype=bool), np.nan, 1.0)[None]):
        assert np.isnan(permutation_test(block, 0).p)


@pytest.mark.parametrize("elements", [1, 2, 7, 15, 63, 1023])
def test_draws_and_trajectories_suffice_for_so_many_elements(elements: int) -> None:
    """The smallest p-value survives Holm's first step; one trajectory fewer, or a tenth of the draws, would not be enough."""
    needed = trajectories_needed(elements)
    assert 2 * elements / math.factorial(needed) <= 0.05 < 2 * elements / math.factorial(needed - 1)
    assert 2 * elements / (draws_for(elements) + 1) <= 0.005 + 1e-12
    strong = np.random.default_rng(0).normal(size=(1, 9, 9)) * 0.01 + np.eye(9)
    assert permutation_test(strong, 0, draws_for(elements)).p * elements <= 0.05


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])
    found = holm(np.array([0.5, np.nan, 0.9]))
    assert found[0] == 1.0 and np.isnan(found[1]) and found[2] == 1.0
