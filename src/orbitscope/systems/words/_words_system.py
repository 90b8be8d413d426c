"""The system of words: its scenarios, models and symmetries by name."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..._errors import OrbitscopeError
from ...data import Examples
from ...symmetry import Classes, Invariant, State, Symmetry, Words, parts
from ...training import Loss
from .._system import System, SystemModel, SystemScenario
from ._baselines import WordLSTM, WordMLP, WordTransformer
from ._losses import ExactMatch, RelativeError, WordLoss
from ._matrixnet import MatrixNet
from ._moves import Conjugated, FromTheRight, Powers, Relators, Respelled, filled, letters_of, longest_relator
from ._tasks import SPLITS, WordTask, braid3_task, category_task, finite_task, symmetric_task

ROOM = 2
"""Places that a probe leaves for conjugators, beside those for a relator."""

_TASKS: dict[str, tuple[Callable[..., WordTask], dict[str, Any]]] = {
    "words.symmetric10": (symmetric_task, {"size": 10, "label": "order"}),
    "words.braid3": (braid3_task, {"start": 1}),
    "words.braid4": (category_task, {"diagram": "A3", "start": 1}),
    "words.category": (category_task, {"diagram": "D4", "start": 1}),
    "words.finite": (finite_task, {"group": "<D6>"}),
}


def task_of(examples: Examples) -> WordTask:
    """The task that the examples of a scenario come from; raises `OrbitscopeError` for other examples.

    * `examples`: made by `simulate`, with the scenario in `about`.
    """
    name, given = examples.about.get("scenario"), examples.about.get("parameters", {})
    if name not in _TASKS or not isinstance(given, Mapping):
        raise OrbitscopeError(
            f"words: these examples say nothing of their group ({name!r}). Make them with `orbitscope simulate words.braid3`, or save "
            "your own with about={'scenario': 'words.finite', 'parameters': {'group': '<D6>'}}."
        )
    make, defaults = _TASKS[name]
    return make(**{k: given.get(k, v) for k, v in defaults.items()})


def _scenario(name: str, description: str, length: int, notes: str = "", published: bool = False) -> SystemScenario:
    make, defaults = _TASKS[name]

    def examples(count: int, seed: int, progress: Any, *, length: int, split: str, **of_task: Any) -> Examples:
        if length < 1:
            raise OrbitscopeError(f"simulate: `length` should be at least 1, got {length}.")
        if split not in SPLITS:
            raise OrbitscopeError(f"simulate: `split` should be one of {', '.join(SPLITS)}, got {split!r}.")
        task = make(**of_task)
        rows = task.draw(count, length, seed, exact=published)
        if progress is not None:
            progress(f"label {name}", 0, count)
        found = task.examples(rows)
        if progress is not None:
            progress(f"label {name}", count, count)
        return found

    return SystemScenario(name, description, examples, {**defaults, "length": length, "split": "element"}, notes)


def _matrixnet(examples: Examples, **options: Any) -> nn.Module:
    """What suits the labels, where `options` leave it open: counts are of an object and scale with it, up to sign; generators that are
    their own inverses are reflections; orders of small groups belong to conjugacy classes, which traces tell apart."""
    task = task_of(examples)
    if task.name.startswith("finite"):
        own = all((task.group.word(g) @ task.group.word(g)).is_identity for g in task.group.generators)
        suits = {"kind": "householder" if own else "orthogonal", "block": "linear", "channels": 8, "size": 4, "traces": 6}
        suits["relation_weight"] = 1.0  # has local minima in which elements fall together: several channels are several starts
    elif task.classes:
        suits = {"kind": "householder", "block": "linear", "size": len(task.group.generators) + 1, "head": (256, 256)}
    else:
        suits = {"size": 8, "homogeneous": True, "vectors": 1, "even": True, "relation_weight": 0.01}
    return MatrixNet(task.group, task.outputs, **{**suits, **options})


def _reader(make: Callable[..., nn.Module], sized: bool = False) -> Callable[..., nn.Module]:
    def build(examples: Examples, **options: Any) -> nn.Module:
        task = task_of(examples)
        letters = 1 + 2 * len(task.group.generators)
        length = (int(_rows(examples).shape[1]) + _room(task),) if sized else ()
        return make(letters, *length, task.outputs, **options)

    return build


class WordsSystem(System):
    """Groups by generators and relations: words, exact labels, networks that learn the matrices behind them."""

    name = "words"
    scenarios: ClassVar[Mapping[str, SystemScenario]] = {
        s.name: s
        for s in (
            _scenario(
                "words.symmetric10", "words of ten exchanges and the order of the permutation (16 classes)", 16, published=True,
                notes="Letters and 'no letter' are equally likely in every place, as in the published data; a constant is right in 32 %.",
            ),
            _scenario("words.braid3", "braids of three strands and their Harder-Narasimhan multiplicities", 6),
            _scenario("words.braid4", "braids of four strands and Jordan-Hoelder counts in the zigzag category of A3", 6),
            _scenario("words.category", "braids of a graph and Jordan-Hoelder counts in its zigzag category", 5),
            _scenario("words.finite", "words of a finite group and the orders of their elements", 8),
        )
    }  # fmt: skip
    models: ClassVar[Mapping[str, SystemModel]] = {
        m.name: m
        for m in (
            SystemModel(
                "matrixnet", "learns a matrix for each generator, multiplies them along the word, and reads the product", _matrixnet,
                {
                    "small": {},
                    "medium": {"channels": 2, "head": (256, 256)},
                    "paper": {
                        "size": 8, "block": "tanh", "kind": "expm", "relation_weight": 0.0, "homogeneous": False, "vectors": 0,
                        "even": False, "traces": 0, "head": (64, 64),
                    },
                },
                {"learning_rate": 3e-3, "batch": 64, "epochs": 150, "weight_decay": 0.0},
            ),
            SystemModel(
                "words_mlp", "a perceptron on the letters side by side", _reader(WordMLP, sized=True),
                {"small": {"width": 96}, "medium": {"width": 256}}, {"epochs": 60, "batch": 64},
            ),
            SystemModel(
                "words_lstm", "an LSTM over the letters", _reader(WordLSTM), {"small": {"width": 32}, "medium": {"width": 96}},
                {"epochs": 60, "batch": 64, "learning_rate": 3e-3},
            ),
            SystemModel(
                "words_transformer", "a transformer over the letters", _reader(WordTransformer),
                {"small": {"width": 24, "depth": 2}, "medium": {"width": 64, "depth": 2}}, {"epochs": 60, "batch": 64},
            ),
        )
    }  # fmt: skip

    def split(self, examples: Examples, seed: int) -> dict[str, NDArray[np.int64]]:
        """As the examples ask: whole elements by default, so that no test word spells a trained element in another way."""
        kind, task = str(examples.about.get("parameters", {}).get("split", "element")), task_of(examples)
        if isinstance(examples.y, torch.Tensor):
            task.consistent(_rows(examples), examples.y)
        return task.split(_rows(examples), kind, seed)  # pyright: ignore[reportArgumentType]  # `split` refuses other kinds

    def loss(self, model: str, examples: Examples) -> Loss:
        """Cross entropy of classes, or the mean square of counts, and the relations where a model weighs them."""
        return WordLoss("cross_entropy" if task_of(examples).classes else "mse")

    def metrics(self, model: str, examples: Examples) -> dict[str, Loss]:
        """The part of exactly right answers; of counts also the relative error."""
        return {"exact": ExactMatch(), **({} if task_of(examples).classes else {"relative": RelativeError()})}

    def probed(self, examples: Examples) -> Examples:
        """The examples with room for the letters of a relator and a conjugator."""
        made = filled(examples.x, _room(task_of(examples)))
        return Examples(made, examples.y, examples.unit, examples.slot, examples.name, examples.about)

    def law(self, examples: Examples) -> Callable[[State], State]:
        """The labels, computed."""
        task = task_of(examples)

        def labels(words: State) -> State:
            return task.examples(task.signed(_whole(words))).y

        return labels

    def symmetries(self, examples: Examples, model: nn.Module | None = None) -> dict[str, Symmetry]:
        """Other spellings ("relations") for every label; "conjugation" for classes of elements; for counts "stabiliser", what fixes the
        object that is acted on."""
        task, length = task_of(examples), int(_rows(examples).shape[1])
        output = Classes(task.classes) if task.classes else Invariant(tuple(f"count{k + 1}" for k in range(task.outputs)))
        words = Words(task.group, length)
        found = {"relations": Symmetry(Relators(task.group), Respelled(task.group, length), output, name="relations")}
        if task.classes:
            found["conjugation"] = Symmetry(letters_of(task.group), Conjugated(words), output, name="conjugation")
        else:
            start = int(examples.about["parameters"].get("start", 1))
            fixed = Powers(task.group.word(f"s{start}"))
            found["stabiliser"] = Symmetry(fixed, FromTheRight(words), output, name="stabiliser")
        return found


def _rows(examples: Examples) -> torch.Tensor:
    if isinstance(examples.x, tuple) or examples.x.ndim != 2 or examples.x.is_floating_point():
        raise OrbitscopeError("words: `x` of the examples should be words as whole numbers [N, letters].")
    return examples.x


def _whole(words: State) -> torch.Tensor:
    (rows,) = parts(words)
    return rows


def _room(task: WordTask) -> int:
    return max(longest_relator(task.group), 1) + ROOM


SYSTEM = WordsSystem()
