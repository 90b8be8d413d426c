"""Training of any model on any examples with any loss: one loop, exact resume, seeds, several devices."""

from .._seed import derive, integers, permutation
from ._batches import Batches
from ._block_adam import BlockAdamW, adamw, shared_moments
from ._examples import ExamplesLike, Indexed
from ._fit import Fit, fit, load_fit
from ._fit_task import FitConfig
from ._loggers import LoggerOption, MetricsLogger, as_loggers
from ._loop import OnEpoch, Trainer
from ._loss import MSE, SMSE, CrossEntropy, Loss, as_loss, invariance_error
from ._precision import to_precision
from ._progress import ProgressOption, Reporter, TrainProgress
from ._seeds import run_seeds, say_summary
from ._settings import Device, Keep, Precision, Schedule, Settings
from ._smse import relative_l2, smse
from ._state_units import StateSMSE, StateUnits
from ._task import Augment, Task
from ._trainable import check_trainable

__all__ = [
    "MSE",
    "SMSE",
    "Augment",
    "Batches",
    "BlockAdamW",
    "CrossEntropy",
    "Device",
    "ExamplesLike",
    "Fit",
    "FitConfig",
    "Indexed",
    "Keep",
    "LoggerOption",
    "Loss",
    "MetricsLogger",
    "OnEpoch",
    "Precision",
    "ProgressOption",
    "Reporter",
    "Schedule",
    "Settings",
    "StateSMSE",
    "StateUnits",
    "Task",
    "TrainProgress",
    "Trainer",
    "adamw",
    "as_loggers",
    "as_loss",
    "check_trainable",
    "derive",
    "fit",
    "integers",
    "invariance_error",
    "load_fit",
    "permutation",
    "relative_l2",
    "run_seeds",
    "shared_moments",
    "say_summary",
    "smse",
    "to_precision",
]
