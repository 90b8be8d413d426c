"""Rayleigh-Benard convection in a plane layer: Boussinesq equations between two plates, staggered finite volumes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid, Layout
from . import _convection_torch as scheme
from ._convection_status import OK, REASON
from ._convection_torch import Box, Faces
from ._equation import Equation, SolverError
from ._initial_convection import rayleigh_benard
from ._parallel import share
from ._simulate import Scenario, register_scenario

_MAX_STEPS = 1_000_000
Advance = Callable[[Faces, float, float, float, float, int, Box], tuple[Faces, list[int], list[float]]]


@dataclass(frozen=True)
class RayleighBenard(Equation):
    r"""Thermal convection between a hot bottom plate and a cold top plate, no-slip, periodic sideways.

    $$\partial_t u + u \cdot \nabla u = -\nabla p + \sqrt{Pr / Ra}\, \Delta u + \theta\, e_y, \qquad
    \partial_t \theta + u \cdot \nabla \theta = \frac{1}{\sqrt{Ra\, Pr}} \Delta \theta, \qquad \nabla \cdot u = 0$$

    **Conventions.** State [B, 3, X, Y]: velocity (u_x, u_y) and temperature theta, means over square cells (X = `aspect` Y). y points
    up, against gravity, and is the last axis; the layer is 0 <= y <= 1. theta = 1/2 on the bottom plate, -1/2 on the top plate, u = 0 on
    both. Units: the height of the layer, the temperature difference, the free-fall velocity $\sqrt{g \alpha \Delta H}$; so the unit of
    time is the free-fall time. The temperature is *odd* under a flip of y (representation "vertical"): upside down, a hot blob that
    rises is a cold blob that sinks.

    **Published data.** Defaults are those of the data set of the equivariant-network papers: Ra = 2.5e8, Pr = 0.71, 1792 x 256 cells
    (`aspect` 7, resolution 256), of which every fourth point was used. `simulate("RBC", resolution=64, refine=4)` gives 448 x 64 cells,
    means from the full grid; `resolution=64` alone is far cheaper, and under-resolved at this Ra. The published data come from a
    lattice-Boltzmann method at Mach number 0.1 and an initial state that is not published; this class solves the incompressible
    equations instead. Statistics should agree (there is no file left to compare with), fields do not.

    **Scheme.** Staggered uniform grid (Harlow-Welch), second order. Advection in divergence form with centred fluxes: for a
    divergence-free velocity it conserves kinetic energy and temperature variance, so their budgets close up to the error in time.
    The projection is exact (FFT along x, a direct solve along y). Classical RK4, projected at every stage, diffusion explicit; per
    trajectory a step with $h\,[\max(|u_x| / dx + |u_y| / dy) / \mathrm{cfl} + 4 \max(\nu, \kappa)(dx^{-2} + dy^{-2}) / 2.5] \le 1$ and
    $h^2 \max|\theta| \le$ cfl min(dx, dy). Stored velocities lie in cell centres: u_x is moved there by half a cell with an exact
    phase (the Nyquist mode along x is dropped), u_y is averaged from its two faces; this map is undone exactly by `step`.
    Stored values are point values and cell means alike, to second order.

    **Projection.** `step` replaces the velocity by the nearest one (least squares) that has a discrete stream function; its own output
    it takes as it is. A velocity with its components exchanged is quietly turned into another flow: use `constraints` to notice.
    The mean of u_y over each row is removed, that of u_x is kept: no pressure difference is applied along x.
    `coarsen` takes means over cells, which keep the total momentum and heat; their divergence, as the coarse scheme sees it, is of the
    order of its error, and `step` removes it.

    **What to expect.** Below Ra = 1708 (for long layers) everything decays to conduction, theta = 1/2 - y. Above, rolls about as wide as
    the layer is high; from Ra of some 1e6 on, plumes and a turbulent wind. Boundary layers are about 1 / (2 Nu) thick: with fewer than
    three cells in them the Nusselt number comes out wrong. **Where it fails.** Under-resolved fronts ring (centred fluxes), so
    theta may leave [-1/2, 1/2] somewhat. Explicit diffusion costs steps as 1/dy^2 when Ra is small and the grid is fine. Single precision
    is enough for turbulent states, not for growth rates.

    Commutes with D2 (flips of x and of y; theta odd under the latter) and with shifts along x by whole cells, to rounding.

    **Backends.** On the CPU compiled kernels run (numba; some seconds to compile at the very first call, then cached), one trajectory at
    a time, trajectories shared by `torch.get_num_threads()` threads; elsewhere, and with `backend="torch"`, eager torch does the same
    arithmetic, agreeing to rounding. Only the latter can be differentiated.

    * `rayleigh`: Ra. `prandtl`: Pr.
    * `aspect`: the period over the height of the layer, rounded to whole cells.
    * `cfl`: largest part of a cell that the flow may cross in one step, in (0, 2].
    * `backend`: "auto", "numba" (compiled, CPU only) or "torch" (which can be differentiated).

    Source: Harlow and Welch, Phys. Fluids 8 (1965) 2182, for the grid; Chandrasekhar, "Hydrodynamic and Hydromagnetic Stability",
    chapter II, for the onset at Ra = 1707.76, wavenumber 3.117.
    """

    rayleigh: float = 2.5e8
    prandtl: float = 0.71
    aspect: float = 7.0
    cfl: float = 1.0
    backend: Literal["auto", "numba", "torch"] = "auto"

    name: ClassVar[str] = "rayleigh-benard"
    layout: ClassVar[Layout] = Layout.of("velocity:vector", "temperature:vertical")
    symmetries: ClassVar[tuple[str, ...]] = ("d2", "tx")

    def __post_init__(self) -> None:
        for what in ("rayleigh", "prandtl", "aspect"):
            value = getattr(self, what)
            if not 0.0 < value < math.inf:
                raise OrbitscopeError(f"rayleigh-benard: `{what}` should be a positive number, got {value}.")
        if not 0.0 < self.cfl <= 2.0:
            raise OrbitscopeError(f"rayleigh-benard: `cfl` should lie in (0, 2], where the scheme is stable, got {self.cfl}.")
        if self.backend not in ("auto", "numba", "torch"):
            raise OrbitscopeError(f"rayleigh-benard: `backend` should be 'auto', 'numba' or 'torch', got {self.backend!r}.")

    @property
    def viscosity(self) -> float:
        """sqrt(Pr / Ra), in free-fall units."""
        return math.sqrt(self.prandtl / self.rayleigh)

    @property
    def diffusivity(self) -> float:
        """1 / sqrt(Ra Pr), in free-fall units."""
        return 1.0 / math.sqrt(self.rayleigh * self.prandtl)

    def grid(self, resolution: int) -> Grid:
        """The layer with `resolution` cells across its height: (aspect * resolution, resolution) cells, walls at both ends of y."""
        return Grid((max(1, round(self.aspect * resolution)), resolution), (self.aspect, 1.0), ("periodic", "wall"))

    def _box(self, state: Tensor) -> Box:
        nx, ny = state.shape[-2:]
        return scheme.make_box(nx, ny, self.aspect / nx, 1.0 / ny, state.dtype, state.device)

    def _faces(self, state: Tensor, what: str) -> tuple[Faces, Box]:
        self.layout.check(state, f"rayleigh-benard.{what}: `state`")
        box = self._box(state)
        return scheme.faces_of(state, box), box

    def _evolve(self, state: Tensor, dt: float) -> Tensor:
        box = self._box(state)
        compiled = self.backend == "numba" or (self.backend == "auto" and state.device.type == "cpu" and not state.requires_grad)
        if compiled and state.device.type != "cpu":
            raise OrbitscopeError(
                f"rayleigh-benard.step: `backend` 'numba' runs on the CPU only, but `state` is on {state.device}. Use 'auto'."
            )
        advance = self._compiled(state.dtype) if compiled else scheme.advance

        def work(part: Tensor, offset: int) -> Tensor:
            # One by one on the CPU: a lone transform or product rounds otherwise than one of a batch.
            pieces = part.split(1) if part.device.type == "cpu" else [part]
            return torch.cat([self._advanced(piece, dt, box, offset + i, advance) for i, piece in enumerate(pieces)])

        return share(work, state.detach() if compiled else state, least=1)

    @staticmethod
    def _compiled(dtype: torch.dtype) -> Advance:
        from ._convection_kernel import advance, prepare

        prepare(dtype)
        return advance

    def _advanced(self, state: Tensor, dt: float, box: Box, offset: int, advance: Advance) -> Tensor:
        faces = scheme.faces_of(state, box)
        found, status, reached = advance(faces, dt, self.viscosity, self.diffusivity, self.cfl, _MAX_STEPS, box)
        for item, (end, time) in enumerate(zip(status, reached, strict=True)):
            if end != OK:
                raise SolverError(
                    f"rayleigh-benard.step: trajectory {item + offset} of the batch failed {time:.4g} after the start of the step: "
                    f"{REASON[end]}. Check the initial state (units, channel order), or lower `cfl`.",
                    item + offset,
                    time,
                )
        return scheme.stored(found, box)

    def rate(self, state: Tensor) -> Tensor:
        """(du/dt, dtheta/dt) of the projected `state` [B, 3, X, Y]: advection, pressure, diffusion, buoyancy, in the stored form."""
        faces, box = self._faces(state, "rate")
        return scheme.stored(scheme.rate(faces, self.viscosity, self.diffusivity, box), box)

    def kinetic_energy(self, state: Tensor) -> Tensor:
        r"""$\langle |u|^2 \rangle / 2$ of `state` over the layer, [B], from the velocities on faces: the sum that advection conserves."""
        (u, v, _), _ = self._faces(state, "kinetic_energy")
        return 0.5 * (u.square().sum((1, 2)) + v.square().sum((1, 2))) / (u.shape[1] * u.shape[2])

    def budgets(self, state: Tensor) -> dict[str, Tensor]:
        r"""The terms of both quadratic budgets of `state`, averaged over the layer, [B] each.

        $$\tfrac{d}{dt} \tfrac12 \langle |u|^2 \rangle = W - \varepsilon_u, \quad W = \langle u_y \theta \rangle, \quad
        \varepsilon_u = \nu \langle |\nabla u|^2 \rangle; \qquad \tfrac{d}{dt} \tfrac12 \langle \theta^2 \rangle = H - \varepsilon_\theta,
        \quad H = -\tfrac{\kappa}{2} (\overline{\theta_y}|_0 + \overline{\theta_y}|_1), \quad
        \varepsilon_\theta = \kappa \langle |\nabla \theta|^2 \rangle$$

        Keys: `work` (W), `dissipation` (eps_u), `heating` (H), `thermal_dissipation` (eps_theta). They are the sums of the scheme,
        so both hold to rounding with the rate of change that `rate` gives.
        """
        faces, box = self._faces(state, "budgets")
        ny, nx = faces.u.shape[1:]
        slopes = scheme.gradients(faces, box)
        on_plates = slopes[5][:, [0, -1]].mean((1, 2))
        u_x, u_y, v_x, v_y, t_x, t_y = (slope.square().sum(2) / (nx * ny) for slope in slopes)
        weight = torch.ones(ny + 1, dtype=state.dtype, device=state.device)
        weight[0] = weight[-1] = 0.5  # half a cell belongs to a plate
        work = (faces.v[:, 1:-1] * 0.5 * (faces.t[:, 1:] + faces.t[:, :-1])).sum((1, 2)) / (nx * ny)
        shear = u_x.sum(1) + v_y.sum(1) + (v_x + u_y) @ weight
        return {
            "work": work,
            "dissipation": self.viscosity * shear,
            "heating": -self.diffusivity * on_plates,
            "thermal_dissipation": self.diffusivity * (t_x.sum(1) + t_y @ weight),
        }

    def nusselt(self, state: Tensor) -> dict[str, Tensor]:
        r"""The Nusselt number of `state` by five definitions, [B] each; their means over a long time agree, which tests resolution.

        `flux` $1 + \sqrt{Ra Pr}\, \langle u_y \theta \rangle$; `bottom` and `top` $-\overline{\theta_y}$ on the plates;
        `kinetic` $1 + \sqrt{Ra Pr}\, \varepsilon_u$; `thermal` $\sqrt{Ra Pr}\, \varepsilon_\theta$. See `budgets` for the terms.
        The relations are exact: Shraiman and Siggia, Phys. Rev. A 42 (1990) 3650.
        """
        terms = self.budgets(state)
        faces, box = self._faces(state, "nusselt")
        t_y = scheme.gradients(faces, box)[5].mean(2)
        return {
            "flux": 1.0 + terms["work"] / self.diffusivity,
            "bottom": -t_y[:, 0],
            "top": -t_y[:, -1],
            "kinetic": 1.0 + terms["dissipation"] / self.diffusivity,
            "thermal": terms["thermal_dissipation"] / self.diffusivity,
        }

    def constraints(self, state: Tensor, next_state: Tensor, dt: float, grid: Grid) -> dict[str, Tensor]:
        r"""`divergence` and `plates`, over both states, [B] each.

        `divergence` is rms(div u) / rms(grad u) with the differences of the scheme, taken half-way between rows:
        rounding (1e-5 in float32) for this solver's own output, and some per cent for states averaged from a finer grid or made by another
        method; with the components exchanged, or one of them negated, between 0.4 and 0.8. A fluid at rest counts as 0.

        `plates` is the rms distance of the row means of theta, extended linearly from the two rows next to each plate, from the
        plate's +1/2 and -1/2. It grows as a boundary layer gets thin against a cell (0.01 where resolved, 0.3 where far from it) and is
        near 1 for a file that stands on its head.
        """
        self._check_pair(state, next_state, dt, grid)
        box = self._box(state)
        both = torch.stack([state, next_state], 1)
        slopes = torch.fft.irfft(box.slope[:, None] * torch.fft.rfft(both[:, :, :2], dim=3), n=state.shape[2], dim=3)
        middle = 0.5 * (slopes[..., 1:] + slopes[..., :-1])  # [B, 2 times, component, x, rows between]
        rises = both[:, :, :2].diff(dim=-1) / box.dy
        divergence = (middle[:, :, 0] + rises[:, :, 1]).square().mean((1, 2, 3))
        whole = (middle.square() + rises.square()).sum(2).mean((1, 2, 3))
        rows = both[:, :, 2].mean(2)
        bottom, top = 1.5 * rows[..., 0] - 0.5 * rows[..., 1] - 0.5, 1.5 * rows[..., -1] - 0.5 * rows[..., -2] + 0.5
        return {
            "divergence": torch.where(whole > 0, divergence / torch.where(whole > 0, whole, 1.0), 0.0).sqrt(),
            "plates": (0.5 * (bottom.square() + top.square())).mean(1).sqrt(),
        }


register_scenario(
    Scenario(
        "rayleigh-benard", RayleighBenard, rayleigh_benard, "conduction between two plates, disturbed by a random flow", "RBC",
        t_end=50.0, frames=101,
        notes="Published: Ra 2.5e8, Pr 0.71, 1792 x 256 cells, lattice-Boltzmann at Mach number 0.1, every 4th point kept. Not published: "
        "the initial state and the time between frames. Chosen here: conduction and a random flow, 50 free-fall times, 101 frames; the "
        "turbulent state is reached after some 20 to 30.",
    )
)  # fmt: skip
