"""What the suite of known groups consists of, and where its files lie."""

from dataclasses import asdict, dataclass, field
from typing import Any

from harness import Folder
from known import CASES, CONTROLS, FINITE, Case

EVERY = {case.name: case for case in (*CASES, *FINITE, *CONTROLS)}
METHODS = {"gradient": "gradient", "atlas": "atlas", "adversarial": "adversarial (LieGAN)"}


@dataclass(frozen=True)
class Settings:
    """One TOML file.

    `seeds`: of data, split and training, for `gradient`; `slow_seeds`: how many of the first of them the two learnt methods run on too.
    `examples`: per case, a fifth of them held out. `cases`: names, all where nothing is said. `planted`: sizes of a planted breaking, and
    `planted_seeds`. `fewer`: numbers of examples that all cases are repeated with, on the first `fewer_seeds`; `component_seeds`: on how
    many of the first further components are looked for. `config`: of the predictors' training, the library's own where nothing is said;
    `atlas`, `adversarial`: settings.
    """

    name: str
    seeds: list[int]
    examples: int
    slow_seeds: int
    cases: list[str] = field(default_factory=list)
    planted: list[float] = field(default_factory=list)
    planted_seeds: int = 0
    fewer: list[int] = field(default_factory=list)
    fewer_seeds: int = 0
    component_seeds: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    atlas: dict[str, Any] = field(default_factory=dict)
    adversarial: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One case, or one size of a planted breaking, with one seed; `examples`: 0 for as many as the settings say."""

    case: str
    seed: int
    planted: float = 0.0
    examples: int = 0

    @property
    def key(self) -> str:
        few = f"_{self.examples}" if self.examples else ""
        return f"{self.case.replace(', ', '-').replace(' ', '-')}_{self.planted:g}_{self.seed}{few}"

    @property
    def label(self) -> dict[str, Any]:
        return asdict(self)


def jobs(settings: Settings) -> list[Job]:
    """All jobs, seed by seed, so that a study that is cut short has fewer seeds and not fewer cases."""
    found = []
    for seed in settings.seeds:
        found += [Job(name, seed) for name in settings.cases or EVERY]
    for seed in settings.seeds[: settings.planted_seeds]:
        found += [Job("circle", seed, size) for size in settings.planted]
    few = [
        Job(name, seed, 0.0, n)
        for seed in settings.seeds[: settings.fewer_seeds]
        for n in settings.fewer
        for name in settings.cases or EVERY
    ]
    return found + few


class Place(Folder):
    """The folder of the study."""

    settings: Settings


def case_of(job: Job) -> Case:
    """The case of a job, with its planted breaking."""
    case = EVERY[job.case]
    if not job.planted:
        return case
    plain, crooked = case.function, EVERY["nothing, plane"].function
    # Both have about unit variance, so `planted` is the ratio of their sizes.
    return Case(case.name, case.group, case.points, lambda x: plain(x) + job.planted * crooked(x), case.algebra, case.identified)
