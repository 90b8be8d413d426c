"""The runs of several seeds, one after the other, in this process."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ._loop import OnEpoch, Trainer
from ._progress import ProgressOption, Reporter
from ._task import Task
from .devices import make_fabric
from .files import SIDECAR, read_json


def run_seeds(
    task: Task,
    folders: Mapping[int, Path],
    seeds: Sequence[int],
    progress: ProgressOption,
    tensorboard: bool,
    on_epoch: OnEpoch | None = None,
) -> None:
    """Train the given seeds in this process, one of `task.settings.devices`, from wherever their folders stand."""
    for seed in seeds:
        fabric = make_fabric(task.settings, rounded=task.rounded)
        folder = folders[seed]
        with Reporter(progress if fabric.is_global_zero else None, task.title(seed), task.criterion) as reporter:
            trainer = Trainer(fabric, task, seed, folder, reporter, on_epoch)
            with _writer(folder, tensorboard and fabric.is_global_zero) as writer:
                trainer.run(writer)
            say_summary(reporter, task, folder, seed)


def say_summary(reporter: Reporter, task: Task, folder: Path, seed: int) -> None:
    """The line of result of a finished run."""
    reporter.say(task.summary(read_json(folder / SIDECAR), folder, seed))


@contextmanager
def _writer(folder: Path, wanted: bool) -> Iterator[Any]:
    if not wanted:
        yield None
        return
    from torch.utils.tensorboard.writer import SummaryWriter  # slow to import

    writer = SummaryWriter(str(folder / "tensorboard"))
    try:
        yield writer
    finally:
        writer.close()
