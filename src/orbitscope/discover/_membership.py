"""Whether a matrix lies in the connected group of an algebra, near or far from the identity, in milliseconds."""

import numpy as np

from ._problem import Array

_STARTS = 8
_ROUNDS = 30
_FAR = 3.5  # size of the random elements from which the search starts: beyond half a turn
_STRIDE = 1.0
_CONDITION = 1e8


def distance_to_group(matrix: Array, algebra: Array, *, seed: int = 0) -> float:
    r"""The distance of a matrix M to the connected group of an algebra, $\min_{E} \max(\|E^{-1} M - 1\|, \|M^{-1} E - 1\|)_F / \sqrt N$.

    * `matrix`: M, [N, N], invertible. `algebra`: a basis [k, N, N] of any scale; [0, N, N] for the identity alone. `seed`: of the starts.

    Gauss-Newton steps on the group, $E \leftarrow E e^{\delta}$ with $\delta$ the projection of $E^{-1} M - 1$ on the algebra, from the
    identity and from 8 far elements, until one arrives. Both sides count, so that a squeeze is as far as a stretch; the scale of the basis
    does not. A turn of the plane by t is $2 |\sin(t / 2)|$ from the identity.
    """
    one, size = np.eye(len(matrix)), len(matrix)
    if not len(algebra):
        return _gap(one, matrix)
    basis = np.linalg.qr(algebra.reshape(len(algebra), -1).T)[0].T.reshape(algebra.shape)
    rng, best = np.random.default_rng([seed, 0x3E3B]), np.inf
    for start in range(_STARTS + 1):
        at = one if start == 0 else _exp(_FAR * np.tensordot(rng.standard_normal(len(basis)) / np.sqrt(len(basis)), basis, 1))
        for _ in range(_ROUNDS):
            if np.linalg.cond(at) > _CONDITION:  # it ran away along a non-compact direction
                break
            rest = np.linalg.solve(at, matrix) - one
            step = np.tensordot(np.tensordot(basis, rest, 2), basis, 1)
            length = float(np.linalg.norm(step))
            if not length >= 1e-10:
                break
            at = at @ _exp(step * min(1.0, _STRIDE / length))
        if np.isfinite(at).all() and np.linalg.cond(at) < _CONDITION:
            best = min(best, _gap(at, matrix))
        if best < 1e-6 * size:
            break
    return float(best)


def _gap(at: Array, matrix: Array) -> float:
    one = np.eye(len(matrix))
    ahead, behind = np.linalg.norm(np.linalg.solve(at, matrix) - one), np.linalg.norm(np.linalg.solve(matrix, at) - one)
    return float(max(ahead, behind)) / len(matrix) ** 0.5


def _exp(x: Array) -> Array:
    """The exponential of a small matrix by Taylor's series and squaring."""
    halvings = max(0, int(np.ceil(np.log2(max(float(np.abs(x).sum(0).max()), 1e-300)))) + 2)
    y, total, term = x / 2.0**halvings, np.eye(len(x)), np.eye(len(x))
    for k in range(1, 9):
        term = term @ y / k
        total = total + term
    for _ in range(halvings):
        total = total @ total
    return total
