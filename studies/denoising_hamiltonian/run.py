"""The study of maps of motion: the Denoising Hamiltonian Network, its consistent variant, and what they are compared with.

    python studies/denoising_hamiltonian/run.py --config small.toml --out runs/denoising_hamiltonian-small

Every finished training and case is kept; a second start goes on with what is missing. `--minutes` sets a limit, `--page-only` writes the
page again from the tables.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness import Folder, Tell, arguments, collect, compute, read_settings, where  # noqa: E402
from measure import measured  # noqa: E402

from orbitscope.systems import SystemRun, train_system  # noqa: E402
from orbitscope.systems.mechanics import SYSTEM  # noqa: E402
from orbitscope.training import FitConfig  # noqa: E402


@dataclass(frozen=True)
class Settings:
    """What a study is made of: see small.toml."""

    name: str
    body: str
    systems: int
    seeds: list[int]
    models: list[str]
    epochs: int
    batch: int
    gaps: list[int]


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
    if place.case_file(f"{model}-{seed}", "motion").exists():
        return
    run = trained(place, model, seed)
    seconds = time.process_time() - began
    tables: dict[str, list[dict[str, Any]]] = measured(run, place.settings.gaps)
    tables["cost"] = [{"cpu_seconds": time.process_time() - began, "training": seconds, "parameters": run.fit.parameters}]
    place.write_case(f"{model}-{seed}", "motion", {"model": model, "seed": seed}, tables, time.process_time() - began)
    tell(f"{model}, seed {seed}: {run}")


def trained(place: Folder, model: str, seed: int) -> SystemRun:
    """The run of a model and a seed, gone on with where it stopped."""
    settings = place.settings
    config = FitConfig(epochs=settings.epochs, batch=settings.batch, learning_rate=3e-3, weight_decay=0.0, precision="32")
    out = place.out / "runs" / f"{model}-{seed}"
    return train_system(data(place), model, out, config, seeds=(seed,), progress=None)[0]


if __name__ == "__main__":
    sys.exit(main())
