"""A model that sees every state in units of its own."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...training import StateUnits
from ._emulator import Emulator, State


class StateEmulator(Emulator):
    r"""An `Emulator` of states in units of their own, for states of very different sizes.

    $$f(u) = s(u)\, E\big(u / s(u),\ (\ln s(u) - a) / b\big)$$

    s(u) is the root mean square of each field of the (last) state, and E an `Emulator` whose backbone sees the logarithms of the scales as
    one more channel per field, constant in space: a scale alone is no symmetry of most physics (fast flows go further in a step).

    * `backbone`: [B, frames C + F, *space] -> [B, C, *space], F the number of fields.
    * `mean`, `scale`, `output_scale`, `residual`, `frames`: as of `Emulator`, in units of the state.
    * `units`: s. `log_mean`, `log_scale`: a and b above 0, [F].

    Commutes with what the backbone commutes with. Raises `OrbitscopeError` for shapes that do not fit, and scales that are not positive.
    """

    log_mean: Tensor
    log_scale: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        mean: Float[Tensor, " channel"],
        scale: Float[Tensor, " channel"],
        output_scale: Float[Tensor, " channel"] | None = None,
        *,
        units: StateUnits,
        log_mean: Sequence[float] | Float[Tensor, " field"],
        log_scale: Sequence[float] | Float[Tensor, " field"],
        residual: bool = False,
        frames: int = 1,
    ) -> None:
        super().__init__(backbone, mean, scale, output_scale, residual=residual, frames=frames)
        self.units = units
        for name, given in (("log_mean", log_mean), ("log_scale", log_scale)):
            value = torch.as_tensor(given, dtype=mean.dtype)
            if value.shape != (len(units.sizes),) or (name == "log_scale" and not bool((value > 0).all())):
                raise OrbitscopeError(f"StateEmulator: `{name}` needs a number for each of {len(units.sizes)} fields, got {given}.")
            self.register_buffer(name, value.detach().clone())

    def forward(self, state: State) -> State:
        """The next state."""
        channels = self.mean.shape[0]
        if state.ndim < 2 or state.shape[1] != self.frames * channels:
            return self.step(state)  # says what is wrong
        scales = self.units.of(state[:, -channels:])
        unit = self.units.spread(scales)
        a, b = (v.reshape(-1, *[1] * (state.ndim - 2)) for v in (self.log_mean, self.log_scale))
        seen = ((scales.log() - a) / b).expand(-1, -1, *state.shape[2:])
        return self.step(state / unit.repeat(1, self.frames, *[1] * (state.ndim - 2)), seen) * unit

    def normalisation(self) -> dict[str, Any]:
        """Plain data for JSON."""
        logs = {name: getattr(self, name).tolist() for name in ("log_mean", "log_scale")}
        return {**super().normalisation(), "units": {"sizes": list(self.units.sizes), "floor": list(self.units.floor), **logs}}


def assembled(backbone: nn.Module, norm: dict[str, Any], *, residual: bool, frames: int, dtype: torch.dtype = torch.float32) -> Emulator:
    """The emulator that `normalisation()` describes: a `StateEmulator` where it says "units"."""
    mean, scale, output = (torch.tensor(norm[name], dtype=dtype) for name in ("mean", "scale", "output_scale"))
    about = norm.get("units")
    if about is None:
        sizes = torch.tensor(norm["difference_scale"], dtype=dtype) if "difference_scale" in norm else None
        return Emulator(backbone, mean, scale, output, residual=residual, frames=frames, difference_scale=sizes)
    units = StateUnits(tuple(about["sizes"]), tuple(about["floor"]))
    logs = {name: torch.tensor(about[name], dtype=dtype) for name in ("log_mean", "log_scale")}
    return StateEmulator(backbone, mean, scale, output, units=units, **logs, residual=residual, frames=frames)
