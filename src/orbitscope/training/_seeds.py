"""The runs of several seeds, one after the other, in this process."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from ._loggers import LoggerOption, Loggers, as_loggers, finalized
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
    logger: LoggerOption = None,
) -> None:
    """Train the given seeds in this process, one of `task.settings.devices`, from wherever their folders stand."""
    loggers = as_loggers(logger, tensorboard=tensorboard)
    with finalized(loggers):
        for seed in seeds:
            fabric = make_fabric(task.settings, rounded=task.rounded)
            folder, main = folders[seed], fabric.is_global_zero
            with Reporter(progress if main else None, task.title(seed), task.criterion) as reporter:
                trainer = Trainer(fabric, task, seed, folder, reporter, on_epoch)
                told = Loggers(loggers if main else (), folder, f"seed-{seed}/" if len(folders) > 1 else "")
                with closing(told):
                    trainer.run(told)
                say_summary(reporter, task, folder, seed)


def say_summary(reporter: Reporter, task: Task, folder: Path, seed: int) -> None:
    """The line of result of a finished run."""
    reporter.say(task.summary(read_json(folder / SIDECAR), folder, seed))
