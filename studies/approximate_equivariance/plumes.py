r"""The smoke plumes: simulated with all forces, stored whole, shown to the networks without inflow and buoyancy; and how much they break.

Rotation sets are made of *rounds*: four plumes, one from each side, the same puff of smoke turned, each with its own force. What is
stored is smoke, velocity, inflow and buoyancy; what a network sees is smoke and velocity, so that the force of a side is hidden.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from study import PAST, DataSet, Place, Settings
from torch import Tensor

import orbitscope as osc
from orbitscope.physics import scenario
from orbitscope.physics._initial import stream

SEEN = ("smoke", "velocity")
PATTERNS = {"ramp": (0, 1, 2, 3), "one": (0, 0, 1, 0), "axis": (0, 1, 0, 1)}
SCENARIOS = {"rotation": "smoke.rotation", "translation": "smoke.translation", "scale": "smoke.scale"}
TURNS = ("e", "r", "r2", "r3")
ELEMENTS = ("r", "r2", "r3", "s", "sr", "sr2", "sr3")


@dataclass(frozen=True)
class Task:
    """One trajectory: which round (place, box), which side, the force on unit smoke, and the part of the data it belongs to."""

    round: int
    side: int
    part: str
    force: float


@dataclass(frozen=True)
class Plumes:
    """The trajectories of a set with all six channels, from the first time of the window on, their tasks, and the states before it."""

    whole: osc.Trajectories
    tasks: list[Task]
    past: Tensor

    def where(self, *parts: str) -> list[int]:
        return [n for n, task in enumerate(self.tasks) if task.part in parts]

    def seen(self, *parts: str) -> osc.Trajectories:
        """What a network may see of some parts: smoke and velocity."""
        return self.whole[np.array(self.where(*parts))].select(SEEN)


class Windows(NamedTuple):
    """What is forecast: trajectories from the first known state on, their tasks, and the states before it, [n, PAST, channel, x, y]."""

    data: osc.Trajectories
    tasks: list[Task]
    past: Tensor


def plumes(place: Place, one: DataSet) -> Plumes:
    """A set from its file, simulated first where there is none."""
    path = place.data_file(one)
    states, tasks, law = initial(place.settings, one)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        osc.save(_simulate(place.settings, one, states, law), path, force=True)
    stored = osc.load(path).load()
    values = stored.tensor()
    return Plumes(stored.replace(values=values[:, PAST:]), tasks, values[:, :PAST])


def initial(settings: Settings, one: DataSet) -> tuple[Tensor, list[Task], osc.Equation]:
    """States at time 0, [task, 6, n, n], their tasks, and the law."""
    if one.data in PATTERNS:
        return _rounds(settings, one)
    plan = scenario(SCENARIOS[one.data], breaking=one.level, **_parameters(settings, one.data))
    law = plan.equation()
    grid = law.grid(settings.resolution)
    tasks = _published(settings, one, law)
    states = torch.stack([plan.initial(grid, one.seed, k, torch.float32) for k in range(len(tasks))])
    return states, [Task(t.round, t.side, t.part, _strength(state)) for t, state in zip(tasks, states, strict=True)], law


def _rounds(settings: Settings, one: DataSet) -> tuple[Tensor, list[Task], osc.Equation]:
    """Four plumes of smoke.equivariance per round, turned; forces in the ratios 1 + m k of the pattern, the same mean at every level."""
    given, pattern = settings.initial, PATTERNS[one.data]
    law = scenario("smoke.equivariance").equation()
    grid = law.grid(settings.resolution)
    action, group = osc.GridAction(law.layout, grid), osc.dihedral(4)
    fair = sum(1.0 + one.level * k for k in pattern) / 4
    states, tasks = [], []
    for number, part in enumerate(p for p, count in settings.rounds.items() for _ in range(count)):
        # Rounds differ by puff and by strength; the four sides of a round share both.
        strength = given["strength"] * given["spread"] ** (2 * stream(one.seed, "round", number).random() - 1)
        plan = scenario("smoke.equivariance", breaking=one.level, strength=strength / fair, noise=given["noise"])
        for side, index in enumerate(pattern):
            state = plan.initial(grid, 1000 * one.seed + number, index, torch.float32)
            states.append(action(group[TURNS[side]], state))
            tasks.append(Task(number, side, part, strength / fair * (1 + one.level * index)))
    return torch.stack(states), tasks, law


def _parameters(settings: Settings, data: str) -> dict[str, float]:
    noise = {} if data == "translation" else {"noise": settings.initial["noise"]}
    return noise | ({"strength": settings.initial["rotation_strength"]} if data == "rotation" else {})


def _published(settings: Settings, one: DataSet, law: osc.Equation) -> list[Task]:
    """Tasks of the published sets, in whole groups: a round of four sides, an inflow with its mirror image, a box."""
    if one.data == "rotation":
        return [Task(i // 4, i % 4, _part(i // 4, 9), 0.0) for i in range(36)]
    if one.data == "translation":
        mirror = [min(i, 6 - i) * 5 + j for i in range(7) for j in range(5)]
        return [Task(mirror[i], int(i // 5 > 3), _part(mirror[i], 20), 0.0) for i in range(35)]
    return [Task(i, 0, _part(i, 38), 0.0) for i in range(38)]


def _part(number: int, count: int) -> str:
    """Every fourth group is unseen (1, 5, 9 ...), and every eighth validates (3, 11, ...): forces of all sizes in all parts."""
    return "domain" if number % 4 == 1 else "validation" if number % 8 == 3 else "train"


def _strength(state: Tensor) -> float:
    return float(state[4:].square().sum(0).sqrt().mean())


def _simulate(settings: Settings, one: DataSet, states: Tensor, law: osc.Equation) -> osc.Trajectories:
    window, dt, frames = settings.window, settings.time_step(one.data), []
    with torch.no_grad():
        state = law.step(states, (window["first"] - PAST) * dt)
        for n in range(PAST + window["train"] + window["rollout"] + 1):
            state = law.step(state, dt) if n else state
            frames.append(state)
    return osc.Trajectories(torch.stack(frames, 1), law.layout, law.grid(settings.resolution), dt, {"equation": law.name})


def training(plumes: Plumes, settings: Settings) -> osc.Trajectories:
    """The training tasks up to the end of the training window."""
    seen = plumes.seen("train")
    return seen.replace(values=seen.tensor()[:, : settings.window["train"] + 1])


def forecasts(plumes: Plumes, settings: Settings) -> dict[str, Windows]:
    """What is forecast, by name: `validation` and `domain` are unseen tasks in the window of the training, `future` is what comes after it
    in the training tasks. A forecast starts at its first state; no state after that was trained on.
    """
    span, steps = settings.window["train"], settings.window["rollout"]
    found = {}
    for name, part, starts in (
        ("validation", "validation", range(0, span - steps + 1, steps)),
        ("future", "train", [span]),
        ("domain", "domain", range(0, span - steps + 1, steps)),
    ):
        seen, numbers = plumes.seen(part), plumes.where(part)
        values = seen.tensor()
        longer = torch.cat([plumes.past[numbers][:, :, : values.shape[2]], values], 1)
        windows = torch.cat([longer[:, s : s + PAST + steps + 1] for s in starts])
        tasks = [plumes.tasks[n] for _ in starts for n in numbers]
        found[name] = Windows(seen.replace(values=windows[:, PAST:].contiguous()), tasks, windows[:, :PAST])
    return found
