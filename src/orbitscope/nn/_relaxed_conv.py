"""Relaxed convolutions: by element, by cell of the kernel, by place, and by a free kernel beside the strict one."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ._conv import EquivariantConv
from ._features import Features
from ._relaxed import RelaxedConv, _gap
from ._surround import check_counts, convolve


class _Banked(RelaxedConv):
    """Several equivariant kernels, this layer's own and those of `more`, mixed by `shares` [banks, ...]."""

    shares: nn.Parameter

    def __init__(self, into: Features, out: Features, kernel: int, banks: int, gain: float, bias: bool, **options: Any) -> None:
        check_counts(type(self).__name__, banks=banks)
        gain = gain / math.sqrt(banks)
        super().__init__(into, out, kernel, gain=gain, bias=bias, **options)
        self.more = nn.ModuleList(EquivariantConv(into, out, kernel, gain=gain, bias=False, **options) for _ in range(banks - 1))

    @property
    def banks(self) -> int:
        """Number of kernels."""
        return 1 + len(self.more)

    def bank_tensor(self) -> Tensor:
        """The equivariant kernels, [banks, out.channels, into.channels, *kernel]."""
        others = [bank.kernel_tensor() for bank in self.more]  # pyright: ignore[reportCallIssue]
        return torch.stack([EquivariantConv.kernel_tensor(self), *others])


class RelaxedGroupConv(_Banked):
    r"""Group convolution with a weight per element: $(\psi * f)(g) = \sum_h \sum_l w_l(h)\, \psi_l(g^{-1} h)\, f(h)$.

    * `into`, `out`, `kernel`, `boundary`, `bias`, `stride`, `degree`, `gain`: as of `EquivariantConv`.
    * `banks`: L, the number of equivariant kernels $\psi_l$.

    With equal $w_l$ over the group the layer is exactly equivariant; all $w_l$ are 1 at the start. The weights sit on the element h of
    the regular input fields; in a layer that lifts (no regular input) on the element g of the output. Other fields take
    no part. `shares` [banks, |G|] are the $w_l$. `penalty`: $\sum_l \mathrm{mean}_{g \ne h} |w_l(g) - w_l(h)|$.

    Raises `OrbitscopeError` where neither side has a regular field. Source: Wang, Walters and Yu, ICML 2022 (there the code has
    the weights on g throughout).
    """

    place: Tensor

    def __init__(
        self,
        into: Features,
        out: Features,
        kernel: int,
        *,
        banks: int = 2,
        boundary: str | Sequence[str] = "circular",
        bias: bool = True,
        stride: int = 1,
        degree: int | None = None,
        gain: float = 1.0,
    ) -> None:
        if not (_has_regular(into) or _has_regular(out)):
            raise OrbitscopeError(f"RelaxedGroupConv: {into} -> {out} has no regular field to weigh. Use RelaxedSteerableConv.")
        super().__init__(into, out, kernel, banks, gain, bias, boundary=boundary, stride=stride, degree=degree)
        self.shares = nn.Parameter(torch.ones(banks, len(into.group)))

    def kernel_tensor(self) -> Tensor:
        """The kernel as a plain convolution takes it, [out.channels, into.channels, *kernel]."""
        factors = torch.cat([self.shares, torch.ones_like(self.shares[:, :1])], dim=1).index_select(1, self.place)
        rest = [1] * self.into.ndim
        shape = (self.banks, 1, -1, *rest) if _has_regular(self.into) else (self.banks, -1, 1, *rest)
        return (self.bank_tensor() * factors.reshape(shape)).sum(0)

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

    def constants(self) -> dict[str, NDArray]:
        weighed, count = (self.into if _has_regular(self.into) else self.out), len(self.into.group)
        place = [np.arange(count) if f.regular else np.full(f.size, count) for f in weighed.fields]
        return {**super().constants(), "place": np.concatenate(place).astype(np.int64)}


class RelaxedSteerableConv(_Banked):
    r"""Convolution with a weight per cell of the kernel: $\sum_y \sum_l w_l(y)\, K_l(y)\, f(x + y)$, $K_l$ equivariant, any fields.

    * `into`, `out`, `kernel`, `boundary`, `bias`, `stride`, `degree`, `gain`: as of `EquivariantConv`.
    * `banks`: L, the number of equivariant kernels $K_l$. `kernel` is at least 2 cells wide.

    With equal $w_l$ over the cells the layer is exactly equivariant; all $w_l$ are 1 at the start. `shares` [banks, *kernel]; `penalty`:
    mean $|w_l(y) - w_l(y')|$ over neighbouring cells, summed over banks. A radial w costs a penalty although it breaks nothing, as
    published.

    Raises `OrbitscopeError` for a kernel of one cell. Source: Wang, Walters and Yu, ICML 2022 (there initialised at random, and so
    not equivariant at the start).
    """

    def __init__(
        self,
        into: Features,
        out: Features,
        kernel: int,
        *,
        banks: int = 2,
        boundary: str | Sequence[str] = "circular",
        bias: bool = True,
        stride: int = 1,
        degree: int | None = None,
        gain: float = 1.0,
    ) -> None:
        if kernel < 2:
            raise OrbitscopeError(f"RelaxedSteerableConv: a `kernel` of {kernel} cell has nothing to relax. Use RelaxedResidualConv.")
        super().__init__(into, out, kernel, banks, gain, bias, boundary=boundary, stride=stride, degree=degree)
        self.shares = nn.Parameter(torch.ones(banks, *[kernel] * into.ndim))

    def kernel_tensor(self) -> Tensor:
        """The kernel as a plain convolution takes it, [out.channels, into.channels, *kernel]."""
        return (self.bank_tensor() * self.shares[:, None, None]).sum(0)

    def penalty(self) -> Tensor:
        """Mean difference between neighbouring cells, summed over banks and axes."""
        return _roughness(self.shares, wrapped=[False] * self.into.ndim)

    @torch.no_grad()
    def tighten(self) -> None:
        """Equal weights over the cells."""
        self.shares.copy_(self.shares.flatten(1).mean(1).reshape(-1, *[1] * self.into.ndim).expand_as(self.shares))


class RelaxedTranslationConv(_Banked):
    r"""Convolution with a weight per place: $\sum_l w_l(x)\, (K_l * f)(x)$, $K_l$ equivariant; tied to one output grid of `shape`.

    * `into`, `out`, `kernel`, `boundary`, `bias`, `stride`, `degree`, `gain`: as of `EquivariantConv`.
    * `shape`: points of the output grid, one number per axis.
    * `banks`: L, the number of equivariant kernels $K_l$.

    With equal $w_l$ over space the layer is exactly equivariant; all $w_l$ are 1 at the start. Shifts are relaxed, and turns about the
    centre with them. `shares` [banks, *shape]; `penalty`: mean $|w_l(x) - w_l(x')|$ over neighbouring cells (around the corner where the
    boundary is circular), summed over banks and axes. `broken` has the elements tx, ty, tz (one cell along the axis) too.
    Raises `OrbitscopeError` for a `shape` of another dimension, and when called on another grid. Source: Wang, Walters and Yu, ICML 2022.
    """

    def __init__(
        self,
        into: Features,
        out: Features,
        kernel: int,
        *,
        shape: Sequence[int],
        banks: int = 2,
        boundary: str | Sequence[str] = "circular",
        bias: bool = True,
        stride: int = 1,
        degree: int | None = None,
        gain: float = 1.0,
    ) -> None:
        super().__init__(into, out, kernel, banks, gain, bias, boundary=boundary, stride=stride, degree=degree)
        if len(shape) != into.ndim:
            raise OrbitscopeError(f"RelaxedTranslationConv: `shape` needs {into.ndim} numbers, got {tuple(shape)}.")
        self.shares = nn.Parameter(torch.ones(banks, *shape))

    def kernel_tensor(self) -> Tensor:
        """The kernel of the mean weights (the layer itself has none that is the same everywhere)."""
        weights = self.shares.flatten(1).mean(1)
        return (self.bank_tensor() * weights.reshape(-1, *[1] * (self.into.ndim + 2))).sum(0)

    def forward(self, x: Tensor) -> Tensor:
        """The fields of `x` [B, into.channels, *grid], convolved."""
        self.into.check(x, type(self).__name__)
        parts = convolve(self.pad(x), self.bank_tensor().flatten(0, 1), None, self.stride)
        if parts.shape[2:] != self.shares.shape[1:]:
            raise OrbitscopeError(
                f"RelaxedTranslationConv: made for outputs on {tuple(self.shares.shape[1:])}, got {tuple(parts.shape[2:])}."
            )
        mixed = (parts.unflatten(1, (self.banks, -1)) * self.shares[:, None]).sum(1)
        bias = self.bias_tensor()
        return mixed if bias is None else mixed + bias.reshape(-1, *[1] * self.into.ndim)

    def penalty(self) -> Tensor:
        """Mean difference between neighbouring places, summed over banks and axes."""
        return _roughness(self.shares, wrapped=[b == "circular" for b in self.pad.boundary])

    @torch.no_grad()
    def tighten(self) -> None:
        """Equal weights everywhere."""
        self.shares.copy_(self.shares.flatten(1).mean(1).reshape(-1, *[1] * self.into.ndim).expand_as(self.shares))

    @torch.no_grad()
    def broken(self) -> dict[str, float]:
        """Element -> relative change of the weights under it."""
        w = self.shares
        found = {f"t{'xyz'[axis]}": _gap(w.roll(1, 1 + axis), w) for axis in range(self.into.ndim)}
        for g in self.group:
            source = [next(j for j, v in enumerate(row) if v != 0) for row in g.linear] if g.is_lattice else []
            if source and g != self.group.identity and [w.shape[1 + j] for j in source] == list(w.shape[1:]):
                moved = w.permute(0, *(1 + j for j in source))
                found[g.name] = _gap(moved.flip([1 + i for i, j in enumerate(source) if g.linear[i][j] == -1]), w)
        return found

    def export(self) -> nn.Module:
        """Refused: the layer is no plain convolution."""
        raise OrbitscopeError(
            "RelaxedTranslationConv: weights that depend on the place fold into no plain convolution. Use nn.strict first."
        )


class RelaxedResidualConv(RelaxedConv):
    r"""Residual pathway: the strict kernel plus a free one that starts at 0, $f(x) = (K + F) * x + b + c$.

    * `into`, `out`, `kernel`, `boundary`, `bias`, `stride`, `degree`, `gain`: as of `EquivariantConv`.

    `free` [out.channels, into.channels, *kernel] and `free_bias` [out.channels] are F and c; `penalty` is their sum of squares, the
    Gaussian prior of the source, which says how much a departure costs. One convolution of the sum, so the free path costs no time.
    Source: Finzi, Benton and Wilson, "Residual pathway priors", NeurIPS 2021.
    """

    # Entries that a mirror negates in place have a gradient of rounding alone where the data keep it: see `training.BlockAdamW`.
    shared_moment: ClassVar[dict[str, int]] = {"free": 0, "free_bias": 0}

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
        super().__init__(into, out, kernel, boundary=boundary, bias=bias, stride=stride, degree=degree, gain=gain)
        self.free = nn.Parameter(torch.zeros(out.channels, into.channels, *[kernel] * into.ndim))
        self.free_bias = nn.Parameter(torch.zeros(out.channels)) if bias else None

    def kernel_tensor(self) -> Tensor:
        """The kernel as a plain convolution takes it, [out.channels, into.channels, *kernel]."""
        return super().kernel_tensor() + self.free

    def bias_tensor(self) -> Tensor | None:
        """The bias of each channel, [out.channels]."""
        strict = super().bias_tensor()
        return strict if self.free_bias is None else self.free_bias if strict is None else strict + self.free_bias

    def penalty(self) -> Tensor:
        """Sum of squares of the free weights."""
        bias = 0.0 if self.free_bias is None else self.free_bias.square().sum()
        return self.free.square().sum() + bias

    @torch.no_grad()
    def tighten(self) -> None:
        """No free path."""
        self.free.zero_()
        if self.free_bias is not None:
            self.free_bias.zero_()


def _has_regular(features: Features) -> bool:
    return any(f.regular for f in features.fields)


def _roughness(shares: Tensor, wrapped: Sequence[bool]) -> Tensor:
    total = shares.new_zeros(())
    for axis, around in enumerate(wrapped):
        steps = shares - shares.roll(1, 1 + axis) if around else shares.diff(dim=1 + axis)
        total = total + steps.abs().flatten(1).mean(1).sum()
    return total
