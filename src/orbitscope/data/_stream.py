"""Transitions of a data set batch by batch, read ahead by worker processes: for training on files that do not fit in memory."""

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .._errors import OrbitscopeError
from .._seed import permutation
from ._trajectories import Trajectories

Shuffle = Literal["transitions", "trajectories", "none"]
_AHEAD = 4
"""Batches that every worker reads ahead."""


@dataclass(frozen=True)
class Stream:
    r"""Shuffled batches of transitions (state, state `lead` steps later), read by worker processes while the caller computes.

    - `data`: the trajectories, in memory or lazy.
    - `batch`: transitions in a batch; the last of an epoch may have fewer.
    - `seed`: of the order.
    - `lead`: stored steps between the two states of a transition.
    - `shuffle`: "transitions" (every order of all transitions is possible; each is read where it lies), "trajectories" (trajectories in
      random order, the transitions of `buffer` of them mixed: every stored byte is read about once an epoch, which spinning disks and
      network file systems want), or "none".
    - `buffer`: trajectories whose transitions are mixed, for "trajectories".
    - `workers`: processes that read; None: 2 where the data are in a file and processes can be forked (Linux), else 0, which reads in the
      caller. They change the speed, never the batches.
    - `pin_memory`: batches come in page-locked memory, from which a copy to a GPU does not wait.

    Transition number n is (trajectory n // (times - lead), time n % (times - lead)). The order depends on (seed, epoch) alone, so
    `epoch(k, start=b)` goes on after b batches bit for bit as if never stopped.

    >>> from orbitscope.symmetry import Grid, Layout
    >>> data = Trajectories(torch.arange(12.0).reshape(3, 4, 1, 1, 1), Layout.of("a"), Grid.square(1), 0.1)
    >>> stream = Stream(data, batch=4, seed=0)
    >>> len(stream), [tuple(x.shape) for x, y in stream.epoch(0)]
    (3, [(4, 1, 1, 1), (4, 1, 1, 1), (1, 1, 1, 1)])

    Raises `OrbitscopeError` for a wrong argument, and while reading, in the caller, where a file is damaged.
    """

    data: Trajectories
    batch: int = 32
    seed: int = 0
    shuffle: Shuffle = "transitions"
    lead: int = 1
    buffer: int = 16
    workers: int | None = None
    pin_memory: bool = False

    def __post_init__(self) -> None:
        for name in ("batch", "lead", "buffer"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise OrbitscopeError(f"Stream: `{name}` should be a whole number from 1 up, got {getattr(self, name)!r}.")
        if self.shuffle not in ("transitions", "trajectories", "none"):
            raise OrbitscopeError(f"Stream: `shuffle` is transitions, trajectories or none, got {self.shuffle!r}.")
        if self.lead >= self.data.times:
            raise OrbitscopeError(f"Stream: `lead` {self.lead} needs more than the {self.data.times} stored times.")
        if self.workers is not None and self.workers < 0:
            raise OrbitscopeError(f"Stream: `workers` should be at least 0, got {self.workers}.")

    @property
    def transitions(self) -> int:
        """Transitions in an epoch."""
        return self.data.trajectories * (self.data.times - self.lead)

    def __len__(self) -> int:
        return -(-self.transitions // self.batch)

    def batches(self, epoch: int = 0) -> list[Tensor]:
        """The transition numbers of every batch of the epoch number `epoch`."""
        times = self.data.times - self.lead
        if self.shuffle == "none":
            order = torch.arange(self.transitions)
        elif self.shuffle == "transitions":
            order = permutation(self.transitions, self.seed, "shuffle", epoch)
        else:
            first = permutation(self.data.trajectories, self.seed, "trajectories", epoch)
            mixed = [(block[:, None] * times + torch.arange(times)).flatten() for block in first.split(self.buffer)]
            order = torch.cat(
                [m[permutation(len(m), self.seed, f"buffer {k}", epoch)] for k, m in enumerate(mixed)] or [torch.zeros(0, dtype=torch.long)]
            )
        return list(order.split(self.batch)) if len(order) else []

    def epoch(self, epoch: int = 0, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches (x, y) of the epoch number `epoch`, each [batch, channel, *space], from number `start` on."""
        batches = self.batches(epoch)[start:]
        # A worker that takes several batches at once visits each trajectory of the buffer once for all of them.
        together = max(1, self.buffer * (self.data.times - self.lead) // self.batch) if self.shuffle == "trajectories" else 1
        return read_batches(self.data, batches, self.lead, self.workers, self.pin_memory, together)


def read_batches(
    data: Trajectories, batches: Sequence[Tensor], lead: int = 1, workers: int | None = None, pin_memory: bool = False, together: int = 1
) -> Iterator[tuple[Tensor, Tensor]]:
    """The transitions with given numbers, batch by batch, in this order; `Stream` chooses the numbers.

    - `data`: the trajectories.
    - `batches`: numbers of transitions, one integer tensor per batch; number n is the transition of trajectory n // (times - lead) that
      starts at its time n % (times - lead).
    - `lead`: stored steps between the two states of a transition.
    - `workers`: processes that read; None: 2 for lazy data on Linux with more than one core, else 0, which reads in the caller.
    - `pin_memory`: whether batches come in page-locked memory; only where there are workers.
    - `together`: batches that a worker takes as one piece of work.

    Yields (x, y), each [batch, channel, *space]. Raises `OrbitscopeError`, while reading, where a file is damaged.
    """
    items = [list(batches[k : k + together]) for k in range(0, len(batches), together)]
    workers = min(len(items), default_workers(data) if workers is None else workers)
    reader = _Reader(data, items, lead)
    if not workers:
        for k in range(len(items)):
            yield from _unpacked(reader[k])
        return
    with warnings.catch_warnings():
        # Forking beside other threads (TensorBoard's): the workers only read files, with a handle of their own.
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        loader = DataLoader(
            reader, batch_size=None, shuffle=False, num_workers=workers, prefetch_factor=max(1, _AHEAD // together),
            pin_memory=pin_memory, generator=torch.Generator(), multiprocessing_context="fork" if sys.platform == "linux" else None,
        )  # fmt: skip  # a generator of its own: the global random state belongs to the caller
        found = iter(loader)
    for piece in found:
        yield from _unpacked(piece)


def default_workers(data: Trajectories) -> int:
    """Two where data come from a file and processes can be forked, else none."""
    return 2 if data.lazy and sys.platform == "linux" and (os.cpu_count() or 1) > 1 else 0


class _Reader(Dataset[tuple[list[tuple[Tensor, Tensor]], str]]):
    """Piece of work k: its batches, or what went wrong."""

    def __init__(self, data: Trajectories, items: list[list[Tensor]], lead: int) -> None:
        self.data, self.items, self.lead = data, items, lead

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, k: int) -> tuple[list[tuple[Tensor, Tensor]], str]:
        parts, times = self.items[k], self.data.times - self.lead
        index = torch.cat(parts)
        try:
            x, y = self.data.pairs(index // times, index % times, lead=self.lead)
        except OrbitscopeError as error:  # a message travels between processes whole, an exception with another traceback around it
            return [], str(error)
        sizes = [len(p) for p in parts]
        return [(a, b) for a, b in zip(x.split(sizes), y.split(sizes), strict=True)], ""


def _unpacked(piece: tuple[list[tuple[Tensor, Tensor]], str]) -> Iterator[tuple[Tensor, Tensor]]:
    batches, wrong = piece
    if wrong:
        raise OrbitscopeError(wrong)
    yield from batches
