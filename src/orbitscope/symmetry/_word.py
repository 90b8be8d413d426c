"""Elements that are words in named generators and their inverses."""

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from .._errors import OrbitscopeError
from ._element import E, Element, Keyed, require_alike

_SYLLABLE = re.compile(r"([A-Za-z_]\w*)(?:\^(-?\d+))?")
_INVERSE = "^-1"


@dataclass(frozen=True)
class Model:
    """What decides whether two words are one element: an element per generator, of which equal products mean equal words."""

    images: tuple[tuple[str, Element], ...]

    @cached_property
    def table(self) -> dict[str, Element]:
        """Generator -> its element."""
        return dict(self.images)


@dataclass(frozen=True, eq=False, repr=False)
class Word(Keyed):
    r"""A product of generators and inverses, $w = a_1^{\pm 1} a_2^{\pm 1} \cdots$, the last one done first; freely reduced when it is made.

    * `letters`: "a" for a generator, "a^-1" for its inverse. `model`: decides equality (set by the `WordGroup` that the word belongs to).
      `name`: what results call it; without one the word itself is printed, which `Word.parse` reads.

    Words with a model are equal where the products in the model are. Words without one are equal where their letters are, after $a a^{-1}$
    was cancelled: that decides equality in a free group; in a group with relations two words for one element may then differ. Raises
    `OrbitscopeError` for letters that are no generators of the model.

    >>> a = Word.parse("s1 s2^2 s1^-1")
    >>> a.letters, a @ Word.parse("s1 s2^-1"), (a @ a.inverse()).is_identity
    (('s1', 's2', 's2', 's1^-1'), s1 s2, True)
    """

    letters: tuple[str, ...] = ()
    model: Model | None = None
    name: str = field(default="")

    def __post_init__(self) -> None:
        kept: list[str] = []
        for letter in self.letters:
            if kept and kept[-1] == opposite(letter):
                kept.pop()
            else:
                kept.append(letter)
        object.__setattr__(self, "letters", tuple(kept))
        known = None if self.model is None else self.model.table
        if known is not None and (unknown := {generator(x) for x in kept} - known.keys()):
            raise OrbitscopeError(f"Word: {', '.join(sorted(unknown))} should be among the generators {', '.join(known)}.")

    @classmethod
    def parse(cls, text: str, model: Model | None = None) -> "Word":
        """The word that `text` spells, such as "a b^-1 a^3"; "e" and "" are the empty word.

        * `model`: how words are told apart, as of a `Word`; None: as written.

        Raises `OrbitscopeError` for other texts.
        """
        letters: list[str] = []
        for syllable in [] if text.strip() == "e" else text.split():
            match = _SYLLABLE.fullmatch(syllable)
            if match is None:
                raise OrbitscopeError(f"Word.parse: cannot read {syllable!r} in {text!r}. Write generators and powers: a b^-1 a^3.")
            power = int(match[2] or 1)
            letters += [match[1] if power > 0 else match[1] + _INVERSE] * abs(power)
        return cls(tuple(letters), model)

    def __len__(self) -> int:
        return len(self.letters)

    def image(self, images: Mapping[str, E], identity: E) -> E:
        """The product of the `images` of the letters, beginning with `identity`: the homomorphism that they define on a free group."""
        at = identity
        for letter in self.letters:
            g = images[generator(letter)]
            at = at @ (g.inverse() if letter.endswith(_INVERSE) else g)
        return at

    @cached_property
    def key(self) -> Hashable:  # pyright: ignore[reportIncompatibleMethodOverride]  # a property that is kept
        """What equality and hashing compare: the model and the product in it, or the letters."""
        return self.letters if self.model is None else (self.model, self._product)

    @property
    def is_identity(self) -> bool:
        """Whether the product in the model is the identity; without a model, whether no letter is left."""
        return not self.letters or (self.model is not None and self._product.is_identity)

    @cached_property
    def _product(self) -> Element:
        assert self.model is not None
        first = self.model.images[0][1]
        return self.image(self.model.table, first @ first.inverse())

    def __matmul__(self, other: Self) -> Self:
        require_alike(self, other)
        if self.model != other.model:
            raise OrbitscopeError("Word: words of two groups do not compose. Make both with one group: `group.word(...)`.")
        return type(self)(self.letters + other.letters, self.model)

    def inverse(self) -> Self:
        """The word backwards, every letter inverted."""
        return type(self)(tuple(opposite(x) for x in reversed(self.letters)), self.model)

    def named(self, name: str) -> Self:
        """The same word with `name` as its name."""
        return type(self)(self.letters, self.model, name)

    def _written(self) -> str:
        return spelled(self.letters)


def opposite(letter: str) -> str:
    """The letter that cancels this one."""
    return letter.removesuffix(_INVERSE) if letter.endswith(_INVERSE) else letter + _INVERSE


def generator(letter: str) -> str:
    """The generator of a letter."""
    return letter.removesuffix(_INVERSE)


def spelled(letters: Iterable[str]) -> str:
    """Letters as a text with powers; "e" for none."""
    runs: list[list[str]] = []
    for letter in letters:
        if runs and runs[-1][0] == letter:
            runs[-1].append(letter)
        else:
            runs.append([letter])
    powers = [(generator(run[0]), -len(run) if run[0].endswith(_INVERSE) else len(run)) for run in runs]
    return " ".join(g if p == 1 else f"{g}^{p}" for g, p in powers) or "e"
