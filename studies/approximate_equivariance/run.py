"""The study of approximate equivariance, from simulation to page.

    python studies/approximate_equivariance/run.py --config small.toml --out runs/approximate_equivariance-small

Every finished case is kept in the folder of the study; a second start goes on with what is missing. `--minutes` sets a limit: nothing
begins after it, and the page is written from what is there. `--page-only` draws and writes again from the results in `--results`.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from experiments import data_case, work  # noqa: E402
from harness import Tell, arguments, compute, read_settings, where  # noqa: E402
from study import DataSet, Place, Run, Settings, runs  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, train, measure, collect, draw, write."""
    options = arguments(__doc__).parse_args(argv)
    settings = read_settings(Settings, options.config, HERE)
    results = options.results or HERE / "results" / settings.name
    if not options.page_only:
        place = Place(options.out or Path("runs") / f"approximate_equivariance-{settings.name}", settings)
        compute(place, do, jobs(settings), where(options), options.minutes, lambda: None)
        from tables import collect_all

        collect_all(place, results)
    from write_page import write_page

    print(write_page(results, options.docs))
    return 0


def jobs(settings: Settings) -> list[tuple[DataSet, tuple[Run, ...]]]:
    """A data set and all its trainings, set by set within a seed: two processes never write the same file."""
    by: dict[DataSet, list[Run]] = {}
    for run in runs(settings):
        by.setdefault(run.set, []).append(run)
    return [(one, tuple(mine)) for one, mine in by.items()]


def do(place: Place, job: tuple[DataSet, tuple[Run, ...]], deadline: float, tell: Tell) -> None:
    """One data set with all its trainings; none begins after `deadline`."""
    one, mine = job
    data_case(place, one, tell)
    for run in mine:
        if time.time() <= deadline:
            work(place, run, tell)


if __name__ == "__main__":
    sys.exit(main())
