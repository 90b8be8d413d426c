"""Functions in single precision that a compiler turns into vector instructions, as those of its library are not. Imports numba."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

_njit: Callable[..., Any] = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=True, inline="always")
_f = np.float32
_LOG2_E, _LN_2 = _f(1.4426950408889634), _f(0.6931471805599453)
_ROOT_2 = _f(1.4142135623730951)
# 2^f on [-1/2, 1/2], the series of exp(f ln 2)
_P = tuple(_f(0.6931471805599453**k / g) for k, g in ((1, 1), (2, 2), (3, 6), (4, 24), (5, 120), (6, 720)))
# erfc, Abramowitz and Stegun 7.1.26: absolute error 1.5e-7
_A = tuple(_f(a) for a in (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429))
_B = _f(0.3275911)
_HALF, _ONE, _TWO = _f(0.5), _f(1.0), _f(2.0)
_LARGEST = _f(87.0)
_MASK, _EXPONENT, _BIAS, _SHIFT = np.int32(0x7FFFFF), np.int32(0x3F800000), np.int32(127), np.int32(23)


@_njit
def exp32(x):
    """e^x for x from -87 to 87, to 3e-7 (1 + |x| / 4) of itself; beyond them the value there."""
    t = min(max(x, -_LARGEST), _LARGEST) * _LOG2_E
    whole = np.floor(t + _HALF)
    f = t - whole
    p = _ONE + f * (_P[0] + f * (_P[1] + f * (_P[2] + f * (_P[3] + f * (_P[4] + f * _P[5])))))
    return p * _f(np.int32((np.int32(whole) + _BIAS) << _SHIFT).view(np.float32))


@_njit
def log32(x):
    """Natural logarithm of a normal x > 0, to 2e-7 (1 + |log x|)."""
    bits = _f(x).view(np.int32)
    exponent = _f(np.int32(bits >> _SHIFT) - _BIAS)
    m = np.int32((bits & _MASK) | _EXPONENT).view(np.float32)
    large = m > _ROOT_2
    m = m * _HALF if large else m
    exponent = exponent + _ONE if large else exponent
    s = (m - _ONE) / (m + _ONE)
    q = s * s
    return exponent * _LN_2 + _TWO * s * (_ONE + q * (_f(1 / 3) + q * (_f(1 / 5) + q * (_f(1 / 7) + q * _f(1 / 9)))))


@_njit
def erfc32(x):
    """Complementary error function, to 1e-6, absolute."""
    size = abs(x)
    t = _ONE / (_ONE + _B * size)
    tail = t * (_A[0] + t * (_A[1] + t * (_A[2] + t * (_A[3] + t * _A[4])))) * exp32(-size * size)
    return tail if x >= _f(0) else _TWO - tail
