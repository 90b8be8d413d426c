"""Emulators of physical systems: models, training, roll-out, forecast errors."""

from ._build import build, models, register
from ._config import TrainConfig
from ._emulator import Emulator
from ._equivariant import EquivariantResNet, EquivariantUNet
from ._files import SIDECAR
from ._fno import FNO
from ._loss import relative_l2, smse
from ._magnitude import MagnitudeResNet, MagnitudeUNet
from ._matched import equivariant
from ._moments import kept_optimiser, second_moments
from ._motion import MotionResNet, MotionUNet
from ._progress import TrainProgress
from ._resnet import ResNet
from ._rollout import rollout
from ._run import Run, load_run, load_runs
from ._scale import ScaleResNet, ScaleUNet
from ._spectra import energy_spectrum, ese, rmse, spectrum_error
from ._train import train
from ._unet import UNet
from ._vit import ViT

__all__ = [
    "FNO",
    "SIDECAR",
    "Emulator",
    "EquivariantResNet",
    "EquivariantUNet",
    "MagnitudeResNet",
    "MagnitudeUNet",
    "MotionResNet",
    "MotionUNet",
    "ResNet",
    "Run",
    "ScaleResNet",
    "ScaleUNet",
    "TrainConfig",
    "TrainProgress",
    "UNet",
    "ViT",
    "build",
    "energy_spectrum",
    "equivariant",
    "ese",
    "kept_optimiser",
    "load_run",
    "load_runs",
    "models",
    "register",
    "relative_l2",
    "rmse",
    "rollout",
    "second_moments",
    "smse",
    "spectrum_error",
    "train",
]
