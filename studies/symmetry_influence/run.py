"""The symmetry-influence study, from simulation to page.

    python studies/symmetry_influence/run.py --config small.toml --out studies/symmetry_influence/small

Every finished case is kept in the folder of the study; a second start goes on with what is missing. `--minutes` sets a limit: nothing
begins after it, and the page is written from what is there. `--page-only` draws and writes again from the results in `--results`;
`--restore` takes finished cases from the tables there and runs only what they lack; `--only 'euler_vit_*'` leaves out all other runs.
"""

import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from basins import seeds_job  # noqa: E402
from harness import Tell, arguments, compute, read_settings, say, where  # noqa: E402
from jobs import audit_case, work  # noqa: E402
from study import CLASSES, SWAPPED, Place, Run, Settings, runs  # noqa: E402
from tables import collect_all, restore_all  # noqa: E402

from orbitscope.cli._actions import simulate_to_file  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, train, measure, collect, draw, write."""
    parser = arguments(__doc__)
    parser.add_argument("--restore", action="store_true", help="take the finished cases of --results as they are")
    parser.add_argument("--only", default="*", help="run nothing but runs of which this is the name: dataset_model_rate_seed, with * and ?")
    options = parser.parse_args(argv)
    settings = read_settings(Settings, options.config, HERE)
    results = options.results or HERE / "results" / settings.name
    if not options.page_only:
        place = Place(options.out or Path("runs") / f"study-{settings.name}", settings)
        planned = [run for run in runs(settings) if fnmatch(run.key, options.only)]
        if options.restore:
            say(f"{restore_all(place, results)} cases from {results}")
        jobs = [] if settings.experiments else [("audit", name) for name in settings.datasets]
        for model in settings.models:  # what is judged first, and one network whole before the next
            main_runs = [run for run in planned if run.schedule == settings.main_schedule and run.model == model]
            jobs += [(kind, run) for kind in ("run", "seeds") for run in main_runs if kind == "run" or not settings.experiments]
        jobs += [("run", run) for run in planned if ("run", run) not in jobs]
        place_for = 1 if options.restore else where(options)  # two processes would train a restored run again side by side
        compute(place, do, jobs, place_for, options.minutes, lambda: simulate(place))
        collect_all(place, results)
    from others import page_of
    from write_page import write_page

    print(write_page(page_of(results), options.docs))
    return 0


def simulate(place: Place) -> None:
    """All classes of initial conditions of both families."""
    options = place.settings.data
    families = {"navier-stokes" if name == SWAPPED else name for name in place.settings.datasets}
    for family, laws in CLASSES.items():
        for law in laws if family in families else ():
            path = place.data_file(family, law)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                simulate_to_file(
                    f"{family}.{law}", path, trajectories=options["per_class"], resolution=options["resolution"], frames=options["frames"],
                    seed=options["seed"], device=place.settings.device,
                )  # fmt: skip
                say(f"{family}.{law}: simulated")


def do(place: Place, job: tuple[str, Any], deadline: float, tell: Tell) -> None:
    """One audit, one run with everything measured on it, or one pair of runs."""
    kind, what = job
    if kind == "audit":
        audit_case(place, what, tell)
    elif kind == "seeds":
        seeds_job(place, what, tell)
    else:
        assert isinstance(what, Run)
        work(place, what, deadline, tell)


if __name__ == "__main__":
    sys.exit(main())
