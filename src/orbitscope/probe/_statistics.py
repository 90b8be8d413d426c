"""Response, null and excess of a coherence matrix."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Array = NDArray[np.float64]


def summarise(coherence: xr.DataArray, seed: int, resamples: int = 1000) -> dict[str, xr.DataArray]:
    """Per element: medians and quartiles of same-transition pairs (response) and of unrelated ones (null), and their difference.

    Null pairs have different trajectories and the *same* time: states at one time resemble each other more than states at different
    times, so this null is the stricter one. The interval of the excess resamples trajectories, the independent units, and excludes pairs
    that a resample makes of one trajectory with itself. With a single trajectory there is no null: NaN. Undefined coherences (a zero
    gradient) are left out.
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
    words = {
        "response": "median coherence of gx with its own x",
        "null": "median coherence of gx with unrelated x' at the same time",
        "excess": "response minus null; _low and _high: bootstrap 95 % interval over trajectories",
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


def _defined(values: Array) -> Array:
    return values[~np.isnan(values)]
