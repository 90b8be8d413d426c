"""Kernels of lattice groups: entries that an element carries into one another share one weight. Exact, in any dimension."""

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError
from ..symmetry import Isometry, Restriction
from ._gather import transposed

Index = NDArray[np.int64]
Signs = NDArray[np.float64]


@dataclass(frozen=True)
class SharedKernel:
    r"""Solutions of $K(g p) = \rho_{out}(g) K(p) \rho_{in}(g)^{-1}$ on the cells p of a kernel, for signed permutations $\rho$.

    Entry e of [out, in, *kernel], flattened, is `sign[e]` times weight number `index[e]`; sign 0 where the constraint makes it vanish.
    `back`, `back_sign` [weights, members]: the entries of each weight.
    """

    index: Index
    sign: Signs
    back: Index
    back_sign: Signs

    @property
    def weights(self) -> int:
        """Number of free weights per pair of fields."""
        return len(self.back)


@lru_cache(maxsize=256)
def shared_kernel(out: Restriction, into: Restriction, kernel: int) -> SharedKernel:
    """The sharing for one pair of field types and a kernel of `kernel` cells per axis, odd or even, turned about its centre."""
    shape = (out.size, into.size, kernel**out.group.ndim)
    entries = np.arange(np.prod(shape))
    o, i, p = np.unravel_index(entries, shape)
    targets, signs = [], []
    for g in out.group.elements:
        (to_o, sign_o), (to_i, sign_i), to_p = signed(out, g), signed(into, g), moved_cells(g, kernel)
        targets.append(np.ravel_multi_index((to_o[o], to_i[i], to_p[p]), shape))
        signs.append(sign_o[o] * sign_i[i])
    target, sign = np.stack(targets), np.stack(signs)
    first = target.min(0)
    # An entry that comes back to itself, or reaches the first of its orbit, with both signs is its own opposite: 0.
    relation = np.sign(np.where(target == first, sign, 0.0).sum(0))
    alive = np.unique(first[relation != 0])
    index = np.where(relation != 0, np.searchsorted(alive, first), 0)
    index = np.minimum(index, max(len(alive) - 1, 0)).astype(np.int64)
    return SharedKernel(index, relation, *transposed(index, relation, len(alive)))


def signed(field: Restriction, element: Isometry) -> tuple[Index, Signs]:
    """Where each component goes and with which sign; raises unless the element only exchanges and negates components."""
    matrix = field.matrix(element)
    to = np.abs(matrix).argmax(0)
    sign = matrix[to, np.arange(len(to))]
    if not (np.allclose(np.abs(sign), 1, atol=1e-12) and np.allclose(np.abs(matrix).sum(0), 1, atol=1e-12)):
        raise OrbitscopeError(f"nn: {element!r} mixes the components of {field.word!r} in other ways than exchanging and negating them.")
    return to.astype(np.int64), np.sign(sign)


def moved_cells(element: Isometry, kernel: int) -> Index:
    """The number of the cell that each cell of a kernel goes to, turned about the kernel's centre."""
    # Twice the offset from the centre is whole for odd and even kernels.
    cells = np.array(list(itertools.product(range(kernel), repeat=element.ndim)))
    moved = (np.rint(element.matrix).astype(np.int64) @ (2 * cells - (kernel - 1)).T + (kernel - 1)) // 2
    return np.asarray(np.ravel_multi_index(tuple(moved), (kernel,) * element.ndim), dtype=np.int64)
