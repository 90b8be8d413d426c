"""Response, null and excess of a coherence matrix."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ._permutation import draws_for, holm, permutation_test

Array = NDArray[np.float64]
_ENTRIES = 2**22  # numbers of resampled blocks that are held at a time


def summarise(coherence: xr.DataArray, seed: int, resamples: int = 1000, identity: str = "e") -> dict[str, xr.DataArray]:
    """Per element: medians and quartiles of same-transition pairs (response) and of unrelated ones (null), and their difference.

    Null pairs have different trajectories and the *same* time: states at one time resemble each other more than states at different
    times, so this null is the stricter one. The interval of the excess resamples trajectories, the independent units, and excludes pairs
    that a resample makes of one trajectory with itself. With a single trajectory there is no null: NaN. Undefined coherences (a zero
    gradient) are left out.

    `p_value`: two-sided permutation test of "gx answers its own x as it answers any other x'" (see `permutation_test`); `p_holm`: after
    Holm's correction for all elements but the identity, which is no test (its own kets are its bras); `p_least`: the smallest p-value that
    so many trajectories allow, 2 / n! or that of the random draws, whose number grows with the number of elements.
    """
    values = coherence.transpose("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory").values
    same_time = np.stack([values[:, t, :, t, :] for t in range(values.shape[1])], axis=1)  # [element, time, bra, ket]
    response = np.diagonal(same_time, axis1=2, axis2=3)
    apart = ~np.eye(same_time.shape[2], dtype=bool)
    null = same_time[:, :, apart]
    intervals = np.array([_bootstrap(block, seed, resamples) for block in same_time])
    columns = {
        **_quartiles("response", response.reshape(len(values), -1)),
        **_quartiles("null", null.reshape(len(values), -1)),
        "excess_low": intervals[:, 0],
        "excess_high": intervals[:, 1],
    }
    columns["excess"] = columns["response"] - columns["null"]
    names = [str(n) for n in coherence["element"].values]
    tested = np.array([n != identity for n in names])
    tests = [permutation_test(block, seed, draws_for(int(tested.sum()))) for block in same_time]
    p, least = np.array([(one.p, one.least) for one in tests]).T
    columns["p_value"], columns["p_holm"], columns["p_least"] = p, np.full(len(p), np.nan), least
    columns["p_holm"][tested] = holm(p[tested])
    words = {
        "response": "median coherence of gx with its own x",
        "null": "median coherence of gx with unrelated x' at the same time",
        "excess": "response minus null; _low and _high: bootstrap 95 % interval over trajectories",
        "p_value": "permutation test that gx answers its own x more, or less, than others; two-sided",
        "p_holm": "the same after Holm's correction for all elements but the identity",
        "p_least": "smallest two-sided p-value that so many trajectories allow, before the correction",
    }
    return {
        name: xr.DataArray(
            value, dims="element", coords={"element": coherence["element"]}, attrs={"long_name": words.get(name, name), "units": "1"}
        )
        for name, value in columns.items()
    }


def _quartiles(name: str, values: Array) -> dict[str, Array]:
    kept = [_defined(row) for row in values]
    low, middle, high = np.array([np.quantile(row, [0.25, 0.5, 0.75]) if row.size else [np.nan] * 3 for row in kept]).T
    return {name: middle, f"{name}_low": low, f"{name}_high": high}


def _bootstrap(block: Array, seed: int, resamples: int) -> tuple[float, float]:
    """95 % interval of median(diagonal) - median(off-diagonal) of [time, bra, ket] under resampled trajectories."""
    count = block.shape[1]
    if count < 2:
        return float("nan"), float("nan")
    picks = np.random.default_rng([seed, 0xB007]).integers(count, size=(resamples, count))
    some = max(1, _ENTRIES // block.size)
    estimates = np.concatenate([_resampled(block, picks[k : k + some]) for k in range(0, resamples, some)])
    estimates = _defined(estimates)
    if not estimates.size:
        return float("nan"), float("nan")
    low, high = np.quantile(estimates, [0.025, 0.975])
    return float(low), float(high)


def _resampled(block: Array, picks: NDArray[np.int64]) -> Array:
    """median(diagonal) - median(off-diagonal) for every row of `picks`; NaN where a resample has no pair of one of the two kinds."""
    count = len(picks)
    chosen = block[:, picks[:, :, None], picks[:, None, :]]  # [time, R, n, n]
    same = np.diagonal(chosen, axis1=2, axis2=3).transpose(1, 0, 2).reshape(count, -1)
    other = np.where(picks[:, :, None] != picks[:, None, :], chosen, np.nan).transpose(1, 0, 2, 3).reshape(count, -1)
    return medians(same) - medians(other)


def medians(rows: Array) -> Array:
    """Median of the defined entries of every row; NaN where there are none. (nanmedian warns there, and is slow on short rows.)

    * `rows`: [N, M].
    """
    ordered, counts = np.sort(rows, axis=1), (~np.isnan(rows)).sum(1)  # NaN last
    at = np.arange(len(rows))
    return (ordered[at, np.maximum(counts - 1, 0) // 2] + ordered[at, np.minimum(counts // 2, rows.shape[1] - 1)]) / 2


def _defined(values: Array) -> Array:
    return values[~np.isnan(values)]
