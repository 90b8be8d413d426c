"""What the two smaller questions beside the study share: settings, jobs, and a command line that keeps finished cases."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness import Folder, Tell, arguments, collect, compute, read_settings, restore, where  # noqa: E402

Label = dict[str, Any]
Rows = dict[str, list[dict[str, Any]]]
Measure = Callable[[Folder, Label, Tell], Rows]


@dataclass(frozen=True)
class Settings:
    """`arms` of `tasks`, `seeds`, `demonstrations`, `steps`, `batch`, `learning_rate`, `width`, `yaw`: as of run.py; `more`: none.

    `layouts`: so many under each of the `conditions`.
    """

    name: str
    tasks: list[str]
    arms: list[str]
    demonstrations: int
    more: list[int]
    seeds: list[int]
    steps: int
    batch: int
    learning_rate: float
    width: int
    yaw: float
    layouts: int
    conditions: list[str]


def labels(settings: Settings) -> list[Label]:
    """Of every run, seed by seed."""
    count = settings.demonstrations
    return [
        {"task": task, "arm": arm, "demonstrations": count, "seed": seed}
        for seed in settings.seeds
        for task in settings.tasks
        for arm in settings.arms
    ]


def key_of(label: Label) -> str:
    """The name of the folder of a run."""
    return "-".join(str(v).replace(" ", "_").replace(",", "") for v in label.values())


def main(doc: str | None, measure: Measure, argv: Sequence[str] | None = None) -> int:
    """Train, `measure(place, label, tell)`, collect."""
    parser = arguments(doc)
    for name, kind in (("--arms", str), ("--seeds", int)):
        parser.add_argument(name, nargs="+", type=kind, default=None, help="only these runs")
    options = parser.parse_args(argv)
    settings = read_settings(Settings, options.config, HERE)
    results = options.results or HERE / "results" / settings.name
    place, every = Folder(options.out or Path("runs") / f"keyframe_transporter-{settings.name}", settings), labels(settings)
    if (results / "meta.json").exists():
        restore(place, results, ("task", "arm", "demonstrations", "seed"), partial(_owner, measure.__name__))
    asked = {"arm": options.arms, "seed": options.seeds}
    wanted = [label for label in every if all(v is None or label[k] in v for k, v in asked.items())]
    compute(place, partial(_work, measure), wanted, where(options), options.minutes, _nothing)
    collect(place, results, every, {})
    print(results)
    return 0


def _nothing() -> None:
    """Demonstrations are made by the first run that needs them."""


def _owner(experiment: str, _: str, row: Label) -> tuple[str, str]:
    return key_of({k: row[k] for k in ("task", "arm", "demonstrations", "seed")}), experiment


def _work(measure: Measure, place: Folder, label: Label, deadline: float, tell: Tell) -> None:
    if place.case_file(key_of(label), measure.__name__).exists():
        return
    began = time.process_time()
    tables = measure(place, label, tell)
    seconds = time.process_time() - began
    place.write_case(key_of(label), measure.__name__, label, {**tables, "processor": [{"cpu_seconds": seconds}]}, seconds)
