"""Training of any model on any examples with any loss."""

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, cast

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ._examples import ExamplesLike, Indexed, fingerprint, indexed, set_aside
from ._fit_task import FitConfig, FitTask
from ._loggers import LoggerOption, as_loggers
from ._loop import OnEpoch
from ._loss import Loss, as_loss
from ._progress import ProgressOption
from ._seeds import run_seeds
from ._task import Augment
from .devices import Peers, made_by_others, make_fabric
from .files import BEST, LAST, SIDECAR, check_folder, load_weights, read_json, read_weights, unfinished

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class Fit(Generic[M]):
    """A trained model, and how it went: what `fit` gives back.

    * `model`: in evaluation mode, with the weights of the lowest validation loss (or those that `load_fit` was asked for).
    * `path`: the run folder; None where none was asked for.
    * `epoch`: number of the epoch that these weights come from, from 1.
    * `history`: one row per epoch: "epoch", "train" and "validation" (the mean loss), "learning_rate", "seconds".
    * `metrics`: errors of the best weights: for the part "validation" the mean loss, what else was measured, and the number of examples.
    * `parameters`: how many numbers were trained. `seed`: that of `fit`.
    """

    model: M
    path: Path | None
    epoch: int
    history: list[dict[str, float]]
    metrics: dict[str, dict[str, Any]]
    parameters: int
    seed: int


def fit(
    model: M | Callable[[], M],
    examples: ExamplesLike,
    config: FitConfig | None = None,
    *,
    loss: str | Loss | Callable[..., Tensor],
    validation: ExamplesLike | float | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    augment: Augment | None = None,
    metrics: Mapping[str, Loss | Callable[..., Tensor]] | None = None,
    force: bool = False,
    progress: ProgressOption = "auto",
    tensorboard: bool = False,
    logger: LoggerOption = None,
    on_epoch: OnEpoch | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> Fit[M]:
    r"""Train a model on pairs (x, y): minimise the mean of $L(f(x), y)$ with AdamW, in shuffled batches.

    * `model`: a module, trained in place (in float64 where `config.precision` is "64"); or a callable without arguments that makes
      one, whose first weights then depend on `seed` alone. It is called with x; where x is a tuple of tensors, with its parts as arguments.
    * `examples`: a tuple (x, y), an object with `x` and `y`, or anything with `len()` that gives (x, y) for an index tensor [B]. x and y
      are tensors [N, ...] or tuples of tensors; whole numbers stay whole numbers.
    * `config`: epochs, batch, learning rate, precision, devices; see `FitConfig`.
    * `loss`: "mse", "smse", "cross_entropy", a `Loss`, or any callable (prediction, target) -> the mean over the examples of a batch.
    * `validation`: examples, or a fraction of `examples` that is set aside (whole units where they have `unit`), or None: then the
      loss during the epoch decides which weights are the best.
    * `out`: the run folder, whole after every epoch. Calling again goes on where it stopped, bit for bit as if never stopped (same
      device and thread count), and returns at once if it is finished. None keeps nothing.
    * `seed`: of the order of the examples, of dropout, of `augment`, and of what `model` makes.
    * `augment`: moves the examples of every step (see `Augment`). `metrics`: what else is measured on the validation examples, by name.
    * `force`: replace what is in `out`. `progress`: a callback that gets a `TrainProgress`, "auto" (a bar on a terminal) or None.
    * `logger`: "csv", "tensorboard" (in `out`), anything with `log_metrics(metrics, step)` such as the loggers of Lightning and its
      Weights & Biases one, or several: losses, learning rate and seconds after every epoch, the errors at the end. `tensorboard`: one more
      way to say "tensorboard". `on_epoch(seed, epoch, model)`: look at the model after every epoch and before the first.
    * `recipe`: plain data from which the caller builds the model again; kept in run.json, and a run of another recipe is not gone on with.

    With `config.devices` > 1 the script has to be started as so many processes (torchrun): a model and examples that exist in this
    process only cannot be handed to another.

    Raises `OrbitscopeError` for examples that are none, an `out` with another run or other files, a model without parameters or in
    another precision, and a loss that is not finite (what was saved stays). On several devices a loss that is no mean over examples
    would depend on their number.

    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> _ = torch.manual_seed(0)
    >>> found = fit(nn.Linear(1, 1), (x, 2 * x), FitConfig(epochs=100, learning_rate=0.1), loss="mse", validation=0.25, progress=None)
    >>> found.metrics["validation"]["loss"] < 1e-2
    True
    """
    config = config or FitConfig()
    as_loggers(logger)  # what is none is refused before any work
    if out is None:
        with tempfile.TemporaryDirectory() as folder:
            if config.devices > 1:
                raise OrbitscopeError("fit: `out` is needed with several devices, a folder that all processes see.")
            made = fit(
                model, examples, config, loss=loss, validation=validation, out=Path(folder) / "run", seed=seed, augment=augment,
                metrics=metrics, progress=progress, logger=logger, on_epoch=on_epoch, recipe=recipe,
            )  # fmt: skip
            return dataclasses.replace(made, path=None)
    if config.devices > 1 and not made_by_others(config):
        raise OrbitscopeError(
            f"fit: `devices` = {config.devices} needs as many processes, and this is one. Start the script as torchrun "
            f"--nproc-per-node {config.devices} script.py."
        )
    where = _device(model)
    parts = _parts(examples, validation)
    also = {name: as_loss(one) for name, one in (metrics or {}).items()}
    task = FitTask(model, parts, as_loss(loss), config, seed, fingerprint(list(parts.values())), also, augment, recipe)
    folders = {seed: Path(out)}
    peers = Peers(make_fabric(config) if config.devices > 1 else None)
    peers.decide(lambda: check_folder(Path(out), folders), "looking at `out`")

    def left(force: bool) -> list[int]:
        look = lambda: unfinished(folders, task.config, FitConfig().to_dict(), task.fingerprint, force=force)  # noqa: E731
        return peers.decide(look, "looking for what is finished")

    if force or left(False):  # else nothing is written, and no lock needed on what may be read-only
        with peers.writing(Path(out)):
            run_seeds(task, folders, left(force), progress, tensorboard, on_epoch, logger)
    return load_fit(out, cast(M, task.model(seed)).to(where))


def load_fit(path: str | Path, model: M, weights: Literal["best", "last"] | int = "best") -> Fit[M]:
    """The run of `fit` in a folder, its weights loaded into `model`: one built as the trained one was.

    * `path`: what was `out`. `weights`: "best" (lowest validation loss), "last", or an epoch (needs `keep="all"`; 0 is before training).

    Raises `OrbitscopeError` where there is no such run, and where the weights do not fit, naming the first tensors that differ.
    """
    path = Path(path)
    names = {"best": BEST, "last": LAST}
    if isinstance(weights, str) and weights not in names:
        raise OrbitscopeError(f"load_fit: `weights` must be 'best', 'last' or an epoch, got {weights!r}.")
    kept = read_json(path / SIDECAR)
    file = path / names[weights] if isinstance(weights, str) else path / "checkpoints" / f"epoch-{weights:04d}.safetensors"
    tensors, about = read_weights(file)
    load_weights(model, tensors, str(file))
    return Fit(
        model=model.eval(),
        path=path,
        epoch=int(about.get("epoch", kept["epoch"])),
        history=kept["history"],
        metrics=kept["metrics"],
        parameters=int(kept["parameters"]),
        seed=int(kept["seed"]),
    )


def _device(model: object) -> torch.device:
    """Where a model is before it is trained, and again afterwards; one that is made here is made on the CPU."""
    return next((p.device for p in model.parameters()), torch.device("cpu")) if isinstance(model, nn.Module) else torch.device("cpu")


def _parts(examples: ExamplesLike, validation: ExamplesLike | float | None) -> dict[str, Indexed]:
    training = indexed(examples)
    if validation is None:
        return {"train": training}
    if isinstance(validation, int | float):
        rest, held = set_aside(training, float(validation))
        return {"train": rest, "validation": held}
    return {"train": training, "validation": indexed(validation, "validation")}
