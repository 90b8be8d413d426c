"""Words as states: what a network that reads words is given, and how an element of their group moves it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ._action import Action
from ._presented import WordGroup
from ._states import State, parts
from ._word import Word, generator, opposite


class Words(Action[Word]):
    r"""$g\,w$: words written from the left, as states of letters [N, `length`], whole numbers.

    * `group`: a `WordGroup`. 0 is no letter, 2k + 1 the generator k, 2k + 2 its inverse; `vocabulary` names them in that order.
    * `length`: letters that a state has room for; a word is filled up with 0 on the right.

    Two states are compared as elements of the group: distance 0 where they are one element, 1 where they are not; where the group does
    not decide that (`WordGroup.solved`), letters are compared after free reduction. Raises `OrbitscopeError` for letters outside the
    vocabulary, and where a moved word is longer than `length`.

    >>> from orbitscope.symmetry import braid
    >>> act = Words(braid(3), 6)
    >>> act(braid(3).word("s2"), act.encode(["s1 s2^-1"])).tolist()
    [[3, 1, 4, 0, 0, 0]]
    """

    channels = ("word",)
    linear = False

    def __init__(self, group: WordGroup, length: int) -> None:
        if length < 1:
            raise OrbitscopeError(f"Words: `length` should be at least 1, got {length}.")
        self.group, self.length = group, length
        self.vocabulary = ("", *(x for g in group.generators for x in (g, opposite(g))))
        self._number = {letter: k for k, letter in enumerate(self.vocabulary)}

    def encode(self, words: Sequence[Word | str]) -> Tensor:
        """`words`, or texts such as "a b^-1", as a state [N, length]."""
        return torch.tensor([self._row(self.group.word(w) if isinstance(w, str) else w) for w in words], dtype=torch.long)

    def decode(self, state: State) -> list[Word]:
        """The words of `state` [N, length]."""
        (rows,) = parts(state)
        if rows.is_floating_point() or rows.ndim != 2 or bool(((rows < 0) | (rows >= len(self.vocabulary))).any()):
            raise OrbitscopeError(
                f"Words: `state` should hold whole numbers 0 .. {len(self.vocabulary) - 1}, [N, {self.length}]; got {rows.dtype} "
                f"{tuple(rows.shape)}."
            )
        model = self.group.identity.model
        return [Word(tuple(self.vocabulary[k] for k in row if k), model) for row in rows.tolist()]

    def __call__(self, element: Word, state: State) -> Tensor:
        self.require(element)
        (rows,) = parts(state)
        return torch.tensor([self._row(element @ w) for w in self.decode(rows)], dtype=rows.dtype, device=rows.device)

    def require(self, element: Word) -> None:
        if not isinstance(element, Word) or {generator(x) for x in element.letters} - set(self.group.generators):
            raise OrbitscopeError(f"Words: {element!r} should be a word in {', '.join(self.group.generators)}.")

    def squares(self, a: State, b: State | None = None, element: Word | None = None) -> Tensor:
        first = self.decode(a)
        if b is None:
            return torch.ones(len(first), 1, dtype=torch.float64)
        return torch.tensor([[float(p != q)] for p, q in zip(first, self.decode(b), strict=True)], dtype=torch.float64)

    def _row(self, word: Word) -> list[int]:
        if len(word) > self.length:
            raise OrbitscopeError(f"Words: {word!r} has {len(word)} letters, and `length` leaves room for {self.length}.")
        return [self._number[x] for x in word.letters] + [0] * (self.length - len(word))
