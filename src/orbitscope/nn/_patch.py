"""From patches to cells, and attention between patches, commuting with a group."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..symmetry import is_lattice, same_elements
from ._conv import EquivariantConv
from ._features import Features, exchanged, restrict
from ._field_kernel import FieldKernel
from ._pair import Constant


class Unpatch(FieldKernel):
    r"""One token per patch -> the cells of the patch, [B, into.channels, *tokens] -> [B, out.channels, *(patch tokens)].

    $$y(p X + q) = K(q)\, x(X) + b, \quad K(g q) = \rho_{out}(g)\, K(q)\, \rho_{in}(g)^{-1}$$

    q runs over the cells of a patch, turned about its centre: the way back from an `EquivariantConv` with kernel and stride `patch`, and a
    transposed convolution. In two or three dimensions.

    * `into`, `out`: what the channels of tokens and of cells hold; one lattice group (c4, d4, o, oh or a subgroup).
    * `patch`: cells of a patch per axis.
    * `bias`: whether invariant components of `out` get one.

    Outputs of fresh weights have the variance of the inputs. Raises `OrbitscopeError` for other groups, fields of two groups, and a
    `patch` below 1.
    """

    def __init__(self, into: Features, out: Features, patch: int, *, bias: bool = True) -> None:
        _check_groups("Unpatch", into, out)
        if patch < 1:
            raise OrbitscopeError(f"Unpatch: `patch` must be at least 1, got {patch}.")
        super().__init__(into, out, patch, 0, bias)
        self.fill(self.anchor)
        self.reset_parameters(math.sqrt(patch**into.ndim))

    def forward(self, x: Tensor) -> Tensor:
        """The cells of the tokens `x` [B, into.channels, *tokens]."""
        self.into.check(x, "Unpatch")
        spread = F.conv_transpose2d if self.into.ndim == 2 else F.conv_transpose3d
        return spread(x, self.kernel_tensor().transpose(0, 1), self.bias_tensor(), self.kernel)

    @torch.no_grad()
    def export(self) -> nn.Module:
        """A plain `nn.ConvTranspose2d` or `nn.ConvTranspose3d` with the same answer."""
        kernel, bias = self.kernel_tensor().transpose(0, 1), self.bias_tensor()
        kind: Any = nn.ConvTranspose2d if self.into.ndim == 2 else nn.ConvTranspose3d
        made = kind(self.into.channels, self.out.channels, self.kernel, self.kernel, bias=bias is not None).to(kernel)
        made.weight.copy_(kernel)
        if bias is not None:
            made.bias.copy_(bias)
        return made


class FrameAttention(Constant):
    r"""Self-attention between the cells of a small grid, once in the frame of every element: [B, channels, *tokens] -> same.

    $$\alpha_g(X, Y) = \mathrm{softmax}_Y \big( q_g(X) \cdot k_g(Y) / \sqrt d + b(g^{-1}(Y - X)) \big), \quad
    o_g(X) = \sum_Y \alpha_g(X, Y)\, v_g(Y)$$

    Component g of a regular field is what the field looks like from frame g; h moves frame g to frame hg and cell X to hX, which leaves
    scores and displacements as they are. So a head may look ahead in its frame: were scores summed over frames, b could depend on
    lengths only. q, k, v and the answer are mixed over frames by `EquivariantConv` of one cell. b is free, one number per head and
    displacement, counted around the periodic axes (then it commutes with shifts by a cell too) and without end elsewhere.

    * `features`: regular fields of a lattice group (c4, d4, o, oh or a subgroup).
    * `heads`: must divide the number of fields; each is |G| heads, one per frame.
    * `tokens`: cells of the grid per axis.
    * `periodic`: per axis, whether displacements go around.

    Memory grows with heads |G| (number of cells)^2 per state. Raises `OrbitscopeError` for other fields or groups, `heads` that do not
    divide, a group that exchanges axes that differ, and another grid. Plain matrix products and softmax, so `torch.func` passes. Sources:
    Romero and Cordonnier, "Group equivariant stand-alone self-attention for vision", ICLR 2021.
    """

    anchor: Tensor
    turned: Tensor
    apart: Tensor

    def __init__(self, features: Features, heads: int, tokens: Sequence[int], periodic: Sequence[bool] | None = None) -> None:
        super().__init__()
        fields = len(features.fields)
        self.features, self.heads, self.tokens = features, heads, tuple(int(n) for n in tokens)
        self.periodic = (True,) * features.ndim if periodic is None else tuple(bool(p) for p in periodic)
        _check_groups("FrameAttention", features, features)
        if not all(f.regular for f in features.fields):
            raise OrbitscopeError(f"FrameAttention: `features` must be regular fields, one frame per component; got {features}.")
        if heads < 1 or fields % heads:
            raise OrbitscopeError(f"FrameAttention: `heads` must divide the {fields} fields, got {heads}.")
        if len(self.tokens) != features.ndim or len(self.periodic) != features.ndim or min(self.tokens) < 1:
            raise OrbitscopeError(
                f"FrameAttention: `tokens` and `periodic` need one entry for each of {features.ndim} axes, got {tokens}, {periodic}."
            )
        axes = [f"{n} {p}" for n, p in zip(self.tokens, self.periodic, strict=True)]
        if any(exchanged(g, axes) for g in features.group):
            kept = ", ".join(g.name for g in restrict(features.group, axes))
            raise OrbitscopeError(
                f"FrameAttention: {features.group.name} exchanges axes of the grid {self.tokens} that differ. Take the subgroup {kept}."
            )
        self.project_in = EquivariantConv(features, features + features + features, 1)
        self.project_out = EquivariantConv(features, features, 1)
        self.register_buffer("anchor", torch.zeros(()), persistent=False)
        self.fill(self.anchor)
        self.bias = nn.Parameter(0.02 * torch.randn(heads, math.prod(self._spans())))

    def forward(self, x: Tensor) -> Tensor:
        """The values that each cell of `x` [B, channels, *tokens] attends to, mixed."""
        self.features.check(x, "FrameAttention")
        if tuple(x.shape[2:]) != self.tokens:
            raise OrbitscopeError(f"FrameAttention: built for a grid of {self.tokens}, got {tuple(x.shape[2:])}.")
        frames = len(self.features.group)
        # [B, 3, heads, fields of a head, frame, cell] -> [3, B, heads, frame, cell, fields of a head]
        mixed = self.project_in(x).flatten(2).unflatten(1, (3, self.heads, -1, frames)).permute(1, 0, 2, 4, 5, 3)
        query, key, value = mixed.unbind(0)
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        answer = torch.softmax(scores + self.bias_tensor(), dim=-1) @ value
        return self.project_out(answer.permute(0, 1, 4, 2, 3).reshape(x.shape))

    def bias_tensor(self) -> Tensor:
        """b between all cells in every frame, [heads, frame, cell, cell]."""
        frames, cells = len(self.features.group), math.prod(self.tokens)
        seen = self.bias.index_select(1, self.turned).unflatten(1, (frames, -1))
        return seen.index_select(2, self.apart).unflatten(2, (cells, cells))

    def _spans(self) -> tuple[int, ...]:
        """How many displacements there are along each axis."""
        return tuple(n if p else 2 * n - 1 for n, p in zip(self.tokens, self.periodic, strict=True))

    def _numbered(self, displacement: NDArray[np.int64]) -> NDArray[np.int64]:
        """[count, axis] -> [count]."""
        counted = [
            displacement[:, a] % n if p else displacement[:, a] + n - 1
            for a, (n, p) in enumerate(zip(self.tokens, self.periodic, strict=True))
        ]
        return np.asarray(np.ravel_multi_index(tuple(counted), self._spans()), dtype=np.int64)

    def constants(self) -> dict[str, NDArray]:
        spans = [range(n) if p else range(1 - n, n) for n, p in zip(self.tokens, self.periodic, strict=True)]
        every = np.array(list(itertools.product(*spans)))
        # Row d of frame g is the number of g^-1 d.
        turned = [self._numbered(every @ np.rint(g.matrix).astype(np.int64)) for g in self.features.group.elements]
        cells = np.array(list(itertools.product(*(range(n) for n in self.tokens))))
        apart = self._numbered((cells[None, :] - cells[:, None]).reshape(-1, cells.shape[1]))
        return {"turned": np.concatenate(turned), "apart": apart}

    def reference(self) -> Tensor:
        return self.anchor

    def extra_repr(self) -> str:
        return f"{self.features}, {self.heads} heads, {self.tokens} cells"


def _check_groups(who: str, into: Features, out: Features) -> None:
    if not same_elements(into.group, out.group):
        raise OrbitscopeError(f"{who}: `into` {into} and `out` {out} belong to different groups.")
    if not is_lattice(into.group):
        raise OrbitscopeError(f"{who}: {into.group.name} turns cells of the grid between one another; take c4, d4, o, oh or a subgroup.")
