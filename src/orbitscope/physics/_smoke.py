"""A buoyant smoke plume in a closed box; what breaks its symmetry is part of the state."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid, Layout
from ._equation import Equation, SolverError
from ._parallel import share
from ._smoke_scheme import Drive, Plume, divergence, integrate, table, to_centres, to_faces


@dataclass(frozen=True)
class Smoke(Equation):
    r"""Incompressible flow driven by the smoke that it carries, in a closed square box with walls that let it slip:

    $$\partial_t s + \nabla \cdot (u s) = q, \qquad \partial_t u + a\,(u \cdot \nabla) u = -\nabla p + s\,b, \qquad \nabla \cdot u = 0$$

    **Conventions.** State [B, 6, n, n]: smoke s, velocity (u_x, u_y), inflow q (smoke per unit time), buoyancy b (acceleration of unit
    smoke, along x and y; it may depend on position). q and b never change: `step` hands them on untouched.

    * `side`: length of the box, 64 as published, so that 64 cells have unit spacing.
    * `self_advection`: a, 1 for the Euler equations; the published translation, scale and equivariance sets advect the velocity with half
      the time step of everything else, which is a = 1/2.
    * `cfl`: bound of the outflow of a cell in one step, in its volumes; at most 1/2, which the positivity needs.
    * `max_step`: longest step, in units of time, also where nothing moves yet.

    **Symmetry.** Because inflow and buoyancy are fields of the state, the law itself commutes with all of D4, and so does the solver, to
    the last bit: a symmetric plume stays symmetric for ever, a turned one stays turned. The walls break translations. A data set
    without these two channels (`Trajectories.select(("smoke", "velocity"))`, or "velocity" alone as published) obeys the symmetry only
    as far as its tasks share them: the scenarios smoke.* set by how much they do not.

    **Scheme.** Velocities live on the cell faces (MAC grid). Momentum and smoke in flux form: third-order upwind values for the
    velocity, van Leer slopes for the smoke, second-order as a whole; strong-stability-preserving Runge-Kutta of order 3; an exact
    pressure solve by cosine transform after every stage, so the discrete divergence is 0 to rounding. Smoke is conserved: its total
    grows by the total of q per unit time, to rounding; it obeys the maximum principle and, where q >= 0, stays >= 0, to rounding.
    Each trajectory has its own step. There is no viscosity: eddies of a few cells decay through the upwinding.

    **Stored velocity.** Centred components come from the faces by half a cell's shift of their sine series (odd across the walls they
    point at), an isometry: nothing is lost, the kinetic energies agree, and step after step equals one long step of the same substeps.
    Plain averages would also be invertible, with an error growing like the number of cells. Of a state that did not come from here,
    the divergence and the checkerboard along a component's own axis are removed by the first step.

    **What differs from the published data** (Wang, Walters and Yu, ICML 2022, made with PhiFlow 2.0.1; read from their notebook): there,
    velocity by first-order semi-Lagrangian steps (much more diffusive, and velocity counts as 0 outside the box when interpolated),
    smoke by MacCormack steps limited to neighbours (not conservative), time step 1 without regard to the Courant number, pressure to a
    relative 1e-5. Their files hold the face velocities with the last row and column cut off, which is half a cell off the centres,
    in opposite directions for opposite sides: a rotation of the array is no rotation of the field. So pictures compare, numbers do not.
    **Where it fails.** The flow is chaotic once it is fast: two correct solvers part ways. Coarsened snapshots (`refine`) are
    divergence-free on the finer grid only. Sources of the scheme: Harlow and Welch, Phys. Fluids 8 (1965) 2182; van Leer, J. Comput.
    Phys. 32 (1979) 101; Shu and Osher, J. Comput. Phys. 77 (1988) 439.
    """

    side: float = 64.0
    self_advection: float = 1.0
    cfl: float = 0.45
    max_step: float = 0.5

    name: ClassVar[str] = "smoke"
    layout: ClassVar[Layout] = Layout.of("smoke:scalar", "velocity:vector", "inflow:scalar", "buoyancy:vector")
    symmetries: ClassVar[tuple[str, ...]] = ("d4",)

    def __post_init__(self) -> None:
        for what, value, good, wanted in (
            ("side", self.side, 0.0 < self.side < math.inf, "positive and finite"),
            ("self_advection", self.self_advection, 0.0 <= self.self_advection < math.inf, "a number >= 0"),
            ("cfl", self.cfl, 0.0 < self.cfl <= 0.5, "in (0, 0.5]"),
            ("max_step", self.max_step, 0.0 < self.max_step < math.inf, "positive and finite"),
        ):
            if not good:
                raise OrbitscopeError(f"smoke: `{what}` should be {wanted}, got {value}.")

    def grid(self, resolution: int) -> Grid:
        """The square box of length `side` with walls, `resolution` cells per axis."""
        return Grid.square(resolution, extent=self.side, boundary="wall")

    def rescaled(self, length: float) -> tuple[Equation, tuple[float, ...]]:
        """The same equation with another `side`: nothing in it has a length of its own."""
        return (replace(self, side=self.side * length) if length != 1 else self), (1.0,) * 6

    def _evolve(self, state: Tensor, dt: float) -> Tensor:
        n = state.shape[-1]
        if state.shape[-2] != n:
            raise OrbitscopeError(f"smoke.step: `state` should have as many cells along x as along y, got {tuple(state.shape[2:])}.")
        if dt == 0.0:
            return state.clone()
        _require_finite(state, 0.0)
        t, cell = table(n, state.dtype, state.device), self.side / n

        def work(part: Tensor, offset: int) -> Tensor:
            # Lengths in cells from here on.
            u, v = to_faces(part[:, 1:3] / cell, t)
            drive = Drive(part[:, 3], part[:, 4] / cell, part[:, 5] / cell, self.self_advection)
            end = integrate(Plume(part[:, 0], u, v), drive, dt, self.cfl, self.max_step, t, offset)
            return torch.cat([end.s[:, None], to_centres(end.u, end.v, t) * cell, part[:, 3:]], 1)

        result = share(work, state, least=1)
        _require_finite(result, dt)
        return result

    def constraints(self, state: Tensor, next_state: Tensor, dt: float, grid: Grid) -> dict[str, Tensor]:
        r"""Residuals [B]: `divergence`, the rms net outflow of a cell over the rms of what its faces differ by, of both states;
        `smoke`, the change of its total less what flowed in, over the sum of the magnitudes; `constants`, the largest change of inflow or
        buoyancy over their largest value. All at rounding (1e-6 in float32) for this solver's own files that were not refined.
        """
        self._check_pair(state, next_state, dt, grid)
        t = table(state.shape[-1], state.dtype, state.device)
        above, below = torch.zeros(2, len(state), dtype=state.dtype, device=state.device)
        for one in (state, next_state):
            u, v = to_faces(one[:, 1:3], t)
            above = above + divergence(u, v).square().sum((1, 2))
            below = below + u.diff(dim=1).square().sum((1, 2)) + v.diff(dim=2).square().sum((1, 2))
        before, after, fed = (x.double().sum((1, 2)) for x in (state[:, 0], next_state[:, 0], dt * state[:, 3]))
        change, size = (next_state[:, 3:] - state[:, 3:]).abs().amax((1, 2, 3)), state[:, 3:].abs().amax((1, 2, 3))
        return {
            "divergence": _ratio(above, below).sqrt(),
            "smoke": _ratio((after - before - fed).abs(), before.abs() + after.abs() + fed.abs()).to(state.dtype),
            "constants": _ratio(change, size),
        }


def _require_finite(state: Tensor, time: float) -> None:
    bad = (~state.flatten(1).isfinite().all(1)).nonzero().flatten().tolist()
    if bad:
        raise SolverError(f"smoke.step: trajectory {bad[0]} of the batch has NaN or infinite values at time {time:.4g}.", bad[0], time)


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """above / below; 0 where both vanish, 1 where only `below` does."""
    return torch.where(below > 0, above / torch.where(below > 0, below, 1.0), (above > 0).to(above.dtype))
