"""Tasks that begin with a thing in the hand, gripped at another place and turn every time: peg, ring, cup, tool, L-block."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ...symmetry import Rigid
from ._mjcf import box, disc, fixed, free, rod
from ._poses import Array, about, heading, nearest, pose, shifted
from ._task import Keyframe, Start, Task, heading_of, hovering, scattered, standing
from ._tasks_blocks import HALF, block

if TYPE_CHECKING:
    from ._scene import Scene

GRIP = 0.008  # radius of every handle
_FLIP = np.diag([1.0, -1.0, -1.0])
_ORANGE, _BLUE, _GREY = "0.84 0.37 0.0 1", "0.0 0.45 0.7 1", "0.45 0.45 0.48 1"


def in_hand(yaw: float, tilt: float, along: float, across: float, grip: Array) -> Rigid:
    """The pose of a held thing in the frame of the hand.

    * `yaw`: turn of the thing about its handle. `tilt`: turn about the direction in which the fingers open, radians.
    * `along`, `across`: how far from `grip` [3], a point on the handle in the frame of the thing, the hand holds it, m.
    """
    turn = about(1, tilt) @ _FLIP @ about(2, yaw)
    return pose(np.array([across, 0.0, 0.0]) - turn @ (grip + (0.0, 0.0, along)), turn)


class Held(Task):
    """A task whose thing is held from the start, with a handle that is a rod along the thing's z axis.

    * `grip`: the point of the handle that is held in the middle. `tilt`: the largest, radians. `along`: the largest slip, m.
    * `yaws`: turns about the handle at which it is held, from and to, radians; all of them unless a task is told otherwise.
    """

    grip: ClassVar[tuple[float, float, float]]
    tilt: ClassVar[float] = 0.45
    along: ClassVar[float] = 0.012
    horizon = 160

    def __init__(self) -> None:
        self.yaws = (-np.pi, np.pi)

    def start(self, rng: np.random.Generator) -> Start:
        yaw, tilt = float(rng.uniform(*self.yaws)), float(rng.uniform(-self.tilt, self.tilt))
        inside = in_hand(yaw, tilt, float(rng.uniform(-1, 1)) * self.along, float(rng.uniform(-0.003, 0.003)), np.array(self.grip))
        hand = hovering(rng, height=0.28)
        assert self.held is not None
        return Start(hand, {self.held: hand @ inside, **self.rest(rng)}, GRIP, False)

    def rest(self, rng: np.random.Generator) -> dict[str, Rigid]:
        """Poses of everything else."""
        return {self.fixtures[0]: standing(rng, scattered(rng, 1, apart=0.0, radius=0.14)[0])}

    def bring(self, scene: "Scene", goals: list[Rigid], heights: tuple[float, ...], retreat: float = 0.08) -> Iterator[Keyframe]:
        """Bring the held thing above one of some poses, down by the heights in turn, let go, and draw the hand back along its fingers."""
        assert self.held is not None
        now = scene.pose(self.held)
        goal = nearest(goals, now)
        for height in heights:
            hold = scene.hand.inverse() @ scene.pose(self.held)  # as it is now: it may have slipped
            hand = shifted(goal, (0, 0, height)) @ hold.inverse()
            yield Keyframe(hand, height == heights[-1])
        hand = scene.hand
        yield Keyframe(shifted(hand, -retreat * hand.matrix[:, 2]), True)

    @abstractmethod
    def goals(self, scene: "Scene") -> list[Rigid]:
        """Poses of the held thing that are as good."""

    def off(self, scene: "Scene") -> tuple[Array, Array]:
        """Position and rotation of the held thing in the frame of the fixture."""
        assert self.held is not None
        there = scene.pose(self.fixtures[0]).inverse() @ scene.pose(self.held)
        return there.offset, there.matrix


class Peg(Held):
    """Put a square peg into a square hole."""

    name = "peg"
    identifier = "Peg"
    description = "put a held square peg into a hole that leaves 1.5 mm on each side"
    fixtures = ("hole",)
    things = ("peg",)
    held = "peg"
    grip = (0.0, 0.0, 0.092)
    own: ClassVar[Mapping[str, str]] = {"peg": "c4", "hole": "c4"}

    def world(self) -> tuple[str, str]:
        inner, thick, height = 0.0115, 0.007, 0.02
        reach = inner + 2 * thick
        walls = [box((thick, reach, height), (s * (inner + thick), 0, height), _GREY) for s in (-1, 1)]
        walls += [box((inner, thick, height), (0, s * (inner + thick), height), _GREY) for s in (-1, 1)]
        peg = box((0.01, 0.01, 0.025), (0, 0, 0.025), _ORANGE, 'mass="0.05" friction="0.3 0.01 0.0001"')
        return fixed("hole", "".join(walls)), free("peg", peg + rod(GRIP, (0, 0, 0.05), (0, 0, 0.125), _BLUE, 'mass="0.02"'))

    def goals(self, scene: "Scene") -> list[Rigid]:
        return [scene.pose("hole") @ pose((0, 0, 0.003), about(2, np.pi / 2 * k)) for k in range(4)]

    def done(self, scene: "Scene") -> bool:
        place, turn = self.off(scene)
        return bool(np.hypot(place[0], place[1]) < 0.006 and place[2] < 0.012 and turn[2, 2] > 0.95)

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        yield from self.bring(scene, self.goals(scene), (0.08, 0.046, 0.0))


class Ring(Held):
    """Hang a ring on a peg."""

    name = "ring"
    identifier = "Ring"
    description = "hang a held ring on an upright peg"
    fixtures = ("pole",)
    things = ("ring",)
    held = "ring"
    grip = (-0.034, 0.0, 0.08)
    own: ClassVar[Mapping[str, str]] = {"pole": "so2"}

    def world(self) -> tuple[str, str]:
        pole = disc(0.03, 0.004, (0, 0, 0.004), _GREY) + disc(0.009, 0.03, (0, 0, 0.03), _GREY)
        ring = ""
        for k in range(8):
            angle = 2 * np.pi * k / 8
            at = f"{0.034 * np.cos(angle):.6g} {0.034 * np.sin(angle):.6g} 0"
            ring += f'<geom type="box" size="0.005 0.0155 0.005" pos="{at}" euler="0 0 {angle:.6g}" rgba="{_ORANGE}" mass="0.012"/>'
        return fixed("pole", pole), free("ring", ring + rod(GRIP, (-0.034, 0, 0.012), (-0.034, 0, 0.115), _BLUE, 'mass="0.004"'))

    def goals(self, scene: "Scene") -> list[Rigid]:
        turn = heading(scene.pose("ring").matrix)
        return [pose(scene.pose("pole").offset + (0, 0, 0.016), turn @ about(2, np.pi / 4 * k)) for k in range(8)]

    def done(self, scene: "Scene") -> bool:
        place, turn = self.off(scene)
        return bool(np.hypot(place[0], place[1]) < 0.024 and place[2] < 0.045 and turn[2, 2] > 0.8)

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        yield from self.bring(scene, self.goals(scene), (0.09, 0.0))


class Pour(Held):
    """Bring a cup over a bowl and tip it."""

    name = "pour"
    identifier = "Pour"
    description = "tip a held cup over a bowl, by at least 100 degrees"
    fixtures = ("bowl",)
    things = ("cup",)
    held = "cup"
    grip = (-0.055, 0.0, 0.05)
    tilt = 0.35
    own: ClassVar[Mapping[str, str]] = {"bowl": "so2"}

    def world(self) -> tuple[str, str]:
        light, rim = 'mass="0.01"', 0.06
        cup = box((0.024, 0.024, 0.003), (0, 0, 0.003), _ORANGE, light)
        cup += "".join(box((0.003, 0.024, 0.03), (s * 0.024, 0, 0.03), _ORANGE, light) for s in (-1, 1))
        cup += "".join(box((0.024, 0.003, 0.03), (0, s * 0.024, 0.03), _ORANGE, light) for s in (-1, 1))
        cup += rod(GRIP, (-0.055, 0, 0.02), (-0.055, 0, 0.1), _BLUE, light) + box((0.014, 0.004, 0.004), (-0.041, 0, 0.01), _BLUE, light)
        bowl = disc(0.05, 0.002, (0, 0, 0.002), _GREY)
        for k in range(12):
            angle = 2 * np.pi * k / 12
            at = f"{0.05 * np.cos(angle):.6g} {0.05 * np.sin(angle):.6g} {rim / 4}"
            bowl += f'<geom type="box" size="0.003 0.0135 {rim / 4}" pos="{at}" euler="0 0 {angle:.6g}" rgba="{_GREY}"/>'
        return fixed("bowl", bowl), free("cup", cup)

    def goals(self, scene: "Scene") -> list[Rigid]:
        turn = heading(scene.pose("cup").matrix)
        upright = [turn @ about(2, np.pi / 4 * k) for k in range(8)]
        return [pose(scene.pose("bowl").offset + (0, 0, 0.15) - u @ (0.03, 0.0, 0.0), u) for u in upright]

    def done(self, scene: "Scene") -> bool:
        place, turn = self.off(scene)
        mouth = place + turn @ (0.0, 0.0, 0.06)
        return bool(np.hypot(mouth[0], mouth[1]) < 0.035 and 0.04 < mouth[2] < 0.2 and turn[2, 2] < np.cos(np.deg2rad(100)))

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        goal = nearest(self.goals(scene), scene.pose("cup"))
        hold = scene.hand.inverse() @ scene.pose("cup")
        yield Keyframe(goal @ hold.inverse(), False)
        mouth = scene.pose("bowl").offset + (0, 0, 0.12)
        for angle in (1.0, 2.0):  # two turns: the way of one may be the other way round
            hold = scene.hand.inverse() @ scene.pose("cup")
            turn = goal.matrix @ about(1, angle)
            yield Keyframe(pose(mouth - turn @ (0.0, 0.0, 0.06), turn) @ hold.inverse(), False)


class Tool(Held):
    """Push a block to a goal with a held tool."""

    name = "tool"
    identifier = "Tool"
    description = "push a block to a disk with a held scraper"
    fixtures = ("goal",)
    things = ("scraper", "block")
    held = "scraper"
    grip = (0.0, 0.0, 0.085)
    tilt = 0.3
    own: ClassVar[Mapping[str, str]] = {"scraper": "c2", "block": "c4", "goal": "so2"}
    horizon = 200

    def world(self) -> tuple[str, str]:
        blade = box((0.01, 0.04, 0.016), (0, 0, 0.016), _ORANGE, 'mass="0.03" friction="0.4 0.01 0.0001"')
        scraper = free("scraper", blade + rod(GRIP, (0, 0, 0.04), (0, 0, 0.12), _BLUE, 'mass="0.02"'))
        goal = fixed("goal", disc(0.03, 0.0005, (0, 0, 0.0005), "0.8 0.1 0.1 1", 'class="mark"'))
        return goal, scraper + block("block").replace('mass="0.08"', 'mass="0.06" friction="0.4 0.01 0.0001"')

    def rest(self, rng: np.random.Generator) -> dict[str, Rigid]:
        way, far = heading_of(rng), float(rng.uniform(0.09, 0.15))
        first = scattered(rng, 1, apart=0.0, radius=0.08)[0]
        second = first + far * np.array([np.cos(way), np.sin(way)])
        middle = (first + second) / 2 * 0.5  # toward the middle of the table
        return {"block": standing(rng, first - middle, HALF), "goal": standing(rng, second - middle)}

    def goals(self, scene: "Scene") -> list[Rigid]:
        way = (scene.pose("goal").offset - scene.pose("block").offset)[:2]
        yaw = float(np.arctan2(way[1], way[0]))
        return [pose(scene.pose("block").offset * (1, 1, 0), about(2, yaw + np.pi * k)) for k in range(2)]

    def done(self, scene: "Scene") -> bool:
        away = scene.pose("block").offset - scene.pose("goal").offset
        return bool(np.hypot(away[0], away[1]) < 0.02)

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        block_at, goal_at = scene.pose("block").offset, scene.pose("goal").offset
        way = (goal_at - block_at) * (1.0, 1.0, 0.0)
        way /= np.sqrt(way @ way)
        facing = nearest(self.goals(scene), scene.pose("scraper")).matrix
        floor = np.array([0.0, 0.0, scene.frame.offset[2] + 0.003])
        behind, there = block_at * (1, 1, 0) - 0.05 * way, goal_at * (1, 1, 0) - (HALF + 0.01) * way
        for place in (behind + (0, 0, 0.07), behind, there, there + (0, 0, 0.07)):
            hold = scene.hand.inverse() @ scene.pose("scraper")
            yield Keyframe(pose(place + floor, facing) @ hold.inverse(), False)


class LBlock(Held):
    """Put an L-shaped block into its frame."""

    name = "l-block"
    identifier = "LBlock"
    description = "put a held L-shaped block into a frame that leaves 2 mm on each side"
    fixtures = ("frame",)
    things = ("l-block",)
    held = "l-block"
    grip = (0.0, 0.0, 0.085)

    def world(self) -> tuple[str, str]:
        left, right, low, inner, high, bend, gap, thick = -0.015, 0.045, -0.01, 0.01, 0.04, 0.005, 0.002, 0.008
        walls = [  # rectangles in the plane: x from, x to, y from, y to
            (left - gap - thick, right + gap + thick, low - gap - thick, low - gap),
            (right + gap, right + gap + thick, low - gap, inner + gap + thick),
            (bend + gap, right + gap, inner + gap, inner + gap + thick),
            (bend + gap, bend + gap + thick, inner + gap + thick, high + gap + thick),
            (left - gap - thick, bend + gap, high + gap, high + gap + thick),
            (left - gap - thick, left - gap, low - gap, high + gap),
        ]
        smooth = 'mass="0.03" friction="0.3 0.01 0.0001"'
        shape = box((0.03, 0.01, 0.012), (0.015, 0, 0.012), _ORANGE, smooth) + box(
            (0.01, 0.015, 0.012), (-0.005, 0.025, 0.012), _ORANGE, smooth
        )
        handle = rod(GRIP, (0, 0, 0.024), (0, 0, 0.115), _BLUE, 'mass="0.01"')
        return fixed("frame", "".join(_wall(*w) for w in walls)), free("l-block", shape + handle)

    def goals(self, scene: "Scene") -> list[Rigid]:
        return [scene.pose("frame") @ pose((0, 0, 0.002))]

    def done(self, scene: "Scene") -> bool:
        place, turn = self.off(scene)
        return bool(np.hypot(place[0], place[1]) < 0.006 and place[2] < 0.008 and turn[2, 2] > 0.97 and turn[0, 0] > 0.97)

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        yield from self.bring(scene, self.goals(scene), (0.06, 0.025, 0.0))


def _wall(x: float, x_end: float, y: float, y_end: float, height: float = 0.018) -> str:
    return box(((x_end - x) / 2, (y_end - y) / 2, height / 2), ((x + x_end) / 2, (y + y_end) / 2, height / 2), _GREY)
