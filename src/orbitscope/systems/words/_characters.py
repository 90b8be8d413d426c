"""The irreducible characters of a finite group: from its presentation by class algebras, and of a symmetric group by hooks."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ...symmetry import Word, WordGroup, presented_symmetric
from ._labels import partitions

_MOST = 4096  # elements of a group whose classes are counted one by one
_TRIES = 8  # random sums of class sums, until no two irreps share an eigenvalue


@dataclass(frozen=True)
class CharacterTable:
    r"""The irreducible characters $\chi_i(C_j)$ of a finite group.

    * `irreps`: a name for each; the first is the trivial one. `classes`: a word of each conjugacy class.
    * `sizes`: $|C_j|$, the elements of each class. `values`: [irreps, classes], complex.
    """

    irreps: tuple[str, ...]
    classes: tuple[Word, ...]
    sizes: NDArray[np.int64]
    values: NDArray[np.complex128]

    def multiplicities(self, traces: NDArray[np.float64]) -> dict[str, float]:
        r"""How often each irrep is held by a representation: $\frac{1}{|G|} \sum_j |C_j|\, \mathrm{tr} M_j\, \overline{\chi_i(C_j)}$.

        * `traces`: [classes], $\mathrm{tr} M$ at the word of each class. Real parts; whole numbers for a representation.
        """
        found = (self.values.conj() * self.sizes) @ traces / self.sizes.sum()
        return dict(zip(self.irreps, found.real.tolist(), strict=True))


def character_table(group: WordGroup) -> CharacterTable:
    r"""The character table of a finite `group` of at most 4096 elements, by Burnside's method.

    With $C_i$ the sums of classes, $C_i C_j = \sum_k c_{ijk} C_k$; a random $\sum_i r_i (c_{ijk})_{jk}$ has the vectors
    $|C_j| \chi(C_j) / \chi(1)$ as its eigenvectors, and $|G| = \sum_j |C_j| |\chi(C_j)|^2$ gives $\chi(1)$. Irreps are named by their
    dimension and a letter: 1a (the trivial one), 1b, 2a, ...

    Raises `OrbitscopeError` for a group whose words are not told apart, and for one with more elements.
    """
    elements, products = _multiplied(group)
    inverse = (products == 0).argmax(1)  # the identity is the first
    of, firsts = _classes(products, inverse)
    sizes = np.bincount(of)
    constants = np.zeros((len(firsts),) * 3)
    for k, z in enumerate(firsts):  # x y = z: every x has its y = x^-1 z
        np.add.at(constants[..., k], (of, of[products[inverse, z]]), 1.0)
    names, values = _sorted(_eigenvectors(constants, sizes))
    return CharacterTable(names, tuple(elements[z] for z in firsts), sizes, values)


def symmetric_characters(size: int) -> CharacterTable:
    r"""The character table of the permutations of `size` things by the rule of Murnaghan and Nakayama, on the exchanges s1, s2, ...

    Irreps are named by their partitions, as [9, 1]: the trivial one is [10], the sign [1, 1, ...], and ten things permuted are
    [10] + [9, 1].

    Raises `OrbitscopeError` for a `size` that is not 2 .. 20.
    """
    if not 2 <= size <= 20:
        raise OrbitscopeError(f"symmetric_characters: `size` should be 2 .. 20, got {size}.")
    group, kinds = presented_symmetric(size), sorted(partitions(size))
    words, sizes = [], []
    for kind in kinds:
        starts = np.cumsum([0, *kind[:-1]])
        letters = [f"s{start + k}" for start, cycle in zip(starts, kind, strict=True) for k in range(1, cycle)]
        words.append(group.word(" ".join(letters) or "e"))
        fixing = math.prod(kind) * math.prod(math.factorial(kind.count(c)) for c in set(kind))
        sizes.append(math.factorial(size) // fixing)
    shapes = sorted(kinds, reverse=True)
    values = np.array([[_hooks(tuple(sorted(shape)), tuple(kind)) for kind in kinds] for shape in shapes], dtype=np.complex128)
    return CharacterTable(tuple(str(sorted(s, reverse=True)) for s in shapes), tuple(words), np.array(sizes), values)


@lru_cache(maxsize=200_000)
def _hooks(shape: tuple[int, ...], kind: tuple[int, ...]) -> int:
    """The character of a shape on a cycle type: strips of the length of the last cycle are taken off, with the sign of their height.

    Rows are beta numbers (row + place, from the shortest row up): taking a strip off lowers one of them.
    """
    if not kind:
        return 1
    *rest, cycle = kind
    beta = [row + place for place, row in enumerate(shape)]
    found = 0
    for place, b in enumerate(beta):
        low = b - cycle
        if low < 0 or low in beta:
            continue
        height = sum(low < other < b for other in beta)
        left = sorted([*beta[:place], low, *beta[place + 1 :]])
        found += (-1) ** height * _hooks(tuple(x - k for k, x in enumerate(left)), tuple(rest))
    return found


def _multiplied(group: WordGroup) -> tuple[list[Word], NDArray[np.int16]]:
    """All elements from the identity on, and the number of x y for each two of them."""
    if not group.solved:
        raise OrbitscopeError(f"character_table: words of {group} are not told apart. Give the group `images`, or take coxeter(D4), <D6>.")
    letters = [group.word(g) for g in group.generators]
    at, found, made = {group.identity: 0}, [group.identity], [(0, 0)]
    moves: list[list[int]] = [[] for _ in letters]
    for number, element in enumerate(found):  # which grows
        for s, letter in enumerate(letters):
            new = letter @ element
            if new not in at:
                at[new] = len(found)
                found.append(new)
                made.append((s, number))
            moves[s].append(at[new])
        if len(found) > _MOST:
            raise OrbitscopeError(f"character_table: {group} has more than {_MOST} elements. For permutations take symmetric_characters.")
    products = np.empty((len(found), len(found)), dtype=np.int16)
    products[0] = np.arange(len(found))
    for x, (s, before) in list(enumerate(made))[1:]:
        products[x] = np.array(moves[s])[products[before]]
    return found, products


def _classes(products: NDArray[np.int16], inverse: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[int]]:
    """The number of the conjugacy class of each element, and the first element of each class."""
    count, firsts = len(products), list[int]()
    of = np.full(count, -1)
    for z in range(count):
        if of[z] < 0:
            of[products[products[np.arange(count), z], inverse]] = len(firsts)
            firsts.append(z)
    return of, firsts


def _eigenvectors(constants: NDArray[np.float64], sizes: NDArray[np.int64]) -> NDArray[np.complex128]:
    """The characters from the constants c[i, j, k] of the class algebra."""
    rng = np.random.default_rng(0)
    values, vectors = np.linalg.eig(np.tensordot(rng.normal(size=len(sizes)), constants, 1))
    for _ in range(_TRIES):
        gaps = np.abs(values[:, None] - values) + np.eye(len(values)) * np.abs(values).max()
        if gaps.min() > 1e-6 * np.abs(values).max():
            break
        values, vectors = np.linalg.eig(np.tensordot(rng.normal(size=len(sizes)), constants, 1))
    omega = (vectors / vectors[0]).T  # |C| chi(C) / chi(1), which is 1 at the identity
    dimension = np.sqrt(sizes.sum() / (np.abs(omega) ** 2 / sizes).sum(1))
    return (omega * np.round(dimension)[:, None] / sizes).astype(np.complex128)


def _sorted(values: NDArray[np.complex128]) -> tuple[tuple[str, ...], NDArray[np.complex128]]:
    """Names and rows, small dimensions first, the trivial irrep before all others."""

    def key(row: NDArray[np.complex128]) -> tuple[object, ...]:
        return round(row[0].real), not np.allclose(row, 1), *(-np.round(row.real, 6)).tolist(), *np.round(row.imag, 6).tolist()

    rows, names, seen = sorted(values, key=key), list[str](), dict[int, int]()
    for row in rows:
        size = round(row[0].real)
        seen[size] = seen.get(size, -1) + 1
        names.append(f"{size}{_letters(seen[size])}")
    return tuple(names), np.array(rows)


def _letters(number: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    return ("" if number < 26 else _letters(number // 26 - 1)) + chr(ord("a") + number % 26)
