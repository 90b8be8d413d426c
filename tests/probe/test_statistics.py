"""Response, null, excess: medians over the right pairs, and an interval over trajectories."""

import numpy as np
import pytest
import xarray as xr

from orbitscope.probe.learning._statistics import summarise

DIMS = ("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory")


def coherence(values: np.ndarray) -> xr.DataArray:
    """[element, time, trajectory, time, trajectory] with coordinates."""
    times, trajectories = [3 * t for t in range(values.shape[1])], [7 + 2 * n for n in range(values.shape[2])]
    return xr.DataArray(
        values,
        dims=DIMS,
        coords={
            "element": [f"g{i}" for i in range(len(values))],
            "bra_time": times, "ket_time": times, "bra_trajectory": trajectories, "ket_trajectory": trajectories,
        },
    )  # fmt: skip


def random(elements: int = 3, times: int = 2, trajectories: int = 4, seed: int = 0) -> np.ndarray:
    """Independent numbers."""
    return np.random.default_rng(seed).normal(size=(elements, times, trajectories, times, trajectories))


def test_medians_and_quartiles_are_those_of_a_plain_loop() -> None:
    """Response: one transition with itself. Null: other trajectories at the same time. Nothing else enters."""
    values = random()
    found = summarise(coherence(values), seed=0)
    for g in range(3):
        response, null = [], []
        for t in range(2):
            for bra in range(4):
                for ket in range(4):
                    (response if bra == ket else null).append(values[g, t, bra, t, ket])
        assert len(response) == 8 and len(null) == 24
        for name, pairs in (("response", response), ("null", null)):
            low, middle, high = np.quantile(pairs, [0.25, 0.5, 0.75])
            assert found[f"{name}_low"][g] == pytest.approx(low)
            assert found[name][g] == pytest.approx(middle)
            assert found[f"{name}_high"][g] == pytest.approx(high)
        assert found["excess"][g] == pytest.approx(np.median(response) - np.median(null))
    other = values.copy()
    other[:, 0, :, 1, :] = other[:, 1, :, 0, :] = 1e9
    for name, value in summarise(coherence(other), seed=0).items():
        np.testing.assert_array_equal(value, found[name])


def test_the_order_of_dimensions_does_not_matter() -> None:
    """xarray may transpose."""
    values = coherence(random())
    one = summarise(values, seed=0)
    two = summarise(values.transpose("ket_trajectory", "bra_time", "element", "ket_time", "bra_trajectory"), seed=0)
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_the_bootstrap_is_a_plain_loop_without_pairs_of_one_trajectory() -> None:
    """Resample trajectories; a pair that a resample makes of one trajectory with itself is no null pair."""
    values = random(elements=2)
    found = summarise(coherence(values), seed=5)
    for g in range(2):
        rng = np.random.default_rng([5, 0xB007])
        estimates = []
        for _ in range(1000):
            pick = rng.integers(4, size=4)
            response, null = [], []
            for t in range(2):
                for i in pick:
                    response.append(values[g, t, i, t, i])
                    null += [values[g, t, i, t, j] for j in pick if i != j]
            if null:
                estimates.append(np.median(response) - np.median(null))
        low, high = np.quantile(estimates, [0.025, 0.975])
        assert found["excess_low"][g] == pytest.approx(low) and found["excess_high"][g] == pytest.approx(high)


def test_self_pairs_would_show() -> None:
    """Coherence 1 with itself and 0 with all others: the excess is exactly 1 in every resample."""
    values = np.zeros((1, 1, 4, 1, 4))
    values[0, 0, :, 0, :] = np.eye(4)
    found = summarise(coherence(values), seed=0)
    assert found["excess"] == found["excess_low"] == found["excess_high"] == 1


def test_the_interval_covers() -> None:
    """40 experiments of 12 trajectories with a true excess of 0.5: the 95 % interval misses it rarely, and never includes 0."""
    covered, above = 0, 0
    for seed in range(40):
        values = 0.2 * random(1, 2, 12, seed=seed)
        for n in range(12):
            values[0, :, n, :, n] += 0.5
        found = summarise(coherence(values), seed=seed, resamples=200)
        covered += bool(found["excess_low"][0] <= 0.5 <= found["excess_high"][0])
        above += bool(found["excess_low"][0] > 0)
    assert covered >= 33 and above == 40


def test_one_trajectory_has_no_null() -> None:
    """NaN, without a warning; the response stands."""
    found = summarise(coherence(random(trajectories=1)), seed=0)
    assert np.isfinite(found["response"]).all()
    for name in ("null", "null_low", "null_high", "excess", "excess_low", "excess_high"):
        assert np.isnan(found[name]).all()


def test_undefined_coherence_does_not_spread() -> None:
    """A state with zero gradient (a perfect prediction) has no coherence; the other pairs still count."""
    values = random(trajectories=5)
    values[:, 0, 2] = values[:, :, :, 0, 2] = np.nan
    found = summarise(coherence(values), seed=0)
    for g in range(3):
        same = [values[g, t, n, t, n] for t in range(2) for n in range(5)]
        assert found["response"][g] == pytest.approx(np.nanmedian(same))
    for name, value in found.items():
        assert np.isfinite(value).all(), name
    nothing = summarise(coherence(np.full((2, 1, 3, 1, 3), np.nan)), seed=0)
    assert all(np.isnan(v).all() for v in nothing.values())
    values[0] = np.nan  # one element without any, the others with
    mixed = summarise(coherence(values), seed=0)
    assert all(np.isnan(v[0]) and np.isfinite(v[1:]).all() for v in mixed.values())


def test_everything_has_a_name_and_a_unit() -> None:
    """For whoever reads the file."""
    found = summarise(coherence(random()), seed=0)
    assert all(
        v.attrs["units"] == "1" and v.attrs["long_name"] and v["element"].values.tolist() == ["g0", "g1", "g2"] for v in found.values()
    )
