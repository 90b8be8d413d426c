"""Exponential and principal logarithm of a real matrix."""

import math

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError

Array = NDArray[np.float64]
_NEAR_ONE = 0.25  # the series is summed where ||A - 1|| is below this: 13 terms then reach 1e-16
_EDGE = 1e-5  # an eigenvalue this close to the negative axis, in angle, has no principal logarithm worth its name


def matrix_exp(generator: Array) -> Array:
    r"""$e^X = \sum_k X^k / k!$ in float64, [n, n]: 16 terms of $X / 2^s$, small enough for them, squared s times.

    (`torch.linalg.matrix_exp` stops its series early: 6e-12 off for turns by 0.02.)
    """
    norm = float(np.abs(generator).sum(0).max(initial=0.0))
    halvings = max(0, math.ceil(math.log2(norm)) + 1) if norm > 0.5 else 0
    one, x = np.eye(len(generator)), generator / 2.0**halvings
    total = one
    for k in range(16, 0, -1):
        total = one + x @ total / k
    for _ in range(halvings):
        total = total @ total
    return np.asarray(total, dtype=np.float64)


def matrix_log(matrix: Array) -> Array:
    r"""The real X with $e^X = A$ whose eigenvalues have imaginary parts inside $(-\pi, \pi)$; [n, n].

    Inverse scaling and squaring: square roots until A is near the unit matrix, then
    $\log A = 2 \sum_k \frac{1}{2k+1} Z^{2k+1}$ with $Z = (A - 1)(A + 1)^{-1}$. Raises `OrbitscopeError` for an eigenvalue on the negative
    real axis or at 0. The error grows towards that axis, about $10^{-17} / (\pi - |\mathrm{angle}|)^2$. Source: Higham, Functions of
    Matrices, 2008, section 11.5.
    """
    values = np.linalg.eigvals(matrix)
    if (np.abs(values) < 1e-300).any() or (np.pi - np.abs(np.angle(values)) < _EDGE).any():
        raise OrbitscopeError(
            "log: the matrix has an eigenvalue on the negative real axis, so it has no principal logarithm. It lies in another component "
            "of the group, or turns by pi, where two logarithms meet. Take the logarithm of c.inverse() @ g with c from `components`."
        )
    one, halvings, at = np.eye(len(matrix)), 0, matrix
    while np.abs(at - one).sum(0).max() > _NEAR_ONE:
        at, halvings = _square_root(at), halvings + 1
    z = np.linalg.solve((at + one).T, (at - one).T).T
    term, square, total = z, z @ z, z.copy()
    for k in range(1, 13):
        term = term @ square
        total += term / (2 * k + 1)
    return np.asarray(2.0 ** (halvings + 1) * total, dtype=np.float64)


def _square_root(matrix: Array) -> Array:
    """The principal square root, by the scaled product form of the Denman-Beavers iteration (Higham 2008, equation 6.29)."""
    one, product, root = np.eye(len(matrix)), matrix, matrix
    for step in range(40):
        # Scaling by the determinant makes the first steps quick; near the end it would only add rounding.
        scale = abs(np.linalg.det(product)) ** (-1 / (2 * len(matrix))) if step < 6 else 1.0
        inverse = np.linalg.inv(product)
        root = 0.5 * scale * (root @ (one + inverse / scale**2))
        product = 0.5 * (one + 0.5 * (scale**2 * product + inverse / scale**2))
        if np.abs(product - one).max() < 1e-15 * len(matrix):
            break
    return root
