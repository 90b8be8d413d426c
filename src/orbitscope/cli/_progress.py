"""Progress bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Stages:
    """One bar per stage; `stages(name, done, total)` moves it."""

    def __init__(self, progress: Progress | None, console: Console) -> None:
        self.progress, self.console = progress, console
        self.tasks: dict[str, object] = {}
        self.started = time.perf_counter()

    def __call__(self, stage: str, done: float, total: float, note: str = "") -> None:
        """`done` of `total` of a stage."""
        if self.progress is None:
            if done >= total and stage not in self.tasks:
                self.tasks[stage] = None
                self.console.print(f"[{time.perf_counter() - self.started:6.1f} s] {stage} {note}".rstrip(), highlight=False, markup=False)
            return
        if stage not in self.tasks:
            self.tasks[stage] = self.progress.add_task(stage, total=total, note="")
        self.progress.update(self.tasks[stage], completed=done, total=total, note=note)  # pyright: ignore[reportArgumentType]

    def say(self, line: str) -> None:
        """One line above the bars."""
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
