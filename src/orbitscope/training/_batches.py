"""Examples on their way to the loop: by number, on a device, in an order that depends on (seed, epoch) alone."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .._seed import permutation
from ..symmetry import State


class Batches(ABC):
    """Examples (x, y) of one part of a training, asked for by their numbers."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of examples."""

    @abstractmethod
    def __getitem__(self, index: Tensor) -> tuple[State, State]:
        """The examples with the numbers `index` [B], int64, on the device and in the precision of the training."""

    def read(self, batches: Sequence[Tensor]) -> Iterator[tuple[State, State]]:
        """The examples of `batches`, tensors of numbers, batch by batch; a subclass may read ahead while the caller computes."""
        yield from (self[index] for index in batches)

    def shuffled(self, seed: int, epoch: int, batch: int) -> list[Tensor]:
        """The numbers of every batch of `batch` examples, in an order that depends on (`seed`, `epoch`) alone."""
        return list(permutation(len(self), seed, "shuffle", epoch).split(batch))

    def ordered(self, batch: int) -> list[Tensor]:
        """The numbers in order, in batches of `batch`."""
        return list(torch.arange(len(self)).split(batch))
