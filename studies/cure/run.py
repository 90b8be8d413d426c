"""The study of cures, from simulation to page.

    python studies/cure/run.py --config small.toml --out runs/cure-small

Every finished case is kept in the folder of the study; a second start goes on with what is missing. `--minutes` sets a limit: nothing
begins after it, and the page is written from what is there. `--page-only` draws and writes again from the results in `--results`.
`--package` also writes what reports quote, the file of cures in the package.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from experiments import audit_case, work  # noqa: E402
from harness import Tell, arguments, compute, read_settings, say, where  # noqa: E402
from study import Place, Run, Settings, runs  # noqa: E402

from orbitscope.cli._actions import simulate_to_file  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, train, measure, collect, draw, write."""
    parser = arguments(__doc__)
    parser.add_argument("--package", type=Path, default=None, help="where to write the file that reports quote (cures.json)")
    options = parser.parse_args(argv)
    settings = read_settings(Settings, options.config, HERE)
    results = options.results or HERE / "results" / settings.name
    if not options.page_only:
        place = Place(options.out or Path("runs") / f"cure-{settings.name}", settings)
        jobs = [("audit", None), *(("run", run) for run in runs(settings))]
        compute(place, do, jobs, where(options), options.minutes, lambda: simulate(place))
        from tables import collect_all

        collect_all(place, results)
    from write_page import write_page

    print(write_page(results, options.docs))
    if options.package is not None:
        from quoted import write_quoted

        print(write_quoted(results, options.package))
    return 0


def simulate(place: Place) -> None:
    """Training data for every seed; one set to validate and one to test on, the same for all."""
    d = place.settings.data
    wanted = {place.data_file("train", seed): (d["more"], d["seed"] + 10 + seed) for seed in place.settings.seeds}
    wanted[place.data_file("validation")] = (d["validation"], d["seed"])
    wanted[place.data_file("test")] = (d["test"], d["seed"] + 1)
    for path, (count, seed) in wanted.items():
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            simulate_to_file(
                d["scenario"], path, trajectories=count, resolution=d["resolution"], frames=d["frames"], seed=seed,
                device=place.settings.device,
            )  # fmt: skip
            say(f"{path.stem}: simulated")


def do(place: Place, job: tuple[str, Any], deadline: float, tell: Tell) -> None:
    """The audit of the file, or one training with everything measured on it."""
    kind, what = job
    if kind == "audit":
        audit_case(place, tell)
    else:
        assert isinstance(what, Run)
        work(place, what, deadline, tell)


if __name__ == "__main__":
    sys.exit(main())
