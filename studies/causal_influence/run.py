"""The study of causes: does influence say what training does? From simulation to page.

    python studies/causal_influence/run.py --config small.toml --out runs/causal_influence-small

Every finished case is kept in the folder of the study; a second start goes on with what is missing. `--minutes` sets a limit: nothing
begins after it, and the page is written from what is there. `--page-only` draws and writes again from the results in `--results`;
`--restore` takes finished cases from the tables there and runs only what they lack.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from experiments import work  # noqa: E402
from harness import arguments, compute, read_settings, restore, say, where  # noqa: E402
from study import Place, Settings, jobs, owner, runs  # noqa: E402

from orbitscope.cli._actions import simulate_to_file  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, train, measure, collect, draw, write."""
    parser = arguments(__doc__)
    parser.add_argument("--restore", action="store_true", help="take the finished cases of --results as they are")
    options = parser.parse_args(argv)
    settings = read_settings(Settings, options.config, HERE)
    results = options.results or HERE / "results" / settings.name
    if not options.page_only:
        place = Place(options.out or Path("runs") / f"causal_influence-{settings.name}", settings)
        if options.restore:
            say(f"{restore(place, results, ('family', 'network', 'seed'), owner)} cases from {results}")
        place_for = 1 if options.restore else where(options)  # two processes would train a restored run again side by side
        compute(place, work, jobs(settings), place_for, options.minutes, lambda: simulate(place))
        from tables import collect_all

        collect_all(place, results)
    from others import page_of
    from write_page import write_page

    print(write_page(page_of(results), options.docs))
    return 0


def simulate(place: Place) -> None:
    """Training data for every family and seed; one set to test on for each family."""
    d = place.settings.data
    for family in dict.fromkeys(one.family for one in runs(place.settings)):
        wanted = {place.data_file(family, seed): (d["train"], d["seed"] + 10 + seed) for seed in place.settings.seeds}
        wanted[place.data_file(family)] = (d["test"], d["seed"] + 1)
        for path, (count, seed) in wanted.items():
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                scenario = place.settings.families[family]
                simulate_to_file(scenario, path, trajectories=count, resolution=d["resolution"], frames=d["frames"], seed=seed)
                say(f"{path.stem}: simulated")


if __name__ == "__main__":
    sys.exit(main())
