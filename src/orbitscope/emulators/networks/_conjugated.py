"""ResNet and UNet whose every layer works in a frame that the state itself chooses: what uniform motion and magnitude share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...nn import Surround, Surrounds
from ...symmetry import Grid, Layout
from ._emulator import Emulator
from ._layers import Attention, Image, ImageNorm, check_channels, check_divisible, check_positive


class Frame(ABC):
    """How a symmetry of values acts on channels, and the frame of reference in which it acts no more.

    Hidden features are counted in units that the symmetry does not take apart (vectors, channels): `size` channels each. A *difference*
    is what may be added to features; the sum transforms as the features do.
    """

    gain: ClassVar[float]  # of the sum of a skip and a branch

    @abstractmethod
    def size(self, units: int) -> int:
        """Channels of so many units."""

    @abstractmethod
    def conv(self, into: int, out: int, kernel: int, stride: int = 1, *, difference: bool = False) -> nn.Module:
        """Units -> units, or a difference of them."""

    @abstractmethod
    def lift(self, units: int, kernel: int) -> nn.Module:
        """The channels of the input, those that are moved first -> units."""

    @abstractmethod
    def head(self, units: int, kernel: int) -> nn.Module:
        """Units -> the channels of the output, those that are moved first."""

    @abstractmethod
    def inside(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The features in the frame, which the symmetry leaves alone, and the frame."""

    @abstractmethod
    def outside(self, y: Tensor, frame: Tensor) -> Tensor:
        """The inverse of `inside`."""

    @abstractmethod
    def difference(self, y: Tensor, frame: Tensor) -> Tensor:
        """From the frame, as a difference."""

    def join(self, a: Tensor, b: Tensor) -> Tensor:
        """The units of both."""
        return torch.cat([a, b], dim=1)

    @abstractmethod
    def check(self, emulator: Emulator) -> None:
        """Raise where the normalisation of an emulator does not pass the symmetry on."""


class Ends(nn.Module):
    """The channels of some frames of a layout, the moved fields first, then the others; and the way back for one frame.

    Of `moving` frames, the first ones, the fields move; of the rest they do not (differences).
    """

    into: Tensor
    back: Tensor

    def __init__(self, layout: Layout, moved: Sequence[str], frames: int, moving: int | None = None) -> None:
        super().__init__()
        one = [c for f in layout.fields if f.name in moved for c in range(layout.channels)[layout.slice(f.name)]]
        others = [c for c in range(layout.channels) if c not in one]
        moving = frames if moving is None else moving
        places = [(f, c) for f in range(moving) for c in one]
        places += [(f, c) for f in range(moving, frames) for c in one] + [(f, c) for f in range(frames) for c in others]
        into = [f * layout.channels + c for f, c in places]
        self.register_buffer("into", torch.tensor(into), persistent=False)
        self.register_buffer("back", torch.tensor([*one, *others]).argsort(), persistent=False)


class ConjugatedResNet(nn.Module):
    """`ResNet` of the layers of a `Frame`, [B, C_in, X, Y] -> [B, C_out, X, Y]."""

    def __init__(self, name: str, frame: Frame, ends: Ends, width: int, depth: int, kernel: int) -> None:
        super().__init__()
        check_positive(name, width=width, depth=depth, kernel=kernel)
        if kernel % 2 == 0:
            raise OrbitscopeError(f"{name}: `kernel` must be odd, got {kernel}.")
        self.name, self.frame, self.ends = name, frame, ends
        self.lift = frame.lift(width, kernel)
        self.blocks = nn.Sequential(*(_Block(frame, width, width, kernel) for _ in range(depth)))
        self.act = _Act(frame, width)
        self.head = frame.head(width, 3)

    def forward(self, state: Image) -> Image:
        """Next state (or increment) of each `state` [B, C, *grid] of the batch."""
        check_channels(state, len(self.ends.into), self.name)
        h = self.blocks(self.lift(state[:, self.ends.into]))
        return self.head(self.act(h))[:, self.ends.back]

    def check_emulator(self, emulator: Emulator) -> None:
        """Raise where the `emulator` around it does not pass the symmetry on."""
        self.frame.check(emulator)


class ConjugatedUNet(nn.Module):
    """`UNet` of the layers of a `Frame`, [B, C_in, X, Y] -> [B, C_out, X, Y]; X and Y divisible by 2^stages."""

    def __init__(self, name: str, frame: Frame, ends: Ends, width: int, kernels: tuple[int, ...], heads: int) -> None:
        super().__init__()
        check_positive(name, width=width)
        if not kernels or any(k < 1 or k % 2 == 0 for k in kernels):
            raise OrbitscopeError(f"{name}: `kernels` must be odd, one per level from fine to coarse, got {tuple(kernels)}.")
        self.name, self.frame, self.ends, self.stages = name, frame, ends, len(kernels) - 1
        widths = [width * 2**level for level in range(len(kernels))]
        steps = list(zip(widths, widths[1:], strict=False))
        self.lift = frame.lift(width, kernels[0])
        self.down = nn.ModuleList(_Block(frame, w, w, k) for w, k in zip(widths[:-1], kernels, strict=False))
        self.coarsen = nn.ModuleList(_Coarsen(frame, a, b) for a, b in steps)
        self.bottom = _Block(frame, widths[-1], widths[-1], kernels[-1])
        self.attend = _FrameAttention(frame, widths[-1], heads) if heads else nn.Identity()
        self.refine = nn.ModuleList(frame.conv(b, a, 1) for a, b in steps)
        self.up = nn.ModuleList(_Block(frame, 2 * w, w, k) for w, k in zip(widths[:-1], kernels, strict=False))
        self.act = _Act(frame, width)
        self.head = frame.head(width, 3)

    def forward(self, state: Image) -> Image:
        """Next state (or increment) of each `state` [B, C, *grid] of the batch."""
        check_channels(state, len(self.ends.into), self.name)
        check_divisible(state, 2**self.stages, self.name, f"{self.stages} down-samplings")
        h = self.lift(state[:, self.ends.into])
        skips = []
        for block, coarsen in zip(self.down, self.coarsen, strict=True):
            h = block(h)
            skips.append(h)
            h = coarsen(h)
        h = self.attend(self.bottom(h))
        for level in reversed(range(self.stages)):
            h = F.interpolate(self.refine[level](h), scale_factor=2, mode="nearest")
            h = self.up[level](self.frame.join(h, skips[level]))
        return self.head(self.act(h))[:, self.ends.back]

    def check_emulator(self, emulator: Emulator) -> None:
        """Raise where the `emulator` around it does not pass the symmetry on."""
        self.frame.check(emulator)


class _Act(nn.Module):
    """Norm and swish in the frame."""

    def __init__(self, frame: Frame, units: int) -> None:
        super().__init__()
        self.frame, self.norm = frame, ImageNorm(frame.size(units))

    def forward(self, x: Image) -> Image:
        inner, frame = self.frame.inside(x)
        return self.frame.outside(F.silu(self.norm(inner)), frame)


class _Block(nn.Module):
    """gain (skip(x) + f(x)) with f = norm and swish in the frame, convolution, twice, its answer a difference."""

    def __init__(self, frame: Frame, into: int, out: int, kernel: int) -> None:
        super().__init__()
        self.gain = frame.gain
        self.first = nn.Sequential(_Act(frame, into), frame.conv(into, out, kernel))
        self.second = nn.Sequential(_Act(frame, out), frame.conv(out, out, kernel, difference=True))
        self.skip = nn.Identity() if into == out else frame.conv(into, out, 1)

    def forward(self, x: Image) -> Image:
        return self.gain * (self.skip(x) + self.second(self.first(x)))


class _Coarsen(nn.Module):
    """Half the resolution: gain (strided convolution + average-pooled skip); the kernel is even, so that both share a centre."""

    def __init__(self, frame: Frame, into: int, out: int) -> None:
        super().__init__()
        self.gain = frame.gain
        self.conv, self.skip = frame.conv(into, out, 4, 2, difference=True), frame.conv(into, out, 1)

    def forward(self, x: Image) -> Image:
        return self.gain * (self.conv(x) + self.skip(F.avg_pool2d(x, 2)))


class _FrameAttention(nn.Module):
    """Attention over the cells of a small grid, in the frame, without position embedding."""

    def __init__(self, frame: Frame, units: int, heads: int) -> None:
        super().__init__()
        self.frame = frame
        self.norm = ImageNorm(frame.size(units))
        self.attention = Attention(frame.size(units), heads)

    def forward(self, x: Image) -> Image:
        inner, frame = self.frame.inside(x)
        tokens = self.norm(inner).flatten(2).transpose(1, 2)
        mixed = self.attention(tokens).transpose(1, 2).reshape(x.shape)
        return self.frame.gain * (x + self.frame.difference(mixed, frame))


def frames_in(model: str, channels_in: int, channels_out: int, layout: Layout) -> int:
    """How many frames of the layout go in; raises where the channels are no whole number of them, or not one comes out."""
    if channels_in < 1 or channels_in % layout.channels or channels_out != layout.channels:
        raise OrbitscopeError(
            f"{model}: takes frames of `layout` ({layout.channels} channels) and gives one; got `channels_in` = {channels_in}, "
            f"`channels_out` = {channels_out}."
        )
    if layout.ndim != 2:
        raise OrbitscopeError(f"{model}: takes two space dimensions; `layout` has {layout.ndim}.")
    return channels_in // layout.channels


def surrounds_of(grid: Grid | None) -> Surrounds:
    """Periodic axes are circular, others repeat the last cell: both keep constants."""
    modes: list[Surround] = ["circular" if b == "periodic" else "replicate" for b in grid.boundary] if grid is not None else []
    return tuple(modes) or "circular"


ROOT = 1 / math.sqrt(2)
