"""One arm on one task: trained, looked at on keyframes that were held out and in turned scenes, and let act."""

import os
import time
from typing import Any

import numpy as np
import torch
from study import ARMS, BETWEEN, CLOSED, DISTURBED, HELD, JUDGED, NEAREST, TURNED, Job, Place
from tabletop import push, scene_of
from torch import Tensor

from orbitscope.data import Examples, load_examples
from orbitscope.probe import ProbeConfig, examine
from orbitscope.symmetry import Rigid
from orbitscope.systems.manipulation import (
    SYSTEM,
    ChunkPolicy,
    HierarchicalPolicy,
    KeyframeLoss,
    NearestDemonstration,
    Policy,
    Scene,
    WithAnswer,
    evaluate,
    hep_for,
    record,
    task,
)
from orbitscope.training import FitConfig, derive, fit

DECAY = 5e-4
CLOSE = (0.01, float(np.deg2rad(15)))  # m and radians within which a keyframe counts as found
ELSEWHERE = (2.2, (0.4, -0.3, 0.1))  # turn about the vertical, radians, and shift of the table, m, for moved scenes
TURNS = {"quarter turn": np.pi / 2, "turn by 30 degrees": np.pi / 6, "turn by 45 degrees": np.pi / 4, "shift": 0.0}


def demonstrations(place: Place, name: str, first: int, count: int, between: int = 0) -> Examples:
    """The keyframes of the demonstrations of a task from a layout on, recorded when they are needed first."""
    file = place.data(name, first, count, between)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        own = file.with_name(f"{os.getpid()}-{file.name}")  # another process may want the same
        record(name, own, count=count, seed=first, settings={"voxel": place.settings.voxel, "between": between}, force=True)
        own.replace(file)
    return load_examples(file)


def work(place: Place, asked: tuple[str, Job], deadline: float, tell: Any) -> None:
    """Everything about one job, kept when it is whole."""
    kind, job = asked
    if place.case_file(job.key, kind).exists():
        return
    started = time.process_time()
    if kind != "hep":
        tables, said = {"influence": _influence, "disturbed": _disturbed}[kind](place, job)
        place.write_case(job.key, kind, job.label, tables, time.process_time() - started)
        tell(f"{job.task}, {job.arm}, seed {job.seed}: {said}")
        return
    tables = measured(place, job)
    seconds = time.process_time() - started
    place.write_case(job.key, "hep", job.label, tables, seconds)
    row = tables["cells"][0]
    tell(
        f"{job.task}, {job.arm}, {job.demos} demonstrations, seed {job.seed}: {row['successes']} of {row['episodes']}, {seconds:.0f} CPU s"
    )


def _influence(place: Place, job: Job) -> tuple[dict[str, list[dict[str, Any]]], str]:
    """Is the learning of an arm shared across quarter turns? A probe of it at keyframes that were held out, element by element."""
    model = trained(place, job, shown(place, job))
    held = SYSTEM.probed(demonstrations(place, job.task, HELD, place.settings.held))
    config = ProbeConfig(trajectories=place.settings.held, times=2, steps=0, seed=job.seed)
    tree = examine(model, held, SYSTEM.symmetries(held)["c4"], config)
    words, found = tree["c4/verdict"].to_dataset(), tree["c4/influence"].to_dataset()
    rows = []
    for name in [str(e) for e in words["element"].values if e != "e"]:
        word, own = words.sel(element=name), found.sel(element=name)
        rows.append({
            "element": name, "output": str(word["output"].item()), "learning": str(word["learning"].item()),
            **{k: float(own[k]) for k in ("response", "null", "excess", "p_holm")}, "moved_error": float(word["moved_error"]),
        })  # fmt: skip
    return {"influence": rows}, str(words.attrs["sentence_learning"])


def _disturbed(place: Place, job: Job) -> tuple[dict[str, list[dict[str, Any]]], str]:
    """The same policy with other colours, with clutter, and pushed after its first decision: at a keyframe, or on the way to it."""
    s, train, rows = place.settings, shown(place, job), []
    policy = NearestDemonstration(train) if job.arm == NEAREST else ChunkPolicy(trained(place, job, train))
    for condition in DISTURBED:
        scene, disturb = scene_of(job.task, condition, np.pi), push if condition == "pushed" else None
        found = evaluate(policy, scene, _layouts(s.episodes), settings={"voxel": s.voxel}, most=most_of(s, job), disturb=disturb)
        rows.append({"condition": condition, "successes": found.successes, "episodes": found.episodes})
    return {"disturbed": rows}, ", ".join(f"{r['condition']} {r['successes']} of {r['episodes']}" for r in rows)


def _layouts(count: int) -> range:
    return range(JUDGED, JUDGED + count)


def most_of(settings: Any, job: Job) -> int:
    """Decisions in an episode: a keyframe each, or half a chunk in closed loop."""
    return 8 * settings.most if job.arm == CLOSED else settings.most


def shown(place: Place, job: Job) -> Examples:
    """The demonstrations that a job learns from."""
    return demonstrations(place, *place.demonstrations(job), between=BETWEEN if job.arm == CLOSED else 0)


def measured(place: Place, job: Job) -> dict[str, list[dict[str, Any]]]:
    """Tables "cells" (a row), "turns" (a row for each motion) and "tolerance" (a row for each planted error)."""
    s = place.settings
    train, held = shown(place, job), demonstrations(place, job.task, HELD, s.held)
    clock, training, turns, tolerance = time.process_time(), 0.0, [], []
    if job.arm == NEAREST:
        policy: Policy = NearestDemonstration(train)
        about: dict[str, Any] = {"parameters": 0, "place": float("nan"), "turn": float("nan"), "fingers": float("nan")}
    else:
        model = trained(place, job, train)
        training = time.process_time() - clock
        policy = ChunkPolicy(model)
        off = {name: v if model.control == "open" else float("nan") for name, v in found(model, held).items()}
        about = {"parameters": sum(p.numel() for p in model.parameters()), **off}  # a chunk of the closed loop ends on the way
        turns = [{"motion": name, **commutes(model, held, angle)} for name, angle in TURNS.items()]
        if model.high is not None and model.frame_transfer == "translation" and model.control == "open":
            tolerance = [{"error": e, **planted(model, held, e / 1000)} for e in s.errors]
    scene, settings = Scene(task(job.task)), {"voxel": s.voxel}
    clock = time.process_time()
    plain = evaluate(policy, scene, _layouts(s.episodes), settings=settings, most=most_of(s, job))
    acting = time.process_time() - clock
    scene.move(Rigid(np.asarray([[np.cos(ELSEWHERE[0]), -np.sin(ELSEWHERE[0]), 0], [np.sin(ELSEWHERE[0]), np.cos(ELSEWHERE[0]), 0],
                                 [0, 0, 1.0]]), ELSEWHERE[1]))  # fmt: skip
    moved = evaluate(policy, scene, _layouts(s.moved), settings=settings, most=most_of(s, job))
    row = {
        "successes": plain.successes, "episodes": plain.episodes, "moved_successes": moved.successes, "moved_episodes": moved.episodes,
        **about, "training_seconds": training, "acting_ms": 1000 * acting / max(1, plain.keyframes),
    }  # fmt: skip
    return {"cells": [row], "turns": turns, "tolerance": tolerance}


def trained(place: Place, job: Job, train: Examples) -> HierarchicalPolicy:
    """The policy of an arm, by the library's loop; the weights of the last epoch."""
    s = place.settings
    torch.manual_seed(derive(job.seed, "init"))
    model = hep_for(train, **{**s.model_of(job.task), **ARMS[job.arm]})
    epochs = max(1, s.epochs_of(job.task) // (1 + BETWEEN)) if job.arm == CLOSED else s.epochs_of(job.task)  # as many steps
    config = FitConfig(epochs=epochs, batch=s.batch, learning_rate=s.rate, weight_decay=DECAY, device="cpu")
    turned = job.arm in TURNED
    moves = WithAnswer(turn=turned, shift=0.0)
    done = fit(model, train, config, loss=KeyframeLoss(), seed=job.seed, augment=moves, progress=None)
    return done.model.eval()


@torch.no_grad()
def found(model: HierarchicalPolicy, held: Examples) -> dict[str, float]:
    """Median distance, mm, and angle, degrees, of the answer from keyframes that were held out, and how often the fingers are right."""
    assert isinstance(held.x, tuple) and isinstance(held.y, tuple)
    answer = model(*held.x)
    metrics = SYSTEM.metrics("hep", held)
    apart = {name: metric.each(answer, held.y) for name, metric in metrics.items()}
    return {
        "place": 1000 * float(apart["place"].median()), "turn": float(np.rad2deg(float(apart["turn"].median()))),
        "fingers": 1 - float(apart["fingers"].mean()),
    }  # fmt: skip


@torch.no_grad()
def commutes(model: HierarchicalPolicy, held: Examples, angle: float) -> dict[str, float]:
    """How far the chunk of a moved scene is from the moved chunk: over its steps the largest distance, m; median and largest."""
    assert isinstance(held.x, tuple)
    symmetry = SYSTEM.symmetries(held)["c4"]
    c, s = np.cos(angle), np.sin(angle)
    motion = Rigid(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]).round(15), (0.013, -0.021, 0.007))
    there, plain = model.chunk(_all(symmetry.input(motion, held.x))), model.chunk(held.x)
    turn, shift = (torch.tensor(np.asarray(v)).to(plain) for v in (motion.matrix, motion.offset))
    apart = (there[..., :3] - (plain[..., :3] @ turn.mT + shift)).norm(dim=2).amax(1)
    return {"median": float(apart.median()), "largest": float(apart.max())}


def _all(state: Any) -> tuple[Tensor, ...]:
    return tuple(state)


@torch.no_grad()
def planted(model: HierarchicalPolicy, held: Examples, error: float) -> dict[str, float]:
    """The low level alone, given the true keypose and an error of one length in any direction: how often it finds the keyframe."""
    assert isinstance(held.x, tuple) and isinstance(held.y, tuple)
    goal = held.y[0]
    way = torch.randn(len(goal), 3, generator=torch.Generator().manual_seed(0))
    chunk = model.chunk(held.x, place=goal[:, :3] + error * way / way.norm(dim=1, keepdim=True))
    metrics = SYSTEM.metrics("hep", held)
    answer = (chunk[:, -1, :12], chunk[:, -1, 12:] - 0.5)
    away, turn = (metrics[name].each(answer, held.y) for name in ("place", "turn"))
    return {"found": float(((away < CLOSE[0]) & (turn < CLOSE[1])).float().mean()), "away": 1000 * float(away.median())}
