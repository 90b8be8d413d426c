"""Saying how far a training is."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@dataclass(frozen=True)
class TrainProgress:
    """Where a training stands after one step; after the last step of an epoch all is saved.

    - `seed`: of this run.
    - `epoch`: the one under way, from 1. `epochs`: how many there are.
    - `step`: within the epoch, from 1. `steps`: how many an epoch has.
    - `loss`: of the batch; after the last step of an epoch, the mean over the epoch. In the unit of the loss.
    - `validation`: error on the validation part after the last step of an epoch; None after all others.
    - `seconds`: since the epoch began.
    """

    seed: int
    epoch: int
    epochs: int
    step: int
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


_EPOCHS, _STEPS = 2.0, 60.0  # seconds between two lines of a log: after epochs, and within one


class Lines:
    """Lines for a log: after an epoch, but not more than one every two seconds, and one every minute within an epoch.

    The first epoch and the last have a line in any case. `clock` tells the seconds.
    """

    def __init__(self, title: str, criterion: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.title, self.criterion, self.clock = title, criterion, clock
        self.started: tuple[float, float] | None = None  # when, and at which fraction: a training may go on from the middle
        self.said: float | None = None

    def line(self, at: TrainProgress) -> str | None:
        """What to print now, if anything."""
        now = self.clock()
        if self.started is None:
            done_in_a_step = 1 / (at.epochs * at.steps)
            self.started = (now - at.seconds, at.fraction - done_in_a_step * at.step)
        ended = at.validation is not None
        pause = now - (self.started[0] if self.said is None else self.said)
        due = self.said is None or at.epoch == at.epochs or pause >= _EPOCHS if ended else pause >= _STEPS
        if not due:
            return None
        self.said = now
        step = "" if ended else f", step {at.step}/{at.steps}"
        errors = f"loss {at.loss:.2e}" + (f", validation {self.criterion} {at.validation:.2e}" if ended else "")
        return f"{self.title}: epoch {at.epoch}/{at.epochs}{step}: {errors}, {self._left(now, at.fraction)}"

    def _left(self, now: float, fraction: float) -> str:
        assert self.started is not None
        if fraction >= 1:
            return f"done in {clock_words(now - self.started[0])}"
        rate = (now - self.started[0]) / max(fraction - self.started[1], 1e-9)
        return f"{clock_words(rate * (1 - fraction))} left"


def clock_words(seconds: float) -> str:
    """A span of time for a line of a log.

    >>> clock_words(4.2), clock_words(75), clock_words(7384)
    ('4 s', '1 min 15 s', '2 h 3 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


class Reporter:
    """Hands progress to a callback; else to a bar where stderr is a terminal, and to lines where it is a file or a pipe.

    - `option`: a callback that gets a `TrainProgress`, "auto" (bar or lines), or None (silence).
    - `title`: what is trained, for the bar and the lines.
    - `criterion`: name of the validation error.
    """

    def __init__(self, option: ProgressOption, title: str, criterion: str = "loss") -> None:
        self.criterion = criterion.upper() if criterion == "smse" else criterion
        self.callback = option if callable(option) else None
        self.talks = option == "auto"
        self.console = Console(file=sys.stderr)
        self.title, self.bar, self.task = title, None, None
        self.lines = Lines(title, self.criterion)

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
        if self.talks and not self.bar and (line := self.lines.line(progress)):
            self.say(line)
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
        """Print `line`, one line of result."""
        if self.talks:
            self.console.print(line, highlight=False, soft_wrap=True)

    def __exit__(self, *_: Any) -> None:
        if self.bar:
            self.bar.stop()
