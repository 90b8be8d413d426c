"""Navier-Stokes with a steady Kolmogorov force, and with a passive scalar."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Layout
from ._equation import Equation
from ._navier_stokes import NavierStokes, Table, integrate, tendency, tracer_fields
from ._parallel import share


@dataclass(frozen=True)
class KolmogorovFlow(NavierStokes):
    r"""`NavierStokes` driven by the steady force $f = A \sin(2 \pi k y)\, e_x$, with A = `amplitude` and k = `wave`.

    With ordinary viscosity its laminar solution is $u_x = A / (\nu (2 \pi k)^2) \sin(2 \pi k y)$, approached as
    $1 - \exp(-\nu (2 \pi k)^2 t)$ from rest. The force leaves of D4 the half turn, and of the shifts those along x (and along y by
    1/k, which is not declared). `viscosity`, `modes` and `cfl` as in `NavierStokes`, conventions too. Note that spectral viscosity
    does not act on a force with $k \le \sqrt N$: its energy then has to cascade. Use it with any Navier-Stokes scenario:
    `simulate("NS-PwC", equation=equation("kolmogorov"), ...)`.
    Source: Meshalkin and Sinai, J. Appl. Math. Mech. 25 (1961) 1700.
    """

    amplitude: float = 0.1
    wave: int = 1

    name: ClassVar[str] = "kolmogorov"
    symmetries: ClassVar[tuple[str, ...]] = ("c2", "tx")
    continuous: ClassVar[tuple[str, ...]] = ()  # the force stands still

    def __post_init__(self) -> None:
        super().__post_init__()
        if not math.isfinite(self.amplitude):
            raise OrbitscopeError(f"kolmogorov: `amplitude` should be finite, got {self.amplitude}.")
        if int(self.wave) != self.wave or self.wave < 1:
            raise OrbitscopeError(f"kolmogorov: `wave` should be a positive whole number of waves along y, got {self.wave}.")

    def rescaled(self, length: float) -> tuple[Equation, tuple[float, ...]]:
        """As `NavierStokes`; the amplitude of the force scales as lengths, its mode number not at all."""
        scaled = None if self.viscosity is None else self.viscosity / length**2
        return (replace(self, viscosity=scaled, amplitude=self.amplitude / length) if length != 1 else self), (length,) * 2

    def _table(self, state: Tensor) -> Table:
        table = super()._table(state)
        n, m = table.shape
        if 3 * self.wave >= m:
            raise OrbitscopeError(f"kolmogorov: `wave` should be below a third of the points along y ({m}), got {self.wave}.")
        y = (torch.arange(m, dtype=torch.float64) + 0.5) / m
        curl = -self.amplitude * 2 * math.pi * self.wave * torch.cos(2 * math.pi * self.wave * y)
        force = torch.fft.rfft2(curl.expand(n, m))
        force = torch.where(force.abs() > 1e-9 * force.abs().max(), force, 0.0)  # one mode, exactly
        return table._replace(force=force.to(state.device, table.stream.dtype))


@dataclass(frozen=True)
class NavierStokesTracer(NavierStokes):
    r"""`NavierStokes` and a passive scalar c that the flow carries: $\partial_t c + \nabla \cdot (u c) = \kappa \Delta c$.

    State [B, 3, X, Y]: velocity (u_x, u_y), tracer. `diffusivity=None` gives the tracer the viscosity of the flow, spectral or not, as
    in the published case; a number is an ordinary diffusivity on every mode. Same scheme, pseudo-spectral; the mean of c is conserved
    exactly, its variance up to the error in time when nothing diffuses. A jump in c rings (Gibbs), so c leaves its initial range.
    Commutes with D4 and shifts: c is a scalar. Source: Herde et al., arXiv 2405.19101, appendix B.2.5.
    """

    diffusivity: float | None = None

    name: ClassVar[str] = "navier-stokes-tracer"
    layout: ClassVar[Layout] = Layout.of("velocity:vector", "tracer:scalar")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.diffusivity is not None and not 0.0 <= self.diffusivity < math.inf:
            raise OrbitscopeError(f"navier-stokes-tracer: `diffusivity` should be None or a number >= 0, got {self.diffusivity}.")

    def rescaled(self, length: float) -> tuple[Equation, tuple[float, ...]]:
        """As `NavierStokes`; a diffusivity scales as a viscosity, the tracer not at all."""
        viscosity, diffusivity = (None if v is None else v / length**2 for v in (self.viscosity, self.diffusivity))
        return (replace(self, viscosity=viscosity, diffusivity=diffusivity) if length != 1 else self), (length, length, 1.0)

    def _table(self, state: Tensor) -> Table:
        table = super()._table(state)
        laplacian = 4 * math.pi**2 * (table.kx**2 + table.ky**2)
        spread = table.decay if self.diffusivity is None else self.diffusivity * laplacian
        return table._replace(decay=torch.stack([table.decay, spread]))

    def _evolve(self, state: Tensor, dt: float) -> Tensor:
        table = self._table(state)

        def work(part: Tensor, offset: int) -> Tensor:
            both, mean = _spectra(part, table), part[:, :2].mean((2, 3))
            return tracer_fields(integrate(both, mean, dt, self.cfl, table, offset), mean, table)

        return share(work, state, least=max(1, 2**15 // (state.shape[2] * state.shape[3])))

    def rate(self, state: Tensor) -> Tensor:
        """(du/dt, dc/dt) of the projected `state` [B, 3, X, Y], on the modes of the two-thirds rule."""
        self.layout.check(state, "navier-stokes-tracer.rate: `state`")
        table = self._table(state)
        both, mean = _spectra(state, table), state[:, :2].mean((2, 3))
        return tracer_fields(tendency(both, mean, table)[0] - table.decay * both, torch.zeros_like(mean), table)


def _spectra(state: Tensor, table: Table) -> Tensor:
    """(vorticity, tracer) on the kept modes, [B, 2, n, m // 2 + 1]."""
    spectrum = torch.fft.rfft2(state)
    vorticity = (spectrum[:, 1] * table.kx - spectrum[:, 0] * table.ky) * table.rotate
    return torch.stack([vorticity, spectrum[:, 2] * (table.rotate != 0)], 1)
