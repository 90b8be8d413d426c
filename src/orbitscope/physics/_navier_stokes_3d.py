"""Incompressible Navier-Stokes in the periodic cube, pseudo-spectral."""

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
from ._spectral import box_modes, cut

_AXES = (-3, -2, -1)


@dataclass(frozen=True)
class NavierStokes3D(Equation):
    r"""Incompressible flow in the periodic unit cube, with ordinary viscosity.

    $$\partial_t u + u \cdot \nabla u + \nabla p = \nu \Delta u, \qquad \nabla \cdot u = 0$$

    **Conventions.** State [B, 3, X, Y, Z]: velocity (u_x, u_y, u_z), in lengths of the box per unit time; component 0 points along the
    first spatial axis. Vorticity $\omega = \nabla \times u$. A mode number k is a triple of integers, its wavenumber $2 \pi k$.

    **Viscosity.** A number is $\nu$ on every mode (0: none). None is spectral viscosity as in `NavierStokes`: the rate
    $0.05 / N |2 \pi k|^2$ on the modes $|k| > \sqrt N$, N the smallest number of points per axis, none on the others; it makes the
    equation depend on the resolution.

    **Scheme.** Rotational form, $\partial_t \hat u = P_k \widehat{(u \times \omega)} - \nu |2 \pi k|^2 \hat u$ with the Leray projection
    $P_k = 1 - k k^T / |k|^2$; nine transforms an evaluation; the two-thirds rule (modes with all $|k_i| < n/3$ stay), so the quadratic
    term is free of aliases and equals any other form of it; classical RK4 with the viscous term integrated exactly; per trajectory a step
    with $h \max(|u_x| / dx + |u_y| / dy + |u_z| / dz) \le$ `cfl`. Linear stability ends near cfl 1.35. As $u \cdot (u \times \omega)$
    and $\omega \cdot (u \times \omega)$ vanish at every point, energy and, without viscosity, helicity are conserved but for the error in
    time, whatever the resolution. The mean flow is carried along unchanged.

    **Projection.** As in the plane, `step` keeps of its input the divergence-free part and the modes of the two-thirds rule. **What to
    expect.** Vortices stretch, so enstrophy grows and energy runs down to the scale $(\nu^3 / \epsilon)^{1/4}$. **Where it fails.**
    Where that scale is not resolved (without viscosity, after about one turnover) energy piles up at the highest modes; walls.

    Commutes with the octahedral group and shifts by whole cells, to rounding. Flows that do not depend on z are those of `NavierStokes`.
    Source: Canuto, Hussaini, Quarteroni and Zang, "Spectral Methods: Evolution to Complex Geometries", chapter 3.

    * `viscosity`: $\nu$, in box lengths squared per unit of time, 0 for none; None: spectral viscosity.
    * `cfl`: bound of the Courant number of a step, in (0, 1.35].

    >>> flow = torch.zeros(1, 3, 8, 8, 8); flow[:, 2] = 1.0
    >>> bool(torch.allclose(NavierStokes3D().step(flow, 0.1), flow))
    True
    """

    viscosity: float | None = 0.002
    cfl: float = 0.8

    name: ClassVar[str] = "navier-stokes-3d"
    layout: ClassVar[Layout] = Layout.of("velocity:vector", ndim=3)
    symmetries: ClassVar[tuple[str, ...]] = ("oh", "tx", "ty", "tz")
    continuous: ClassVar[tuple[str, ...]] = ("boost", "scaling")
    continuous: ClassVar[tuple[str, ...]] = ("boost", "scaling")

    def __post_init__(self) -> None:
        if self.viscosity is not None and not 0.0 <= self.viscosity < math.inf:
            raise OrbitscopeError(
                f"navier-stokes-3d: `viscosity` should be None (spectral viscosity) or a number >= 0, got {self.viscosity}."
            )
        if not 0.0 < self.cfl <= 1.35:
            raise OrbitscopeError(f"navier-stokes-3d: `cfl` should lie in (0, 1.35], where the scheme is stable, got {self.cfl}.")

    def _table(self, state: Tensor) -> "_Table":
        return _table(tuple(state.shape[-3:]), state.device, state.dtype, self.viscosity)

    def _evolve(self, state: Tensor, dt: float) -> Tensor:
        table = self._table(state)

        def work(part: Tensor, offset: int) -> Tensor:
            spectra = _solenoidal(torch.fft.rfftn(part, dim=_AXES), table)
            # Nothing but the spectra is carried along; `march` wants something per trajectory.
            constants = spectra.real.new_zeros(len(part))
            found = march(spectra, constants, lambda w, _: _tendency(w, table), table.decay, dt, self.cfl, self.name, offset)
            result = torch.fft.irfftn(found, s=table.shape, dim=_AXES)
            bad = (~result.flatten(1).isfinite().all(1)).nonzero().flatten()
            if len(bad):
                fail(self.name, int(bad[0]) + offset, dt)
            return result

        return share(work, state, least=max(1, 2**14 // math.prod(state.shape[2:])))

    def rate(self, state: Tensor) -> Tensor:
        """du/dt of the projected `state` [B, 3, X, Y, Z]: advection, pressure and viscosity, on the modes of the two-thirds rule."""
        self.layout.check(state, "navier-stokes-3d.rate: `state`")
        table = self._table(state)
        spectra = _solenoidal(torch.fft.rfftn(state, dim=_AXES), table)
        return torch.fft.irfftn(_tendency(spectra, table)[0] - table.decay * spectra, s=table.shape, dim=_AXES)

    def rescaled(self, length: float) -> tuple[Equation, tuple[float, ...]]:
        """Velocities scale as lengths, an ordinary viscosity as their square; spectral viscosity, a rate per mode number, not at all."""
        scaled = None if self.viscosity is None else self.viscosity / length**2
        return replace(self, viscosity=scaled) if length != 1 else self, (length,) * 3

    def coarsen(self, state: Tensor, factor: int) -> Tensor:
        """The same modes of `state` on a grid with `factor` times fewer points per axis: cut, not averaged, so it stays divergence-free."""
        return cut(state, tuple(n // factor for n in state.shape[-3:]))

    def invariants(self, state: Tensor) -> dict[str, Tensor]:
        r"""Means over the box of `state`, [B] each: `energy` $|u|^2 / 2$, `helicity` $u \cdot \omega$, `enstrophy` $|\omega|^2 / 2$.

        Without viscosity the first two are conserved; with it, $dE / dt = -2 \nu \Omega$ for energy E and enstrophy $\Omega$.
        """
        self.layout.check(state, "navier-stokes-3d.invariants: `state`")
        table = self._table(state)
        spectra = _solenoidal(torch.fft.rfftn(state, dim=_AXES), table)
        velocity, vorticity = _fields(spectra, table)
        fields = {"energy": 0.5 * velocity * velocity, "helicity": velocity * vorticity, "enstrophy": 0.5 * vorticity * vorticity}
        return {name: field.sum(1).mean((1, 2, 3)) for name, field in fields.items()}

    def constraints(self, state: Tensor, next_state: Tensor, dt: float, grid: Grid) -> dict[str, Tensor]:
        r"""`divergence`: $\mathrm{rms}(\nabla \cdot u) / \mathrm{rms}(\nabla u)$ over both states, spectral derivatives; [B].

        Rounding for this solver's output; about 0.5 with two components of a random flow exchanged; 1 for a potential flow. A uniform
        flow counts as 0.
        """
        self._check_pair(state, next_state, dt, grid)
        both = torch.fft.rfftn(torch.stack([state, next_state], 1), dim=_AXES)  # [B, 2 times, component, x, y, z]
        waves = []
        for k, n, extent in zip(box_modes(grid.shape, state.device, state.dtype), grid.shape, grid.extent, strict=True):
            waves.append(torch.where(2 * k.abs() == n, 0.0, k) / extent)
        weight = torch.where(waves[2] == 0, 1.0, 2.0)  # columns k_z > 0 stand for their mirror images too
        divergence = sum(k * both[:, :, i] for i, k in enumerate(waves))
        above = (divergence.abs().square() * weight).sum((1, 2, 3, 4))  # pyright: ignore[reportAttributeAccessIssue]
        below = (both.abs().square().sum(2) * sum(k * k for k in waves) * weight).sum((1, 2, 3, 4))
        return {"divergence": torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 0.0).sqrt()}


class _Table(NamedTuple):
    """Everything that depends only on shape, dtype, device and viscosity."""

    shape: tuple[int, ...]
    k: tuple[Tensor, ...]  # mode numbers, real, one per axis
    mask: Tensor  # the two-thirds rule, real [x, y, z // 2 + 1]
    moving: Tensor  # the same without the mean flow, which no force of a periodic box changes
    inverse: Tensor  # 1 / |k|^2, 0 for the mean
    decay: Tensor  # viscous rate, real


@lru_cache(maxsize=8)
def _table(shape: tuple[int, ...], device: torch.device, dtype: torch.dtype, viscosity: float | None) -> _Table:
    k = box_modes(shape, device, torch.float64)
    square = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
    keep = (3 * k[0].abs() < shape[0]) & (3 * k[1].abs() < shape[1]) & (3 * k[2].abs() < shape[2])
    count = min(shape)
    strength = 0.05 / count * (square > count).double() if viscosity is None else torch.full_like(square, viscosity)
    inverse = torch.where(square == 0, 0.0, 1 / torch.where(square == 0, 1.0, square))
    fields = (keep.double(), (keep & (square > 0)).double(), inverse, 4 * math.pi**2 * square * strength)
    return _Table(shape, tuple(line.to(dtype) for line in k), *(f.to(dtype) for f in fields))


def _solenoidal(spectra: Tensor, table: _Table) -> Tensor:
    """The Leray projection of velocity spectra [b, 3, x, y, z // 2 + 1], cut to the kept modes; the mean stays."""
    return _projected(spectra, table) * table.mask


def _projected(spectra: Tensor, table: _Table) -> Tensor:
    kx, ky, kz = table.k
    along = (kx * spectra[:, 0] + ky * spectra[:, 1] + kz * spectra[:, 2]) * table.inverse
    return spectra - torch.stack([kx * along, ky * along, kz * along], 1)


def _fields(spectra: Tensor, table: _Table) -> tuple[Tensor, Tensor]:
    """Velocity and vorticity [b, 3, x, y, z] each."""
    (kx, ky, kz), (u, v, w) = table.k, spectra.unbind(1)
    curl = torch.stack([ky * w - kz * v, kz * u - kx * w, kx * v - ky * u], 1) * (2j * math.pi)
    both = torch.fft.irfftn(torch.cat([spectra, curl], 1), s=table.shape, dim=_AXES)
    return both[:, :3], both[:, 3:]


def _tendency(spectra: Tensor, table: _Table) -> tuple[Tensor, Tensor]:
    """Rate of change of the velocity's spectra without viscosity, and the Courant number per unit time [b]."""
    velocity, vorticity = _fields(spectra, table)
    force = torch.linalg.cross(velocity, vorticity, dim=1)
    change = _projected(torch.fft.rfftn(force, dim=_AXES), table) * table.moving
    points = torch.tensor(table.shape, dtype=velocity.dtype, device=velocity.device)[:, None, None, None]
    return change, (velocity.abs() * points).sum(1).flatten(1).amax(1)
