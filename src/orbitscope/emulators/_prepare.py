"""What a training takes from the data before the first step."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._errors import OrbitscopeError
from ..data import Normalisation, Trajectories, read_batches, split_indices
from ..nn import relaxed_layers
from ..symmetry import Layout
from ._augment import Augmentation
from ._build import build
from ._config import TrainConfig
from ._emulator import Emulator
from ._seed import derive, permutation

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Prepared:
    """Data, split and normalisation of a training: the same for all of its seeds."""

    data: Trajectories
    config: TrainConfig
    split: dict[str, list[int]]
    normalisation: Normalisation
    increment: Tensor
    fingerprint: str
    augmentation: Augmentation | None = None

    @classmethod
    def of(cls, data: Trajectories, config: TrainConfig) -> "Prepared":
        """Split the data and fit the normalisation on the training part; raises for data that cannot be trained on, and names a NaN."""
        if data.grid.ndim != 2:
            raise OrbitscopeError(f"train: `data` has {data.grid.ndim} space dimensions; the emulators here take 2.")
        if data.times < config.frames + config.rollout:
            raise OrbitscopeError(
                f"train: `data` has {data.times} time{'s' * (data.times > 1)} per trajectory; a transition needs "
                f"{config.frames + config.rollout} (`frames` {config.frames}, `rollout` {config.rollout}). Simulate more frames."
            )
        split = {
            part: index.tolist()
            for part, index in zip(PARTS, split_indices(data.trajectories, config.split, config.split_seed), strict=True)
        }
        if not split["train"]:
            raise OrbitscopeError(f"train: `split` {config.split} leaves no trajectory to train on out of {data.trajectories}.")
        augmentation = Augmentation.of(config.augment, data.layout, data.grid) if config.augment else None
        # All of it: a NaN in the last part would be found by the last number of the training only.
        training = data.check_finite()[split["train"]]
        return cls(data, config, split, Normalisation.fit(training), increment_scale(training), fingerprint(data), augmentation)

    def model(self, seed: int) -> Emulator:
        """A fresh emulator; its weights depend on the seed alone. The global random state is left as it was."""
        config, data = self.config, self.data
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "init"))
            backbone = build(
                config.model,
                config.preset,
                channels_in=config.frames * data.channels,
                channels_out=data.channels,
                resolution=(data.grid.shape[0], data.grid.shape[1]),
                layout=data.layout,
                grid=data.grid,
                residual=config.residual,
                **dict[str, Any](config.overrides),
            )
        if config.relaxation is not None:
            relaxed_layers(backbone)  # raises where there is nothing to relax
        dtype = torch.float64 if config.precision == "64" else torch.float32
        scales = self.increment if config.residual else None
        emulator = Emulator(
            backbone, self.normalisation.mean, self.normalisation.scale, scales, residual=config.residual, frames=config.frames
        )
        return emulator.to(dtype)


class Transitions:
    """Pairs (state, next state) of some trajectories, held in memory where they are small enough, else read ahead by worker processes.

    With several `frames` or `steps` the first is so many states and the second so many later ones, along channels, oldest first.
    """

    def __init__(
        self,
        data: Trajectories,
        part: list[int],
        dtype: torch.dtype,
        device: torch.device,
        limit_bytes: float,
        frames: int = 1,
        steps: int = 1,
    ) -> None:
        self.source, self.frames, self.steps = data[part], frames, steps
        self.dtype, self.device = dtype, device
        self.values = self.source.tensor(dtype).to(device) if self.source.nbytes <= limit_bytes else None
        self.leads = self.source.times - frames - steps + 1

    def __len__(self) -> int:
        return self.source.trajectories * self.leads

    def __getitem__(self, index: Tensor) -> tuple[Tensor, Tensor]:
        trajectory, time = index // self.leads, index % self.leads
        if self.frames + self.steps > 2:
            x, y = self._window(trajectory, time)
        elif self.values is None:
            x, y = self.source.pairs(trajectory, time)
        else:
            x, y = self.values[trajectory, time], self.values[trajectory, time + 1]
        return self._place(x), self._place(y)

    def read(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """The transitions with these numbers, batch by batch; what is not in memory is read while the caller computes."""
        if self.values is not None or not self.source.lazy or self.frames + self.steps > 2:
            yield from (self[index] for index in batches)
        else:
            for x, y in read_batches(self.source, batches, pin_memory=self.device.type == "cuda"):
                yield self._place(x), self._place(y)

    def _window(self, trajectory: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        length = self.frames + self.steps
        if self.values is not None:
            states = [self.values[trajectory, time + t] for t in range(length)]
        else:
            states = []
            for t in range(0, length, 2):
                # The last of an odd number is read with the one before it.
                first = min(t, length - 2)
                states += self.source.pairs(trajectory, time + first)[t - first :]
        return torch.cat(states[: self.frames], 1), torch.cat(states[self.frames :], 1)

    def _place(self, state: Tensor) -> Tensor:
        # Channels last: training steps of six small UNets ran 1.1 to 1.4 times as fast on 2 cores; other models were not measured.
        return state.to(self.device, self.dtype, non_blocking=state.is_pinned()).contiguous(memory_format=torch.channels_last)

    def shuffled(self, seed: int, epoch: int, batch: int) -> list[Tensor]:
        """The transition numbers of every batch of an epoch, in an order that depends on (seed, epoch) alone."""
        return list(permutation(len(self), seed, "shuffle", epoch).split(batch))

    def ordered(self, batch: int) -> list[Tensor]:
        """The transition numbers in order, batch by batch."""
        return list(torch.arange(len(self)).split(batch))


def increment_scale(data: Trajectories) -> Float[Tensor, " channel"]:
    r"""$\mathrm{rms}(u_{t+1} - u_t)$ per field, repeated over its components, [C], float64; the field's own 1 where it never moves."""
    power, count = torch.zeros(data.channels, dtype=torch.float64), 0
    for _, _, block in data.blocks():
        step = block.to(torch.float64).diff(dim=1).transpose(0, 2).flatten(1)
        power, count = power + step.square().sum(dim=1), count + step.shape[1]
    return _per_field(power / max(count, 1), data.layout)


def _per_field(power: Tensor, layout: Layout) -> Tensor:
    scale = torch.cat([part.mean().sqrt().expand(part.shape) for part in power.split(list(layout.sizes))])
    return torch.where(scale > 0, scale, torch.ones_like(scale))


def fingerprint(data: Trajectories) -> str:
    """A hash of the shape, the declarations and four states: tells other data from the same data, not every edit."""
    what: dict[str, Any] = {"shape": list(data.shape), "layout": data.layout.to_dict(), "grid": data.grid.to_dict(), "dt": data.dt}
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
    for trajectory in (0, data.trajectories - 1):
        for time in (0, data.times - 1):
            digest.update(data.state(trajectory, time).to(torch.float64).contiguous().numpy().tobytes())
    return digest.hexdigest()
