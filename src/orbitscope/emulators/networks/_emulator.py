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
    * `difference_scale`: $d_1, d_2, \ldots$ above 0, [frames - 1, C], in the units of the data: B sees the last state and its backward
      differences $\delta u, \delta^2 u, \ldots$, newest first and each in units of its own size, $(u - m) / s, \delta u / d_1,
      \delta^2 u / d_2, \ldots$, and `residual` starts from the last increment repeated, $\mathrm{base}(u) = u + \delta u$. None: B sees
      the frames.

    The statistics are kept as buffers. They commute with a rotation only where they are equal over the components of a field (and
    the mean 0 for all but scalars); `check_symmetry_safe` says so. Raises `OrbitscopeError` for shapes that do not fit, scales that are
    not positive, and a backbone whose symmetry the normalisation would break.
    """

    mean: Tensor
    scale: Tensor
    output_scale: Tensor
    difference_scale: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        mean: Float[Tensor, " channel"],
        scale: Float[Tensor, " channel"],
        output_scale: Float[Tensor, " channel"] | None = None,
        *,
        residual: bool = False,
        frames: int = 1,
        difference_scale: Float[Tensor, "order channel"] | None = None,
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
        if difference_scale is not None:
            _check_differences(difference_scale, frames, mean.shape[0])
        self.backbone = backbone
        self.residual, self.frames, self.differences = residual, frames, difference_scale is not None
        for name, value in (("mean", mean), ("scale", scale), ("output_scale", output_scale)):
            self.register_buffer(name, value.detach().clone())
        if difference_scale is not None:
            self.register_buffer("difference_scale", difference_scale.detach().clone())
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
        step = None
        if self.frames == 1:
            last, seen = state, (state - mean) / scale
        elif self.differences:
            last, step, seen = self._differences(state.unflatten(1, (self.frames, channels)), mean, scale)
        else:
            last = state[:, -channels:]
            seen = ((state.unflatten(1, (self.frames, channels)) - mean) / scale).flatten(1, 2)
        out = self.backbone(seen if beside is None else torch.cat([seen, beside], 1))
        if out.shape != last.shape:
            raise OrbitscopeError(
                f"Emulator: the backbone turns {tuple(state.shape)} into {tuple(out.shape)}; the output must have the shape of the state."
            )
        if not self.residual:
            return mean + out * output_scale
        return last + (out * output_scale if step is None else step + out * output_scale)

    def _differences(self, frames: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The last state, the last increment, and what the backbone sees of them and of the higher differences."""
        last = frames[:, -1]
        seen = [(last - mean) / scale]
        found = []
        for sizes in self.difference_scale:
            frames = frames.diff(dim=1)
            found.append(frames[:, -1])
            seen.append(found[-1] / sizes.reshape(mean.shape))
        return last, found[0], torch.cat(seen, dim=1)

    def check_symmetry_safe(self, layout: Layout) -> None:
        """Raise `OrbitscopeError` unless the normalisation is one scale per field of `layout`, with a mean on scalars only."""
        start = 0
        for field, size in zip(layout.fields, layout.sizes, strict=True):
            part = slice(start, start + size)
            start += size
            scales = [self.scale, self.output_scale, *(self.difference_scale if self.differences else [])]
            uneven = any(bool((b[part] != b[start - size]).any()) for b in scales)
            shifted = not field.representation.keeps_mean and bool((self.mean[part] != 0).any())
            if uneven or shifted:
                raise OrbitscopeError(
                    f"Emulator: the normalisation of {field.name!r} ({field.representation!r}) "
                    f"{'differs between its components' if uneven else 'subtracts a mean'}, which no rotation or flip commutes with. "
                    "Use Normalisation.fit, one scale per field."
                )

    def normalisation(self) -> dict[str, Any]:
        """Plain data for JSON."""
        names = ("mean", "scale", "output_scale", *(["difference_scale"] if self.differences else []))
        return {**{name: getattr(self, name).tolist() for name in names}, "residual": self.residual}


def _check_differences(scale: Tensor, frames: int, channels: int) -> None:
    if frames < 2 or scale.shape != (frames - 1, channels):
        raise OrbitscopeError(
            "Emulator: `difference_scale` needs at least 2 `frames` and one number per difference and channel, "
            f"[{max(frames - 1, 1)}, {channels}]; got {frames} frames and shape {tuple(scale.shape)}."
        )
    if not bool((scale > 0).all()):
        raise OrbitscopeError(f"Emulator: `difference_scale` must be positive, got {scale.tolist()}.")
