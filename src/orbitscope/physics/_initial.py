"""Initial conditions of the PDEgym collection, one random stream per trajectory."""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid
from ._euler import Euler
from ._spectral import resample, solenoidal

Initial = Callable[[Grid, int, int, torch.dtype], Tensor]
"""(grid, seed, index, dtype) -> state [C, X, Y]."""

Range = tuple[float, float]


def stream(seed: int, purpose: str, index: int) -> np.random.Generator:
    """The random numbers of one trajectory: a function of these three alone, the same on every machine and for every batch size."""
    if seed < 0 or index < 0:
        raise OrbitscopeError(f"initial condition: `seed` and `index` should not be negative, got {seed} and {index}.")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), index])))


def navier_stokes_gauss(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    vortices: int = 100,
    width: Range = (0.01, 0.1),
    amplitude: float = 1.0,
) -> Tensor:
    r"""NS-Gauss: a hundred Gaussian vortices. Velocity [2, X, Y], divergence-free, no mean flow.

    $$\omega(x) = \sum_{i=1}^{100} \frac{\alpha_i}{\sigma_i} \sum_{n \in Z^2} \exp(-|x - x_i - n|^2 / 2 \sigma_i^2) - \bar\omega, \qquad
     \alpha \sim U[-1, 1],\ \sigma \sim U[0.01, 0.1],\ x_i \sim U[0, 1]^2$$

    All periodic images are summed, exactly: the spectrum is known in closed form, $2 \pi \alpha \sigma \exp(-2 \pi^2 \sigma^2 |k|^2)$
    times a phase, and is cut to the modes that the solver keeps ($|k_x|, |k_y| < n/3$). So nothing is aliased, and the same index on two
    grids is the same flow on the modes they share. The mean vorticity is removed: a periodic velocity has none.
    The law is invariant under D4 and all
    translations. Source: Herde et al., arXiv 2405.19101, appendix B (NS-Gauss).

    * `grid`: the grid of the state.
    * `seed`: of the random stream.
    * `index`: number of the trajectory: each has a random stream of its own, derived from (`seed`, `index`).
    * `dtype`: precision of the answer.
    * `vortices`: their number, a hundred in the source.
    * `width`: lowest and highest $\sigma$, in lengths of the box.
    * `amplitude`: bound of $|\alpha|$.

    Raises `OrbitscopeError` for a grid that is not the periodic unit square, and for parameters out of range.
    """
    nx, ny = square_shape(grid, "navier-stokes.gauss")
    check_vortices("navier-stokes.gauss", vortices, width, amplitude)
    draw = stream(seed, "navier-stokes.gauss", index)
    return torch.from_numpy(flow_of(gaussian_vortices(draw, nx, ny, vortices, width, amplitude), nx, ny)).to(dtype)


def check_vortices(name: str, count: int, width: Range, amplitude: float) -> None:
    """Raise unless these can be the parameters of `gaussian_vortices`."""
    if int(count) != count or count < 1:
        raise OrbitscopeError(f"{name}: `vortices` should be a whole number, at least 1, got {count}.")
    check_range(name, "width", width, least=0.0)
    if not 0 <= amplitude < float("inf"):
        raise OrbitscopeError(f"{name}: `amplitude` should be a number >= 0, got {amplitude}.")


def check_range(name: str, what: str, value: Range, least: float = -float("inf")) -> None:
    """Raise unless `value` is (low, high) with least < low <= high, both finite."""
    if len(value) != 2 or not least < value[0] <= value[1] < float("inf"):
        bound = "" if least == -float("inf") else f", low above {least:g}"
        raise OrbitscopeError(f"{name}: `{what}` should be a range (low, high){bound}, got {value}.")


def gaussian_vortices(draw: np.random.Generator, nx: int, ny: int, count: int, width: Range, amplitude: float = 1.0) -> NDArray[Any]:
    """Fourier coefficients [nx, ny // 2 + 1] of the vorticity of NS-Gauss, phases from the first cell centre."""
    alpha, sigma = draw.uniform(-amplitude, amplitude, count), draw.uniform(*width, count)
    return gaussians(nx, ny, 2 * np.pi * alpha * sigma, sigma, draw.uniform(0.0, 1.0, (count, 2)))


def gaussians(nx: int, ny: int, integral: NDArray[Any], sigma: NDArray[Any], centre: NDArray[Any]) -> NDArray[Any]:
    """Fourier coefficients [nx, ny // 2 + 1] of a sum of periodic Gaussians with these integrals, widths and centres [count, 2]."""
    kx, ky = np.fft.fftfreq(nx, 1 / nx), np.fft.rfftfreq(ny, 1 / ny)
    # A Gaussian is a product over the axes, so the sum is a matrix product.
    along_x = np.exp(-2 * np.pi**2 * np.outer(kx, sigma) ** 2 - 2j * np.pi * np.outer(kx, centre[:, 0] - 0.5 / nx))
    along_y = np.exp(-2 * np.pi**2 * np.outer(ky, sigma) ** 2 - 2j * np.pi * np.outer(ky, centre[:, 1] - 0.5 / ny))
    return (along_x * integral) @ along_y.T


def flow_of(vorticity: NDArray[Any], nx: int, ny: int) -> NDArray[Any]:
    """The velocity [2, nx, ny] without mean flow that has these Fourier coefficients of the vorticity, cut to |k| < n / 3 per axis."""
    kx, ky = np.fft.fftfreq(nx, 1 / nx), np.fft.rfftfreq(ny, 1 / ny)
    square = kx[:, None] ** 2 + ky[None, :] ** 2
    square[0, 0] = 1.0
    keep = (3 * np.abs(kx)[:, None] < nx) & (3 * ky[None, :] < ny) & (kx[:, None] ** 2 + ky[None, :] ** 2 > 0)
    stream_function = vorticity * keep / (2 * np.pi * square)
    spectrum = np.stack([1j * ky[None, :] * stream_function, -1j * kx[:, None] * stream_function])
    return np.fft.irfft2(spectrum * (nx * ny), s=(nx, ny), axes=(1, 2))


def navier_stokes_sines(
    grid: Grid, seed: int, index: int, dtype: torch.dtype = torch.float32, *, modes: int = 10, amplitude: float = 1.0
) -> Tensor:
    r"""NS-Sines: random sines up to mode 10. Velocity [2, X, Y], projected to its divergence-free part.

    $$u_x = \sum_{i,j=1}^{10} \frac{\alpha_{ij}}{\sqrt{2 \pi (i + j)}} \sin(2 \pi i x + \beta_{ij}) \sin(2 \pi j y + \gamma_{ij}), \quad
    u_y = \sum \ldots \cos(2 \pi i x + \beta_{ij}) \cos(2 \pi j y + \gamma_{ij}),$$
    $$\alpha \sim U[-1, 1],\ \beta, \gamma \sim U[0, 2 \pi]$$

    with the same coefficients in both components, as printed. That field is not divergence-free unless i = j; its Leray projection is,
    and keeps on average 86 % of the energy. Modes that the solver does not keep (i or j >= n/3, so only for n < 32) are removed.
    The law is invariant under D4 and all translations. Source: Herde et al., arXiv 2405.19101, appendix B (NS-Sines).

    * `grid`: the grid of the state.
    * `seed`: of the random stream.
    * `index`: number of the trajectory: each has a random stream of its own, derived from (`seed`, `index`).
    * `dtype`: precision of the answer.
    * `modes`: the highest i and j, ten in the source.
    * `amplitude`: bound of $|\alpha|$.

    Raises `OrbitscopeError` for a grid that is not the periodic unit square, and for parameters out of range.
    """
    nx, ny = square_shape(grid, "navier-stokes.sines")
    if int(modes) != modes or modes < 1:
        raise OrbitscopeError(f"navier-stokes.sines: `modes` should be a whole number, at least 1, got {modes}.")
    if not 0 <= amplitude < float("inf"):
        raise OrbitscopeError(f"navier-stokes.sines: `amplitude` should be a number >= 0, got {amplitude}.")
    draw = stream(seed, "navier-stokes.sines", index)
    i, j = (m.ravel().astype(float) for m in np.meshgrid(np.arange(1, modes + 1), np.arange(1, modes + 1), indexing="ij"))
    alpha = draw.uniform(-amplitude, amplitude, modes**2) / np.sqrt(2 * np.pi * (i + j))
    beta, gamma = draw.uniform(0.0, 2 * np.pi, modes**2), draw.uniform(0.0, 2 * np.pi, modes**2)
    fine = max(32, nx, 2 * modes + 2)  # resolves the highest mode: 10 by default
    points = (np.arange(fine) + 0.5) / fine
    x, y = 2 * np.pi * np.outer(points, i) + beta, 2 * np.pi * np.outer(points, j) + gamma
    velocity = torch.from_numpy(np.stack([(np.sin(x) * alpha) @ np.sin(y).T, (np.cos(x) * alpha) @ np.cos(y).T]))
    return solenoidal(velocity if fine == nx else resample(velocity, (nx, ny))).to(dtype)


def euler_riemann(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    density: Range = (0.1, 1.0),
    velocity: Range = (-1.0, 1.0),
    pressure: Range = (0.1, 1.0),
) -> Tensor:
    r"""CE-RP: four quadrants of constant state. Conserved variables [4, X, Y].

    density ~ U[0.1, 1], both velocities ~ U[-1, 1], pressure ~ U[0.1, 1] or the ranges given, independently per quadrant; gamma = 1.4.
    Interfaces lie on cell faces at x = 1/2, y = 1/2 and, the square being periodic, at the seams x = 0, y = 0; hence an even number of
    points per axis. Quadrant (a, b) covers a/2 <= x < (a+1)/2, b/2 <= y < (b+1)/2. The law is invariant under D4 (if `velocity` is
    symmetric about 0) and under shifts by half a period, not under other shifts. Source: Herde et al., arXiv 2405.19101, appendix B
    (CE-RP).

    * `grid`: the grid of the state; an even number of points per axis.
    * `seed`: of the random stream.
    * `index`: number of the trajectory: each has a random stream of its own, derived from (`seed`, `index`).
    * `dtype`: precision of the answer.
    * `density`: range that it is drawn from.
    * `velocity`: range that both components are drawn from.
    * `pressure`: range that it is drawn from.

    Raises `OrbitscopeError` for a grid that is not the periodic unit square, an odd number of points, and ranges that no gas has.
    """
    nx, ny = square_shape(grid, "euler.riemann")
    if nx % 2 or ny % 2:
        raise OrbitscopeError(f"euler.riemann: the quadrants need an even number of points per axis, got {grid.shape}.")
    for what, value, least in (("density", density, 0.0), ("velocity", velocity, -np.inf), ("pressure", pressure, 0.0)):
        check_range("euler.riemann", what, value, least)
    draw = stream(seed, "euler.riemann", index)
    low, high = np.array([density, velocity, velocity, pressure], dtype=float).T
    quadrants = low[:, None, None] + (high - low)[:, None, None] * draw.random((4, 2, 2))
    primitive = torch.from_numpy(quadrants).repeat_interleave(nx // 2, 1).repeat_interleave(ny // 2, 2)
    return Euler().conserved(primitive).to(dtype)


def square_shape(grid: Grid, name: str) -> tuple[int, int]:
    if grid.ndim != 2 or not grid.periodic or grid.centring != "cell" or grid.shape[0] != grid.shape[1] or set(grid.extent) != {1.0}:
        raise OrbitscopeError(f"{name}: `grid` should be the periodic, cell-centred unit square, Grid.square(n), got {grid}.")
    if grid.shape[0] < 4:
        raise OrbitscopeError(f"{name}: `grid` should have at least 4 points per axis, got {grid.shape}.")
    return grid.shape[0], grid.shape[1]
