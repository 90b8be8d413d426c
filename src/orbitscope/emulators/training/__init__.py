"""Training of emulators on trajectories, and trained ones from disk."""

from ._augment import Augmentation
from ._config import TrainConfig
from ._moments import kept_optimiser, second_moments
from ._run import Run, load_run, load_runs
from ._train import train

__all__ = ["Augmentation", "Run", "TrainConfig", "kept_optimiser", "load_run", "load_runs", "second_moments", "train"]
