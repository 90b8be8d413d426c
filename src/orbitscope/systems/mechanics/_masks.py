"""Which frames of a trajectory are known: what tells the tasks on a motion apart."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._seed import permutation


class Mask(ABC):
    """Known frames. A task of one's own is one subclass with `known`."""

    @abstractmethod
    def known(self, frames: int) -> Tensor:
        """Whether each of so many `frames` is known, bool [frames]."""

    def __call__(self, frames: int) -> Tensor:
        """`known`, with at least one frame among so many `frames`; raises `OrbitscopeError` where there is none."""
        found = self.known(frames)
        if found.shape != (frames,) or found.dtype != torch.bool or not bool(found.any()):
            raise OrbitscopeError(f"{self}: should know at least one of {frames} frames, as booleans; got {found.tolist()[:8]}.")
        return found


@dataclass(frozen=True)
class First(Mask):
    """The first `given` frames: a forecast."""

    given: int = 8

    def known(self, frames: int) -> Tensor:
        """The first ones of so many `frames`."""
        return torch.arange(frames) < self.given


@dataclass(frozen=True)
class Every(Mask):
    """Every `gap`-th frame, from the first on: super-resolution."""

    gap: int = 4

    def known(self, frames: int) -> Tensor:
        """Those of so many `frames` whose number `gap` divides."""
        if self.gap < 1:
            raise OrbitscopeError(f"Every: `gap` should be at least 1, got {self.gap}.")
        return torch.arange(frames) % self.gap == 0


@dataclass(frozen=True)
class Scattered(Mask):
    """A random `part` of the frames and both ends, drawn by `seed`: unequal samples."""

    part: float = 0.25
    seed: int = 0

    def known(self, frames: int) -> Tensor:
        """A random part of so many `frames`, with the first and the last."""
        if not 0 <= self.part <= 1:
            raise OrbitscopeError(f"Scattered: `part` should lie between 0 and 1, got {self.part}.")
        found = permutation(frames, self.seed, "scattered frames") < round(self.part * frames)
        found[[0, -1]] = True
        return found
