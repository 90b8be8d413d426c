"""The compiled end of an emulator's answer: from what its networks give to means and deviations. Imports numba."""

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
