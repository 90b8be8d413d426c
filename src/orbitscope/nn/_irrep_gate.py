"""Nonlinearity for features that are irreps of O(3)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._irreps import Block, Irreps


class IrrepGate(nn.Module):
    r"""Scalars through SiLU, everything else times the sigmoid of a scalar of its own: $v \mapsto \sigma(s) v$.

    * `out`: irreps of the result, words or `Irreps`.

    `into` is `out` with one more 0e for each copy that is no 0e, in front. Exactly equivariant: scalars do not move. Called with features
    [..., into.dim].
    """

    def __init__(self, out: str | Irreps) -> None:
        super().__init__()
        self.out = Irreps.of(out)
        self.gates = sum(b.count for b in self.out.blocks if b.name != "0e")
        self.into = Irreps((*([Block(self.gates, 0, False)] if self.gates else []), *self.out.blocks))

    def forward(self, x: Tensor) -> Tensor:
        """The gated features of `x` [..., into.dim], [..., out.dim]."""
        gates, x = torch.sigmoid(x[..., : self.gates]), x[..., self.gates :]
        found, used = [], 0
        for block, where in self.out:
            if block.name == "0e":
                found.append(F.silu(x[..., where]))
                continue
            gate = gates[..., used : used + block.count, None]
            found.append((x[..., where].unflatten(-1, (block.count, block.size)) * gate).flatten(-2))
            used += block.count
        return torch.cat(found, -1)
