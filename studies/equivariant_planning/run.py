"""The study of planners whose decisions turn with the world: with the true model, beside an obstacle, and with learnt models.

    python studies/equivariant_planning/run.py --config small.toml --out runs/equivariant_planning-small

Every finished case is kept; a second start goes on with what is missing. `--only NAME ...` takes some experiments (planning, obstacle,
learning), `--agents`, `--seeds` and `--tasks` some runs of learning, `--minutes` sets a limit, `--page-only` writes the page again.
"""

import itertools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import experiments  # noqa: E402
from harness import Folder, Tell, arguments, collect, compute, read_settings, restore, where  # noqa: E402


@dataclass(frozen=True)
class Settings:
    """What the study is made of: see small.toml.

    `worlds`, `methods`, `rollouts`, `base`, `horizon`, `episodes`, `length`: of planning with the true model, K or base samples equal.
    `offsets`: distances from the mirror line in front of the obstacle. `agents`, `tasks`, `seeds`, `steps`, `each`, `measured`: of
    learning, `broken_...` where the symmetry is broken; returns of `measured` episodes are taken every `each` steps. `suite_...`: of
    learning in tasks of dm_control, whose actions hold for `repeat` steps.
    """

    name: str
    worlds: list[str]
    methods: list[str]
    rollouts: list[int]
    base: list[int]
    horizon: int
    episodes: int
    length: int
    offsets: list[float]
    agents: list[str]
    tasks: list[str]
    broken_agents: list[str]
    broken_tasks: list[str]
    seeds: list[int]
    steps: int
    each: int
    measured: int
    suite_tasks: list[str]
    suite_agents: list[str]
    suite_steps: int
    suite_each: int
    repeat: int


def jobs(settings: Settings) -> list[tuple[str, str, dict[str, Any]]]:
    """(key, experiment, label) of every run."""
    made: list[tuple[str, str, dict[str, Any]]] = []
    for world in settings.worlds:
        for method in settings.methods:
            made.append((f"{world}-{method}", "planning", {"world": world, "method": method}))
    made += [(f"obstacle-{method}", "obstacle", {"world": "obstacle", "method": method}) for method in settings.methods]
    for tasks, agents in ((settings.tasks, settings.agents), (settings.broken_tasks, settings.broken_agents)):
        for task, agent, seed in itertools.product(tasks, agents, settings.seeds):
            made.append((f"{task}-{agent}-{seed}", "learning", {"world": task, "agent": agent, "seed": seed}))
    for agent, task, seed in itertools.product(settings.suite_agents, settings.suite_tasks, settings.seeds):  # the corners first
        made.append((f"{task}-{agent}-{seed}", "learning", {"world": task, "agent": agent, "seed": seed}))
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Plan, learn, measure, write."""
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", default=None, choices=["planning", "obstacle", "learning"])
    for name, kind in (("--agents", str), ("--tasks", str), ("--seeds", int)):
        parser.add_argument(name, nargs="+", type=kind, default=None, help="only these runs of learning")
    options = parser.parse_args(argv)
    settings = read_settings(Settings, options.config, HERE)
    results = options.results or HERE / "results" / settings.name
    if not options.page_only:
        place, every = Folder(options.out or Path("runs") / f"equivariant_planning-{settings.name}", settings), jobs(settings)
        if (results / "meta.json").exists():
            restore(place, results, ("world", "method", "agent", "seed"), _owner)
        compute(place, work, [j for j in every if wanted(j, options)], where(options), options.minutes, lambda: None)
        collect(place, results, [label for _, _, label in every], {})
    from write_page import write_page

    beside = results.parent / "small"  # the task of two elements stands on the page of the others
    print(write_page(beside if settings.name == "c2" and beside.exists() else results, options.docs))
    return 0


def _owner(table: str, row: dict[str, Any]) -> tuple[str, str]:
    """The case that a row came from: tables of learning have an agent."""
    if row.get("agent") == row.get("agent") and row.get("agent") is not None:
        return f"{row['world']}-{row['agent']}-{int(row['seed'])}", "learning"
    return f"{row['world']}-{row['method']}", "obstacle" if row["world"] == "obstacle" else "planning"


def wanted(job: tuple[str, str, dict[str, Any]], options: Any) -> bool:
    """Whether the flags ask for this run."""
    _, experiment, label = job
    if options.only and experiment not in options.only:
        return False
    asked = {"agent": options.agents, "world": options.tasks, "seed": options.seeds}
    return experiment != "learning" or all(values is None or label[name] in values for name, values in asked.items())


def work(place: Folder, job: tuple[str, str, dict[str, Any]], deadline: float, tell: Tell) -> None:
    """One case."""
    key, experiment, label = job
    if place.case_file(key, experiment).exists():
        return
    began = time.process_time()
    tables: dict[str, list[dict[str, Any]]] = getattr(experiments, experiment)(place.settings, label, tell)
    tables["cost"] = [{"experiment": experiment, "cpu_seconds": time.process_time() - began}]
    place.write_case(key, experiment, label, tables, time.process_time() - began)
    tell(f"{key}: {time.process_time() - began:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
