"""What the study of learnt representations consists of: tasks, models, settings, jobs."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from harness import Folder
from torch import nn

from orbitscope.systems.words import (
    MatrixNet,
    WordLSTM,
    WordMLP,
    WordTask,
    WordTransformer,
    braid3_task,
    category_task,
    finite_task,
    symmetric_task,
)


@dataclass(frozen=True)
class Task:
    """Words with labels, how they are split, and the lengths at which a trained network is looked at beyond that."""

    make: Callable[[], WordTask]
    length: int
    beyond: tuple[int, ...]
    split: str = "element"
    many: bool = False


def finite(group: str) -> Callable[[], WordTask]:
    """The orders of the elements of a finite group."""
    return lambda: finite_task(group)


TASKS = {
    "braid3": Task(braid3_task, 6, (7, 8, 10, 12, 18, 24)),
    "braid3, split by word": Task(braid3_task, 6, (), "word"),
    "braid4": Task(lambda: category_task("A3"), 6, (7, 8, 10, 12)),
    "D4": Task(lambda: category_task("D4"), 5, (6, 8, 10)),
    "orders in D6": Task(finite("<D6>"), 8, (16, 32), "length"),  # twelve elements: none can be held out
    "orders in W(D4)": Task(finite("coxeter(D4)"), 8, (16, 32)),
    "orders in S10": Task(symmetric_task, 16, (32, 64), many=True),
}

#: Name -> what it is; the first is ours, those with "published" the blocks of the paper.
MODELS = {
    "matrixnet": (
        "matrices by expm of a tanh block, relations in the loss (weight .01), which act on a learnt vector; a head that scales with it "
        "and does not see its sign"
    ),
    "matrixnet, whole product": "the same with a head that sees the whole product and its sign",
    "published, linear": "expm of a linear block",
    "published, two-layer": "expm of a two-layer block",
    "published, tanh": "expm of a tanh block",
    "published, silu": "expm of a silu block",
    "published, three channels": "three blocks of 4 x 4, expm of a linear block",
    "published, tanh and relations": "expm of a tanh block, relations in the loss (weight .01)",
    "householder": "reflections, so that every generator is its own inverse exactly",
    "householder, classes": (
        "reflections whose products are read by the traces of their first six powers, so that conjugate elements have one answer exactly, "
        "with relations in the loss (weight 1)"
    ),
    "expm": "expm of a linear block, as many rows as things are permuted",
    "expm, twice the size": "expm of a linear block, twice as many rows",
    "fixed": "matrices of a known representation, only the head is learnt",
    "fixed, same head": "the same, acting on a learnt vector, with the head of matrixnet",
    "LSTM": "an LSTM over the letters",
    "transformer": "a transformer over the letters",
    "perceptron": "a perceptron on the letters side by side",
}
_PUBLISHED = {
    "published, linear": {"block": "linear"}, "published, two-layer": {"block": "two-layer"}, "published, tanh": {"block": "tanh"},
    "published, silu": {"block": "silu"}, "published, three channels": {"block": "linear", "channels": 3, "size": 4},
    "published, tanh and relations": {"block": "tanh", "relation_weight": 0.01},
}  # fmt: skip
#: Which models a task is given to; the slow ones run for fewer seeds on the task with many words.
_BRAIDS = ("matrixnet", "matrixnet, whole product", *_PUBLISHED, "fixed", "fixed, same head", "LSTM", "transformer", "perceptron")
CAST = {
    "braid3": _BRAIDS,
    "braid3, split by word": ("matrixnet", "matrixnet, whole product", "published, tanh", "LSTM", "transformer"),
    "braid4": ("matrixnet", "matrixnet, whole product", "published, tanh", "LSTM", "transformer", "perceptron"),
    "D4": ("matrixnet", "matrixnet, whole product", "published, tanh", "LSTM", "transformer", "perceptron"),
    "orders in D6": ("householder, classes", "householder", "expm", "LSTM", "transformer", "perceptron"),
    "orders in W(D4)": ("householder, classes", "householder", "expm", "LSTM", "transformer", "perceptron"),
    "orders in S10": ("householder", "fixed", "expm", "expm, twice the size", "LSTM", "transformer", "perceptron"),
}
SOME = ("braid4", "D4", "braid3, split by word", "orders in D6", "orders in W(D4)")
SLOW = ("expm", "expm, twice the size", "LSTM", "transformer", "perceptron")


@dataclass(frozen=True)
class Settings:
    """One TOML file.

    `seeds`: of words, split and training; `slow_seeds`: how many of them the slow models run on the task with many words, `category_seeds`
    on other graphs, small groups and fewer words. `words`,
    `many_words`: of a task (all there are, if fewer). `epochs`, `epochs_many`: of a training. `parts`: smaller shares of the training words
    of braid3. `drawn`: words at every length beyond the training. `tasks`, `models`: names.
    """

    name: str
    seeds: list[int]
    slow_seeds: int
    category_seeds: int
    words: int
    many_words: int
    epochs: int
    epochs_many: int
    parts: list[float]
    drawn: int
    tasks: list[str]
    models: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """One model on one task with one seed, and on a share of its training words."""

    task: str
    model: str
    seed: int
    part: float = 1.0

    @property
    def key(self) -> str:
        return "".join(c if c.isalnum() else "-" for c in f"{self.task}_{self.model}_{self.part:g}_{self.seed}")

    @property
    def label(self) -> dict[str, Any]:
        return asdict(self)


def jobs(settings: Settings) -> list[Job]:
    """All jobs, seed by seed."""
    found = []
    for number, seed in enumerate(settings.seeds):
        for task in settings.tasks:
            for model in CAST[task]:
                if settings.models and model not in (*settings.models, "householder"):
                    continue
                if number >= (
                    settings.slow_seeds if TASKS[task].many and model in SLOW else settings.category_seeds if task in SOME else 99
                ):
                    continue
                found.append(Job(task, model, seed))
        if "braid3" in settings.tasks and number < settings.category_seeds:
            few = [m for m in ("matrixnet", "published, tanh", "LSTM", "transformer") if not settings.models or m in settings.models]
            found += [Job("braid3", m, seed, part) for part in settings.parts for m in few]
    return found


class Place(Folder):
    """The folder of the study."""

    settings: Settings


def network(name: str, task: WordTask, length: int) -> nn.Module:
    """The model of that name, about twelve thousand numbers for counts and eighty thousand for the orders of ten things."""
    many = task.name.startswith("symmetric")
    letters, head = 1 + 2 * len(task.group.generators), (256, 256) if many else (64, 64)
    size = _things(task)
    if name.startswith("matrixnet"):
        whole = "whole" in name
        return MatrixNet(task.group, task.outputs, relation_weight=0.01, homogeneous=True, vectors=0 if whole else 1, even=not whole)
    if name in _PUBLISHED:
        return MatrixNet(task.group, task.outputs, **_PUBLISHED[name])  # pyright: ignore[reportArgumentType]
    if name.startswith("householder"):
        classes: dict[str, Any] = {"traces": 6, "relation_weight": 1.0} if "classes" in name else {}
        return MatrixNet(task.group, task.outputs, kind="householder", block="linear", size=size, head=head, **classes)
    if name.startswith("expm"):
        return MatrixNet(task.group, task.outputs, block="linear", size=2 * size if "twice" in name else size, head=head)
    if name.startswith("fixed"):
        same: dict[str, Any] = {"homogeneous": True, "vectors": 1, "even": True} if "same" in name else {}
        return MatrixNet(task.group, task.outputs, matrices=known_matrices(task), head=head, **same)
    wide = {"LSTM": 96, "transformer": 64, "perceptron": 192} if many else {"LSTM": 32, "transformer": 24, "perceptron": 72}
    if name == "LSTM":
        return WordLSTM(letters, task.outputs, wide[name])
    if name == "transformer":
        return WordTransformer(letters, task.outputs, wide[name])
    return WordMLP(letters, length, task.outputs, wide["perceptron"])


def _things(task: WordTask) -> int:
    """Rows of the matrices: the things that are permuted, or what reflections in space need."""
    return len(task.group.generators) + 1 if task.classes else 8


def known_matrices(task: WordTask) -> dict[str, np.ndarray]:
    """Exchanges as permutation matrices; for braids of three strands Burau's at t = -1."""
    if task.name == "braid3":
        return {"s1": np.array([[1.0, 1], [0, 1]]), "s2": np.array([[1.0, 0], [-1, 1]])}
    size, found = len(task.group.generators) + 1, {}
    for i, name in enumerate(task.group.generators):
        order = list(range(size))
        order[i], order[i + 1] = order[i + 1], order[i]
        found[name] = np.eye(size)[order]
    return found
