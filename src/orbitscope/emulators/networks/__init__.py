"""Models of emulators, by name and by class."""

from ._build import build, built_in, models, register, require_model, takes_layout
from ._emulator import Emulator
from ._equivariant import EquivariantResNet, EquivariantUNet
from ._equivariant_fno import EquivariantFNO
from ._equivariant_vit import EquivariantViT
from ._fno import FNO
from ._layers import Attention, CircularConv, ImageNorm, ResidualBlock, RMSNorm
from ._magnitude import MagnitudeResNet, MagnitudeUNet
from ._matched import equivariant
from ._motion import MotionResNet, MotionUNet
from ._relaxed import relaxed_resnet, relaxed_unet
from ._resnet import ResNet
from ._scale import ScaleResNet, ScaleUNet
from ._scale_frame import ScaleFrameResNet, ScaleFrameUNet
from ._state_emulator import StateEmulator, assembled
from ._unet import UNet
from ._vit import ViT

__all__ = [
    "FNO",
    "Attention",
    "CircularConv",
    "Emulator",
    "EquivariantFNO",
    "EquivariantResNet",
    "EquivariantUNet",
    "EquivariantViT",
    "ImageNorm",
    "MagnitudeResNet",
    "MagnitudeUNet",
    "MotionResNet",
    "MotionUNet",
    "RMSNorm",
    "ResNet",
    "ResidualBlock",
    "ScaleFrameResNet",
    "ScaleFrameUNet",
    "ScaleResNet",
    "ScaleUNet",
    "StateEmulator",
    "UNet",
    "ViT",
    "assembled",
    "build",
    "built_in",
    "equivariant",
    "models",
    "register",
    "require_model",
    "relaxed_resnet",
    "relaxed_unet",
    "takes_layout",
]
