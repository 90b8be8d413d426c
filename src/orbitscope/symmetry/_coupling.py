"""Spherical harmonics and the coupling of two irreps of O(3) into a third, in the basis of `RotationIrrep`."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ._rotational import rotation_generators

Matrix = NDArray[np.float64]
#: Beyond this degree nobody has asked, and the null space of `coupling` grows with its sixth power.
HIGHEST = 8


def coupling(first: int, second: int, third: int) -> Matrix:
    r"""The invariant tensor C of three irreps of SO(3), $D^{l_1} \otimes D^{l_2} \otimes D^{l_3} C = C$, real, of norm 1.

    * `first`, `second`, `third`: the degrees, each 0 .. 8, with $|l_1 - l_2| \le l_3 \le l_1 + l_2$.

    Shape [2 l_1 + 1, 2 l_2 + 1, 2 l_3 + 1]; $\sum_{ab} C_{abc} x_a y_b$ moves like degree l_3 where x and y move like l_1 and l_2. It is
    unique up to sign: the first entry that is not 0 is positive. (e3nn's `wigner_3j` is this tensor, for some triples with the other sign.)
    Raises `OrbitscopeError` for degrees that do not couple.

    >>> round(float(coupling(1, 1, 1)[0, 1, 2] * 6**0.5), 9)  # the cross product
    1.0
    """
    return _coupling(first, second, third).copy()


@lru_cache(maxsize=512)
def _coupling(first: int, second: int, third: int) -> Matrix:
    degrees = (first, second, third)
    if not all(0 <= n <= HIGHEST for n in degrees) or not abs(first - second) <= third <= first + second:
        raise OrbitscopeError(f"coupling: the degrees {degrees} do not couple; they lie in 0 .. {HIGHEST} and each is at most the sum.")
    sizes = [2 * n + 1 for n in degrees]
    one, two, three = (np.eye(n) for n in sizes)
    rates = [
        np.kron(np.kron(a, two), three) + np.kron(np.kron(one, b), three) + np.kron(np.kron(one, two), c)
        for a, b, c in zip(*(rotation_generators(n) for n in degrees), strict=True)
    ]
    # The only vector that all three generators leave alone: the lowest eigenvector of the Casimir operator.
    values, vectors = np.linalg.eigh(-sum(x @ x for x in rates))
    found = vectors[:, 0] if values[0] < 1e-6 else np.zeros(len(values))
    found = np.where(np.abs(found) < 1e-10, 0.0, found)
    lead = found[np.flatnonzero(found)[0]]
    made = (found * np.sign(lead)).reshape(sizes)
    made.flags.writeable = False
    return made


def spherical_harmonics(degree: int, vectors: Tensor) -> Tensor:
    r"""The harmonics $Y_0, \dots, Y_L$ of directions, side by side, $|Y_l(\hat r)|^2 = 2 l + 1$: e3nn's, normalised by "component".

    * `degree`: L, 0 .. 8.
    * `vectors`: r [..., 3], of any length but 0; only their direction counts.

    Shape [..., (L + 1)^2], m = -l .. l in each degree, with the y axis as the pole; $Y_l(R r) = D^l(R) Y_l(r)$ and
    $Y_l(-r) = (-1)^l Y_l(r)$. A vector 0 has no direction: there all but $Y_0$ are 0, and so are the gradients. Recursion
    $Y_{l+1} \propto C(Y_l, Y_1)$ with the tensors of `coupling`.

    >>> spherical_harmonics(1, torch.tensor([0.0, 2.0, 0.0])).square().round().tolist()
    [1.0, 0.0, 3.0, 0.0]
    """
    if not 0 <= degree <= HIGHEST:
        raise OrbitscopeError(f"spherical_harmonics: `degree` should lie in 0 .. {HIGHEST}, got {degree}.")
    square = vectors.square().sum(-1, keepdim=True)
    nothing = square <= torch.finfo(vectors.dtype).tiny
    direction = torch.where(nothing, 0.0, vectors) / torch.where(nothing, 1.0, square).sqrt()
    found = [torch.ones_like(square), direction]
    for n in range(1, degree):
        step = torch.as_tensor(_step(n), dtype=vectors.dtype, device=vectors.device)
        found.append(torch.einsum("...a,...b,abc->...c", found[-1], direction, step))
    return torch.cat([y * (2 * n + 1) ** 0.5 for n, y in enumerate(found[: degree + 1])], -1)


@lru_cache(maxsize=32)
def _step(degree: int) -> Matrix:
    """What makes $Y_{l+1}$ of $Y_l$ and $Y_1$, all of length 1: at the pole, where m = 0 alone is 1, it gives 1."""
    made = _coupling(degree, 1, degree + 1)
    return made / made[degree, 1, degree + 1]
