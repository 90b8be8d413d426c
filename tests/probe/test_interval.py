"""Jackknife intervals of shares and ratios: against an obvious loop, their limits, and how often they err."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from orbitscope.probe.verdicts._interval import by_trajectory, ratio_interval, share_interval


def test_share_and_ratio_follow_their_formulas() -> None:
    """One trajectory left out at a time, by hand."""
    rng = np.random.default_rng(0)
    part, whole = rng.uniform(0, 1, 7), rng.uniform(1, 3, 7)
    share, ratio = share_interval(part, whole), ratio_interval(part, whole)
    effective = min(sum(w) ** 2 / sum(v**2 for v in w) for w in (part.tolist(), whole.tolist()))
    assert 4 < effective < 7
    for found, transform, back in (
        (share, lambda b: math.log(b / (1 - b)), lambda v: 1 / (1 + math.exp(-v))),
        (ratio, math.log, math.exp),
    ):
        rest = [transform(sum(part[k] for k in range(7) if k != j) / sum(whole[k] for k in range(7) if k != j)) for j in range(7)]
        spread = math.sqrt(6 / 7 * sum((v - sum(rest) / 7) ** 2 for v in rest))
        centre, reach = transform(part.sum() / whole.sum()), student.ppf(0.975, effective - 1) * spread
        assert float(found.value) == pytest.approx(part.sum() / whole.sum(), rel=1e-12)
        assert float(found.low) == pytest.approx(back(centre - reach), rel=1e-10)
        assert float(found.high) == pytest.approx(back(centre + reach), rel=1e-10)


def test_sums_by_trajectory_and_shapes() -> None:
    values = np.arange(24.0).reshape(2, 12)
    owner = np.array([5, 2, 9] * 4)
    sums = by_trajectory(values, owner)
    assert sums.shape == (2, 3)
    np.testing.assert_allclose(sums[:, 1], values[:, owner == 5].sum(1))  # in the order of their numbers: 2, 5, 9
    assert share_interval(sums, 3 * sums).low.shape == (2,)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_trajectories_give_what_always_holds(n: int) -> None:
    part, whole = np.full(n, 0.2), np.arange(1.0, n + 1)
    share, ratio = share_interval(part, whole), ratio_interval(part, whole)
    assert (float(share.low), float(share.high)) == (0, 1) and (float(ratio.low), float(ratio.high)) == (0, np.inf)


def test_nothing_over_nothing_is_not_a_number_and_the_ends_stay_inside() -> None:
    zero, one = np.zeros(5), np.arange(1.0, 6.0)
    assert np.isnan(float(share_interval(zero, zero).value)) and np.isnan(float(ratio_interval(zero, zero).value))
    assert float(share_interval(zero, one).high) < 1e-9 and float(share_interval(one, one).low) > 1 - 1e-9


@given(st.integers(0, 2**32 - 1), st.integers(4, 12), st.floats(1e-6, 1e6))
def test_the_share_keeps_its_value_under_scale_and_order(seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    whole = rng.uniform(0.1, 1, n)
    part = whole * rng.uniform(0.01, 0.99, n)
    order = rng.permutation(n)
    one, other = share_interval(part, whole), share_interval(scale * part[order], scale * whole[order])
    for a, b in ((one.low, other.low), (one.value, other.value), (one.high, other.high)):
        assert float(a) == pytest.approx(float(b), rel=1e-6, abs=1e-9)
    assert 0 <= float(one.low) <= float(one.value) <= float(one.high) <= 1


def test_one_trajectory_that_outweighs_the_others_widens_the_interval() -> None:
    """The same spread with less to tell it by; equal weights give n - 1 degrees of freedom."""
    whole = np.array([1.0] * 7 + [30.0])
    part = whole * np.array([0.1, 0.12, 0.09, 0.11, 0.1, 0.13, 0.08, 0.1])
    odds = np.log(part.sum() / (whole.sum() - part.sum()))
    rest = np.array([np.log((part.sum() - a) / (whole.sum() - e - part.sum() + a)) for a, e in zip(part, whole, strict=True)])
    spread = math.sqrt(7 / 8 * ((rest - rest.mean()) ** 2).sum())
    found = share_interval(part, whole)
    assert float(found.high) == pytest.approx(1 / (1 + np.exp(-(odds + student.ppf(0.975, 1) * spread))), abs=0.02)
    assert float(found.high) > 1 / (1 + np.exp(-(odds + student.ppf(0.975, 7) * spread)))


@pytest.mark.parametrize(("size", "slope"), [(1.2, 0.0), (1.5, 0.0), (1.0, 0.2), (0.8, 0.3)])
def test_errors_on_heavy_tails(size: float, slope: float) -> None:
    """Sizes over decades, and shares that fall with the size: with n - 1 degrees of freedom up to 8 % of the draws erred to one side."""
    rng, draws, truth = np.random.default_rng(3), 4000, None
    for n in (400_000, 4, 8, 16):
        normal = rng.normal(size=(1 if truth is None else draws, n))
        whole = np.exp(size * normal)
        part = whole / (1 + np.exp(-rng.normal(-2.5, 0.5, whole.shape) + slope * normal))
        if truth is None:
            truth = float(part.sum() / whole.sum())
            continue
        share = share_interval(part, whole)
        assert np.mean(share.low > truth) < 0.05 and np.mean(share.high < truth) < 0.05, n


def test_one_sided_errors_of_the_intervals() -> None:
    """Trajectories of very different size, whose share differs too: each limit fails in 2.5 % of draws, and here in less than 6."""
    rng = np.random.default_rng(1)
    draws = 4000
    for n in (4, 8, 16):
        whole = rng.lognormal(0, 0.7, (draws, n))
        odds = rng.normal(-2.5, 0.5, (draws, n))
        part = whole / (1 + np.exp(-odds))
        big = np.random.default_rng(2)
        truth = float((1 / (1 + np.exp(-big.normal(-2.5, 0.5, 10**6)))).mean())  # size and share are independent
        share = share_interval(part, whole)
        assert np.mean(share.low > truth) < 0.06 and np.mean(share.high < truth) < 0.06, n
        assert np.mean(share.high - share.low) < 0.35
        ratio = ratio_interval(rng.lognormal(0, 0.5, (draws, n)), rng.lognormal(0, 0.5, (draws, n)))
        assert np.mean(ratio.low > 1) < 0.06 and np.mean(ratio.high < 1) < 0.06, n
