"""The heat equation in the plane, solved exactly on its Fourier modes."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Grid, Layout
from ._equation import Equation, SolverError
from ._parallel import single_threaded
from ._spectral import modes


@dataclass(frozen=True)
class Heat(Equation):
    r"""Diffusion of a temperature on the periodic unit square: $\partial_t T = \kappa \Delta T$.

    **Conventions.** State [B, 1, X, Y]: temperature, dimensionless; `diffusivity` is kappa, in squares of the box per unit time.

    **Scheme.** Every Fourier mode decays by its exact factor $\exp(-\kappa |2 \pi k|^2 t)$: no error in time, none in space but that of
    representing the field on the grid; any `dt` in one go. The mean is conserved to rounding, differences only shrink (except for the
    ringing of a jump that the grid cannot represent). Linear, so sums and multiples of solutions are solutions. Commutes with D4 and
    all shifts, to rounding. **What to expect.** A mode k is gone after some $1 / (4 \pi^2 \kappa |k|^2)$. **Where it fails.** Walls.
    """

    diffusivity: float = 0.01

    name: ClassVar[str] = "heat"
    layout: ClassVar[Layout] = Layout.of("temperature:scalar")

    def __post_init__(self) -> None:
        if not 0.0 <= self.diffusivity < math.inf:
            raise OrbitscopeError(f"heat: `diffusivity` should be a number >= 0, got {self.diffusivity}.")

    def rescaled(self, length: float) -> tuple[Equation, tuple[float, ...]]:
        """The diffusivity scales as the square of lengths."""
        return (replace(self, diffusivity=self.diffusivity / length**2) if length != 1 else self), (1.0,)

    def _rates(self, state: Tensor) -> Tensor:
        kx, ky = modes((state.shape[-2], state.shape[-1]), state.device, state.dtype)
        return -self.diffusivity * 4 * math.pi**2 * (kx * kx + ky * ky)

    def _evolve(self, state: Tensor, dt: float) -> Tensor:
        with single_threaded():
            # One by one: a lone transform rounds otherwise than one of a batch.
            factor = torch.exp(self._rates(state) * dt)
            result = torch.cat([self._filtered(one, factor) for one in state.split(1)])
        bad = (~result.flatten(1).isfinite().all(1)).nonzero().flatten()
        if len(bad):
            raise SolverError(f"heat.step: trajectory {int(bad[0])} of the batch has NaN or infinite temperatures.", int(bad[0]), 0.0)
        return result

    def _filtered(self, state: Tensor, factor: Tensor) -> Tensor:
        return torch.fft.irfft2(factor * torch.fft.rfft2(state), s=(state.shape[-2], state.shape[-1]))

    def rate(self, state: Tensor) -> Tensor:
        """kappa times the spectral Laplacian, [B, 1, X, Y]."""
        self.layout.check(state, "heat.rate: `state`")
        return self._filtered(state, self._rates(state))

    def constraints(self, state: Tensor, next_state: Tensor, dt: float, grid: Grid) -> dict[str, Tensor]:
        """`heat`: change of the mean temperature over the rms of its fluctuation, [B]; rounding for a right file."""
        self._check_pair(state, next_state, dt, grid)
        drift = (next_state.mean((1, 2, 3)) - state.mean((1, 2, 3))).abs()
        spread = state.flatten(1).std(1, correction=0)
        return {"heat": torch.where(spread > 0, drift / torch.where(spread > 0, spread, 1.0), 0.0)}
