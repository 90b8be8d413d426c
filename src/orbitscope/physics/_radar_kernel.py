"""The compiled sum over faces, directions and wavenumbers of physical optics.

The integral of $e^{i s}$ over a triangle, s linear with the values x, y, z at the corners, is $-2 S E$ with the area S and the second
divided difference $E = e^{it}[x, y, z]$. Where the three phases spread over less than `_SPREAD`, E is its series about their mean,

$$E = e^{im} \\sum_{n \\ge 2} \\frac{i^n}{n!} h_{n-2}(u, v, w),$$

h the complete symmetric polynomials of the deviations, whose sum is 0; else it is the difference of two first divided differences, each a
sine over its argument, over the largest difference of phases. Both are right to rounding at the border.

This module imports numba and is therefore itself imported only when a simulation runs.
"""

import math
from collections.abc import Callable
from typing import Any

import numba

_njit: Callable[..., Any] = numba.njit(nogil=True, cache=True, error_model="numpy")
_SPREAD = 0.6
_SMALL = 0.1  # half differences below it: the sine from its series, since a difference of products would lose its digits
_F = [1.0 / math.factorial(n) for n in range(18)]
_F2, _F4, _F5, _F6, _F7, _F8, _F9 = _F[2], _F[4], _F[5], _F[6], _F[7], _F[8], _F[9]
_F10, _F11, _F12, _F13, _F14 = _F[10], _F[11], _F[12], _F[13], _F[14]


@_njit
def _series(u, v, w):
    """Real and imaginary part of the sum over n, for deviations whose sum is 0."""
    a = u * u + u * v + v * v  # minus the second elementary polynomial
    b = u * v * w
    h3, h4 = b, a * a
    h5 = 2.0 * a * b
    h6 = a * h4 + b * h3
    h7 = a * h5 + b * h4
    h8 = a * h6 + b * h5
    h9 = a * h7 + b * h6
    h10 = a * h8 + b * h7
    h11 = a * h9 + b * h8
    h12 = a * h10 + b * h9
    re = -_F2 + _F4 * a - _F6 * h4 + _F8 * h6 - _F10 * h8 + _F12 * h10 - _F14 * h12
    im = _F5 * h3 - _F7 * h5 + _F9 * h7 - _F11 * h9 + _F13 * h11
    return re, im


@_njit
def _sinc(half, sine):
    """sin(half) / half; `sine` is sin(half) from the products, good where it is not small."""
    if abs(half) < _SMALL:
        t = half * half
        return 1.0 - t * (1.0 / 6 - t * (1.0 / 120 - t * (1.0 / 5040 - t / 362880.0)))
    return sine / half


@_njit
def _divided(x, y, z, cx, sx, cy, sy, cz, sz):
    """E of sorted phases x <= y <= z far apart, from cosines and sines of the half phases."""
    p = _sinc(0.5 * (z - y), sz * cy - cz * sy)
    q = _sinc(0.5 * (y - x), sy * cx - cy * sx)
    # i e^{i(y+z)/2} p - i e^{i(x+y)/2} q
    re = -(sy * cz + cy * sz) * p + (sx * cy + cx * sy) * q
    im = (cy * cz - sy * sz) * p - (cx * cy - sx * sy) * q
    return re / (z - x), im / (z - x)


@_njit
def accumulate(corners, weight, directions, lit, wavenumbers, step, re, im):
    """Add the sums over faces: `re`, `im` [D, K] of sum_f w_f n.k INT e^{2 i k d.x}.

    `corners` [F, 3, 3]; `weight` [F, 3] is the normal times the area; `lit` [D, F], or [D, 0] for all that face the radar; `step` > 0: the
    wavenumbers are evenly spaced by it, and phases go on by products of unit numbers. Returns how many integrals were taken.
    """
    count = 0
    many, evenly = wavenumbers.shape[0], step > 0.0
    for d in range(directions.shape[0]):
        dx, dy, dz = directions[d, 0], directions[d, 1], directions[d, 2]
        for f in range(corners.shape[0]):
            facing = weight[f, 0] * dx + weight[f, 1] * dy + weight[f, 2] * dz
            if facing <= 0.0 or (lit.shape[1] > 0 and not lit[d, f]):
                continue
            x = 2.0 * (corners[f, 0, 0] * dx + corners[f, 0, 1] * dy + corners[f, 0, 2] * dz)
            y = 2.0 * (corners[f, 1, 0] * dx + corners[f, 1, 1] * dy + corners[f, 1, 2] * dz)
            z = 2.0 * (corners[f, 2, 0] * dx + corners[f, 2, 1] * dy + corners[f, 2, 2] * dz)
            if x > y:
                x, y = y, x
            if y > z:
                y, z = z, y
            if x > y:
                x, y = y, x
            facing *= -2.0
            mean, spread = (x + y + z) / 3.0, z - x
            u, v, w = x - mean, y - mean, z - mean
            count += many
            cx = sx = cy = sy = cz = sz = cm = sm = 0.0
            rcx = rsx = rcy = rsy = rcz = rsz = rcm = rsm = 0.0
            if evenly:
                h = 0.5 * step
                rcx, rsx, rcy, rsy = math.cos(h * x), math.sin(h * x), math.cos(h * y), math.sin(h * y)
                rcz, rsz, rcm, rsm = math.cos(h * z), math.sin(h * z), math.cos(step * mean), math.sin(step * mean)
            started = False
            for i in range(many):
                k = wavenumbers[i]
                series = k * spread < _SPREAD
                if series:
                    # The even case walks from small to large k, so series come first and the start of the others is known.
                    if evenly and i > 0:
                        cm, sm = cm * rcm - sm * rsm, sm * rcm + cm * rsm
                    else:
                        cm, sm = math.cos(k * mean), math.sin(k * mean)
                    er, ei = _series(k * u, k * v, k * w)
                    re[d, i] += facing * (cm * er - sm * ei)
                    im[d, i] += facing * (cm * ei + sm * er)
                    continue
                if evenly and started:
                    cx, sx = cx * rcx - sx * rsx, sx * rcx + cx * rsx
                    cy, sy = cy * rcy - sy * rsy, sy * rcy + cy * rsy
                    cz, sz = cz * rcz - sz * rsz, sz * rcz + cz * rsz
                else:
                    g = 0.5 * k
                    cx, sx, cy, sy, cz, sz = (
                        math.cos(g * x), math.sin(g * x), math.cos(g * y), math.sin(g * y), math.cos(g * z), math.sin(g * z),
                    )  # fmt: skip
                    started = True
                er, ei = _divided(k * x, k * y, k * z, cx, sx, cy, sy, cz, sz)
                re[d, i] += facing * er
                im[d, i] += facing * ei
    return count
