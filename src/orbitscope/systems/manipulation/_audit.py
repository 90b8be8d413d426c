"""Does the simulator have the symmetry? The same episode in a moved scene, with moved actions, against the moved episode."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from ..._errors import OrbitscopeError
from ..._expect import expect
from ..._seed import derive
from ...symmetry import Rigid
from ._episode import Episode, demonstrate, replay
from ._poses import Array, about, pose, shifted
from ._scene import Scene
from ._task import Start, Task
from ._tasks_blocks import Lift

_NUDGE = 1e-9  # m: how the floor is found
_ROUGH = 1e-3  # m: a floor above this hides what is asked
_ANGLE = 0.1  # m: a turn counts by how far it moves a point at this distance


@dataclass(frozen=True)
class Audit:
    """How far a simulator is from commuting with motions of its scene.

    * `table`: `gap` [element, seed], the largest distance of any body at any step from where it should be, m; `floor` [seed], that between
      an episode and one whose hand begins 1e-9 m off; `away` [seed], that between two unrelated episodes; `verdict` [element].
    """

    table: xr.Dataset

    def __str__(self) -> str:
        t = self.table
        head = f"{t.attrs['task']}, {t.attrs['cone']} cones, {t.sizes['seed']} episodes; floor {float(t.floor.max()):.1e} m"
        lines = [f"  {name:<22} {float(t.gap.sel(element=name).max()):.1e} m  {str(t.verdict.sel(element=name).item())}"
                 for name in t.element.values]  # fmt: skip
        return "\n".join([head, *lines])


def scene_elements() -> tuple[Rigid, ...]:
    """Motions of the whole scene that the audit looks at: turns, a shift along each axis, and all at once."""
    found = [pose(np.zeros(3), about(2, np.deg2rad(d))).named(f"turn {d}") for d in (90, 180, 45, 73)]
    found += [pose(t).named(n) for t, n in (((0.2, 0, 0), "shift x"), ((0, -0.13, 0), "shift y"), ((0, 0, 0.17), "shift z"))]
    return (*found, pose((0.31, 0.12, 0.08), about(2, 2.2)).named("turn and shift"))


def audit_task(
    task: Task, seeds: Sequence[int] = (0, 1, 2), *, cone: str = "elliptic", elements: Sequence[Rigid] | None = None,
    progress: Callable[[str, float, float], None] | None = None,
) -> Audit:  # fmt: skip
    r"""Measure by paired episodes whether the simulator of a task has the symmetry that is declared for it, SE(2) times vertical shifts.

    The script's actions of one episode are turned by g and played in a scene moved by g; $\epsilon(g) = \max_t d(x'_t, g x_t)$ over hand
    and things, d the distance in m plus 0.1 m times the angle of turn; joints of mechanisms in their unit.

    * `task`: whose scene. `seeds`: of the layouts. `cone`: of the contacts, "elliptic" or "pyramidal". `elements`: motions g; by default
      those of `scene_elements`. `progress(stage, done, total)`: called as it goes.

    The verdict is "holds" where the gap is at most ten floors or 1e-6 m, else "broken"; where the floor is above 1 mm and the gap no more
    than ten floors it is "undecided": contacts have made rounding large. What the shape of the friction cones does is clearer in
    `audit_sliding`. Raises `OrbitscopeError` without seeds, and for elements that tilt the table.
    """
    expect(task, Task, "audit_task: `task`", "a Task, such as task('peg')")
    if not seeds:
        raise OrbitscopeError("audit_task: `seeds` should be at least one, got none.")
    moves = tuple(elements) if elements is not None else scene_elements()
    scene = Scene(task, cone=cone)
    gaps, floors, away = np.zeros((len(moves), len(seeds))), np.zeros(len(seeds)), np.zeros(len(seeds))
    for k, seed in enumerate(seeds):
        scene.move(pose(np.zeros(3)))
        base = demonstrate(scene, seed)
        floors[k] = difference(base, replay(scene, base, start=_nudged(task, seed)), pose(np.zeros(3)))
        away[k] = difference(demonstrate(scene, derive(seed, "unrelated") % 2**31), base, pose(np.zeros(3)))
        for m, g in enumerate(moves):
            gaps[m, k] = difference(base, replay(scene, moved(base, g)), g)
        if progress is not None:
            progress("episodes in pairs", k + 1, len(seeds))
    scale = np.maximum(10 * floors.max(), 1e-6)
    fine = "undecided" if floors.max() > _ROUGH else "holds"
    verdict = [fine if row.max() <= scale else "broken" for row in gaps]
    table = xr.Dataset(
        {"gap": (("element", "seed"), gaps), "floor": ("seed", floors), "away": ("seed", away), "verdict": ("element", verdict)},
        {"element": [g.name or str(k) for k, g in enumerate(moves)], "seed": list(seeds)},
        {"task": task.name, "cone": cone, "unit": "m"},
    )
    return Audit(table)


def audit_sliding(cone: str = "elliptic", angles: Sequence[float] = (15.0, 30.0, 45.0, 73.0, 90.0), *, speed: float = 0.7) -> Audit:
    r"""How far a block slides that was pushed off in turned directions: the plainest test of whether friction knows the world's axes.

    * `cone`: "elliptic" or "pyramidal". `angles`: turns of the scene, degrees. `speed`: of the block at the start, m/s.

    The gap is the distance of the block, 0.6 s later, from the turned place, m. Pyramids have corners along axes of the world: there it is
    centimetres, and 0 for a quarter turn.
    """
    task = Lift()
    start = Start(pose((0, 0, 0.3), np.diag([1.0, -1.0, -1.0])), {"block": pose((-0.15, 0.02, 0.02), about(2, 0.3))}, 0.045, True)
    scene = Scene(task, cone=cone)

    def slid(turn: Rigid, nudge: float = 0.0) -> Array:
        scene.move(turn)
        scene.reset(start=start)
        push = np.array([speed + nudge, 0.0, 0.0])
        scene.throw("block", turn.matrix @ push)
        for _ in range(12):
            scene.act((0, 0, 0, 0, 0, 0, 1))
        return scene.on_table("block").offset

    plain = slid(pose(np.zeros(3)))
    gaps = [float(np.linalg.norm(slid(pose(np.zeros(3), about(2, np.deg2rad(a)))) - plain)) for a in angles]
    floor = float(np.linalg.norm(slid(pose(np.zeros(3)), _NUDGE) - plain))
    verdict = ["holds" if g <= max(10 * floor, 1e-6) else "broken" for g in gaps]
    way = float(np.linalg.norm(plain - start.bodies["block"].offset))
    table = xr.Dataset(
        {"gap": (("element", "seed"), np.array(gaps)[:, None]), "floor": ("seed", [floor]), "away": ("seed", [way]),
         "verdict": ("element", verdict)},
        {"element": [f"turn {a:g}" for a in angles], "seed": [0]},
        {"task": "sliding block", "cone": cone, "unit": "m"},
    )  # fmt: skip
    return Audit(table)


def moved(episode: Episode, motion: Rigid) -> Episode:
    """The episode as it should go in a moved scene.

    * `episode`: whose actions are turned, and all of whose poses are moved. `motion`: g, a turn about the vertical and a shift.
    """
    turn = np.kron(np.eye(2), motion.matrix)  # velocity and turning rate
    actions = episode.actions.copy()
    actions[:, :6] = actions[:, :6] @ turn.T
    hand, bodies = (_moved(p, motion) for p in (episode.hand, episode.bodies))
    return replace(episode, frame=motion @ episode.frame, actions=actions, hand=hand, bodies=bodies)


def _moved(poses: Array, motion: Rigid) -> Array:
    """Poses [..., 12] moved."""
    parts = poses.reshape(*poses.shape[:-1], 4, 3) @ motion.matrix.T
    parts[..., 0, :] += motion.offset
    return parts.reshape(poses.shape)


def difference(base: Episode, other: Episode, motion: Rigid) -> float:
    """The largest distance between an episode and another one moved back, over steps, hand, things and joints.

    * `base`: the episode. `other`: the one in the moved scene. `motion`: g. Infinite where one is shorter.
    """
    steps = min(len(base.hand), len(other.hand))
    wanted = [_moved(p[:steps], motion) for p in (base.hand, base.bodies)]
    found = [p[:steps] for p in (other.hand, other.bodies)]
    largest = 0.0
    for a, b in zip(wanted, found, strict=True):
        apart = (a - b).reshape(*a.shape[:-1], 4, 3)
        # The Frobenius norm of a difference of rotations is 2 sqrt(2) sin(angle / 2).
        turns = np.sqrt((apart[..., 1:, :] ** 2).sum((-2, -1)) / 2)
        largest = max(largest, float((np.sqrt((apart[..., 0, :] ** 2).sum(-1)) + _ANGLE * turns).max(initial=0.0)))
    return max(largest, float(np.abs(base.joints[:steps] - other.joints[:steps]).max(initial=0.0)))


def _nudged(task: Task, seed: int) -> Start:
    start = task.start(np.random.default_rng(derive(seed, f"manipulation {task.name}")))
    return replace(start, hand=shifted(start.hand, np.full(3, _NUDGE)))
