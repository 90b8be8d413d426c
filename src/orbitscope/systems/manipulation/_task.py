"""What a task is: its part of the world, how it begins, when it is done, and a script that does it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ...symmetry import Rigid
from ._poses import Array, about, flat, pose

if TYPE_CHECKING:
    from ._scene import Scene


@dataclass(frozen=True)
class Keyframe:
    """Where the hand goes next and what its fingers do there.

    * `pose`: of the hand in the world: its origin between the pads, z along the fingers, y the direction in which they open; m.
    * `open`: whether the fingers are open once it is there.
    """

    pose: Rigid
    open: bool


@dataclass(frozen=True)
class Start:
    """How an episode begins, in the frame of the table (origin at the middle of its top, z up).

    * `hand`: pose of the hand. `bodies`: poses of fixtures and things by name.
    * `opening`: of each finger, m. `open`: whether they stay open.
    """

    hand: Rigid
    bodies: Mapping[str, Rigid]
    opening: float
    open: bool


class Task(ABC):
    """A task of the table top: a fragment of the world, a first layout, a test of success and a script.

    * `name`: the word for it; `identifier`: of gymnasium. `description`: one line.
    * `fixtures`, `things`, `joints`: bodies that stand on the table, free bodies, and joints of mechanisms whose numbers are observed.
    * `held`: the thing that begins in the hand, or None.
    * `own`: by body, its own symmetry in words: turns about its z axis that nobody sees.
    * `horizon`: control steps after which an episode is cut off.

    The scene's symmetry is the same for all: turns about the vertical and shifts of everything, SE(2) x R.
    """

    name: ClassVar[str]
    identifier: ClassVar[str]
    description: ClassVar[str]
    fixtures: ClassVar[tuple[str, ...]] = ()
    things: ClassVar[tuple[str, ...]] = ()
    joints: ClassVar[tuple[str, ...]] = ()
    held: ClassVar[str | None] = None
    own: ClassVar[Mapping[str, str]] = {}
    horizon: ClassVar[int] = 300
    memory: ClassVar[int] = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.description}"

    @abstractmethod
    def world(self) -> tuple[str, str]:
        """The XML of its fixtures and of its free things."""

    @abstractmethod
    def start(self, rng: np.random.Generator) -> Start:
        """A first layout, drawn from `rng`."""

    @abstractmethod
    def done(self, scene: "Scene") -> bool:
        """Whether the task is done in `scene` as it stands."""

    @abstractmethod
    def script(self, scene: "Scene") -> Iterator[Keyframe]:
        """Keyframes of a demonstration; between two of them `scene` goes on, so that the next may look where things are now."""

    def remember(self, scene: "Scene") -> None:  # noqa: B027  # most tasks remember nothing
        """After every control step of `scene`: what the task must keep in `scene.memory` (`memory` numbers), such as buttons pressed."""


def scattered(
    rng: np.random.Generator, count: int, *, apart: float, radius: float = 0.17, away: Array | None = None, clear: float = 0.0
) -> list[Array]:
    """Places [2] uniform in a disk about the middle of the table, at least `apart` from one another and `clear` from `away`."""
    found: list[Array] = []
    while len(found) < count:
        place = radius * np.sqrt(rng.random()) * _direction(rng)
        near = any(np.hypot(*(place - other)) < apart for other in found)
        if not near and (away is None or np.hypot(*(place - away)) >= clear):
            found.append(place)
    return found


def hovering(rng: np.random.Generator, *, height: float = 0.24, radius: float = 0.08) -> Rigid:
    """A hand over the table, fingers down, at any heading."""
    x, y = radius * np.sqrt(rng.random()) * _direction(rng)
    return pose((x, y, height), about(2, heading_of(rng)) @ np.diag([1.0, -1.0, -1.0]))


def heading_of(rng: np.random.Generator) -> float:
    """Any heading, uniform in [-pi, pi)."""
    return float(rng.uniform(-np.pi, np.pi))


def standing(rng: np.random.Generator, place: Array, height: float = 0.0) -> Rigid:
    """Upright at a place [2], at any heading."""
    return flat(float(place[0]), float(place[1]), height, heading_of(rng))


def _direction(rng: np.random.Generator) -> Array:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])
