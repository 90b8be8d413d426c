"""The study of the keyframe transporter: its arms on tasks with a thing in the hand, held in ways and scenes that no demonstration showed.

    python studies/keyframe_transporter/run.py --config small.toml --out runs/keyframe_transporter-small

Every finished case is kept; a second start goes on with what is missing. `--only NAME ...` takes some experiments (arms, robust, search,
suite), `--arms`, `--tasks`, `--seeds` and `--counts` some runs, `--minutes` sets a limit, `--page-only` writes the page again.
"""

import itertools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import experiments  # noqa: E402
from experiments import JUDGED  # noqa: E402
from harness import Folder, Tell, arguments, collect, compute, read_settings, restore, where  # noqa: E402

Job = tuple[str, str, dict[str, Any]]


@dataclass(frozen=True)
class Settings:
    """What the study is made of: see small.toml.

    `tasks`, `arms`, `seeds`, `demonstrations`: of the runs, each trained for so many `steps` with `batch`, `learning_rate` and `width`;
    `more` numbers of demonstrations for `more_arms`. `yaw`: things are held within so many radians of one turn in demonstrations.
    `episodes`, `conditions`: of the evaluation, on layouts from `judged` on; `more_conditions` for `more_arms`. `searched`: decisions, if
    any, where coarse to fine is compared with flat scoring up to `reach` m from the middle of the table. `suite`: tasks that
    `suite_arm` is tried on with the first `suite_seeds` seeds and so many demonstrations that hold things in every way.
    `few_arms` have the first `few` seeds alone, as have `more`, `more_conditions` and `searched`; all seeds where `few` is 0.
    """

    name: str
    tasks: list[str]
    arms: list[str]
    demonstrations: int
    more: list[int]
    more_arms: list[str]
    seeds: list[int]
    steps: int
    batch: int
    learning_rate: float
    width: int
    yaw: float
    episodes: int
    conditions: list[str]
    more_conditions: list[str]
    searched: int
    reach: float
    suite: list[str]
    suite_demonstrations: int
    judged: int = JUDGED
    suite_arm: str = "transporter"
    suite_seeds: int = 1
    few: int = 0
    few_arms: list[str] = field(default_factory=list)

    @property
    def first(self) -> list[int]:
        """Seeds of `few_arms`, of other numbers of demonstrations, other conditions, and the search."""
        return self.seeds[: self.few or None]


def jobs(settings: Settings) -> list[Job]:
    """(key, experiment, label) of every run: seed by seed, so that what is there first can be compared."""
    made: list[Job] = []
    for seed, task, arm in itertools.product(settings.seeds, settings.tasks, settings.arms):
        if arm in settings.few_arms and seed not in settings.first:
            continue
        label = {"task": task, "arm": arm, "demonstrations": settings.demonstrations, "seed": seed}
        made.append((key_of(label), "arms", label))
    for seed, task, arm, count in itertools.product(settings.first, settings.tasks, settings.more_arms, settings.more):
        label = {"task": task, "arm": arm, "demonstrations": count, "seed": seed}
        made.append((key_of(label), "arms", label))
    for seed, task, arm in itertools.product(settings.first, settings.tasks, settings.more_arms):
        label = {"task": task, "arm": arm, "demonstrations": settings.demonstrations, "seed": seed}
        made.append((key_of(label), "robust", label))
    for seed, task in itertools.product(settings.first, settings.tasks if settings.searched else []):
        label = {"task": task, "arm": "transporter", "demonstrations": settings.demonstrations, "seed": seed}
        made.append((key_of(label), "search", label))
    for seed, name in itertools.product(settings.seeds[: settings.suite_seeds], settings.suite):
        label = {"task": name, "arm": settings.suite_arm, "demonstrations": settings.suite_demonstrations, "seed": seed}
        made.append((key_of(label), "suite", label))
    return made


def key_of(label: dict[str, Any]) -> str:
    """The name of the folder of a run."""
    return f"{label['task']}-{label['arm'].replace(' ', '_')}-{int(label['demonstrations'])}-{int(label['seed'])}"


def main(argv: Sequence[str] | None = None) -> int:
    """Demonstrate, train, act, write."""
    parser = arguments(__doc__)
    parser.add_argument("--counts", nargs="+", type=int, default=None, help="only these numbers of demonstrations")
    parser.add_argument("--only", nargs="+", default=None, choices=["arms", "robust", "search", "suite"])
    for name, kind in (("--arms", str), ("--tasks", str), ("--seeds", int)):
        parser.add_argument(name, nargs="+", type=kind, default=None, help="only these runs")
    options = parser.parse_args(argv)
    settings = read_settings(Settings, options.config, HERE)
    results = options.results or HERE / "results" / settings.name
    if not options.page_only:
        place, every = Folder(options.out or Path("runs") / f"keyframe_transporter-{settings.name}", settings), jobs(settings)
        if (results / "meta.json").exists():
            restore(place, results, ("task", "arm", "demonstrations", "seed", "experiment"), _owner)
        compute(place, work, [j for j in every if wanted(j, options)], where(options), options.minutes, _nothing)
        collect(place, results, [{**label, "experiment": experiment} for _, experiment, label in every], {})
    from write_page import write_page

    print(write_page(results, options.docs))
    return 0


def _nothing() -> None:
    """Demonstrations are made by the first run that needs them."""


def _owner(_: str, row: dict[str, Any]) -> tuple[str, str]:
    return key_of(row), str(row["experiment"])


def wanted(job: Job, options: Any) -> bool:
    """Whether the flags ask for this run."""
    _, experiment, label = job
    asked = {"arm": options.arms, "task": options.tasks, "seed": options.seeds, "demonstrations": options.counts}
    return (not options.only or experiment in options.only) and all(v is None or label[k] in v for k, v in asked.items())


def work(place: Folder, job: Job, deadline: float, tell: Tell) -> None:
    """One case."""
    key, experiment, label = job
    if place.case_file(key, experiment).exists():
        return
    began = time.process_time()
    tables: dict[str, list[dict[str, Any]]] = getattr(experiments, experiment)(place, label, tell)
    tables["processor"] = [{"cpu_seconds": time.process_time() - began}]
    place.write_case(key, experiment, {**label, "experiment": experiment}, tables, time.process_time() - began)
    tell(f"{key} {experiment}: {time.process_time() - began:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
