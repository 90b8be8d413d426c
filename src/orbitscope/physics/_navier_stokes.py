"""Incompressible Navier-Stokes in the plane, pseudo-spectral."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid, Layout
from ._equation import Equation, SolverError
from ._parallel import share
from ._spectral import gradient, kept, modes, resample

_MAX_STEPS = 100_000


@dataclass(frozen=True)
class NavierStokes(Equation):
    r"""Incompressible flow on the periodic unit square, with spectral viscosity by default.

    $$\partial_t u + u \cdot \nabla u + \nabla p = \varepsilon_N Q_N \Delta u, \qquad \nabla \cdot u = 0$$

    **Conventions.** State [B, 2, X, Y]: velocity (u_x, u_y), in lengths of the box per unit time; u_x points along the first spatial
    axis. Vorticity is $\omega = \partial_x u_y - \partial_y u_x$. A *mode number* $k = (k_x, k_y)$ is a pair of integers, its
    wavenumber $2 \pi k / L$ with L = 1; |k| below is the Euclidean length of the mode number.

    * `viscosity`: $\nu$, in box lengths squared per unit of time, 0 for none; None: spectral viscosity.
    * `modes`: N of the spectral viscosity; None: the smaller number of points per axis.
    * `cfl`: bound of the Courant number of a step, in (0, 1.35].

    **Viscosity.** `viscosity=None` is spectral viscosity: $Q_N$ passes the modes with $|k| > m_N = \sqrt N$ and removes the others,
    $\varepsilon_N = 0.05 / N$, so a passed mode decays at the rate $\varepsilon_N |2 \pi k|^2$ and the large scales feel none. N is
    the smaller number of points per axis, unless `modes` is given. A number is the ordinary viscosity $\nu$ on every mode (0: none).
    Note that spectral viscosity depends on the resolution: the same initial field at 64^2 and 128^2 obeys two different equations.

    **Scheme.** Vorticity form, $\partial_t \omega = (\partial_{yy} - \partial_{xx})(u_x u_y) + \partial_{xy}(u_x^2 - u_y^2)$, the
    two-thirds rule (modes with $|k_x| < n/3$ and $|k_y| < n/3$ stay), classical RK4 with the viscous term integrated exactly, and per
    trajectory a step with $h \max(|u_x| / dx + |u_y| / dy) \le$ `cfl`, equal steps to the end of the interval as far as the speed allows.
    The mean flow is carried along unchanged. Linear stability ends near cfl 1.35.

    **Projection.** `step` keeps of its input the divergence-free part (Leray projection) and the modes of the two-thirds rule, so
    step(u, 0) is that projection, and a velocity with its components exchanged is quietly turned into another flow: use
    `constraints` to notice. **Where it fails.** Fields under-resolved at n/3 modes ring (spectral viscosity damps but does not bound
    them); walls. For a force or a tracer see `KolmogorovFlow` and `NavierStokesTracer`.

    Commutes with D4 and with shifts by whole cells, to rounding. The relative error of one interval of 0.05 from the finite step is
    about 1e-4 at cfl 0.8 and 1e-5 at 0.4 (NS-Gauss).

    Source: Tadmor, SIAM J. Numer. Anal. 26 (1989) 30; constants as in Herde et al., arXiv 2405.19101, appendix B. Vorticity form with
    four transforms: Basdevant, J. Comput. Phys. 50 (1983) 209.

    >>> flow = torch.zeros(1, 2, 16, 16); flow[:, 0] = 1.0
    >>> bool(torch.allclose(NavierStokes().step(flow, 0.1), flow))
    True
    """

    viscosity: float | None = None
    modes: int | None = None
    cfl: float = 0.8

    name: ClassVar[str] = "navier-stokes"
    layout: ClassVar[Layout] = Layout.of("velocity:vector")
    continuous: ClassVar[tuple[str, ...]] = ("boost", "scaling")

    def __post_init__(self) -> None:
        if self.viscosity is not None and not 0.0 <= self.viscosity < math.inf:
            raise OrbitscopeError(f"navier-stokes: `viscosity` should be None (spectral viscosity) or a number >= 0, got {self.viscosity}.")
        if self.modes is not None and self.modes < 1:
            raise OrbitscopeError(f"navier-stokes: `modes` should be None or a positive number of modes per axis, got {self.modes}.")
        if not 0.0 < self.cfl <= 1.35:
            raise OrbitscopeError(f"navier-stokes: `cfl` should lie in (0, 1.35], where the scheme is stable, got {self.cfl}.")

    def _table(self, state: Tensor) -> "Table":
        return make_table((state.shape[2], state.shape[3]), state.device, state.dtype, self.viscosity, self.modes)

    def _evolve(self, state: Tensor, dt: float) -> Tensor:
        table = self._table(state)

        def work(part: Tensor, offset: int) -> Tensor:
            spectrum = torch.fft.rfft2(part)
            # The curl forgets the gradient part: this is the Leray projection.
            vorticity = (spectrum[:, 1] * table.kx - spectrum[:, 0] * table.ky) * table.rotate
            mean = part.mean((2, 3))
            return fluid_velocity(integrate(vorticity, mean, dt, self.cfl, table, offset), mean, table)

        return share(work, state, least=max(1, 2**15 // (state.shape[2] * state.shape[3])))

    def rate(self, state: Tensor) -> Tensor:
        """du/dt of the projected `state` [B, 2, X, Y]: advection, pressure and viscosity, on the modes of the two-thirds rule."""
        self.layout.check(state, "navier-stokes.rate: `state`")
        table = self._table(state)
        spectrum, mean = torch.fft.rfft2(state), state.mean((2, 3))
        vorticity = (spectrum[:, 1] * table.kx - spectrum[:, 0] * table.ky) * table.rotate
        change = tendency(vorticity, mean, table)[0] - table.decay * vorticity
        return fluid_velocity(change, torch.zeros_like(mean), table)

    def rescaled(self, length: float) -> tuple[Equation, tuple[float, ...]]:
        """Velocities scale as lengths, an ordinary viscosity as their square; spectral viscosity, a rate per mode number, not at all."""
        scaled = None if self.viscosity is None else self.viscosity / length**2
        return replace(self, viscosity=scaled) if length != 1 else self, (length,) * 2

    def coarsen(self, state: Tensor, factor: int) -> Tensor:
        """The same modes on a grid with `factor` times fewer points per axis: cut, not averaged, so it stays divergence-free."""
        return resample(state, (state.shape[-2] // factor, state.shape[-1] // factor))

    def constraints(self, state: Tensor, next_state: Tensor, dt: float, grid: Grid) -> dict[str, Tensor]:
        r"""`divergence`: $\mathrm{rms}(\nabla \cdot u) / \mathrm{rms}(\nabla u)$ over both states, spectral derivatives; [B].

        Rounding (1e-6 in float32) for this solver's output; about 0.7 with its components exchanged, as for any random isotropic
        field; 1 for a potential flow. A uniform flow has no gradient and counts as 0.
        """
        self._check_pair(state, next_state, dt, grid)
        slopes = gradient(torch.stack([state[:, :2], next_state[:, :2]], 1), grid.extent)  # [B, 2 times, component, derivative, x, y]
        divergence = slopes[:, :, 0, 0] + slopes[:, :, 1, 1]
        above, below = divergence.square().mean((1, 2, 3)), slopes.square().sum((2, 3)).mean((1, 2, 3))
        return {"divergence": torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 0.0).sqrt()}


class Table(NamedTuple):
    """Everything that depends only on shape, dtype, device and viscosity."""

    shape: tuple[int, int]
    kx: Tensor
    ky: Tensor
    rotate: Tensor  # curl: 2 pi i on the kept modes, 0 elsewhere
    stream: Tensor  # vorticity -> velocity, complex [2, n, m // 2 + 1]
    stress: Tensor  # (u_x u_y, u_x^2 - u_y^2) -> vorticity tendency, real [2, n, m // 2 + 1]
    decay: Tensor  # viscous rate, real [n, m // 2 + 1]; with a tracer [2, n, m // 2 + 1]
    pairs: Tensor  # `stress` in the order (u_x^2 - u_y^2, u_x u_y), every number twice, for spectra seen as pairs of real numbers
    force: Tensor | None = None  # curl of a steady force, complex [n, m // 2 + 1]


@lru_cache(maxsize=16)
def make_table(
    shape: tuple[int, int], device: torch.device, dtype: torch.dtype, viscosity: float | None, viscous_modes: int | None
) -> Table:
    kx, ky = modes(shape, device, torch.float64)
    mask = kept(shape, device).double()
    square = kx * kx + ky * ky
    stream = 1j * mask / (2 * math.pi * torch.where(square == 0, 1.0, square))
    stress = 4 * math.pi**2 * mask * torch.stack([kx * kx - ky * ky, -kx * ky])
    laplacian = 4 * math.pi**2 * square
    if viscosity is None:
        count = viscous_modes or min(shape)
        decay = 0.05 / count * laplacian * (square > count)  # |k| > sqrt(N)
    else:
        decay = viscosity * laplacian
    turn = torch.complex(torch.zeros_like(mask), 2 * math.pi * mask)
    cast = dtype.to_complex()
    velocity = torch.stack([ky * stream, -kx * stream])
    pairs = stress.flip(0)[..., None].expand(*stress.shape, 2).contiguous()
    return Table(shape, kx.to(dtype), ky.to(dtype), turn.to(cast), velocity.to(cast), stress.to(dtype), decay.to(dtype), pairs.to(dtype))


def fluid_velocity(vorticity: Tensor, mean: Tensor, table: Table) -> Tensor:
    spectra = table.stream * vorticity[:, None]
    spectra[:, :, 0, 0] = mean * (table.shape[0] * table.shape[1])  # cheaper than another pass over the field
    return torch.fft.irfft2(spectra, s=table.shape)


def tracer_fields(both: Tensor, mean: Tensor, table: Table) -> Tensor:
    """(vorticity, tracer) spectra -> (u_x, u_y, tracer), in one batch of transforms: a lone one would round otherwise."""
    spectra = torch.cat([table.stream * both[:, :1], both[:, 1:]], 1)
    return torch.fft.irfft2(spectra, s=table.shape) + torch.nn.functional.pad(mean, (0, 1))[:, :, None, None]


def tendency(vorticity: Tensor, mean: Tensor, table: Table) -> tuple[Tensor, Tensor]:
    """Rate of change of the vorticity's spectrum without viscosity, and the velocity it came from.

    With four axes the second holds (vorticity, tracer), and so does the rate.
    """
    if vorticity.ndim == 4:
        return _tracer_tendency(vorticity, mean, table)
    velocity = fluid_velocity(vorticity, mean, table)
    products = velocity[:, :1] * velocity  # u_x^2, u_x u_y
    products[:, 0].addcmul_(velocity[:, 1], velocity[:, 1], value=-1.0)
    spectra = torch.view_as_real(torch.fft.rfft2(products))
    change = torch.view_as_complex(torch.addcmul(spectra[:, 0] * table.pairs[0], spectra[:, 1], table.pairs[1]))
    return (change if table.force is None else change + table.force), velocity


def _tracer_tendency(both: Tensor, mean: Tensor, table: Table) -> tuple[Tensor, Tensor]:
    fields = tracer_fields(both, mean, table)
    velocity, (u, v, c) = fields[:, :2], fields.unbind(1)
    products = torch.fft.rfft2(torch.stack([u * v, (u - v) * (u + v), u * c, v * c], 1))
    change = (products[:, :2] * table.stress).sum(1)
    carried = -table.rotate * (table.kx * products[:, 2] + table.ky * products[:, 3])
    return torch.stack([change if table.force is None else change + table.force, carried], 1), velocity


def integrate(vorticity: Tensor, mean: Tensor, dt: float, cfl: float, table: Table, offset: int) -> Tensor:
    """RK4 with integrating factor over `dt`; each trajectory takes its own steps and leaves the batch when it has arrived.

    `offset` is the index of the first trajectory in the caller's batch, for messages.
    """
    left = torch.full((len(vorticity),), dt, dtype=torch.float64)
    inverse = torch.tensor(table.shape, dtype=vorticity.real.dtype, device=vorticity.device)  # 1 / spacing on the unit square
    result = list(vorticity.unbind(0))
    active = list(range(len(vorticity)))
    for _ in range(_MAX_STEPS):
        first, velocity = tendency(vorticity, mean, table)
        speed = torch.addcmul(velocity[:, 0].abs() * inverse[0], velocity[:, 1].abs(), inverse[1]).amax((1, 2)).double().cpu()
        _require_finite(speed, active, dt - left, offset)
        if dt == 0.0:
            return vorticity
        count = torch.ceil(left * speed / cfl).clamp_min(1.0)
        h = left / count
        vorticity = _runge_kutta(
            vorticity, first, mean, h.to(vorticity.device, vorticity.real.dtype).reshape(-1, *[1] * (vorticity.ndim - 1)), table
        )
        going = count > 1.0
        left = left - h
        if not going.all():
            for i in (~going).nonzero().flatten().tolist():
                result[active[i]] = vorticity[i]
            active = [a for a, g in zip(active, going.tolist(), strict=True) if g]
            if not active:
                return _checked(torch.stack(result), dt, offset)
            keep = going.nonzero().flatten()
            left = left[keep]
            vorticity, mean = vorticity[keep.to(vorticity.device)], mean[keep.to(mean.device)]
    raise SolverError(
        f"navier-stokes.step: trajectory {active[0] + offset} of the batch needs more than {_MAX_STEPS} steps; its velocity is too large "
        f"for `dt` = {dt}. Check the units of the state.",
        active[0] + offset,
        dt - float(left[0]),
    )


def _runge_kutta(w: Tensor, k1: Tensor, mean: Tensor, h: Tensor, table: Table) -> Tensor:
    """One step. Spectra are seen as pairs of real numbers and products added in one go: fewer passes over memory than the formulas have

    k2 = f(e (w + h/2 k1)),  k3 = f(e w + h/2 k2),  k4 = f(e^2 w + h e k3),
    w' = e^2 w + h/6 (e^2 k1 + 2 e (k2 + k3) + k4),  e = exp(-h/2 decay).
    """

    def slope(z: Tensor) -> Tensor:
        return torch.view_as_real(tendency(torch.view_as_complex(z), mean, table)[0])

    e = torch.exp(-0.5 * h * table.decay)
    e = e[..., None].expand(*e.shape, 2).contiguous()
    h = h[..., None]
    w, k1 = torch.view_as_real(w), torch.view_as_real(k1)
    half, ew = 0.5 * h, e * w
    k2 = slope(e * torch.addcmul(w, k1, half))
    k3 = slope(torch.addcmul(ew, k2, half))
    ew = e * ew
    k4 = slope(torch.addcmul(ew, e * k3, h))
    total = torch.addcmul(k4, e, torch.addcmul(k2 + k3, e, k1, value=0.5), value=2.0)
    return torch.view_as_complex(torch.addcmul(ew, total, h / 6.0))


def _require_finite(speed: Tensor, active: list[int], reached: Tensor, offset: int) -> None:
    bad = (~torch.isfinite(speed)).nonzero().flatten()
    if len(bad):
        item, time = active[int(bad[0])] + offset, float(reached[int(bad[0])])
        raise SolverError(
            f"navier-stokes.step: trajectory {item} of the batch has NaN or infinite velocities {time:.4g} after the start of the step. "
            "Check the initial state, or lower `cfl`.",
            item,
            time,
        )


def _checked(vorticity: Tensor, dt: float, offset: int) -> Tensor:
    speed = torch.view_as_real(vorticity).abs().flatten(1).amax(1).double().cpu()
    _require_finite(speed, list(range(len(speed))), torch.full_like(speed, dt), offset)
    return vorticity
