"""A ResNet and a U-Net in the length that the state itself chooses: scale without a ladder, and with the increment as a skip."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...symmetry import Grid, Layout
from ._conjugated import ROOT, frames_in
from ._emulator import Emulator
from ._layers import Image, check_channels, check_positive
from ._scale import powers_of

WIDTH = 0.4  # of a filter, in inverse wave numbers of the state
LIMIT = 0.3  # root mean square of an increment over that of the state, which it does not exceed
EMPTY = 1e-24  # mean square, in normalised units, of what counts as nothing: below what either precision sees of a state
Filters = tuple[Tensor, Tensor]  # along x and y, [B, order, cell, cell]
ORDERS = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))  # derivatives along x and y


class _ScaleFrame(nn.Module):
    r"""What goes in and out of a body of layers whose filters are counted in a length of the state.

    The state says its wave number, $q^2 = \mathrm{mean}_f \langle |\nabla w_f|^2 \rangle / \langle |w_f - \bar w_f|^2 \rangle$, and
    derivatives are those of Gaussians of width $0.4 / q$. All that goes in has no dimension: the shapes (over their root mean squares) of
    the state and of its differences $\delta w$, $\delta^2 w$, and as numbers the logarithms of $|w| / q^p$, of the ratios of these sizes
    and of $dt\,q^2$, the time step on the state's own clock. The answer N changes the last increment by as much as that changes itself,

    $$F(w) - w = \delta w + |\delta^2 w|\, N(\ldots),$$

    so a state that moves slowly is extrapolated. (Two frames: $|\delta w| N$; one: $dt\,q^2 |w| N$ alone.) An increment y is damped to
    $y / \sqrt{1 + (|y| / 0.3 |w|)^2}$. [B, C_in, X, Y] -> [B, C_out, X, Y].
    """

    ratio: Tensor

    def __init__(
        self,
        name: str,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        grid: Grid,
        residual: bool,
        powers: Sequence[int | float] | None,
        levels: int = 1,
    ) -> None:
        super().__init__()
        self.name, self.levels = name, levels
        self.frames = min(frames_in(self.name, channels_in, channels_out, layout), 3)
        if not residual:
            raise OrbitscopeError(f"{self.name}: goes on with the last increment. Use residual=True.")
        if grid.ndim != 2 or grid.centring != "cell":
            raise OrbitscopeError(f"{self.name}: takes two-dimensional, cell-centred grids; got {grid}.")
        self.channels_in, self.fields = channels_in, layout.fields
        self.powers = powers_of(self.name, layout, powers)
        self.members = [layout.slice(f.name) for f in layout.fields]
        cell = math.sqrt(grid.spacing[0] * grid.spacing[1])
        self.mirrored = tuple(b != "periodic" for b in grid.boundary)
        self.extent = tuple(e / cell * (1 + m) for e, m in zip(grid.extent, self.mirrored, strict=True))
        self.dt = 1.0
        # Sizes of an increment over that of the state, per channel; the emulator around it says so.
        self.register_buffer("ratio", torch.ones(layout.channels))
        self.seen = self.frames * layout.channels + (self.frames + 1) * len(layout.fields)

    def body(self, seen: Tensor, filters: list[Filters]) -> Tensor:
        """All that has no dimension, `seen` [B, seen, X, Y], and the `filters` of every level -> one number per channel and cell."""
        raise NotImplementedError

    def forward(self, state: Image) -> Image:
        """The increment of each `state` [B, frames * C, X, Y] of the batch."""
        check_channels(state, self.channels_in, self.name)
        frames = state.unflatten(1, (-1, self.ratio.shape[0]))[:, -self.frames :]
        wave = self.wave_number(frames[:, -1])
        clock = self.dt * wave.square()
        differences = [frames[:, -1]]
        for _ in range(1, self.frames):
            frames = frames.diff(dim=1)
            differences.append(frames[:, -1])
        sizes = [self._sizes(d) for d in differences]
        # Numbers without dimension: the state's own Reynolds number, how fast it changes, and the time step on its own clock.
        numbers = [(sizes[0] / self._power(wave)).log(), clock.log().expand_as(sizes[0])]
        numbers += [(b / a).log() for a, b in zip(sizes, sizes[1:], strict=False)]
        shapes = [d / self._channels(size) for d, size in zip(differences, sizes, strict=True)]
        flat = torch.cat(numbers, dim=1).expand(-1, -1, *state.shape[2:])
        filters = [self.filters(state, 2**level * WIDTH / wave) for level in range(self.levels)]
        answer = self._channels(sizes[-1]) * self.body(torch.cat([*shapes, flat], dim=1), filters)
        increment = clock * answer if self.frames == 1 else differences[1] + answer
        beyond = self._sizes(increment) / (LIMIT * sizes[0])
        return increment / (self._channels((1 + beyond.square()).sqrt()) * self.ratio[:, None, None])

    def wave_number(self, state: Tensor) -> Tensor:
        """q of each `state` [B, C, X, Y] -> [B, 1, 1, 1], in inverse cells of the grid that it was built for."""
        total = torch.zeros_like(state[:, :1, :1, :1])
        for part in self.members:
            values = state[:, part]
            values = values - values.mean((2, 3), keepdim=True)
            spread = values.square().mean((1, 2, 3), keepdim=True)
            slope = torch.zeros_like(spread)
            for axis in (0, 1):
                derivative = self._matrices(torch.zeros_like(spread), axis, values.shape[2 + axis], plain=True)
                turned = derivative if axis == 0 else derivative.transpose(-1, -2)
                found = turned @ values if axis == 0 else values @ turned
                slope = slope + found.square().mean((1, 2, 3), keepdim=True)
            total = total + (slope + EMPTY) / (spread + EMPTY)
        return (total / len(self.members)).sqrt()

    def filters(self, like: Tensor, width: Tensor) -> Filters:
        """Derivatives of order 0 to 2 of a Gaussian of `width` [B, 1, 1, 1] along both axes, [B, order, cell, cell] each, on the grid of
        `like`."""
        return self._matrices(width, 0, like.shape[2]), self._matrices(width, 1, like.shape[3])

    def _matrices(self, width: Tensor, axis: int, cells: int, plain: bool = False) -> Tensor:
        r"""$(i k s)^m e^{-(k s)^2 / 2} / \sqrt{m!}$ for m = 0, 1, 2 as matrices; or $i k$ alone, with width 0."""
        total = 2 * cells if self.mirrored[axis] else cells
        number = torch.arange(total // 2 + 1, device=width.device)
        wave = (2 * math.pi / self.extent[axis] * number).to(width.dtype)
        odd = torch.where(2 * number == total, torch.zeros_like(wave), wave)  # half the sampling rate has no odd derivative
        scale = width[:, :, 0]
        damped = torch.exp(-(scale * wave).square() / 2)
        nothing = torch.zeros_like(damped)
        if plain:
            rows = [torch.complex(nothing, odd * damped)]
        else:
            second = -(scale * wave).square() * damped / math.sqrt(2)
            rows = [torch.complex(damped, nothing), torch.complex(nothing, scale * odd * damped), torch.complex(second, nothing)]
        kernel = torch.fft.irfft(torch.cat(rows, dim=1), n=total)
        place = torch.arange(cells, device=width.device)
        made = kernel.index_select(-1, ((place[:, None] - place) % total).flatten())
        if self.mirrored[axis]:
            made = made + kernel.index_select(-1, ((place[:, None] + place + 1) % total).flatten())
        return made.unflatten(-1, (cells, cells))

    def _sizes(self, values: Tensor) -> Tensor:
        """Root mean square of each field, [B, field, 1, 1]."""
        return torch.cat([(values[:, part].square().mean((1, 2, 3), keepdim=True) + EMPTY).sqrt() for part in self.members], dim=1)

    def _channels(self, sizes: Tensor) -> Tensor:
        """One number per field -> per channel."""
        return torch.cat([sizes[:, i : i + 1].expand(-1, part.stop - part.start, -1, -1) for i, part in enumerate(self.members)], dim=1)

    def _power(self, wave: Tensor) -> Tensor:
        """q to the dimension of each field, [B, field, 1, 1]."""
        return torch.cat([wave**p for p in self.powers], dim=1)

    def check_emulator(self, emulator: Emulator) -> None:
        """Take over how large an increment is; raise where the `emulator` does not pass the symmetry on."""
        if not emulator.residual or emulator.differences:
            raise OrbitscopeError(
                f"Emulator: {self.name} predicts an increment, and takes the differences of the frames itself; use residual=True and "
                "differences=False."
            )
        for f, part, power in zip(self.fields, self.members, self.powers, strict=True):
            if power and bool((emulator.mean[part] != 0).any()):
                raise OrbitscopeError(
                    f"Emulator: the normalisation subtracts the mean of {f.name!r}, which scales with the power {power}. Leave the field "
                    "out, or take a model without a scale symmetry."
                )
        self.ratio = (emulator.output_scale / emulator.scale).detach().clone()


class ScaleFrameResNet(_ScaleFrame):
    r"""A ResNet for $w(x, t) \mapsto \lambda^p w(\lambda x, \lambda^2 t)$ that counts lengths in a length of the state: no ladder.

    The state says its wave number q, derivatives are those of Gaussians of width $0.4 / q$, and all that goes in has no dimension: the
    shapes of the state and of its last two differences, the logarithms of their sizes and of $dt\,q^2$, the time step on the state's own
    clock. The answer N changes the last increment by as much as that changes itself, $F(w) - w = \delta w + |\delta^2 w|\, N(\ldots)$, so a
    state that moves slowly is extrapolated. (Two frames: $|\delta w| N$; one: $dt\,q^2 |w| N$ alone.) An increment y is damped to
    $y / \sqrt{1 + (|y| / 0.3 |w|)^2}$. [B, C_in, X, Y] -> [B, C_out, X, Y].

    * `channels_in`, `channels_out`: numbers of channels; frames of `layout`, oldest first, of which the last three are seen.
    * `layout`: the fields of a state.
    * `grid`: cells and boundaries; axes that are not periodic are mirrored.
    * `residual`: must be True: the increment is predicted.
    * `width`: hidden channels.
    * `depth`: residual blocks of two layers each.
    * `powers`: p, one per field; None: by the names that `symmetry.Scaling` knows (velocity 1, vorticity 2, tracer 0, ...).

    *Exact* (rounding, periodic) for the frames *and their time step*, where the cells resolve the moved state: the attribute `dt`, 1 for
    the step that it was trained with, says how far apart the frames are, and the moved state has $dt / \lambda^2$. At one dt for both it
    is no symmetry of a flow, and none is imposed. Turns are not built in. Works at any resolution of the box. Raises `OrbitscopeError` for
    fields of unknown dimension, `residual=False`, and where the normalisation subtracts the mean of a field whose power is not 0.
    Source: Wang, Walters and Yu, ICLR 2021, for the symmetry; the frame is that of the magnitude models, for lengths.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        grid: Grid,
        residual: bool = True,
        width: int = 16,
        depth: int = 2,
        powers: Sequence[int | float] | None = None,
    ) -> None:
        check_positive("scale_frame_resnet", width=width, depth=depth)
        super().__init__("scale_frame_resnet", channels_in, channels_out, layout, grid, residual, powers)
        self.lift = _Mix(self.seen, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(depth))
        self.head = _Mix(width, layout.channels)

    def body(self, seen: Tensor, filters: list[Filters]) -> Tensor:
        """One level."""
        h = self.lift(seen, filters[0])
        for block in self.blocks:
            h = block(h, filters[0])
        return self.head(F.silu(h), filters[0])


class ScaleFrameUNet(_ScaleFrame):
    r"""A U-Net for $w(x, t) \mapsto \lambda^p w(\lambda x, \lambda^2 t)$: level l has filters $2^l$ times as wide as `ScaleFrameResNet`'s.

    What goes in and out, and what the answer means, is as in `ScaleFrameResNet`. A level is one of the widths of the filters, not of the
    grid, which stays as fine as it is: a length of the state is no whole number of cells. Down, up, and a skip from each level of the way
    down to the same level of the way up.

    * `channels_in`, `channels_out`, `layout`, `grid`, `residual`, `powers`: as of `ScaleFrameResNet`.
    * `width`: hidden channels of every level.
    * `levels`: how many widths of filters, at least 2.

    The limits and errors are those of `ScaleFrameResNet`. Cost: 2 `levels` blocks at the full resolution.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        grid: Grid,
        residual: bool = True,
        width: int = 12,
        levels: int = 3,
        powers: Sequence[int | float] | None = None,
    ) -> None:
        check_positive("scale_frame_unet", width=width, levels=levels)
        if levels < 2:
            raise OrbitscopeError(f"scale_frame_unet: `levels` must be at least 2, got {levels}; one level is scale_frame_resnet.")
        super().__init__("scale_frame_unet", channels_in, channels_out, layout, grid, residual, powers, levels)
        self.lift = _Mix(self.seen, width)
        self.down = nn.ModuleList(_Block(width) for _ in range(levels))
        self.join = nn.ModuleList(_Mix(2 * width, width) for _ in range(levels - 1))
        self.up = nn.ModuleList(_Block(width) for _ in range(levels - 1))
        self.head = _Mix(width, layout.channels)

    def body(self, seen: Tensor, filters: list[Filters]) -> Tensor:
        """Down and up again."""
        h = self.lift(seen, filters[0])
        skips = []
        for block, wide in zip(self.down, filters, strict=True):
            h = block(h, wide)
            skips.append(h)
        for level in reversed(range(self.levels - 1)):
            h = self.join[level](F.silu(torch.cat([h, skips[level]], dim=1)), filters[level])
            h = self.up[level](h, filters[level])
        return self.head(F.silu(h), filters[0])


class _Mix(nn.Module):
    """Channels and their smoothed derivatives, in the length of the state, mixed at a point."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        count = into * (len(ORDERS) + 1)
        self.weight = nn.Parameter(torch.randn(out, count) / math.sqrt(count))
        self.bias = nn.Parameter(torch.zeros(out))

    def forward(self, x: Tensor, filters: Filters) -> Tensor:
        rows, columns = (f[:, :, None] for f in filters)
        down = rows @ x[:, None]  # [B, order, C, X, Y]
        across = columns.transpose(-1, -2)
        seen = torch.cat([x[:, None], *(down[:, a : a + 1] @ across[:, b : b + 1] for a, b in ORDERS)], dim=1)
        return F.conv2d(seen.flatten(1, 2), self.weight[:, :, None, None], self.bias)


class _Block(nn.Module):
    """(x + f(x)) / sqrt 2 with f = swish, mixture, twice."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _Mix(width, width), _Mix(width, width)

    def forward(self, x: Tensor, filters: Filters) -> Tensor:
        return ROOT * (x + self.second(F.silu(self.first(F.silu(x), filters)), filters))
