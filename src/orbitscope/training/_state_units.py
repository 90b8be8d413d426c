"""Units of a state itself: a scale for each of its fields, and the squared error in them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .._errors import OrbitscopeError
from ._loss import Loss
from ._smse import smse

State = Float[Tensor, "batch channel *space"]


@dataclass(frozen=True)
class StateUnits:
    r"""A scale for each field of each state: its root mean square over space and components, not below a floor.

    $$s_f(u) = \sqrt{\langle |u_f|^2 \rangle + b_f^2}$$

    * `sizes`: channels of each field, as `Layout.sizes`.
    * `floor`: $b_f$ of each field, above 0, in the units of the data: a field at rest has a size, too.

    The scale is unchanged by every move that exchanges cells and mixes the components of a field by an orthogonal matrix. Raises
    `OrbitscopeError` for a floor that is not positive, and for states with other channels.
    """

    sizes: tuple[int, ...]
    floor: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.sizes) != len(self.floor) or not all(0 < b < float("inf") for b in self.floor):
            raise OrbitscopeError(f"StateUnits: `floor` needs one positive number for each of {len(self.sizes)} fields, got {self.floor}.")

    def of(self, state: State) -> State:
        """The scale of every field, [B, F, 1, ...] with as many space axes as `state` [B, C, *space] has."""
        if state.shape[1] != sum(self.sizes):
            raise OrbitscopeError(f"StateUnits: expected {sum(self.sizes)} channels, got shape {tuple(state.shape)}.")
        power = state.square().mean(tuple(range(2, state.ndim)), keepdim=True) if state.ndim > 2 else state.square()
        fields = [
            (part.mean(1, keepdim=True) + floor**2).sqrt() for part, floor in zip(power.split(self.sizes, 1), self.floor, strict=True)
        ]
        return torch.cat(fields, 1)

    def spread(self, scales: State) -> State:
        """The `scales` [B, F, ...] repeated over the components of each field, [B, C, ...]."""
        return torch.cat([scales[:, i : i + 1].expand(-1, size, *scales.shape[2:]) for i, size in enumerate(self.sizes)], 1)


@dataclass(frozen=True)
class StateSMSE(Loss):
    r"""`smse` of prediction and target in the units of the state that went in: dimensionless.

    $$\mathrm{mean}_{c,p} \frac{(y - \hat y)^2_{cp}}{s_c(x)\, \mathrm{rms}_p(y)_c}$$

    `smse` itself carries the unit of the field, so that of several kinds of state the largest alone counts; here a state counts as much as
    another of a thousandth of its size, and a field as much as another.

    * `units`: the scale of each field of a state.

    Invariant under shifts, quarter turns and flips, as `smse` is. Targets of several steps along channels are measured in the units of
    the one state that went in.
    """

    units: StateUnits
    name = "smse in units of the state"
    needs_state = True

    def each(self, prediction: Tensor, target: Tensor, state: Tensor | None = None) -> Tensor:
        """Of [B, C, *space], the mean over channels, [B]; `state` [B, frames C, *space] is what went in, its last frame newest."""
        found, wanted = self.scaled(state, prediction, target)
        return smse(found, wanted, "none")

    def scaled(self, state: Tensor | None, *fields: Tensor) -> tuple[Tensor, ...]:
        """`fields` [B, steps C, *space] in the units of `state` [B, frames C, *space]."""
        if state is None:
            raise OrbitscopeError(f"{self.name}: the loss needs the states that the predictions were made from, as a third argument.")
        channels = sum(self.units.sizes)
        unit = self.units.spread(self.units.of(state[:, -channels:]))
        return tuple(f / unit.repeat(1, f.shape[1] // channels, *[1] * (f.ndim - 2)) for f in fields)
