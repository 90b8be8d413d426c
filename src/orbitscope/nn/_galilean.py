"""The true Galilean boost: a model that works in the frame that moves with the mean flow."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..symmetry import Boost, Grid, Layout, field_meanings


class Galilean(nn.Module):
    r"""$F = B_c \circ f \circ B_c^{-1}$, the model f in the co-moving frame of each state; commutes with every boost along periodic axes.

    c is the mean velocity of the latest frame (momentum: total momentum over total mass). The frames at times $t_j = 0, -\Delta t, \dots$
    become $u(p + c\,t_j, t_j) - c$, f predicts the next one there, and the answer goes back, $y(p) = y'(p - c\,\Delta t) + c$, with
    momentum, energy and density as in `symmetry.Boost`. So the mean flow need not be learnt, nor how it carries everything along.

    * `model`: f, [batch, frames * channel, *grid] -> [batch, channel, *grid] in physical units; its parameters are shared, not copied.
    * `layout`: the fields of one frame, with a velocity or a momentum among them.
    * `grid`: points, extents and boundaries.
    * `dt`: time between two frames, above 0, in the units of `grid.extent` over velocity.
    * `frames`: how many states come in, stacked along channels, oldest first (`Layout.stack`).
    * `roles`: name of a field -> what it is under a boost ("velocity", "momentum", "density", "energy"), where the name does not say it.

    Put it around an `Emulator`, not inside: it needs physical velocities.
    Works in both modes of differentiation and under vmap; the gradient passes through c.

    Shifts are Fourier phases: exact for whole cells and between them. The mode at half the sampling rate of an even axis has no
    shift that composes; it is dropped from every frame that is shifted, the answer included, so that F commutes exactly on even grids too.
    Along walls no velocity is taken out: only a periodic axis looks the same in motion. At shocks the Fourier shift rings.
    Raises `OrbitscopeError` for layouts whose change under a boost is not known (see `Boost`), or that have no velocity.
    """

    def __init__(
        self, model: nn.Module, layout: Layout, grid: Grid, dt: float, *, frames: int = 1, roles: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        roles = dict(roles or {})
        Boost(layout, grid, (0.0,) * grid.ndim, roles)  # raises for fields whose change is not known
        self.meanings = field_meanings("Galilean", layout, roles)
        if not {"velocity", "momentum"} & set(self.meanings.values()):
            raise OrbitscopeError(f"Galilean: {layout} has no velocity and no momentum; name it with `roles`, e.g. {{'u': 'velocity'}}.")
        if not (math.isfinite(dt) and dt > 0) or frames < 1:
            raise OrbitscopeError(f"Galilean: `dt` must be positive and `frames` at least 1, got {dt} and {frames}.")
        self.model, self.layout, self.grid, self.dt, self.frames = model, layout, grid, float(dt), frames

    def forward(self, states: Tensor) -> Tensor:
        """The state one dt after the last frame of `states` [batch, frames * channel, *grid]."""
        channels, ndim = self.layout.channels, self.grid.ndim
        if states.ndim != ndim + 2 or states.shape[1] != self.frames * channels:
            raise OrbitscopeError(
                f"Galilean: expected [batch, {self.frames} * {channels}, *grid] with {ndim} axes, got {tuple(states.shape)}."
            )
        frames = states.split(channels, dim=1)
        c = self.velocity(frames[-1])
        times = [-self.dt * (self.frames - 1 - j) for j in range(self.frames)]
        seen = [self._boosted(frame, -c, time) for frame, time in zip(frames, times, strict=True)]
        answer = self.model(torch.cat(seen, dim=1))
        if answer.shape != frames[-1].shape:
            raise OrbitscopeError(f"Galilean: the model should return {tuple(frames[-1].shape)}, got {tuple(answer.shape)}.")
        return self._boosted(answer, c, self.dt)

    def velocity(self, state: Tensor) -> Tensor:
        """The mean velocity of each `state` [batch, channel, *grid] along the periodic axes, 0 along others; [batch, axis]."""
        parts = {self.meanings[f.name]: part for f, part in zip(self.layout.fields, state.split(self.layout.sizes, 1), strict=True)}
        if "velocity" in parts:
            mean = parts["velocity"].flatten(2).mean(2)
        else:
            mean = parts["momentum"].flatten(2).sum(2) / parts["density"].flatten(2).sum(2)
        moves = [float(b == "periodic") for b in self.grid.boundary]
        return mean * torch.tensor(moves, dtype=state.dtype, device=state.device)

    def _boosted(self, state: Tensor, c: Tensor, time: float) -> Tensor:
        """`Boost.state` with a velocity of its own for each state."""
        cells = [1] * self.grid.ndim
        column = c.reshape(len(state), -1, *cells)
        parts = dict(zip([f.name for f in self.layout.fields], state.split(self.layout.sizes, 1), strict=True))
        named = {self.meanings[name]: part for name, part in parts.items()}
        moved = []
        for name, part in parts.items():
            meaning = self.meanings[name]
            if meaning == "velocity":
                part = part + column
            elif meaning == "momentum":
                part = part + named["density"] * column
            elif meaning == "energy":
                kinetic = 0.5 * named["density"] * column.square().sum(1, keepdim=True)
                part = part + (named["momentum"] * column).sum(1, keepdim=True) + kinetic
            moved.append(part)
        state = torch.cat(moved, dim=1)
        if not time:
            return state
        for axis, (n, extent, boundary) in enumerate(zip(self.grid.shape, self.grid.extent, self.grid.boundary, strict=True)):
            if boundary == "periodic":
                state = _shifted(state, c[:, axis] * (time / extent), 2 + axis, n)
        return state


def _shifted(state: Tensor, fraction: Tensor, dim: int, n: int) -> Tensor:
    """Each state of the batch shifted by its own fraction [batch] of the period, without the mode that no shift composes on."""
    modes = torch.fft.rfft(state, dim=dim)
    shape = [1] * state.ndim
    shape[dim] = -1
    wave = torch.arange(n // 2 + 1, dtype=state.dtype, device=state.device)
    keep = (2 * wave < n).to(state.dtype)
    angle = (-2 * math.pi) * fraction.reshape(-1, *[1] * (state.ndim - 1)) * wave.reshape(shape)
    return torch.fft.irfft(modes * torch.complex(angle.cos(), angle.sin()) * keep.reshape(shape), n=n, dim=dim)
