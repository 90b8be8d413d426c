"""The normal form of braids, which decides whether two words are one braid."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

Images = tuple[int, ...]


@dataclass(frozen=True)
class Braid:
    r"""A braid of n strands in left normal form, $\Delta^p\, s_1 s_2 \cdots s_m$ with simple braids $s_i$; equal braids have equal forms.

    * `strands`: n. `power`: p. `factors`: the simple braids as permutations (`images[i]` is where the strand at place i goes), none of them
      the identity or $\Delta$, each holding every crossing that could move into it from the next.

    Source: Elrifai and Morton, Algorithms for positive braids, 1994; Epstein et al., Word processing in groups, 1992, chapter 9.

    >>> a, b = Braid.crossing(3, 0), Braid.crossing(3, 1)
    >>> a @ b @ a == b @ a @ b, (a @ b) == (b @ a), (a @ a.inverse()).is_identity
    (True, False, True)
    """

    strands: int
    power: int = 0
    factors: tuple[Images, ...] = ()
    name: str = field(default="", compare=False)

    @classmethod
    def crossing(cls, strands: int, place: int) -> "Braid":
        """The generator that crosses the strands at `place` and the next, counted from 0."""
        return _normal(strands, 0, [_swap(strands, place)])

    @property
    def is_identity(self) -> bool:
        """Whether the strands can be pulled straight."""
        return self.power == 0 and not self.factors

    def __matmul__(self, other: Self) -> "Braid":
        # Delta^q moves left past the factors, which it turns over when q is odd.
        first = [_flipped(s) for s in self.factors] if other.power % 2 else list(self.factors)
        return _normal(self.strands, self.power + other.power, [*first, *other.factors])

    def inverse(self) -> "Braid":
        """The braid that undoes this one: $s^{-1} = \\Delta^{-1} (\\Delta s^{-1})$, factor by factor from the last."""
        at = Braid(self.strands)
        for s in reversed(self.factors):
            rest = tuple(self.strands - 1 - i for i in _inverse(s))
            at = at @ _normal(self.strands, -1, [rest])
        return at @ Braid(self.strands, -self.power)

    def named(self, name: str) -> Self:
        """The same braid under another name."""
        return type(self)(self.strands, self.power, self.factors, name)


def _normal(strands: int, power: int, factors: list[Images]) -> Braid:
    """Delta^power and the product of simple factors, brought into normal form."""
    identity, delta = tuple(range(strands)), tuple(reversed(range(strands)))
    done: list[Images] = []
    for s in factors:
        done.append(s)
        # Only neighbours of a changed factor can fail; the change runs to the left.
        for k in range(len(done) - 1, 0, -1):
            moved = _weighted(done[k - 1], done[k])
            if moved == (done[k - 1], done[k]):
                break
            done[k - 1], done[k] = moved
        while done and done[-1] == identity:
            done.pop()
    start = next((k for k, s in enumerate(done) if s != delta), len(done))
    return Braid(strands, power + start, tuple(done[start:]))


@lru_cache(maxsize=4096)
def _weighted(a: Images, b: Images) -> tuple[Images, Images]:
    """The same product with every crossing in the left factor that can be there."""
    moving = True
    while moving:
        moving = False
        inverse = _inverse(b)
        for i in range(len(a) - 1):
            # b starts with crossing i, and a does not end with it. (Products apply the right factor first to places.)
            if inverse[i] > inverse[i + 1] and a[i] < a[i + 1]:
                swap = _swap(len(a), i)
                a, b = tuple(a[j] for j in swap), tuple(swap[j] for j in b)
                moving = True
                break
    return a, b


def _inverse(a: Images) -> Images:
    out = [0] * len(a)
    for i, j in enumerate(a):
        out[j] = i
    return tuple(out)


@lru_cache(maxsize=256)
def _swap(strands: int, place: int) -> Images:
    images = list(range(strands))
    images[place], images[place + 1] = place + 1, place
    return tuple(images)


def _flipped(a: Images) -> Images:
    """The factor seen from behind, which is what Delta does to it."""
    last = len(a) - 1
    return tuple(last - a[last - i] for i in range(len(a)))
