"""Everything that decides a training."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..._errors import OrbitscopeError
from ..._expect import checked_settings
from ...training import Device, Keep, Precision, Schedule, Settings

Option = bool | int | float | str | tuple[int, ...]


@checked_settings
@dataclass(frozen=True)
class TrainConfig(Settings):
    r"""How to train an emulator: one-step SMSE with AdamW. Same config + data + CPU = same bits.

    - `model`, `preset`, `overrides`: what `build` makes; `overrides` replace single options, for example
      {"width": 32, "kernels": (5, 3)}; on a command line: width 32 kernels 5,3.
    - `residual`: predict the increment, in units of its own size, instead of the next state.
    - `units`: what states are measured in. "data": one scale per field for all. "state": the root mean square of each field of the state
      that goes in; the model also sees its logarithm, and the loss and the SMSE of history and metrics are in these units (`StateSMSE`),
      dimensionless. For data of several kinds whose sizes differ; not for models that know the layout, which take no further channels.
    - `epochs`, `batch`: passes over all transitions of the training split; transitions per step, over all devices together.
    - `learning_rate`: the peak. `warmup`: the part of all steps, from 0 to 1, over which it is reached linearly.
    - `schedule`: what comes after the peak: "constant", or "cosine", along half a cosine to 0.
    - `weight_decay`: decoupled from the gradient. `clip`: largest gradient norm (0: no clipping).
    - `seeds`: one run each.
    - `split`: fractions (train, validation, test) by trajectory. `split_seed`: of the split, which is the same for every run.
    - `precision`: "32", "64" or "bf16" (mixed). `device`: "auto" takes a GPU where there is one. `devices`: how many, data-parallel.
    - `augment`: a group such as "d4" or "d4*tx*ty"; each transition of each step is moved by a random element. None: none.
    - `frames`: how many past states the model sees, stacked along channels, oldest first. `rollout`: how many steps, each fed with the
      predictions before it, make up the loss (their mean); the errors that are reported are of one step.
    - `differences`: with several frames, the model sees the last state and its backward differences, each in units of its own size, in
      place of the states; with `residual` it predicts by how much the next increment differs from the last. Persistence of the increment is
      then what an untrained model of small weights says.
    - `relaxation`: weight alpha of `nn.relaxation_penalty` in the loss, for models with relaxed layers. None: no penalty.
    - `keep`: "all" also keeps the weights after every epoch, and before the first, under checkpoints/.
    - `in_memory_gib`: splits smaller than this are held in memory; larger ones are read per batch.

    Defaults for learning rate and weight decay: Amarel et al., arXiv 2601.20172. Raises `OrbitscopeError` for a value out of range.
    """

    model: str = "unet"
    preset: str = "small"
    overrides: dict[str, Option] = field(default_factory=dict)
    residual: bool = True
    units: Literal["data", "state"] = "data"
    epochs: int = 10
    batch: int = 32
    learning_rate: float = 5e-4
    weight_decay: float = 1e-4
    schedule: Schedule = "cosine"
    warmup: float = 0.05
    clip: float = 1.0
    seeds: tuple[int, ...] = (0,)
    split: tuple[float, float, float] = (0.65, 0.05, 0.30)
    split_seed: int = 0
    precision: Precision = "32"
    device: Device = "auto"
    devices: int = 1
    keep: Keep = "best"
    augment: str | None = None
    relaxation: float | None = None
    frames: int = 1
    rollout: int = 1
    differences: bool = False
    in_memory_gib: float = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "overrides", _plain(self.overrides))
        object.__setattr__(self, "seeds", tuple(self.seeds) if not isinstance(self.seeds, int) else (self.seeds,))
        object.__setattr__(self, "split", tuple(float(f) for f in self.split))
        self.check()
        for name in ("frames", "rollout"):
            self.require(name, isinstance(getattr(self, name), int) and getattr(self, name) >= 1, "a whole number from 1 up")
        self.require("differences", not self.differences or self.frames > 1, "False, or `frames` 2 or more")
        self.require("differences", not self.differences or self.units == "data", 'False where `units` is "state"')
        self.require("in_memory_gib", math.isfinite(self.in_memory_gib) and self.in_memory_gib >= 0, "finite and at least 0")
        alpha = self.relaxation
        self.require("relaxation", alpha is None or (math.isfinite(alpha) and alpha >= 0), "finite and at least 0, or None")
        self.require("augment", self.augment is None or (isinstance(self.augment, str) and bool(self.augment)), "words such as d4")
        self.require("seeds", bool(self.seeds) and len(set(self.seeds)) == len(self.seeds), "at least one, all different")
        self.require("seeds", all(isinstance(s, int) and 0 <= s < 2**32 for s in self.seeds), "whole numbers in 0..2^32-1")
        self.require("split", len(self.split) == 3, "three fractions (train, validation, test)")

    def replace(self, **changes: Any) -> "TrainConfig":
        """A copy in which `changes` replace settings, by name; it is checked again."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON and TOML."""
        out = dataclasses.asdict(self)
        return {**out, "seeds": list(self.seeds), "split": list(self.split), "overrides": dict(self.overrides)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TrainConfig":
        """The inverse of `to_dict`; raises `OrbitscopeError` where `data` has an unknown name."""
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = [name for name in data if name not in known]
        if unknown:
            raise OrbitscopeError(f"TrainConfig: unknown setting {unknown[0]!r}. Known: {', '.join(sorted(known))}.")
        values: dict[str, Any] = {name: tuple(value) if name in ("seeds", "split") else value for name, value in data.items()}
        return cls(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, str) and "," in value and all(part.strip().isdigit() for part in value.split(",")):
        return [int(part) for part in value.split(",")]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise OrbitscopeError(f"TrainConfig: `overrides` must be numbers, words or lists of them, got {value!r}.")
