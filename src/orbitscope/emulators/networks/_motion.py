"""UNet and ResNet that commute with adding one constant vector to all velocities."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...nn import MotionConv, Surrounds
from ...symmetry import Grid, Layout
from ._conjugated import ConjugatedResNet, ConjugatedUNet, Ends, Frame, frames_in, surrounds_of
from ._emulator import Emulator


class MotionResNet(ConjugatedResNet):
    r"""`ResNet` that commutes with uniform motion of the values, $w \mapsto w + c$; [B, C_in, X, Y] -> [B, C_out, X, Y].

    Every convolution is a `MotionConv` and every nonlinearity acts in the frame of the mean vector of its cell; branches of sums are
    invariant.

    * `channels_in`: C_in, a whole number of frames of `layout`, oldest first. `channels_out`: C_out, the channels of one frame.
    * `layout`: the fields of a state.
    * `grid`: periodic axes are circular, others repeat the last cell; None: all circular.
    * `residual`: whether the answer is an increment, which does not shift: as for an `Emulator` with the same word.
    * `differences`: whether the state and its differences go in, newest first, which do not shift; as for an `Emulator` with such scales.
    * `width`: hidden vectors (two channels each), at least 2.
    * `depth`: residual blocks, of two convolutions each.
    * `kernel`: width of the kernels in cells, odd.
    * `moving`: name of the field that shifts, a velocity; None: the one called velocity, or the only vector field. All other fields stay
      as they are.

    *Limits.* Not a Galilean boost, which also moves what the values are attached to (see `nn.Galilean`). Raises `OrbitscopeError` where
    no field, or not one alone, can shift; momentum does not, as it shifts by density times c.
    Source: Wang, Walters and Yu, ICLR 2021, uniform motion.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        grid: Grid | None = None,
        residual: bool = False,
        differences: bool = False,
        width: int = 12,
        depth: int = 4,
        kernel: int = 5,
        moving: str | None = None,
    ) -> None:
        frame, ends = _frame("motion_resnet", channels_in, channels_out, layout, grid, residual, differences, moving, width)
        super().__init__("motion_resnet", frame, ends, width, depth, kernel)


class MotionUNet(ConjugatedUNet):
    r"""`UNet` that commutes with uniform motion of the values, $w \mapsto w + c$; [B, C_in, X, Y] -> [B, C_out, X, Y].

    * `channels_in`, `channels_out`, `layout`, `grid`, `residual`, `differences`, `moving`: as of `MotionResNet`.
    * `width`: hidden vectors of the finest level (two channels each), at least 2; level l has `width` $2^l$.
    * `kernels`: width of the kernels of each level in cells, odd, from fine to coarse.
    * `heads`: of the attention over the cells of the coarsest level; 0: no attention.

    Down: an even kernel with stride 2 plus an average-pooled skip; up: nearest-neighbour. No zeros are inserted anywhere, so that
    constants stay. The limits are those of `MotionResNet`.
    Raises `OrbitscopeError` unless X and Y are divisible by the total stride.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        grid: Grid | None = None,
        residual: bool = False,
        differences: bool = False,
        width: int = 6,
        kernels: tuple[int, ...] = (5, 3, 3),
        heads: int = 4,
        moving: str | None = None,
    ) -> None:
        frame, ends = _frame("motion_unet", channels_in, channels_out, layout, grid, residual, differences, moving, width)
        super().__init__("motion_unet", frame, ends, width, kernels, heads)


@dataclass(frozen=True)
class _MotionFrame(Frame):
    """The frame of the mean vector."""

    field: str
    channels: tuple[int, ...]  # of the field, in one frame of the layout
    frames: int
    invariants: int  # channels of one frame that do not shift
    residual: bool
    differences: bool
    boundary: Surrounds
    gain: ClassVar[float] = 1.0  # x + c + f(x) is off by c under any other

    def size(self, units: int) -> int:
        return 2 * units

    def conv(self, into: int, out: int, kernel: int, stride: int = 1, *, difference: bool = False) -> nn.Module:
        vectors, invariant = (0, 2 * out) if difference else (out, 0)
        return MotionConv(into, vectors, kernel, invariant_out=invariant, stride=stride, boundary=self.boundary)

    def lift(self, units: int, kernel: int) -> nn.Module:
        moved = 1 if self.differences else self.frames
        still = self.frames * (len(self.channels) + self.invariants) - moved * len(self.channels)
        return MotionConv(moved, units, kernel, invariant_in=still, boundary=self.boundary)

    def head(self, units: int, kernel: int) -> nn.Module:
        vectors, invariant = (0, 2 + self.invariants) if self.residual else (1, self.invariants)
        return MotionConv(units, vectors, kernel, invariant_out=invariant, boundary=self.boundary)

    def inside(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = x.unflatten(1, (-1, 2)).mean(1).repeat(1, x.shape[1] // 2, 1, 1)
        return x - mean, mean

    def outside(self, y: Tensor, frame: Tensor) -> Tensor:
        return y + frame

    def difference(self, y: Tensor, frame: Tensor) -> Tensor:
        return y

    def check(self, emulator: Emulator) -> None:
        if emulator.residual != self.residual:
            raise OrbitscopeError(
                f"Emulator: the backbone was built with residual={self.residual}, the emulator has residual={emulator.residual}. Only an "
                "increment stays where the state shifts: give `build` the same `residual`."
            )
        if emulator.differences != self.differences:
            raise OrbitscopeError(
                f"Emulator: the backbone was built with differences={self.differences}, the emulator has `difference_scale` "
                f"{'' if emulator.differences else '= None'}. Differences do not shift with the state: give `build` the same `differences`."
            )
        index = list(self.channels)
        scale, out = emulator.scale[index], emulator.output_scale[index]
        if not torch.equal(scale, scale[:1].expand_as(scale)) or (not self.residual and not torch.equal(scale, out)):
            raise OrbitscopeError(
                f"Emulator: `scale` {scale.tolist()} and `output_scale` {out.tolist()} of {self.field!r} must be one number, so that a "
                "shift stays one."
            )


def _frame(
    model: str,
    channels_in: int,
    channels_out: int,
    layout: Layout,
    grid: Grid | None,
    residual: bool,
    differences: bool,
    moving: str | None,
    width: int,
) -> tuple[Frame, Ends]:
    frames = frames_in(model, channels_in, channels_out, layout)
    if width < 2:
        raise OrbitscopeError(f"{model}: `width` must be at least 2 vectors, got {width}: one alone has no difference from the mean.")
    name = _moving(model, layout, moving)
    part = range(layout.channels)[layout.slice(name)]
    frame = _MotionFrame(name, tuple(part), frames, layout.channels - len(part), bool(residual), bool(differences), surrounds_of(grid))
    return frame, Ends(layout, [name], frames, 1 if differences else frames)


def _moving(model: str, layout: Layout, moving: str | None) -> str:
    vectors = [f.name for f in layout.fields_with("vector")]
    if moving is not None:
        if moving not in vectors:
            raise OrbitscopeError(f"{model}: `moving` = {moving!r} is no vector field of the layout. Its vectors: {vectors or 'none'}.")
        return moving
    if "velocity" in vectors:
        return "velocity"
    if len(vectors) != 1 or vectors[0] == "momentum":
        raise OrbitscopeError(
            f"{model}: no field of {layout} is known to shift with the motion. Momentum shifts by density times velocity: give velocities. "
            f"Else name the velocity: override `moving`, one of {vectors or 'no vector field'}."
        )
    return vectors[0]
