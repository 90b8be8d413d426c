"""Response, null and excess of a coherence matrix."""

import itertools
import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Array = NDArray[np.float64]


def summarise(coherence: xr.DataArray, seed: int, resamples: int = 1000, identity: str = "e") -> dict[str, xr.DataArray]:
    """Per element: medians and quartiles of same-transition pairs (response) and of unrelated ones (null), and their difference.

    Null pairs have different trajectories and the *same* time: states at one time resemble each other more than states at different
    times, so this null is the stricter one. The interval of the excess resamples trajectories, the independent units, and excludes pairs
    that a resample makes of one trajectory with itself. With a single trajectory there is no null: NaN. Undefined coherences (a zero
    gradient) are left out.

    `p_value`: one-sided permutation test of "gx answers its own x no more than any other x'": the kets' trajectories are exchanged, all of
    them if there are few, else 1999 random ones. `p_holm`: after Holm's correction for all elements but the identity, which is
    no test (its own kets are its bras). n trajectories allow no p below 1 / n!; `p_least` says what is possible.
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
    p, least = np.array([permutation_test(block, seed) for block in same_time]).T
    tested = np.array([n != identity for n in names])
    columns["p_value"], columns["p_holm"], columns["p_least"] = p, np.full(len(p), np.nan), least
    columns["p_holm"][tested] = holm(p[tested])
    words = {
        "response": "median coherence of gx with its own x",
        "null": "median coherence of gx with unrelated x' at the same time",
        "excess": "response minus null; _low and _high: bootstrap 95 % interval over trajectories",
        "p_value": "permutation test that gx answers its own x more than others; one-sided",
        "p_holm": "the same after Holm's correction for all elements but the identity",
        "p_least": "smallest p-value that so many trajectories allow",
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
    rng = np.random.default_rng([seed, 0xB007])
    estimates = []
    for _ in range(resamples):
        pick = rng.integers(count, size=count)
        apart = pick[:, None] != pick[None, :]
        chosen = block[:, pick][:, :, pick]
        same, other = _defined(np.diagonal(chosen, axis1=1, axis2=2)), _defined(chosen[:, apart])
        if same.size and other.size:
            estimates.append(np.median(same) - np.median(other))
    if not estimates:
        return float("nan"), float("nan")
    low, high = np.quantile(estimates, [0.025, 0.975])
    return float(low), float(high)


def permutation_test(block: Array, seed: int, draws: int = 1999) -> tuple[float, float]:
    """One-sided p-value of median(diagonal) - median(rest) of [time, bra, ket] under exchanged kets, and the least that is possible."""
    count = block.shape[1]
    if count < 2 or np.isnan(block).all():
        return float("nan"), float("nan")

    observed = float(_exchanged(block, np.arange(count)[None])[0])
    if math.factorial(count) <= draws + 1:
        orders = np.array(list(itertools.permutations(range(count))))
        return float(np.mean(_exchanged(block, orders) >= observed - 1e-12)), 1 / len(orders)
    rng = np.random.default_rng([seed, 0x9E2])
    orders = np.argsort(rng.random((draws, count)), axis=1)
    reached = int((_exchanged(block, orders) >= observed - 1e-12).sum())
    return (1 + reached) / (1 + draws), 1 / (1 + draws)


def _exchanged(block: Array, orders: NDArray[np.int64]) -> Array:
    """median(diagonal) - median(rest) of [time, bra, ket] for every order of the kets, [R]; undefined entries are left out."""
    count = block.shape[1]
    rows, apart = np.arange(count), ~np.eye(count, dtype=bool)
    median = np.nanmedian if np.isnan(block).any() else np.median
    same = block[:, rows, orders]  # [time, R, n]
    moved = block[:, rows[:, None], orders[:, None, :]][..., apart]  # [time, R, n (n - 1)]
    return np.asarray(median(same, axis=(0, 2)) - median(moved, axis=(0, 2)), dtype=np.float64)


def holm(p: Array) -> Array:
    """Holm's step-down correction; NaN stays NaN and does not count."""
    out = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    running = 0.0
    for rank, k in enumerate(known[np.argsort(p[known], kind="stable")]):
        running = max(running, min(1.0, (len(known) - rank) * p[k]))
        out[k] = running
    return out


def _defined(values: Array) -> Array:
    return values[~np.isnan(values)]
