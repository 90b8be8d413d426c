r"""Kernels of any rotation of the plane: sampled circular harmonics.

The radial profiles are those of the two-dimensional harmonic oscillator, $r^\mu L_j^{(\mu)}(r^2/\sigma^2)\, e^{-r^2/2\sigma^2}$ times
$\cos \mu\varphi, \sin \mu\varphi$: polynomials of degree $\mu + 2j$ in x and y under a Gaussian. They are as concentrated in space and in
frequency at once as functions can be; $\sigma^2 = k / 2\pi$ balances truncation at k/2 against aliasing beyond one cycle per two cells.

Sampled, a function of one frequency has small moments of others ($\cos 4\varphi$ on a square of cells has a mean), and on a smooth field
the lowest moments are what a kernel sees. So the moments of other frequencies up to a polynomial degree are projected out.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import eval_genlaguerre

from ..symmetry import Group, PlanarIrrep, Representation, Restriction, averaged_over

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Harmonics:
    """Band-limited functions on the cells of a kernel, unit norm: `values` [count, k * k]; frequency and first number of each part."""

    values: Array
    parts: tuple[tuple[int, int], ...]


@lru_cache(maxsize=64)
def harmonics(kernel: int, degree: int) -> Harmonics:
    """The oscillator functions of polynomial degree up to `degree` that the cells resolve, sampled and cleaned."""
    offset = np.arange(kernel, dtype=np.float64) - (kernel - 1) / 2
    x, y = (np.asarray(c.ravel(), dtype=np.float64) for c in np.meshgrid(offset, offset, indexing="ij"))
    square, angle, width = x**2 + y**2, np.arctan2(y, x), kernel / (2 * math.pi)
    window = np.exp(-square / (2 * width))
    values: list[Array] = []
    parts = []
    for frequency in range(degree + 1):
        clean = _cleaner(x, y, window, frequency, kernel + 1 if kernel >= 5 else 2 * (kernel >= 3))
        for j in range((degree - frequency) // 2 + 1):
            radial = square ** (frequency / 2) * eval_genlaguerre(j, frequency, square / width) * window
            raw = [radial * np.cos(frequency * angle)] + [radial * np.sin(frequency * angle)] * (frequency > 0)
            both = [clean @ v for v in raw]
            size = math.sqrt(np.mean([np.square(v).sum() for v in both]))
            if size > 0.05 * math.sqrt(np.mean([np.square(v).sum() for v in raw])) > 1e-12:  # else the cells do not resolve it
                parts.append((frequency, len(values)))
                values += [v / size for v in both]
    return Harmonics(np.array(values), tuple(parts))


def default_degree(kernel: int) -> int:
    """What the cells of a kernel resolve with an error of some percent at 45 degrees: 2 for 3 cells, 3 for 5 and 7, 5 for 9 and 11."""
    return min(2, kernel - 1) if kernel < 5 else 2 * ((kernel - 1) // 4) + 1


def _cleaner(x: Array, y: Array, weight: Array, frequency: int, highest: int) -> Array:
    """The projection of kernels [k * k] on those without moments of other frequencies, up to polynomial degree `highest`."""
    square, angle, moments = x**2 + y**2, np.arctan2(y, x), []
    for degree in range(highest + 1):
        for other in range(degree, -1, -2):
            if other != frequency:
                radial = square ** (degree / 2)
                moments += [radial * np.cos(other * angle)] + [radial * np.sin(other * angle)] * (other > 0)
    if not moments:
        return np.eye(len(x))
    rows = np.array([m / max(float(np.linalg.norm(m)), 1e-30) for m in moments])
    return np.eye(len(x)) - (weight[:, None] * rows.T) @ np.linalg.pinv((rows * weight) @ rows.T, rcond=1e-10) @ rows


def moved_harmonics(basis: Harmonics, element: Array) -> Array:
    r"""$f(g^{-1} x)$ for each function, from the functions themselves: [count, k * k].

    $(\cos \mu\varphi, \sin \mu\varphi)$ of g x is the irrep $\rho_\mu(g)$ times that of x.
    """
    out = basis.values.copy()
    for frequency, start in basis.parts:
        if frequency:
            out[start : start + 2] = PlanarIrrep(frequency).matrix(element).T @ basis.values[start : start + 2]
    return out


@lru_cache(maxsize=256)
def steerable_basis(out: Restriction, into: Restriction, kernel: int, degree: int) -> Array:
    r"""A basis of the kernels with $K(g x) = \rho_{out}(g) K(x) \rho_{in}(g)^{-1}$ among the harmonics, [count, out, in, k * k].

    Small field types: the mean over the group of $\rho_{out} \otimes \rho_{in} \otimes \rho_\mu$ projects on the admissible coefficients,
    one frequency at a time (at most 2 x 2 x 2 numbers for irreps). From regular fields: a free kernel at the identity, carried around.
    Each has mean squared norm 1 per output component.
    """
    functions = harmonics(kernel, degree)
    if into.regular:
        free = []
        for a in range(out.size):
            stack = [np.einsum("a,pk->pak", out.matrix(h)[:, a], moved_harmonics(functions, h.matrix)) for h in into.group.elements]
            free.append(np.stack(stack, axis=2))
        basis = np.concatenate(free)
    else:
        found = []
        for frequency, start in functions.parts:
            for c in _coefficients(out, into, frequency):
                found.append(np.einsum("oif,fk->oik", c, functions.values[start : start + c.shape[-1]]))
        basis = np.array(found).reshape(len(found), out.size, into.size, kernel**2)
    norm = np.sqrt(np.square(basis).sum((2, 3)).mean(1))
    return basis / norm[:, None, None, None]


@lru_cache(maxsize=64)
def regular_functions(field: Restriction, kernel: int, degree: int) -> Array:
    """The functions carried by each element, [elements, count, k * k]: with them a kernel to a regular field needs no basis of its own."""
    functions = harmonics(kernel, degree)
    return np.stack([moved_harmonics(functions, g.matrix) for g in field.group.elements])


def _coefficients(out: Restriction, into: Restriction, frequency: int) -> list[Array]:
    size = 2 if frequency else 1
    # The mean over a continuous group is exact with more angles than the sum of all frequencies.
    angles = 32 * math.ceil((frequency + out.representation.highest_frequency + into.representation.highest_frequency + 1) / 32)
    each = [_matrices(r, out.group, angles) for r in (out.representation, into.representation, PlanarIrrep(frequency))]
    mean = np.mean(_kron(_kron(each[0], each[1]), each[2]), axis=0)
    values, vectors = np.linalg.eigh((mean + mean.T) / 2)
    return [v.reshape(out.size, into.size, size) for v in vectors[:, values > 0.5].T]


@lru_cache(maxsize=256)
def _matrices(representation: Representation, group: Group, angles: int) -> Array:
    """The representation of each element that a mean is taken over, [elements, size, size]."""
    return np.stack([representation.matrix(g) for g in averaged_over(group, angles)])


def _kron(a: Array, b: Array) -> Array:
    """`np.kron` of each pair, [elements, size, size]."""
    size = a.shape[-1] * b.shape[-1]
    return (a[:, :, None, :, None] * b[:, None, :, None, :]).reshape(-1, size, size)
