"""The compiled end of an emulator's answer: from what its networks give to means and deviations. Imports numba."""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

_njit: Callable[..., Any] = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=True)


@_njit
def assemble(counted, held, amplitude, quiet, paired, mean, deviation):
    """Fill `mean` and `deviation` [B, 3, R].

    `counted` [M, B, R]: means of 1 + xi of members; `held` [M, B, 5 R]: their parts of omega and eta; `amplitude` [B, 2]; `quiet`
    [B, 3 R]: variances of one realisation, of xi over the square of 1 + xi; `paired`: whether they are to be divided by 1 + xi.
    """
    members, rows, bins = counted.shape
    share, apart = np.float32(1.0 / members), np.float32(1.0 / max(members - 1, 1))
    for i in range(rows):
        c, s = amplitude[i, 0], amplitude[i, 1]
        cc, cs, ss = c * c, c * s, s * s
        for r in range(bins):
            a, b, d = np.float32(0), np.float32(0), np.float32(0)
            of_xi, others = np.float32(0), np.float32(0)
            for m in range(members):
                a += counted[m, i, r]
                of_xi += counted[m, i, r] if paired else counted[m, i, r] * counted[m, i, r]
                others += np.float32(1) / counted[m, i, r] if paired else np.float32(1)
                b += c * held[m, i, r] + s * held[m, i, bins + r]
                d += cc * held[m, i, 2 * bins + r] + cs * held[m, i, 3 * bins + r] + ss * held[m, i, 4 * bins + r]
            a, b, d = a * share, b * share, d * share
            va, vb, vd = np.float32(0), np.float32(0), np.float32(0)
            for m in range(members):
                va += (counted[m, i, r] - a) ** 2
                vb += (c * held[m, i, r] + s * held[m, i, bins + r] - b) ** 2
                vd += (cc * held[m, i, 2 * bins + r] + cs * held[m, i, 3 * bins + r] + ss * held[m, i, 4 * bins + r] - d) ** 2
            mean[i, 0, r], mean[i, 1, r], mean[i, 2, r] = a - np.float32(1), b, d
            deviation[i, 0, r] = np.sqrt(quiet[i, r] * of_xi * share + va * apart)
            deviation[i, 1, r] = np.sqrt(quiet[i, bins + r] * others * share + vb * apart)
            deviation[i, 2, r] = np.sqrt(quiet[i, 2 * bins + r] * others * share + vd * apart)


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
def occupation_sums(theta, log_mass, count, soft, sums):
    """Fill `sums` [B, 7] with sums over classes of halos for parameters `theta` [B, 7], as `OccupationNumbers` takes them: centrals and
    satellites; pairs of a satellite with its central, of two satellites; M^0.4 over galaxies; log10 M over pairs, over satellites."""
    ten = math.log(10.0)
    for i in range(theta.shape[0]):
        least, sigma, unit, alpha = theta[i, 2], theta[i, 3], theta[i, 5], theta[i, 6]
        floor = 10.0 ** theta[i, 4]
        a, b, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(log_mass.shape[0]):
            m, n = log_mass[k], count[k]
            central = 0.5 * math.erfc((least - m) / sigma)
            above = 1.0 - min(floor * math.exp(-ten * m), 100.0)
            above = 0.5 * (above + math.sqrt(above * above + soft))
            satellites = math.exp(alpha * (ten * (m - unit) + math.log(above)))
            a += n * central
            b += n * satellites
            d += n * central * satellites
            e += n * satellites * satellites
            f += n * (central + satellites) * math.exp(0.4 * ten * (m - 13.0))
            g += n * satellites * (2.0 * central + satellites) * m
            h += n * satellites * m
        sums[i, 0], sums[i, 1], sums[i, 2], sums[i, 3], sums[i, 4], sums[i, 5], sums[i, 6] = a, b, d, e, f, g, h
