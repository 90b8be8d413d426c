"""What the processes of a training on several devices do together: nobody looks for itself where the answers may differ.

A file, a clock, a signal, an error or a NaN may be there for one process and not for another. If each decided for itself, one would go
into an exchange that the other never enters, and both would wait. So one process decides and tells, or all vote.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._lock import Lock
from . import _pulse as pulse

if TYPE_CHECKING:
    import lightning_fabric

T = TypeVar("T")


class Peers:
    """The processes of a training; alone (no `fabric`, or one device) everything is done at once and nothing is exchanged."""

    def __init__(self, fabric: "lightning_fabric.Fabric | None") -> None:
        self.fabric = fabric if fabric is not None and fabric.world_size > 1 else None

    def decide(self, question: Callable[[], T], words: str) -> T:
        """The first process answers for all. Its `OrbitscopeError` is raised in every process; whatever it wrote, all see afterwards."""
        if self.fabric is None:
            return question()
        told: tuple[T | None, str | None] = (None, None)
        if self.fabric.is_global_zero:
            pulse.beat(words)
            try:
                told = question(), None
            except OrbitscopeError as error:
                told = None, str(error)
        with pulse.waiting(words):
            answer, refused = self.fabric.broadcast(told)
            self.fabric.barrier()
        if refused is not None:
            raise OrbitscopeError(refused)
        return answer  # pyright: ignore[reportReturnType]

    @contextlib.contextmanager
    def writing(self, path: Path) -> Iterator[None]:
        """The lock on `path` for the length of a block, taken by the first process; refused in all where another training holds it."""
        held: list[Lock] = []

        def take() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.append(Lock(path))

        self.decide(take, "locking the folder")
        try:
            yield
        finally:
            for lock in held:
                lock.release()

    def sum(self, value: Tensor, words: str) -> Tensor:
        """The sum over all processes, the same bits in each."""
        if self.fabric is None:
            return value
        with pulse.waiting(words):
            total = self.fabric.all_reduce(value.to(self.fabric.device), reduce_op="sum")
        assert isinstance(total, Tensor)
        return total.cpu()

    def any(self, value: bool, words: str) -> bool:
        """Whether it holds in any process."""
        return value if self.fabric is None else bool(self.sum(torch.tensor([float(value)]), words).item())
