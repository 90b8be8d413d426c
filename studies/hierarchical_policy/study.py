"""What the study of the hierarchical policy consists of: arms, settings, jobs."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness import Folder

FULL, NEAREST, CLOSED, HANDS, BOTH = "full", "nearest demonstration", "closed loop", "grid of the hand", "full, turned copies"
#: Name -> switches of `HierarchicalPolicy`; the first is the policy, and the last has no network.
ARMS: dict[str, dict[str, Any]] = {
    FULL: {},
    "no hierarchy": {"hierarchy": False},
    "no frame transfer": {"frame_transfer": "none"},
    "no equivariance": {"equivariant": False, "grid": "world"},
    "no stacked voxels": {"stacked_voxels": False},
    "flat diffusion": {"hierarchy": False, "equivariant": False, "grid": "world"},
    "no equivariance, turned copies": {"equivariant": False, "grid": "world"},
    CLOSED: {"control": "closed"},
    "one draw": {"draws": 1},
    HANDS: {"grid": "hand"},
    BOTH: {},
    NEAREST: {},
}
TURNED = ("no equivariance, turned copies", BOTH)  # arms that see their scenes turned by any angle in training
ORDER = (
    FULL, NEAREST, "flat diffusion", "no hierarchy", "no equivariance", "no frame transfer", "no stacked voxels",
    "no equivariance, turned copies", CLOSED, "one draw", HANDS, BOTH,
)  # fmt: skip
BETWEEN = 3  # looks between two keyframes in the demonstrations of the closed loop
DISTURBED = ("other colours", "clutter", "pushed")  # conditions of `tabletop`, beside the scenes as they are
JUDGED, HELD, DEMOS = 2000, 2500, 3000  # first layouts of what judges, of keyframes held out, of demonstrations


@dataclass(frozen=True)
class Settings:
    """One TOML file.

    `tasks`: their names, in the order in which they are done. `demos`: demonstrations of a training. `seeds`: of demonstrations, first
    weights and order. `episodes`: layouts in which each policy acts; `moved`: of these, how many again with the table elsewhere. `held`:
    demonstrations whose keyframes are held out. `epochs`, `batch`, `rate`: of a training. `model`: options of every network. `voxel`: of
    the thinned clouds, m. `most`: keyframes in an episode. `errors`: planted errors of keyposes, mm. `arms`: their names; empty: all.
    `own`: by task, what is otherwise for it: `epochs`, `model`, `arms`, `seeds`. `influenced`: arms that are probed on the first task,
    `disturbed`: those that act there under other conditions too. `counts`: other numbers of demonstrations, on the first task, of the arms
    `counted`.
    """

    name: str
    tasks: list[str]
    demos: list[int]
    seeds: list[int]
    episodes: int
    moved: int
    held: int
    epochs: int
    batch: int
    rate: float
    model: dict[str, Any]
    voxel: float
    most: int
    errors: list[float]
    arms: list[str]
    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    influenced: list[str] = field(default_factory=list)
    disturbed: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)

    def epochs_of(self, task: str) -> int:
        """Of a training on a task."""
        return int(self.own.get(task, {}).get("epochs", self.epochs))

    def model_of(self, task: str) -> dict[str, Any]:
        """Options of every network on a task."""
        return {**self.model, **self.own.get(task, {}).get("model", {})}

    def arms_of(self, task: str) -> list[str]:
        """The arms on a task, in the order in which they are done."""
        asked = self.own.get(task, {}).get("arms", self.arms)
        return [a for a in ORDER if not asked or a in asked]

    def seeds_of(self, task: str) -> list[int]:
        """On a task."""
        return list(self.own.get(task, {}).get("seeds", self.seeds))


@dataclass(frozen=True)
class Job:
    """One arm on one task with one seed and so many demonstrations."""

    task: str
    arm: str
    demos: int
    seed: int

    @property
    def key(self) -> str:
        return "".join(c if c.isalnum() else "-" for c in f"{self.task}_{self.arm}_{self.demos}_{self.seed}")

    @property
    def label(self) -> dict[str, Any]:
        return asdict(self)


def jobs(settings: Settings) -> list[Job]:
    """All jobs: task by task and arm by arm, in the order of `ORDER`, all seeds of each, so that what is broken off leaves comparisons."""
    found = [
        Job(task, arm, demos, seed)
        for task in settings.tasks
        for demos in settings.demos
        for arm in settings.arms_of(task)
        for seed in settings.seeds_of(task)
    ]
    first = settings.tasks[0]
    return found + [
        Job(first, arm, demos, seed)
        for demos in settings.counts
        for arm in settings.arms_of(first)
        if arm in settings.counted
        for seed in settings.seeds_of(first)
    ]


def again(settings: Settings) -> list[tuple[str, Job]]:
    """(experiment, job) of what is done with the arms of the first task once more: their learning probed, their scenes disturbed."""
    asked = {"influence": settings.influenced, "disturbed": settings.disturbed}
    own = [job for job in jobs(settings) if job.task == settings.tasks[0] and job.demos in settings.demos]
    return [(kind, job) for kind, arms in asked.items() for job in own if job.arm in arms]


class Place(Folder):
    """The folder of the study."""

    settings: Settings

    def data(self, task: str, first: int, count: int, between: int = 0) -> Path:
        """The file of the demonstrations of a task from a layout on, with so many looks between two keyframes."""
        return self.out / "data" / f"{task}-{first}-{count}{f'-{between}' * bool(between)}.nc"

    def demonstrations(self, job: Job) -> tuple[str, int, int]:
        """What a job is trained on: no two seeds share a layout."""
        return job.task, DEMOS + 200 * self.settings.seeds_of(job.task).index(job.seed), job.demos
