"""The symmetry-influence study, from simulation to page.

    python studies/symmetry_influence/run.py --config small.toml --out studies/symmetry_influence/small

Every finished case is kept in the folder of the study; a second start goes on with what is missing. `--minutes` sets a limit: nothing
begins after it, and the page is written from what is there. `--page-only` draws and writes again from the results in `--results`.
"""

import argparse
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):  # one process per core; before torch is imported
    os.environ.setdefault(_name, "1")

import torch  # noqa: E402
from experiments import audit_case, work  # noqa: E402
from study import CLASSES, DATASETS, Place, Run, Settings, runs  # noqa: E402

from orbitscope._whole import write_whole  # noqa: E402
from orbitscope.cli._actions import simulate_to_file  # noqa: E402
from orbitscope.probe import machine  # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
_channel: Any = None


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, train, measure, collect, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("small.toml"))
    parser.add_argument("--out", type=Path, default=None, help="folder of the study (default: runs/study-<config>)")
    parser.add_argument("--workers", type=int, default=None, help="processes, each with one thread (default: one per core)")
    parser.add_argument("--minutes", type=float, default=None, help="begin nothing after so many minutes")
    parser.add_argument("--results", type=Path, default=None, help="where tables go (default: results/<config> beside this script)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "studies", help="where the page and its figures go")
    parser.add_argument("--page-only", action="store_true", help="no computing: figures and page from the tables")
    options = parser.parse_args(argv)
    settings = Settings.read(options.config)
    results = options.results or HERE / "results" / settings.name
    if not options.page_only:
        place = Place(options.out or Path("runs") / f"study-{settings.name}", settings)
        compute(place, options.workers or _cores(settings.device), options.minutes)
        from tables import collect

        collect(place, results)
    from write_page import write_page

    print(write_page(results, options.docs))
    return 0


def compute(place: Place, workers: int, minutes: float | None) -> None:
    """All that is missing; the time it took is added up in timing.json."""
    place.claim()
    started, deadline = time.time(), float("inf") if minutes is None else time.time() + 60 * minutes
    _simulate(place)
    jobs = [("audit", name) for name in DATASETS] + [("run", run) for run in runs(place.settings)]
    _run_all(place, jobs, workers, deadline, started)
    _add_time(place, time.time() - started, workers)


def _simulate(place: Place) -> None:
    options = place.settings.data
    for family, laws in CLASSES.items():
        for law in laws:
            path = place.data_file(family, law)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                simulate_to_file(
                    f"{family}.{law}", path, trajectories=options["per_class"], resolution=options["resolution"], frames=options["frames"],
                    seed=options["seed"], device=place.settings.device,
                )  # fmt: skip
                _say(f"{family}.{law}: simulated")


def _run_all(place: Place, jobs: list[tuple[str, Any]], workers: int, deadline: float, started: float) -> None:
    context = multiprocessing.get_context("spawn")
    channel = context.Queue()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(channel,))
    done, total = 0, len(jobs)
    try:
        pending = {pool.submit(_work, place.out, place.settings, job, deadline) for job in jobs}
        while pending:
            finished, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
            while not channel.empty():
                _say(f"[{(time.time() - started) / 60:5.1f} min, {done + len(finished)}/{total}] {channel.get()}")
            done += len(finished)
            for future in finished:
                future.result()
    except BaseException:
        for process in list(getattr(pool, "_processes", {}).values()):
            process.terminate()  # every file is written beside and renamed, so nothing is left half-done
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(channel: Any) -> None:
    global _channel
    _channel = channel
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, which ends its workers


def _work(out: Path, settings: Settings, job: tuple[str, Any], deadline: float) -> None:
    place, (kind, what) = Place(out, settings), job
    if kind == "audit":
        audit_case(place, what, _channel.put)
    else:
        assert isinstance(what, Run)
        work(place, what, deadline, _channel.put)


def _add_time(place: Place, seconds: float, workers: int) -> None:
    """Wall time over all starts; a start that found everything done adds nothing."""
    path = place.out / "timing.json"
    cases = len(list((place.out / "cases").glob("*/*.json")))
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"seconds": 0.0, "cases": 0, "starts": 0}
    if cases > kept["cases"]:
        new = {"seconds": kept["seconds"] + seconds, "cases": cases, "starts": kept["starts"] + 1, "workers": workers, "machine": machine()}
        write_whole(path, lambda part: part.write_text(json.dumps(new, indent=1), encoding="utf-8"))


def _cores(device: str) -> int:
    return 1 if device == "cuda" else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
