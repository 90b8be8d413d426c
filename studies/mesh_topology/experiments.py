"""One job of the study: pretrain an encoder where there is need, train a network, measure it on every meshing of the test shapes."""

import functools
import time
from typing import Any

import numpy as np
import torch
from harness import Tell
from study import NONE, PRETEXTS, Job, Place, Settings
from torch import Tensor, nn

from orbitscope.data import Examples
from orbitscope.systems.meshes import SYSTEM, RadarLaw, RandomRemesh, Remesh, geometric_error, remeshing, trimmed
from orbitscope.training import FitConfig, fit, permutation


@functools.lru_cache(maxsize=4)
def shapes(count: int, seed: int, room: int, kinds: tuple[str, ...]) -> Examples:
    """Basic shapes with their radar return; the scenario's own defaults for all else."""
    plan = SYSTEM.scenarios["radar.shapes"]
    made = plan.make(count, seed, None, **{**plan.parameters, "faces": room, "kinds": kinds})
    return Examples(made.x, made.y, made.unit, made.slot, made.name, {"scenario": plan.name, "parameters": dict(plan.parameters)})


def training_shapes(settings: Settings, seed: int) -> tuple[Examples, Examples]:
    """Those of a seed: to train on, and to choose the best epoch by."""
    whole = shapes(settings.train + settings.validation, 100 + seed, settings.room, tuple(settings.kinds))
    held = whole.take(np.arange(settings.train, len(whole)))
    return whole.take(np.arange(settings.train)), Examples(trimmed(held.x), held.y)  # pyright: ignore[reportArgumentType]


def pretrained(place: Place, pretext: str, encoder: str, seed: int) -> tuple[str, float]:
    """The run folder of an encoder that was pretrained on all training shapes of the seed, without labels, and its processor seconds."""
    folder, settings = place.pretrained(pretext, encoder, seed), place.settings
    training, validation = training_shapes(settings, seed)
    name = PRETEXTS[pretext]
    config = FitConfig(epochs=settings.pretraining, batch=settings.batch, learning_rate=settings.learning_rate, device="cpu")
    started = time.process_time()
    fit(
        functools.partial(SYSTEM.models[name].make, training, encoder=encoder, **settings.options.get(encoder, {})), training, config,
        loss=SYSTEM.loss(name, training), validation=validation, out=folder, seed=seed, progress=None,
    )  # fmt: skip
    return str(folder), time.process_time() - started


def work(place: Place, job: Job, deadline: float, tell: Tell) -> None:
    """Train and measure, unless that is done."""
    if place.case_file(job.key, "meshes").exists():
        return
    settings, started = place.settings, time.process_time()
    start, before = ("", 0.0) if job.pretext == NONE else pretrained(place, job.pretext, job.model, job.seed)
    model, found = _trained(settings, job, start)
    rows = measured(model, settings)
    label = {**job.label}
    summary = {"parameters": found.parameters, "epoch": found.epoch, "train_loss": found.history[-1]["train"], "pretraining_s": before}
    seconds = time.process_time() - started
    place.write_case(job.key, "meshes", label, {"errors": rows, "runs": [{**summary, "cpu_s": seconds}]}, seconds)
    plain, worst = rows[0]["nmse"], max(r["nmse"] for r in rows if r["exact"])
    tell(f"{job.key}: nMSE {plain:.3f}, at worst {worst:.3f} under exact re-meshing, {seconds:.0f} CPU s")


def _trained(settings: Settings, job: Job, start: str) -> tuple[nn.Module, Any]:
    training, validation = training_shapes(settings, job.seed)
    order = permutation(len(training), job.seed, "labels").numpy()
    few = training.take(np.sort(order[: max(1, round(job.labels * len(training)))]))
    make = functools.partial(SYSTEM.models[f"mesh_{job.model}"].make, few, **settings.options.get(job.model, {}))
    config = FitConfig(
        epochs=settings.epochs[str(job.labels)], batch=settings.batch, learning_rate=settings.learning_rate, device="cpu"
    )  # fmt: skip
    found = fit(
        functools.partial(make, start=start) if start else make, few, config, loss="mse", validation=validation, seed=job.seed,
        augment=RandomRemesh(settings.augment) if job.augmented else None, progress=None,
    )  # fmt: skip
    return found.model, found


@functools.lru_cache(maxsize=2)
def meshings(test: int, room: int, kinds: tuple[str, ...], moves: tuple[str, ...]) -> tuple[tuple[str, bool, float, float, Any], ...]:
    """The test shapes under every move: name, whether flat faces stay, geometric error, what the simulator's answer changes, state."""
    examples = shapes(test, 1, room, kinds)
    law = RadarLaw(np.linspace(1.25, 5.0, 8))
    found: list[tuple[str, bool, float, float, Any]] = [("e", True, 0.0, 0.0, trimmed(examples.x))]
    signal = _signal(examples.y, examples.y.mean(0))
    for word in remeshing(moves).probes()[1:]:
        action = Remesh()
        state = action(word, examples.x)
        change = float((law(*state) - examples.y).double().square().sum() / signal)
        found.append((word.name, action.is_exact(word), geometric_error(examples, word), change, trimmed(state)))
    return tuple(found)


def measured(model: nn.Module, settings: Settings) -> list[dict[str, Any]]:
    """nMSE and drift of a network under every move, both over the variance of the true answers; the first row is the mesh as it was."""
    kinds = tuple(settings.kinds)
    truth = shapes(settings.test, 1, settings.room, kinds).y
    signal, rows, plain = _signal(truth, truth.mean(0)), [], None
    for name, exact, surface, change, state in meshings(settings.test, settings.room, kinds, (*settings.moves, *settings.approximate)):
        with torch.no_grad():
            answer = torch.cat([model(*trimmed(tuple(p[i : i + 64] for p in state))) for i in range(0, len(truth), 64)])
        plain = answer if plain is None else plain
        rows.append({
            "move": name, "exact": int(exact), "surface_error": surface, "truth_change": change,
            "nmse": float((answer - truth).double().square().sum() / signal),
            "drift": float((answer - plain).double().square().sum() / signal),
        })  # fmt: skip
    return rows


def _signal(values: Tensor, mean: Tensor) -> float:
    return float((values - mean).double().square().sum())
