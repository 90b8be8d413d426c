"""Tasks on words: which words, which label, what is one element, and how a split keeps an element in one part."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ...data import Examples
from ...symmetry import WordGroup, Words, braid
from ._labels import burau3, harder_narasimhan, jordan_hoelder, orders, partitions, permutations, possible_orders
from ._labels import cycle_types as types_of
from ._presentations import artin, coxeter, presentation

Rows = NDArray[np.int64]
Split = Literal["element", "coset", "length", "word"]
SPLITS = get_args(Split)
_MOST = 4096  # elements of a finite group whose orders are looked for


@dataclass(frozen=True)
class WordTask:
    """A group of words with a label for each: what a scenario makes, and what a run needs to know again.

    * `name`: for results. `group`: the presentation. `label(words)`: [N, k] whole numbers, or class numbers [N], of rows of signed letters.
    * `element(words)`: a key for each word, equal where words are one element (or, where that is not decided, where labels cannot differ).
    * `classes`: names of the classes, for class numbers. `outputs`: numbers of an answer. `invertible`: whether words hold inverses.
    """

    name: str
    group: WordGroup
    label: Callable[[Rows], NDArray[np.int64]]
    element: Callable[[Rows], Sequence[Hashable]]
    outputs: int
    classes: tuple[str, ...] = ()
    invertible: bool = True

    def signed(self, states: torch.Tensor) -> Rows:
        """The `states` of `Words` as signed letters: 2k + 1 is k + 1, 2k + 2 is -(k + 1)."""
        rows = states.numpy()
        return np.where(rows % 2 == 1, (rows + 1) // 2, -(rows // 2))

    def states(self, rows: Rows) -> torch.Tensor:
        """The `rows` of signed letters as states of `Words`."""
        return torch.from_numpy(np.where(rows > 0, 2 * rows - 1, -2 * rows).astype(np.int64))

    def examples(self, rows: Rows, about: dict[str, Any] | None = None) -> Examples:
        """The words in `rows` of signed letters with their labels; counts are float32, classes whole numbers.

        * `about`: goes into the examples.
        """
        found = torch.from_numpy(np.ascontiguousarray(self.label(rows)))
        return Examples(self.states(rows), found if self.classes else found.float(), name=self.name, about=about or {})

    def all_words(self, length: int) -> int:
        """How many words there are of up to `length` letters."""
        letters = len(self.group.generators) * (2 if self.invertible else 1)
        return sum(letters**k for k in range(length + 1))

    def draw(self, count: int, length: int, seed: int, *, exact: bool = False) -> Rows:
        """Different words of up to `length` letters, filled up with 0 on the right: [count, length].

        * `count`: how many. `length`: letters at most. `seed`: of the draw.
        * `exact`: words of exactly so many letters of the alphabet and "no letter", each place by itself (the published law of orders).

        Raises `OrbitscopeError` where there are not so many words.
        """
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 0x776F7264])))
        size = len(self.group.generators)
        if exact:
            return rng.integers(0, size + 1, (count, length))
        total = self.all_words(length)
        if count > total:
            raise OrbitscopeError(f"simulate: there are {total:,} words of up to {length} letters in {self.name}, fewer than {count:,}.")
        letters = size * (2 if self.invertible else 1)
        ends = np.cumsum([letters**k for k in range(length + 1)])
        chosen = np.sort(rng.choice(total, count, replace=False)) if total < 10 * count or total < 1 << 22 else _distinct(rng, total, count)
        lengths = np.searchsorted(ends, chosen, side="right")
        within = chosen - np.where(lengths > 0, ends[np.maximum(lengths - 1, 0)], 0)
        rows = np.zeros((count, length), dtype=np.int64)
        for place in range(length):
            some = lengths > place
            digit = within[some] % letters
            within[some] //= letters
            rows[some, place] = np.where(digit < size, digit + 1, size - 1 - digit)
        return rows

    def split(self, states: torch.Tensor, kind: Split, seed: int) -> dict[str, NDArray[np.int64]]:
        """Numbers of the words in "train", "validation" (20 of 100) and "test" (20 of 100).

        * `states`: of `Words`, [N, L]. `seed`: of the draw.
        * `kind`: "element": all words of an element are in one part; "coset": all words with one label; "length": the longest words are
          the test; "word": each word by itself, which leaks elements from one part to another.

        Raises `OrbitscopeError` for another kind, and where a part would be empty.
        """
        if kind not in SPLITS:
            raise OrbitscopeError(f"train: `split` should be one of {', '.join(SPLITS)}, got {kind!r}.")
        rows = self.signed(states)
        if kind == "length":
            key = (rows != 0).sum(1)
            cut = np.quantile(key, 0.8)
            late = np.flatnonzero(key > cut) if (key > cut).any() else np.flatnonzero(key == key.max())
            rest = np.setdiff1d(np.arange(len(rows)), late)
            parts = _cut(np.arange(len(rest)), (0.2,), seed)  # elements come again in longer words anyway
            return _full({"train": rest[parts[1]], "validation": rest[parts[0]], "test": late})
        test, validation, train = _cut(self._keys(rows, kind), (0.2, 0.2), seed)
        return _full({"train": train, "validation": validation, "test": test})

    def _keys(self, rows: Rows, kind: Split) -> NDArray[np.int64]:
        if kind == "word":
            return np.arange(len(rows))
        found: Sequence[Hashable] = self.element(rows)
        if kind == "coset":
            found = [tuple(np.atleast_1d(y).tolist()) for y in self.label(rows)]
        known: dict[Hashable, int] = {}
        return np.array([known.setdefault(k, len(known)) for k in found])

    def leak(self, states: torch.Tensor, parts: dict[str, NDArray[np.int64]]) -> float:
        """The share of test words whose element is also that of a training word.

        * `states`: of `Words`, [N, L]. `parts`: numbers of the words of "train" and "test".
        """
        keys = self._keys(self.signed(states), "element")
        return float(np.isin(keys[parts["test"]], keys[parts["train"]]).mean())

    def consistent(self, states: torch.Tensor, labels: torch.Tensor) -> None:
        """Raises `OrbitscopeError` where two spellings of one element have different labels, which no network on elements can learn.

        * `states`: of `Words`, [N, L]. `labels`: [N] or [N, k].
        """
        keys = self._keys(self.signed(states), "element")
        _, first, owner = np.unique(keys, return_index=True, return_inverse=True)
        differ = (labels != labels[torch.from_numpy(first[owner])]).reshape(len(labels), -1).any(1).nonzero().flatten()
        if len(differ):
            one, other = int(first[owner[int(differ[0])]]), int(differ[0])
            said = " and ".join(f"{self.encoder(states.shape[1]).decode(states[[k]])[0]} {labels[k].tolist()}" for k in (one, other))
            raise OrbitscopeError(
                f"train: the words {one} and {other} are one element of {self.group} and have different labels: {said}. Words that act on "
                "several objects need a file for each object."
            )

    def encoder(self, length: int) -> Words:
        """The action of the group on words of up to `length` letters."""
        return Words(self.group, length)


def _distinct(rng: np.random.Generator, total: int, count: int) -> NDArray[np.int64]:
    found = np.unique(rng.integers(0, total, count + count // 8 + 16))
    while len(found) < count:
        found = np.unique(np.concatenate([found, rng.integers(0, total, count)]))
    return np.sort(rng.permutation(found)[:count])


def _cut(keys: NDArray[np.int64], shares: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Whole keys into parts of about these shares of the keys, and the rest."""
    different = np.unique(keys)
    order = different[np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 0x73706C74]))).permutation(len(different))]
    ends = [0, *np.cumsum([max(1, round(s * len(order))) for s in shares]), len(order)]
    return [np.flatnonzero(np.isin(keys, order[a:b])) for a, b in zip(ends, ends[1:], strict=False)]


def _full(parts: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    if empty := [name for name, chosen in parts.items() if not len(chosen)]:
        raise OrbitscopeError(f"train: the part {empty[0]!r} of the split would be empty. Give more words, or another split.")
    return parts


def symmetric_task(size: int = 10, label: str = "order") -> WordTask:
    """Words in the exchanges of neighbours among `size` things.

    * `label`: "order" of the permutation, or its "cycle-type", as classes.
    """
    if not 2 <= size <= 20:
        raise OrbitscopeError(f"words.symmetric: `size` should be 2 .. 20, got {size}.")
    if label == "order":
        known = {o: k for k, o in enumerate(possible_orders(size))}
        names = tuple(map(str, known))

        def make(rows: Rows) -> NDArray[np.int64]:
            return np.array([known[o] for o in orders(permutations(rows, size)).tolist()])

    elif label == "cycle-type":
        kinds = {t: k for k, t in enumerate(partitions(size))}
        names = tuple("+".join(map(str, t)) for t in kinds)

        def make(rows: Rows) -> NDArray[np.int64]:
            return np.array([kinds[t] for t in types_of(permutations(rows, size))])

    else:
        raise OrbitscopeError(f"words.symmetric: `label` should be order or cycle-type, got {label!r}.")

    def key(rows: Rows) -> list[Hashable]:
        return [p.tobytes() for p in permutations(rows, size).astype(np.int8)]

    return WordTask(f"symmetric({size}) {label}", coxeter(f"A{size - 1}"), make, key, len(names), names, invertible=False)


def braid3_task(start: int = 1) -> WordTask:
    """Braids of three strands and the Harder-Narasimhan multiplicities of w P_`start`."""

    def label(rows: Rows) -> NDArray[np.int64]:
        return np.array(harder_narasimhan(rows.tolist(), start))

    def key(rows: Rows) -> list[Hashable]:  # Burau's matrices are faithful on three strands up to the sum of the exponents
        return [(burau3(w), int(np.sign(w).sum())) for w in rows.tolist()]

    return WordTask("braid3", braid(3), label, key, 3)


def category_task(diagram: str = "A3", start: int = 1) -> WordTask:
    """Braids of a graph and the Jordan-Hoelder counts of w P_start.

    * `diagram`: A3 (four strands), D4, ~A2, edges such as "1-2 2-3". `start`: the vertex.

    An element's key is the counts from every vertex: one element has one key, and elements with one key stay in one part of a split.
    """
    group = artin(diagram)
    size = len(group.generators)
    jordan_hoelder([[]], diagram, start)  # a wrong vertex is refused now, not when words are labelled

    def label(rows: Rows) -> NDArray[np.int64]:
        return np.array(jordan_hoelder(rows.tolist(), diagram, start))

    def key(rows: Rows) -> list[Hashable]:
        columns = [jordan_hoelder(rows.tolist(), diagram, k + 1) for k in range(size)]
        return list(zip(*columns, strict=True))

    return WordTask(f"category {diagram}", group, label, key, size)


def finite_task(group: str = "<D6>") -> WordTask:
    """Words of a finite group and the orders of their elements, as classes.

    * `group`: a presentation that `presentation` reads and whose words are told apart, such as "<D6>" or "coxeter(D4)".

    Raises `OrbitscopeError` for a group of more than 4096 elements, and for one whose words are not told apart.
    """
    words = presentation(group)
    if not words.solved or not words.relations:
        raise OrbitscopeError(f"words.finite: {words} is not finite or does not tell its words apart. Take <D6>, coxeter(D4), <C5>, ...")
    letters = [words.word(s) for g in words.generators for s in (g, f"{g}^-1")]
    found, frontier = {words.identity: None}, [words.identity]
    while frontier:
        frontier = [h for g in frontier for x in letters if (h := g @ x) not in found and found.setdefault(h) is None]
        if len(found) > _MOST:
            raise OrbitscopeError(f"words.finite: {words} has more than {_MOST} elements.")
    order = {}
    for g in found:
        power, n = g, 1
        while not power.is_identity:
            power, n = power @ g, n + 1
        order[g] = n
    known = {o: k for k, o in enumerate(sorted(set(order.values())))}

    def elements(rows: Rows) -> list[Any]:
        names = words.generators
        spelled = [" ".join(names[abs(x) - 1] + ("^-1" if x < 0 else "") for x in row if x) for row in rows.tolist()]
        return [words.word(s or "e") for s in spelled]

    def label(rows: Rows) -> NDArray[np.int64]:
        return np.array([known[order[g]] for g in elements(rows)])

    return WordTask(f"finite {words.name}", words, label, elements, len(known), tuple(map(str, known)))
