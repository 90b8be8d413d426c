"""Presentations by graphs: Artin groups, whose braid groups act on categories, and the Coxeter groups that they cover."""

import re

import numpy as np

from ..._errors import OrbitscopeError
from ...symmetry import Linear, WordGroup, braid, free, parse_group, presented_symmetric

Graph = tuple[int, tuple[tuple[int, int], ...]]
"""Number of vertices 0, 1, ..., and the edges of a simple graph."""

_TYPE = re.compile(r"(~?)([ADE])(\d+)")
_EDGE = re.compile(r"(\d+)-(\d+)")
_LETTER = re.compile(r"(?<![\w^])(?!e\b)[A-Za-z_]\w*")
_LIMIT = 64


def graph(word: str) -> Graph:
    """The simple graph that `word` names: a Dynkin diagram A3, D4, E6, an affine cycle ~A2, or edges such as "1-2 2-3 2-4" from 1 up.

    Raises `OrbitscopeError` for other words, loops and doubled edges.

    >>> graph("D4"), graph("~A2")
    ((4, ((0, 1), (1, 2), (1, 3))), (3, ((0, 1), (1, 2), (0, 2))))
    """
    text = word.strip()
    if match := _TYPE.fullmatch(text):
        return _diagram(text, bool(match[1]), match[2], int(match[3]))
    found = [_EDGE.fullmatch(part) for part in text.replace(",", " ").split()]
    if not found or None in found:
        raise OrbitscopeError(f"graph: `word` should be A3, D4, E6, ~A2, ... or edges such as '1-2 2-3', got {word!r}.")
    edges = [tuple(sorted((int(m[1]) - 1, int(m[2]) - 1))) for m in found if m]
    if any(a == b or a < 0 for a, b in edges) or len(set(edges)) < len(edges):
        raise OrbitscopeError(f"graph: a simple graph has no loop and no doubled edge, and its vertices count from 1; got {word!r}.")
    size = 1 + max(b for _, b in edges)
    return _checked(word, size, tuple(sorted((a, b) for a, b in edges)))


def _diagram(word: str, affine: bool, kind: str, size: int) -> Graph:
    path = tuple((i, i + 1) for i in range(size - 1))
    if affine:
        if kind != "A" or size < 2:
            raise OrbitscopeError(f"graph: of the affine diagrams only cycles ~A2, ~A3, ... have a word; got {word!r}. Give the edges.")
        return _checked(word, size + 1, (*((i, i + 1) for i in range(size)), (0, size)))
    if kind == "A" and size >= 1:
        return _checked(word, size, path)
    if kind == "D" and size >= 4:
        return _checked(word, size, (*path[:-1], (size - 3, size - 1)))
    if kind == "E" and 6 <= size <= 8:  # a path with one more vertex at its third
        return _checked(word, size, (*path[:-1], (2, size - 1)))
    raise OrbitscopeError(f"graph: there is no Dynkin diagram {word!r}; there are A1, A2, ..., D4, D5, ... and E6 to E8.")


def _checked(word: str, size: int, edges: tuple[tuple[int, int], ...]) -> Graph:
    if size > _LIMIT:
        raise OrbitscopeError(f"graph: {word!r} has {size} vertices; at most {_LIMIT}.")
    return size, edges


def artin(word: str) -> WordGroup:
    r"""The Artin group of a simple graph: $s_i s_j s_i = s_j s_i s_j$ along edges, $s_i s_j = s_j s_i$ elsewhere; generators s1, s2, ...

    * `word`: the graph, as for `graph`. A3 is the braid group of four strands.

    Words are told apart exactly for A1, A2, ... (braid groups); for other graphs as letters only (`solved` is False).

    >>> artin("A2"), artin("D4").solved
    (B3, False)
    """
    size, edges = graph(word)
    if edges == tuple((i, i + 1) for i in range(size - 1)):
        return braid(size + 1)
    return WordGroup(_names(size), _relations(size, edges), name=f"artin({word.strip()})")


def coxeter(word: str) -> WordGroup:
    r"""The Coxeter group of a simple graph: the relations of `artin` and $s_i^2 = 1$.

    * `word`: the graph, as for `graph`. A3 is the symmetric group of four things.

    Words are compared in the geometric representation, whose whole-number matrices
    $s_i \alpha_j = \alpha_j - a_{ij} \alpha_i$ ($a_{ii} = 2$, $-1$ along edges) are faithful for every graph (Tits).

    >>> coxeter("D4").word("s1 s2 s1") == coxeter("D4").word("s2 s1 s2")
    True
    """
    size, edges = graph(word)
    names = _names(size)
    if edges == tuple((i, i + 1) for i in range(size - 1)):
        return presented_symmetric(size + 1)
    cartan = 2 * np.eye(size, dtype=np.int64)
    for i, j in edges:
        cartan[i, j] = cartan[j, i] = -1
    images = {}
    for i, name in enumerate(names):
        matrix = np.eye(size)
        matrix[i] -= cartan[i]
        images[name] = Linear(matrix)
    relations = [*(f"{s}^2" for s in names), *_relations(size, edges)]
    return WordGroup(names, relations, name=f"coxeter({word.strip()})", images=images)


def presentation(text: str) -> WordGroup:
    """The group of words that `text` names.

    * `text`: "artin(D4)", "coxeter(~A2)", "B3" (braids), "<S4>", "<C6>", "F2" (free), "<D6>" (the symmetries of a hexagon), or generators
      and relations such as "<a, b | a^2, a b a = b a b>"; the brackets may be left out. Of relations alone, "s1 s2 s1 = s2 s1 s2", the
      generators are the letters in them.

    Raises `OrbitscopeError` for texts that name no group of words, for relations in unknown generators, and for those with an empty side.

    >>> presentation("s, t | s^2, t^2, s t s t s t")
    <s, t | s^2, t^2, s t s t s t>
    """
    word = text.strip()
    for make in (artin, coxeter):
        if word.startswith(f"{make.__name__}(") and word.endswith(")"):
            return make(word[len(make.__name__) + 1 : -1])
    if match := re.fullmatch(r"<?D(\d+)>?", word):
        return dihedral_words(int(match[1]))
    if match := re.fullmatch(r"F(\d+)", word):
        return free(int(match[1]))
    if "=" in word and "|" not in word:
        word = f"{', '.join(dict.fromkeys(_LETTER.findall(word)))} | {word}"
    if "|" in word and not word.startswith("<"):
        word = f"<{word}>"
    found = parse_group(word)
    if not isinstance(found, WordGroup):
        raise OrbitscopeError(f"presentation: {text!r} is {found!r}, which has no generators and relations. Write <...> around its name.")
    return found


def dihedral_words(corners: int) -> WordGroup:
    """The symmetries of a regular polygon in two reflections s, t with $(s t)^n = 1$.

    * `corners`: n, at least 2. Words are compared by the reflections of the plane that they are.
    """
    if not 2 <= corners <= 1000:
        raise OrbitscopeError(f"dihedral_words: `corners` should be 2 .. 1000, got {corners}.")
    images = {}
    for name, angle in (("s", 0.0), ("t", np.pi / corners)):
        c, s = np.cos(2 * angle), np.sin(2 * angle)
        images[name] = Linear([[c, s], [s, -c]])
    return WordGroup(["s", "t"], ["s^2", "t^2", " ".join(["s t"] * corners)], name=f"<D{corners}>", images=images)


def _names(size: int) -> list[str]:
    return [f"s{i + 1}" for i in range(size)]


def _relations(size: int, edges: tuple[tuple[int, int], ...]) -> list[str]:
    names, near = _names(size), set(edges)
    pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
    return [
        f"{names[i]} {names[j]} {names[i]} = {names[j]} {names[i]} {names[j]}"
        if (i, j) in near
        else f"{names[i]} {names[j]} = {names[j]} {names[i]}"
        for i, j in pairs
    ]
