"""What the loop is told: which model, examples and loss, what is measured, and what the run folder says about it."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..symmetry import State
from ._batches import Batches
from ._settings import Settings


class Augment(Protocol):
    """Moves the examples of a batch, each by what was drawn for it."""

    def draw(self, length: int, seed: int, epoch: int, step: int) -> Tensor:
        """What to do with each of `length` examples, [length, ...]; it depends on (`seed`, `epoch`, `step`) alone."""
        ...

    def __call__(self, drawn: Tensor, x: State, y: State, /) -> tuple[State, ...]:
        """The moved examples."""
        ...


class Task(ABC):
    """One training for the loop, the same for all of its seeds. `fit` makes one of any examples and loss.

    * `settings`: of the loop. `verb`: what the user called, for messages.
    * `criterion`: the entry of `metrics` that decides which epoch was the best; `finite`: the entries that have to be finite.
    * `measured`: the shape of what `errors` returns. `augment`: moves the examples of every training step, or None.
    * `keeps_start`: also keep the state before the first step, for a model whose first weights do not follow from the seed.
    * `rounded`: round the answers of a float64 training to float32 before the loss.
    """

    settings: Settings
    verb: str = "train"
    criterion: str = "loss"
    finite: tuple[str, ...] = ("loss",)
    measured: tuple[int, ...] = (1,)
    augment: Augment | None = None
    keeps_start: bool = False
    rounded: bool = False

    @abstractmethod
    def model(self, seed: int) -> nn.Module:
        """The model of `seed` before the first step."""

    @abstractmethod
    def examples(self, part: str, dtype: torch.dtype, device: torch.device) -> Batches | None:
        """The examples of `part` ("train", "validation" or "test"), in `dtype` on `device`; None for a part that there is not."""

    @abstractmethod
    def loss(self, prediction: State, x: State, y: State) -> Tensor:
        """What is minimised: one number per example, [B], or their mean, []; of `prediction` for `x`, where `y` is true, each [B, ...]."""

    @abstractmethod
    def errors(self, prediction: State, x: State, y: State) -> Tensor:
        """What is measured of `prediction` for `x`, where `y` is true, summed over the batch, float64, shape `measured`."""

    @abstractmethod
    def metrics(self, means: Tensor, count: int) -> dict[str, Any]:
        """Names for `means`, those over `count` examples of what is measured (shape `measured`); plain data."""

    @abstractmethod
    def about(self, seed: int, model: nn.Module) -> dict[str, Any]:
        """What the run folder of `seed` says of this training of `model`: "config", "data" with a "fingerprint", and more; plain data."""

    @abstractmethod
    def title(self, seed: int) -> str:
        """What the progress bar calls the training of `seed`."""

    @abstractmethod
    def summary(self, kept: dict[str, Any], folder: Path, seed: int) -> str:
        """One line of result of `seed` from `kept`, what its finished run `folder` says."""

    def check(self, model: nn.Module) -> None:  # noqa: B027  # most models are fine
        """Raise `OrbitscopeError` where `model` cannot be trained."""

    def stepped(self, model: nn.Module) -> nn.Module:
        """What a training step calls, around `model`; it shares its parameters."""
        return model

    def penalty(self, model: nn.Module) -> Tensor | None:
        """A number that is added to the loss of each step, of the weights of `model`, or None."""
        return None

    def noted(self, model: nn.Module) -> dict[str, float]:
        """Numbers about `model` for the history, after every epoch."""
        return {}
