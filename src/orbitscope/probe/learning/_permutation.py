"""Does a transition answer its own copy more, or less, than it answers others? Permutation tests, and what they can show at all."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEVEL = 0.05
_DRAWS = 1999
_ROOM = 10.0  # the smallest p-value of random permutations lies so many times below what Holm's first step asks for


@dataclass(frozen=True)
class Exchanged:
    """A permutation test in both directions."""

    more: float
    """One-sided p-value of "own pairs cohere no more than others"."""
    less: float
    """One-sided p-value of "own pairs cohere no less than others"."""
    least: float
    """The smallest two-sided p-value that so many trajectories and draws allow."""

    @property
    def p(self) -> float:
        """Two-sided: twice the smaller one, at most 1."""
        return min(1.0, 2.0 * min(self.more, self.less)) if not math.isnan(self.more) else float("nan")


def permutation_test(block: Array, seed: int, draws: int = _DRAWS) -> Exchanged:
    """Test median(diagonal) - median(rest) of [time, bra, ket] under exchanged kets, in both directions.

    A permutation exchanges whole trajectories, at all times together, so that effects of a trajectory and correlated times do no harm: if
    the kets are exchangeable with respect to the bras, every p-value is valid. All permutations are taken if there are at most `draws` + 1,
    else `draws` random ones. Undefined entries (NaN) are left out. A single trajectory, or nothing defined: NaN.
    """
    count = block.shape[1]
    if count < 2 or np.isnan(block).all():
        return Exchanged(float("nan"), float("nan"), float("nan"))
    observed = float(exchanged(block, np.arange(count)[None])[0])
    if math.isnan(observed):
        return Exchanged(float("nan"), float("nan"), float("nan"))
    whole = math.factorial(count) <= draws + 1
    if whole:
        values = exchanged(block, np.array(list(itertools.permutations(range(count)))))
    else:
        rng = np.random.default_rng([seed, 0x9E2])
        values = exchanged(block, np.argsort(rng.random((draws, count)), axis=1))
    extra, total = (0, len(values)) if whole else (1, draws + 1)  # the identity is one of all permutations, not of the random ones
    more, less = (~(values < observed - 1e-12)).sum() + extra, (~(values > observed + 1e-12)).sum() + extra  # NaN counts against both
    return Exchanged(float(more / total), float(less / total), min(1.0, 2.0 / total))


def draws_for(elements: int, level: float = LEVEL) -> int:
    """Random permutations so that a p-value can be far below what Holm's first step asks of `elements` two-sided tests."""
    return max(_DRAWS, math.ceil(2.0 * _ROOM * elements / level) - 1)


def trajectories_needed(elements: int, level: float = LEVEL) -> int:
    """Fewest trajectories with which one of `elements` two-sided tests can reach `level` after Holm's correction: 2 K / n! <= level.

    >>> [trajectories_needed(k) for k in (1, 3, 7, 15, 63)]
    [5, 5, 6, 6, 7]
    """
    return next(n for n in itertools.count(2) if 2.0 * elements <= level * math.factorial(n))


def exchanged(block: Array, orders: NDArray[np.int64]) -> Array:
    """median(diagonal) - median(rest) of [time, bra, ket] for every order of the kets, [R]; undefined entries are left out.

    The rest is all entries without the diagonal, so its median is found from the ranks of the diagonal among all: n numbers per time and
    order instead of n^2. In sorted order, entry k of what is left after removing those of ranks r_0 < r_1 < ... is entry k + c of all,
    c the number of j with r_j - j <= k.
    """
    count = block.shape[1]
    flat = block.ravel()
    order = np.argsort(flat, kind="stable")  # NaN last
    sorted_values, defined = flat[order], int((~np.isnan(flat)).sum())
    rank = np.empty(len(flat), dtype=np.int64)
    rank[order] = np.arange(len(flat))
    removed = np.sort(rank.reshape(block.shape)[:, np.arange(count), orders].transpose(1, 0, 2).reshape(len(orders), -1), axis=1)
    mine = (removed < defined).sum(1)
    own = _middle(lambda k: removed[np.arange(len(orders)), np.minimum(k, removed.shape[1] - 1)], mine, sorted_values)
    before = np.where(removed < defined, removed - np.arange(removed.shape[1]), len(flat))
    rest = _middle(lambda k: np.minimum(k + (before <= k[:, None]).sum(1), len(flat) - 1), defined - mine, sorted_values)
    return own - rest


def _middle(position: Callable[[NDArray[np.int64]], NDArray[np.int64]], counts: NDArray[np.int64], values: Array) -> Array:
    """Median of `counts` entries per row, the k-th of which is values[position(k)]; NaN where there are none."""
    low, high = (values[position(np.maximum(k, 0))] for k in ((counts - 1) // 2, counts // 2))
    return np.where(counts > 0, (low + high) / 2, np.nan)


def holm(p: Array) -> Array:
    """Holm's step-down correction; NaN stays NaN and does not count."""
    out = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    running = 0.0
    for rank, k in enumerate(known[np.argsort(p[known], kind="stable")]):
        running = max(running, min(1.0, (len(known) - rank) * p[k]))
        out[k] = running
    return out
