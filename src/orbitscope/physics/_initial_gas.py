"""Initial conditions of the compressible PDEgym cases: curved Riemann problems, Gaussian vortices in a gas, Kelvin-Helmholtz layers."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid
from ._euler import Euler
from ._initial import Range, check_vortices, flow_of, gaussian_vortices, square_shape, stream


def euler_curved(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    p: int = 2,
    amplitude: float = 0.1,
    density: Range = (0.1, 1.0),
    velocity: Range = (-1.0, 1.0),
    pressure: Range = (0.1, 1.0),
) -> Tensor:
    r"""CE-CRP: (p + 1) x (p + 1) pieces of constant state with curved interfaces. Conserved variables [4, X, Y].

    $$\sigma_{x,y}(x, y) = \sum_{i,j=1}^{p} \alpha_{ij} \sin(2 \pi (i x + j y + \beta_{ij})), \qquad
    \alpha \sim U[-0.1, 0.1],\ \beta \sim U[0, 1]$$

    Cell (x, y) belongs to piece (a, b) = floor((p + 1) {x + sigma_x}), floor((p + 1) {y + sigma_y}), {.} the fractional part; every
    piece has a density, two velocities and a pressure drawn from the ranges given. The state is that of the cell's centre.

    Two things differ from print, or are not in it. The argument is printed as 2 pi i x + j y + beta, which is not periodic in y; it is
    read as 2 pi times the sum. p is not published: 2 was chosen by eye: with 1 the interfaces
    are hardly curved, with 3 the pieces shred.
    The law is invariant under the half turn and the two diagonal reflections, not under other elements of D4 (all waves run into the
    first quadrant) and not under shifts. Source: Herde et al., arXiv 2405.19101, appendix B.1.4.
    """
    nx, ny = square_shape(grid, "euler.curved")
    draw = stream(seed, "euler.curved", index)
    return _pieces(grid, draw, p, 0, amplitude, (density, velocity, velocity, pressure), "euler.curved").to(dtype)


def euler_uncertain(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    p: int = 2,
    amplitude: float = 0.01,
    density: Range = (1.0, 3.0),
    velocity: Range = (-10.0, 10.0),
    pressure: Range = (5.0, 7.0),
) -> Tensor:
    r"""CE-RPUI: (p + 1) x (p + 1) pieces with rippled interfaces and strong jumps (Mach up to 10). Conserved variables [4, X, Y].

    As `euler_curved` with the frequencies i + 2 p^2, j + 2 p^2 in place of i, j, amplitudes U[-0.01, 0.01], density U[1, 3], velocity
    U[-10, 10], pressure U[5, 7]. Pieces that part leave a near-vacuum between them: see `Euler` for how it stays positive.

    p is not published: 2 (three pieces per axis, ripples of mode 9 and 10) was chosen by eye: with 1 the interfaces look straight, with
    3 the ripples take 6 cells of the published 128. The same remarks on the printed formula and on
    the symmetries of the law hold. Source: Herde et al., arXiv 2405.19101, appendix B.2.7.
    """
    square_shape(grid, "euler.uncertain")
    draw = stream(seed, "euler.uncertain", index)
    return _pieces(grid, draw, p, 2 * p * p, amplitude, (density, velocity, velocity, pressure), "euler.uncertain").to(dtype)


def _pieces(grid: Grid, draw: np.random.Generator, p: int, above: int, amplitude: float, ranges: tuple[Range, ...], name: str) -> Tensor:
    if int(p) != p or p < 1:
        raise OrbitscopeError(f"{name}: `p` should be a whole number, at least 1, got {p}.")
    if any(low > high for low, high in ranges) or ranges[0][0] <= 0 or ranges[3][0] <= 0:
        raise OrbitscopeError(f"{name}: ranges should be (low, high) with positive `density` and `pressure`, got {ranges}.")
    x, y = grid.coordinates().double().numpy()
    axis = []
    for position in (x, y):
        alpha, beta = draw.uniform(-amplitude, amplitude, (p, p)), draw.uniform(0.0, 1.0, (p, p))
        moved = position.copy()
        for i in range(p):
            for j in range(p):
                moved += alpha[i, j] * np.sin(2 * np.pi * ((i + 1 + above) * x + (j + 1 + above) * y + beta[i, j]))
        axis.append(np.minimum(np.floor((p + 1) * (moved % 1.0)).astype(int), p))
    states = np.stack([draw.uniform(low, high, (p + 1, p + 1)) for low, high in ranges])
    return Euler().conserved(torch.from_numpy(states[:, axis[0], axis[1]]))


def euler_gauss(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    vortices: int = 100,
    width: Range = (0.01, 0.1),
    amplitude: float = 1.0,
    density: float = 0.1,
    pressure: float = 2.5,
) -> Tensor:
    """CE-Gauss: the vorticity of NS-Gauss in a gas of constant density and pressure. Conserved variables [4, X, Y].

    The velocity is divergence-free and cut to modes below n / 3, as in `navier_stokes_gauss`; density 0.1, pressure 2.5, so the Mach
    number is about 0.1; `vortices`, `width` and `amplitude` as there.
    The law is invariant under D4 and all translations. Source: Herde et al., arXiv 2405.19101, appendix B.1.6.
    """
    nx, ny = square_shape(grid, "euler.gauss")
    if not (density > 0 and pressure > 0):
        raise OrbitscopeError(f"euler.gauss: `density` and `pressure` should be positive, got {density} and {pressure}.")
    check_vortices("euler.gauss", vortices, width, amplitude)
    flow = flow_of(gaussian_vortices(stream(seed, "euler.gauss", index), nx, ny, vortices, width, amplitude), nx, ny)
    still = np.ones((1, nx, ny))
    return Euler().conserved(torch.from_numpy(np.concatenate([density * still, flow, pressure * still]))).to(dtype)


def euler_kelvin_helmholtz(
    grid: Grid,
    seed: int,
    index: int,
    dtype: torch.dtype = torch.float32,
    *,
    modes: int = 10,
    epsilon: float = 0.05,
    density: tuple[float, float] = (2.0, 1.0),
    speed: float = 0.5,
    pressure: float = 2.5,
) -> Tensor:
    r"""CE-KH: two perturbed contact layers, gas of density 2 moving at -1/2 between gas of density 1 moving at +1/2. [4, X, Y].

    (density, v_x, v_y, pressure) is (2, -0.5, 0, 2.5) where $1/4 + \sigma_0(x) \le y \le 3/4 + \sigma_1(x)$, else (1, 0.5, 0, 2.5);

    $$\sigma_i(x) = \varepsilon \sum_{j=1}^{K} \alpha_{ij} \cos(2 \pi j (x + \beta_{ij})) \Big/ \sum_j \alpha_{ij}, \qquad
    \alpha, \beta \sim U[0, 1]$$

    epsilon = 0.05 as published; K (`modes`) is not published for this case, 10 is what it is elsewhere in the collection. The state is
    that of the cell's centre. The law is invariant under the reflection of y and under all shifts along x, not under other elements of
    D4 (the streams have a direction) nor shifts along y. `density` is that of the inner and of the outer gas, which move at -`speed`
    and +`speed`. Source: Herde et al., arXiv 2405.19101, appendix B.1.5.
    """
    square_shape(grid, "euler.kelvin-helmholtz")
    if modes < 1:
        raise OrbitscopeError(f"euler.kelvin-helmholtz: `modes` should be at least 1, got {modes}.")
    if not (min(density) > 0 and pressure > 0):
        raise OrbitscopeError(f"euler.kelvin-helmholtz: `density` and `pressure` should be positive, got {density} and {pressure}.")
    draw = stream(seed, "euler.kelvin-helmholtz", index)
    x, y = grid.coordinates().double().numpy()
    lower, upper = (0.25 + _ripple(x, draw, modes, epsilon), 0.75 + _ripple(x, draw, modes, epsilon))
    inside = (y >= lower) & (y <= upper)
    inner, outer = (np.array([rho, u, 0.0, pressure])[:, None, None] for rho, u in ((density[0], -speed), (density[1], speed)))
    states = np.where(inside, inner, outer)
    return Euler().conserved(torch.from_numpy(states)).to(dtype)


def _ripple(x: NDArray[Any], draw: np.random.Generator, modes: int, epsilon: float) -> NDArray[Any]:
    alpha, beta = draw.uniform(0.0, 1.0, modes), draw.uniform(0.0, 1.0, modes)
    j = np.arange(1, modes + 1)
    return epsilon * (alpha * np.cos(2 * np.pi * j * (x[..., None] + beta))).sum(-1) / alpha.sum()
