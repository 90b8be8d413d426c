"""Rotating shallow water in the plane, pseudo-spectral, with the Coriolis parameter in the state."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid, Layout
from ._equation import Equation
from ._march import fail, march
from ._parallel import share
from ._spectral import kept, modes, resample

#: Highest mode number per axis in the mass residual: slow enough that two snapshots bracket it.
_LARGE_SCALE = 2
#: Share of the flux's gradient below which a change of height counts as none.
_FLOOR = 1e-3


@dataclass(frozen=True)
class ShallowWater(Equation):
    r"""A thin layer of fluid with a free surface on the rotating periodic unit square.

    $$\partial_t h + \nabla \cdot (h u) = 0, \qquad
    \partial_t u = (\zeta + f)\, u^\perp - \nabla (|u|^2 / 2 + g h), \qquad \partial_t f = 0,$$
    $$u^\perp = (u_y, -u_x), \qquad \zeta = \partial_x u_y - \partial_y u_x$$

    **Conventions.** State [B, 4, X, Y]: (height, velocity_x, velocity_y, coriolis). Height is the depth of the layer over a flat bottom,
    positive; velocity in lengths of the box per unit time; velocity_x points along the first spatial axis. `coriolis` is f, twice the
    rotation rate about the vertical, per unit time, positive where the rotation takes x towards y; it may vary in space and is
    carried along unchanged. f is a *pseudoscalar*: a reflection maps solutions to solutions only together with f -> -f.

    **Scheme.** Pseudo-spectral, in the form that conserves energy on the grid: with P the cut to the modes of the two-thirds rule,
    the mass flux F = P(h u) and the potential vorticity q = (zeta + f) / h,
    $$\partial_t h = -\nabla \cdot F, \qquad \partial_t u = P(q F^\perp) - \nabla P(|u|^2 / 2 + g h).$$
    P is symmetric and F . F^perp = 0 at every point, so the sum over the grid of h |u|^2 / 2 + g h^2 / 2 does not change but for the
    error in time, whatever the resolution (the spectral analogue of Sadourny's scheme). Mass and circulation (the sums of h, of
    zeta + f) are conserved to rounding; potential enstrophy, the sum of h q^2 / 2, up to the error in space, which falls
    faster than any power of the spacing while the flow is resolved. Classical RK4; per trajectory a step with
    $\tau \max(|u_x| / dx + |u_y| / dy + \sqrt{g h (dx^{-2} + dy^{-2})} + |f| / 2) \le$ `cfl`; linear stability ends near 1.35.

    **Viscosity** acts on the velocity only, so that mass is conserved. None: spectral viscosity as in `NavierStokes`, rate
    $0.05 / N |2 \pi k|^2$ on the modes $|k| > \sqrt N$, none on the large scales. A number is an ordinary viscosity (0: none).

    **What to expect.** Waves with $\omega^2 = f^2 + g H k^2$ about a depth H, and a slow flow near geostrophic balance,
    $f u^\perp = g \nabla h$. **Where it fails.** Bores (shocks of height) ring; dry ground, h <= 0, raises. A jump of f or h rings;
    height and velocity above n/3 modes are removed by a step. Walls, topography.

    Commutes with D4 and shifts by whole cells, f transformed along, to rounding.
    Source: Sadourny, J. Atmos. Sci. 32 (1975) 680 (the energy-conserving form on a finite-difference grid); Vallis, "Atmospheric and
    Oceanic Fluid Dynamics", chapter 3 (waves, balance, invariants).

    * `gravity`: g, in box lengths per unit of time squared.
    * `viscosity`: of the velocity, in box lengths squared per unit of time, 0 for none; None: spectral viscosity.
    * `cfl`: bound of the Courant number of a step, in (0, 1.35].

    >>> still = torch.ones(1, 4, 16, 16)
    >>> still[:, 1:3] = 0.0
    >>> bool(torch.allclose(ShallowWater().step(still, 0.1), still))
    True
    """

    gravity: float = 1.0
    viscosity: float | None = None
    cfl: float = 0.8

    name: ClassVar[str] = "shallow-water"
    layout: ClassVar[Layout] = Layout.of("height:scalar", "velocity:vector", "coriolis:pseudoscalar")

    def __post_init__(self) -> None:
        if not 0.0 < self.gravity < math.inf:
            raise OrbitscopeError(f"shallow-water: `gravity` should be a positive number, got {self.gravity}.")
        if self.viscosity is not None and not 0.0 <= self.viscosity < math.inf:
            raise OrbitscopeError(f"shallow-water: `viscosity` should be None (spectral viscosity) or a number >= 0, got {self.viscosity}.")
        if not 0.0 < self.cfl <= 1.35:
            raise OrbitscopeError(f"shallow-water: `cfl` should lie in (0, 1.35], where the scheme is stable, got {self.cfl}.")

    def _table(self, state: Tensor) -> "_Table":
        return _table((state.shape[-2], state.shape[-1]), state.device, state.dtype, self.gravity, self.viscosity)

    def _evolve(self, state: Tensor, dt: float) -> Tensor:
        table = self._table(state)

        def work(part: Tensor, offset: int) -> Tensor:
            coriolis = part[:, 3]
            spectra = torch.fft.rfft2(part[:, :3]) * table.mask
            found = march(spectra, coriolis, lambda w, f: _tendency(w, f, table), table.decay, dt, self.cfl, self.name, offset)
            fields = torch.fft.irfft2(found, s=table.shape)
            # Not `min(h) > 0` alone: NaN compares false, and so does it here.
            bad = (~((fields[:, 0] > 0).flatten(1).all(1) & fields.flatten(1).isfinite().all(1))).nonzero().flatten()
            if len(bad):
                fail(self.name, int(bad[0]) + offset, dt)
            return torch.cat([fields, coriolis[:, None]], 1)

        return share(work, state, least=max(1, 2**14 // (state.shape[2] * state.shape[3])))

    def rate(self, state: Tensor) -> Tensor:
        """(dh/dt, du/dt, 0) of `state` [B, 4, X, Y], on the modes of the two-thirds rule."""
        self.layout.check(state, "shallow-water.rate: `state`")
        table = self._table(state)
        spectra = torch.fft.rfft2(state[:, :3]) * table.mask
        change = torch.fft.irfft2(_tendency(spectra, state[:, 3], table)[0] - table.decay * spectra, s=table.shape)
        return torch.cat([change, torch.zeros_like(state[:, 3:])], 1)

    def rescaled(self, length: float) -> tuple[Equation, tuple[float, ...]]:
        """Velocities scale as lengths, gravity and an ordinary viscosity as their square; height and the rate of rotation not at all."""
        viscosity = None if self.viscosity is None else self.viscosity / length**2
        here = replace(self, gravity=self.gravity / length**2, viscosity=viscosity) if length != 1 else self
        return here, (1.0, length, length, 1.0)

    def coarsen(self, state: Tensor, factor: int) -> Tensor:
        """The same modes on a grid with `factor` times fewer points per axis: cut, not averaged."""
        return resample(state, (state.shape[-2] // factor, state.shape[-1] // factor))

    def invariants(self, state: Tensor) -> dict[str, Tensor]:
        r"""Means over the box of `state`, [B] each, that inviscid flow conserves.

        `mass` h; `energy` $h |u|^2 / 2 + g h^2 / 2$; `circulation` $\zeta + f$; `potential_enstrophy` $(\zeta + f)^2 / 2 h$.
        """
        self.layout.check(state, "shallow-water.invariants: `state`")
        table = self._table(state)
        h, u, v, f = state.unbind(1)
        spectra = torch.fft.rfft2(state[:, 1:3])
        absolute = torch.fft.irfft2(table.dx * spectra[:, 1] - table.dy * spectra[:, 0], s=table.shape) + f
        energy = 0.5 * h * (u * u + v * v) + 0.5 * self.gravity * h * h
        fields = {"mass": h, "energy": energy, "circulation": absolute, "potential_enstrophy": 0.5 * absolute * absolute / h}
        return {name: field.mean((1, 2)) for name, field in fields.items()}

    def constraints(self, state: Tensor, next_state: Tensor, dt: float, grid: Grid) -> dict[str, Tensor]:
        r"""`mass`: how far the large scales are from $\partial_t h = -\nabla \cdot (h u)$; [B].

        $$\mathrm{rms}\, F[(h' - h) / dt + \nabla \cdot (h u + h' u') / 2] \; / \; \mathrm{rms}\, F[(h' - h) / dt]$$

        F keeps the modes with $|k_x|, |k_y| \le 2$ but the mean. What remains for a right file is the trapezoidal rule in time, of order
        $(\omega\, dt)^2 / 12$ for a wave of frequency $\omega$: on the scenario "shallow-water" with dt = 0.05 below 0.4, the worst at
        the start, where balance leaves little change of height; exchanged components give 50 times more. To the second rms is added
        (in squares) a thousandth of rms F[grad (h u)], so that a steady flow is not judged by its rounding. A state at rest counts as 0.
        That f does not change is not among the checks: it holds under every reading of the components.
        """
        self._check_pair(state, next_state, dt, grid)
        kx, ky = modes((grid.shape[0], grid.shape[1]), state.device, state.dtype)
        kx, ky = 2 * torch.pi / grid.extent[0] * kx, 2 * torch.pi / grid.extent[1] * ky
        low = _LARGE_SCALE + 0.5
        keep = (kx.abs() < low * 2 * torch.pi / grid.extent[0]) & (ky < low * 2 * torch.pi / grid.extent[1]) & ((kx != 0) | (ky != 0))
        weight = keep * torch.where(ky == 0, 1.0, 2.0)  # columns k_y > 0 stand for their mirror images too
        change = torch.fft.rfft2((next_state[:, 0] - state[:, 0]) / dt)
        flux = torch.fft.rfft2(0.5 * (state[:, :1] * state[:, 1:3] + next_state[:, :1] * next_state[:, 1:3]))
        above = ((change + 1j * (kx * flux[:, 0] + ky * flux[:, 1])).abs().square() * weight).sum((1, 2))
        floor = _FLOOR**2 * (flux.abs().square().sum(1) * (kx * kx + ky * ky) * weight).sum((1, 2))
        below = (change.abs().square() * weight).sum((1, 2)) + floor
        return {"mass": torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 0.0).sqrt()}


class _Table(NamedTuple):
    """Everything that depends only on shape, dtype, device and parameters."""

    shape: tuple[int, int]
    mask: Tensor  # the two-thirds rule, real [n, m // 2 + 1]
    dx: Tensor  # 2 pi i k_x on the kept modes, complex [n, m // 2 + 1]
    dy: Tensor
    decay: Tensor  # viscous rate of (h, u_x, u_y), real [3, n, m // 2 + 1]
    gravity: float


@lru_cache(maxsize=16)
def _table(shape: tuple[int, int], device: torch.device, dtype: torch.dtype, gravity: float, viscosity: float | None) -> _Table:
    kx, ky = modes(shape, device, torch.float64)
    mask = kept(shape, device).double()
    square = kx * kx + ky * ky
    strength = 0.05 / min(shape) * (square > min(shape)).double() if viscosity is None else torch.full_like(square, viscosity)
    decay = 4 * math.pi**2 * square * strength
    dx, dy = ((2j * math.pi * k * mask).to(dtype.to_complex()) for k in (kx, ky))
    return _Table(shape, mask.to(dtype), dx, dy, torch.stack([torch.zeros_like(decay), decay, decay]).to(dtype), gravity)


def _tendency(spectra: Tensor, coriolis: Tensor, table: _Table) -> tuple[Tensor, Tensor]:
    """Rates of the spectra of (h, u_x, u_y) [b, 3, n, m // 2 + 1] without viscosity, and the Courant number per unit time [b]."""
    vorticity = table.dx * spectra[:, 2] - table.dy * spectra[:, 1]
    fields = torch.fft.irfft2(torch.cat([spectra, vorticity[:, None]], 1), s=table.shape)
    h, u, v, zeta = fields.unbind(1)
    products = torch.fft.rfft2(torch.stack([h * u, h * v, 0.5 * (u * u + v * v) + table.gravity * h], 1)) * table.mask
    flux = torch.fft.irfft2(products[:, :2], s=table.shape)
    q = (zeta + coriolis) / h
    turned = torch.fft.rfft2(torch.stack([q * flux[:, 1], -q * flux[:, 0]], 1)) * table.mask
    bernoulli = products[:, 2]
    change = torch.stack(
        [
            -(table.dx * products[:, 0] + table.dy * products[:, 1]),
            turned[:, 0] - table.dx * bernoulli,
            turned[:, 1] - table.dy * bernoulli,
        ],
        1,
    )
    n, m = table.shape
    # sqrt of a negative depth is NaN, which stops the run: no wave travels on dry ground.
    wave = (table.gravity * (n * n + m * m) * torch.where(h > 0, h, torch.nan)).sqrt()
    courant = u.abs() * n + v.abs() * m + wave + 0.5 * coriolis.abs()
    return change, courant.flatten(1).amax(1)
