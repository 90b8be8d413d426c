"""Motions of words that leave labels alone: other spellings of one element, conjugation, inversion, and what fixes the start."""

import numpy as np
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...symmetry import Action, Group, State, Word, WordGroup, Words, parts


class Relators(Group[Word]):
    r"""The words that the relations make trivial: products of $c\, r^{\pm 1} c^{-1}$, r a relator, c a word; as words of the free group.

    Multiplying a word by one spells the same element in another way. Relations l = r give the relators $l\, r^{-1}$.

    * `group`: whose relations. `conjugators`: letters of c, at most.

    Raises `OrbitscopeError` for a group without relations.
    """

    def __init__(self, group: WordGroup, conjugators: int = 1) -> None:
        if not group.relations:
            raise OrbitscopeError(f"Relators: {group} has no relations, so every element has one spelling.")
        self.spelled, self.conjugators = group, conjugators
        self.free = WordGroup(group.generators)
        self.name = f"relators of {group.name}"

    @property
    def identity(self) -> Word:
        """The empty word."""
        return self.free.identity

    def _drawn(self, count: int, rng: np.random.Generator) -> tuple[Word, ...]:
        found = {self.identity: None}
        letters = [x for g in self.free.generators for x in (g, f"{g}^-1")]
        tries = 0
        while len(found) < count and tries < 50 * count:
            tries += 1
            left, right = self.spelled.relations[int(rng.integers(len(self.spelled.relations)))]
            relator = Word(left.letters) @ Word(right.letters).inverse()
            relator = relator.inverse() if rng.integers(2) else relator
            chosen = [letters[int(k)] for k in rng.integers(0, len(letters), int(rng.integers(0, self.conjugators + 1)))]
            c = Word(tuple(chosen))
            whole = c @ relator @ c.inverse()
            found.setdefault(whole.named(repr(whole)))
        return tuple(found)

    def __contains__(self, element: object) -> bool:
        if not isinstance(element, Word) or element.model is not None or not self.spelled.solved:
            return False
        return Word(element.letters, self.spelled.identity.model).is_identity

    @property
    def _value(self) -> tuple[object, ...]:
        return self.name, self.spelled, self.conjugators


class Respelled(Words):
    """Spellings: a relator is written before a word, and only neighbours that cancel are taken out.

    * `group`: whose words. `length`: letters that a state has room for.
    """

    def __init__(self, group: WordGroup, length: int) -> None:
        super().__init__(WordGroup(group.generators), length)


class Conjugated(Action[Word]):
    r"""$w \mapsto g w g^{-1}$ on words.

    * `words`: the action from the left whose states are moved.
    """

    channels, linear = ("word",), False

    def __init__(self, words: Words) -> None:
        self.words = words

    def __call__(self, element: Word, state: State) -> State:
        self.require(element)
        return self.words.encode([element @ w @ element.inverse() for w in self.words.decode(state)])

    def require(self, element: Word) -> None:
        self.words.require(element)

    def squares(self, a: State, b: State | None = None, element: Word | None = None) -> Tensor:
        return self.words.squares(a, b)


class FromTheRight(Conjugated):
    r"""$w \mapsto w g^{-1}$ on words: what fixes the object that a word acts on leaves the label alone.

    * `words`: the action from the left whose states are moved.
    """

    def __call__(self, element: Word, state: State) -> State:
        self.require(element)
        return self.words.encode([w @ element.inverse() for w in self.words.decode(state)])


class Powers(Group[Word]):
    """The powers of one word, from -2 to 2 in the probes.

    * `word`: whose powers.
    """

    def __init__(self, word: Word) -> None:
        self.word, self.name = word, f"powers of {word}"

    @property
    def identity(self) -> Word:
        """The empty word."""
        return self.word @ self.word.inverse()

    def _drawn(self, count: int, rng: np.random.Generator) -> tuple[Word, ...]:
        one, back = self.word, self.word.inverse()
        powers = {"e": self.identity, "1": one, "-1": back, "2": one @ one, "-2": back @ back}
        return tuple(w.named(k if k == "e" else f"({self.word})^{k}") for k, w in powers.items())[:count]

    def __contains__(self, element: object) -> bool:
        return isinstance(element, Word) and set(element.letters) <= {*self.word.letters, *self.word.inverse().letters}

    @property
    def _value(self) -> tuple[object, ...]:
        return self.name, self.word


def letters_of(group: WordGroup) -> WordGroup:
    """The same group, of which instruments look at single letters."""
    model = group.identity.model
    relations = [f"{left} = {right}" for left, right in group.relations]
    return WordGroup(group.generators, relations, name=group.name, images=None if model is None else model.table, length=1)


def longest_relator(group: WordGroup) -> int:
    """Letters of the longest relator."""
    return max((len(left) + len(right) for left, right in group.relations), default=0)


def filled(state: State, places: int) -> Tensor:
    """`state` with `places` more places at the end, empty."""
    (rows,) = parts(state)
    return nn.functional.pad(rows, (0, places))
