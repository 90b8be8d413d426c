"""The study of equivariant networks, from simulation to page.

    python studies/equivariant_net/run.py --config small.toml --out runs/equivariant-net-small
    python studies/equivariant_net/run.py --config ocean.toml --data atlantic.nc indian.nc south_pacific.nc --out runs/ocean

Every finished case is kept in the folder of the study; a second start goes on with what is missing. `--minutes` sets a limit: nothing
begins after it, and the page is written from what is there. `--page-only` draws and writes again from the results in `--results`.
`--data`: ocean currents as the Copernicus Marine Service distributes them take the place of the simulations; of several files the last
is the new domain. The page then goes beside the results unless `--docs` says otherwise.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from experiments import data_case, work  # noqa: E402
from harness import Tell, arguments, compute, read_settings, say, where  # noqa: E402
from sets import make_sets  # noqa: E402
from study import Place, Run, Settings, runs  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, train, measure, collect, draw, write."""
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, nargs="+", default=None, help="ocean files to use instead of simulations")
    options = parser.parse_args(argv)
    settings = read_settings(Settings, options.config, HERE)
    docs = options.docs
    if options.data:
        settings = replace(settings, name=f"{settings.name}-ocean", files=[str(p.expanduser().absolute()) for p in options.data])
    results = options.results or HERE / "results" / settings.name
    if options.data and docs == parser.get_default("docs"):
        docs = results
    if not options.page_only:
        place = Place(options.out or Path("runs") / f"equivariant-net-{settings.name}", settings)
        jobs = [("data", name) for name in settings.datasets] + [("run", run) for run in runs(settings)]
        compute(place, do, jobs, where(options), options.minutes, lambda: prepare(place))
        from tables import collect_all

        collect_all(place, results)
    from write_page import write_page

    print(write_page(results, docs))
    return 0


def prepare(place: Place) -> None:
    """The windows of all splits and of all transformed test sets."""
    for name in place.settings.datasets:
        make_sets(place, name, say)


def do(place: Place, job: tuple[str, Any], deadline: float, tell: Tell) -> None:
    """What the data say of themselves, or one training with everything measured on it."""
    kind, what = job
    if kind == "data":
        data_case(place, what, tell)
    else:
        assert isinstance(what, Run)
        work(place, what, deadline, tell)


if __name__ == "__main__":
    sys.exit(main())
