"""The rows of one Euler trajectory on several threads: the same bits, whatever happens on the way; memory of long runs."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from orbitscope.physics import Euler, _euler_kernel, _euler_numbers, _euler_rows, scenario
from orbitscope.physics._euler_rows import advance_all, advance_together
from orbitscope.physics._euler_status import OK, STALLED, UNPHYSICAL
from orbitscope.symmetry import Grid


def _one(name: str, n: int, dtype: torch.dtype = torch.float32) -> Any:
    return scenario(name).initial(Grid.square(n), 1, 0, dtype).numpy()


def _both(state: Any, dt: float, blocks: int, scheme: str = "mc", cfl: float = 0.5, limit: int = 10_000) -> tuple[Any, Any, Any]:
    constants, choice = _euler_numbers.numbers(state.dtype, 1.4, *state.shape[1:]), _euler_numbers.SCHEMES[scheme]
    alone, together = state.copy(), state.copy()
    first = _euler_kernel.advance(alone, dt, cfl, limit, constants, choice)
    assert first == advance_together(together, dt, cfl, limit, constants, choice, blocks)
    return alone, together, first


@pytest.mark.parametrize("blocks", [2, 3, 7])
@pytest.mark.parametrize("scheme", ["mc", "weno3"])
def test_blocks_of_rows_give_the_same_bits(blocks: int, scheme: str) -> None:
    for name in ("CE-RP", "CE-RPUI"):
        alone, together, (status, reached, steps) = _both(_one(name, 34)[:, :, :20].copy(), 0.1, blocks, scheme)
        assert (status, reached) == (OK, 0.1) and steps > 3
        assert np.array_equal(alone, together)


def _parting(n: int = 32) -> Any:
    w = torch.tensor([1.0, 0.0, 0.0, 0.01], dtype=torch.float64)[:, None, None].repeat(1, n, n)
    w[1, : n // 2], w[1, n // 2 :] = -8.0, 8.0
    w = w + 0.01 * torch.rand(4, n, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Euler().conserved(w).numpy()


def test_repaired_steps_too(monkeypatch: pytest.MonkeyPatch) -> None:
    marked = []
    monkeypatch.setattr(_euler_rows, "mark", lambda *a: marked.append(1) or _euler_kernel.mark(*a))
    alone, together, (status, _, _) = _both(_parting(), 0.01, 3, cfl=1.0)
    assert status == OK and marked
    assert np.array_equal(alone, together)


def test_failures_are_the_same_too() -> None:
    state = _one("CE-RP", 16)
    assert _both(state, 0.5, 2, limit=3)[2][0] == STALLED
    state[3, 2, 2] = -1.0
    assert _both(state, 0.5, 2)[2] == (UNPHYSICAL, 0.0, 0)
    state[3, 2, 2] = np.nan
    assert _both(state, 0.5, 2)[2] == (UNPHYSICAL, 0.0, 0)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_every_number_of_threads_gives_the_same_bits(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_euler_rows, "_LEAST_CELLS", 64)
    _euler_rows._compile(np.dtype(np.float32), "mc")
    shared = []
    original = _euler_rows.advance_together
    monkeypatch.setattr(_euler_rows, "advance_together", lambda *a: shared.append(a[-1]) or original(*a))
    states = torch.stack([scenario("CE-RP").initial(Grid.square(24), 1, i, torch.float32) for i in range(count)]).numpy()
    results = []
    for threads in (1, 2, 3, 4):
        shared.clear()
        values = states.copy()
        results.append((values, advance_all(values, 0.05, 1.4, 0.5, 1000, threads)))
        assert shared == [threads] * (count % threads if threads > 1 else 0)
    for values, outcome in results[1:]:
        assert np.array_equal(values, results[0][0])
        assert all(np.array_equal(a, b) for a, b in zip(outcome, results[0][1], strict=True))


_PEAK = """
import resource, sys, torch
from orbitscope.physics import simulate
torch.set_num_threads(1)
for _ in simulate("CE-RP", trajectories=1, resolution=32, frames=3, t_end=0.01):
    pass
count = 0
for chunk, values in simulate("CE-RP", trajectories=int(sys.argv[1]), resolution=32, frames=21, t_end=0.002, batch=4):
    count += len(chunk)
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_number_of_trajectories() -> None:
    """160 trajectories are 55 MB of values; a generator that kept them would show."""
    peaks = []
    for count in (4, 164):
        found = subprocess.run([sys.executable, "-c", _PEAK, str(count)], capture_output=True, text=True, check=True, timeout=300)
        done, peak = (int(v) for v in found.stdout.split())
        assert done == count
        peaks.append(peak / 1024)
    assert peaks[1] - peaks[0] < 20, peaks  # MiB
