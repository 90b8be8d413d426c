"""Speed of the two solvers, each against a yardstick measured in the same run.

Euler: the compiled kernel against eager torch. Navier-Stokes: a step against its own Fourier transforms alone. The yardsticks run on
one thread (split operations lose on arrays of this size, and badly so on a busy machine), so ratios compare one thread with one.

    python benchmarks/solvers.py [--threads 2] [--repeats 3]

One cell-step is one cell advanced by one full time step (both Runge-Kutta stages). The best of `repeats` is shown.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from orbitscope.physics import Euler, NavierStokes, scenario, simulate
from orbitscope.physics._euler_torch import advance_all as eager
from orbitscope.physics._parallel import single_threaded

Call = tuple[Callable[..., Tensor], Tensor, dict[str, Any]]


def best(work: Callable[[], object], repeats: int) -> float:
    """The shortest of `repeats` times, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def euler(repeats: int) -> None:
    """Million cell-steps per second, float32 and float64."""
    threads = torch.get_num_threads()
    start = time.perf_counter()
    from orbitscope.physics._euler_rows import advance_all as compiled

    compiled(torch.ones(1, 4, 4, 4).numpy(), 0.0, 1.4, 0.5, 10, 1)
    print(f"import of numba and first call (compile, or load from the cache): {time.perf_counter() - start:.1f} s\n")
    print(f"{'Euler, CE-RP':<26}{'numba':>10}{'1 thread':>10}{'torch, 1':>10}{'ratio':>8}   (million cell-steps/s)")
    plan, solver = scenario("CE-RP"), Euler()
    for dtype in (torch.float32, torch.float64):
        for n, count, dt in ((32, 64, 0.1), (64, 16, 0.1), (128, 8, 0.1)):
            x = torch.stack([plan.initial(solver.grid(n), 0, i, dtype) for i in range(count)])
            steps = int(compiled(x.numpy().copy(), dt, 1.4, 0.5, 100_000, threads)[2].sum())
            cells = steps * n * n / 1e6
            fast = cells / best(lambda x=x, dt=dt: compiled(x.numpy().copy(), dt, 1.4, 0.5, 100_000, threads), repeats)
            alone = cells / best(lambda x=x, dt=dt: compiled(x.numpy().copy(), dt, 1.4, 0.5, 100_000, 1), repeats)
            short = dt / 32
            with single_threaded():
                few = int(eager(x, short, 1.4, 0.5, 100_000)[3].sum()) * n * n / 1e6
                slow = few / best(lambda x=x, short=short: eager(x, short, 1.4, 0.5, 100_000), repeats)
            print(f"{f'{count} x {n}^2, {str(dtype)[6:]}':<26}{fast:>10.1f}{alone:>10.1f}{slow:>10.2f}{alone / slow:>7.0f}x")


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


def navier_stokes(repeats: int) -> None:
    """Milliseconds per interval of 0.05 for a batch, and the share of the transforms."""
    print(f"\n{'Navier-Stokes, NS-Gauss':<26}{'step':>10}{'1 thread':>10}{'FFTs alone':>12}{'ratio':>8}{'transforms':>12}   (ms per 0.05)")
    plan, solver = scenario("NS-Gauss"), NavierStokes()
    for n, count in ((32, 64), (64, 32), (128, 8)):
        x = torch.stack([plan.initial(solver.grid(n), 0, i, torch.float32) for i in range(count)])
        shared = 1e3 * best(lambda x=x: solver.step(x, 0.05), repeats)
        with single_threaded():
            with recorded() as calls:
                solver.step(x, 0.05)
            whole = 1e3 * best(lambda x=x: solver.step(x, 0.05), repeats)
            alone = 1e3 * best(lambda calls=calls: [f(y, **k) for f, y, k in calls], repeats)
        print(f"{f'{count} x {n}^2, float32':<26}{shared:>10.1f}{whole:>10.1f}{alone:>12.1f}{whole / alone:>8.2f}{len(calls):>12}")


def data_sets() -> None:
    """Seconds for the two data sets of the quick start."""
    print(f"\n{'160 trajectories x 20 intervals at 32^2':<42}{'seconds':>8}")
    for name in ("navier-stokes.gauss", "euler.riemann"):
        seconds = best(lambda name=name: [None for _ in simulate(name, trajectories=160, resolution=32)], 1)
        print(f"{name:<42}{seconds:>8.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads\n")
    euler(options.repeats)
    navier_stokes(options.repeats)
    data_sets()
