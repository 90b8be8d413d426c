"""A group of finitely many matrices from elements that are known roughly."""

from typing import Any

import numpy as np

from .._errors import OrbitscopeError
from ..symmetry import FiniteGroup
from ._problem import Array

_ROUNDS = 12
_CLOSE = 1e-12


def finite_group(name: str, elements: Array, kind: type[Any], *, homogeneous: bool = False) -> FiniteGroup[Any]:
    r"""The exact finite group nearest to matrices that multiply to one another roughly.

    $$ M_g \leftarrow \frac{1}{|G|} \sum_h M_{g h} M_h^{-1} $$

    in rounds, until nothing moves: a map that keeps products stays as it is, and one that nearly keeps them comes nearer to one.

    * `name`: of the group. `elements`: matrices [c, N, N] beside the identity. `kind`: of the elements made (Linear, Rigid, Affine).
    * `homogeneous`: whether the matrices are those of affine maps.

    Raises `OrbitscopeError` where the products are not all among the matrices, each once, and where the rounds do not settle.
    """
    size = elements.shape[1]
    found = np.concatenate([np.eye(size)[None], np.asarray(elements, dtype=np.float64)])
    table = _products(found)
    if table is None:
        raise OrbitscopeError(
            f"discovery: the {len(elements)} elements beside the identity are no group, their products are not all among them. Look for "
            "more of them: candidates=100, say."
        )
    for _ in range(_ROUNDS):
        inverse = np.linalg.inv(found)
        better = np.mean([found[table[:, h]] @ inverse[h] for h in range(len(found))], axis=0)
        step, found = float(np.abs(better - found).max()), better
        if step < _CLOSE:
            break
    else:
        raise OrbitscopeError(f"discovery: the {len(found)} elements are too far from a group to be made one.")
    made = [kind(m[:-1, :-1], m[:-1, -1]) if homogeneous else kind(m) for m in found]
    return FiniteGroup(name, [g.named("e" if k == 0 else f"c{k}") for k, g in enumerate(made)])


def _products(found: Array) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    """Which element is nearest to each product; None where that is no table of a group."""
    count = len(found)
    gaps = np.linalg.norm(found[:, None, None] @ found[None, :, None] - found[None, None], axis=(3, 4))
    table = np.argmin(gaps, axis=2)
    rows, columns = np.sort(table, axis=1), np.sort(table, axis=0).T
    every = np.arange(count)
    # A Latin square with an identity is a group where (a h) b = a (h b).
    associative = all((table[table[:, h], :] == table[:, table[h]]).all() for h in range(count))
    return table if (rows == every).all() and (columns == every).all() and associative else None
