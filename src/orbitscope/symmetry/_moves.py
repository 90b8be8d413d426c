"""Moves that form no group: operations that leave what a state means alone, such as re-meshing a surface."""

from collections.abc import Iterable

import numpy as np

from .._errors import OrbitscopeError
from ._group import Group
from ._word import Word


class Moves(Group[Word]):
    r"""Operations by name that have no inverse; composed, they are words, the last letter done first.

    An instrument looks at the moves that are listed, the identity first. Error, influence and null mean the same as under a group;
    subgroups and their words do not apply, so all of them together stand for the whole. An inverse letter is formal: an action of such
    moves refuses it (`require`), and what is invariant, such as the answer of a simulator, needs none.

    * `name`: what results call them.
    * `moves`: letters, such as "split_30", or words of several; an action knows what they do.

    Raises `OrbitscopeError` for moves that repeat, hold an inverse, or are none.

    >>> cuts = Moves("cuts", ["split_30", "flip_50"])
    >>> [m.name for m in cuts.probes()], cuts.probes()[1] in cuts, cuts.probes()[1].inverse() in cuts
    (['e', 'split_30', 'flip_50'], True, False)
    """

    finite = False

    def __init__(self, name: str, moves: Iterable[str | Word]) -> None:
        self.name = name
        words = [m if isinstance(m, Word) else Word((m,), name=m) for m in moves]
        self._moves = tuple(w if w.name else w.named(" after ".join(w.letters)) for w in words)
        if not self._moves or any(not w.letters for w in self._moves) or len({w.letters for w in self._moves}) < len(self._moves):
            raise OrbitscopeError(f"Moves {name!r}: `moves` should be different words of at least one letter, got {list(self._moves)}.")
        if wrong := [w for w in self._moves if any(letter.endswith("^-1") for letter in w.letters)]:
            raise OrbitscopeError(f"Moves {name!r}: {wrong[0].name!r} holds an inverse, which no move has.")

    @property
    def identity(self) -> Word:
        """The move that leaves a state as it is."""
        return Word((), name="e")

    def probes(self, count: int | None = None, seed: int = 0) -> tuple[Word, ...]:
        """The identity and all moves that are listed, or a choice of `count - 1` of them, drawn by `seed`; see `Group.probes`."""
        return super().probes(1 + len(self._moves) if count is None else count, seed)

    def _drawn(self, count: int, rng: np.random.Generator) -> tuple[Word, ...]:
        if count > len(self._moves):
            return (self.identity, *self._moves)
        chosen = sorted(rng.permutation(len(self._moves))[: count - 1])
        return (self.identity, *(self._moves[i] for i in chosen))

    def __contains__(self, element: object) -> bool:
        known = {letter for w in self._moves for letter in w.letters}
        return isinstance(element, Word) and set(element.letters) <= known

    @property
    def _value(self) -> tuple[object, ...]:
        return self.name, tuple((w.name, w.letters) for w in self._moves)
