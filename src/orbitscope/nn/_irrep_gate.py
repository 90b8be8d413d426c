"""Nonlinearity for features that are irreps of O(3), and the relaxed weights of a network."""

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ._irreps import Block, Irreps, breaking_irreps


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


class RelaxedWeights(nn.Module):
    r"""The relaxed weights $\theta$ of a network: a direct sum of irreps of O(3), 0 at the start; $\theta^{0e} = 1$ is understood.

    * `irreps`: words or `Irreps` without 0e; None: all up to degree 4.
    * `cases`: number of such vectors: one for all examples, or one for each of several shapes or amplitudes that share all other weights.

    `theta` [cases, irreps.dim]. An optimiser that treats its components one by one, as Adam does, turns rounding errors into steps of full
    size and so breaks symmetries that the data keep; `shared_moment` tells `training.BlockAdamW` to give each vector one second moment.
    """

    shared_moment: ClassVar[dict[str, int]] = {"theta": 1}

    def __init__(self, irreps: str | Irreps | None = None, cases: int = 1) -> None:
        super().__init__()
        self.irreps = breaking_irreps() if irreps is None else Irreps.of(irreps)
        if self.irreps.count("0e") or cases < 1:
            raise OrbitscopeError(f"RelaxedWeights: `irreps` without 0e and `cases` from 1 up, got {self.irreps} and {cases}.")
        self.theta = nn.Parameter(torch.zeros(cases, self.irreps.dim))

    @property
    def cases(self) -> int:
        """Number of vectors."""
        return len(self.theta)

    def forward(self, case: Tensor | None = None) -> Tensor:
        """The weights of each example by the number of its `case` [N], [N, dim]; without numbers those of the first, [1, dim]."""
        return self.theta[:1] if case is None else self.theta[case]

    def by_irrep(self, case: int = 0) -> dict[str, Tensor]:
        """Irrep -> its components, of one `case`; copies of an irrep are joined end to end."""
        found: dict[str, Tensor] = {}
        for block, where in self.irreps:
            part = self.theta.detach()[case, where]
            found[block.name] = torch.cat([found[block.name], part]) if block.name in found else part
        return found

    @torch.no_grad()
    def set(self, tensors: Mapping[str, Tensor], case: int = 0) -> None:
        """Set the components of some irreps, the rest to 0.

        * `tensors`: irrep -> components. `case`: of which vector.
        """
        self.theta[case] = 0.0
        for block, where in self.irreps:
            if block.name in tensors:
                self.theta[case, where] = tensors[block.name].to(self.theta)

    def penalty(self) -> Tensor:
        r"""$|\theta|^2$ over all cases: isotropic, so that it prefers no direction."""
        return self.theta.square().sum()

    @torch.no_grad()
    def tighten(self) -> None:
        """No relaxed weights."""
        self.theta.zero_()
