"""UNet and ResNet that commute with multiplying a flow by a positive number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...nn import MagnitudeConv, Surrounds, divided, root
from ...symmetry import Grid, Layout
from ._conjugated import ROOT, ConjugatedResNet, ConjugatedUNet, Ends, Frame, frames_in, surrounds_of
from ._emulator import Emulator


class MagnitudeResNet(ConjugatedResNet):
    r"""`ResNet` that commutes with magnitude, $w \mapsto m w$, m > 0; [B, C_in, X, Y] -> [B, C_out, X, Y].

    Every convolution is a `MagnitudeConv` and every nonlinearity acts in units of the root mean square of its cell: one scale for all
    components.

    * `channels_in`: C_in, a whole number of frames of `layout`, oldest first. `channels_out`: C_out, the channels of one frame.
    * `layout`: the fields of a state.
    * `grid`: periodic axes are circular, others repeat the last cell; None: all circular.
    * `width`: hidden channels, at least 2; where some fields do not scale, half of the hidden channels do not either.
    * `depth`: residual blocks, of two convolutions each.
    * `kernel`: width of the kernels in cells, odd.
    * `scaled`: names of the fields that carry the magnitude, a list or separated by commas; None: all.

    Exact for the whole `Emulator` where its normalisation subtracts no mean from the scaled fields. Raises `OrbitscopeError` for scaled
    fields whose mean is subtracted (scalars). Source: Wang, Walters and Yu, ICLR 2021, magnitude.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        grid: Grid | None = None,
        width: int = 24,
        depth: int = 4,
        kernel: int = 5,
        scaled: str | Sequence[str] | None = None,
    ) -> None:
        frame, ends = _frame("magnitude_resnet", channels_in, channels_out, layout, grid, scaled, width)
        super().__init__("magnitude_resnet", frame, ends, width, depth, kernel)


class MagnitudeUNet(ConjugatedUNet):
    r"""`UNet` that commutes with magnitude, $w \mapsto m w$, m > 0; [B, C_in, X, Y] -> [B, C_out, X, Y].

    * `channels_in`, `channels_out`, `layout`, `grid`, `scaled`: as of `MagnitudeResNet`.
    * `width`: hidden channels of the finest level, at least 2; level l has `width` $2^l$.
    * `kernels`: width of the kernels of each level in cells, odd, from fine to coarse.
    * `heads`: of the attention over the cells of the coarsest level; 0: no attention.

    The rest is as in `UNet`; the limits are those of `MagnitudeResNet`. Raises `OrbitscopeError`
    unless X and Y are divisible by the total stride.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        grid: Grid | None = None,
        width: int = 12,
        kernels: tuple[int, ...] = (5, 3, 3),
        heads: int = 4,
        scaled: str | Sequence[str] | None = None,
    ) -> None:
        frame, ends = _frame("magnitude_unet", channels_in, channels_out, layout, grid, scaled, width)
        super().__init__("magnitude_unet", frame, ends, width, kernels, heads)


@dataclass(frozen=True)
class _MagnitudeFrame(Frame):
    """Units of the root mean square of the scaled channels of a cell."""

    layout: Layout
    scaled: tuple[int, ...]  # channels of one frame of the layout
    frames: int
    boundary: Surrounds
    gain: ClassVar[float] = ROOT

    def size(self, units: int) -> int:
        return units

    @property
    def others(self) -> int:
        """Channels of one frame that do not scale."""
        return self.layout.channels - len(self.scaled)

    def split(self, units: int) -> tuple[int, int]:
        """Hidden channels that scale, and others."""
        return (units - units // 2, units // 2) if self.others else (units, 0)

    def conv(self, into: int, out: int, kernel: int, stride: int = 1, *, difference: bool = False) -> nn.Module:
        return self._conv(self.split(into), self.split(out), kernel, stride)

    def lift(self, units: int, kernel: int) -> nn.Module:
        return self._conv((self.frames * len(self.scaled), self.frames * self.others), self.split(units), kernel)

    def head(self, units: int, kernel: int) -> nn.Module:
        return self._conv(self.split(units), (len(self.scaled), self.others), kernel)

    def _conv(self, into: tuple[int, int], out: tuple[int, int], kernel: int, stride: int = 1) -> nn.Module:
        return MagnitudeConv(into[0], out[0], kernel, invariant_in=into[1], invariant_out=out[1], stride=stride, boundary=self.boundary)

    def inside(self, x: Tensor) -> tuple[Tensor, Tensor]:
        carried, rest = self._parts(x)
        largest = carried.detach().flatten(1).abs().amax(1).reshape(-1, 1, 1, 1)
        sigma = root(divided(carried, largest).square().mean(1, keepdim=True)) * largest
        return self._whole(divided(carried, sigma), rest), sigma

    def outside(self, y: Tensor, frame: Tensor) -> Tensor:
        carried, rest = self._parts(y)
        return self._whole(carried * frame, rest)

    def difference(self, y: Tensor, frame: Tensor) -> Tensor:
        return self.outside(y, frame)

    def join(self, a: Tensor, b: Tensor) -> Tensor:
        (carried_a, rest_a), (carried_b, rest_b) = self._parts(a), self._parts(b)
        return torch.cat([carried_a, carried_b, rest_a, rest_b], dim=1)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        carried = self.split(x.shape[1])[0]
        return x[:, :carried], x[:, carried:]

    def _whole(self, carried: Tensor, rest: Tensor) -> Tensor:
        return torch.cat([carried, rest], dim=1) if self.others else carried

    def check(self, emulator: Emulator) -> None:
        mean = emulator.mean[list(self.scaled)]
        if bool((mean != 0).any()):
            raise OrbitscopeError(f"Emulator: `mean` {mean.tolist()} of the fields that carry the magnitude must be 0.")


def _frame(
    model: str,
    channels_in: int,
    channels_out: int,
    layout: Layout,
    grid: Grid | None,
    scaled: str | Sequence[str] | None,
    width: int,
) -> tuple[Frame, Ends]:
    frames = frames_in(model, channels_in, channels_out, layout)
    if width < 2:
        raise OrbitscopeError(f"{model}: `width` must be at least 2, got {width}.")
    names = _scaled(model, layout, scaled)
    index = tuple(c for f in layout.fields if f.name in names for c in range(layout.channels)[layout.slice(f.name)])
    return _MagnitudeFrame(layout, index, frames, surrounds_of(grid)), Ends(layout, names, frames)


def _scaled(model: str, layout: Layout, scaled: str | Sequence[str] | None) -> list[str]:
    given = [name.strip() for name in scaled.split(",")] if isinstance(scaled, str) else list(scaled or [])
    names = given or [f.name for f in layout.fields]
    for name in names:
        layout.slice(name)  # raises where there is no such field
    centred = [f.name for f in layout.fields if f.name in names and f.representation.keeps_mean]
    if centred:
        good = [f.name for f in layout.fields if not f.representation.keeps_mean]
        raise OrbitscopeError(
            f"{model}: the normalisation subtracts the mean of {', '.join(centred)}, so the emulator could not commute with its magnitude. "
            + (f"Name the others: override `scaled` {','.join(good)}." if good else f"{layout} has no field without a mean.")
        )
    return names
