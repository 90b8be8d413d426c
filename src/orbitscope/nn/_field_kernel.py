"""The kernel between fields of one group, which convolutions, spectral convolutions and patches share."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..symmetry import Group
from ._features import Features
from ._pair import Constant, pair_kernel


class FieldKernel(Constant):
    r"""The solutions of $K(g p) = \rho_{out}(g)\, K(p)\, \rho_{in}(g)^{-1}$ on `kernel` cells per axis, and a bias on invariant components.

    What p is (cells, wave vectors, cells of a patch) and what is done with K is up to subclasses, which call `fill` and
    `reset_parameters` once they are made.
    """

    anchor: Tensor

    def __init__(self, into: Features, out: Features, kernel: int, degree: int, bias: bool) -> None:
        super().__init__()
        self.into, self.out, self.kernel, self.degree = into, out, kernel, degree
        self.sorted = (_sorted(into), _sorted(out))
        self.rows = nn.ModuleList(
            nn.ModuleList(pair_kernel(o, i, len(outs), len(ins), kernel, degree) for i, ins in into.blocks) for o, outs in out.blocks
        )
        self.biases = nn.ParameterDict(
            {str(n): torch.zeros(len(outs), len(o.invariants)) for n, (o, outs) in enumerate(out.blocks) if bias and len(o.invariants)}
        )
        self.sizes = tuple((o.size, len(outs)) for o, outs in out.blocks)
        self.register_buffer("anchor", torch.zeros(()), persistent=False)

    @property
    def group(self) -> Group:
        """The elements that it commutes with."""
        return self.into.group

    @torch.no_grad()
    def reset_parameters(self, gain: float = 1.0) -> None:
        """Fresh weights, whose squares sum to `gain`^2 over all that one output channel reads; biases 0."""
        for row in self.rows:
            pairs: list[Any] = list(row)  # pyright: ignore[reportArgumentType]
            deviation = gain / math.sqrt(max(sum(p.ins * p.fan for p in pairs), 1e-30))
            for pair in pairs:
                if pair.weight is not None:
                    nn.init.normal_(pair.weight, std=deviation)
        for b in self.biases.values():
            nn.init.zeros_(b)

    def kernel_tensor(self) -> Tensor:
        """The kernel as a plain convolution takes it, [out.channels, into.channels, *kernel]."""
        made = torch.cat([torch.cat([pair() for pair in row], 1) for row in self.rows])  # pyright: ignore[reportGeneralTypeIssues]
        if not self.sorted[1]:
            made = made.index_select(0, self.get_buffer("out_order"))
        if not self.sorted[0]:
            made = made.index_select(1, self.get_buffer("into_order"))
        return made.unflatten(-1, (self.kernel,) * self.into.ndim)

    def bias_tensor(self) -> Tensor | None:
        """The bias of each channel [out.channels]: invariant components only."""
        if not len(self.biases):
            return None
        parts = []
        for n, (size, count) in enumerate(self.sizes):
            if str(n) in self.biases:
                parts.append((self.biases[str(n)].unsqueeze(-1) * self.get_buffer(f"invariants_{n}")).sum(-2).flatten())
            else:
                parts.append(self.anchor.new_zeros(count * size))
        made = torch.cat(parts)
        return made if self.sorted[1] else made.index_select(0, self.get_buffer("out_order"))

    def export(self) -> nn.Module:
        """A plain layer with the same answer, which knows no group."""
        raise NotImplementedError

    def constants(self) -> dict[str, NDArray]:
        orders = {f"{n}_order": np.array(f.order, dtype=np.int64) for n, f in (("into", self.into), ("out", self.out)) if not _sorted(f)}
        return {**orders, **{f"invariants_{n}": o.invariants for n, (o, _) in enumerate(self.out.blocks)}}

    def reference(self) -> Tensor:
        return self.anchor

    def extra_repr(self) -> str:
        return f"{self.into} -> {self.out}, kernel {self.kernel}"


def _sorted(features: Features) -> bool:
    return features.order == tuple(range(features.channels))
