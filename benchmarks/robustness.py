# ruff: noqa: E501 - prose templates
"""Changed, hostile and interrupted inputs through every door, at full size; writes docs/benchmarks/robustness.md.

    python benchmarks/robustness.py [--inputs 10000] [--kills 100] [--minutes 30] [--jobs 2]

`--minutes` caps the changed inputs: each door gets its share of the time, and the page says how many inputs it came to. The inputs are those
of tests/fuzz (seed 0, 1, 2, ... of each door), which runs a few of them among the tests. Linux only.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import h5py
import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "fuzz"))

from doors import DOORS, WORDS, Doors  # noqa: E402
from fuzzing import FAULTS, OUTCOMES, outcome  # noqa: E402
from interrupted import INTERRUPTIONS  # noqa: E402

from orbitscope import Grid, Layout, Trajectories, save  # noqa: E402
from orbitscope.data import assemble, check  # noqa: E402
from orbitscope.probe import command, machine  # noqa: E402

PAGE = ROOT / "docs" / "benchmarks" / "robustness.md"
SHARES = {"bytes": 22, "foreign": 16, "h5": 18, "zarr": 6, "run": 13, "state": 9, "pt2": 4, "toml": 9, "cli": 8, "words": 1}
SAYS = {
    "bytes": "bytes of .nc, .h5, .npz and probe files of ours: read as they were, or refused",
    "foreign": "bytes of PDEgym and PDEBench files without checksums",
    "h5": "what HDF5 files hold: items, links, loops, virtual and outside values, types, shapes, attributes",
    "zarr": "metadata and chunks of a zarr store",
    "run": "run.json and the weights of a run",
    "state": "state.pt, from which a training goes on",
    "pt2": "bytes of a torch.export file",
    "toml": "settings in TOML, and the description beside an array",
    "cli": "command lines",
    "words": f"lists of {WORDS} words, each read as group, layout, size and part",
}


def changed(folder: Path, log: Path, inputs: int, minutes: float, jobs: int) -> dict[str, Counter[str]]:
    """The outcomes of every door, the longest begun first, `jobs` at a time."""
    found, context = {}, multiprocessing.get_context("fork")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        order = sorted(DOORS, key=lambda d: -SHARES[d])
        waiting = {pool.submit(_one_door, folder / door, log, door, inputs, minutes * jobs): door for door in order}
        for done in as_completed(waiting):
            found[waiting[done]] = done.result()
            print(waiting[done], dict(done.result()), flush=True)
    return {door: found[door] for door in DOORS}


def _one_door(folder: Path, log: Path, door: str, inputs: int, minutes: float) -> Counter[str]:
    torch.set_num_threads(1)
    folder.mkdir()
    counts, make, share = Counter[str](), Doors(folder)(door), SHARES[door] / sum(SHARES.values())
    end = time.monotonic() + 60 * minutes * share
    for seed in range(round(inputs * share)):
        if time.monotonic() > end:
            break
        label, work = make(seed)
        counts[outcome(work, log, label)] += 1
    return counts


def scale(folder: Path, trajectories: int) -> dict[str, float]:
    """Seconds that --check and assemble take for many small trajectories."""
    values = torch.from_numpy(np.random.default_rng(0).standard_normal((trajectories, 3, 2, 4, 4), dtype=np.float32))
    path, found = folder / "many.nc", {}
    start = time.perf_counter()
    save(Trajectories(values, Layout.of("velocity:vector"), Grid.square(4), 0.1), path)
    found["save"] = time.perf_counter() - start
    start = time.perf_counter()
    assert not check(path).damaged
    found["info --check"] = time.perf_counter() - start
    start = time.perf_counter()
    assemble([path], folder / "copy.nc")
    found["assemble"] = time.perf_counter() - start
    return found


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown, numbers to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(found: dict[str, Counter[str]], interrupted: dict[str, tuple[int, list[str]]], seconds: dict[str, float], many: int) -> str:
    """The page, every number from this run."""
    rows = [[SAYS[d], str(c.total()), *(str(c[o]) for o in OUTCOMES)] for d, c in found.items()]
    total = sum(found.values(), Counter[str]())
    rows.append(["**all**", str(total.total()), *(str(total[o]) for o in OUTCOMES)])
    times = [[verb, f"{s:.1f}", f"{1e3 * s / many:.3f}"] for verb, s in seconds.items()]
    return f"""# Changed, hostile and interrupted inputs

{machine()}; HDF5 {h5py.version.hdf5_version}, torch {torch.__version__}. Faults: **{sum(total[f] for f in FAULTS)} of {
        total.total():,} inputs**, {sum(len(f) for _, f in interrupted.values())} of {
        sum(n for n, _ in interrupted.values())
    } interruptions.

    {command()}

## Changed inputs

Every input is tried in a process of its own, with 3 GiB beside the program and 20 seconds. *Accepted*: a value, or exit code 0 or 1. *Refused*: an
`OrbitscopeError` that names what is wrong, or exit code 2. All other columns are faults: a traceback, a MemoryError, a hang, a crash, damage
read without a word, a change of another file.

{table(["input", "count", *OUTCOMES], rows)}

## Interruptions

{table(["what", "rounds", "faults"], [[name, str(n), str(len(f))] for name, (n, f) in interrupted.items()])}

kill -9: while a file is written, several times for one file; it is finished afterwards and has the bytes of the uninterrupted one. Full disk: no file
may grow beyond a size; the old file stays, no part is left. Two writers: one file, with and without `--force`; it is whole and that of one of them.

## {many:,} small trajectories

{table(["what", "seconds", "milliseconds per trajectory"], times)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--many", type=int, default=100_000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        log = folder / "log.txt"
        interrupted = {}
        for name, test in INTERRUPTIONS.items():
            (folder / name).mkdir()
            interrupted[name] = (args.kills, test(folder / name, range(args.kills)))
            print(name, interrupted[name], flush=True)
        (folder / "many").mkdir()
        seconds = scale(folder / "many", args.many)
        print(seconds, flush=True)
        (folder / "inputs").mkdir()
        found = changed(folder / "inputs", log, args.inputs, args.minutes, args.jobs)
        if log.exists():
            print(log.read_text()[-20_000:])
    PAGE.write_text(page(found, interrupted, seconds, args.many), encoding="utf-8")


if __name__ == "__main__":
    main()
