"""The linear part of an element, and algebra on small matrices that the representations share."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError

Matrix = NDArray[np.float64]


def linear_part(element: Any, who: str = "representation") -> Matrix:
    """The matrix [n, n] of an element, or of what is a matrix already; a copy. Raises `OrbitscopeError` where there is none."""
    given = getattr(element, "matrix", element)
    try:
        matrix = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        matrix = np.zeros((0, 1))
    if matrix.ndim != 2 or len(set(matrix.shape)) != 1:
        raise OrbitscopeError(
            f"{who}: {element!r} has no square matrix as its linear part. Give an element that has one, or the matrix [n, n]."
        )
    return matrix


def parity(matrix: ArrayLike) -> float:
    """The sign of the determinant."""
    return float(np.sign(np.linalg.det(np.asarray(matrix, dtype=np.float64))))


def rotation_rate(generator: ArrayLike, ndim: int, who: str) -> Matrix:
    """The generator of a rotation as an array; raises `OrbitscopeError` unless it is [ndim, ndim] and skew."""
    x = linear_part(generator, who)
    if len(x) != ndim or np.abs(x + x.T).max() > 1e-9 * max(1.0, np.abs(x).max()):
        raise OrbitscopeError(
            f"{who}: `generator` should be a skew matrix [{ndim}, {ndim}], the generator of a rotation, got {x.tolist()}."
        )
    return x


def block_diagonal(blocks: Iterable[Matrix]) -> Matrix:
    """Square blocks along the diagonal of a matrix of zeros.

    * `blocks`: square matrices [k, k]; their sizes add up.
    """
    blocks = list(blocks)
    size = sum(len(b) for b in blocks)
    out, start = np.zeros((size, size)), 0
    for b in blocks:
        out[start : start + len(b), start : start + len(b)] = b
        start += len(b)
    return out


def exponential(generator: Matrix) -> Matrix:
    """exp of a matrix."""
    return torch.linalg.matrix_exp(torch.as_tensor(generator, dtype=torch.float64)).numpy()


def is_permutation(matrix: Matrix) -> bool:
    """Whether every row holds one 1 and zeros, exactly."""
    return bool(np.isin(matrix, (0.0, 1.0)).all() and (matrix.sum(1) == 1).all())


def is_signed_permutation(matrix: Matrix) -> bool:
    """Whether every row holds one 1 or -1 and zeros, to rounding."""
    whole = np.rint(matrix)
    return bool(np.allclose(matrix, whole, atol=1e-12) and is_permutation(np.abs(whole)))
