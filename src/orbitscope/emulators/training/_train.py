"""Training emulators."""

from pathlib import Path

from ..._errors import OrbitscopeError
from ..._expect import expect
from ...data import Trajectories
from ...training import LoggerOption, OnEpoch, ProgressOption, Reporter, as_loggers, run_seeds, say_summary
from ...training.devices import Peers, made_by_others, make_fabric
from ...training.files import check_folder, seed_folders, unfinished
from ._config import TrainConfig
from ._job import launch_training
from ._task import EmulatorTask


def train(
    data: Trajectories,
    config: TrainConfig | None = None,
    out: str | Path = "runs/emulator",
    *,
    force: bool = False,
    progress: ProgressOption = "auto",
    tensorboard: bool = True,
    logger: LoggerOption = None,
    on_epoch: OnEpoch | None = None,
) -> Path:
    r"""Train on every transition state(t) -> state(t + dt) of the training split; return the folder with the run.

    * `data`: the trajectories, or one long series, which is split by time.
    * `config`: the settings; None: the defaults of `TrainConfig`.
    * `out`: the folder of the run, or of the runs of several seeds.
    * `force`: whether a training that is in `out` is removed first.
    * `progress`: a callback that gets a `TrainProgress` after every step, "auto" (a bar on a terminal, else lines), or None.
    * `tensorboard`: whether "tensorboard" is one of the loggers in any case.
    * `logger`: "csv" (csv/metrics.csv in the run folder), "tensorboard", an object with `log_metrics(metrics, step)` such as the loggers of
      Lightning Fabric or `WandbLogger`, or several.
    * `on_epoch(seed, epoch, model)`: called after every epoch that is trained here, and before the first one with epoch 0: look at the
      model (it is in evaluation mode), do not change it; the training is the same bit for bit with and without. One device only.

    Minimises `smse` in physical units with AdamW. Several seeds make one run each, in out/seed-0 and so on. Every epoch is saved, whole or
    not at all; calling again with the same `out` resumes where it stopped, bit for bit as if never stopped (same device and thread count),
    and returns at once if it is finished. With `config.devices` > 1 the steps run in that many processes of their own, data-parallel.

    After every epoch a logger gets the row of the history (train and validation SMSE, learning rate, seconds), at the end "test/smse" and
    the like; where several seeds share an object, "seed-0/" stands before each name. It may have `log_hyperparams` and `finalize`, too.
    Several devices that are started here cannot share an object.

    Raises `OrbitscopeError` for an `out` that another process is training in (naming it), that holds another training or other files
    (unless `force`, which removes that training), data
    that the model cannot take or that hold a NaN (named by its place, before anything is removed), a loss that is not finite, in a step
    or on the validation or test part, and, with several devices, a process that gives no sign of life for a minute. What was saved
    stays.
    """
    config = TrainConfig() if config is None else config
    expect(data, Trajectories, "train: `data`", "Trajectories (load(path) reads a file)")
    expect(config, TrainConfig, "train: `config`", "a TrainConfig, TrainConfig(epochs=10, ...)")
    expect(out, (str, Path), "train: `out`", "a folder for the run")
    out = Path(out)
    if on_epoch is not None and config.devices > 1:
        raise OrbitscopeError(
            "train: `on_epoch` is called in this process, but with `devices` > 1 the model lives in others. Use one device, or keep='all' "
            "and look at the checkpoints afterwards (by_epoch)."
        )
    loggers = as_loggers(logger, tensorboard=tensorboard)
    folders = seed_folders(out, config.seeds)
    theirs = made_by_others(config)
    peers = Peers(make_fabric(config) if theirs else None)
    peers.decide(lambda: check_folder(out, folders), "looking at `out`")
    task = EmulatorTask.of(data, config)  # before anything is removed

    def left(force: bool) -> list[int]:
        look = lambda: unfinished(folders, task.config, TrainConfig().to_dict(), task.fingerprint, force=force)  # noqa: E731
        return peers.decide(look, "looking for what is finished")

    if not force and not left(False):  # nothing to write, and no lock on what may be read-only
        return out
    with peers.writing(out):
        missing = left(force)
        if missing:
            task.model(missing[0])  # raises here, before any process or file, where the model does not fit the data
        if missing and config.devices > 1 and not theirs:
            launch_training(data, config, out, missing, progress, loggers)
            for seed in missing:
                say_summary(Reporter(progress, ""), task, folders[seed], seed)
        elif missing:
            run_seeds(task, folders, missing, progress, False, on_epoch, loggers)
    return out
