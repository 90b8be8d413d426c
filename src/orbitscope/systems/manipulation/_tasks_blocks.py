"""Tasks with an empty hand and blocks: reach, lift, place, stack."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ...symmetry import Rigid
from ._mjcf import FINGERS, box, disc, fixed, free
from ._poses import about, heading, nearest, pointing_down, pose, shifted
from ._task import Keyframe, Start, Task, hovering, scattered, standing

if TYPE_CHECKING:
    from ._scene import Scene

HALF = 0.02
_COLOURS = {"block": "0.84 0.37 0.0 1", "base": "0.0 0.45 0.7 1", "top": "0.0 0.62 0.45 1"}
_MASS = 'mass="0.08"'


def block(name: str) -> str:
    """A cube, 4 cm wide."""
    return free(name, box((HALF, HALF, HALF), colour=_COLOURS[name], more=_MASS))


def grasps(thing: Rigid, turns: int = 4) -> list[Rigid]:
    """Hands from above about the middle of a thing that is the same after each of so many turns."""
    return [
        pointing_down(thing.offset, heading(thing.matrix) @ about(2, 2 * np.pi * k / turns)) for k in range(turns)
    ]  # fmt: skip


def pick(scene: "Scene", name: str, lift: float = 0.09) -> Iterator[Keyframe]:
    """Take a block from above and lift it."""
    hand = nearest(grasps(scene.pose(name)), scene.hand)
    yield Keyframe(shifted(hand, (0, 0, lift)), True)
    yield Keyframe(hand, False)
    yield Keyframe(shifted(hand, (0, 0, lift)), False)


def put(scene: "Scene", name: str, place: Rigid, lift: float = 0.09) -> Iterator[Keyframe]:
    """Set a block that is held down at a place: the pose that the block shall have, modulo quarter turns."""
    held = scene.hand.inverse() @ scene.pose(name)
    goals = [pose(place.offset, heading(place.matrix) @ about(2, np.pi / 2 * k)) for k in range(4)]
    hand = nearest([goal @ held.inverse() for goal in goals], scene.hand)
    yield Keyframe(shifted(hand, (0, 0, lift)), False)
    yield Keyframe(hand, True)
    yield Keyframe(shifted(hand, (0, 0, lift)), True)


def _rests_on(scene: "Scene", upper: str, lower: str, tolerance: float = 0.02) -> bool:
    """Whether a block lies on another, let go."""
    away = scene.pose(upper).offset - scene.pose(lower).offset
    return bool(np.hypot(away[0], away[1]) < tolerance and abs(away[2] - 2 * HALF) < 0.006)


def _let_go(scene: "Scene", name: str) -> bool:
    away = scene.pose(name).offset - scene.hand.offset
    return scene.opening > HALF + 0.01 and float(np.sqrt(away @ away)) > 0.03


class Reach(Task):
    """Bring the hand to a ball in the air."""

    name = "reach"
    identifier = "Reach"
    description = "bring the hand to a ball in the air"
    fixtures = ("goal",)
    horizon = 60

    def world(self) -> tuple[str, str]:
        return fixed("goal", '<geom class="mark" type="sphere" size="0.014" rgba="0.8 0.1 0.1 1"/>'), ""

    def start(self, rng: np.random.Generator) -> Start:
        place = scattered(rng, 1, apart=0.0)[0]
        goal = standing(rng, place, float(rng.uniform(0.06, 0.22)))
        return Start(hovering(rng), {"goal": goal}, FINGERS[1], True)

    def done(self, scene: "Scene") -> bool:
        away = scene.hand.offset - scene.pose("goal").offset
        return float(np.sqrt(away @ away)) < 0.012

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        yield Keyframe(pointing_down(scene.pose("goal").offset, heading(scene.hand.matrix @ np.diag([1.0, -1.0, -1.0]))), True)


class Lift(Task):
    """Lift a block."""

    name = "lift"
    identifier = "Lift"
    description = "lift a block by 6 cm"
    things = ("block",)
    own: ClassVar[Mapping[str, str]] = {"block": "c4"}
    horizon = 120

    def world(self) -> tuple[str, str]:
        return "", block("block")

    def start(self, rng: np.random.Generator) -> Start:
        return Start(hovering(rng), {"block": standing(rng, scattered(rng, 1, apart=0.0)[0], HALF)}, FINGERS[1], True)

    def done(self, scene: "Scene") -> bool:
        return bool(scene.on_table("block").offset[2] > HALF + 0.06)

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        yield from pick(scene, "block")


class Place(Task):
    """Lift a block and set it down on a goal."""

    name = "place"
    identifier = "Place"
    description = "set a block down on a disk"
    fixtures = ("goal",)
    things = ("block",)
    own: ClassVar[Mapping[str, str]] = {"block": "c4", "goal": "so2"}
    horizon = 200

    def world(self) -> tuple[str, str]:
        return fixed("goal", disc(0.03, 0.0005, (0, 0, 0.0005), "0.8 0.1 0.1 1", 'class="mark"')), block("block")

    def start(self, rng: np.random.Generator) -> Start:
        first, second = scattered(rng, 2, apart=0.1)
        return Start(
            hovering(rng), {"block": standing(rng, first, HALF), "goal": standing(rng, second)}, FINGERS[1], True
        )  # fmt: skip

    def done(self, scene: "Scene") -> bool:
        away = scene.pose("block").offset - scene.pose("goal").offset
        return bool(np.hypot(away[0], away[1]) < 0.015 and away[2] < HALF + 0.005 and _let_go(scene, "block"))

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        yield from pick(scene, "block")
        yield from put(scene, "block", shifted(pose(scene.pose("goal").offset, scene.pose("block").matrix), (0, 0, HALF + 0.001)))


class Stack(Task):
    """Stack one block on another."""

    name = "stack"
    identifier = "Stack"
    description = "stack the orange block on the blue one"
    things = ("block", "base")
    own: ClassVar[Mapping[str, str]] = {"block": "c4", "base": "c4"}
    horizon = 200

    def world(self) -> tuple[str, str]:
        return "", "".join(block(name) for name in self.things)

    def start(self, rng: np.random.Generator) -> Start:
        places = scattered(rng, len(self.things), apart=0.11)
        bodies = {name: standing(rng, place, HALF) for name, place in zip(self.things, places, strict=True)}
        return Start(hovering(rng), bodies, FINGERS[1], True)

    def done(self, scene: "Scene") -> bool:
        return _rests_on(scene, "block", "base") and _let_go(scene, "block")

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        yield from onto(scene, "block", "base")


class StackThree(Stack):
    """Stack three blocks."""

    name = "stack-three"
    identifier = "StackThree"
    description = "stack the orange block on the blue one, and the green one on both"
    things = ("block", "base", "top")
    own: ClassVar[Mapping[str, str]] = {"block": "c4", "base": "c4", "top": "c4"}
    horizon = 400

    def done(self, scene: "Scene") -> bool:
        return _rests_on(scene, "block", "base") and _rests_on(scene, "top", "block") and _let_go(scene, "top")

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        yield from onto(scene, "block", "base")
        yield from onto(scene, "top", "block")


def onto(scene: "Scene", upper: str, lower: str) -> Iterator[Keyframe]:
    """Take a block and set it on another."""
    yield from pick(scene, upper, 0.13)
    yield from put(scene, upper, shifted(scene.pose(lower), (0, 0, 2 * HALF + 0.001)), 0.06)
