"""Compressible Euler equations in the plane, finite volumes."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid, Layout
from . import _euler_torch
from ._equation import Equation, SolverError
from ._euler_status import OK, REASON
from ._parallel import single_threaded
from ._spectral import modes

_MAX_STEPS = 100_000
#: Highest mode number per axis in the mass residual: slow enough that two snapshots bracket it (see `Euler.constraints`).
_LARGE_SCALE = 2
#: Share of the momentum gradient below which a change of density counts as none.
_FLOOR = 1e-3


@dataclass(frozen=True)
class Euler(Equation):
    r"""Compressible inviscid flow of an ideal gas on the periodic unit square.

    $$\partial_t \rho + \nabla \cdot m = 0, \quad \partial_t m + \nabla \cdot (m \otimes m / \rho) + \nabla p = 0, \quad
    \partial_t E + \nabla \cdot ((E + p)\, m / \rho) = 0, \qquad p = (\gamma - 1)(E - |m|^2 / 2 \rho)$$

    **Conventions.** State [B, 4, X, Y]: (density, momentum_x, momentum_y, energy), conserved variables, cell averages; momentum_x points
    along the first spatial axis; energy is total energy per volume. Everything is dimensionless.

    * `gamma`: $\gamma$, the ratio of specific heats, above 1.
    * `cfl`: bound of the Courant number of a step, in (0, 1].
    * `limiter`: of "muscl": "mc" (monotonised central, the sharpest), "van-leer" (harmonic) or "minmod" (the most diffusive).
    * `backend`: "auto", "numba" (compiled, CPU only) or "torch" (which can be differentiated).
    * `reconstruction`: "muscl", "weno3" or "weno5", see below.

    **Scheme.** Reconstruction of density, velocity and pressure, HLLC fluxes with Einfeldt's wave speeds, SSP Runge-Kutta, unsplit; per
    trajectory a step with $h \max((|u_x| + a) / dx + (|u_y| + a) / dy) \le$ `cfl`. `reconstruction` is one of

    * "muscl": piecewise linear with a `limiter`; two stages (Heun). Second order where smooth, first order at extrema and shocks.
    * "weno3", "weno5": WENO-Z with three or five cells, component by component; three stages (Shu and Osher). The floor of the
      smoothness indicators is (q dx)^2 with q the cell's own density, sound speed or pressure: it keeps the order at extrema and has the
      units of the gas. About twice and four times the time of "muscl", and worth it where the flow is smooth.

    **Order of WENO.** A density wave carried by a uniform wind, along an axis or aslant, converges at third order with "weno3" and at
    fifth with "weno5" until the error in time (third order) shows. In general the order in space is 2, whatever the reconstruction:
    averages of the conserved variables stand for averages of the others, and one flux per face for its mean along the face. On the
    isentropic vortex the fitted order falls towards 2 accordingly (2.6 for "weno3" and 2.0 for "weno5" at 64^2 to 256^2), at a seventh
    of the error of "muscl". At shocks and contacts all are of first order or less.

    Mass, momentum and energy are conserved to rounding. On the CPU a compiled kernel runs (numba; some seconds to compile at the very
    first call, then cached) on `torch.get_num_threads()` threads: a trajectory each, or the rows of one where there are fewer large
    trajectories than threads; the bits do not depend on the number. Elsewhere, and with `backend="torch"`, eager
    torch does the same arithmetic, agreeing to rounding. Only the latter can be differentiated.

    **What to expect.** Contacts smear over about four cells, shocks over two. Slip lines roll up (Kelvin-Helmholtz), so details
    below some cells depend on the resolution. **Positivity.** A step that would leave a cell with a negative density or pressure is taken
    again with first-order fluxes through the faces of that cell, and with half the step if that does not help; still conservative, and
    blind to the axes. A step that went well is not touched. **Where it fails.** Vacuum itself: after 60 repairs of one step it raises.
    Gradients through a repaired step are NaN. Strong grid-aligned shocks may show the carbuncle instability of HLLC.

    Commutes with D4 and with shifts by whole cells to the last bit in practice; to rounding is promised. Galilean boosts and scaling
    are symmetries of the equations that hold up to the error of the scheme. Source: Toro, "Riemann Solvers and Numerical Methods for
    Fluid Dynamics", chapters 10 and 14; Einfeldt, SIAM J. Numer. Anal. 25 (1988) 294; van Leer, J. Comput. Phys. 23 (1977) 276; Shu and
    Osher, J. Comput. Phys. 77 (1988) 439; Jiang and Shu, J. Comput. Phys. 126 (1996) 202; Borges et al., J. Comput. Phys. 227 (2008) 3191
    (the Z weights); Don and Borges, J. Comput. Phys. 250 (2013) 347 (their floor and the order at extrema).
    """

    gamma: float = 1.4
    cfl: float = 0.5
    limiter: Literal["mc", "van-leer", "minmod"] = "mc"
    backend: Literal["auto", "numba", "torch"] = "auto"
    reconstruction: Literal["muscl", "weno3", "weno5"] = "muscl"

    name: ClassVar[str] = "euler"
    layout: ClassVar[Layout] = Layout.of("density:scalar", "momentum:vector", "energy:scalar")
    continuous: ClassVar[tuple[str, ...]] = ("boost", "scaling")

    def __post_init__(self) -> None:
        if not self.gamma > 1.0:
            raise OrbitscopeError(f"euler: `gamma` should exceed 1, got {self.gamma}.")
        if not 0.0 < self.cfl <= 1.0:
            raise OrbitscopeError(f"euler: `cfl` should lie in (0, 1], got {self.cfl}.")
        if self.limiter not in ("mc", "van-leer", "minmod"):
            raise OrbitscopeError(f"euler: `limiter` should be 'mc', 'van-leer' or 'minmod', got {self.limiter!r}.")
        if self.reconstruction not in ("muscl", "weno3", "weno5"):
            raise OrbitscopeError(f"euler: `reconstruction` should be 'muscl', 'weno3' or 'weno5', got {self.reconstruction!r}.")
        if self.reconstruction != "muscl" and self.limiter != "mc":
            raise OrbitscopeError(
                f"euler: `limiter` {self.limiter!r} belongs to `reconstruction` 'muscl', but that is {self.reconstruction!r}. Drop one."
            )
        if self.backend not in ("auto", "numba", "torch"):
            raise OrbitscopeError(f"euler: `backend` should be 'auto', 'numba' or 'torch', got {self.backend!r}.")

    @property
    def _scheme(self) -> str:
        return self.limiter if self.reconstruction == "muscl" else self.reconstruction

    def conserved(self, primitive: Float[Tensor, "*batch 4 x y"]) -> Float[Tensor, "*batch 4 x y"]:
        """`primitive` variables (density, velocity_x, velocity_y, pressure) -> (density, momentum_x, momentum_y, energy)."""
        density, u, v, pressure = primitive.unbind(-3)
        energy = pressure / (self.gamma - 1.0) + 0.5 * density * (u * u + v * v)
        return torch.stack([density, density * u, density * v, energy], -3)

    def primitive(self, state: Float[Tensor, "*batch 4 x y"]) -> Float[Tensor, "*batch 4 x y"]:
        """The inverse of `conserved`: primitive variables of `state`."""
        return _euler_torch.primitives(state.reshape(-1, *state.shape[-3:]), self.gamma).reshape(state.shape)

    def _evolve(self, state: Tensor, dt: float) -> Tensor:
        compiled = self.backend == "numba" or (self.backend == "auto" and state.device.type == "cpu" and not state.requires_grad)
        if compiled and state.device.type != "cpu":
            raise OrbitscopeError(f"euler.step: `backend` 'numba' runs on the CPU only, but `state` is on {state.device}. Use 'auto'.")
        if compiled:
            from ._euler_rows import advance_all

            result = state.detach().clone(memory_format=torch.contiguous_format)
            found = advance_all(result.numpy(), dt, self.gamma, self.cfl, _MAX_STEPS, torch.get_num_threads(), self._scheme)
            status, reached = (torch.from_numpy(a) for a in found[:2])
        elif state.device.type == "cpu":
            with single_threaded():
                result, reached, status, _ = _euler_torch.advance_all(state, dt, self.gamma, self.cfl, _MAX_STEPS, self._scheme)
        else:
            result, reached, status, _ = _euler_torch.advance_all(state, dt, self.gamma, self.cfl, _MAX_STEPS, self._scheme)
        bad = (status != OK).nonzero().flatten()
        if len(bad):
            item, time = int(bad[0]), float(reached[bad[0]])
            raise SolverError(
                f"euler.step: trajectory {item} of the batch failed {time:.4g} after the start of the step: {REASON[int(status[bad[0]])]}. "
                "Check the initial state (units, channel order), or lower `cfl`.",
                item,
                time,
            )
        return result

    def rescaled(self, length: float) -> tuple[Equation, tuple[float, ...]]:
        """Momentum scales as lengths, energy as their square, density not at all."""
        return self, (1.0, length, length, length**2)

    def rate(self, state: Tensor) -> Tensor:
        """Minus the divergence of the HLLC fluxes of `state` [B, 4, X, Y], the same shape, in eager torch on any device."""
        self.layout.check(state, "euler.rate: `state`")
        return _euler_torch.rate_of_change(_euler_torch.primitives(state, self.gamma), self.gamma, self._scheme)

    def constraints(self, state: Tensor, next_state: Tensor, dt: float, grid: Grid) -> dict[str, Tensor]:
        r"""`mass`: how far the large scales are from $\partial_t \rho = -\nabla \cdot m$; [B].

        $$\mathrm{rms}\, F[(\rho' - \rho) / dt + \nabla \cdot (m + m') / 2] \; / \; \mathrm{rms}\, F[(\rho' - \rho) / dt]$$

        F keeps the modes with $|k_x|, |k_y| \le 2$ but the mean. The filter makes it blind to shocks and to how derivatives are taken;
        what remains is the trapezoidal rule in time, of order $(\omega\, dt)^2 / 12$ for a wave of frequency $\omega$. On CE-RP with
        dt = 0.05, at 16^2 to 64^2: median 0.06 to 0.09, 99 % below 0.17; with the momentum components exchanged median 1.5, 99 % above
        0.67, and never less than 5 times its right value. To the second rms is added (in squares) a thousandth of
        rms F[grad m], so that a steady flow is not judged by its rounding. A state at rest counts as 0.
        """
        self._check_pair(state, next_state, dt, grid)
        shape = (grid.shape[0], grid.shape[1])
        kx, ky = modes(shape, state.device, state.dtype)
        keep = (kx.abs() <= _LARGE_SCALE) & (ky.abs() <= _LARGE_SCALE) & ((kx != 0) | (ky != 0))
        # Columns k_y > 0 stand for their mirror images too.
        weight = keep * torch.where(ky == 0, 1.0, 2.0)
        change = torch.fft.rfft2((next_state[:, 0] - state[:, 0]) / dt)
        flow = torch.fft.rfft2(0.5 * (state[:, 1:3] + next_state[:, 1:3]))
        source = 2j * torch.pi * (kx / grid.extent[0] * flow[:, 0] + ky / grid.extent[1] * flow[:, 1])
        above = ((change + source).abs().square() * weight).sum((1, 2))
        steep = (2 * torch.pi) ** 2 * (kx / grid.extent[0]).square() + (2 * torch.pi) ** 2 * (ky / grid.extent[1]).square()
        floor = _FLOOR**2 * (flow.abs().square().sum(1) * steep * weight).sum((1, 2))
        below = (change.abs().square() * weight).sum((1, 2)) + floor
        return {"mass": torch.where(below > 0, above / torch.where(below > 0, below, 1.0), 0.0).sqrt()}
