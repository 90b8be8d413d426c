"""Kernels of lattice groups between fields whose components mix, not only change place and sign. Exact, in any dimension."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..symmetry import Restriction
from ._shared_kernel import moved_cells

Array = NDArray[np.float64]


@lru_cache(maxsize=256)
def orbit_basis(out: Restriction, into: Restriction, kernel: int) -> Array:
    r"""A basis of the kernels with $K(g p) = \rho_{out}(g)\, K(p)\, \rho_{in}(g)^{-1}$, [count, out, in, cells].

    One orbit of cells at a time: at its first cell p the kernel is what the elements that keep p leave alone, the range of their mean; the
    other cells of the orbit follow. Each kernel has mean squared norm 1 per output component.
    """
    elements = out.group.elements
    targets = np.stack([moved_cells(g, kernel) for g in elements])
    moves = [np.kron(out.matrix(g), np.linalg.inv(into.matrix(g)).T) for g in elements]
    found = [np.zeros((0, out.size * into.size, targets.shape[1]))]
    for cell in np.flatnonzero(targets.min(0) == np.arange(targets.shape[1])):
        fixed = np.mean([m for m, to in zip(moves, targets[:, cell], strict=True) if to == cell], axis=0)
        left, singular, _ = np.linalg.svd(fixed)
        free = left[:, singular > 0.5]
        made = np.zeros((free.shape[1], out.size * into.size, targets.shape[1]))
        for m, to in zip(moves, targets[:, cell], strict=True):
            made[:, :, to] = (m @ free).T  # elements that agree on p agree here: they differ by one that keeps p
        found.append(made)
    basis = np.concatenate(found).reshape(-1, out.size, into.size, targets.shape[1])
    norm = np.sqrt(np.square(basis).sum((2, 3)).mean(1))
    return basis / norm[:, None, None, None]
