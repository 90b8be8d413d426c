"""Scenes of the study: things held otherwise, scenes moved, repainted, cluttered, and a push while the hand is on its way."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from orbitscope.symmetry import Rigid
from orbitscope.systems.manipulation import TASKS, Scene, Task
from orbitscope.systems.manipulation._mjcf import box, fixed
from orbitscope.systems.manipulation._poses import flat, shifted
from orbitscope.systems.manipulation._task import Start, scattered, standing

CONDITIONS = {
    "as shown": "things held within the turns of the demonstrations, layouts that none of them had",
    "any hold": "things held at every turn about the handle, in demonstrations as in episodes",
    "hands held out": "things held at all other turns about the handle",
    "scenes moved": "table, hand and cameras turned by 137 degrees and shifted by 9 cm; training shifts by at most 4 cm along an axis",
    "other colours": "red, green and blue of everything on the table exchanged",
    "clutter": "two cubes more on the table",
    "pushed": "what stands on the table is pushed by 3 cm once the first keyframe is reached",
}
MOVED = flat(0.08, -0.04, 0.0, math.radians(137.0))
PUSH = 0.03  # m


def _clutter(rng: np.random.Generator, bodies: Mapping[str, Rigid]) -> dict[str, Rigid]:
    """Where two cubes stand, away from each other and from the first body."""
    first = next(iter(bodies.values())).offset[:2]
    places = scattered(rng, 2, apart=0.08, radius=0.24, away=first, clear=0.11)
    return {f"clutter-{k}": standing(rng, place) for k, place in enumerate(places)}


def cluttered(name: str) -> Task:
    """A task of the table top with two cubes more, which nobody needs."""
    plain: Any = TASKS[name]

    class Cluttered(plain):  # type: ignore[misc]
        fixtures = (*plain.fixtures, "clutter-0", "clutter-1")

        def world(self) -> tuple[str, str]:
            fixtures, things = super().world()
            cubes = [fixed(f"clutter-{k}", box((0.018, 0.018, 0.018), (0, 0, 0.018), "0.5 0.42 0.2 1")) for k in range(2)]
            return fixtures + "".join(cubes), things

        def start(self, rng: np.random.Generator) -> Start:
            found = super().start(rng)
            if "clutter-0" in found.bodies:  # a task that holds a thing has placed it with the rest
                return found
            return replace(found, bodies={**found.bodies, **_clutter(rng, found.bodies)})

        def rest(self, rng: np.random.Generator) -> dict[str, Rigid]:
            found = super().rest(rng)
            return {**found, **_clutter(rng, found)}

    return Cluttered()


def scene_of(name: str, condition: str, yaw: float) -> Scene:
    """A scene of a task in one of `CONDITIONS`; `yaw`: things are held within so many radians of one turn in demonstrations."""
    kind = cluttered(name) if condition == "clutter" else TASKS[name]()
    if hasattr(kind, "yaws"):
        known = {"hands held out": (yaw, 2 * math.pi - yaw), "any hold": (-math.pi, math.pi)}
        setattr(kind, "yaws", known.get(condition, (-yaw, yaw)))  # noqa: B010
    scene = Scene(kind, frame=MOVED if condition == "scenes moved" else None)
    if condition == "other colours":
        for body in (*kind.fixtures, *kind.things):
            number = scene.mujoco.mj_name2id(scene.model, scene.mujoco.mjtObj.mjOBJ_BODY, body)
            mine = np.flatnonzero(scene.model.body_rootid[scene.model.geom_bodyid] == scene.model.body_rootid[number])
            mine = mine[scene.model.geom_bodyid[mine] == number]
            scene.model.geom_rgba[mine, :3] = scene.model.geom_rgba[mine][:, [2, 0, 1]]
    return scene


def push(scene: Scene, k: int) -> None:
    """After the first keyframe, the first fixture is elsewhere, in a direction that the layout gives."""
    if k != 1 or not scene.task.fixtures:
        return
    name = scene.task.fixtures[0]
    there = scene.pose(name)
    way = np.array([*there.matrix[:2, 0], 0.0])
    way *= PUSH / float(np.sqrt(way @ way))
    if np.hypot(*(there.offset + way)[:2]) > np.hypot(*there.offset[:2]):
        way = -way  # toward the middle of the table
    scene.place({name: shifted(there, way)}, scene.opening, scene.joints)
