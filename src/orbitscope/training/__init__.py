"""Training of any model on any examples with any loss: one loop, exact resume, seeds, several devices."""

from ._batches import Batches
from ._loop import OnEpoch, Trainer
from ._progress import ProgressOption, Reporter, TrainProgress
from ._seed import derive, integers, permutation
from ._seeds import run_seeds, say_summary
from ._settings import Device, Keep, Precision, Schedule, Settings
from ._smse import relative_l2, smse
from ._task import Augment, Task
from ._trainable import check_trainable

__all__ = [
    "Augment",
    "Batches",
    "Device",
    "Keep",
    "OnEpoch",
    "Precision",
    "ProgressOption",
    "Reporter",
    "Schedule",
    "Settings",
    "Task",
    "TrainProgress",
    "Trainer",
    "check_trainable",
    "derive",
    "integers",
    "permutation",
    "relative_l2",
    "run_seeds",
    "say_summary",
    "smse",
]
