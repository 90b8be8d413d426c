"""Progress bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_PAUSE = 30.0  # seconds between two lines of a log on the way


class Stages:
    """One bar per stage; `stages(name, done, total)` moves it."""

    def __init__(self, progress: Progress | None, console: Console) -> None:
        self.progress, self.console = progress, console
        self.tasks: dict[str, object] = {}
        self.started = self.said = time.perf_counter()

    def __call__(self, stage: str, done: float, total: float, note: str = "") -> None:
        """`done` of `total` of a stage."""
        if self.progress is None:
            self._line(stage, done, total, note)
            return
        if stage not in self.tasks:
            self.tasks[stage] = self.progress.add_task(stage, total=total, note="")
        self.progress.update(self.tasks[stage], completed=done, total=total, note=note)  # pyright: ignore[reportArgumentType]

    def _line(self, stage: str, done: float, total: float, note: str) -> None:
        """A line when a stage ends, and one every half minute on the way, so that a log shows that there is life."""
        now = time.perf_counter()
        finished = done >= total and stage not in self.tasks
        if not finished and (now - self.said < _PAUSE or done >= total):
            return
        self.said = now
        if finished:
            self.tasks[stage] = None
        part = "" if finished else f"{done / total:.0%} "
        words = f"[{now - self.started:6.1f} s] {stage} {part}{note}".rstrip()
        self.console.print(words, highlight=False, markup=False, soft_wrap=True)

    def say(self, line: RenderableType) -> None:
        """One line, or a table, above the bars."""
        (self.progress.console if self.progress else self.console).print(line, highlight=False, soft_wrap=True)


@contextmanager
def stages() -> Iterator[Stages]:
    """Bars on stderr while inside."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield Stages(None, console)
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"), TimeElapsedColumn(),
    TimeRemainingColumn(), )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        yield Stages(progress, console)
