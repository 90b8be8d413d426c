"""The compiled CPU kernel of the Euler solver: one trajectory advanced by one interval, no Python in the loop.

Same arithmetic as `_euler_torch.py`, expression by expression. Written so that LLVM vectorises along y: no branch in the inner
loops (limiter and HLLC are selections), ghost cells instead of wrapped indices, constants of the array's own type. No `fastmath`:
the compiler may not reorder, so results do not depend on the machine's vector width or on the number of threads, and the
mirrored expressions below keep reflections exact to the last bit.

This module imports numba and is therefore itself imported only when a CPU step runs.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from ._euler_status import OK, REPAIRS, STALLED, UNPHYSICAL

_njit: Callable[..., Any] = numba.njit(nogil=True, cache=True, error_model="numpy")
_inline: Callable[..., Any] = numba.njit(nogil=True, error_model="numpy", forceinline=True)


@_inline
def _half_slope(a, b, half, quarter, zero, minmod, leer):
    """Half the limited slope of the differences a and b; `minmod` and `leer` are None unless chosen, so the choice costs nothing."""
    if leer is not None:
        product = a * b  # harmonic mean where the signs agree
        return product / (a + b) if product > zero else zero
    low, high = min(a, b), max(a, b)
    if minmod is not None:
        return half * (max(zero, low) + min(zero, high))
    mean = quarter * (a + b)  # monotonised central: the smallest of a, b and (a + b) / 4 where the signs agree
    return max(zero, min(low, mean)) + min(zero, max(high, mean))


@_inline
def _hllc(rl, ul, tl, pl, rr, ur, tr, pr, gamma, inv_g1, half, zero):
    """HLLC flux (mass, normal and tangential momentum, energy) between two states (density, velocities, pressure)."""
    # Einfeldt's wave speeds: Roe-averaged velocity with a bound on the sound speed.
    al2, ar2 = gamma * pl / rl, gamma * pr / rr
    wl, wr = np.sqrt(rl), np.sqrt(rr)
    total = wl + wr
    du = ur - ul
    mean = (wl * ul + wr * ur) / total
    spread = np.sqrt((wl * al2 + wr * ar2) / total + half * (wl * wr) / (total * total) * (du * du))
    sl = min(ul - np.sqrt(al2), mean - spread)
    sr = max(ur + np.sqrt(ar2), mean + spread)
    ml, mr = rl * (sl - ul), rr * (sr - ur)
    sm = ((pr - pl) + (ml * ul - mr * ur)) / (ml - mr)
    # The upwind side of the contact, then its flux, plus the jump over the outer wave unless that wave moves away.
    left = sm >= zero
    r, u, t, p = (rl if left else rr), (ul if left else ur), (tl if left else tr), (pl if left else pr)
    s, m = (sl if left else sr), (ml if left else mr)
    energy = p * inv_g1 + half * r * (u * u + t * t)
    star = m / (s - sm)
    wave = min(s, zero) if left else max(s, zero)
    flow = r * u
    jump = wave * (star - r)
    jump_n = wave * (star * sm - flow)
    jump_t = wave * (star - r) * t
    jump_e = wave * (star * (energy / r + (sm - u) * (sm + p / m)) - energy)
    return flow + jump, flow * u + p + jump_n, flow * t + jump_t, (energy + p) * u + jump_e


@_inline
def _flux(ra, na, ta, pa, rb, nb, tb, pb, rc, nc, tc, pc, rd, nd, td, pd, gamma, inv_g1, half, quarter, zero, minmod, leer):
    """Flux between cells b and c, limited with neighbours a and d."""
    return _hllc(
        rb + _half_slope(rb - ra, rc - rb, half, quarter, zero, minmod, leer),
        nb + _half_slope(nb - na, nc - nb, half, quarter, zero, minmod, leer),
        tb + _half_slope(tb - ta, tc - tb, half, quarter, zero, minmod, leer),
        pb + _half_slope(pb - pa, pc - pb, half, quarter, zero, minmod, leer),
        rc - _half_slope(rc - rb, rd - rc, half, quarter, zero, minmod, leer),
        nc - _half_slope(nc - nb, nd - nc, half, quarter, zero, minmod, leer),
        tc - _half_slope(tc - tb, td - tc, half, quarter, zero, minmod, leer),
        pc - _half_slope(pc - pb, pd - pc, half, quarter, zero, minmod, leer),
        gamma, inv_g1, half, zero,
    )  # fmt: skip


@_njit
def _primitives(state, prim, speed, inv_dx, inv_dy, gamma, g1, half, one):
    """Fill (density, velocities, pressure) with ghost cells; return the number of unphysical cells and the largest speed / spacing."""
    nx, ny = state.shape[1], state.shape[2]
    zero = one - one
    speed[:] = zero
    bad = 0
    for i in range(nx):
        for j in range(ny):
            r = state[0, i, j]
            inverse = one / r
            u, v = state[1, i, j] * inverse, state[2, i, j] * inverse
            p = g1 * (state[3, i, j] - half * r * (u * u + v * v))
            prim[0, i + 2, j + 2], prim[1, i + 2, j + 2], prim[2, i + 2, j + 2], prim[3, i + 2, j + 2] = r, u, v, p
            a = np.sqrt(gamma * p * inverse)
            s = (abs(u) + a) * inv_dx + (abs(v) + a) * inv_dy
            speed[j] = max(speed[j], s)
        for j in range(ny):
            bad += 0 if (prim[0, i + 2, j + 2] > zero and prim[3, i + 2, j + 2] > zero) else 1
    top = zero
    for j in range(ny):
        top = max(top, speed[j])
    for c in range(4):
        for i in range(2, nx + 2):
            for g in range(2):
                prim[c, i, g] = prim[c, i, ny + g]
                prim[c, i, ny + 2 + g] = prim[c, i, 2 + g]
        for g in range(2):
            prim[c, g, :] = prim[c, nx + g, :]
            prim[c, nx + 2 + g, :] = prim[c, 2 + g, :]
    return bad, top


@_njit
def _x_fluxes(w, i, f, ny, gamma, inv_g1, half, quarter, zero, minmod, leer):
    """Fluxes through the faces between padded rows i + 1 and i + 2."""
    for j in range(ny):
        k = j + 2
        f[0, j], f[1, j], f[2, j], f[3, j] = _flux(
            w[0, i, k], w[1, i, k], w[2, i, k], w[3, i, k],
            w[0, i + 1, k], w[1, i + 1, k], w[2, i + 1, k], w[3, i + 1, k],
            w[0, i + 2, k], w[1, i + 2, k], w[2, i + 2, k], w[3, i + 2, k],
            w[0, i + 3, k], w[1, i + 3, k], w[2, i + 3, k], w[3, i + 3, k],
            gamma, inv_g1, half, quarter, zero, minmod, leer,
        )  # fmt: skip


@_njit
def _y_fluxes(w, i, f, ny, gamma, inv_g1, half, quarter, zero, minmod, leer):
    """Fluxes through the ny + 1 faces along padded row i; normal velocity is component 2 of the primitives."""
    for j in range(ny + 1):
        f[0, j], f[2, j], f[1, j], f[3, j] = _flux(
            w[0, i, j], w[2, i, j], w[1, i, j], w[3, i, j],
            w[0, i, j + 1], w[2, i, j + 1], w[1, i, j + 1], w[3, i, j + 1],
            w[0, i, j + 2], w[2, i, j + 2], w[1, i, j + 2], w[3, i, j + 2],
            w[0, i, j + 3], w[2, i, j + 3], w[1, i, j + 3], w[3, i, j + 3],
            gamma, inv_g1, half, quarter, zero, minmod, leer,
        )  # fmt: skip


@_njit
def _first_order(w, keep, i, j, axis, f, gamma, inv_g1, half, zero):
    """Overwrite the flux f[:, j] between padded cell (i, j) and its upper neighbour along `axis`, if one of the two is marked."""
    x, y = (i + 1, j) if axis == 0 else (i, j + 1)
    if keep[i, j] and keep[x, y]:
        return
    n, t = (1, 2) if axis == 0 else (2, 1)
    k = j - 2 if axis == 0 else j - 1
    f[0, k], f[n, k], f[t, k], f[3, k] = _hllc(
        w[0, i, j], w[n, i, j], w[t, i, j], w[3, i, j], w[0, x, y], w[n, x, y], w[t, x, y], w[3, x, y], gamma, inv_g1, half, zero
    )


@_njit
def _stage(old, now, prim, keep, low, high, side, ax, ay, second, gamma, inv_g1, half, quarter, zero, repair, minmod, leer):
    """`now` += dt L(now), averaged with `old` in the second stage; ax, ay = dt / spacing; `prim` belongs to `now`.

    With `repair`, fluxes through the faces of cells whose `keep` is False are of first order.
    """
    nx, ny = now.shape[1], now.shape[2]
    _x_fluxes(prim, 0, low, ny, gamma, inv_g1, half, quarter, zero, minmod, leer)
    if repair:
        for j in range(ny):
            _first_order(prim, keep, 1, j + 2, 0, low, gamma, inv_g1, half, zero)
    for i in range(nx):
        _x_fluxes(prim, i + 1, high, ny, gamma, inv_g1, half, quarter, zero, minmod, leer)
        _y_fluxes(prim, i + 2, side, ny, gamma, inv_g1, half, quarter, zero, minmod, leer)
        if repair:
            for j in range(ny):
                _first_order(prim, keep, i + 2, j + 2, 0, high, gamma, inv_g1, half, zero)
            for j in range(ny + 1):
                _first_order(prim, keep, i + 2, j + 1, 1, side, gamma, inv_g1, half, zero)
        for c in range(4):
            for j in range(ny):
                new = now[c, i, j] - (ax * (high[c, j] - low[c, j]) + ay * (side[c, j + 1] - side[c, j]))
                now[c, i, j] = half * (old[c, i, j] + new) if second else new
        low, high = high, low


@_njit
def _mark(prim, keep, zero):
    """Set `keep` False in unphysical cells (ghost cells alike); return how many were not marked before."""
    fresh = 0
    for i in range(prim.shape[1]):
        for j in range(prim.shape[2]):
            if keep[i, j] and not (prim[0, i, j] > zero and prim[3, i, j] > zero):
                keep[i, j] = False
                fresh += 1
    return fresh


@_njit
def advance(state, dt, gamma, cfl, max_steps, minmod, leer):
    """Advance one trajectory `state` [4, nx, ny] in place by `dt`; return (status, time reached, steps taken).

    A step that leaves a cell unphysical is taken again from its start with first-order fluxes around that cell, and with half the
    step if those cells were marked before.
    """
    nx, ny = state.shape[1], state.shape[2]
    real = state.dtype.type
    one, half, quarter, zero = real(1.0), real(0.5), real(0.25), real(0.0)
    gam, g1, inv_g1 = real(gamma), real(gamma - 1.0), real(1.0 / (gamma - 1.0))
    inv_dx, inv_dy = real(nx), real(ny)
    prim = np.empty((4, nx + 4, ny + 4), state.dtype)
    keep = np.empty((nx + 4, ny + 4), np.bool_)
    speed = np.empty(ny, state.dtype)
    faces = np.empty((3, 4, ny + 1), state.dtype)
    old = np.empty_like(state)
    left, steps = float(dt), 0
    bad, top = _primitives(state, prim, speed, inv_dx, inv_dy, gam, g1, half, one)
    if bad > 0 or not np.isfinite(top):
        return UNPHYSICAL, 0.0, steps
    while left > 0.0:
        if steps >= max_steps:
            return STALLED, dt - left, steps
        count = max(1.0, np.ceil(left * float(top) / cfl))
        old[:] = state
        attempt = 0
        while True:
            h = left / count
            ax, ay = real(h) * inv_dx, real(h) * inv_dy
            repair = attempt > 0
            _stage(
                old, state, prim, keep, faces[0], faces[1], faces[2], ax, ay, False, gam, inv_g1, half, quarter, zero, repair, minmod, leer
            )
            bad, top = _primitives(state, prim, speed, inv_dx, inv_dy, gam, g1, half, one)
            if bad == 0 and np.isfinite(top):
                _stage(
                    old,
                    state,
                    prim,
                    keep,
                    faces[0],
                    faces[1],
                    faces[2],
                    ax,
                    ay,
                    True,
                    gam,
                    inv_g1,
                    half,
                    quarter,
                    zero,
                    repair,
                    minmod,
                    leer,
                )
                bad, top = _primitives(state, prim, speed, inv_dx, inv_dy, gam, g1, half, one)
                if bad == 0 and np.isfinite(top):
                    break
            if attempt == REPAIRS:
                return UNPHYSICAL, dt - left, steps
            if attempt == 0:
                keep[:] = True
            if _mark(prim, keep, zero) == 0:
                count *= 2.0
            attempt += 1
            state[:] = old
            _primitives(state, prim, speed, inv_dx, inv_dy, gam, g1, half, one)
        left = left - h if count > 1.0 else 0.0
        steps += 1
    return OK, dt, steps


#: The last two arguments of `advance`: a limiter is chosen by type, at compile time.
_LIMITER = {"mc": (None, None), "minmod": (True, None), "van-leer": (None, True)}


def advance_all(
    states: NDArray[Any], dt: float, gamma: float, cfl: float, max_steps: int, threads: int, limiter: str = "mc"
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Advance every trajectory of `states` [B, 4, nx, ny] in place; per trajectory: status, time reached, steps.

    The kernel holds no lock, so plain threads share the trajectories; each trajectory is computed by one thread alone.
    """
    _compile(states.dtype, limiter)

    def one(index: int) -> tuple[int, float, int]:
        return advance(states[index], dt, gamma, cfl, max_steps, *_LIMITER[limiter])

    if threads > 1 and len(states) > 1:
        pool = ThreadPoolExecutor(min(threads, len(states)))
        try:
            results = list(pool.map(one, range(len(states))))
        finally:
            pool.shutdown(cancel_futures=True)  # an interruption waits for the trajectories in hand, not for the queue
    else:
        results = [one(i) for i in range(len(states))]
    status, reached, steps = zip(*results, strict=True) if results else ((), (), ())
    return np.array(status, np.int64), np.array(reached, np.float64), np.array(steps, np.int64)


@cache
def _compile(dtype: np.dtype[Any], limiter: str) -> None:
    """Compile for one dtype and limiter on the calling thread, before others share the work: numba's compiler is entered once."""
    advance(np.ones((4, 2, 2), dtype), 0.0, 1.4, 0.5, 0, *_LIMITER[limiter])
