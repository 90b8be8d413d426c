"""A batch of Euler trajectories on several threads: whole trajectories to threads, or the rows of one trajectory."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._euler_kernel import GHOSTS, advance, mark, primitive_rows, stage_rows, wrap
from ._euler_numbers import SCHEMES, Numbers, Scheme, numbers
from ._euler_status import OK, REPAIRS, STALLED, UNPHYSICAL

#: Cells that a thread should have of a trajectory, lest handing out the rows costs more than they do.
_LEAST_CELLS = 2**13

Outcome = tuple[int, float, int]


def advance_all(
    states: NDArray[Any], dt: float, gamma: float, cfl: float, max_steps: int, threads: int, scheme: str = "mc"
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Advance every trajectory of `states` [B, 4, nx, ny] in place; per trajectory: status, time reached, steps.

    The kernel holds no lock, so plain threads share the work: a trajectory each, as far as there are enough of them, and then the rows
    of the remaining ones if these are large. The bits do not depend on it.
    """
    nx, ny = states.shape[2:]
    constants, choice = numbers(states.dtype, gamma, nx, ny), SCHEMES[scheme]
    _compile(states.dtype, scheme)
    blocks = min(threads, nx, nx * ny // _LEAST_CELLS)
    alone = len(states) - len(states) % threads if blocks > 1 else len(states)

    def one(index: int) -> Outcome:
        return advance(states[index], dt, cfl, max_steps, constants, choice)

    results: list[Outcome] = []
    if threads > 1 and len(states) > 1 and alone:
        pool = ThreadPoolExecutor(min(threads, alone))
        try:
            results += pool.map(one, range(alone))
        finally:
            pool.shutdown(cancel_futures=True)  # an interruption waits for the trajectories in hand, not for the queue
    else:
        results += [one(i) for i in range(alone)]
    for i in range(alone, len(states)):
        results.append(advance_together(states[i], dt, cfl, max_steps, constants, choice, blocks))
    status, reached, steps = zip(*results, strict=True) if results else ((), (), ())
    return np.array(status, np.int64), np.array(reached, np.float64), np.array(steps, np.int64)


@cache
def _compile(dtype: np.dtype[Any], scheme: str) -> None:
    """Compile for one dtype and scheme on the calling thread, before others share the work: numba's compiler is entered once."""
    constants, choice = numbers(dtype, 1.4, 4, 4), SCHEMES[scheme]
    state = np.ones((4, 4, 4), dtype)
    state[3] = 2.0
    advance(state, 0.0, 0.5, 0, constants, choice)
    advance_together(state, 1e-9, 0.5, 1, constants, choice, 2)


def advance_together(state: NDArray[Any], dt: float, cfl: float, max_steps: int, n: Numbers, scheme: Scheme, blocks: int) -> Outcome:
    """`_euler_kernel.advance` with the rows of the one trajectory in `blocks` blocks, a thread each, which meet after every stage.

    It takes the decisions of `advance`, in its order; largest speed and number of unphysical cells do not depend on the order in which
    they are gathered.
    """
    with ThreadPoolExecutor(blocks - 1) as pool:
        return _Rows(state, n, scheme, blocks, pool).advance(dt, cfl, max_steps)


class _Rows:
    """The work arrays of one trajectory and its blocks of rows."""

    def __init__(self, state: NDArray[Any], n: Numbers, scheme: Scheme, blocks: int, pool: ThreadPoolExecutor) -> None:
        nx, ny = state.shape[1:]
        padded = (nx + 2 * GHOSTS, ny + 2 * GHOSTS)
        self.state, self.old, self.n, self.scheme, self.pool = state, np.empty_like(state), n, scheme, pool
        self.prim, self.keep = np.empty((4, *padded), state.dtype), np.empty(padded, np.bool_)
        edges = [nx * b // blocks for b in range(blocks + 1)]
        self.rows = list(zip(edges[:-1], edges[1:], strict=True))
        self.faces, self.speed = np.empty((blocks, 3, 4, ny + 1), state.dtype), np.empty((blocks, ny), state.dtype)

    def _share(self, work: Callable[[int], Any]) -> list[Any]:
        """`work(block)` for all blocks, the first one on this thread."""
        others = [self.pool.submit(work, b) for b in range(1, len(self.rows))]
        return [work(0), *(o.result() for o in others)]

    def primitives(self) -> tuple[bool, float]:
        """Whether all cells are physical, and the largest speed / spacing."""
        found = self._share(lambda b: primitive_rows(self.state, self.prim, *self.rows[b], self.speed[b], self.n))
        wrap(self.prim)
        top = max(float(t) for _, t in found)
        return sum(bad for bad, _ in found) == 0 and bool(np.isfinite(top)), top

    def stage(self, h: float, take: Any, repair: bool) -> tuple[bool, float]:
        n, real = self.n, self.state.dtype.type
        ax, ay = real(h) * n.inv_dx, real(h) * n.inv_dy

        def work(b: int) -> None:
            stage_rows(self.old, self.state, self.prim, self.keep, *self.rows[b], self.faces[b], ax, ay, take, repair, n, self.scheme)

        self._share(work)
        return self.primitives()

    def advance(self, dt: float, cfl: float, max_steps: int) -> Outcome:
        n, left, steps = self.n, float(dt), 0
        three = self.scheme.weno3 is not None or self.scheme.weno5 is not None
        takes = (n.one, n.quarter, n.two_thirds) if three else (n.one, n.half)
        good, top = self.primitives()
        if not good:
            return UNPHYSICAL, 0.0, steps
        while left > 0.0:
            if steps >= max_steps:
                return STALLED, dt - left, steps
            count = max(1.0, float(np.ceil(left * top / cfl)))
            self.old[:] = self.state
            for attempt in range(REPAIRS + 1):
                h = left / count
                for take in takes:
                    good, top = self.stage(h, take, attempt > 0)
                    if not good:
                        break
                if good:
                    break
                if attempt == 0:
                    self.keep[:] = True
                if mark(self.prim, self.keep) == 0:
                    count *= 2.0
                self.state[:] = self.old
                self.primitives()
            if not good:
                return UNPHYSICAL, dt - left, steps
            left = left - h if count > 1.0 else 0.0  # pyright: ignore[reportPossiblyUnboundVariable]  # one attempt at least
            steps += 1
        return OK, dt, steps
