"""Exact backscattering of a conducting sphere and an endless conducting cylinder: what approximations are held against."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import h1vp, hankel1, jv, jvp, spherical_jn, spherical_yn

from .._errors import OrbitscopeError

Complex = NDArray[np.complex128]


def sphere_backscatter(radius: float, wavenumbers: ArrayLike) -> Complex:
    r"""Backscattered amplitude of a perfectly conducting sphere, Mie's series, [wavenumber]; $\sigma = 4 \pi |A|^2$.

    $$A = \frac{1}{2 k} \sum_{n \ge 1} (-1)^n (2 n + 1) (b_n - a_n), \qquad
    a_n = \frac{[x j_n(x)]'}{[x h_n(x)]'}, \quad b_n = \frac{j_n(x)}{h_n(x)}, \quad x = k a$$

    * `radius`: a, positive, in any unit of length. `wavenumbers`: k, positive, in its inverse, [wavenumber].

    A has the unit of length; its phase is that of `physical_optics` about the centre, for which $i A^*$ is returned. Small spheres give
    $\sigma = 9 \pi a^2 (k a)^4$, large ones $\pi a^2$. Raises `OrbitscopeError` for numbers that are not
    positive. Source: Bohren and Huffman, Absorption and Scattering of Light by Small Particles, chapter 4, in the limit of an infinite
    refractive index.

    >>> bool(abs(4 * np.pi * abs(sphere_backscatter(1.0, [200.0])[0]) ** 2 / np.pi - 1) < 0.02)
    True
    """
    k = _positive(radius, wavenumbers)
    found = np.empty(len(k), dtype=np.complex128)
    for i, x in enumerate(k * radius):
        n = np.arange(1, int(x + 4 * x ** (1 / 3) + 12))
        j, y = spherical_jn(n, x), spherical_yn(n, x)
        dj, dy = spherical_jn(n, x, derivative=True), spherical_yn(n, x, derivative=True)
        h, dh = j + 1j * y, dj + 1j * dy
        a, b = (j + x * dj) / (h + x * dh), j / h
        found[i] = ((-1.0) ** n * (2 * n + 1) * (b - a)).sum() / (2 * k[i])
    return 1j * found.conj()


def cylinder_backscatter(radius: float, wavenumbers: ArrayLike, polarisation: str = "parallel") -> Complex:
    r"""Backscattered amplitude per length of an endless conducting cylinder seen broadside, [wavenumber], in the sense of a long one.

    $$\frac{A}{L} = \frac{1}{\pi} \sum_{n = -\infty}^{\infty} (-1)^n c_n, \qquad
    c_n = \frac{J_n(x)}{H_n(x)} \ \text{or} \ \frac{J_n'(x)}{H_n'(x)}, \quad x = k a$$

    ($\mp i A^*$ is returned, for the phase of `physical_optics`) so that $\sigma = 4 \pi |A|^2 = \frac{2 L^2}{\lambda} \sigma_2$ with the
    width $\sigma_2 = \frac{4}{k} |\sum_n (-1)^n c_n|^2$ of the plane problem; large cylinders give $\sigma = k a L^2$.

    * `radius`: a, positive, in any unit of length. `wavenumbers`: k, positive, in its inverse, [wavenumber].
    * `polarisation`: "parallel" (E along the axis) or "perpendicular".

    Raises `OrbitscopeError` for another polarisation and numbers that are not positive. Source: Knott, Shaeffer and Tuley, chapter 3.
    """
    k = _positive(radius, wavenumbers)
    if polarisation not in ("parallel", "perpendicular"):
        raise OrbitscopeError(f"cylinder_backscatter: `polarisation` should be parallel or perpendicular, got {polarisation!r}.")
    found = np.empty(len(k), dtype=np.complex128)
    for i, x in enumerate(k * radius):
        n = np.arange(0, int(x + 4 * x ** (1 / 3) + 12))
        c = jv(n, x) / hankel1(n, x) if polarisation == "parallel" else jvp(n, x) / h1vp(n, x)
        found[i] = np.where(n == 0, 1, 2) @ ((-1.0) ** n * c) / np.pi
    return (1j if polarisation == "parallel" else -1j) * found.conj()


def _positive(radius: float, wavenumbers: ArrayLike) -> NDArray[np.float64]:
    k = np.atleast_1d(np.asarray(wavenumbers, dtype=np.float64))
    if not (np.isfinite(radius) and radius > 0) or k.ndim != 1 or not np.isfinite(k).all() or (k <= 0).any():
        raise OrbitscopeError(f"radius, wavenumbers: both should be positive and finite, got {radius} and {wavenumbers}.")
    return k
