"""A model in physical units."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...symmetry import Layout

State = Float[Tensor, "batch channel *space"]


class Emulator(nn.Module):
    r"""State (or `frames` of them) -> state one time step later, both in physical units, around a `backbone` that sees normalised ones.

    $$f(u) = \mathrm{base}(u) + s_{out}\, B\big((u - m) / s\big), \quad \mathrm{base}(u) = u \text{ if `residual` else } m$$

    * `backbone`: B, [B, frames C, *space] -> [B, C, *space] with any number of space axes.
    * `mean`: m, [C], in the units of the data.
    * `scale`: s above 0, [C], in the units of the data.
    * `output_scale`: $s_{out}$ above 0, [C], in the units of the data: the size of what B predicts; None: `scale`.
    * `residual`: whether B predicts the increment.
    * `frames`: how many states come in, stacked along channels, oldest first (`Layout.stack`); base takes the last of them, B sees all.

    The three statistics are kept as buffers. They commute with a rotation only where they are equal over the components of a field (and
    the mean 0 for all but scalars); `check_symmetry_safe` says so. Raises `OrbitscopeError` for shapes that do not fit, scales that are
    not positive, and a backbone whose symmetry the normalisation would break.
    """

    mean: Tensor
    scale: Tensor
    output_scale: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        mean: Float[Tensor, " channel"],
        scale: Float[Tensor, " channel"],
        output_scale: Float[Tensor, " channel"] | None = None,
        *,
        residual: bool = False,
        frames: int = 1,
    ) -> None:
        super().__init__()
        output_scale = scale if output_scale is None else output_scale
        if not mean.shape == scale.shape == output_scale.shape or mean.ndim != 1:
            raise OrbitscopeError(
                "Emulator: `mean`, `scale` and `output_scale` need one number per channel, "
                f"got shapes {tuple(mean.shape)}, {tuple(scale.shape)}, {tuple(output_scale.shape)}."
            )
        if not bool((scale > 0).all() and (output_scale > 0).all()):
            raise OrbitscopeError(f"Emulator: `scale` and `output_scale` must be positive, got {scale.tolist()}, {output_scale.tolist()}.")
        self.backbone = backbone
        self.residual, self.frames = residual, frames
        for name, value in (("mean", mean), ("scale", scale), ("output_scale", output_scale)):
            self.register_buffer(name, value.detach().clone())
        if (check := getattr(backbone, "check_emulator", None)) is not None:
            check(self)  # raises where what is built into the backbone would not survive the normalisation

    def forward(self, state: State) -> State:
        """The next state of each `state` [B, frames * C, *grid]; raises `OrbitscopeError` for another number of channels."""
        return self.step(state)

    def step(self, state: State, beside: State | None = None) -> State:
        """The state after `state`; the channels of `beside` [B, K, *space] go to the backbone behind those of the normalised state."""
        channels = self.mean.shape[0]
        if state.ndim < 2 or state.shape[1] != self.frames * channels:
            stacked = f"{self.frames} frames of {channels} channels: " if self.frames > 1 else ""
            axes = ", ".join("xyz"[: state.ndim - 2]) or "*space"
            raise OrbitscopeError(
                f"Emulator: expected states [batch, {self.frames * channels}, {axes}], {stacked}got shape {tuple(state.shape)}. "
                "The data need the channels that the model was trained on."
            )
        mean, scale, output_scale = (b.reshape(-1, *[1] * (state.ndim - 2)) for b in (self.mean, self.scale, self.output_scale))
        if self.frames == 1:
            last, seen = state, (state - mean) / scale
        else:
            last = state[:, -channels:]
            seen = ((state.unflatten(1, (self.frames, channels)) - mean) / scale).flatten(1, 2)
        out = self.backbone(seen if beside is None else torch.cat([seen, beside], 1))
        if out.shape != last.shape:
            raise OrbitscopeError(
                f"Emulator: the backbone turns {tuple(state.shape)} into {tuple(out.shape)}; the output must have the shape of the state."
            )
        return (last if self.residual else mean) + out * output_scale

    def check_symmetry_safe(self, layout: Layout) -> None:
        """Raise `OrbitscopeError` unless the normalisation is one scale per field of `layout`, with a mean on scalars only."""
        start = 0
        for field, size in zip(layout.fields, layout.sizes, strict=True):
            part = slice(start, start + size)
            start += size
            uneven = any(bool((b[part] != b[start - size]).any()) for b in (self.scale, self.output_scale))
            shifted = not field.representation.keeps_mean and bool((self.mean[part] != 0).any())
            if uneven or shifted:
                raise OrbitscopeError(
                    f"Emulator: the normalisation of {field.name!r} ({field.representation!r}) "
                    f"{'differs between its components' if uneven else 'subtracts a mean'}, which no rotation or flip commutes with. "
                    "Use Normalisation.fit, one scale per field."
                )

    def normalisation(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**{name: getattr(self, name).tolist() for name in ("mean", "scale", "output_scale")}, "residual": self.residual}
