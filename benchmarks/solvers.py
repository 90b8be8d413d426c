"""Speed of the two solvers, each against a yardstick measured in the same run.

Euler: the compiled kernel against eager torch, at one thread each and at `--threads` each, and one CE-RP trajectory on 512^2 cells
stored at 128^2. Navier-Stokes: a step against its own Fourier transforms alone.

    python benchmarks/solvers.py [--threads 2] [--repeats 3] [--quick] [--write docs/benchmarks/solvers.md]

One cell-step is one cell advanced by one full time step (both Runge-Kutta stages). The best of `repeats` is shown; a busy machine
shows in the load, and split operations of eager torch suffer most from it. `--quick` leaves out the 512^2 trajectory's later nine
tenths (and says so). `--write` writes the tables as Markdown too.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from orbitscope.physics import Euler, NavierStokes, scenario, simulate
from orbitscope.physics._euler_rows import advance_all as compiled
from orbitscope.physics._euler_torch import advance_all as eager
from orbitscope.physics._parallel import single_threaded
from orbitscope.probe._provenance import machine

Call = tuple[Callable[..., Tensor], Tensor, dict[str, Any]]
Row = tuple[str, ...]


def best(work: Callable[[], object], repeats: int) -> float:
    """The shortest of `repeats` times, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def table(title: str, head: Row, rows: list[Row]) -> str:
    """A Markdown table that also reads well in a terminal."""
    widths = [max(len(r[i]) for r in (head, *rows)) for i in range(len(head))]

    def line(row: Row) -> str:
        cells = (c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        return f"| {' | '.join(cells)} |"

    rule = "|".join(["-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:])])
    return "\n".join([f"## {title}", "", line(head), f"|{rule}|", *(line(r) for r in rows), ""])


def euler(threads: int, repeats: int) -> str:
    """Million cell-steps per second of the compiled and the eager form, and their ratios."""
    rows: list[Row] = []
    plan, law = scenario("CE-RP"), Euler()
    for scheme, dtype, n, count in (
        ("mc", torch.float32, 64, 16), ("mc", torch.float32, 128, 8), ("mc", torch.float32, 512, 1), ("mc", torch.float64, 128, 8),
        ("weno3", torch.float32, 128, 8), ("weno5", torch.float32, 128, 8),
    ):  # fmt: skip
        x = torch.stack([plan.initial(law.grid(n), 0, i, dtype) for i in range(count)])
        dt = 6.4 / n  # some fifty steps
        work = x.numpy().copy()
        cells = int(compiled(work, dt / 8, 1.4, 0.5, 100_000, threads, scheme)[2].sum()) * n * n / 1e6
        fast = [
            cells / best(lambda x=x, s=scheme, h=dt / 8, t=t: compiled(x.numpy().copy(), h, 1.4, 0.5, 100_000, t, s), repeats)
            for t in (1, threads)
        ]
        short = dt / 128
        few = int(eager(x, short, 1.4, 0.5, 100_000, scheme)[3].sum()) * n * n / 1e6
        with single_threaded():
            slow = [few / best(lambda x=x, s=scheme, h=short: eager(x, h, 1.4, 0.5, 100_000, s), repeats)]
        slow.append(few / best(lambda x=x, s=scheme, h=short: eager(x, h, 1.4, 0.5, 100_000, s), repeats))
        rows.append(
            (f"{scheme}, {count} x {n}^2, {str(dtype)[6:]}", *(f"{v:.1f}" for v in fast), *(f"{v:.2f}" for v in slow))
            + tuple(f"{f / s:.0f}x" for f, s in zip(fast, slow, strict=True))
        )
    head = (
        "Euler, CE-RP: million cell-steps/s",
        "numba, 1",
        f"numba, {threads}",
        "eager, 1",
        f"eager, {threads}",
        "ratio, 1",
        f"ratio, {threads}",
    )
    return table("Euler: compiled against eager (threads in the columns)", head, rows)


def large(threads: int, quick: bool) -> str:
    """Seconds for one CE-RP trajectory as PDEgym has them: 512^2 cells, averaged to 128^2, 21 frames to t = 1, float32."""
    frames, t_end = (3, 0.1) if quick else (21, 1.0)
    seconds = best(lambda: [None for _ in simulate("CE-RP", trajectories=1, resolution=128, refine=4, frames=frames, t_end=t_end)], 1)
    what = f"512^2 -> 128^2, {frames} frames to t = {t_end:g}, float32, {threads} threads"
    return table("Euler: one CE-RP trajectory", ("", "seconds"), [(what, f"{seconds:.1f}")])


@contextmanager
def recorded() -> Iterator[list[Call]]:
    """The Fourier transforms called meanwhile."""
    calls: list[Call] = []
    original = torch.fft.rfft2, torch.fft.irfft2

    def recorder(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def call(x: Tensor, **kwargs: Any) -> Tensor:
            calls.append((function, x, kwargs))
            return function(x, **kwargs)

        return call

    torch.fft.rfft2, torch.fft.irfft2 = (recorder(f) for f in original)
    try:
        yield calls
    finally:
        torch.fft.rfft2, torch.fft.irfft2 = original


def navier_stokes(threads: int, repeats: int) -> str:
    """Milliseconds per interval of 0.05 for a batch, and the share of the transforms."""
    rows: list[Row] = []
    plan, solver = scenario("NS-Gauss"), NavierStokes()
    for n, count in ((32, 64), (64, 32), (128, 8)):
        x = torch.stack([plan.initial(solver.grid(n), 0, i, torch.float32) for i in range(count)])
        shared = 1e3 * best(lambda x=x: solver.step(x, 0.05), repeats)
        with single_threaded():
            with recorded() as calls:
                solver.step(x, 0.05)
            # One input per kind of transform, so that the yardstick finds it in the cache as the solver does.
            inputs: dict[Any, Tensor] = {}
            calls = [(f, inputs.setdefault((f, y.shape), y), k) for f, y, k in calls]
            # In turn, so that a busy machine troubles both alike.
            pairs = [
                [1e3 * best(work, 1) for work in (lambda x=x: solver.step(x, 0.05), lambda calls=calls: [f(y, **k) for f, y, k in calls])]
                for _ in range(2 * repeats)
            ]
        whole, alone = (min(p[i] for p in pairs) for i in range(2))
        rows.append((f"{count} x {n}^2, float32", f"{shared:.1f}", f"{whole:.1f}", f"{alone:.1f}", f"{whole / alone:.2f}", str(len(calls))))
    head = ("Navier-Stokes, NS-Gauss: ms per 0.05", f"step, {threads} threads", "step, 1", "its FFTs alone, 1", "ratio", "transforms")
    return table("Navier-Stokes: a step against its transforms", head, rows)


def data_sets() -> str:
    """Seconds for the two data sets of the quick start."""
    rows: list[Row] = []
    for name in ("navier-stokes.gauss", "euler.riemann"):
        seconds = best(lambda name=name: [None for _ in simulate(name, trajectories=160, resolution=32)], 1)
        rows.append((name, f"{seconds:.2f}"))
    return table("160 trajectories x 20 intervals at 32^2", ("", "seconds"), rows)


def provenance(threads: int) -> str:
    """Machine, load, versions, date and command."""
    load = ", ".join(f"{v:.1f}" for v in os.getloadavg())
    versions = f"Python {sys.version.split()[0]}, torch {torch.__version__}, numba {numba.__version__}, numpy {np.__version__}"
    command = " ".join(["python", "benchmarks/solvers.py", *sys.argv[1:]])
    return f"{machine()}; {threads} threads; load at the start {load}; {versions}; {datetime.now(UTC):%Y-%m-%d}.\n\n    {command}\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    parts = ["# Speed of the solvers\n", provenance(options.threads)]
    print(parts[-1])
    for part in (
        lambda: euler(options.threads, options.repeats),
        lambda: large(options.threads, options.quick),
        lambda: navier_stokes(options.threads, options.repeats),
        data_sets,
    ):
        parts.append(part())
        print(parts[-1], flush=True)
    if options.write is not None:
        options.write.parent.mkdir(parents=True, exist_ok=True)
        beside = options.write.with_name(options.write.name + ".part")
        beside.write_text("\n".join(parts))
        beside.replace(options.write)
