"""Settings and jobs of the study, and where its files lie."""

from dataclasses import asdict, dataclass
from typing import Any

from harness import Folder
from tasks import COMPARED, TASKS


@dataclass(frozen=True)
class Settings:
    """One TOML file.

    `seeds`: of first weights, for the recipe; the first `baseline_seeds` of them for all that it is compared with. `steps`: of training of
    a task of unit length. `tasks`: names, all where nothing is said.
    """

    name: str
    seeds: list[int]
    baseline_seeds: int
    steps: int
    tasks: list[str] | None = None


@dataclass(frozen=True)
class Job:
    """One kind of network on one task, all seeds at once."""

    task: str
    variant: str

    @property
    def key(self) -> str:
        return f"{self.task}_{self.variant}"

    @property
    def label(self) -> dict[str, Any]:
        return asdict(self)


def jobs(settings: Settings) -> list[Job]:
    """All jobs: the relaxed networks first, so that a study that is cut short has every task."""
    names = settings.tasks or list(TASKS)
    found = [Job(name, "relaxed") for name in names]
    found += [Job(name, "strict") for name in names if TASKS[name].baselines]
    found += [Job(name, "single") for name in names if name in COMPARED]
    found += [Job(name, "one-stage") for name in names if name in COMPARED]
    found += [Job(name, variant) for name in names if TASKS[name].baselines for variant in ("coordinates", "residual")]
    return found


class Place(Folder):
    """The folder of the study."""
