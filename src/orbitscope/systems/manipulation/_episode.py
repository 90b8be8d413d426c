"""Episodes: a script is run and written down, an episode is run again from what was written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ...symmetry import Rigid
from ._drive import drive
from ._poses import Array
from ._scene import Scene
from ._task import Start


@dataclass(frozen=True, eq=False)
class Episode:
    """What happened, step by step; step 0 is the beginning, and `actions[t]` leads from step t to t + 1.

    * `task`, `seed`: of the episode. `frame`: where the table stood. `success`: whether the task was done at the end.
    * `actions` [T, 7]: what was done. `hand` [T + 1, 12]: its pose (see `Scene.observe`). `opening` [T + 1]: of each finger, m.
    * `open` [T + 1]: what the fingers were told. `speed` [T + 1, 2]: of the hand, m/s and rad/s.
    * `bodies` [T + 1, bodies, 12]: poses of fixtures and things. `joints` [T + 1, joints]: numbers of mechanisms.
    * `scripted`: steps at which a keyframe of the script was reached.
    """

    task: str
    seed: int
    frame: Rigid
    success: bool
    actions: Array
    hand: Array
    opening: Array
    open: Array
    speed: Array
    bodies: Array
    joints: Array
    scripted: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.actions)


def demonstrate(scene: Scene, seed: int = 0, *, start: Start | None = None, watch: Callable[[Scene], object] | None = None) -> Episode:
    """Run the script of a scene's task once, from the layout of a seed.

    * `scene`: is begun anew. `seed`: of the layout. `start`: a layout of its own instead. `watch(scene)`: called at every step.

    A simulation that leaves all bounds ends the episode without success.
    """
    scene.reset(seed, start=start)
    scripted: list[int] = []

    def actions() -> Iterator[Array]:
        for keyframe in scene.task.script(scene):
            yield from drive(scene, keyframe)
            scripted.append(scene.steps)

    episode = _run(scene, seed, actions(), watch, scene.task.horizon)
    return Episode(**{**vars(episode), "scripted": np.array(scripted, dtype=np.int64)})


def replay(scene: Scene, episode: Episode, *, start: Start | None = None, watch: Callable[[Scene], object] | None = None) -> Episode:
    """Run the actions of an episode again from its seed.

    * `scene`: of the same task, is begun anew at the frame of the episode. `episode`: whose actions. `start`: as of `demonstrate`.
      `watch(scene)`: called at every step.

    On the same machine every number comes out the same. Raises `OrbitscopeError` for a scene of another task.
    """
    if scene.task.name != episode.task:
        raise OrbitscopeError(f"replay: the episode is of {episode.task}, the scene of {scene.task.name}. Make a scene of its task.")
    scene.move(episode.frame)
    scene.reset(episode.seed, start=start)
    again = _run(scene, episode.seed, iter(episode.actions), watch, len(episode.actions))
    return Episode(**{**vars(again), "scripted": episode.scripted})


class Recording:
    """Writes down what happens in a scene from here on, whoever acts in it.

    * `scene`: has been begun; its `watch` is taken until `finish`.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene, self.rows = scene, [_row(scene)]
        self.actions: list[Array] = []
        scene.watch = self._step

    def _step(self, action: Array) -> None:
        if not self.scene.broken:  # what has left all bounds has no place to write down
            self.actions.append(action)
            self.rows.append(_row(self.scene))

    def finish(self, seed: int, success: bool) -> Episode:
        """The episode up to now.

        * `seed`: of the layout. `success`: whether its task was done.
        """
        self.scene.watch = None
        return _written(self.scene, seed, success, self.actions, self.rows)


def _run(scene: Scene, seed: int, actions: Iterator[Array], watch: Callable[[Scene], object] | None, most: int) -> Episode:
    kept: list[Array] = []
    rows = [_row(scene)]
    if watch is not None:
        watch(scene)
    for action in actions:
        scene.act(action)
        if scene.broken:
            break
        kept.append(action)
        rows.append(_row(scene))
        if watch is not None:
            watch(scene)
        if len(kept) >= most:
            break
    return _written(scene, seed, not scene.broken and bool(scene.task.done(scene)), kept, rows)


def _written(scene: Scene, seed: int, success: bool, kept: list[Array], rows: list[dict[str, Array]]) -> Episode:
    c = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Episode(
        scene.task.name, seed, scene.frame, success, np.array(kept).reshape(-1, 7), hand=c["hand"], opening=c["opening"], open=c["open"],
        speed=c["speed"], bodies=c["bodies"], joints=c["joints"],
    )  # fmt: skip


def _row(scene: Scene) -> dict[str, Array]:
    seen = scene.observe()
    return {
        "hand": seen["hand"], "opening": np.array(scene.opening), "open": np.array(float(scene.open)), "speed": np.array(scene.speed),
        "bodies": seen.get("bodies", np.zeros((0, 12))), "joints": seen.get("joints", np.zeros(0)),
    }  # fmt: skip
