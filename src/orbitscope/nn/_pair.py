"""The kernel between fields of two types: its weights, and how they make it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..symmetry import Restriction, is_lattice
from ._gather import signed_gather, transposed
from ._orbit_kernel import orbit_basis
from ._shared_kernel import shared_kernel
from ._steerable_kernel import regular_functions, steerable_basis


class Constant(nn.Module):
    """A module whose buffers are known constants: not saved, and made anew from float64 after a change of precision or device.

    Rounded to float32 and back to float64 they would obey the symmetry to 1e-8 only.
    """

    def constants(self) -> dict[str, NDArray]:
        """Name -> value, in float64 or int64."""
        raise NotImplementedError

    def fill(self, like: Tensor) -> None:
        """Set the buffers in the precision and on the device of `like`."""
        for name, value in self.constants().items():
            dtype = like.dtype if value.dtype.kind == "f" else torch.int64
            self.register_buffer(name, torch.tensor(value, dtype=dtype, device=like.device), persistent=False)

    def reference(self) -> Tensor:
        """A tensor whose precision and device the buffers follow."""
        raise NotImplementedError

    def _apply(self, fn, recurse=True):  # pyright: ignore[reportIncompatibleMethodOverride]
        super()._apply(fn, recurse)
        self.fill(self.reference())
        return self


class PairKernel(Constant):
    """The kernel [outs * out.size, ins * into.size, k^d] from the weights [outs, ins, weights per pair]; subclasses say how.

    `fan`: expected sum of squares over one output channel and one input field, for weights of variance 1. `weight` is None where the two
    types admit no kernel at all.
    """

    anchor: Tensor

    def __init__(self, out: Restriction, into: Restriction, outs: int, ins: int, kernel: int, weights: int, fan: float) -> None:
        super().__init__()
        self.out, self.into, self.outs, self.ins, self.kernel, self.fan = out, into, outs, ins, kernel, fan
        self.weight = nn.Parameter(torch.zeros(outs, ins, weights)) if weights else None
        self.register_buffer("anchor", torch.zeros(()), persistent=False)
        self.fill(self.anchor)

    def forward(self) -> Tensor:
        """The kernel."""
        outs, ins = self.outs * self.out.size, self.ins * self.into.size
        if self.weight is None:
            return self.anchor.new_zeros(outs, ins, self.kernel**self.out.group.ndim)
        return self.made(self.weight).reshape(outs, ins, -1)

    def made(self, weight: Tensor) -> Tensor:
        """The kernel [outs, out.size, ins, into.size, cells]."""
        raise NotImplementedError

    def reference(self) -> Tensor:
        return self.anchor

    def extra_repr(self) -> str:
        count = 0 if self.weight is None else self.weight.shape[-1]
        return f"{self.into.word}*{self.ins} -> {self.out.word}*{self.outs}, {count} weights each"


class SharedPair(PairKernel):
    """Lattice groups: index and sign."""

    index: Tensor
    sign: Tensor
    back: Tensor
    back_sign: Tensor

    def __init__(self, out: Restriction, into: Restriction, outs: int, ins: int, kernel: int) -> None:
        shared = shared_kernel(out, into, kernel)
        super().__init__(out, into, outs, ins, kernel, shared.weights, float(np.abs(shared.sign).sum()) / out.size)

    def constants(self) -> dict[str, NDArray]:
        s = shared_kernel(self.out, self.into, self.kernel)
        return {"index": s.index[:, None], "sign": s.sign[:, None].astype(np.float64), "back": s.back, "back_sign": s.back_sign}

    def made(self, weight: Tensor) -> Tensor:
        entries = signed_gather(weight, self.index, self.sign, self.back, self.back_sign)
        return entries.unflatten(-1, (self.out.size, self.into.size, -1)).transpose(1, 2)


class BasisPair(PairKernel):
    """Other angles, small fields: weights times a sampled basis."""

    basis: Tensor

    def __init__(self, out: Restriction, into: Restriction, outs: int, ins: int, kernel: int, degree: int) -> None:
        self.degree = degree
        count = len(self._basis(out, into, kernel))
        super().__init__(out, into, outs, ins, kernel, count, float(count))

    def _basis(self, out: Restriction, into: Restriction, kernel: int) -> NDArray[np.float64]:
        return steerable_basis(out, into, kernel, self.degree)

    def constants(self) -> dict[str, NDArray]:
        basis = self._basis(self.out, self.into, self.kernel)
        return {"basis": basis.reshape(len(basis), self.out.size * self.into.size * self.kernel**self.out.group.ndim)}

    def made(self, weight: Tensor) -> Tensor:
        entries = exact_matmul(weight, self.basis)
        return entries.unflatten(-1, (self.out.size, self.into.size, -1)).transpose(1, 2)


class OrbitPair(BasisPair):
    """Lattice groups, fields that mix in other ways than by exchange and sign: weights times an exact basis."""

    def _basis(self, out: Restriction, into: Restriction, kernel: int) -> NDArray[np.float64]:
        return orbit_basis(out, into, kernel)


class RegularPair(PairKernel):
    r"""Other angles, to regular fields: a free kernel at the identity, carried to every element.

    $K[g, i](x) = \sum_{jp} \rho_{in}(g)_{ij}\, w_{jp}\, f_p(g^{-1} x)$: |G| products of [fields, functions] with [functions, cells] in
    place of one with a basis |G| times as large.
    """

    functions: Tensor
    mix: Tensor
    source: Tensor
    ones: Tensor
    readers: Tensor
    readers_sign: Tensor

    def __init__(self, out: Restriction, into: Restriction, outs: int, ins: int, kernel: int, degree: int) -> None:
        self.degree = degree
        count = into.size * regular_functions(out, kernel, degree).shape[1]
        super().__init__(out, into, outs, ins, kernel, count, float(count))

    def constants(self) -> dict[str, NDArray]:
        mix = np.stack([self.into.matrix(g) for g in self.out.group.elements])
        constants: dict[str, NDArray] = {"functions": regular_functions(self.out, self.kernel, self.degree)}
        if not self.into.regular:
            return {**constants, "mix": mix}
        source = mix.argmax(2).astype(np.int64).ravel()
        readers, sign = transposed(source, np.ones(len(source)), self.into.size)
        return {**constants, "source": source[:, None], "ones": np.ones((len(source), 1)), "readers": readers, "readers_sign": sign}

    def made(self, weight: Tensor) -> Tensor:
        weight = weight.unflatten(-1, (self.into.size, -1))
        count, size = self.out.size, self.into.size
        if self.into.regular:
            shape = weight.shape
            # [outs, ins, p, j] -> [outs, ins, p, (g, i)]: every free kernel is read once per element.
            carried = signed_gather(weight.transpose(2, 3), self.source, self.ones, self.readers, self.readers_sign)
            carried = carried.unflatten(-1, (count, size)).permute(3, 0, 1, 4, 2).reshape(count, -1, shape[-1])
        else:
            carried = exact_einsum("gij,abjp->gabip", self.mix, weight).reshape(count, -1, weight.shape[-1])
        return exact_matmul(carried, self.functions).unflatten(1, (self.outs, self.ins, size)).transpose(0, 1)


def exact_matmul(a: Tensor, b: Tensor) -> Tensor:
    """a @ b in the precision of the weights, also under autocast: a basis rounded to bfloat16 would not turn exactly."""
    with torch.autocast(a.device.type, enabled=False):
        return a @ b.to(a.dtype)


def exact_einsum(words: str, a: Tensor, b: Tensor) -> Tensor:
    """`exact_matmul` for an einsum."""
    with torch.autocast(a.device.type, enabled=False):
        return torch.einsum(words, a.to(b.dtype), b)


def pair_kernel(out: Restriction, into: Restriction, outs: int, ins: int, kernel: int, degree: int) -> PairKernel:
    """The right one of the four."""
    if is_lattice(out.group):
        return SharedPair(out, into, outs, ins, kernel) if out.signed and into.signed else OrbitPair(out, into, outs, ins, kernel, degree)
    return (RegularPair if out.regular else BasisPair)(out, into, outs, ins, kernel, degree)
