"""The compiled parts of an emulator's answer: numbers of halos, hidden layers, and means and deviations at the end. Imports numba."""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from ._quick_math import erfc32, exp32, log32

_njit: Callable[..., Any] = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=True)
_f = np.float32


@_njit
def silu_first(y, bias):
    """y s(y) in the place of `y` [M, B, W], to which `bias` [M, 1, W] is added before; s is the logistic function."""
    members, rows, width = y.shape
    for m in range(members):
        for i in range(rows):
            for k in range(width):
                x = y[m, i, k] + bias[m, 0, k]
                y[m, i, k] = x / (_f(1) + exp32(-x))


@_njit
def silu_more(y, bias, h):
    """Add to `h` [M, B, W] what `silu_first` makes of `y` and `bias`."""
    members, rows, width = y.shape
    for m in range(members):
        for i in range(rows):
            for k in range(width):
                x = y[m, i, k] + bias[m, 0, k]
                h[m, i, k] += x / (_f(1) + exp32(-x))


@_njit
def amplitudes(theta, table, found):
    """Fill `found` [B, 2] with the amplitudes of the first two parameters [B, D], by the cubics of `amplitude_table`."""
    count = table.shape[1]
    for i in range(theta.shape[0]):
        for j in range(2):
            place = (theta[i, j] + 1.0) * (0.5 * count)
            k = min(max(int(place), 0), count - 1)
            t = place - k
            found[i, j] = ((table[0, k] * t + table[1, k]) * t + table[2, k]) * t + table[3, k]


@_njit
def _member(counted, at_xi, held, at_parts, m, i, c, s, largest, found):
    """Fill `found` [3, R] with 1 + xi, omega and eta of member `m` in row `i`; `c`, `s`: amplitudes of alignment."""
    bins = counted.shape[2]
    cc, cs, ss = c * c, c * s, s * s
    for r in range(bins):
        found[0, r] = exp32(min(max(counted[m, i, r] + at_xi[m, 0, r], -largest), largest))
    for r in range(bins):
        k = bins + r
        found[1, r] = c * (held[m, i, r] + at_parts[m, 0, r]) + s * (held[m, i, k] + at_parts[m, 0, k])
    for r in range(bins):
        k, n, w = 2 * bins + r, 3 * bins + r, 4 * bins + r
        x, y, z = held[m, i, k] + at_parts[m, 0, k], held[m, i, n] + at_parts[m, 0, n], held[m, i, w] + at_parts[m, 0, w]
        found[2, r] = cc * x + cs * y + ss * z


@_njit
def assemble(counted, at_xi, held, at_parts, quiet, at_noise, level, largest, fewer, paired, amplitude, mean, deviation):
    """Fill `mean` and `deviation` [B, 3, R] from what the networks give.

    `counted` [M, B, R] and `at_xi` [M, 1, R]: logarithms of the means of 1 + xi of members are their sums. `held` [M, B, 5 R] and
    `at_parts`: so are the parts of omega and eta. `quiet` [B, 3 R] and `at_noise` [1, 3 R]: logarithms of the variances of one realisation
    are `largest` times the tanh of their sums, and `level` [3 R] more, and `fewer` [B] less; `paired`: over 1 + xi too. Those of xi are
    over the square of 1 + xi. `amplitude` [B, 2]: of alignment. Deviations between members are those from the first one, so that one
    pass does.
    """
    members, rows, bins = counted.shape
    share, apart = _f(1.0 / members), _f(1.0 / max(members - 1, 1))
    first, now = np.empty((3, bins), np.float32), np.empty((3, bins), np.float32)
    total, square = np.empty((3, bins), np.float32), np.empty((3, bins), np.float32)
    scale, noise = np.empty((2, bins), np.float32), np.empty(3 * bins, np.float32)
    for i in range(rows):
        c, s = amplitude[i, 0], amplitude[i, 1]
        for r in range(3 * bins):
            e = exp32(_f(2) * (quiet[i, r] + at_noise[0, r]))
            noise[r] = exp32(largest * (_f(1) - _f(2) / (e + _f(1))) + level[r] - fewer[i])
        _member(counted, at_xi, held, at_parts, 0, i, c, s, largest, first)
        total[:], square[:] = _f(0), _f(0)
        for r in range(bins):
            a = first[0, r]
            scale[0, r], scale[1, r] = (a, _f(1) / a) if paired else (a * a, _f(1))
        for m in range(1, members):
            _member(counted, at_xi, held, at_parts, m, i, c, s, largest, now)
            for k in range(3):
                for r in range(bins):
                    u = now[k, r] - first[k, r]
                    total[k, r] += u
                    square[k, r] += u * u
            for r in range(bins):
                a = now[0, r]
                scale[0, r] += a if paired else a * a
                scale[1, r] += _f(1) / a if paired else _f(1)
        for k in range(3):
            for r in range(bins):
                t = total[k, r] * share
                mean[i, k, r] = first[k, r] + t
                between = max(square[k, r] - t * total[k, r], _f(0)) * apart
                deviation[i, k, r] = np.sqrt(noise[k * bins + r] * scale[min(k, 1), r] * share + between)
        for r in range(bins):
            mean[i, 0, r] -= _f(1)


@_njit
def occupation_numbers(sums, least, middle, size, numbers):
    """Fill `numbers` [B, 8] as `OccupationNumbers` gives them from `sums` [B, 7] of `occupation_sums`."""
    for i in range(sums.shape[0]):
        many, few = sums[i, 0] + sums[i, 1] + least, sums[i, 1] + least
        pairs = 2.0 * sums[i, 2] + sums[i, 3] + 3.0 * least
        log = math.log(many)
        numbers[i, 0], numbers[i, 1] = log, math.log(few) - log
        numbers[i, 2], numbers[i, 3] = math.log(sums[i, 2] + least) - 2 * log, math.log(sums[i, 3] + least) - 2 * log
        numbers[i, 4], numbers[i, 5] = math.log(pairs) - 2 * log, math.log(sums[i, 4] / many + least)
        numbers[i, 6], numbers[i, 7] = sums[i, 5] / pairs, sums[i, 6] / few
        for k in range(8):
            numbers[i, k] = (numbers[i, k] - middle[k]) / size[k]


@_njit
def occupation_sums(theta, log_mass, thin, heavy, count, soft, sums):
    """Fill `sums` [B, 7] with sums over classes of halos for parameters `theta` [B, 7], as `OccupationNumbers` takes them: centrals and
    satellites; pairs of a satellite with its central, of two satellites; M^0.4 over galaxies; log10 M over pairs, over satellites.

    `log_mass`, `thin`, `heavy`, `count` [K], single precision: log10 M, 10^12 / M, (M / 10^13)^0.4, halos of the class.
    """
    ten, half, one, limit = _f(math.log(10.0)), _f(0.5), _f(1), _f(100)
    for i in range(theta.shape[0]):
        least, steep = _f(theta[i, 2]), _f(1.0 / theta[i, 3])
        unit, alpha = _f(theta[i, 5]), _f(theta[i, 6])
        floor = _f(10.0 ** (theta[i, 4] - 12.0))
        a, b, d, e, f, g, h = _f(0), _f(0), _f(0), _f(0), _f(0), _f(0), _f(0)
        for k in range(log_mass.shape[0]):
            m, n = log_mass[k], count[k]
            central = half * erfc32((least - m) * steep)
            above = one - min(floor * thin[k], limit)
            root = np.sqrt(above * above + soft)
            above = half * (above + root) if above > _f(0) else half * soft / (root - above)
            satellites = exp32(alpha * (ten * (m - unit) + log32(above)))
            of_sat, pair = n * satellites, n * satellites * central
            a += n * central
            b += of_sat
            d += pair
            e += of_sat * satellites
            f += n * (central + satellites) * heavy[k]
            g += (_f(2) * pair + of_sat * satellites) * m
            h += of_sat * m
        sums[i, 0], sums[i, 1], sums[i, 2], sums[i, 3], sums[i, 4], sums[i, 5], sums[i, 6] = a, b, d, e, f, g, h
