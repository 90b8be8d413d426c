"""Initial conditions of convection in a layer, one random stream per trajectory."""

import numpy as np
import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid
from ._convection_torch import Faces, differences, make_box, stored
from ._initial import stream


def rayleigh_benard(
    grid: Grid, seed: int, index: int, dtype: torch.dtype = torch.float32, *, amplitude: float = 0.1, waves: float = 2.0, levels: int = 4
) -> Tensor:
    r"""RBC: conduction, and a random flow that starts the convection. State [3, X, Y]: velocity, temperature $1/2 - y$.

    $$\psi = \sum_{m=1}^{M} \sum_{n=1}^{\mathrm{levels}} (\alpha_{mn} \cos k_m x + \beta_{mn} \sin k_m x) \sin(\pi y) \sin(n \pi y), \quad
    k_m = 2 \pi m / L, \quad u = (\partial_y \psi, -\partial_x \psi)$$

    so u vanishes on both plates. M is `waves` times the aspect ratio L: at most `waves` wavelengths per height. alpha and beta are
    normal with mean 0 and a variance such that all M * levels pairs carry the same expected energy and
    $E \langle |u|^2 \rangle$ = `amplitude` squared (in free-fall velocities). Modes beyond the grid are left out. psi is sampled at the
    corners of cells, so the flow is divergence-free in the sense of the solver, and on two grids the same up to second order.
    The law is invariant under D2 and all shifts along x. The published initial state is not known; this law is ours.

    Raises `OrbitscopeError` for a grid without a layer between walls, and for wrong parameters.
    """
    nx, ny = _layer(grid)
    if not (0.0 <= amplitude < float("inf")) or not (0.0 < waves < float("inf")) or int(levels) != levels or levels < 1:
        raise OrbitscopeError(
            "rayleigh-benard: `amplitude` should be a number >= 0, `waves` a positive number and `levels` a positive whole number, "
            f"got {amplitude}, {waves} and {levels}."
        )
    draw = stream(seed, "rayleigh-benard", index)
    count = max(1, round(waves * grid.extent[0]))
    coefficients = draw.normal(size=(2, count, levels))
    k, n = 2 * np.pi / grid.extent[0] * np.arange(1, count + 1)[:, None], np.arange(1, levels + 1)[None, :]
    # <psi_x^2> + <psi_y^2> of a mode is (alpha^2 + beta^2) / 2 times this: integrals of the profile and of its slope, squared.
    energy = k**2 * np.where(n == 1, 3 / 8, 1 / 4) + np.pi**2 * (n**2 + 1) / 4
    seen = (2 * np.arange(1, count + 1)[:, None] < nx) & (n < ny)
    coefficients *= amplitude * seen / np.sqrt(count * levels * energy)
    x, y = np.arange(nx) * grid.spacing[0], np.arange(1, ny) / ny
    profile = np.sin(np.pi * y)[:, None] * np.sin(np.pi * np.outer(y, n))
    along = np.stack([np.cos(np.outer(k, x)), np.sin(np.outer(k, x))])
    psi = torch.from_numpy(np.einsum("jn,cmn,cmi->ji", profile, coefficients, along))[None]
    box = make_box(nx, ny, *grid.spacing, torch.float64, torch.device("cpu"))
    conduction = (0.5 - grid.axis(1)).reshape(1, ny, 1).expand(1, ny, nx)
    flow = differences(psi, torch.zeros(1, ny, 1, dtype=torch.float64), box)
    return stored(Faces(*flow, conduction), box)[0].to(dtype)


def _layer(grid: Grid) -> tuple[int, int]:
    if grid.ndim != 2 or grid.boundary != ("periodic", "wall") or grid.centring != "cell" or grid.extent[1] != 1.0:
        raise OrbitscopeError(
            "rayleigh-benard: `grid` should be a cell-centred layer of height 1, periodic along x with walls along y, "
            f"RayleighBenard().grid(n), got {grid}."
        )
    if min(grid.shape) < 4:
        raise OrbitscopeError(f"rayleigh-benard: `grid` should have at least 4 points per axis, got {grid.shape}.")
    return grid.shape[0], grid.shape[1]
