"""Initial conditions for a carried tracer, a forced flow and the heat equation."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid
from ._initial import Range, check_range, check_vortices, flow_of, gaussian_vortices, gaussians, square_shape, stream
from ._initial_flow import navier_stokes_patches, squares


def navier_stokes_tracer_patches(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    p: int = 10,
    amplitude: float = 1.0,
    tracer_p: int = 10,
    tracer: Range = (0.0, 1.0),
) -> Tensor:
    """NS-Tracer-PwC: the velocity of NS-PwC and a tracer constant on squares. State [3, X, Y]: velocity, tracer.

    The velocity is that of `navier_stokes_patches` with the same seed and index, bit for bit, `p` and `amplitude` included. The tracer
    is constant on `tracer_p` x `tracer_p` squares, each uniform in the range `tracer`, drawn from a stream of its own. Its Fourier
    coefficients are known in closed form and cut to the modes that the solver keeps, so the jumps ring.

    *Unknown:* the published law of the tracer. The data cards say only that a passive tracer is carried by the flow; squares and range
    are choices of this package. The law is invariant under D4 and under shifts by a common multiple of both kinds of squares.
    Source of the velocity: Herde et al., arXiv 2405.19101, appendix B.2.1.
    """
    nx, ny = square_shape(grid, "navier-stokes-tracer.patches")
    if int(tracer_p) != tracer_p or tracer_p < 1:
        raise OrbitscopeError(f"navier-stokes-tracer.patches: `tracer_p` should be a whole number, at least 1, got {tracer_p}.")
    check_range("navier-stokes-tracer.patches", "tracer", tracer)
    velocity = navier_stokes_patches(grid, seed, index, torch.float64, p=p, amplitude=amplitude)
    values = stream(seed, "navier-stokes-tracer.patches", index).uniform(*tracer, (tracer_p, tracer_p))
    field = _field(squares(values, nx, ny), nx, ny, 3)
    return torch.cat([velocity, torch.from_numpy(field)[None]]).to(dtype)


def kolmogorov_gauss(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    vortices: int = 100,
    width: Range = (0.01, 0.1),
    amplitude: float = 1.0,
) -> Tensor:
    """A flow of Gaussian vortices for the Kolmogorov force to drive, or rest (`amplitude` 0). Velocity [2, X, Y].

    As `navier_stokes_gauss`, from a stream of its own. The law is invariant under D4 and all translations; the forced equation under the
    half turn and shifts along x only, so later states have a direction.
    """
    nx, ny = square_shape(grid, "kolmogorov")
    check_vortices("kolmogorov", vortices, width, amplitude)
    draw = stream(seed, "kolmogorov", index)
    return torch.from_numpy(flow_of(gaussian_vortices(draw, nx, ny, vortices, width, amplitude), nx, ny)).to(dtype)


def heat_gauss(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    spots: int = 20,
    width: Range = (0.02, 0.1),
    amplitude: float = 1.0,
) -> Tensor:
    r"""Gaussian hot and cold spots. Temperature [1, X, Y].

    $$T(x) = \sum_{i=1}^{20} \alpha_i \sum_{n \in Z^2} \exp(-|x - x_i - n|^2 / 2 \sigma_i^2), \qquad \alpha \sim U[-1, 1],
    \ \sigma \sim U[0.02, 0.1],\ x_i \sim U[0, 1]^2$$

    with `spots`, `width` (the range of sigma) and `amplitude` (the bound of alpha). All periodic images are summed, exactly: Fourier
    coefficients in closed form, below the Nyquist mode. The law is invariant under D4 and all translations, and under T -> -T.
    """
    nx, ny = square_shape(grid, "heat.gauss")
    if int(spots) != spots or spots < 1:
        raise OrbitscopeError(f"heat.gauss: `spots` should be a whole number, at least 1, got {spots}.")
    check_range("heat.gauss", "width", width, least=0.0)
    draw = stream(seed, "heat.gauss", index)
    alpha, sigma = draw.uniform(-amplitude, amplitude, spots), draw.uniform(*width, spots)
    spectrum = gaussians(nx, ny, 2 * np.pi * alpha * sigma**2, sigma, draw.uniform(0.0, 1.0, (spots, 2)))
    return torch.from_numpy(_field(spectrum, nx, ny, 2))[None].to(dtype)


def heat_sines(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    modes: int = 10,
    decay: float = 1.0,
    amplitude: float = 1.0,
) -> Tensor:
    r"""Random sines. Temperature [1, X, Y], mean 0.

    $$T = \sum_{i,j=1}^{10} \frac{\alpha_{ij}}{(i^2 + j^2)^{1/2}} \sin(2 \pi i x + \beta_{ij}) \sin(2 \pi j y + \gamma_{ij}), \qquad
    \alpha \sim U[-1, 1],\ \beta, \gamma \sim U[0, 2 \pi]$$

    with `modes` the highest i and j, `decay` the power of $(i^2 + j^2)^{1/2}$ and `amplitude` the bound of alpha; on a grid too coarse for
    them, only the modes below Nyquist. The law is invariant under D4 and all translations, and under T -> -T.
    """
    nx, ny = square_shape(grid, "heat.sines")
    if int(modes) != modes or modes < 1:
        raise OrbitscopeError(f"heat.sines: `modes` should be a whole number, at least 1, got {modes}.")
    draw = stream(seed, "heat.sines", index)
    k = np.arange(1, modes + 1.0)
    alpha = draw.uniform(-amplitude, amplitude, (modes, modes)) / (k[:, None] ** 2 + k[None, :] ** 2) ** (decay / 2)
    beta, gamma = draw.uniform(0.0, 2 * np.pi, (2, modes, modes))
    alpha = alpha * (2 * k[:, None] < nx) * (2 * k[None, :] < ny)
    x, y = (2 * np.pi * np.outer((np.arange(n) + 0.5) / n, k) for n in (nx, ny))
    along_x = np.sin(x[:, :, None] + beta)  # [x, i, j]
    return torch.from_numpy(np.einsum("xij,ij,yij->xy", along_x, alpha, np.sin(y[:, None, :] + gamma), optimize=True))[None].to(dtype)


def _field(spectrum: NDArray[Any], nx: int, ny: int, part: int) -> NDArray[Any]:
    """The field [nx, ny] with these Fourier coefficients, cut to the modes below an n-th `part` of the points per axis."""
    kx, ky = np.fft.fftfreq(nx, 1 / nx), np.fft.rfftfreq(ny, 1 / ny)
    keep = (part * np.abs(kx)[:, None] < nx) & (part * ky[None, :] < ny)
    return np.fft.irfft2(spectrum * keep * (nx * ny), s=(nx, ny))
