"""Saying how far a training is."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@dataclass(frozen=True)
class TrainProgress:
    """Where a training stands after one step; the validation error is there after the last step of an epoch, when all is saved."""

    seed: int
    epoch: int  # from 1
    epochs: int
    step: int  # from 1, within the epoch
    steps: int
    loss: float
    validation: float | None = None
    seconds: float = 0.0

    @property
    def fraction(self) -> float:
        """Finished part of this seed's training, 0 to 1."""
        return ((self.epoch - 1) * self.steps + self.step) / (self.epochs * self.steps)


Callback = Callable[[TrainProgress], None]
ProgressOption = Callback | Literal["auto"] | None


class Reporter:
    """Hands progress to a callback, or to a bar where stderr is a terminal."""

    def __init__(self, option: ProgressOption, title: str, criterion: str = "loss") -> None:
        self.criterion = criterion.upper() if criterion == "smse" else criterion
        self.callback = option if callable(option) else None
        self.talks = option == "auto"
        self.console = Console(file=sys.stderr)
        self.title, self.bar, self.task = title, None, None

    def __enter__(self) -> "Reporter":
        if self.talks and self.console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeRemainingColumn(),
            )
            self.bar = Progress(*columns, console=self.console, transient=True)
            self.bar.start()
        return self

    def __call__(self, progress: TrainProgress) -> None:
        if self.callback:
            self.callback(progress)
        if self.bar:
            if self.task is None:
                self.task = self.bar.add_task(self.title, total=progress.epochs * progress.steps, note="")
            done = (progress.epoch - 1) * progress.steps + progress.step
            note = f"epoch {progress.epoch}/{progress.epochs}"
            if progress.validation is not None:
                note += f"  validation {self.criterion} {progress.validation:.2e}"
                self.bar.update(self.task, completed=done, note=note)
            else:
                self.bar.update(self.task, completed=done)

    def say(self, line: str) -> None:
        """One line of result."""
        if self.talks:
            self.console.print(line, highlight=False, soft_wrap=True)

    def __exit__(self, *_: Any) -> None:
        if self.bar:
            self.bar.stop()
