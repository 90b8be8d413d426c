"""Tasks with mechanisms: buttons, a drawer, a knob."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ...symmetry import Rigid
from ._mjcf import FINGERS, box, disc, fixed
from ._poses import about, heading, nearest, pointing_down, pose, shifted
from ._task import Keyframe, Start, Task, hovering, scattered, standing

if TYPE_CHECKING:
    from ._scene import Scene

_COLOURS = {"button": "0.8 0.1 0.1 1", "red": "0.8 0.1 0.1 1", "green": "0.1 0.6 0.2 1", "blue": "0.1 0.25 0.8 1"}
_TOP, _TRAVEL, _TIP, _PRESSED = 0.032, 0.01, 0.015, 0.007


def button(name: str) -> str:
    """A spring button on a base; its joint has its name and runs down from 0 to 0.01 m."""
    cap = (
        f'<body name="{name} cap" gravcomp="1"><joint name="{name}" type="slide" axis="0 0 -1" range="0 {_TRAVEL}" stiffness="150" '
        f'damping="3"/>{disc(0.016, 0.005, (0, 0, _TOP - 0.005), _COLOURS[name], _CAP)}</body>'
    )
    return fixed(name, disc(0.028, 0.005, (0, 0, 0.005), "0.45 0.45 0.48 1") + cap)


_CAP = 'mass="0.1"'  # a light one makes a soft contact


def press(scene: "Scene", name: str) -> Iterator[Keyframe]:
    """Go above a button with shut fingers, down and up again."""
    place = shifted(scene.pose(name), (0, 0, _TOP + _TIP - _TRAVEL - 0.001)).offset
    hand = pointing_down(place, heading(scene.hand.matrix @ np.diag([1.0, -1.0, -1.0])))
    for height in (0.06, 0.0, 0.06):
        yield Keyframe(shifted(hand, (0, 0, height)), False)


class Button(Task):
    """Press a button."""

    name = "button"
    identifier = "Button"
    description = "press a button"
    fixtures = ("button",)
    joints = ("button",)
    own: ClassVar[Mapping[str, str]] = {"button": "so2"}
    horizon = 100
    memory = 1

    def world(self) -> tuple[str, str]:
        return button("button"), ""

    def start(self, rng: np.random.Generator) -> Start:
        return Start(hovering(rng), {"button": standing(rng, scattered(rng, 1, apart=0.0)[0])}, FINGERS[0], False)

    def remember(self, scene: "Scene") -> None:
        scene.memory[0] = max(scene.memory[0], float(scene.joints[0] > _PRESSED))

    def done(self, scene: "Scene") -> bool:
        return bool(scene.memory[0] > 0)

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        yield from press(scene, "button")


class Buttons(Task):
    """Press three buttons, red, green, blue; `memory`: how many were right, whether one was wrong, and which are down."""

    name = "buttons"
    identifier = "Buttons"
    description = "press the red, then the green, then the blue button"
    fixtures = ("red", "green", "blue")
    joints = ("red", "green", "blue")
    own: ClassVar[Mapping[str, str]] = {"red": "so2", "green": "so2", "blue": "so2"}
    horizon = 250
    memory = 5

    def world(self) -> tuple[str, str]:
        return "".join(button(name) for name in self.fixtures), ""

    def start(self, rng: np.random.Generator) -> Start:
        places = scattered(rng, 3, apart=0.1)
        bodies = {name: standing(rng, place) for name, place in zip(self.fixtures, places, strict=True)}
        return Start(hovering(rng), bodies, FINGERS[0], False)

    def remember(self, scene: "Scene") -> None:
        down, before = scene.joints > _PRESSED, scene.memory[2:] > 0
        for k in np.flatnonzero(down & ~before):
            if k == int(scene.memory[0]):
                scene.memory[0] += 1
            else:
                scene.memory[1] = 1.0
        scene.memory[2:] = down

    def done(self, scene: "Scene") -> bool:
        return bool(scene.memory[0] == 3 and scene.memory[1] == 0)

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        for name in self.fixtures:
            yield from press(scene, name)


def _either_way(place: Rigid) -> list[Rigid]:
    """Hands from above that close along the y axis of a pose, one and the other way round."""
    return [pointing_down(place.offset, heading(place.matrix) @ about(2, np.pi * k)) for k in range(2)]


class Drawer(Task):
    """Open a drawer."""

    name = "drawer"
    identifier = "Drawer"
    description = "pull a drawer open by 8 cm"
    fixtures = ("cabinet",)
    joints = ("drawer",)
    horizon = 160

    def world(self) -> tuple[str, str]:
        grey, wood = "0.62 0.5 0.38 1", "0.8 0.66 0.48 1"
        shell = box((0.06, 0.056, 0.004), (0, 0, 0.004), grey) + box((0.06, 0.056, 0.004), (0, 0, 0.072), grey)
        shell += "".join(box((0.06, 0.004, 0.034), (0, y, 0.038), grey) for y in (-0.052, 0.052))
        shell += box((0.004, 0.056, 0.038), (-0.064, 0, 0.038), grey)
        tray = box((0.005, 0.045, 0.025), (0.067, 0, 0.038), wood) + box((0.058, 0.042, 0.003), (0.004, 0, 0.02), wood)
        tray += box((0.02, 0.008, 0.014), (0.092, 0, 0.038), "0.2 0.2 0.22 1")
        joint = '<joint name="drawer" type="slide" axis="1 0 0" range="0 0.12" damping="4" frictionloss="0.4"/>'
        return fixed("cabinet", f'{shell}<body name="tray" gravcomp="1">{joint}<inertial pos="0 0 0.03" mass="0.2" '
                     f'diaginertia="3e-4 3e-4 3e-4"/>{tray}</body>'), ""  # fmt: skip

    def start(self, rng: np.random.Generator) -> Start:
        return Start(hovering(rng), {"cabinet": standing(rng, scattered(rng, 1, apart=0.0, radius=0.08)[0])}, FINGERS[1], True)

    def done(self, scene: "Scene") -> bool:
        return bool(scene.joints[0] > 0.08)

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        cabinet = scene.pose("cabinet")
        handle = cabinet @ pose((0.098 + scene.joints[0], 0.0, 0.038))
        hand = nearest(_either_way(handle), scene.hand)
        yield Keyframe(shifted(hand, (0, 0, 0.09)), True)
        yield Keyframe(hand, False)
        yield Keyframe(shifted(hand, cabinet.matrix @ (0.1, 0, 0)), True)
        yield Keyframe(shifted(hand, cabinet.matrix @ (0.1, 0, 0) + (0, 0, 0.09)), True)


class Knob(Task):
    """Turn a knob."""

    name = "knob"
    identifier = "Knob"
    description = "turn a knob by 80 degrees, counter-clockwise from above"
    fixtures = ("knob",)
    joints = ("turn",)
    horizon = 160

    def world(self) -> tuple[str, str]:
        bar = box((0.03, 0.008, 0.014), (0, 0, 0.046), "0.84 0.37 0.0 1") + disc(0.012, 0.006, (0, 0, 0.027), "0.3 0.3 0.32 1")
        bar += box((0.006, 0.0085, 0.0145), (0.025, 0, 0.046), "0.95 0.9 0.3 1")  # shows which way it points
        joint = '<joint name="turn" type="hinge" axis="0 0 1" range="-0.2 2.2" damping="0.02" frictionloss="0.02"/>'
        inertia = '<inertial pos="0 0 0.04" mass="0.1" diaginertia="5e-5 5e-5 5e-5"/>'
        return fixed("knob", disc(0.04, 0.01, (0, 0, 0.01), "0.45 0.45 0.48 1")
                     + f'<body name="bar" gravcomp="1">{joint}{inertia}{bar}</body>'), ""  # fmt: skip

    def start(self, rng: np.random.Generator) -> Start:
        return Start(hovering(rng), {"knob": standing(rng, scattered(rng, 1, apart=0.0)[0])}, FINGERS[1], True)

    def done(self, scene: "Scene") -> bool:
        return bool(scene.joints[0] > np.deg2rad(80))

    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        knob = scene.pose("knob")
        bar = knob @ pose((0, 0, 0.046), about(2, float(scene.joints[0])))
        hand = nearest(_either_way(bar), scene.hand)
        yield Keyframe(shifted(hand, (0, 0, 0.08)), True)
        yield Keyframe(hand, False)
        turn = pose(hand.offset, about(2, np.pi / 2) @ hand.matrix)
        yield Keyframe(turn, True)
        yield Keyframe(shifted(turn, (0, 0, 0.08)), True)
