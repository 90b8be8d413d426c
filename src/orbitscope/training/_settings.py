"""What the loop needs to know beside model, examples and loss."""

import math
from typing import Literal, get_args

from .._errors import OrbitscopeError

Schedule = Literal["cosine", "constant"]
Precision = Literal["32", "64", "bf16"]
Device = Literal["auto", "cpu", "cuda"]
Keep = Literal["best", "all"]


class Settings:
    """The settings of the loop, for the frozen dataclasses that have them as fields: `FitConfig`, `emulators.TrainConfig`."""

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    schedule: Schedule
    warmup: float
    clip: float
    precision: Precision
    device: Device
    devices: int
    keep: Keep

    def check(self) -> None:
        """Raise `OrbitscopeError` that names a setting out of range."""
        for name, kind in (("schedule", Schedule), ("precision", Precision), ("device", Device), ("keep", Keep)):
            value = getattr(self, name)
            self.require(name, value in get_args(kind), f"one of {', '.join(get_args(kind))}")
        for name in ("epochs", "batch", "devices"):
            self.require(name, whole(getattr(self, name)), "a whole number from 1 up")
        for name in ("weight_decay", "clip"):
            self.require(name, math.isfinite(getattr(self, name)) and getattr(self, name) >= 0, "finite and at least 0")
        self.require("learning_rate", 0 < self.learning_rate < math.inf, "positive and finite")
        self.require("warmup", 0 <= self.warmup < 1, "in [0, 1)")

    def require(self, name: str, good: bool, wanted: str) -> None:
        """Raise `OrbitscopeError` unless `good`, saying that the setting `name` should be `wanted`."""
        if not good:
            raise OrbitscopeError(f"{type(self).__name__}: `{name}` must be {wanted}; got {getattr(self, name)!r}.")

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of the step number `step` (from 0) out of `steps`."""
        warm = math.ceil(self.warmup * steps)
        if step < warm:
            return self.learning_rate * (step + 1) / (warm + 1)
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def whole(value: object) -> bool:
    """A whole number from 1 up."""
    return isinstance(value, int) and value >= 1
