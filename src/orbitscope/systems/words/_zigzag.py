r"""Braids of a graph as functors: twists of complexes over the zigzag algebra, and how many terms are left of a minimal complex.

The zigzag algebra of a simple graph over $F_2$ has at each vertex i the identity and a loop $X_i$, and a path $(i|j)$ along each edge in
either direction, with $(i|j)(j|i) = X_i$; all other products of paths vanish. A complex of its projectives is a directed graph of terms
$P_v$ whose arrows are sets of paths (sums over $F_2$). The twist of a vertex is a cone; what is left when every arrow that holds an
identity has been cancelled is the minimal complex, and its number of terms $P_i$ the label.
"""

from collections.abc import Iterable, Sequence

from ..._errors import OrbitscopeError
from ._presentations import Graph

Path = tuple[int, int, int]  # from, to, length 0, 1 or 2
Arrow = frozenset[Path]
_TERMS = 20_000


class Zigzag:
    """The braids of a graph acting on complexes of projectives over its zigzag algebra.

    * `graph`: number of vertices and edges, as `graph("D4")` gives. Words are sequences of 1, 2, ... (twists) and -1, -2, ... (inverse).
    """

    def __init__(self, graph: Graph) -> None:
        self.size, self.edges = graph
        self.near = {(a, b) for a, b in self.edges} | {(b, a) for a, b in self.edges}

    def paths(self, i: int, j: int) -> tuple[Path, ...]:
        """A basis of the maps from P_`i` to P_`j`."""
        if i == j:
            return ((i, i, 0), (i, i, 2))
        return ((i, j, 1),) if (i, j) in self.near else ()

    def times(self, first: Arrow, then: Arrow) -> Arrow:
        """The composite: `first`, followed by `then`; coefficients modulo 2."""
        found: set[Path] = set()
        for a, b, m in first:
            for c, d, n in then:
                if b == c and m + n <= 2 and (m + n < 2 or a == d):
                    found ^= {(a, d, m + n)}
        return frozenset(found)

    def multiplicities(self, word: Sequence[int], start: int = 0) -> list[int]:
        r"""How many terms $P_i$ the minimal complex of $w P_{start}$ has, for every vertex i; letters act from the right to the left.

        * `word`: letters 1, 2, ... for the twists, negative for their inverses. `start`: the vertex of the projective, from 0.

        Raises `OrbitscopeError` for other letters, and where the complex grows beyond 20,000 terms.
        """
        at = Complex(self, [start])
        for letter in reversed(word):
            vertex = abs(letter) - 1
            if not letter or vertex >= self.size:
                raise OrbitscopeError(f"Zigzag: `word` should hold letters 1 .. {self.size} and their negatives, got {letter}.")
            at.twist(vertex, inverse=letter < 0)
            at.reduce()
        return at.counts()


class Complex:
    """A complex up to homotopy: terms by number, arrows between them. Signs and degrees are not needed over F_2 for the counts."""

    def __init__(self, algebra: Zigzag, vertices: Iterable[int]) -> None:
        self.algebra = algebra
        self.vertex: dict[int, int] = dict(enumerate(vertices))
        self.out: dict[int, dict[int, Arrow]] = {t: {} for t in self.vertex}
        self.into: dict[int, set[int]] = {t: set() for t in self.vertex}
        self.next = len(self.vertex)

    def counts(self) -> list[int]:
        """Terms of every vertex."""
        found = [0] * self.algebra.size
        for v in self.vertex.values():
            found[v] += 1
        return found

    def add(self, source: int, target: int, arrow: Arrow) -> None:
        """Add to the arrow from one term to another."""
        new = self.out[source].get(target, frozenset()) ^ arrow
        if new:
            self.out[source][target] = new
            self.into[target].add(source)
        elif target in self.out[source]:
            del self.out[source][target]
            self.into[target].discard(source)

    def twist(self, vertex: int, inverse: bool) -> None:
        r"""The cone of $P_i \otimes Hom(P_i, C) \to C$, or of $C \to P_i \otimes Hom(C, P_i)^*$."""
        terms = list(self.vertex.items())
        copies: dict[tuple[int, Path], int] = {}
        for t, v in terms:
            for h in self.algebra.paths(v, vertex) if inverse else self.algebra.paths(vertex, v):
                copies[t, h] = self.next
                self.vertex[self.next], self.out[self.next], self.into[self.next] = vertex, {}, set()
                self.next += 1
        if len(self.vertex) > _TERMS:
            raise OrbitscopeError(f"Zigzag: the complex has more than {_TERMS:,} terms. Take shorter words.")
        one: Arrow = frozenset({(vertex, vertex, 0)})
        arrows = [(t, q, arrow) for t, _ in terms for q, arrow in self.out[t].items()]
        for (t, h), copy in copies.items():
            self.add(*((t, copy) if inverse else (copy, t)), frozenset({h}))
        for t, q, arrow in arrows:
            if inverse:  # dual bases: the copy of h below q is reached from all whose composite with the arrow holds it
                for k in self.algebra.paths(self.vertex[q], vertex):
                    for h in self.algebra.times(arrow, frozenset({k})):
                        self.add(copies[t, h], copies[q, k], one)
            else:
                for h in self.algebra.paths(vertex, self.vertex[t]):
                    for k in self.algebra.times(frozenset({h}), arrow):
                        self.add(copies[t, h], copies[q, k], one)

    def reduce(self) -> None:
        """Cancel every arrow that holds an identity, with the terms at its ends (Gaussian elimination)."""
        waiting = [(p, q) for p, ends in self.out.items() for q in ends]
        while waiting:
            p, q = waiting.pop()
            if p not in self.out or q not in self.out[p] or (self.vertex[p], self.vertex[p], 0) not in self.out[p][q]:
                continue
            inverse = self.out[p][q]  # 1 + X and 1 are their own inverses modulo 2
            sources = [(a, self.out[a][q]) for a in self.into[q] if a != p]
            targets = [(b, arrow) for b, arrow in self.out[p].items() if b != q]
            for a, into in sources:
                for b, out in targets:
                    if new := self.algebra.times(self.algebra.times(into, inverse), out):
                        self.add(a, b, new)
                        waiting.append((a, b))
            self._remove(p)
            self._remove(q)

    def _remove(self, term: int) -> None:
        for a in self.into.pop(term):
            self.out[a].pop(term, None)
        for b in self.out.pop(term):
            if b in self.into:
                self.into[b].discard(term)
        del self.vertex[term]
