"""UNet and ResNet on a ladder of scales."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...nn import ScaleConv, ScaleLift, ScaleProject
from ...symmetry import DIMENSIONS, Grid, Layout
from ._conjugated import ROOT, frames_in
from ._emulator import Emulator
from ._layers import Image, check_channels, check_divisible, check_positive

TIME = 2  # powers of inverse length in an inverse time
CORRELATION = 1.5  # cells: the width of the noise that the first weights are scaled with
STEP = 0.3  # what an untrained model predicts, in units of what it should


class _OnScales(nn.Module):
    """What both models share: ladder, lifting and projecting layers, walls."""

    def __init__(
        self,
        model: str,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        grid: Grid,
        residual: bool,
        powers: Sequence[int | float] | None,
        ladder: tuple[int, float, float],
        memory: float,
        width: int,
    ) -> None:
        super().__init__()
        check_positive(model, width=width)
        frames = frames_in(model, channels_in, channels_out, layout)
        if not residual:
            raise OrbitscopeError(
                f"{model}: predicts a rate of change, as a step of fixed dt does not transform under scale. Use residual=True."
            )
        if grid.ndim != 2 or grid.centring != "cell":
            raise OrbitscopeError(f"{model}: takes two-dimensional, cell-centred grids; got {grid}.")
        levels, ratio, finest = ladder
        check_positive(model, levels=levels)
        if not (1 < ratio < math.inf and 0 < finest < math.inf and 0 < memory < math.inf):
            raise OrbitscopeError(f"{model}: `ratio` must exceed 1, `finest` and `memory` 0; got {ratio}, {finest}, {memory}.")
        self.name, self.channels_in = model, channels_in
        self.fields, self.powers = layout.fields, powers_of(model, layout, powers)
        self.mirrored = tuple(b != "periodic" for b in grid.boundary)
        self.scales = tuple(finest * ratio**i for i in range(levels))
        self.cell = math.sqrt(grid.spacing[0] * grid.spacing[1])
        self.extent = tuple(e * (1 + m) for e, m in zip(grid.extent, self.mirrored, strict=True))
        seen = [self.powers[i] for i in layout.field_of_channel]
        self.lift = ScaleLift(
            layout.channels, width, self.scales, width=self.cell, extent=self.extent, powers=seen, frames=frames, memory=memory
        )
        rates = [p + TIME for p in seen]
        self.head = ScaleProject(width, layout.channels, self.scales, width=self.cell, extent=self.extent, powers=rates)

    def features(self, h: Tensor) -> Tensor:
        """Features `h` [B, C, scale, *grid] on the ladder -> the same."""
        raise NotImplementedError

    def forward(self, state: Image) -> Image:
        """Rate of change of each `state` [B, frames * C, *grid] of the batch, times a constant."""
        check_channels(state, self.channels_in, self.name)
        shape = state.shape[2:]
        for axis, mirrored in enumerate(self.mirrored):
            if mirrored:
                state = torch.cat([state, state.flip(axis + 2)], dim=axis + 2)
        rate = self.head(F.silu(self.features(self.lift(state))))
        return rate[..., : shape[0], : shape[1]]

    def block(self, into: int, out: int, stage: int = 0) -> nn.Module:
        """A residual block from `into` to `out` channels whose filters are 2^`stage` times as wide."""
        return _Block(into, out, self.scales, self.cell * 2**stage, self.extent)

    @torch.no_grad()
    def _calibrate(self, shape: Sequence[int]) -> None:
        """Scale every layer's first weights so that smooth noise comes out of it with size 1, and of the last with the size of a step.

        The filters of high order leave little of a smooth field, and there is no norm to make up for that.
        """
        wave = torch.fft.fftfreq(shape[0])[:, None] ** 2 + torch.fft.rfftfreq(shape[1]) ** 2
        damped = torch.fft.rfft2(torch.randn(2, self.channels_in, *shape)) * torch.exp(-((2 * math.pi * CORRELATION) ** 2) * wave / 2)
        state = torch.fft.irfft2(damped, s=tuple(shape))
        hooks = [m.register_forward_hook(_unit) for m in self.modules() if isinstance(m, ScaleLift | ScaleConv | ScaleProject)]
        self(state / state.square().mean().sqrt())
        for hook in hooks:
            hook.remove()
        self.head.weight.mul_(STEP)

    def check_emulator(self, emulator: Emulator) -> None:
        """Raise where the `emulator` around it does not pass the symmetry on."""
        if not emulator.residual or emulator.differences:
            raise OrbitscopeError(
                f"Emulator: {self.name} predicts a rate of change from frames, which its filters of the past take apart; use residual=True "
                "and differences=False."
            )
        start = 0
        for f, power in zip(self.fields, self.powers, strict=True):
            size = f.representation.size(2)
            if power and bool((emulator.mean[start : start + size] != 0).any()):
                raise OrbitscopeError(
                    f"Emulator: the normalisation subtracts the mean of {f.name!r}, which scales with the power {power}. Leave the field "
                    "out, or take a model without a scale symmetry."
                )
            start += size


def _unit(layer: nn.Module, _: object, out: Tensor) -> Tensor:
    """A hook: make the root mean square of the answer 1."""
    size = out.square().mean().sqrt()
    if size > 0:
        layer.get_parameter("weight").div_(size)
    return out / size if size > 0 else out


class ScaleResNet(_OnScales):
    r"""Residual convolutions on a ladder of scales: a rate of change that transforms as $\lambda^{p+2} r(\lambda x)$; approximate.

    If the state is moved by $w' = \lambda^p w(\lambda x)$, the answer B moves by $\lambda^{p+2} B(\lambda x)$: B times a constant is a
    rate of change, dt times which is the increment. [B, C_in, X, Y] -> [B, C_out, X, Y].

    * `channels_in`: C_in, a whole number of frames of `layout`, oldest first. `channels_out`: C_out, the channels of one frame.
    * `layout`: the fields of a state.
    * `grid`: its cells are the unit of `finest`; periodic axes are circular, others are mirrored, at twice the cost.
    * `residual`: must be True: a step of fixed dt does not transform under scale.
    * `width`: hidden channels of every level.
    * `depth`: residual blocks, of two convolutions each.
    * `levels`: number of scales.
    * `ratio`: of each scale to the one before, above 1.
    * `finest`: width of the Gaussian of the first scale, in cells.
    * `memory`: how far back the frames are remembered at scale 1, in frames.
    * `powers`: p, one per field; None: by the names that `symmetry.Scaling` knows (velocity 1, vorticity 2, tracer 0, ...).

    *Limits.* The ends of the ladder and of the grid: a zoom moves features off it, and with few levels (the default) most of what is to
    commute is near an end; more `levels`, from a smaller `finest`, err less and cost more. Raises `OrbitscopeError` for
    fields of unknown dimension, and where the normalisation subtracts the mean of a field whose power is not 0.
    Source: Wang, Walters and Yu, ICLR 2021, scale; there never measured.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        grid: Grid,
        residual: bool = True,
        width: int = 12,
        depth: int = 2,
        levels: int = 4,
        ratio: float = 2.0,
        finest: float = 0.5,
        memory: float = 1.0,
        powers: Sequence[int | float] | None = None,
    ) -> None:
        ladder = (levels, ratio, finest)
        super().__init__("scale_resnet", channels_in, channels_out, layout, grid, residual, powers, ladder, memory, width)
        check_positive(self.name, depth=depth)
        self.blocks = nn.Sequential(*(self.block(width, width) for _ in range(depth)))
        self._calibrate(grid.shape)

    def features(self, h: Tensor) -> Tensor:
        return self.blocks(h)


class ScaleUNet(_OnScales):
    r"""`UNet` on a ladder of scales, [B, C_in, X, Y] -> [B, C_out, X, Y]; what it predicts, and its limits, are those of `ScaleResNet`.

    * `channels_in`, `channels_out`, `layout`, `grid`, `residual`: as of `ScaleResNet`.
    * `width`: hidden channels of every level at the finest stage, doubled with each stage.
    * `stages`: how many times the grid is halved and doubled again (in Fourier space), and the reach of the filters doubled; all levels of
      the ladder are there at every stage.
    * `levels`, `ratio`, `finest`, `memory`, `powers`: of the ladder, as of `ScaleResNet`.

    Raises `OrbitscopeError` unless X and Y are divisible by 2^stages.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        grid: Grid,
        residual: bool = True,
        width: int = 6,
        stages: int = 2,
        levels: int = 4,
        ratio: float = 2.0,
        finest: float = 0.5,
        memory: float = 1.0,
        powers: Sequence[int | float] | None = None,
    ) -> None:
        ladder = (levels, ratio, finest)
        super().__init__("scale_unet", channels_in, channels_out, layout, grid, residual, powers, ladder, memory, width)
        check_positive(self.name, stages=stages)
        self.stages = stages
        widths = [width * 2**stage for stage in range(stages + 1)]
        steps = list(zip(widths, widths[1:], strict=False))
        self.down = nn.ModuleList(self.block(w, w, stage) for stage, w in enumerate(widths[:-1]))
        self.coarsen = nn.ModuleList(_Pointwise(a, b) for a, b in steps)
        self.bottom = self.block(widths[-1], widths[-1], stages)
        self.refine = nn.ModuleList(_Pointwise(b, a) for a, b in steps)
        self.up = nn.ModuleList(self.block(2 * w, w, stage) for stage, w in enumerate(widths[:-1]))
        check_divisible(torch.empty(grid.shape, device="meta"), 2**stages, self.name, f"{stages} down-samplings")
        self._calibrate(grid.shape)

    def features(self, h: Tensor) -> Tensor:
        check_divisible(h, 2**self.stages, self.name, f"{self.stages} down-samplings")
        skips = []
        for block, coarsen in zip(self.down, self.coarsen, strict=True):
            h = block(h)
            skips.append(h)
            h = coarsen(_resampled(h, h.shape[-2] // 2, h.shape[-1] // 2))
        h = self.bottom(h)
        for stage in reversed(range(self.stages)):
            h = _resampled(self.refine[stage](h), 2 * h.shape[-2], 2 * h.shape[-1])
            h = self.up[stage](torch.cat([h, skips[stage]], dim=1))
        return h


class _Block(nn.Module):
    r"""$(\mathrm{skip}(x) + f(x)) / \sqrt 2$ with f = swish, convolution, twice; no norm, which would lift the empty ends of the ladder."""

    def __init__(self, into: int, out: int, scales: Sequence[float], reach: float, extent: Sequence[float]) -> None:
        super().__init__()
        self.first = ScaleConv(into, out, scales, width=reach, extent=extent)
        self.second = ScaleConv(out, out, scales, width=reach, extent=extent)
        self.skip = nn.Identity() if into == out else _Pointwise(into, out)

    def forward(self, x: Tensor) -> Tensor:
        return ROOT * (self.skip(x) + self.second(F.silu(self.first(F.silu(x)))))


def _resampled(x: Tensor, rows: int, columns: int) -> Tensor:
    """The same periodic function on another grid, without the modes that one of the two grids cannot tell from others.

    Values stay at corners of cells: half a cell from the centre of a coarse cell, which the way back undoes.
    """
    n, m = min(x.shape[-2], rows), min(x.shape[-1], columns)
    modes = torch.fft.rfft2(x, norm="forward")
    up, across = (n + 1) // 2, (m + 1) // 2  # modes below half the sampling rate
    gap = modes.new_zeros(*x.shape[:-2], rows - 2 * up + 1, across)
    kept = torch.cat([modes[..., :up, :across], gap, modes[..., x.shape[-2] - up + 1 :, :across]], dim=-2)
    return torch.fft.irfft2(F.pad(kept, (0, columns // 2 + 1 - across)), s=(rows, columns), norm="forward")


class _Pointwise(nn.Module):
    """The same mixture of channels at every cell and scale."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, into) / math.sqrt(into))
        self.bias = nn.Parameter(torch.zeros(out))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("oi,bisxy->bosxy", self.weight, x) + self.bias[:, None, None, None]


def powers_of(model: str, layout: Layout, powers: Sequence[int | float] | None) -> tuple[float, ...]:
    if powers is not None:
        given = [powers] if isinstance(powers, int | float) else list(powers)
        if len(given) != len(layout.fields):
            raise OrbitscopeError(f"{model}: `powers` needs one number per field ({len(layout.fields)}), got {given}.")
        return tuple(float(p) for p in given)
    unknown = [f.name for f in layout.fields if f.name not in DIMENSIONS]
    if unknown:
        raise OrbitscopeError(
            f"{model}: how {unknown[0]!r} scales is not known. Give `powers` p of w -> l^p w(l x, l^2 t), one per field "
            f"(velocity 1, vorticity 2, tracer 0): {', '.join(f.name for f in layout.fields)}."
        )
    return tuple(float(DIMENSIONS[f.name][1] + DIMENSIONS[f.name][2]) for f in layout.fields)
