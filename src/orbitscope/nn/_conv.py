"""The convolution that commutes with a group."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..symmetry import is_lattice, same_elements
from ._features import Features, exchanged, restrict
from ._field_kernel import FieldKernel
from ._pad import Pad
from ._steerable_kernel import default_degree


class EquivariantConv(FieldKernel):
    r"""Convolution between fields of one group, [B, into.channels, *space] -> [B, out.channels, *space], in two or three dimensions.

    $$f(g\,x) = g\,f(x) \iff K(g p) = \rho_{out}(g)\, K(p)\, \rho_{in}(g)^{-1}$$

    * `into`, `out`: the fields of the channels that come in and go out, of the same group.
    * `kernel`: its width in cells; odd with an odd `stride`, even with an even one (centred on the coarse cell): an odd kernel with
      stride 2 on an even grid has no centre and would break every rotation. As wide as the stride: patches.
    * `boundary`: what lies beyond the edge, see `Pad`; one word, or one per axis.
    * `bias`: whether invariant components of the output have one; others cannot.
    * `stride`: 1, or 2 for half the resolution, or the width of a patch.
    * `degree`: highest polynomial degree of the circular harmonics; None: what the cells resolve. Lattice groups have none.
    * `gain`: outputs start with the variance of the inputs times `gain`^2, for inputs that are independent from cell to cell.

    Lifting, group and projecting convolutions are this one with other `Features`: a state to regular fields, regular to regular, regular to
    a state. Lattice groups (C4, D4, their subgroups, O, O_h) share kernel entries by an index and are exact to rounding. Other angles
    (C_8, D_8, SO(2), O(2); the plane only) use circular harmonics and are exact for quarter turns and, in D_n and O(2), flips; for other
    angles as far as the grid resolves. `kernel_tensor()` is the plain kernel, `export()` the plain convolution.

    Raises `OrbitscopeError` for fields of different groups, a kernel that does not fit the stride, other groups in space than those of the
    cube, and a group that exchanges axes with different boundaries (the message names the subgroup to take).
    Regular fields and orders: Cohen and Welling, arXiv 1602.07576; the kernel constraint: Weiler and Cesa, arXiv 1911.08251.
    """

    def __init__(
        self,
        into: Features,
        out: Features,
        kernel: int,
        *,
        boundary: str | Sequence[str] = "circular",
        bias: bool = True,
        stride: int = 1,
        degree: int | None = None,
        gain: float = 1.0,
    ) -> None:
        _check(into, out, kernel, stride, boundary)
        super().__init__(into, out, kernel, default_degree(kernel) if degree is None else degree, bias)
        self.stride = stride
        self.pad = Pad(into, (kernel - stride) // 2, boundary)
        self.fill(self.anchor)
        self.reset_parameters(gain)

    def forward(self, x: Tensor) -> Tensor:
        """The fields of `x` [B, into.channels, *grid], convolved."""
        self.into.check(x, "EquivariantConv")
        if self.stride > 1 and any(n % self.stride for n in x.shape[2:]):
            raise OrbitscopeError(f"EquivariantConv: stride {self.stride} needs a grid it divides, got {tuple(x.shape[2:])}.")
        convolve = F.conv2d if self.into.ndim == 2 else F.conv3d
        if set(self.pad.boundary) == {"zero"}:  # the convolution's own zeros save a copy
            return convolve(x, self.kernel_tensor(), self.bias_tensor(), self.stride, self.pad.width)
        return convolve(self.pad(x), self.kernel_tensor(), self.bias_tensor(), self.stride)

    @torch.no_grad()
    def export(self) -> nn.Module:
        """A plain `nn.Conv2d` or `nn.Conv3d` with the same answer, behind a `Pad` where torch has no such padding."""
        kernel, bias = self.kernel_tensor(), self.bias_tensor()
        kind: Any = nn.Conv2d if self.into.ndim == 2 else nn.Conv3d
        native = {"circular": "circular", "zero": "zeros", "replicate": "replicate"}
        boundary = self.pad.boundary[0]
        plain = len(set(self.pad.boundary)) == 1 and boundary in native
        made = kind(
            self.into.channels, self.out.channels, self.kernel, self.stride, bias=bias is not None,
            padding=self.pad.width if plain else 0, padding_mode=native.get(boundary, "zeros") if plain else "zeros",
        )  # fmt: skip
        made = made.to(kernel)
        made.weight.copy_(kernel)
        if bias is not None and made.bias is not None:
            made.bias.copy_(bias)
        return made if plain or not self.pad.width else nn.Sequential(self.pad, made)


def _check(into: Features, out: Features, kernel: int, stride: int, boundary: str | Sequence[str]) -> None:
    if not same_elements(into.group, out.group):
        raise OrbitscopeError(f"EquivariantConv: `into` {into} and `out` {out} belong to different groups.")
    if stride < 1 or kernel < stride or (kernel - stride) % 2:
        raise OrbitscopeError(
            f"EquivariantConv: `kernel` {kernel} with `stride` {stride} has no centre that rotations keep. "
            "Use an odd kernel with stride 1, or an even one with stride 2 (wider strides: a kernel as wide or by 2, 4, ... wider); "
            "or stride 1 and `Pool`."
        )
    if into.ndim == 3 and not is_lattice(into.group):
        raise OrbitscopeError(f"EquivariantConv: three-dimensional groups are O, O_h and their subgroups; got {into.group.name}.")
    bad = [g.name for g in into.group if exchanged(g, boundary)]
    if bad:
        kept = restrict(into.group, boundary)
        raise OrbitscopeError(
            f"EquivariantConv: {', '.join(bad[:4])} of {into.group.name} exchange axes with different `boundary` {tuple(boundary)}. "
            f"Such a domain has the subgroup {', '.join(g.name for g in kept)} only: give the features the group "
            f"restrict({into.group.name.lower()!r}, {tuple(boundary)})."
        )
