"""The study of trading two stock indices: which symmetries the returns have, and what networks that know of them earn after costs.

    python studies/trading/run.py --config small.toml --out runs/trading-small

Every finished case is kept; a second start goes on with what is missing. `--only NAME ...` takes some experiments (symmetry, rules,
policy), `--arms` and `--seeds` some policies, `--minutes` sets a limit, `--page-only` writes the page again. The series come with the
package arch: pip install arch.
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

LABEL = ("case", "arm", "seed")


@dataclass(frozen=True)
class Settings:
    """What the study is made of: see small.toml.

    `arms`: a policy and the group that it is given, "exact-reflection*swap". `seeds`: of weights. `first`, `last`: years that are judged,
    each learnt from all days before it. `window` to `noise`, `cost`: of `TradingConfig`; `penalty` for relaxed and residual layers.
    `other_costs`: at which the same positions are judged too. `block`: days that the test of the distribution takes as one. `resamples`:
    of the bootstrap.
    """

    name: str
    arms: list[str]
    seeds: list[int]
    first: int
    last: int
    window: int
    width: int
    steps: int
    learning_rate: float
    weight_decay: float
    aversion: float
    penalty: float
    noise: float
    cost: float
    other_costs: list[float]
    block: int
    resamples: int


def jobs(settings: Settings) -> list[tuple[str, str, dict[str, Any]]]:
    """(key, experiment, label) of every run."""
    made: list[tuple[str, str, dict[str, Any]]] = [(case, case, {"case": case}) for case in ("symmetry", "rules")]
    for arm, seed in itertools.product(settings.arms, settings.seeds):
        made.append((_key(arm, seed), "policy", {"case": "policy", "arm": arm, "seed": seed}))
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, fit, judge, write."""
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", default=None, choices=["symmetry", "rules", "policy"])
    parser.add_argument("--arms", nargs="+", default=None, help="only these policies")
    parser.add_argument("--seeds", nargs="+", type=int, default=None, help="only these seeds")
    options = parser.parse_args(argv)
    settings = read_settings(Settings, options.config, HERE)
    results = options.results or HERE / "results" / settings.name
    if not options.page_only:
        place, every = Folder(options.out or Path("runs") / f"trading-{settings.name}", settings), jobs(settings)
        if (results / "meta.json").exists():
            restore(place, results, LABEL, _owner)
        compute(place, work, [j for j in every if wanted(j, options)], where(options), options.minutes, _nothing)
        collect(place, results, [label for _, _, label in every], {})
    from write_page import write_page

    print(write_page(results, options.docs))
    return 0


def _nothing() -> None:
    """There are no data to be made."""


def _owner(table: str, row: dict[str, Any]) -> tuple[str, str]:
    """The case that a row came from; a row of a policy loses the columns that others have."""
    for name in ("arm", "seed"):
        if name in row and row[name] != row[name]:
            del row[name]
    if row["case"] != "policy":
        return row["case"], row["case"]
    row["seed"] = int(row["seed"])
    return _key(row["arm"], row["seed"]), "policy"


def _key(arm: str, seed: int) -> str:
    """Of the case, which names its file."""
    return f"{arm}-{seed}".replace("*", "-")


def wanted(job: tuple[str, str, dict[str, Any]], options: Any) -> bool:
    """Whether the flags ask for this run."""
    _, experiment, label = job
    if options.only and experiment not in options.only:
        return False
    return experiment != "policy" or all(v is None or label[k] in v for k, v in (("arm", options.arms), ("seed", options.seeds)))


def work(place: Folder, job: tuple[str, str, dict[str, Any]], deadline: float, tell: Tell) -> None:
    """One case."""
    key, experiment, label = job
    if place.case_file(key, experiment).exists():
        return
    began = time.process_time()
    tables: dict[str, list[dict[str, Any]]] = getattr(experiments, experiment)(place.settings, label)
    spent = time.process_time() - began
    tables["cost"] = [{"cpu_seconds": spent}]
    place.write_case(key, experiment, label, tables, spent)
    tell(f"{key}: {spent:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
