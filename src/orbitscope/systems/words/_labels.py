"""Exact labels of words: orders and cycle types of permutations, Harder-Narasimhan multiplicities of braids of three strands, and
Jordan-Hoelder counts for the braids of any graph. Whole numbers, without rounding at any length."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ._presentations import graph
from ._zigzag import Zigzag

Letters = Sequence[Sequence[int]] | NDArray[np.int64]
"""Words of numbers: 0 no letter, k a generator from 1 up, -k its inverse; rows may have different lengths."""


def permutations(words: Letters, size: int) -> NDArray[np.int64]:
    """The permutations [N, size] of words in the exchanges s1, s2, ... of neighbours; $(a b)(x) = a(b(x))$.

    * `words`: [N, L]; an inverse is the exchange itself. `size`: how many things are permuted.

    Raises `OrbitscopeError` for letters beyond the `size` - 1 exchanges.
    """
    rows = np.abs(_square(words))
    if rows.size and rows.max() >= size:
        raise OrbitscopeError(f"permutations: `words` hold the letter {rows.max()}; {size} things have {size - 1} exchanges.")
    made = np.broadcast_to(np.arange(size), (len(rows), size)).copy()
    at = np.arange(len(rows))
    for letter in rows.T:  # w s exchanges the images of the two neighbours
        some = at[letter > 0]
        i = letter[some] - 1
        made[some, i], made[some, i + 1] = made[some, i + 1], made[some, i].copy()
    return made


def cycle_types(made: NDArray[np.int64]) -> list[tuple[int, ...]]:
    """The lengths of the cycles of permutations `made` [N, size], longest first."""
    n, size = made.shape
    length = np.zeros((n, size), dtype=np.int64)  # of the cycle of each place
    at = made.copy()
    for step in range(1, size + 1):
        home = (at == np.arange(size)) & (length == 0)
        length[home] = step
        at = np.take_along_axis(made, at, axis=1)
    count = np.stack([(length == k).sum(1) // k for k in range(1, size + 1)], axis=1)
    return [tuple(k for k in range(size, 0, -1) for _ in range(row[k - 1])) for row in count.tolist()]


def orders(made: NDArray[np.int64]) -> NDArray[np.int64]:
    """The orders [N] of permutations `made` [N, size]: the least common multiple of their cycles."""
    return np.array([math.lcm(*kind) for kind in cycle_types(made)], dtype=np.int64)


@lru_cache
def partitions(size: int) -> tuple[tuple[int, ...], ...]:
    """The cycle types of `size` things, longest cycles first."""

    def below(rest: int, most: int) -> list[tuple[int, ...]]:
        if not rest:
            return [()]
        return [(k, *others) for k in range(min(rest, most), 0, -1) for others in below(rest - k, k)]

    return tuple(below(size, size))


def possible_orders(size: int) -> tuple[int, ...]:
    """The orders that permutations of `size` things have, smallest first."""
    return tuple(sorted({math.lcm(*kind) for kind in partitions(size)}))


_SL2 = {1: ((1, 1), (0, 1)), -1: ((1, -1), (0, 1)), 2: ((1, 0), (-1, 1)), -2: ((1, 0), (1, 1))}


def burau3(word: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    r"""The matrix in $SL_2(Z)$ of a braid of three strands: Burau's at $t = -1$; with the sum of exponents it tells braids apart.

    * `word`: letters 1, 2, -1, -2; 0 is no letter.
    """
    a, b, c, d = 1, 0, 0, 1
    for letter in word:
        if letter:
            (p, q), (r, s) = _SL2[letter] if letter in _SL2 else _no_letter(letter)
            a, b, c, d = a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s
    return (a, b), (c, d)


def _no_letter(letter: int) -> tuple[tuple[int, int], tuple[int, int]]:
    raise OrbitscopeError(f"braids of three strands have the letters 1, 2, -1 and -2, got {letter}.")


def harder_narasimhan(words: Sequence[Sequence[int]], start: int = 1) -> list[tuple[int, int, int]]:
    r"""Harder-Narasimhan multiplicities over $(P_1, X, P_2)$ of $w P_{start}$ in the 2-Calabi-Yau category of A2.

    With $(a, b) = \rho(w) e_{start}$, where $\rho$ is `burau3`: $(|a|, 0, |b|)$ if $ab \ge 0$; $(|a| - |b|, |b|, 0)$ if $|a| \ge |b|$;
    else $(0, |a|, |b| - |a|)$: coordinates in the three cones into which the stable objects cut the plane.

    * `words`: in letters 1, 2, -1, -2, of any length; letters act from the right to the left. `start`: 1 or 2.

    Raises `OrbitscopeError` for other letters and starts.

    >>> harder_narasimhan([[], [2], [1, -2]])
    [(1, 0, 0), (0, 1, 0), (2, 0, 1)]
    """
    if start not in (1, 2):
        raise OrbitscopeError(f"harder_narasimhan: `start` should be 1 or 2, the object P1 or P2; got {start}.")
    found = []
    for word in words:
        rows = burau3(word)
        a, b = rows[0][start - 1], rows[1][start - 1]
        p, q = abs(a), abs(b)
        found.append((p, 0, q) if a * b >= 0 else (p - q, q, 0) if p >= q else (0, p, q - p))
    return found


def jordan_hoelder(words: Sequence[Sequence[int]], diagram: str, start: int = 1) -> list[tuple[int, ...]]:
    r"""How often each projective $P_i$ stands in the minimal complex of $w P_{start}$ over the zigzag algebra of a graph.

    * `words`: in letters 1, 2, ... and their negatives, acting from the right to the left. `diagram`: the graph, such as "D4" or "~A2".
    * `start`: the vertex, from 1.

    Time and memory grow with the counts, which grow exponentially with the length. Raises `OrbitscopeError` for unknown letters, and
    beyond 20,000 terms.

    >>> jordan_hoelder([[], [2], [2, 1, 3]], "D4")
    [(1, 0, 0, 0), (1, 1, 0, 0), (1, 1, 0, 0)]
    """
    algebra = Zigzag(graph(diagram))
    if not 1 <= start <= algebra.size:
        raise OrbitscopeError(f"jordan_hoelder: `start` should be a vertex 1 .. {algebra.size}, got {start}.")
    return [tuple(algebra.multiplicities([x for x in word if x], start - 1)) for word in words]


def _square(words: Letters) -> NDArray[np.int64]:
    """Rows of one length, filled up with 0."""
    if isinstance(words, np.ndarray):
        return words
    made = np.zeros((len(words), max(map(len, words), default=0)), dtype=np.int64)
    for row, word in zip(made, words, strict=True):
        row[: len(word)] = word
    return made
