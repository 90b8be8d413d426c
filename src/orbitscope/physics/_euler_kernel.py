"""The compiled CPU kernel of the Euler solver: rows of one trajectory through one stage, and one trajectory through one interval.

Same arithmetic as `_euler_torch.py`, expression by expression. Written so that LLVM vectorises along y: no branch in the inner loops
(limiter, weights and HLLC are selections), ghost cells in place of wrapped indices, constants of the array's type. No `fastmath`: the
compiler may not reorder, so results do not depend on the machine's vector width, on the number of threads or on which rows are
computed together, and the mirrored expressions below keep reflections exact to the last bit.
Arrays are copied by loops: the assignment of a slice would compile numba's error messages too, a third of the time of all compiling.
All compiled code is in this one file: numba's cache on disk notices a change of the file that holds a function, not of those it calls.
The module imports numba and is therefore itself imported only when a CPU step runs.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from ._euler_status import OK, REPAIRS, STALLED, UNPHYSICAL

_EVERY: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
_WITHIN: dict[str, Any] = {**_EVERY, "no_cpython_wrapper": True}
# What Python never calls needs no way in from there: half of the time of compiling these.
_njit: Callable[..., Any] = numba.njit(cache=True, **_EVERY)
_inner: Callable[..., Any] = numba.njit(cache=True, **_WITHIN)
_inline: Callable[..., Any] = numba.njit(forceinline=True, **_WITHIN)

#: Ghost cells on each side, enough for the widest reconstruction.
GHOSTS = 3


@_inline
def _half_slope(a, b, n, scheme):
    """Half the limited slope of the differences a and b."""
    if scheme.leer is not None:
        product = a * b  # harmonic mean where the signs agree
        return product / (a + b) if product > n.zero else n.zero
    low, high = min(a, b), max(a, b)
    if scheme.minmod is not None:
        return n.half * (max(n.zero, low) + min(n.zero, high))
    mean = n.quarter * (a + b)  # monotonised central: the smallest of a, b and (a + b) / 4 where the signs agree
    return max(n.zero, min(low, mean)) + min(n.zero, max(high, mean))


@_inline
def _rise3(far, near, e, n):
    """WENO3-Z: from a cell's value to its face, given the differences on the far and the near side of the cell.

    With b = difference^2 + e the weights 1 + |b - b'| / b are, but for a common factor, 1 for the smaller b and x (2 - x) for the
    larger one, x = small / large: one division, and no product that could underflow.
    """
    p, q = far * far + e, near * near + e
    x = min(p, q) / max(p, q)
    thin = x * (n.two - x)
    k = n.one if p <= q else thin
    m = n.two * (n.one if q <= p else thin)
    return n.half * (k * far + m * near) / (k + m)


@_inline
def _rise5(a, b, c, d, e, n):
    """WENO5-Z: from a cell's value to its face beyond c, given four successive differences, c the one across that face."""
    p = n.bend * ((b - a) * (b - a)) + (n.three * b - a) * (n.three * b - a) + e
    q = n.bend * ((c - b) * (c - b)) + (c + b) * (c + b) + e
    r = n.bend * ((d - c) * (d - c)) + (n.three * c - d) * (n.three * c - d) + e
    tau = abs(p - r)
    x, y, z = tau / p, tau / q, tau / r
    k = n.one + x * x
    l = n.six * (n.one + y * y)  # noqa: E741
    m = n.three * (n.one + z * z)
    return (k * (n.five * b - n.two * a) + l * (b + n.two * c) + m * (n.four * c - d)) / (n.six * (k + l + m))


@_inline
def _sides(qa, qb, qc, qd, qe, qf, e_left, e_right, n, scheme):
    """Values on the two sides of the face between cells c and d, from cells a to f; `e` of the cells c and d (WENO only)."""
    if scheme.weno5 is not None:
        left = qc + _rise5(qb - qa, qc - qb, qd - qc, qe - qd, e_left, n)
        return left, qd - _rise5(qf - qe, qe - qd, qd - qc, qc - qb, e_right, n)
    if scheme.weno3 is not None:
        return qc + _rise3(qc - qb, qd - qc, e_left, n), qd - _rise3(qe - qd, qd - qc, e_right, n)
    return qc + _half_slope(qc - qb, qd - qc, n, scheme), qd - _half_slope(qd - qc, qe - qd, n, scheme)


@_inline
def _hllc(rl, ul, tl, pl, rr, ur, tr, pr, n):
    """HLLC flux (mass, normal and tangential momentum, energy) between two states (density, velocities, pressure)."""
    # Einfeldt's wave speeds: Roe-averaged velocity with a bound on the sound speed.
    al2, ar2 = n.gamma * pl / rl, n.gamma * pr / rr
    wl, wr = np.sqrt(rl), np.sqrt(rr)
    total = wl + wr
    du = ur - ul
    mean = (wl * ul + wr * ur) / total
    spread = np.sqrt((wl * al2 + wr * ar2) / total + n.half * (wl * wr) / (total * total) * (du * du))
    sl = min(ul - np.sqrt(al2), mean - spread)
    sr = max(ur + np.sqrt(ar2), mean + spread)
    ml, mr = rl * (sl - ul), rr * (sr - ur)
    sm = ((pr - pl) + (ml * ul - mr * ur)) / (ml - mr)
    # The upwind side of the contact, then its flux, plus the jump over the outer wave unless that wave moves away.
    left = sm >= n.zero
    r, u, t, p = (rl if left else rr), (ul if left else ur), (tl if left else tr), (pl if left else pr)
    s, m = (sl if left else sr), (ml if left else mr)
    energy = p * n.inv_g1 + n.half * r * (u * u + t * t)
    star = m / (s - sm)
    wave = min(s, n.zero) if left else max(s, n.zero)
    flow = r * u
    jump = wave * (star - r)
    jump_n = wave * (star * sm - flow)
    jump_t = wave * (star - r) * t
    jump_e = wave * (star * (energy / r + (sm - u) * (sm + p / m)) - energy)
    return flow + jump, flow * u + p + jump_n, flow * t + jump_t, (energy + p) * u + jump_e


@_inline
def _flux(r, u, t, p, h2, n, scheme):
    """Flux between the third and the fourth of six cells in a row: tuples of density, velocities and pressure."""
    # The floor of WENO's smoothness indicators: a change by `spacing` (in units of the box) of the cell's own density, sound speed
    # or pressure counts as none. It keeps the order at extrema, and scales with the units of the gas.
    al2, ar2 = n.gamma * p[2] / r[2], n.gamma * p[3] / r[3]
    rl, rr = _sides(r[0], r[1], r[2], r[3], r[4], r[5], h2 * (r[2] * r[2]), h2 * (r[3] * r[3]), n, scheme)
    ul, ur = _sides(u[0], u[1], u[2], u[3], u[4], u[5], h2 * al2, h2 * ar2, n, scheme)
    tl, tr = _sides(t[0], t[1], t[2], t[3], t[4], t[5], h2 * al2, h2 * ar2, n, scheme)
    pl, pr = _sides(p[0], p[1], p[2], p[3], p[4], p[5], h2 * (p[2] * p[2]), h2 * (p[3] * p[3]), n, scheme)
    return _hllc(rl, ul, tl, pl, rr, ur, tr, pr, n)


@_inline
def _along_x(w, c, i, k):
    return w[c, i - 3, k], w[c, i - 2, k], w[c, i - 1, k], w[c, i, k], w[c, i + 1, k], w[c, i + 2, k]


@_inline
def _along_y(w, c, i, k):
    return w[c, i, k - 3], w[c, i, k - 2], w[c, i, k - 1], w[c, i, k], w[c, i, k + 1], w[c, i, k + 2]


@_inner
def _x_fluxes(w, i, f, ny, n, scheme):
    """Fluxes through the faces below padded row i."""
    for j in range(ny):
        k = j + GHOSTS
        f[0, j], f[1, j], f[2, j], f[3, j] = _flux(
            _along_x(w, 0, i, k), _along_x(w, 1, i, k), _along_x(w, 2, i, k), _along_x(w, 3, i, k), n.dx2, n, scheme
        )


@_inner
def _y_fluxes(w, i, f, ny, n, scheme):
    """Fluxes through the ny + 1 faces along padded row i; normal velocity is component 2 of the primitives."""
    for j in range(ny + 1):
        k = j + GHOSTS
        f[0, j], f[2, j], f[1, j], f[3, j] = _flux(
            _along_y(w, 0, i, k), _along_y(w, 2, i, k), _along_y(w, 1, i, k), _along_y(w, 3, i, k), n.dy2, n, scheme
        )


@_inner
def _first_order(w, keep, i, j, axis, f, n):
    """Overwrite the flux f[:, j] between padded cell (i, j) and its upper neighbour along `axis`, if one of the two is marked."""
    x, y = (i + 1, j) if axis == 0 else (i, j + 1)
    if keep[i, j] and keep[x, y]:
        return
    a, t = (1, 2) if axis == 0 else (2, 1)
    k = j - GHOSTS if axis == 0 else j - GHOSTS + 1
    f[0, k], f[a, k], f[t, k], f[3, k] = _hllc(
        w[0, i, j], w[a, i, j], w[t, i, j], w[3, i, j], w[0, x, y], w[a, x, y], w[t, x, y], w[3, x, y], n
    )


@_njit
def primitive_rows(state, prim, first, last, speed, n):
    """Fill the rows from `first` to `last` of (density, velocities, pressure), ghosts at their ends included, ghost rows not.

    Returns the number of unphysical cells and the largest speed / spacing.
    """
    ny = state.shape[2]
    for j in range(ny):
        speed[j] = n.zero
    bad = 0
    for i in range(first, last):
        for j in range(ny):
            r = state[0, i, j]
            inverse = n.one / r
            u, v = state[1, i, j] * inverse, state[2, i, j] * inverse
            p = n.g1 * (state[3, i, j] - n.half * r * (u * u + v * v))
            k, m = i + GHOSTS, j + GHOSTS
            prim[0, k, m], prim[1, k, m], prim[2, k, m], prim[3, k, m] = r, u, v, p
            a = np.sqrt(n.gamma * p * inverse)
            s = (abs(u) + a) * n.inv_dx + (abs(v) + a) * n.inv_dy
            speed[j] = max(speed[j], s)
        for j in range(ny):
            bad += 0 if (prim[0, i + GHOSTS, j + GHOSTS] > n.zero and prim[3, i + GHOSTS, j + GHOSTS] > n.zero) else 1
    top = n.zero
    for j in range(ny):
        top = max(top, speed[j])
    for c in range(4):
        for i in range(first + GHOSTS, last + GHOSTS):
            for g in range(GHOSTS):
                prim[c, i, g] = prim[c, i, ny + g]
                prim[c, i, ny + GHOSTS + g] = prim[c, i, GHOSTS + g]
    return bad, top


@_njit
def wrap(prim):
    """Fill the ghost rows."""
    nx = prim.shape[1] - 2 * GHOSTS
    for c in range(4):
        for g in range(GHOSTS):
            for k in range(prim.shape[2]):
                prim[c, g, k] = prim[c, nx + g, k]
                prim[c, nx + GHOSTS + g, k] = prim[c, GHOSTS + g, k]


@_inline
def _copy(source, target):
    for c in range(source.shape[0]):
        for i in range(source.shape[1]):
            for j in range(source.shape[2]):
                target[c, i, j] = source[c, i, j]


@_njit
def stage_rows(old, now, prim, keep, first, last, faces, ax, ay, take, repair, n, scheme):
    """Rows `first` to `last` of `now` += dt L(now), then blended with `old`; ax, ay = dt / spacing; `prim` belongs to `now` as it comes.

    The share of the new state is `take`; 1 is the first stage. With `repair`, fluxes through the faces of cells whose `keep` is
    False are of first order. Rows need nothing from each other but `prim`, so who computes which is free.
    """
    ny = now.shape[2]
    low, high, side = faces[0], faces[1], faces[2]
    blend = take != n.one
    _x_fluxes(prim, first + GHOSTS, low, ny, n, scheme)
    if repair:
        for j in range(ny):
            _first_order(prim, keep, first + GHOSTS - 1, j + GHOSTS, 0, low, n)
    for i in range(first, last):
        _x_fluxes(prim, i + GHOSTS + 1, high, ny, n, scheme)
        _y_fluxes(prim, i + GHOSTS, side, ny, n, scheme)
        if repair:
            for j in range(ny):
                _first_order(prim, keep, i + GHOSTS, j + GHOSTS, 0, high, n)
            for j in range(ny + 1):
                _first_order(prim, keep, i + GHOSTS, j + GHOSTS - 1, 1, side, n)
        for c in range(4):
            for j in range(ny):
                new = now[c, i, j] - (ax * (high[c, j] - low[c, j]) + ay * (side[c, j + 1] - side[c, j]))
                if scheme.weno3 is not None or scheme.weno5 is not None:
                    now[c, i, j] = old[c, i, j] + take * (new - old[c, i, j]) if blend else new
                else:
                    now[c, i, j] = take * (old[c, i, j] + new) if blend else new  # a half
        low, high = high, low


@_njit
def mark(prim, keep):
    """Set `keep` False in unphysical cells (ghost cells alike); return how many were not marked before."""
    fresh = 0
    for i in range(prim.shape[1]):
        for j in range(prim.shape[2]):
            if keep[i, j] and not (prim[0, i, j] > 0 and prim[3, i, j] > 0):
                keep[i, j] = False
                fresh += 1
    return fresh


@_njit
def advance(state, dt, cfl, max_steps, n, scheme):
    """Advance one trajectory `state` [4, nx, ny] in place by `dt`; return (status, time reached, steps taken).

    A step that leaves a cell unphysical is taken again from its start with first-order fluxes around that cell, and with half the
    step if those cells were marked before. `_euler_rows.advance_together` takes the same decisions.
    """
    nx, ny = state.shape[1], state.shape[2]
    real = state.dtype.type
    three = scheme.weno3 is not None or scheme.weno5 is not None
    prim = np.empty((4, nx + 2 * GHOSTS, ny + 2 * GHOSTS), state.dtype)
    keep = np.empty((nx + 2 * GHOSTS, ny + 2 * GHOSTS), np.bool_)
    speed = np.empty(ny, state.dtype)
    faces = np.empty((3, 4, ny + 1), state.dtype)
    old = np.empty(state.shape, state.dtype)
    left, steps, first = float(dt), 0, np.int64(0)  # a plain 0 is a type of its own to numba: what takes it would be compiled twice
    bad, top = primitive_rows(state, prim, first, nx, speed, n)
    wrap(prim)
    if bad > 0 or not np.isfinite(top):
        return UNPHYSICAL, 0.0, steps
    while left > 0.0:
        if steps >= max_steps:
            return STALLED, dt - left, steps
        count = max(1.0, np.ceil(left * float(top) / cfl))
        _copy(state, old)
        attempt = 0
        while True:
            h = left / count
            ax, ay = real(h) * n.inv_dx, real(h) * n.inv_dy
            for stage in range(3 if three else 2):
                take = n.one if stage == 0 else (n.two_thirds if stage == 2 else (n.quarter if three else n.half))
                stage_rows(old, state, prim, keep, first, nx, faces, ax, ay, take, attempt > 0, n, scheme)
                bad, top = primitive_rows(state, prim, first, nx, speed, n)
                wrap(prim)
                good = bad == 0 and np.isfinite(top)
                if not good:
                    break
            if good:  # pyright: ignore[reportPossiblyUnboundVariable]  # two stages at least
                break
            if attempt == REPAIRS:
                return UNPHYSICAL, dt - left, steps
            if attempt == 0:
                for i in range(keep.shape[0]):
                    for j in range(keep.shape[1]):
                        keep[i, j] = True
            if mark(prim, keep) == 0:
                count *= 2.0
            attempt += 1
            _copy(old, state)
            primitive_rows(state, prim, first, nx, speed, n)
            wrap(prim)
        left = left - h if count > 1.0 else 0.0
        steps += 1
    return OK, dt, steps
