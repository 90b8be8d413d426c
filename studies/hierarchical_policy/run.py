"""The hierarchical policy beside its ablations, from demonstrations to page.

    python studies/hierarchical_policy/run.py --config small.toml --out runs/hep-small

Every finished case is kept in the folder of the study; a second start goes on with what is missing. `--minutes` sets a limit: nothing
begins after it, and the page is written from what is there. `--page-only` draws and writes again from the results in `--results`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from experiments import work  # noqa: E402
from harness import arguments, collect, compute, read_settings, where  # noqa: E402
from study import Place, Settings, again, jobs  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    """Record, train, act, collect, draw, write."""
    options = arguments(__doc__).parse_args(argv)
    settings = read_settings(Settings, options.config, HERE)
    results = options.results or HERE / "results" / settings.name
    if not options.page_only:
        place = Place(options.out or Path("runs") / f"hep-{settings.name}", settings)
        every = [("hep", job) for job in jobs(settings)] + again(settings)
        compute(place, work, every, where(options), options.minutes, lambda: None)
        collect(place, results, [job.label for job in jobs(settings)], {})
    from write_page import write_page

    print(write_page(results, options.docs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
