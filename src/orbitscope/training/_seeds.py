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
    """Train the given seeds in this process, one of `task.settings.devices`, from wherever their folders stand.

    * `task`: which model, examples and loss, the same for all seeds.
    * `folders`: seed -> run folder, of all seeds of the training.
    * `seeds`: which of them to train now, one after the other.
    * `progress`: a callback that gets a `TrainProgress` after every step, "auto" (a bar on a terminal, else lines), or None.
    * `tensorboard`: whether "tensorboard" is one of the loggers in any case.
    * `on_epoch(seed, epoch, model)`: called after every epoch, and before the first with epoch 0.
    * `logger`: as of `as_loggers`; where there are several folders, "seed-0/" stands before each name that a shared object is given.

    Raises `OrbitscopeError` as `Trainer` and `as_loggers` do.
    """
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
    """Print the line of result of a finished run.

    * `reporter`: prints it, if it prints anything.
    * `task`: makes the line.
    * `folder`: of the run, which is finished. `seed`: of the run.
    """
    reporter.say(task.summary(read_json(folder / SIDECAR), folder, seed))
