"""Trajectories to many digits, and how fast neighbours part: what models of motion are held against."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from ..._errors import OrbitscopeError

Array = NDArray[np.float64]
Rate = Callable[[Array, Array, Array], Array]
_TOGETHER = 256  # trajectories of one call: the solver's error is a mean over them


def flow(rate: Rate, start: ArrayLike, numbers: ArrayLike, times: ArrayLike, speed: ArrayLike = 1.0, tolerance: float = 1e-11) -> Array:
    r"""The states at `times` of $\dot x = s\, f(x, n, s t)$, by the Runge-Kutta method of Dormand and Prince of order 8.

    * `rate(x, numbers, t)`: f, [N, D], in the unit of x per s. `start`: x at time 0, [N, D]. `numbers`: n, [N, k].
    * `times`: in s, [T], not decreasing, the first at least 0. `speed`: s of each trajectory, [N]; -1 runs back in time.
    * `tolerance`: relative error of a step; absolute a tenth of it.

    [N, T, D]. An error of 1e-10 over a hundred periods is usual; a chaotic system multiplies it by $e^{\lambda t}$. Raises
    `OrbitscopeError` where the solver stops, as at a collision. Source: Hairer, Norsett, Wanner, Solving ODEs I (1993), II.10.
    """
    x, n, t = np.atleast_2d(np.asarray(start, float)), np.atleast_2d(np.asarray(numbers, float)), np.atleast_1d(np.asarray(times, float))
    s = np.broadcast_to(np.asarray(speed, float), (len(x),))[:, None]
    if len(n) != len(x) or t[0] < 0 or (np.diff(t) < 0).any():
        raise OrbitscopeError(
            f"flow: `numbers` needs a row for each of {len(x)} starts and `times` may not decrease or be negative; got {len(n)} rows, "
            f"times {t[:4].tolist()}..."
        )
    found = np.empty((len(x), len(t), x.shape[1]))
    for a in range(0, len(x), _TOGETHER):
        part = slice(a, a + _TOGETHER)
        found[part] = _flow(rate, x[part], n[part], t, s[part], tolerance)
    return found


def _flow(rate: Rate, x: Array, n: Array, t: Array, s: Array, tolerance: float) -> Array:
    def slope(at: float, flat: Array) -> Array:
        return (s * rate(flat.reshape(x.shape), n, s * at)).ravel()

    if t[-1] == 0:
        return np.repeat(x[:, None], len(t), 1)
    made = solve_ivp(slope, (0.0, t[-1]), x.ravel(), "DOP853", t_eval=t, rtol=tolerance, atol=0.1 * tolerance)
    if not made.success:
        raise OrbitscopeError(f"flow: the solver stopped at t = {made.t[-1] if len(made.t) else 0.0:.4g} s: {made.message}")
    return made.y.T.reshape(len(t), *x.shape).transpose(1, 0, 2)


def lyapunov(
    rate: Rate, start: ArrayLike, numbers: ArrayLike, duration: float = 60.0, step: float = 0.01, settle: float = 5.0, seed: int = 0
) -> Array:
    r"""The largest Lyapunov exponent $\lambda = \lim \frac1t \ln |\delta x(t)|$ along each trajectory, in 1/s, [N].

    A small difference is carried along by the equation linearised (central differences of `rate`) and brought back to size 1 after every
    step; the classical Runge-Kutta method moves both.

    * `rate`, `start`, `numbers`: as of `flow`. `duration`, `step`: in s. `settle`: the first part that is left out, in s.
    * `seed`: of the first difference.

    A regular motion gives about $\ln(t) / t$, not 0: look at 60 s or more, never at a few periods. Source: Benettin et al.,
    Meccanica 15 (1980) 9.
    """
    x, n = np.array(start, float), np.asarray(numbers, float)
    v = np.random.default_rng([seed, 0x6C79]).normal(size=x.shape)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    total, counted, small = np.zeros(len(x)), 0.0, 1e-6

    def both(y: Array, t: float) -> Array:
        a, b = y
        at = np.full((len(a), 1), t)
        return np.stack([rate(a, n, at), (rate(a + small * b, n, at) - rate(a - small * b, n, at)) / (2 * small)])

    for k in range(round(duration / step)):
        y, t = np.stack([x, v]), k * step
        k1 = both(y, t)
        k2 = both(y + step / 2 * k1, t + step / 2)
        k3 = both(y + step / 2 * k2, t + step / 2)
        k4 = both(y + step * k3, t + step)
        x, v = y + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        size = np.linalg.norm(v, axis=1)
        v /= size[:, None]
        if t >= settle:
            total, counted = total + np.log(size), counted + step
    return total / counted
