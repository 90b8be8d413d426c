"""Laws that two stored states obey by themselves, without a solver: divergence, transport of vorticity, continuity, and what is the curl
of what."""

import torch
from torch import Tensor

from ...physics import Equation
from ...symmetry import Grid, Layout
from ._weak_laws import weak_continuity, weak_divergence, weak_transport

_LARGE_SCALE = 2  # highest mode number per axis that two snapshots are asked about
_FLUX = {("density", "momentum"): False, ("density", "velocity"): True, ("height", "velocity"): True}


def snapshot_residuals(x: Tensor, y: Tensor, dt: float, layout: Layout, grid: Grid, law: Equation | None) -> dict[str, Tensor]:
    """Residuals [N] of the laws that can be asked of this layout; none where there is no plane vector field.

    A density (or height) and its flux obey continuity (`mass`); a lone vector field is asked whether it is an incompressible flow:
    `divergence` and `transport`; in a box with walls or open sides on its interior (see `_weak_laws`). Under a known equation only the
    incompressible one adds to what the equation itself checks.
    """
    vectors = layout.fields_with("vector")
    if len(vectors) != 1 or layout.ndim != 2:
        return {}
    u, v = (state[:, layout.slice(vectors[0].name)] for state in (x, y))
    if law is not None:
        return {"transport": transport(u, v, dt, grid)} if law.name == "navier-stokes" else {}
    balance, divergent, carried = (
        (continuity, divergence, transport) if grid.periodic else (weak_continuity, weak_divergence, weak_transport)
    )
    known = {f.name for f in layout.fields if f.representation.name == "scalar"}
    for (density, flux), times_density in _FLUX.items():
        if density in known and flux == vectors[0].name:
            a, b = x[:, layout.slice(density)], y[:, layout.slice(density)]
            return {"mass": balance(a, b, a * u if times_density else u, b * v if times_density else v, dt, grid)}
    return {"divergence": divergent(torch.stack([u, v], 1), grid), "transport": carried(u, v, dt, grid)}


def derivative(field: Tensor, axis: int, grid: Grid) -> Tensor:
    """Spectral derivative along spatial axis `axis` of [..., *grid], periodic; the highest mode of an even grid counts as none."""
    dim, n = field.ndim - grid.ndim + axis, grid.shape[axis]
    k = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64)
    k = torch.where(2 * k.abs() == n, 0.0, k).reshape(-1, *[1] * (field.ndim - dim - 1))
    return torch.fft.ifft(2j * torch.pi / grid.extent[axis] * k * torch.fft.fft(field.double(), dim=dim), dim=dim).real


def divergence(states: Tensor, grid: Grid) -> Tensor:
    r"""$\mathrm{rms}(\nabla \cdot u) / \mathrm{rms}(\nabla u)$ over the states of each sample, [N], of [N, time, component, *grid]; 0 for a
    uniform flow."""
    slopes = torch.stack([derivative(states, axis, grid) for axis in range(grid.ndim)], 3)  # [N, time, component, derivative, *grid]
    above = slopes.diagonal(dim1=2, dim2=3).sum(-1).square().flatten(1).mean(1)
    below = slopes.square().sum((2, 3)).flatten(1).mean(1)
    return torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 0.0).sqrt()


def transport(u: Tensor, v: Tensor, dt: float, grid: Grid) -> Tensor:
    r"""How far the large scales are from $\partial_t \omega + u \cdot \nabla \omega = 0$, trapezoidal rule between velocities u and
    v [N, 2, X, Y]; [N].

    $$\|F[\omega' - \omega + dt (u \cdot \nabla \omega + u' \cdot \nabla \omega') / 2]\| \, / \, \|F[\omega' - \omega]\|$$

    F keeps the modes with $|k_x|, |k_y| \le 2$, which small eddies turn over slowly, so that states some eddy turnovers apart still
    bracket them, and viscosity hardly acts. A few per cent for a right file; 2 for a reversed one; no change counts as 0.
    """
    both = torch.stack([u, v], 1).double()
    vorticity = derivative(both[:, :, 1], 0, grid) - derivative(both[:, :, 0], 1, grid)
    carried = (both[:, :, 0] * derivative(vorticity, 0, grid) + both[:, :, 1] * derivative(vorticity, 1, grid)).mean(1)
    return _large_scale_ratio(vorticity[:, 1] - vorticity[:, 0], dt * carried)


def continuity(a: Tensor, b: Tensor, flux: Tensor, next_flux: Tensor, dt: float, grid: Grid) -> Tensor:
    r"""How far the large scales are from $\partial_t \rho + \nabla \cdot m = 0$, as in `transport`; densities [N, 1, X, Y],
    fluxes [N, 2, X, Y]."""
    mean = 0.5 * (flux + next_flux).double()
    out = derivative(mean[:, 0], 0, grid) + derivative(mean[:, 1], 1, grid)
    return _large_scale_ratio((b - a)[:, 0].double(), dt * out)


def _large_scale_ratio(change: Tensor, minus_source: Tensor) -> Tensor:
    n, m = change.shape[-2:]
    low = (torch.fft.fftfreq(n, 1 / n).abs()[:, None] <= _LARGE_SCALE) & (torch.fft.rfftfreq(m, 1 / m)[None] <= _LARGE_SCALE)
    low[0, 0] = False
    weight = low * torch.where(torch.fft.rfftfreq(m) == 0, 1.0, 2.0)  # columns k_y > 0 stand for their mirror images too
    change, source = torch.fft.rfft2(change), torch.fft.rfft2(minus_source)
    above = ((change + source).abs().square() * weight).sum((1, 2))
    # A thousandth of the source, so that a steady flow is not judged by its rounding.
    below = ((change.abs().square() + 1e-6 * source.abs().square()) * weight).sum((1, 2))
    return torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 0.0).sqrt()


__all__ = ["continuity", "derivative", "divergence", "snapshot_residuals", "transport"]
