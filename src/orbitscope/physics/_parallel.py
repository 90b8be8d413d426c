"""Trajectories shared by plain threads, one core each."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def single_threaded() -> Iterator[int]:
    """Within: torch operations run on one thread; yields how many there were before, and puts that back.

    Operations on arrays of a solver's size gain nothing from being split, and on a busy machine their barriers were measured to cost
    a factor of fifty. Trajectories are independent, so they are what is worth sharing.
    """
    threads = torch.get_num_threads()
    if threads > 1:
        torch.set_num_threads(1)
    try:
        yield threads
    finally:
        if threads > 1:
            torch.set_num_threads(threads)


def share(work: Callable[[Tensor, int], Tensor], batch: Tensor, least: int) -> Tensor:
    """`work(part, offset)` over parts of `batch` along axis 0, on as many threads as torch may use, joined again.

    `least` is how many trajectories a part should have at least to be worth a thread. Tensors that record gradients, and those on
    other devices, are worked on whole.
    """
    if batch.device.type != "cpu" or batch.requires_grad:
        return work(batch, 0)
    with single_threaded() as threads:
        parts = max(1, min(threads, len(batch) // max(1, least)))
        if parts == 1:
            return work(batch, 0)
        edges = [len(batch) * i // parts for i in range(parts + 1)]
        recording = torch.is_grad_enabled()

        def one(start: int, end: int) -> Tensor:
            with torch.set_grad_enabled(recording):
                return work(batch[start:end], start)

        pool = ThreadPoolExecutor(parts)
        try:
            return torch.cat(list(pool.map(one, edges[:-1], edges[1:])))
        finally:
            pool.shutdown(cancel_futures=True)
