"""Laws of two snapshots in a box with walls or open sides, asked in the interior through smooth test functions that vanish at the sides."""

import math

import torch
from torch import Tensor

from ...symmetry import Grid

_SLOW = 1  # highest mode of the test functions of laws in time; the window adds two more
_FINE = 4  # of the divergence


def weak_divergence(states: Tensor, grid: Grid) -> Tensor:
    r"""$\sum_\phi |\int u \cdot \nabla \phi|^2$ over $\sum_\phi \sum_{ij} |\int u_i \partial_j \phi|^2$, square root, [N], of
    [N, time, component, X, Y]: 0 for a divergence-free flow, whatever happens at the sides; about 0.7 with its components exchanged."""
    along = [_moments(states[:, :, i], grid, *_unit(j), _FINE) for i in range(2) for j in range(2)]  # u_i against d_j phi
    above = (along[0] + along[3]).abs().square().flatten(1).sum(1)
    below = torch.stack([m.abs().square().flatten(1).sum(1) for m in along]).sum(0)
    return torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 0.0).sqrt()


def weak_transport(u: Tensor, v: Tensor, dt: float, grid: Grid) -> Tensor:
    r"""How far two velocities [N, 2, X, Y] are from the vorticity form of incompressible flow, [N]:

    $$\partial_t \omega = (\partial_{yy} - \partial_{xx})(u_x u_y) + \partial_{xy}(u_x^2 - u_y^2)$$

    against test functions, every derivative moved over to them; trapezoidal rule in time; relative to the change. No viscosity."""
    change = _moments((v - u)[:, 0], grid, 0, 1, _SLOW) - _moments((v - u)[:, 1], grid, 1, 0, _SLOW)
    carried = torch.zeros_like(change)
    for one in (u, v):
        product, difference = one[:, 0] * one[:, 1], one[:, 0] ** 2 - one[:, 1] ** 2
        bent = _moments(product, grid, 0, 2, _SLOW) - _moments(product, grid, 2, 0, _SLOW)
        carried = carried + 0.5 * (bent + _moments(difference, grid, 1, 1, _SLOW))
    return _ratio(change, dt * carried)


def weak_continuity(a: Tensor, b: Tensor, flux: Tensor, next_flux: Tensor, dt: float, grid: Grid) -> Tensor:
    r"""How far $\int \phi (\rho' - \rho)$ is from $dt \int m \cdot \nabla \phi$; densities [N, 1, X, Y], fluxes [N, 2, X, Y]; [N]."""
    mean = 0.5 * (flux + next_flux)
    brought = _moments(mean[:, 0], grid, 1, 0, _SLOW) + _moments(mean[:, 1], grid, 0, 1, _SLOW)
    return _ratio(_moments((b - a)[:, 0], grid, 0, 0, _SLOW), dt * brought)


def _ratio(change: Tensor, source: Tensor) -> Tensor:
    above = (change - source).abs().square().flatten(1).sum(1)
    # A thousandth of the source, so that a steady flow is not judged by its rounding.
    below = (change.abs().square() + 1e-6 * source.abs().square()).flatten(1).sum(1)
    return torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 0.0).sqrt()


def _unit(axis: int) -> tuple[int, int]:
    return (1, 0) if axis == 0 else (0, 1)


def _moments(field: Tensor, grid: Grid, dx: int, dy: int, highest: int) -> Tensor:
    """Sums of [..., X, Y] against the derivatives (dx, dy) of all test functions, [..., modes, modes]."""
    one, other = (windowed(grid, axis, order, highest) for axis, order in ((0, dx), (1, dy)))
    return one @ field.to(one.dtype) @ other.T


def windowed(grid: Grid, axis: int, order: int, highest: int) -> Tensor:
    r"""The derivative of that order of $w(x)\, e^{2 \pi i k x / L}$, k = -K ... K, at the points, [2 K + 1, n], complex.

    $w = \sin^4(\pi x / L)$, which is 0 with three derivatives at both sides, or 1 on a periodic axis; as a sum of exponentials, so that
    derivatives are exact.
    """
    length = grid.extent[axis]
    x = grid.axis(axis) / length
    window = {0: 1.0} if grid.boundary[axis] == "periodic" else {0: 6 / 16, 1: -4 / 16, -1: -4 / 16, 2: 1 / 16, -2: 1 / 16}
    rows = []
    for k in range(-highest, highest + 1):
        parts = [c * (2j * math.pi * (k + m) / length) ** order * torch.exp(2j * math.pi * (k + m) * x) for m, c in window.items()]
        rows.append(torch.stack([p.to(torch.complex128) for p in parts]).sum(0))
    return torch.stack(rows)


__all__ = ["windowed", "weak_continuity", "weak_divergence", "weak_transport"]
