"""Linear layers on vectors of values that respect a finite group, or start so and may leave: for observations, actions, parameters."""

import math
from abc import abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..symmetry import Field, Group, Layout, Regular, Representation, Stack

Array = NDArray[np.float64]
Side = Layout | Representation | str


def hidden_layout(group: Group, width: int) -> Layout:
    """Regular fields of a finite group for about `width` channels: the nearest number of fields, at least one.

    * `group`: whose elements the channels of each field belong to. `width`: channels wanted.

    >>> from orbitscope.symmetry import dihedral
    >>> hidden_layout(dihedral(2), 64).channels
    64
    """
    return Layout((Field("hidden", Stack(Regular(group), max(1, round(width / len(group.elements))))),), _ndim(group))


class EquivariantLinear(nn.Module):
    r"""$y = W x + b$ with $\rho_{out}(g) W = W \rho_{in}(g)$ and $\rho_{out}(g) b = b$ for all g of a finite group, on vectors [..., n].

    * `group`: the group. `into`, `out`: layouts of the vectors, or one representation, or its word.
    * `bias`: whether there is b.

    Onto regular fields every such W is $W_{(i,g)} = w_i\, \rho_{in}(g)^{-1}$ with free rows w; from regular fields
    $W_{(j,g)} = \rho_{out}(g)\, v_j$ with free columns v; between others W is a sum over an orthonormal basis of the commuting matrices.
    Entries start with the variance of `torch.nn.Linear`. Raises `OrbitscopeError` for a sampled or infinite group and for affine fields,
    and where called with another number of channels.

    Source: Cohen and Welling, Group Equivariant Convolutional Networks, ICML 2016; Finzi, Welling and Wilson, ICML 2021.

    >>> from orbitscope.symmetry import dihedral
    >>> layer = EquivariantLinear(dihedral(2), "vector", "regular(d2)*4")
    >>> layer.weight.shape, layer.matrix().shape
    (torch.Size([1, 4, 2]), torch.Size([16, 2]))
    """

    banks = 1

    def __init__(self, group: Group, into: Side, out: Side, *, bias: bool = True) -> None:
        super().__init__()
        if not group.finite or group.sampled:
            raise OrbitscopeError(
                f"{type(self).__name__}: `group` {group.name} has no list of elements. Take a finite one, such as c16 for so2."
            )
        self.group, self.into, self.out = group, _layout(into, group, "into"), _layout(out, group, "out")
        self._fields = _regular_fields(self.into, group), _regular_fields(self.out, group)
        size, (m, n) = len(group.elements), self._fields
        shape: tuple[int, ...]
        if n:
            shape, constant = (n, self.into.channels), _inverse_table(group) if m else _matrices(self.into, group, inverse=True)
        elif m:
            shape, constant = (self.out.channels, m), _matrices(self.out, group)
        else:
            constant = _commuting(_matrices(self.into, group), _matrices(self.out, group))
            shape = (len(constant),)
        integral = constant.dtype == np.int64
        self.register_buffer("constant", torch.as_tensor(constant) if integral else torch.tensor(constant, dtype=torch.get_default_dtype()))
        self.constant: Tensor
        spread = 1 / math.sqrt(self.into.channels * self.banks)
        if not (m or n) and len(constant):
            spread *= math.sqrt(self.into.channels * self.out.channels / len(constant))
        self.weight = nn.Parameter(torch.empty(self.banks, *shape).uniform_(-spread, spread))
        fixed = np.zeros((0, self.out.channels)) if not bias else _repeated(n, size) if n else _fixed(_matrices(self.out, group))
        self.register_buffer("fixed", torch.tensor(fixed, dtype=torch.get_default_dtype()))
        self.fixed: Tensor
        self.bias = nn.Parameter(torch.empty(len(fixed)).uniform_(-spread, spread)) if len(fixed) else None

    def bank_tensor(self) -> Tensor:
        """The matrices of all banks, [banks, out.channels, into.channels], each equivariant."""
        m, n = self._fields
        banks, (rows, columns) = len(self.weight), (self.out.channels, self.into.channels)
        if m and n:
            w = self.weight.reshape(banks, n, m, -1)
            return w[..., self.constant].permute(0, 1, 3, 2, 4).reshape(banks, rows, columns)
        if n:
            return torch.einsum("lni,gij->lngj", self.weight, self.constant).reshape(banks, rows, columns)
        if m:
            return torch.einsum("gab,lbj->lajg", self.constant, self.weight).reshape(banks, rows, columns)
        return torch.einsum("lk,kab->lab", self.weight, self.constant)

    def matrix(self) -> Tensor:
        """W, [out.channels, into.channels]."""
        return self.bank_tensor()[0]

    def forward(self, x: Tensor) -> Tensor:
        """The vectors `x` [..., into.channels], mapped to [..., out.channels]."""
        if x.shape[-1] != self.into.channels:
            raise OrbitscopeError(f"{type(self).__name__}: expected [..., {self.into.channels}] ({self.into}), got shape {tuple(x.shape)}.")
        return nn.functional.linear(x, self.matrix(), None if self.bias is None else self.bias @ self.fixed)

    def extra_repr(self) -> str:
        """The sides, for printing."""
        return f"{self.group.name}: {self.into} -> {self.out}"


class LinearThatMayLeave(EquivariantLinear):
    """An equivariant layer with weights that say how far it has left: what `relaxation`, `relaxation_penalty` and `strict` look for.

    * `group`, `into`, `out`, `bias`: as of `EquivariantLinear`.
    """

    @abstractmethod
    def penalty(self) -> Tensor:
        """How far the weights are from equivariance, a number; 0 at the start."""

    @abstractmethod
    def tighten(self) -> None:
        """Go to the nearest equivariant layer, in place."""

    @torch.no_grad()
    def broken(self) -> dict[str, float]:
        r"""Element -> $\|\rho_{out}(g) W \rho_{in}(g)^{-1} - W\| / \|W\|$, 0 strict."""
        w = self.matrix().double()
        found = {}
        for g in self.group.elements[1:]:
            left, right = (torch.as_tensor(side.matrix(g)).to(w) for side in (self.out, self.into))
            found[g.name] = float((left @ w @ right.T - w).norm() / (w.norm() + torch.finfo(w.dtype).tiny))
        return found

    def shares_of_elements(self) -> dict[str, float]:
        """Element -> relative departure of its own weights from their mean over the group; empty where weights belong to no element."""
        return {}


class RelaxedLinear(LinearThatMayLeave):
    r"""$W_{\cdot(h)} = \sum_l w_l(h)\, W_{l, \cdot(h)}$: equivariant matrices $W_l$ and weights per element of the group.

    * `group`, `into`, `out`, `bias`: as of `EquivariantLinear`; `into` or `out` has regular fields alone.
    * `banks`: L, at least 1.

    The weights belong to the elements h of the input's regular fields, or of the output's where the input has none. Equal over the group
    they leave the layer exactly equivariant; all are 1 at the start, so that nothing but gradients breaks it. `shares` [banks, elements];
    `penalty`: mean $|w_l(g) - w_l(h)|$ over pairs, summed over banks. The bias stays equivariant. Raises `OrbitscopeError` where no side
    is regular, and as `EquivariantLinear` does.

    Source: Wang, Walters and Yu, ICML 2022.
    """

    def __init__(self, group: Group, into: Side, out: Side, *, banks: int = 2, bias: bool = True) -> None:
        if banks < 1:
            raise OrbitscopeError(f"RelaxedLinear: `banks` should be at least 1, got {banks}.")
        self.banks = banks
        super().__init__(group, into, out, bias=bias)
        if not any(self._fields):
            raise OrbitscopeError(
                f"RelaxedLinear: {self.into} -> {self.out} has no side of regular fields to weigh. Use RelaxedResidualLinear."
            )
        self.shares = nn.Parameter(torch.ones(banks, len(group.elements)))

    def matrix(self) -> Tensor:
        """W, [out.channels, into.channels]."""
        m, n = self._fields
        factors = self.shares.repeat(1, m or n)
        return (self.bank_tensor() * (factors[:, None, :] if m else factors[:, :, None])).sum(0)

    def penalty(self) -> Tensor:
        """Mean difference between the weights of two elements, summed over banks."""
        count = self.shares.shape[1]
        return (self.shares[:, :, None] - self.shares[:, None, :]).abs().sum() / max(count * (count - 1), 1)

    @torch.no_grad()
    def tighten(self) -> None:
        """Equal weights over the group."""
        self.shares.copy_(self.shares.mean(1, keepdim=True).expand_as(self.shares))

    @torch.no_grad()
    def shares_of_elements(self) -> dict[str, float]:
        """Departure of each element's weight from the mean, over the root mean square; weighed over banks by their size."""
        w = self.shares.double()
        mean = w.mean(1, keepdim=True)
        size = mean.square().sum() + torch.finfo(w.dtype).tiny
        return dict(zip([g.name for g in self.group], ((w - mean) * mean).sum(0).div(size).tolist(), strict=True))


class RelaxedResidualLinear(LinearThatMayLeave):
    r"""$y = (W + F) x + b$: an equivariant W and a free F beside it, 0 at the start.

    * `group`, `into`, `out`, `bias`: as of `EquivariantLinear`.

    `free` [out.channels, into.channels]; `penalty`: the sum of its squares. Source: Finzi, Benton and Wilson, Residual Pathway Priors,
    NeurIPS 2021.
    """

    def __init__(self, group: Group, into: Side, out: Side, *, bias: bool = True) -> None:
        super().__init__(group, into, out, bias=bias)
        self.free = nn.Parameter(torch.zeros(self.out.channels, self.into.channels))

    def matrix(self) -> Tensor:
        """W + F, [out.channels, into.channels]."""
        return self.bank_tensor()[0] + self.free

    def penalty(self) -> Tensor:
        """Sum of squares of the free matrix."""
        return self.free.square().sum()

    @torch.no_grad()
    def tighten(self) -> None:
        """Drop what of the free matrix breaks the symmetry: only W stays."""
        self.free.zero_()


def _ndim(group: Group) -> int:
    return getattr(group.identity, "ndim", 2)


def _layout(side: Side, group: Group, what: str) -> Layout:
    layout = side if isinstance(side, Layout) else Layout((Field(what, side),), _ndim(group))
    if any(layout.offset(g) is not None for g in group.elements):
        raise OrbitscopeError(
            f"EquivariantLinear: `{what}` ({layout}) has affine fields, which no matrix moves. Take differences of points."
        )
    return layout


def _regular_fields(layout: Layout, group: Group) -> int:
    """How many regular fields of the group there are; 0 where there is something else."""
    count = 0
    for f in layout.fields:
        rep = f.representation
        base, copies = (rep.base, rep.copies) if isinstance(rep, Stack) else (rep, 1)
        if base != Regular(group):
            return 0
        count += copies
    return count


def _matrices(layout: Layout, group: Group, inverse: bool = False) -> Array:
    return np.stack([layout.matrix(g.inverse() if inverse else g) for g in group.elements])


def _inverse_table(group: Group) -> NDArray[np.int64]:
    """Index of g^-1 h, [g, h]."""
    inverses = [group.index(g.inverse()) for g in group.elements]
    return np.ascontiguousarray(group.table[inverses])


def _repeated(fields: int, size: int) -> Array:
    return np.asarray(np.kron(np.eye(fields), np.ones((1, size))), dtype=np.float64)


def _fixed(matrices: Array) -> Array:
    """Orthonormal rows that span what every matrix leaves alone."""
    values, vectors = np.linalg.eigh(_symmetric(matrices.mean(0)))
    return vectors[:, values > 0.5].T


def _commuting(into: Array, out: Array) -> Array:
    """An orthonormal basis of the matrices that commute, [count, out, in]: what the mean over the group of their motion leaves alone."""
    mean = np.mean([np.kron(b, a) for a, b in zip(into, out, strict=True)], axis=0)  # of orthogonal matrices, acting on W row by row
    values, vectors = np.linalg.eigh(_symmetric(mean))
    return vectors[:, values > 0.5].T.reshape(-1, out.shape[1], into.shape[1])


def _symmetric(matrix: Array) -> Array:
    return (matrix + matrix.T) / 2
