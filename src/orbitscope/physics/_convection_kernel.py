"""The compiled CPU form of the convection solver: one trajectory, the arithmetic of `_convection_torch.py` in fused passes.

Stage values live in arrays with a ghost cell on every side (periodic along x, mirrored at the plates), so no inner loop has a branch
and LLVM vectorises along x. The transforms along x are torch's; along y the Poisson equation of every mode is tridiagonal and is
swept in double precision, which costs little and spares single precision the condition number of a second derivative. Constants
have the array's own type; no `fastmath`, so results do not depend on the machine's vector width or the number of threads.

This module imports numba and is therefore itself imported only when a CPU step runs.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from ._convection_status import OK, STALLED, UNPHYSICAL
from ._convection_torch import Box, Faces, make_box

_njit: Callable[..., Any] = numba.njit(nogil=True, cache=True, error_model="numpy")


@_njit
def _ghosts(u, v, t, plate):
    """Fill the ghost cells; `plate` is the temperature of the bottom plate, minus that of the top plate."""
    for a in (u, v, t):
        last = a.shape[1] - 1
        for j in range(a.shape[0]):
            a[j, 0] = a[j, last - 1]
            a[j, last] = a[j, 1]
    last = u.shape[0] - 1
    for i in range(u.shape[1]):
        u[0, i], u[last, i] = -u[1, i], -u[last - 1, i]
        t[0, i], t[last, i] = plate + plate - t[1, i], -plate - plate - t[last - 1, i]


@_njit
def _start(u0, v0, t0, u, v, t, plate):
    for j in range(u0.shape[0]):
        for i in range(u0.shape[1]):
            u[j + 1, i + 1] = u0[j, i]
            v[j, i + 1] = v0[j, i]
            t[j + 1, i + 1] = t0[j, i]
    v[u0.shape[0], :] = plate - plate
    _ghosts(u, v, t, plate)


@_njit
def _speed(u, v, t, inv_dx, inv_dy, half, columns):
    """(largest |u| / dx + |v| / dy, largest |theta|, number of values that are not finite) of the stage arrays."""
    zero = half - half
    columns[:] = zero
    bad = 0
    top = inv_dx / zero
    for j in range(1, u.shape[0] - 1):
        for i in range(1, u.shape[1] - 1):
            # Both faces of the cell: one alone would give a flow and its mirror image different steps.
            s = max(abs(u[j, i]), abs(u[j, i + 1])) * inv_dx + half * abs(v[j - 1, i] + v[j, i]) * inv_dy
            columns[0, i] = max(columns[0, i], s)
            columns[1, i] = max(columns[1, i], abs(t[j, i]))
        for i in range(1, u.shape[1] - 1):
            s = abs(u[j, i]) + abs(v[j, i]) + abs(t[j, i])
            bad += 0 if s < top else 1
    return columns[0].max(), columns[1].max(), bad


@_njit
def _force(u, v, t, fu, fv, ft, curl, mean, nu, kappa, inv_dx, inv_dy, half):
    """Rates without pressure on the faces (fu, fv) and in centres (ft), their discrete curl, and the mean of fu per row."""
    ny, nx = fu.shape
    nu_x, nu_y, kappa_x, kappa_y = nu * inv_dx, nu * inv_dy, kappa * inv_dx, kappa * inv_dy
    for j in range(ny):
        for i in range(nx):
            a, b, c = u[j + 1, i], u[j + 1, i + 1], u[j + 1, i + 2]
            west, east = half * (a + b), half * (b + c)
            below, above = u[j, i + 1], u[j + 2, i + 1]
            south = half * (v[j, i] + v[j, i + 1]) * (half * (below + b)) - nu_y * (b - below)
            north = half * (v[j + 1, i] + v[j + 1, i + 1]) * (half * (b + above)) - nu_y * (above - b)
            along = (west * west - nu_x * (b - a)) - (east * east - nu_x * (c - b))
            fu[j, i] = along * inv_dx - (north - south) * inv_dy
        for i in range(nx):
            a, b, c = t[j + 1, i], t[j + 1, i + 1], t[j + 1, i + 2]
            below, above = t[j, i + 1], t[j + 2, i + 1]
            west = half * u[j + 1, i + 1] * (a + b) - kappa_x * (b - a)
            east = half * u[j + 1, i + 2] * (b + c) - kappa_x * (c - b)
            south = half * v[j, i + 1] * (below + b) - kappa_y * (b - below)
            north = half * v[j + 1, i + 1] * (b + above) - kappa_y * (above - b)
            ft[j, i] = (west - east) * inv_dx - (north - south) * inv_dy
    for j in range(1, ny):
        for i in range(nx):
            a, b, c = v[j, i], v[j, i + 1], v[j, i + 2]
            west = half * (a + b) * (half * (u[j, i + 1] + u[j + 1, i + 1])) - nu_x * (b - a)
            east = half * (b + c) * (half * (u[j, i + 2] + u[j + 1, i + 2])) - nu_x * (c - b)
            below, above = v[j - 1, i + 1], v[j + 1, i + 1]
            south, north = half * (below + b), half * (b + above)
            rise = (north * north - nu_y * (above - b)) - (south * south - nu_y * (b - below))
            fv[j - 1, i] = (west - east) * inv_dx - rise * inv_dy + half * (t[j, i + 1] + t[j + 1, i + 1])
        curl[j - 1, 0] = (fu[j, 0] - fu[j - 1, 0]) * inv_dy - (fv[j - 1, 0] - fv[j - 1, nx - 1]) * inv_dx
        for i in range(1, nx):
            curl[j - 1, i] = (fu[j, i] - fu[j - 1, i]) * inv_dy - (fv[j - 1, i] - fv[j - 1, i - 1]) * inv_dx
    for j in range(ny):
        total = 0.0
        for i in range(nx):
            total += fu[j, i]
        mean[j] = total / nx


@_njit
def _sweep(spectrum, upper, inverse, side, work):
    """Solve the tridiagonal systems of all modes in place; `spectrum` is [rows, 2 K], real and imaginary parts side by side."""
    rows, columns = spectrum.shape
    for i in range(columns):
        work[0, i] = spectrum[0, i] * inverse[0, i]
    for j in range(1, rows):
        for i in range(columns):
            work[j, i] = (spectrum[j, i] - side * work[j - 1, i]) * inverse[j, i]
    for i in range(columns):
        spectrum[rows - 1, i] = work[rows - 1, i]
    for j in range(rows - 2, -1, -1):
        for i in range(columns):
            work[j, i] -= upper[j, i] * work[j + 1, i]
            spectrum[j, i] = work[j, i]


@_njit
def _update(psi, mean, ft, start, total, stage, add, ahead, first, last, inv_dx, inv_dy, plate):
    """total += add * k (from the start, if `first`) and stage = start + ahead * k (not for the `last`), k from psi and ft."""
    ny, nx = ft.shape
    u0, v0, t0 = start
    us, vs, ts = total
    u, v, t = stage
    for j in range(ny):
        for i in range(nx):
            k = (psi[j + 1, i] - psi[j, i]) * inv_dy + mean[j]
            us[j, i] = (u0[j, i] if first else us[j, i]) + add * k
            u[j + 1, i + 1] = u0[j, i] + ahead * k
        for i in range(nx):
            ts[j, i] = (t0[j, i] if first else ts[j, i]) + add * ft[j, i]
            t[j + 1, i + 1] = t0[j, i] + ahead * ft[j, i]
        if j > 0:
            for i in range(nx - 1):
                k = (psi[j, i] - psi[j, i + 1]) * inv_dx
                vs[j, i] = (v0[j, i] if first else vs[j, i]) + add * k
                v[j, i + 1] = v0[j, i] + ahead * k
            k = (psi[j, nx - 1] - psi[j, 0]) * inv_dx
            vs[j, nx - 1] = (v0[j, nx - 1] if first else vs[j, nx - 1]) + add * k
            v[j, nx] = v0[j, nx - 1] + ahead * k
    if not last:
        _ghosts(u, v, t, plate)


class _Sweep(NamedTuple):
    """The factored tridiagonal systems, [ny - 1, 2 K], modes doubled for real and imaginary parts; 0 for mean and Nyquist mode."""

    upper: NDArray[np.float64]
    inverse: NDArray[np.float64]
    side: float


@cache
def _factors(nx: int, ny: int, dx: float, dy: float) -> _Sweep:
    k = np.arange(nx // 2 + 1)
    side = 1.0 / dy**2
    diagonal = -2.0 * side - (2.0 / dx * np.sin(np.pi * k / nx)) ** 2
    moving = (k > 0) & (2 * k != nx)
    upper, inverse = np.zeros((2, ny - 1, len(k)))
    above = np.zeros(len(k))
    for j in range(ny - 1):
        inverse[j] = 1.0 / (diagonal - side * above)
        above = upper[j] = side * inverse[j]
    return _Sweep(np.repeat(upper * moving, 2, axis=1), np.repeat(inverse * moving, 2, axis=1), side)


def advance(
    faces: Faces, dt: float, viscosity: float, diffusivity: float, cfl: float, most: int, box: Box
) -> tuple[Faces, list[int], list[float]]:
    """As `_convection_torch.advance`, for a batch of one on the CPU."""
    ny, nx = faces.u.shape[1:]
    dtype = faces.u.dtype
    cast = faces.u.numpy().dtype.type
    factors = _factors(nx, ny, box.dx, box.dy)
    inv_dx, inv_dy, half = cast(1.0 / box.dx), cast(1.0 / box.dy), cast(0.5)
    nu, kappa = cast(viscosity), cast(diffusivity)
    start = tuple(part[0].clone() for part in faces)
    total = tuple(part.clone() for part in start)
    stage = tuple(torch.zeros(rows, nx + 2, dtype=dtype).numpy() for rows in (ny + 2, ny + 1, ny + 2))
    fu, ft = np.empty((2, ny, nx), cast)
    fv, curl = np.empty((ny - 1, nx), cast), torch.empty(ny - 1, nx, dtype=dtype)
    mean, columns = np.empty(ny, cast), np.empty((2, nx + 2), cast)
    psi = torch.zeros(ny + 1, nx, dtype=dtype)
    work = np.empty((ny - 1, 2 * (nx // 2 + 1)))
    now, then = [tuple(part.numpy() for part in parts) for parts in (start, total)]

    def stage_of(add: float, ahead: float, first: bool, last: bool) -> None:
        _force(*stage, fu, fv, ft, curl.numpy(), mean, nu, kappa, inv_dx, inv_dy, half)
        spectrum = torch.fft.rfft(curl)
        _sweep(torch.view_as_real(spectrum).numpy().reshape(ny - 1, -1), factors.upper, factors.inverse, factors.side, work)
        psi[1:-1] = torch.fft.irfft(spectrum, n=nx)
        _update(psi.numpy(), mean, ft, now, then, stage, cast(add), cast(ahead), first, last, inv_dx, inv_dy, half)

    spread = 4.0 * max(viscosity, diffusivity) * (1.0 / box.dx**2 + 1.0 / box.dy**2) / 2.5
    left = dt
    for _ in range(most + 1):
        _start(*now, *stage, half)
        speed, hottest, bad = _speed(*stage, inv_dx, inv_dy, half, columns)
        if bad:
            return faces, [UNPHYSICAL], [dt - left]
        if left == 0.0:
            return Faces(*(torch.from_numpy(part)[None] for part in now)), [OK], [dt]
        inverse = max(float(speed) / cfl + spread, math.sqrt(float(hottest) / (cfl * min(box.dx, box.dy))))
        count = max(1.0, math.ceil(left * inverse))
        h = left / count
        for n, (add, ahead) in enumerate(((1 / 6, 1 / 2), (1 / 3, 1 / 2), (1 / 3, 1.0), (1 / 6, 0.0))):
            stage_of(h * add, h * ahead, n == 0, n == 3)
        now, then = then, now
        left = left - h if count > 1.0 else 0.0
    return faces, [STALLED], [dt - left]


@cache
def prepare(dtype: torch.dtype) -> None:
    """Compile for one dtype on the calling thread, before others share the work: numba's compiler is entered once."""
    rest = Faces(*(torch.zeros(1, rows, 4, dtype=dtype) for rows in (4, 5, 4)))
    advance(rest, 0.01, 1.0, 1.0, 1.0, 1, make_box(4, 4, 0.25, 0.25, dtype, torch.device("cpu")))
