"""A Gaussian density field in a periodic box, the displacement of matter to second order, and the tide."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft as _fft

from ..._errors import OrbitscopeError
from ..._seed import derive

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Power = Callable[[Real], Real]
fft: Any = _fft  # scipy's types are those of its dispatcher


def to_modes(field: Real) -> Complex:
    """The modes of a real field, [n, n, n/2 + 1], unnormalised.

    * `field`: [n, n, n].
    """
    return fft.rfftn(field)


def to_field(modes: Complex) -> Real:
    """The real field of its modes, [n, n, n].

    * `modes`: [n, n, n/2 + 1].
    """
    return fft.irfftn(modes, s=(len(modes),) * 3)


def wavenumbers(grid: int, box: float, *, odd: bool = False) -> tuple[Real, Real, Real]:
    """Components of the wave vectors of a real field, h/Mpc, to be broadcast to [n, n, n/2 + 1].

    * `grid`: n, points along each side. `box`: side, Mpc/h. `odd`: for derivatives, which the highest frequency of a real field lacks.
    """
    full, half = fft.fftfreq(grid, box / grid) * 2 * np.pi, fft.rfftfreq(grid, box / grid) * 2 * np.pi
    if odd and grid % 2 == 0:
        full[grid // 2] = half[-1] = 0.0
    return full[:, None, None], full[None, :, None], half[None, None, :]


def _square(k: tuple[Real, Real, Real]) -> Real:
    """Squares of the wave vectors, with 1 instead of 0 for the mean, which no field here has."""
    found = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
    found[0, 0, 0] = 1.0
    return found


def density(grid: int, box: float, power: Power, seed: int) -> Real:
    """A Gaussian field of relative density with a given spectrum, [n, n, n], mean 0.

    * `grid`: n, points along each side, at least 8. `box`: side, Mpc/h. `power`: P(k), (Mpc/h)^3, of k in h/Mpc. `seed`: of the field.
    """
    if grid < 8:
        raise OrbitscopeError(f"density: `grid` should be at least 8 points for each side, got {grid}.")
    noise = np.random.default_rng(derive(seed, "galaxies density")).normal(size=(grid, grid, grid))
    k = np.sqrt(_square(wavenumbers(grid, box)))
    modes = to_modes(noise) * np.sqrt(power(k) * grid**3 / box**3)
    modes[0, 0, 0] = 0.0
    return to_field(modes)


def smoothed(modes: Complex, box: float, radius: float) -> Complex:
    """Modes of a field averaged with a Gaussian of width `radius`.

    * `modes`: [n, n, n/2 + 1], of `rfftn`. `box`: side, Mpc/h. `radius`: standard deviation of the Gaussian, Mpc/h.
    """
    x, y, z = wavenumbers(len(modes), box)
    return modes * np.exp(-0.5 * radius**2 * (x**2 + y**2 + z**2))


def displacements(field: Real, box: float, matter: float) -> tuple[Real, Real]:
    r"""Displacements of matter by gravity, of first and of second order, each [3, n, n, n], Mpc/h:

    $$\psi_1 = -\nabla \phi_1, \quad \nabla^2 \phi_1 = \delta; \qquad \psi_2 = -\tfrac37 \Omega_m^{-1/143} \nabla \phi_2, \quad
    \nabla^2 \phi_2 = \sum_{i < j} \left( \phi_{1,ii} \phi_{1,jj} - \phi_{1,ij}^2 \right).$$

    * `field`: linear density of the time that is meant, [n, n, n]. `box`: side, Mpc/h. `matter`: density parameter of matter at that time.

    Lagrangian perturbation theory: right while orbits do not cross, that is above a few Mpc/h today.
    """
    n = len(field)
    k = wavenumbers(n, box, odd=True)
    square = _square(wavenumbers(n, box))

    def gradient(source: Complex) -> Real:  # of the potential whose Laplacian the source is
        return np.stack([to_field(-1j * c / square * source) for c in k])

    modes = to_modes(field)
    second = np.zeros_like(field)
    trace = [to_field(c * c / square * modes) for c in k]
    for i in range(3):
        for j in range(i + 1, 3):
            mixed = to_field(k[i] * k[j] / square * modes)
            second += trace[i] * trace[j] - mixed**2
    growth = -3 / 7 * matter ** (-1 / 143)
    return -gradient(modes), growth * gradient(to_modes(second))


def tide(field: Real, box: float, radius: float, points: Real) -> Real:
    r"""The tidal tensor $\partial_i \partial_j \phi$, $\nabla^2 \phi = \delta$, at some places, [P, 3, 3]; its trace is the density.

    * `field`: density, [n, n, n]. `box`: side, Mpc/h. `radius`: of the Gaussian average, Mpc/h. `points`: places, [P, 3], Mpc/h.
    """
    k = wavenumbers(len(field), box)
    modes = smoothed(to_modes(field), box, radius) / _square(k)
    found = np.empty((len(points), 3, 3))
    for i in range(3):
        for j in range(i, 3):
            found[:, i, j] = found[:, j, i] = interpolated(to_field(k[i] * k[j] * modes), box, points)
    return found


def interpolated(field: Real, box: float, points: Real) -> Real:
    """A periodic field between its points, linear along each axis; [P, ...] for a field [..., n, n, n].

    * `field`: values at the points (i, j, k) box / n. `box`: side, Mpc/h. `points`: places, [P, 3], Mpc/h.
    """
    n = field.shape[-1]
    scaled = np.asarray(points) * (n / box)
    base = np.floor(scaled).astype(np.int64)
    part = scaled - base
    found = np.zeros((len(points), *field.shape[:-3]))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), axis=1)
        i, j, k = ((base + corner) % n).T
        found += weight.reshape(-1, *[1] * (found.ndim - 1)) * np.moveaxis(field[..., i, j, k], -1, 0)
    return found


def deposited(points: Real, grid: int, box: float) -> Real:
    """Relative density of points, each shared among the eight nearest grid points, [n, n, n].

    * `points`: places, [P, 3], Mpc/h. `grid`: n. `box`: side, Mpc/h.
    """
    scaled = np.asarray(points) * (grid / box)
    base = np.floor(scaled).astype(np.int64)
    part = scaled - base
    total = np.zeros(grid**3)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), axis=1)
        i, j, k = ((base + corner) % grid).T
        total += np.bincount((i * grid + j) * grid + k, weights=weight, minlength=grid**3)
    return total.reshape(grid, grid, grid) * (grid**3 / len(points)) - 1


def spectrum(first: Real, second: Real, box: float, limits: Real) -> tuple[Real, Real, NDArray[np.int64]]:
    r"""Cross power of two fields in shells of k: mean k, $P = V \langle \mathrm{Re}\, a_k b_k^* \rangle / n^6$ and the number of modes.

    * `first`, `second`: fields [n, n, n]; the same one gives its power. `box`: side, Mpc/h. `limits`: edges of the shells, h/Mpc.

    Fields from `deposited` lose power near the highest frequency of the grid, by the square of $\prod_i \mathrm{sinc}^2(k_i h / 2)$ each.
    """
    n = len(first)
    x, y, z = wavenumbers(n, box)
    k = np.sqrt(x**2 + y**2 + z**2)
    product = (to_modes(first) * np.conj(to_modes(second))).real * box**3 / n**6
    twice = np.full(k.shape, 2)
    twice[..., 0] = 1
    if n % 2 == 0:
        twice[..., -1] = 1
    shell = np.digitize(k.ravel(), limits) - 1
    good = (shell >= 0) & (shell < len(limits) - 1)
    count = np.bincount(shell[good], twice.ravel()[good], len(limits) - 1)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(shell[good], (twice * k).ravel()[good], len(limits) - 1) / count
        power = np.bincount(shell[good], (twice * product).ravel()[good], len(limits) - 1) / count
    return mean, power, count.astype(np.int64)
