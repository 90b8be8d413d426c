"""The study of maps of motion: the Denoising Hamiltonian Network, its consistent variant, and what they are compared with.

    python studies/denoising_hamiltonian/run.py --config small.toml --out runs/denoising_hamiltonian-small

Every finished training and case is kept; a second start goes on with what is missing. `--minutes` sets a limit, `--page-only` writes the
page again from the tables.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness import Folder, Tell, arguments, collect, compute, read_settings, where  # noqa: E402
from influence import shared  # noqa: E402
from measure import measured  # noqa: E402

from orbitscope._whole import write_whole  # noqa: E402
from orbitscope.systems import SystemRun, train_system  # noqa: E402
from orbitscope.systems.mechanics import SYSTEM  # noqa: E402
from orbitscope.training import FitConfig  # noqa: E402


@dataclass(frozen=True)
class Settings:
    """What a study is made of: see small.toml. Models are named with their preset, as in dhn/two; `other_epochs` has the epochs of some."""

    name: str
    body: str
    systems: int
    seeds: list[int]
    models: list[str]
    epochs: int
    batch: int
    gaps: list[int]
    chaotic: bool = False
    other_epochs: dict[str, int] = field(default_factory=dict)


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, train, measure, write."""
    parser = arguments(__doc__)
    parser.add_argument("--models", nargs="+", default=None, help="only these models of the config")
    parser.add_argument("--seeds", nargs="+", type=int, default=None, help="only these seeds")
    options = parser.parse_args(argv)
    settings = read_settings(Settings, options.config, HERE)
    results = options.results or HERE / "results" / settings.name
    if not options.page_only:
        place = Folder(options.out or Path("runs") / f"denoising_hamiltonian-{settings.name}", settings)
        jobs = [(model, seed) for model in settings.models for seed in settings.seeds]
        wanted = [job for job in jobs if job[0] in (options.models or settings.models) and job[1] in (options.seeds or settings.seeds)]
        compute(place, work, wanted, where(options), options.minutes, lambda: data(place))
        collect(place, results, [{"model": m, "seed": s} for m, s in jobs], {})
        write_unmeasured(place, jobs, results)
    from write_page import write_page

    print(write_page(results, options.docs))
    return 0


def data(place: Folder) -> Path:
    """The file of the study, made once."""
    file = place.out / "data.nc"
    if not file.exists():
        SYSTEM.simulate(f"mechanics.{place.settings.body}", file, count=place.settings.systems, seed=0)
    return file


def work(place: Folder, job: tuple[str, int], deadline: float, tell: Tell) -> None:
    """Train one model with one seed and measure it."""
    (model, seed), began = job, time.process_time()
    key = f"{model.replace('/', '.')}-{seed}"
    kinds = ("motion",) if place.settings.chaotic else ("motion", "influence")
    missing = [kind for kind in kinds if not place.case_file(key, kind).exists()]
    if not missing:
        return
    run = trained(place, model, seed)
    seconds = all_seconds(run.path / "seconds.json", time.process_time() - began)
    if "motion" in missing:
        began = time.process_time()
        tables: dict[str, list[dict[str, Any]]] = measured(run, place.settings.gaps, place.settings.chaotic)
        spent = seconds + time.process_time() - began
        tables["cost"] = [{"cpu_seconds": spent, "training": seconds, "parameters": run.fit.parameters}]
        place.write_case(key, "motion", {"model": model, "seed": seed}, tables, spent)
    if "influence" in missing:
        began = time.process_time()
        rows = shared(run)
        place.write_case(key, "influence", {"model": model, "seed": seed}, {"influence": rows}, time.process_time() - began)
    tell(f"{model}, seed {seed}: {run}")


def write_unmeasured(place: Folder, jobs: Sequence[tuple[str, int]], results: Path) -> None:
    """results/unmeasured.csv: what was trained to its end and not measured to its end, with the processor seconds of the training."""
    lines = []
    for model, seed in jobs:
        key = f"{model.replace('/', '.')}-{seed}"
        spent = place.out / "runs" / key / "seconds.json"
        if spent.exists() and not place.case_file(key, "motion").exists():
            lines.append(f"{model},{seed},{json.loads(spent.read_text(encoding='utf-8')):.5g}")
    file = results / "unmeasured.csv"
    if lines:
        text = "\n".join(["model,seed,training", *lines]) + "\n"
        write_whole(file, lambda part: part.write_text(text, encoding="utf-8"))
    else:
        file.unlink(missing_ok=True)


def all_seconds(file: Path, now: float) -> float:
    """Processor seconds of a training over all its starts; a start that finds it finished adds nothing worth a word."""
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else 0.0
    write_whole(file, lambda part: part.write_text(json.dumps(before + now), encoding="utf-8"))
    return before + now


def trained(place: Folder, model: str, seed: int) -> SystemRun:
    """The run of a model and a seed, gone on with where it stopped."""
    settings = place.settings
    name, _, preset = model.partition("/")
    epochs = settings.other_epochs.get(model, settings.epochs)
    config = FitConfig(epochs=epochs, batch=settings.batch, learning_rate=3e-3, weight_decay=0.0, precision="32")
    out = place.out / "runs" / f"{model.replace('/', '.')}-{seed}"
    return train_system(data(place), name, out, config, seeds=(seed,), preset=preset or "small", progress=None)[0]


if __name__ == "__main__":
    sys.exit(main())
