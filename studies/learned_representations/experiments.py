"""One model on one task: trained by the library's loop, looked at on held-out elements and on longer words."""

import time
from typing import Any

import numpy as np
import torch
from study import TASKS, Job, Place, Settings, network
from torch import nn

from orbitscope.data import Examples
from orbitscope.systems.words import (
    ExactMatch,
    MatrixNet,
    RelativeError,
    WordLoss,
    WordMLP,
    WordTask,
    character_table,
    read_out,
    symmetric_characters,
)
from orbitscope.training import FitConfig, fit

RATES = {"LSTM": 3e-3, "transformer": 1e-3, "perceptron": 1e-3}
"""Peak learning rates that are not 3e-3; chosen on seed 100."""

HELD = 0.005
"""Multiplicities below are not kept."""


def work(place: Place, job: Job, deadline: float, tell: Any) -> None:
    """Everything about one job, kept when it is whole."""
    if place.case_file(job.key, "words").exists():
        return
    started = time.process_time()
    tables = measured(place.settings, job)
    seconds = time.process_time() - started
    place.write_case(job.key, "words", job.label, tables, seconds)
    first = tables["models"][0]
    tell(f"{job.task}, {job.model}, {job.part:g}, seed {job.seed}: exact {first['exact']:.4f}, {seconds:.0f} CPU s")


def measured(settings: Settings, job: Job) -> dict[str, list[dict[str, Any]]]:
    """Tables "models" (a row), "lengths" (a row for each length beyond the training), "irreps" (a row for each that is held)."""
    plan = TASKS[job.task]
    task, count = plan.make(), settings.many_words if plan.many else settings.words
    rows = task.draw(count if plan.many else min(count, task.all_words(plan.length)), plan.length, job.seed, exact=plan.many)
    examples = task.examples(rows)
    assert isinstance(examples.x, torch.Tensor)
    parts = task.split(examples.x, plan.split, job.seed)  # pyright: ignore[reportArgumentType]
    train = parts["train"]
    if job.part < 1:  # of the elements, so that fewer are known and not only fewer spellings
        keys = np.array([hash(k) for k in task.element(task.signed(examples.x[train]))])
        some = np.random.default_rng([job.seed, 1]).permutation(np.unique(keys))
        train = train[np.isin(keys, some[: max(8, round(job.part * len(some)))])]
    torch.manual_seed(job.seed)
    net = network(job.model, task, plan.length)
    config = FitConfig(
        epochs=(settings.epochs_many if plan.many else round(settings.epochs / job.part**0.5)), batch=500 if plan.many else 64,
        learning_rate=RATES.get(job.model, 3e-3), weight_decay=0.0, device="cpu",
    )  # fmt: skip
    clock = time.process_time()
    done = fit(
        net, examples.take(train), config, loss=WordLoss("cross_entropy" if task.classes else "mse"),
        validation=examples.take(parts["validation"]), seed=job.seed, progress=None,
    )  # fmt: skip
    seconds = time.process_time() - clock
    row = {
        **scores(net, examples.take(parts["test"])), "leak": task.leak(examples.x, {**parts, "train": train}),
        "constant": _constant(examples.take(parts["test"])), "parameters": done.parameters, "training_words": len(train),
        "training_seconds": seconds, "epoch_seconds": seconds / config.epochs, **_learnt(net, task),
    }  # fmt: skip
    lengths = [] if job.part < 1 or (isinstance(net, WordMLP)) else [_beyond(settings, job, task, net, n) for n in plan.beyond]
    return {"models": [row], "lengths": [r for r in lengths if r], "irreps": _irreps(net, task)}


def splits(place: Place) -> None:
    """What is held out of a small finite group, a case for each task and seed: which test words a network could know the answer to."""
    settings = place.settings
    for name in (n for n in settings.tasks if n.startswith("orders") and not TASKS[n].many):
        for seed in settings.seeds[: settings.category_seeds]:
            key = "".join(c if c.isalnum() else "-" for c in f"{name}_split_{seed}")
            if not place.case_file(key, "split").exists():
                place.write_case(key, "split", {"task": name, "seed": seed}, {"splits": [held_out(settings, name, seed)]}, 0.0)


def held_out(settings: Settings, name: str, seed: int) -> dict[str, float]:
    """Shares of the test words whose order, and whose conjugacy class, some training word has; how many elements are held out."""
    plan = TASKS[name]
    task = plan.make()
    rows = task.draw(min(settings.words, task.all_words(plan.length)), plan.length, seed)
    examples = task.examples(rows)
    assert isinstance(examples.x, torch.Tensor) and isinstance(examples.y, torch.Tensor)
    parts = task.split(examples.x, plan.split, seed)  # pyright: ignore[reportArgumentType]
    elements, number = list(task.element(rows)), conjugates(task)
    classes, orders = np.array([number[g] for g in elements]), examples.y.numpy()
    train, test = parts["train"], parts["test"]
    return {
        "order_known": float(np.isin(orders[test], orders[train]).mean()),
        "class_known": float(np.isin(classes[test], classes[train]).mean()),
        "elements_held_out": len({elements[k] for k in test} - {elements[k] for k in train}),
    }  # fmt: skip


def conjugates(task: WordTask) -> dict[Any, int]:
    """The number of the conjugacy class of each element of a finite group."""
    letters = [task.group.word(s) for g in task.group.generators for s in (g, f"{g}^-1")]
    elements, number, classes = {task.group.identity: None}, {}, 0
    reached = list(elements)
    while reached:
        reached = [h for g in reached for x in letters if (h := g @ x) not in elements and elements.setdefault(h) is None]
    for one in elements:
        if one in number:
            continue
        found = [one]
        number[one] = classes
        while found:
            moved = {x @ g @ x.inverse() for g in found for x in letters}
            found = [g for g in moved if g not in number]
            number.update(dict.fromkeys(found, classes))
        classes += 1
    return number


def scores(net: nn.Module, examples: Examples) -> dict[str, float]:
    """The part of exactly right answers, the loss, and of counts the relative error."""
    x, y = examples.x, examples.y
    assert isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor)
    net.eval()
    with torch.no_grad():
        answer = torch.cat([net(part) for part in x.split(2000)])
    base = WordLoss("mse" if y.is_floating_point() else "cross_entropy")
    found = {"exact": float(ExactMatch()(answer, y)), "loss": float(base(answer, y))}
    return {**found, "relative": float(RelativeError()(answer, y)) if y.is_floating_point() else float("nan")}


def _constant(examples: Examples) -> float:
    """How often the commonest answer is right."""
    y = examples.y
    assert isinstance(y, torch.Tensor)
    return float(torch.unique(y, dim=0, return_counts=True)[1].max()) / len(y)


def _beyond(settings: Settings, job: Job, task: WordTask, net: nn.Module, length: int) -> dict[str, Any] | None:
    """Words of exactly `length` letters, the same for every model and seed."""
    rng = np.random.default_rng([77, length])
    size = len(task.group.generators)
    if TASKS[job.task].many:
        rows = rng.integers(0, size + 1, (settings.drawn, length))
    else:
        rows = rng.integers(1, size + 1, (settings.drawn, length)) * (
            rng.choice([1, -1], (settings.drawn, length)) if task.invertible else 1
        )
    if task.name.startswith("category"):
        rows = rows[: max(40, settings.drawn // 10)]  # complexes grow with the length
    return {"length": length, **scores(net, task.examples(rows))}


def _learnt(net: nn.Module, task: WordTask) -> dict[str, float]:
    """What the matrices obey."""
    if not isinstance(net, MatrixNet):
        return {"relation": float("nan"), "commutant": float("nan"), "growth": float("nan"), "unitarity": float("nan")}
    found = read_out(net.representation(), task.group)
    return {
        "relation": max(found.relations.values()), "commutant": found.commutant, "growth": found.growth, "unitarity": found.unitarity,
    }  # fmt: skip


def _irreps(net: nn.Module, task: WordTask) -> list[dict[str, Any]]:
    """How often learnt matrices of a finite group hold each of its irreps; with broken relations these are no whole numbers."""
    if not isinstance(net, MatrixNet) or net.kind == "fixed" or not task.classes:
        return []
    ten = task.name.startswith("symmetric")
    table = symmetric_characters(len(task.group.generators) + 1) if ten else character_table(task.group)
    held = read_out(net.representation(), task.group, characters=table).multiplicities
    return [{"irrep": name, "held": value} for name, value in held.items() if abs(value) >= HELD]
