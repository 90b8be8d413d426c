"""The training of an emulator, as the loop sees it: transitions of trajectories, their SMSE, and what the run folder says."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import WINDOWS, Normalisation, Trajectories, split_indices, split_windows, usual_window
from ...nn import relaxation_penalty, relaxed_layers
from ...training import Augment, StateSMSE, StateUnits, Task, check_trainable, derive, relative_l2, smse, to_precision
from ...training.files import plain
from ..networks import Emulator, assembled, build, built_in, takes_layout
from ._augment import Augmentation
from ._config import TrainConfig
from ._state_sums import state_normalisation
from ._transitions import Transitions, difference_scales, fingerprint

PARTS = ("train", "validation", "test")


class Unrolled(nn.Module):
    """An emulator fed with its own predictions: [B, frames C, *space] -> [B, steps C, *space], the steps one after the other."""

    def __init__(self, emulator: nn.Module, steps: int) -> None:
        super().__init__()
        self.emulator, self.steps = emulator, steps

    def forward(self, state: Tensor) -> Tensor:
        """The predictions of all steps, in one call: data-parallel training exchanges gradients once per call."""
        found = []
        for _ in range(self.steps):
            found.append(self.emulator(state))
            state = torch.cat([state[:, found[-1].shape[1] :], found[-1]], dim=1)
        return torch.cat(found, dim=1)


@dataclass(frozen=True)
class EmulatorTask(Task):
    """Data, split and normalisation of a training: the same for all of its seeds."""

    data: Trajectories
    settings: TrainConfig  # pyright: ignore[reportIncompatibleVariableOverride]  # never assigned again
    split: dict[str, list[int]]
    normalisation: Normalisation
    differences: Tensor  # rms of the differences of every order that is used, [order, C]
    fingerprint: str
    augment: Augment | None = None
    state_units: dict[str, Any] | None = None
    """Statistics of the states in units of their own, where those are asked for."""

    criterion = "smse"
    finite = ("smse", "smse_persistence")
    rounded = True  # so that a run in float64 has the bits of every one before it

    @classmethod
    def of(cls, data: Trajectories, config: TrainConfig) -> "EmulatorTask":
        """Split the data and fit the normalisation on the training part; raises for data that cannot be trained on, and names a NaN."""
        if data.grid.ndim != 2 and built_in(config.model):
            raise OrbitscopeError(
                f"train: `data` has {data.grid.ndim} space dimensions; the model {config.model!r} takes 2. Name one of your own, "
                "'package.module:callable', or register it."
            )
        if data.times < config.frames + config.rollout:
            raise OrbitscopeError(
                f"train: `data` has {data.times} time{'s' * (data.times > 1)} per trajectory; a transition needs "
                f"{config.frames + config.rollout} (`frames` {config.frames}, `rollout` {config.rollout}). Simulate more frames."
            )
        if config.units == "state" and takes_layout(config.model):
            raise OrbitscopeError(
                f"train: `units`='state' shows the model a channel more per field, which {config.model!r} has no place for: it knows what "
                "each channel is. Take units='data', or a model without a layout (unet, resnet, vit, fno)."
            )
        data = cut_series(data, config)
        split = _split(data, config)
        if not split["train"]:
            raise OrbitscopeError(f"train: `split` {config.split} leaves no trajectory to train on out of {data.trajectories}.")
        augment = Augmentation.of(config.augment, data.layout, data.grid) if config.augment else None
        # All of it: a NaN in the last part would be found by the last number of the training only.
        training = data.check_finite()[split["train"]]
        own = state_normalisation(training) if config.units == "state" else None
        orders = max(config.frames - 1, 2) if config.differences else 1
        found = difference_scales(training, orders)
        return cls(data, config, split, Normalisation.fit(training), found, fingerprint(data), augment, own)

    @property
    def measured(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """SMSE and relative L2 of the prediction and of persistence, per channel."""
        return (4, self.data.channels)

    def model(self, seed: int) -> Emulator:
        """A fresh emulator; its weights depend on the seed alone. The global random state is left as it was."""
        config, data = self.settings, self.data
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "init"))
            backbone = build(
                config.model,
                config.preset,
                channels_in=config.frames * data.channels + (len(data.layout.fields) if self.state_units else 0),
                channels_out=data.channels,
                resolution=data.grid.shape,
                layout=data.layout,
                grid=data.grid,
                residual=config.residual,
                differences=config.differences,
                **dict[str, Any](config.overrides),
            )
        if config.relaxation is not None:
            relaxed_layers(backbone)  # raises where there is nothing to relax
        dtype = torch.float64 if config.precision == "64" else torch.float32
        # Of what the backbone predicts: the increment, or by how much it differs from the one before it.
        increment = self.differences[1 if config.differences else 0]
        norm = self.state_units or {**self.normalisation.to_dict(), "output_scale": increment.tolist()}
        if config.differences:
            norm = {**norm, "difference_scale": self.differences[: config.frames - 1].tolist()}
        if not config.residual:
            norm = {**norm, "output_scale": norm["scale"]}
        emulator = assembled(backbone, norm, residual=config.residual, frames=config.frames, dtype=torch.float64)
        return to_precision(emulator, dtype)

    @property
    def state_loss(self) -> StateSMSE | None:
        """The loss in units of the state, where those are asked for."""
        if self.state_units is None:
            return None
        about = self.state_units["units"]
        return StateSMSE(StateUnits(tuple(about["sizes"]), tuple(about["floor"])))

    def check(self, model: nn.Module) -> None:
        """Raise for layers whose state leaks between transitions of a batch."""
        check_trainable(model)

    def stepped(self, model: nn.Module) -> nn.Module:
        """The model, or several steps of it."""
        return Unrolled(model, self.settings.rollout) if self.settings.rollout > 1 else model

    def examples(self, part: str, dtype: torch.dtype, device: torch.device) -> Transitions | None:
        """The transitions of a split; those of several steps for training alone."""
        if not self.split[part]:
            return None
        config, limit = self.settings, self.settings.in_memory_gib * 2**30
        steps = config.rollout if part == "train" else 1
        return Transitions(self.data, self.split[part], dtype, device, limit, config.frames, steps)

    def loss(self, prediction: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """SMSE of each transition, in the units asked for; several steps are so many more channels: their mean."""
        return smse(prediction, y, "none") if self.state_loss is None else self.state_loss.each(prediction, y, x)

    def penalty(self, model: nn.Module) -> Tensor | None:
        """The weighted penalty on leaving a symmetry."""
        alpha = self.settings.relaxation
        return None if alpha is None else relaxation_penalty(model, alpha)

    def noted(self, model: nn.Module) -> dict[str, float]:
        """The penalty without its weight."""
        return {} if self.settings.relaxation is None else {"relaxation": relaxation_penalty(model).item()}

    def errors(self, prediction: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """SMSE, in the units asked for, and relative L2 of one step, and those of persistence (prediction = input)."""
        last = x[:, -self.data.channels :]
        if self.state_loss is not None:
            prediction, y, last = self.state_loss.scaled(x, prediction, y, last)
        rows = (smse(prediction, y, "channel"), smse(last, y, "channel"), relative_l2(prediction, y), relative_l2(last, y))
        return torch.stack([r.double().sum(0) for r in rows])

    def metrics(self, means: Tensor, count: int) -> dict[str, Any]:
        """Means over transitions; a relative L2 that does not exist, because a target is 0 throughout, is None."""
        return {
            "smse": means[0].mean().item(),
            "smse_persistence": means[1].mean().item(),
            "smse_per_channel": means[0].tolist(),
            "smse_persistence_per_channel": means[1].tolist(),
            "relative_l2_per_channel": _where_finite(means[2]),
            "relative_l2_persistence_per_channel": _where_finite(means[3]),
            "transitions": count,
        }

    def config(self, seed: int) -> dict[str, Any]:
        """What the run of one seed depends on."""
        return self.settings.replace(seeds=(seed,)).to_dict()

    def about(self, seed: int, model: nn.Module) -> dict[str, Any]:
        """What it takes to build the emulator again, and which data it has seen."""
        data = self.data
        assert isinstance(model, Emulator)
        return {
            "config": self.config(seed),
            "layout": data.layout.to_dict(),
            "grid": data.grid.to_dict(),
            "dt": data.dt,
            "normalisation": model.normalisation(),
            "split": self.split,
            "data": {"fingerprint": self.fingerprint, "shape": list(data.shape), "provenance": plain(data.provenance)},
        }

    def title(self, seed: int) -> str:
        """Model, preset and, of several, the seed."""
        return f"{self.settings.model} {self.settings.preset}" + (f" seed {seed}" if len(self.settings.seeds) > 1 else "")

    def summary(self, kept: dict[str, Any], folder: Path, seed: int) -> str:
        """The error beside that of persistence."""
        title, metrics, parameters = self.title(seed), kept["metrics"], kept["parameters"]
        part = "test" if "test" in metrics else "validation" if "validation" in metrics else None
        if part is None:
            return f"{title}: {parameters:,} parameters, {folder}"
        error, persistence = metrics[part]["smse"], metrics[part]["smse_persistence"]
        gain = f"{persistence / error:.1f} times better" if error > 0 else "exact"
        return f"{title}: {part} SMSE {error:.2e}, persistence {persistence:.2e} ({gain}); {parameters:,} parameters; {folder}"


def cut_series(data: Trajectories, config: TrainConfig) -> Trajectories:
    """The data as they are split: fewer trajectories than parts are series, which are cut into windows."""
    if WINDOWS in data.provenance or data.trajectories >= sum(f > 0 for f in config.split):
        return data
    return data.windows(*usual_window(data.times, config.frames + config.rollout))


def _split(data: Trajectories, config: TrainConfig) -> dict[str, list[int]]:
    """Trajectory numbers of the three parts; windows of a series in the order of time and apart."""
    said = data.provenance.get(WINDOWS)
    if said is None:
        parts = split_indices(data.trajectories, config.split, config.split_seed)
    else:
        parts = split_windows(said, data.trajectories, config.split)
    return {name: index.tolist() for name, index in zip(PARTS, parts, strict=True)}


def _where_finite(values: Tensor) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]
