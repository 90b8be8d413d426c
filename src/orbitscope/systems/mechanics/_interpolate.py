"""A Gaussian process in time: what frames between frames owe to smoothness alone."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ..._errors import OrbitscopeError

Array = NDArray[np.float64]
JITTER = 1e-10
SCALES = np.geomspace(0.5, 12.0, 24)
"""Lengths that are tried, in mean distances of the known times."""


def gaussian_process(
    times: ArrayLike, values: ArrayLike, wanted: ArrayLike, rates: ArrayLike | None = None, noise: float = 0.0
) -> tuple[Array, Array]:
    r"""Values at other times, with standard deviations, by a process with covariance $s^2 \exp(-(t - t')^2 / 2 l^2)$.

    Mean and s have closed forms; l is, for each curve and coordinate, that of `SCALES` with the largest likelihood.

    * `times`: of the known values, [K], in s. `values`: [N, K, d], in any unit. `wanted`: times to predict at, [T], in s.
    * `rates`: time derivatives at the known times, [N, K, d], in the unit of values per s; None: not known.
    * `noise`: standard deviation of the known values, in their unit; rates are taken to have it over the mean distance of the times.

    Mean and standard deviation, [N, T, d] both. Raises `OrbitscopeError` for shapes that do not fit, fewer than two times, and times that
    do not increase. Source: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), ch. 2 and 9.4.
    """
    t, y, at = np.asarray(times, float), np.asarray(values, float), np.asarray(wanted, float)
    slopes = None if rates is None else np.asarray(rates, float)
    if t.ndim != 1 or len(t) < 2 or (np.diff(t) <= 0).any() or y.ndim != 3 or y.shape[1] != len(t):
        raise OrbitscopeError(
            f"gaussian_process: `times` should be at least two and increase, `values` [N, {t.size}, d]; got {t[:4].tolist()}... and "
            f"{list(y.shape)}."
        )
    if slopes is not None and slopes.shape != y.shape:
        raise OrbitscopeError(f"gaussian_process: `rates` should be {list(y.shape)}, as `values`; got {list(slopes.shape)}.")
    count, step = y.shape[0] * y.shape[2], float(np.diff(t).mean())
    curves = y.transpose(0, 2, 1).reshape(count, -1)
    centre = curves.mean(1)
    data = curves - centre[:, None]
    size = np.maximum(np.sqrt((data**2).mean(1)), 1e-300)
    data = data / size[:, None]
    if slopes is not None:  # in units of the distance of the times, so that one matrix holds both
        data = np.concatenate([data, slopes.transpose(0, 2, 1).reshape(count, -1) * step / size[:, None]], 1)
    best = np.full(count, -np.inf)
    mean, spread = np.zeros((count, len(at))), np.zeros((count, len(at)))
    together = [np.arange(count)] if not noise else [np.array([k]) for k in range(count)]  # noise is another part of each curve's size
    for mine in together:
        for scale in SCALES:
            variance = float(noise / size[mine[0]]) ** 2
            _try(scale, variance, (t / step, at / step), data, slopes is not None, mine, (best, mean, spread))
    mean, spread = mean * size[:, None] + centre[:, None], spread * size[:, None]
    shape = (y.shape[0], y.shape[2], len(at))
    return mean.reshape(shape).transpose(0, 2, 1), spread.reshape(shape).transpose(0, 2, 1)


def _try(
    scale: float,
    variance: float,
    times: tuple[Array, Array],
    data: Array,
    slopes: bool,
    mine: NDArray[np.intp],
    kept: tuple[Array, Array, Array],
) -> None:
    """Replace what is `kept` of the curves `mine` (likelihood, mean, standard deviation) where `scale` explains them better."""
    best, mean, spread = kept
    t, at = times
    matrix = _covariance(t, t, scale, slopes, slopes)
    matrix[np.diag_indices_from(matrix)] += variance + JITTER
    try:
        factor = cho_factor(matrix, lower=True)
    except LinAlgError:
        return
    some = data[mine]
    weights = cho_solve(factor, some.T)
    amplitude = np.maximum((some.T * weights).mean(0), 1e-30)  # s^2 where it makes the data likeliest
    likelihood = -0.5 * len(matrix) * np.log(amplitude) - np.log(np.diag(factor[0])).sum()
    better = likelihood > best[mine]
    if not better.any():
        return
    cross = _covariance(at, t, scale, False, slopes)
    left = np.maximum(1 - (cross * cho_solve(factor, cross.T).T).sum(1), 0.0)
    won = mine[better]
    best[won] = likelihood[better]
    mean[won] = (cross @ weights).T[better]
    spread[won] = np.sqrt(left * amplitude[better][:, None])


def _covariance(a: Array, b: Array, scale: float, first: bool, second: bool) -> Array:
    """The covariance of values, and of derivatives behind them where `first` or `second` says so, at times `a` and `b`."""
    gap = a[:, None] - b
    k = np.exp(-0.5 * (gap / scale) ** 2)
    to_second = gap / scale**2 * k  # with the derivative at b
    rows = [np.concatenate([k, to_second], 1) if second else k]
    if first:
        both = (1 / scale**2 - gap**2 / scale**4) * k
        rows.append(np.concatenate([-to_second, both], 1) if second else -to_second)
    return np.concatenate(rows, 0)
