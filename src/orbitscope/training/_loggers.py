"""What a training tells the loggers that people use: scalars after every epoch, settings at the start, errors at the end.

A logger is anything with `log_metrics(metrics, step)`: those of `lightning.fabric.loggers` and of `lightning.pytorch.loggers` (Weights &
Biases, MLflow, Comet, Neptune, ...), or one's own. Two words make one in the run folder: "csv" and "tensorboard".
"""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from .._errors import OrbitscopeError

WORDS = ("csv", "tensorboard")


@runtime_checkable
class MetricsLogger(Protocol):
    """What is needed of a logger; `log_hyperparams(params)` and `finalize(status)` are called where there are such."""

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Keep `metrics`, numbers by name, of `step`, which here is an epoch."""
        ...


LoggerOption = str | MetricsLogger | Sequence[str | MetricsLogger] | None
"""A word, a logger, several of them, or None."""


def as_loggers(option: LoggerOption, *, tensorboard: bool = False) -> tuple[str | MetricsLogger, ...]:
    """The loggers that an argument `logger` means, as a tuple.

    * `option`: "csv", "tensorboard", an object with `log_metrics(metrics, step)`, a sequence of these, or None.
    * `tensorboard`: whether "tensorboard" is added where it is not there.

    Raises `OrbitscopeError` for another word and for an object without `log_metrics`.
    """
    many = (option,) if isinstance(option, str) or not isinstance(option, Sequence) else tuple(option)
    found = [one for one in many if one is not None]
    for one in found:
        if isinstance(one, str) and one not in WORDS:
            raise OrbitscopeError(f"logger: the words are {' and '.join(map(repr, WORDS))}, got {one!r}.")
        if not isinstance(one, str) and (isinstance(one, type) or not isinstance(one, MetricsLogger)):
            raise OrbitscopeError(
                f"logger: {one!r} has no log_metrics(metrics, step). Give {' or '.join(map(repr, WORDS))}, or an object such as "
                "lightning.fabric.loggers.CSVLogger(...) or lightning.pytorch.loggers.WandbLogger(...)."
            )
    if tensorboard and "tensorboard" not in found:
        found.append("tensorboard")
    return tuple(found)


class Loggers:
    """The loggers of one seed while it is trained; `prefix` stands before every name where several seeds share a logger."""

    def __init__(self, loggers: Sequence[str | MetricsLogger], folder: Path, prefix: str = "") -> None:
        self.own = [_made(word, folder) for word in loggers if isinstance(word, str)]
        self.shared = [one for one in loggers if not isinstance(one, str)]
        self.prefix = prefix

    def begin(self, config: Mapping[str, Any], history: Sequence[Mapping[str, float]]) -> None:
        """Hand over the settings. A table in the run folder is written again from the history of what was trained before."""
        for one in self.shared:
            if callable(params := getattr(one, "log_hyperparams", None)):
                with contextlib.suppress(NotImplementedError):  # as CSVLogger says it
                    params(dict(config))
        for one in self.own:
            if isinstance(one, _Table):
                for row in history:
                    one.log_metrics(_numbers(row), int(row["epoch"]))

    def epoch(self, row: Mapping[str, float]) -> None:
        """The row of the history that has just been made."""
        self._log(_numbers(row), int(row["epoch"]))

    def result(self, metrics: Mapping[str, Mapping[str, Any]], epoch: int) -> None:
        """The errors of the best weights, as "test/smse" and so on."""
        self._log({f"{part}/{name}": value for part, found in metrics.items() for name, value in _numbers(found).items()}, epoch)

    def _log(self, numbers: dict[str, float], epoch: int) -> None:
        for one in self.own:
            one.log_metrics(numbers, epoch)
        for one in self.shared:
            one.log_metrics({f"{self.prefix}{name}": value for name, value in numbers.items()}, epoch)

    def close(self) -> None:
        """Those in the run folder are done."""
        for one in self.own:
            one.close()


@contextlib.contextmanager
def finalized(loggers: Sequence[str | MetricsLogger]) -> Iterator[None]:
    """Tell the caller's loggers at the end how it ended."""
    status = "failed"
    try:
        yield
        status = "success"
    finally:
        for one in loggers:
            if not isinstance(one, str) and callable(finalize := getattr(one, "finalize", None)):
                finalize(status)


def _numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of a row, without its epoch."""
    kept = {name: value for name, value in found.items() if isinstance(value, int | float) and name != "epoch"}
    return {name: float(value) for name, value in kept.items() if math.isfinite(value)}


class _Table:
    """csv/metrics.csv in the run folder, one row per epoch; made anew, so that a killed training leaves no row twice."""

    def __init__(self, folder: Path) -> None:
        from lightning_fabric.loggers.csv_logs import CSVLogger  # slow to import

        (folder / "csv" / "metrics.csv").unlink(missing_ok=True)
        self.logger = CSVLogger(str(folder), name=None, version="csv", flush_logs_every_n_steps=1)

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.logger.log_metrics({**metrics}, step)

    def close(self) -> None:
        self.logger.finalize("success")


class _TensorBoard:
    """Scalars in tensorboard/ of the run folder."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter  # slow to import

        self.writer = SummaryWriter(str(folder / "tensorboard"))

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        for name, value in metrics.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()


def _made(word: str, folder: Path) -> _Table | _TensorBoard:
    return _Table(folder) if word == "csv" else _TensorBoard(folder)
