"""Mechanics as a system: its scenarios, models and symmetries by name."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ...data import Examples
from ...symmetry import State, Symmetry
from ...training import Augment, Loss
from .._system import System, SystemModel, SystemScenario
from ._about import motion_of, numbers_of
from ._answers import answered
from ._baselines import EulerHNN, LeapfrogHNN, MotionTransformer, ResidualMLP, SympNet
from ._bodies import BODIES
from ._dhn import DHN
from ._integrate import flow
from ._models import HamiltonianMap, MotionModel
from ._moves import OfFrames, OfMotion, groups_of
from ._readings import measured
from ._scenarios import DEFAULTS, simulated
from ._training import CoordinateError, EndsKnown, MotionLoss

_WORDS = {
    "pendulum": "a pendulum of unknown length",
    "double-pendulum": "two rods, the second of unknown length, from the published start and near it: mostly chaotic",
    "double-pendulum-low": "the same near its rest: regular",
    "kepler": "a planet in the plane around a star of unknown pull",
    "three-body": "three equal masses in the plane near the figure of eight, of unknown pull",
    "springs": "a chain of three masses and four springs of unknown stiffness",
    "charged": "a charge in a well and a magnetic field of unknown strength, with canonical momenta",
    "damped-pendulum": "a pendulum with friction: no Hamiltonian system, for contrast",
    "driven-pendulum": "a pendulum with a periodic torque of unknown phase: no autonomous system, for contrast",
}
_TRAINING = {"epochs": 40, "batch": 256, "learning_rate": 3e-3, "weight_decay": 0.0, "precision": "64"}


_WIDTHS = {"small": {"width": 64}, "medium": {"width": 128}, "autodecoder": {"width": 64, "autodecoder": True}}
_TOKENS = {"small": {"width": 32}, "medium": {"width": 64}}
_BLOCKS: dict[str, dict[str, Any]] = {
    "small": {"block": 4, "stride": 2},
    "one": {"block": 1, "stride": 1},
    "two": {"block": 2, "stride": 1},
    "autodecoder": {"block": 4, "stride": 2, "autodecoder": True},
    "clean": {"block": 4, "stride": 2, "denoise": False},
    "plain": {"block": 4, "stride": 2, "structure": "none"},
    "plain-clean": {"block": 4, "stride": 2, "structure": "none", "denoise": False},
    "refine": {"block": 2, "stride": 1, "masks": "both", "spacings": (1, 2)},
    "transformer": {"block": 4, "stride": 2, "net": "transformer", "width": 32},
    "paper": {"block": 4, "stride": 2, "net": "transformer", "width": 128, "code": 128, "autodecoder": True},
}
"""Of `dhn`: "clean" trains without noise, "plain" without a scalar, "refine" for the frames between known ones."""


def _made(kind: type[MotionModel], examples: Examples, *, autodecoder: bool = False, **options: Any) -> nn.Module:
    made = kind(motion_of(examples), **options)
    if autodecoder:
        made.remember(numbers_of(examples))
    return made


class MechanicsSystem(System):
    """Motions of systems that differ in hidden numbers; maps of one frame that learn them, Hamiltonian or not."""

    name: ClassVar[str] = "mechanics"
    scenarios: ClassVar[Mapping[str, SystemScenario]] = {
        f"mechanics.{b}": SystemScenario(
            f"mechanics.{b}", _WORDS[b], partial(simulated, b), DEFAULTS, "The number of examples counts systems."
        )
        for b in BODIES
    }
    models: ClassVar[Mapping[str, SystemModel]] = {
        name: SystemModel(name, words, partial(_made, kind), presets, {**_TRAINING, **more})
        for name, words, kind, presets, more in (
            (
                "hamiltonian_map", "a midpoint generating function: symplectic, and reversible where the motion is", HamiltonianMap,
                _WIDTHS, {},
            ),
            ("dhn", "the Denoising Hamiltonian Network on blocks of frames, as published", DHN, _BLOCKS, {}),
            ("hnn", "a separable Hamiltonian by leapfrog", LeapfrogHNN, _WIDTHS, {}),
            ("hnn_euler", "a Hamiltonian by explicit Euler steps", EulerHNN, _WIDTHS, {}),
            ("sympnet", "gradient modules of coordinates and momenta in turn: symplectic", SympNet, _WIDTHS, {}),
            ("motion_mlp", "a plain residual network", ResidualMLP, _WIDTHS, {}),
            ("motion_transformer", "a plain transformer over past frames", MotionTransformer, _TOKENS, {}),
        )
    }  # fmt: skip

    def loss(self, model: str, examples: Examples) -> Loss:
        """`MotionLoss` in the sizes of `examples`, for every `model`."""
        return MotionLoss(motion_of(examples))

    def metrics(self, model: str, examples: Examples) -> dict[str, Loss]:
        """The error of the coordinates alone."""
        return {"coordinates": CoordinateError(motion_of(examples))}

    def every_step(self, model: str, examples: Examples) -> Augment | None:
        """The true next frame for maps that are implicit, and noise for `dhn`."""
        motion = motion_of(examples)
        return EndsKnown(1 + motion.history * (1 + 2 * motion.pairs) if model == "dhn" else 1)

    def readings(self, examples: Examples, model: nn.Module) -> dict[str, xr.Dataset]:
        """Errors of forecasts, energy, symplectic form and reversal of `model` at `examples`, where these are whole trajectories."""
        motion = motion_of(examples)
        whole = len(examples) == len(examples.units) * motion.starts * (motion.frames - motion.history)
        return {"measures": measured(examples, model)} if whole and isinstance(model, MotionModel) else {}

    def answer(
        self, task: str, model: nn.Module, examples: Examples, training: Examples, options: Mapping[str, Any] | None = None
    ) -> xr.Dataset:
        """`forecast`, `complete`, `encode` or `refine` the motions in `examples` with `model`, whose `training` gives the prior of the
        codes; `options` as `answered` takes them for the `task`."""
        assert isinstance(model, MotionModel)
        return answered(model, task, examples, training, options or {})

    def law(self, examples: Examples) -> Callable[..., State] | None:
        """The equation of motion, solved for one frame in the direction that a state names."""
        motion = motion_of(examples)
        body = BODIES.get(motion.body)
        if body is None:
            return None

        def solved(past: Tensor, direction: Tensor, context: Tensor, numbers: Tensor) -> State:
            found = flow(body.rate, past[:, -1].double().numpy(), numbers.double().numpy(), [motion.dt], direction[:, 0].double().numpy())
            return torch.from_numpy(np.ascontiguousarray(found[:, 0])).to(past.dtype)

        return solved

    def symmetries(self, examples: Examples, model: nn.Module | None = None) -> dict[str, Symmetry]:
        """Reversal of time, and what else of mirror, exchange and rotation the body has."""
        motion = motion_of(examples)
        return {name: Symmetry(g, OfMotion(motion), OfFrames(motion), name=name) for name, g in groups_of(motion).items()}


SYSTEM = MechanicsSystem()
