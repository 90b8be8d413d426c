"""Coherence across times and across classes of initial conditions, and what it says about roll-outs."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ...data import Trajectories

Array = NDArray[np.float64]
_DIMS = ("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory")


def by_lag(result: xr.Dataset, *, seed: int = 0, resamples: int = 1000) -> xr.Dataset:
    r"""Coherence of a result of `influence` by the time between bra and ket, $|t - t'|$ in frames.

    Dimensions [element, lag]: `same`, median over pairs of one trajectory; `different`, over pairs of different trajectories; both with
    quartiles `_low`, `_high`; `excess`, their difference, with a bootstrap 95 % interval over trajectories (pairs that a resample makes of
    one trajectory with itself count as neither); `pairs` [lag], how many of one trajectory there are.

    Lag 0 of `same` is the response of `influence`. Raises `OrbitscopeError` for a result without pairs.

    * `result`: a result of `influence`.
    * `seed`: of the bootstrap.
    * `resamples`: of the bootstrap over trajectories.
    """
    values = _coherence(result)
    times = result["bra_time"].values
    gap = np.abs(times[:, None] - result["ket_time"].values[None, :])
    lags = np.unique(gap)
    count = values.shape[2]
    own = np.eye(count, dtype=bool)
    columns: dict[str, Array] = {
        name: np.full((len(values), len(lags)), np.nan)
        for name in ("same", "same_low", "same_high", "different", "different_low", "different_high", "excess", "excess_low", "excess_high")
    }
    pairs = np.zeros(len(lags), dtype=int)
    for j, lag in enumerate(lags):
        at = np.argwhere(gap == lag)
        pairs[j] = len(at) * count
        for e in range(len(values)):
            block = np.stack([values[e, b, :, k, :] for b, k in at])
            for name, part in (("same", block[:, own]), ("different", block[:, ~own])):
                columns[f"{name}_low"][e, j], columns[name][e, j], columns[f"{name}_high"][e, j] = _quartiles(part)
            columns["excess_low"][e, j], columns["excess_high"][e, j] = _interval(
                count, resamples, [seed, 0x1A6, j, e], lambda pick, block=block: _excess(block, pick)
            )
    columns["excess"] = columns["same"] - columns["different"]
    found = xr.Dataset(
        {name: (("element", "lag"), value, {"long_name": _WORDS[name.split("_")[0]], "units": "1"}) for name, value in columns.items()},
        coords={"element": result["element"].values, "lag": lags},
        attrs={**_kept(result), "kind": "by_lag", "sign": "positive = a step on the ket lowers the bra's loss"},
    )
    found["pairs"] = ("lag", pairs, {"long_name": "pairs of one trajectory", "units": "1"})
    found["lag"].attrs.update(long_name="|t - t'|", units="frames")
    return found


_WORDS = {
    "same": "coherence within a trajectory, median or quartile",
    "different": "coherence between trajectories, median or quartile",
    "excess": "same minus different; _low and _high: bootstrap 95 % interval over trajectories",
}


def join_classes(classes: Mapping[str, Trajectories], *, per_class: int | None = 4, seed: int = 0) -> tuple[Trajectories, NDArray[np.str_]]:
    """Some trajectories of each class of initial conditions as one data set, and the class of each of them.

    Feed the data to `influence(..., trajectories=None)` and both to `by_class`. Raises
    `OrbitscopeError` unless layout, grid, time step and number of times agree.

    * `classes`: name of a class -> its trajectories; layouts, grids and time steps must agree.
    * `per_class`: how many of each, drawn at random by `seed`; None: all.
    * `seed`: of that choice.
    """
    if len(classes) < 2:
        raise OrbitscopeError(f"join_classes: `classes` should hold at least two data sets by name, got {list(classes)}.")
    first_name, first = next(iter(classes.items()))
    parts, labels = [], []
    for number, (name, data) in enumerate(classes.items()):
        for what in ("layout", "grid", "dt", "times"):
            mine, other = getattr(data, what), getattr(first, what)
            if mine != other:
                raise OrbitscopeError(f"join_classes: {name!r} and {first_name!r} differ in {what}: {mine} and {other}.")
        count = data.trajectories if per_class is None else min(per_class, data.trajectories)
        chosen = np.sort(np.random.default_rng([seed, 0xC1A5, number]).permutation(data.trajectories)[:count])
        parts.append(data[chosen.tolist()].tensor())
        labels += [name] * count
    joined = first.replace(values=torch.cat([p.to(parts[0].dtype) for p in parts]), provenance={"classes": list(classes)})
    return joined, np.array(labels)


def by_class(result: xr.Dataset, labels: NDArray[np.str_] | list[str]) -> xr.Dataset:
    r"""Coherence of a result of `influence` between transitions of class a at time t and of class b at time t'.

    Dimensions [element, bra_class, bra_time, ket_class, ket_time]: `coherence`, median over pairs of different trajectories, with quartiles
    `_low`, `_high`; `own` [element, bra_class, bra_time, ket_time]: over pairs of one trajectory. NaN where a class has a single
    trajectory.

    * `result`: a result of `influence`.
    * `labels`: the class of every trajectory of the data (from `join_classes`).

    Raises `OrbitscopeError` where there are fewer labels than trajectories, and for a result without coherences.
    """
    values = _coherence(result)
    known = np.asarray(labels)
    index = result["bra_trajectory"].values
    if index.max(initial=-1) >= len(known):
        raise OrbitscopeError(f"by_class: `labels` has {len(known)} entries, but the result is about trajectory {index.max()}.")
    own = known[index]
    names = list(dict.fromkeys(own.tolist()))
    shape = (len(values), len(names), values.shape[1], len(names), values.shape[3])
    quartiles, same = np.full((3, *shape), np.nan), np.full((shape[0], shape[1], shape[2], shape[4]), np.nan)
    apart = ~np.eye(len(own), dtype=bool)
    for a, b in np.ndindex(len(names), len(names)):
        pick = (own[:, None] == names[a]) & (own[None, :] == names[b]) & apart
        for e, t, u in np.ndindex(shape[0], shape[2], shape[4]):
            quartiles[:, e, a, t, b, u] = _quartiles(values[e, t, :, u, :][pick])
            if a == b:
                same[e, a, t, u] = np.median(np.diagonal(values[e, t, :, u, :])[own == names[a]])
    dims = ("element", "bra_class", "bra_time", "ket_class", "ket_time")
    words = "coherence between different trajectories"
    return xr.Dataset(
        {
            "coherence": (dims, quartiles[1], {"long_name": f"{words}, median", "units": "1"}),
            "coherence_low": (dims, quartiles[0], {"long_name": f"{words}, lower quartile", "units": "1"}),
            "coherence_high": (dims, quartiles[2], {"long_name": f"{words}, upper quartile", "units": "1"}),
            "own": (
                ("element", "bra_class", "bra_time", "ket_time"),
                same,
                {"long_name": "coherence within a trajectory, median", "units": "1"},
            ),
        },
        coords={
            "element": result["element"].values,
            **{f"{side}_class": names for side in ("bra", "ket")},
            **{f"{side}_time": result[f"{side}_time"].values for side in ("bra", "ket")},
        },
        attrs={**_kept(result), "kind": "by_class", "sign": "positive = a step on the ket lowers the bra's loss"},
    )


def lag_correlation(
    result: xr.Dataset,
    errors: xr.Dataset,
    *,
    element: str = "e",
    error: str = "relative_l2",
    seed: int = 0,
    resamples: int = 1000,
) -> xr.Dataset:
    r"""Rank correlation (Spearman) of coherence across a lag with the roll-out error at that horizon.

    For every trajectory i and lag l > 0 (in frames) there is the mean coherence $c_{il}$ of its own transitions l apart, and the error
    $e_{il}$ of the roll-out at horizon l (mean over channels). Three questions:

    * `pooled`: over all (i, l). Dominated by time: coherence falls and errors grow with the lag.
    * `within`: over l for each trajectory, mean over trajectories. The same, free of differences between trajectories.
    * `between`: over trajectories for each lag, mean over lags. Free of the common trend in time: do trajectories whose transitions cohere
      less roll out worse?

    Each has a bootstrap 95 % interval over trajectories, `_low` and `_high`; `coherence`, `error` [trajectory, lag] are what was ranked.
    Negative = more coherence, less error, as reported in arXiv 2509.00024, which may count otherwise. Raises `OrbitscopeError` where no lag
    of the result is a horizon of the errors.

    * `result`: a result of `influence`.
    * `errors`: a result of `rollout` on the *same* data.
    * `element`: by whose coherence.
    * `error`: the variable of `errors` that is ranked.
    * `seed`: of the bootstrap.
    * `resamples`: of the bootstrap over trajectories.
    """
    values = _coherence(result.sel(element=[element]))[0]
    gap = np.abs(result["bra_time"].values[:, None] - result["ket_time"].values[None, :])
    index = result["bra_trajectory"].values
    if error not in errors or index.max(initial=-1) >= errors.sizes.get("trajectory", 0):
        raise OrbitscopeError(
            f"lag_correlation: `errors` should be what `rollout` gives on the same data, with {error!r} of {index.max() + 1} trajectories."
        )
    lags = [int(lag) for lag in np.unique(gap) if lag > 0 and lag in errors["horizon"].values]
    if not lags or len(index) < 3:
        raise OrbitscopeError(
            f"lag_correlation: needs 3 trajectories and a lag that is a horizon; got {len(index)}, lags {np.unique(gap).tolist()} and "
            f"horizons {errors['horizon'].values.tolist()}. Probe more times."
        )
    own = np.diagonal(values, axis1=1, axis2=3)  # [bra_time, ket_time, trajectory]
    coherence = np.stack([own[gap == lag].mean(0) for lag in lags], 1)
    measured = errors[error].mean("channel") if "channel" in errors[error].dims else errors[error]
    wrong = measured.transpose("trajectory", "horizon").sel(horizon=lags).values[index]
    found = xr.Dataset(
        {
            "coherence": (("trajectory", "lag"), coherence, {"long_name": "mean coherence within the trajectory", "units": "1"}),
            "error": (("trajectory", "lag"), wrong, {"long_name": f"{error} of the roll-out at that horizon"}),
        },
        coords={"trajectory": index, "lag": lags},
        attrs={**_kept(result), "kind": "lag_correlation", "sign": "negative = more coherence, less error", "element": element},
    )
    for number, (name, statistic) in enumerate({"pooled": _pooled, "within": _within, "between": _between}.items()):
        low, high = _interval(len(index), resamples, [seed, 0x1A7, number], lambda pick, f=statistic: f(coherence[pick], wrong[pick]))
        words = f"Spearman rank correlation, {name}"
        for suffix, value in (("", statistic(coherence, wrong)), ("_low", low), ("_high", high)):
            found[name + suffix] = ((), value, {"long_name": words, "units": "1"})
    return found


def spearman(a: Array, b: Array) -> float:
    """Rank correlation with mean ranks for ties; NaN where one side is constant, values that are not finite left out."""
    from scipy.stats import rankdata

    good = np.isfinite(a) & np.isfinite(b)
    if good.sum() < 2:
        return float("nan")
    ra, rb = (rankdata(v[good]) for v in (a, b))
    ra, rb = ra - ra.mean(), rb - rb.mean()
    size = float(np.sqrt((ra @ ra) * (rb @ rb)))
    return float(ra @ rb) / size if size > 0 else float("nan")


def _pooled(coherence: Array, error: Array) -> float:
    return spearman(coherence.ravel(), error.ravel())


def _within(coherence: Array, error: Array) -> float:
    return _mean([spearman(a, b) for a, b in zip(coherence, error, strict=True)])


def _between(coherence: Array, error: Array) -> float:
    return _mean([spearman(a, b) for a, b in zip(coherence.T, error.T, strict=True)])


def _mean(values: list[float]) -> float:
    kept = [v for v in values if np.isfinite(v)]
    return float(np.mean(kept)) if kept else float("nan")


def _excess(block: Array, pick: NDArray[np.int64]) -> float:
    """Median of same-trajectory entries minus that of the others of [pairs of times, bra, ket], for resampled trajectories."""
    chosen = block[:, pick][:, :, pick]
    same = np.diagonal(chosen, axis1=1, axis2=2)
    other = chosen[:, pick[:, None] != pick[None, :]]
    if not other.size or np.isnan(same).all() or np.isnan(other).all():
        return float("nan")
    return float(np.nanmedian(same) - np.nanmedian(other))


def _interval(count: int, resamples: int, key: list[int], statistic: Callable[[NDArray[np.int64]], float]) -> tuple[float, float]:
    if count < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(key)
    drawn = np.array([statistic(rng.integers(count, size=count)) for _ in range(resamples)])
    drawn = drawn[np.isfinite(drawn)]
    return (float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))) if drawn.size else (float("nan"), float("nan"))


def _quartiles(values: Array) -> Array:
    kept = values[~np.isnan(values)]
    return np.quantile(kept, [0.25, 0.5, 0.75]) if kept.size else np.full(3, np.nan)


def _coherence(result: xr.Dataset) -> Array:
    if "coherence" not in result or set(result["coherence"].dims) != set(_DIMS):
        raise OrbitscopeError("result: it should be what `influence` gives, with `coherence` of every pair of transitions.")
    return result["coherence"].transpose(*_DIMS).values


def _kept(result: xr.Dataset) -> dict[str, object]:
    """The attributes that stay true of what is made from a result."""
    return {k: v for k, v in result.attrs.items() if k not in ("kind", "sign", "plan")}
