"""Initial conditions of the incompressible PDEgym cases: Brownian bridge, patches of vorticity, vortex sheet, shear layer."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import j0
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid
from ._initial import Range, check_range, flow_of, square_shape, stream
from ._navier_stokes import NavierStokes
from ._spectral import resample, solenoidal


def navier_stokes_brownian(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    exponent: float = 1.5,
    spin_up: float = 0.5,
    amplitude: float = 1.0,
) -> Tensor:
    r"""NS-BB: a Brownian bridge, projected and evolved by Navier-Stokes for half a unit of time. Velocity [2, X, Y].

    $$u = \sum_{k \ne 0} |k|^{-3/2} \sum_{m,n \in \{0,1\}} \alpha_k^{(mn)} \, \mathrm{sc}_m(2 \pi k_x x) \, \mathrm{sc}_n(2 \pi k_y y),
    \qquad \alpha \sim U[-1, 1],\ \mathrm{sc}_0 = \sin,\ \mathrm{sc}_1 = \cos,\ k_x, k_y \ge 0$$

    for both components independently; then the Leray projection, then `spin_up` = 0.5 of `NavierStokes()` on this grid. Modes up to n / 3
    are drawn, square shell by square shell, so that two grids share their large scales before the spin-up. `exponent` is the 3/2,
    `amplitude` the bound of alpha.
    The law is invariant under D4. Its second moments before the projection do not change under translations, but the law does: a square
    of coefficients is not round. Source: Herde et al., arXiv 2405.19101, appendix B.2.2, two of the three factors printed.
    """
    nx, ny = square_shape(grid, "navier-stokes.brownian")
    if not spin_up >= 0:
        raise OrbitscopeError(f"navier-stokes.brownian: `spin_up` should not be negative, got {spin_up}.")
    draw = stream(seed, "navier-stokes.brownian", index)
    top = (nx - 1) // 3
    alpha = np.zeros((2, 2, 2, top + 1, top + 1))  # component, sc of x, sc of y, k_x, k_y
    for shell in range(1, top + 1):
        alpha[..., shell, : shell + 1] = draw.uniform(-amplitude, amplitude, (2, 2, 2, shell + 1))
        alpha[..., :shell, shell] = draw.uniform(-amplitude, amplitude, (2, 2, 2, shell))
    k = np.arange(top + 1.0)
    length = np.sqrt(k[:, None] ** 2 + k[None, :] ** 2)
    length[0, 0] = 1.0
    phase = 2 * np.pi * np.outer((np.arange(nx) + 0.5) / nx, k)
    basis = np.stack([np.sin(phase), np.cos(phase)])  # sc, x, k
    velocity = np.einsum("cmnij,mxi,nyj->cxy", alpha * length**-exponent, basis, basis, optimize=True)
    state = solenoidal(torch.from_numpy(velocity))
    return (NavierStokes().step(state[None], spin_up)[0] if spin_up else state).to(dtype)


def navier_stokes_patches(
    grid: Grid, seed: int, index: int, dtype: torch.dtype = torch.float32, *, p: int = 10, amplitude: float = 1.0
) -> Tensor:
    r"""NS-PwC: vorticity constant on p x p squares, each U[-1, 1]; p = 10. Velocity [2, X, Y], divergence-free, no mean flow.

    The Fourier coefficients of the squares are known in closed form and are cut to the modes that the solver keeps: nothing is
    aliased, two grids share the flow on the modes they share. The mean vorticity is removed. With the published amplitude 1 the
    flow is slow (rms speed about 0.03): little happens until t = 1; raise `amplitude` for more.
    The law is invariant under D4 and shifts by a tenth of the period. Source: Herde et al., arXiv 2405.19101, appendix B.2.1.
    """
    nx, ny = square_shape(grid, "navier-stokes.patches")
    if p < 1:
        raise OrbitscopeError(f"navier-stokes.patches: `p` should be at least 1, got {p}.")
    c = stream(seed, "navier-stokes.patches", index).uniform(-amplitude, amplitude, (p, p))
    return torch.from_numpy(flow_of(squares(c, nx, ny), nx, ny)).to(dtype)


def squares(values: NDArray[Any], nx: int, ny: int) -> NDArray[Any]:
    """Fourier coefficients [nx, ny // 2 + 1] of a field that is constant on equal squares, phases from the first cell centre."""
    along_x = _box(np.fft.fftfreq(nx, 1 / nx), len(values), 0.5 / nx)
    return along_x @ values @ _box(np.fft.rfftfreq(ny, 1 / ny), len(values[0]), 0.5 / ny).T


def _box(k: NDArray[Any], p: int, first: float) -> NDArray[Any]:
    """The integral of exp(-2 pi i k (x - first)) over each of p equal intervals, [k, p]."""
    middle = (np.arange(p) + 0.5) / p
    return np.sinc(k / p)[:, None] / p * np.exp(-2j * np.pi * np.outer(k, middle - first))


def navier_stokes_sheet(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    p: int = 10,
    amplitude: float = 0.003125,
    radius: float = 5 / 128,
    wave: float = 0.2,
) -> Tensor:
    r"""NS-SVS: a mollified sinusoidal vortex sheet. Velocity [2, X, Y], divergence-free, no mean flow.

    $$\omega = \psi_\rho * \Big(\delta_\Gamma - \int d\Gamma\Big), \qquad \Gamma:\ y = \tfrac12 + 0.2 \sin(2 \pi x) + \sum_{i=1}^{10}
    \alpha_i \sin(2 \pi (x + \beta_i)), \qquad \alpha \sim U[0, 0.003125],\ \beta \sim U[0, 1]$$

    $\delta_\Gamma$ measures arc length; $\psi_\rho$ is the cubic spline of radius $\rho$ = 5/128 and mass 1. The sum has mode 1 only, as
    printed. `p` is the number of terms, `amplitude` the bound of alpha, `radius` is rho, `wave` the 0.2.
    Fourier coefficients by quadrature along the curve (1024 points, converged to rounding), cut to the solver's modes.
    Of D4 and the shifts, only the half turn leaves the law alone. Source: Herde et al., arXiv 2405.19101, appendix B.2.4.
    """
    nx, ny = square_shape(grid, "navier-stokes.sheet")
    if p < 1 or not radius > 0 or not amplitude >= 0:
        raise OrbitscopeError(
            f"navier-stokes.sheet: `p` should be at least 1, `radius` positive, `amplitude` not negative, got {p}, {radius}, {amplitude}."
        )
    draw = stream(seed, "navier-stokes.sheet", index)
    alpha, beta = draw.uniform(0.0, amplitude, p), draw.uniform(0.0, 1.0, p)
    count = 1024 * max(1, nx // 256)
    x = np.arange(count) / count
    turn = 2 * np.pi * (x[:, None] + beta)
    y = 0.5 + wave * np.sin(2 * np.pi * x) + (alpha * np.sin(turn)).sum(1)
    slope = 2 * wave * np.pi * np.cos(2 * np.pi * x) + 2 * np.pi * (alpha * np.cos(turn)).sum(1)
    kx, ky = np.fft.fftfreq(nx, 1 / nx), np.fft.rfftfreq(ny, 1 / ny)
    weight = np.sqrt(1 + slope**2) / count
    curve = (np.exp(-2j * np.pi * np.outer(kx, x - 0.5 / nx)) * weight) @ np.exp(-2j * np.pi * np.outer(ky, y - 0.5 / ny)).T
    length = np.sqrt(kx[:, None] ** 2 + ky[None, :] ** 2)
    return torch.from_numpy(flow_of(curve * _spline_transform(radius * length), nx, ny)).to(dtype)


def _spline_transform(k: NDArray[Any]) -> NDArray[Any]:
    """Two-dimensional Fourier transform at the radial frequencies k (cycles per radius) of the cubic spline of radius 1 and mass 1."""
    nodes, weights = np.polynomial.legendre.leggauss(48)
    total = np.zeros_like(k)
    for low, high in ((0.0, 0.5), (0.5, 1.0)):  # the third derivative jumps at 1/2
        for r, w in zip(low + (high - low) * (nodes + 1) / 2, weights * (high - low) / 2, strict=True):
            spline = (r + 1) ** 3 - 4 * (r + 0.5) ** 3 + 6 * r**3 - 4 * max(r - 0.5, 0.0) ** 3
            total += w * 2 * np.pi * r * 80 / (7 * np.pi) * spline * j0(2 * np.pi * k * r)
    return total


def navier_stokes_shear(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    delta: float = 0.025,
    thickness: Range = (0.08, 0.12),
    offset: float = 0.0625,
    modes: tuple[int, int] = (7, 12),
) -> Tensor:
    r"""NS-SL: two perturbed shear layers. Velocity [2, X, Y], projected to its divergence-free part.

    $$u_x = \tanh(2 \pi (\eta - 1/4) / \rho) \text{ where } \eta \le 1/2, \text{ else } \tanh(2 \pi (3/4 - \eta) / \rho), \quad u_y = 0,
    \qquad \eta = y + \sigma(x) \bmod 1,$$
    $$\sigma(x) = \xi + \delta \sum_{k=1}^{p} \alpha_k \sin(2 \pi k x - \beta_k), \quad p \sim U\{7..12\},\ \alpha \sim U[0, 1],
    \ \beta \sim U[0, 2 \pi],\ \rho \sim U[0.08, 0.12],\ \xi \sim U[-0.0625, 0.0625]$$

    In print the perturbation enters the condition only, y + sigma <= 1/2, where both branches are 1 and it does nothing; the layers
    would be straight and steady. It is put in the argument as well, as in Lanthaler, Mishra and Pares-Pulido, "Statistical solutions of
    the incompressible Euler equations", Math. Models Methods Appl. Sci. 31 (2021). The published file stores this case transposed.
    `modes` is the range of p, `thickness` that of rho, `offset` the bound of xi.
    The law is invariant under shifts along x and the reflection of y, not under the rest of D4.
    Source: Herde et al., arXiv 2405.19101, appendix B.2.3.
    """
    nx, ny = square_shape(grid, "navier-stokes.shear")
    check_range("navier-stokes.shear", "thickness", thickness, least=0.0)
    check_range("navier-stokes.shear", "modes", modes, least=0.0)
    draw = stream(seed, "navier-stokes.shear", index)
    count = int(draw.integers(modes[0], modes[1] + 1))
    alpha, beta = draw.uniform(0.0, 1.0, count), draw.uniform(0.0, 2 * np.pi, count)
    rho, xi = draw.uniform(*thickness), draw.uniform(-offset, offset)
    fine = max(256, nx)
    points = (np.arange(fine) + 0.5) / fine
    sigma = xi + delta * (alpha * np.sin(2 * np.pi * np.outer(points, np.arange(1, count + 1)) - beta)).sum(1)
    eta = (points[None, :] + sigma[:, None]) % 1.0
    u = np.tanh(2 * np.pi * np.where(eta <= 0.5, eta - 0.25, 0.75 - eta) / rho)
    velocity = torch.from_numpy(np.stack([u, np.zeros_like(u)]))
    return solenoidal(velocity if fine == nx else resample(velocity, (nx, ny))).to(dtype)
