"""The study of galaxy alignments: mocks, emulators, whether their error bars are true, and inference.

    python studies/galaxy_alignments/run.py --config small.toml --out runs/galaxy_alignments-small

Every finished part is kept; a second start goes on with what is missing. `--only` takes kinds of parts (data, train, ...), `--minutes`
sets a limit, `--page-only` writes the page again from the tables.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness import Folder, Tell, arguments, collect, compute, read_settings, where  # noqa: E402
from mocks import joined, judge, simulate_shard  # noqa: E402

KINDS = ("data", "judge", "join", "beyond", "train", "speed", "infer", "ranks", "correlated", "published", "tng300")
"""Parts in the order in which they need each other."""


@dataclass(frozen=True)
class Settings:
    """What a study is made of: see small.toml."""

    name: str
    shards: int
    points: int
    realisations: int
    judge_points: int
    judge_realisations: int
    low: float
    high: float
    lightest: float
    grid: int
    box: float
    seeds: list[int]
    models: list[str]
    epochs: int
    published_epochs: int
    mocks: int
    steps: int
    draws: int
    chains: int
    rank_chains: int
    rank_warmup: int
    rank_draws: int
    beyond: int


def jobs_of(settings: Settings) -> list[tuple[str, str, int]]:
    """(kind, model or nothing, seed or number of a shard)."""
    first, last = settings.seeds[0], settings.seeds[-1]
    runs = [(m, s) for m in settings.models for s in (settings.seeds if m != "iaemu" else settings.seeds[:1])]  # the slow one, once
    return [
        *(("data", "", k) for k in range(settings.shards)), ("judge", "", 0), ("join", "", 0), ("beyond", "", 0),
        *(("train", m, s) for m, s in runs), ("speed", "", first), ("infer", "", first), ("ranks", "alignment_emulator", last),
        ("correlated", "alignment_emulator", last), ("published", "", first), ("tng300", "", first),
    ]  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, train, measure, infer, write."""
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), help="only parts of these kinds")
    options = parser.parse_args(argv)
    settings = read_settings(Settings, options.config, HERE)
    results = options.results or HERE / "results" / settings.name
    if not options.page_only:
        place = Folder(options.out or Path("runs") / f"galaxy_alignments-{settings.name}", settings)
        jobs = jobs_of(settings)
        wanted = [job for job in jobs if job[0] in options.only]
        compute(place, work, wanted, where(options) or 1, options.minutes, lambda: None)  # one process: parts need each other
        collect(place, results, [{"part": kind, "model": model, "seed": seed} for kind, model, seed in jobs], {})
    from write_page import write_page

    print(write_page(results, options.docs))
    return 0


def work(place: Folder, job: tuple[str, str, int], deadline: float, tell: Tell) -> None:
    """One part, kept as a case."""
    import time

    kind, model, seed = job
    key = "-".join(p for p in (kind, model, str(seed)) if p)
    if place.case_file(key, kind).exists():
        return
    began = time.process_time()
    if kind == "data":
        tables = simulate_shard(place, seed)
    elif kind == "join":
        tables = joined(place)
    elif kind == "judge":
        tables = judge(place, model, seed)
    else:
        import measure
        import posteriors
        import speeds
        import tng300

        rooms = {"tng300": tng300, "speed": speeds, "infer": posteriors, "ranks": posteriors, "correlated": posteriors}
        tables = getattr(rooms.get(kind, measure), kind)(place, model, seed)
    seconds = time.process_time() - began
    tables["cost"] = [{"cpu_seconds": seconds}]
    place.write_case(key, kind, {"part": kind, "model": model, "seed": seed}, tables, seconds)
    tell(f"{key}: {seconds:.0f} s of processor")


if __name__ == "__main__":
    sys.exit(main())
