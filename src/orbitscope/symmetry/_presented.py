"""Groups that are given by generators and relations; free groups, braids, symmetric and cyclic groups in words."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError
from ._element import Element
from ._garside import Braid
from ._group import Group
from ._permutation import Permutation
from ._word import Model, Word, generator, opposite, spelled

_NAME = re.compile(r"[A-Za-z_]\w*")
_TRIES = 20  # draws of known words in a row, before one is looked for


class WordGroup(Group[Word]):
    r"""The group $\langle a, b, \dots \mid r_1, r_2, \dots \rangle$ of words in generators, in which the relations hold.

    * `generators`: their names: letters, digits and _, "e" excepted. `relations`: texts such as "a^2" (it is the identity) or
      "a b a = b a b".
    * `images`: an element of any kind per generator, such that words are equal exactly where their products are (a faithful model:
      matrices, permutations). Without it words are compared after free reduction alone, which decides equality only where there are no
      relations; `solved` says which. Images that break a relation are refused; that they are faithful is yours to know.
    * `length`: probes are words of up to so many letters. `name`: without one the presentation is printed, which `parse_group` reads; a
      group with a name or images of your own is not parsed.

    Raises `OrbitscopeError` for names and relations that cannot be read, and for images that break a relation.

    >>> from orbitscope.symmetry import Linear
    >>> images = {"s": Linear([[0, -1], [1, 0]]), "t": Linear([[1, 1], [0, 1]])}
    >>> modular = WordGroup(["s", "t"], ["s^4", "s t s t s t = s^2"], images=images)
    >>> modular, modular.word("s^5 t") == modular.word("s t"), modular.check_relations({"s": [[-1]], "t": [[-1]]})
    (<s, t | s^4, s t s t s t = s^2>, True, {'s^4': 0.0, 's t s t s t = s^2': 0.0})
    """

    def __init__(
        self, generators: Sequence[str], relations: Sequence[str] = (), *, name: str = "", images: Mapping[str, Element] | None = None,
        length: int = 8,
    ) -> None:  # fmt: skip
        self.generators, self.length = tuple(generators), length
        wrong = [g for g in self.generators if not _NAME.fullmatch(g) or g == "e"]
        if wrong or not self.generators or len(set(self.generators)) < len(self.generators):
            raise OrbitscopeError(f"WordGroup: `generators` should be different names of letters, digits and _, got {list(generators)}.")
        if length < 1:
            raise OrbitscopeError(f"WordGroup: `length` should be at least 1, got {length}.")
        self.relations = tuple(self._relation(r) for r in relations)
        """Pairs of words that are one element."""
        self.name = name or f"<{', '.join(self.generators)} | {', '.join(map(_written, self.relations))}>"
        self._model = None
        if images is not None:
            if missing := set(self.generators) ^ set(images):
                raise OrbitscopeError(
                    f"WordGroup: `images` should hold each generator and nothing else; amiss: {', '.join(sorted(missing))}."
                )
            self._model = Model(tuple((g, images[g]) for g in self.generators))
            for left, right in self.relations:
                if Word(left.letters, self._model) != Word(right.letters, self._model):
                    raise OrbitscopeError(f"WordGroup: `images` break the relation {_written((left, right))}.")

    @property
    def solved(self) -> bool:
        """Whether `==` decides if two words are one element: by the images, or because there are no relations."""
        return self._model is not None or not self.relations

    @property
    def identity(self) -> Word:
        """The empty word."""
        return Word((), self._model, "e")

    def word(self, text: str) -> Word:
        """The element that `text` spells, such as "a b^-1 a^3". Raises `OrbitscopeError` for letters that are no generators."""
        return self._known(Word.parse(text, self._model), text)

    def check_relations(self, matrix_of: Mapping[str, ArrayLike]) -> dict[str, float]:
        r"""How far matrices break each relation, $\|L - R\| / \max(\|L\|, \|R\|)$ (Frobenius): 0 for a representation of the group.

        * `matrix_of`: a square matrix per generator, all of one size. A matrix for "a^-1" as well, of a learnt inverse, say, is used in
          place of the true inverse, and "a a^-1" is then checked too.

        Raises `OrbitscopeError` for missing or misshapen matrices.
        """
        matrices = {k: np.array(v, dtype=np.float64) for k, v in matrix_of.items()}
        if missing := set(self.generators) - set(matrices):
            raise OrbitscopeError(f"check_relations: `matrix_of` has no matrix for {', '.join(sorted(missing))}.")
        size = len(matrices[self.generators[0]])
        for k, m in matrices.items():
            if m.shape != (size, size):
                raise OrbitscopeError(
                    f"check_relations: the matrix of {k!r} should be [{size}, {size}], as the first one is; got {m.shape}."
                )
        given = [opposite(g) for g in self.generators if opposite(g) in matrices]
        matrices |= {
            opposite(g): np.array(np.linalg.inv(matrices[g]), dtype=np.float64) for g in self.generators if opposite(g) not in matrices
        }

        def error(left: Sequence[str], right: Sequence[str]) -> float:
            a, b = _product(left, matrices, size), _product(right, matrices, size)
            return float(np.linalg.norm(a - b) / max(np.linalg.norm(a), np.linalg.norm(b)))

        found = {_written(r): error(r[0].letters, r[1].letters) for r in self.relations}
        return found | {f"{generator(x)} {x}": error((generator(x), x), ()) for x in given}

    def _drawn(self, count: int, rng: np.random.Generator) -> tuple[Word, ...]:
        """Random reduced words whose length grows evenly from 1 to `length`; fewer than `count` where the group has no more of them."""
        found = {self.identity: None}
        known = 0
        while len(found) < count:
            length = 1 + (len(found) - 1) * self.length // max(count - 1, 1)
            word = self._random(length, rng)
            known = known + 1 if word in found else 0
            if known > _TRIES:
                word, known = self._beyond(found), 0
                if word is None:
                    break
            found.setdefault(word)
        return tuple(found)

    def _beyond(self, found: Mapping[Word, None]) -> Word | None:
        """A word one letter longer than one of those found and equal to none of them, or None where they are the whole group."""
        for letter in self._alphabet:
            for word in found:
                longer = Word((*word.letters, letter), self._model)
                if longer not in found:
                    return longer.named(spelled(longer.letters))
        return None

    @property
    def _alphabet(self) -> list[str]:
        return [x for g in self.generators for x in (g, opposite(g))]

    def _random(self, length: int, rng: np.random.Generator) -> Word:
        alphabet = self._alphabet
        letters: list[str] = []
        while len(letters) < length:
            letter = alphabet[int(rng.integers(len(alphabet)))]
            if not letters or letters[-1] != opposite(letter):
                letters.append(letter)
        return Word(tuple(letters), self._model, spelled(letters))

    def __contains__(self, element: object) -> bool:
        return type(element) is Word and element.model == self._model and {generator(x) for x in element.letters} <= set(self.generators)

    def _relation(self, text: str) -> tuple[Word, Word]:
        left, equals, right = text.partition("=")
        if equals and not (left.strip() and right.strip()):
            raise OrbitscopeError(f"WordGroup: a side of the relation {text.strip()!r} is empty. Write e for the identity, as in a b = e.")
        return self._known(Word.parse(left), text), self._known(Word.parse(right), text)

    def _known(self, word: Word, text: str) -> Word:
        if unknown := {generator(x) for x in word.letters} - set(self.generators):
            raise OrbitscopeError(
                f"WordGroup: {text!r} uses {', '.join(sorted(unknown))}; the generators are {', '.join(self.generators)}."
            )
        return word

    @property
    def _value(self) -> tuple[object, ...]:
        return self.name, self.generators, self.relations, self._model, self.length


def free(rank: int) -> WordGroup:
    """The free group in x1, x2, ..., `rank` of them: words and their cancellations, nothing else; named F2, say.

    >>> [w.name for w in free(2).probes(4)][0], free(2).word("x1 x2") == free(2).word("x2 x1")
    ('e', False)
    """
    _within("free", "rank", rank, 1, 64)
    return WordGroup([f"x{i + 1}" for i in range(rank)], name=f"F{rank}")


def braid(strands: int) -> WordGroup:
    r"""Artin's braid group $B_n$: $s_i s_{i+1} s_i = s_{i+1} s_i s_{i+1}$, and $s_i s_j = s_j s_i$ for strands apart; generators s1, s2,
    ...

    * `strands`: n, at least 2. Words are compared by their left normal forms, which is exact for every n.

    >>> b3 = braid(3)
    >>> b3, b3.word("s1 s2 s1") == b3.word("s2 s1 s2"), b3.word("s1^2").is_identity
    (B3, True, False)
    """
    _within("braid", "strands", strands, 2, 64)
    names = [f"s{i + 1}" for i in range(strands - 1)]
    images = {s: Braid.crossing(strands, i) for i, s in enumerate(names)}
    return WordGroup(names, _braiding(names), name=f"B{strands}", images=images)


def presented_symmetric(size: int) -> WordGroup:
    r"""$S_n$ as a Coxeter group in words, $s_i^2 = 1$ and the relations of `braid`: s1 exchanges the things at places 0 and 1, and so on.

    * `size`: n, at least 2. Words are compared by the permutations they are. For the permutations themselves see `symmetric`.

    >>> presented_symmetric(3), presented_symmetric(3).word("s1 s2 s1") == presented_symmetric(3).word("s2 s1 s2")
    (<S3>, True)
    """
    _within("presented_symmetric", "size", size, 2, 64)
    names = [f"s{i + 1}" for i in range(size - 1)]
    images = {s: Permutation((*range(i), i + 1, i, *range(i + 2, size))) for i, s in enumerate(names)}
    return WordGroup(names, [*(f"{s}^2" for s in names), *_braiding(names)], name=f"<S{size}>", images=images)


def presented_cyclic(order: int) -> WordGroup:
    """$C_n$ in words: one generator r with $r^n = 1$, `order` n from 1 to 1000; named <C5>, say. Rotations of the plane: `cyclic`."""
    _within("presented_cyclic", "order", order, 1, 1000)
    turn = Permutation((*range(1, order), 0))
    return WordGroup(["r"], [f"r^{order}"], name=f"<C{order}>", images={"r": turn})


def parse_presentation(text: str) -> WordGroup:
    """The group that a presentation such as "<a, b | a^2, a b a = b a b>" or a name such as "<S4>" writes."""
    inside = text.strip().removeprefix("<").removesuffix(">").strip()
    if match := re.fullmatch(r"([SC])(\d+)", inside):
        return (presented_symmetric if match[1] == "S" else presented_cyclic)(int(match[2]))
    names, _, relations = inside.partition("|")
    listed = [[part.strip() for part in side.split(",") if part.strip()] for side in (names, relations)]
    return WordGroup(*listed)


def _braiding(names: Sequence[str]) -> list[str]:
    near = [f"{a} {b} {a} = {b} {a} {b}" for a, b in zip(names, names[1:], strict=False)]
    return near + [f"{a} {b} = {b} {a}" for i, a in enumerate(names) for b in names[i + 2 :]]


def _written(relation: tuple[Word, Word]) -> str:
    left, right = (spelled(w.letters) for w in relation)
    return left if right == "e" else f"{left} = {right}"


def _product(letters: Sequence[str], matrices: Mapping[str, NDArray[np.float64]], size: int) -> NDArray[np.float64]:
    at = np.eye(size)
    for letter in letters:
        at = at @ matrices[letter]
    return at


def _within(function: str, argument: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise OrbitscopeError(f"{function}: `{argument}` should be {least} .. {most}, got {value}.")
