"""Any model, examples and loss, as the loop sees them."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from .._expect import checked_settings
from .._json import json_text
from .._seed import derive
from ..nn import penalised_layers, relaxation_penalty
from ..symmetry import State, parts
from ._examples import ExampleBatches, Indexed
from ._loss import Loss
from ._precision import to_precision
from ._settings import Device, Keep, Precision, Schedule, Settings
from ._task import Augment, Task


@checked_settings
@dataclass(frozen=True)
class FitConfig(Settings):
    """How `fit` trains: AdamW. Same config, examples, seed and CPU: same bits.

    - `epochs`, `batch`: passes over all examples; examples per step, over all devices together.
    - `learning_rate`: the peak. `warmup`: the part of all steps, from 0 to 1, over which it is reached linearly.
    - `schedule`: what comes after the peak: "constant", or "cosine", along half a cosine to 0.
    - `weight_decay`: decoupled from the gradient. `clip`: largest gradient norm (0: no clipping).
    - `precision`: "32", "64" or "bf16" (mixed). `device`: "auto" takes a GPU where there is one. `devices`: how many, data-parallel.
    - `keep`: "all" also keeps the weights after every epoch, and before the first, under checkpoints/.
    - `relaxation`: weight of `nn.relaxation_penalty` in the loss, for models with relaxed layers. None: no penalty.

    Raises `OrbitscopeError` for a value out of range.
    """

    epochs: int = 10
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    schedule: Schedule = "cosine"
    warmup: float = 0.05
    clip: float = 1.0
    precision: Precision = "32"
    device: Device = "auto"
    devices: int = 1
    keep: Keep = "best"
    relaxation: float | None = None

    def __post_init__(self) -> None:
        self.check()
        self.require("relaxation", self.relaxation is None or 0 <= self.relaxation < float("inf"), "finite and at least 0, or None")

    def replace(self, **changes: Any) -> "FitConfig":
        """A copy in which `changes` replace settings, by name; it is checked again."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)


class FitTask(Task):
    """A training by `fit`."""

    verb = "fit"
    keeps_start = True
    settings: FitConfig

    def __init__(
        self,
        model: nn.Module | Callable[[], nn.Module],
        examples: Mapping[str, Indexed],
        loss: Loss,
        config: FitConfig,
        seed: int,
        fingerprint: str,
        metrics: Mapping[str, Loss],
        augment: Augment | None = None,
        recipe: Mapping[str, Any] | None = None,
    ) -> None:
        self.by_part, self.compared = examples, loss
        self.settings = config  # pyright: ignore[reportIncompatibleVariableOverride]  # never assigned again
        self.fingerprint, self.also, self.augment = fingerprint, metrics, augment
        self.recipe = None if recipe is None else json.loads(json_text(dict(recipe), what="recipe"))
        self.measured = (1 + len(metrics),)
        if taken := {"loss", "examples"} & set(metrics):
            raise OrbitscopeError(f"fit: `metrics` cannot be called {taken.pop()!r}, which is there already.")
        self.made = _made(model, seed, config)

    def model(self, seed: int) -> nn.Module:
        """The one model, which is trained in place."""
        return self.made

    def examples(self, part: str, dtype: torch.dtype, device: torch.device) -> ExampleBatches | None:
        """Those of a part."""
        return ExampleBatches(self.by_part[part], dtype, device) if part in self.by_part else None

    def loss(self, prediction: State, x: State, y: State) -> Tensor:
        """One number per example, or their mean, as the loss has it."""
        return self._of(self.compared, prediction, x, y)

    def errors(self, prediction: State, x: State, y: State) -> Tensor:
        """The loss and what else is measured, summed over the examples."""
        found = [self._of(one, prediction, x, y).double() for one in (self.compared, *self.also.values())]
        return torch.stack([f.sum() if f.ndim else f * len(parts(y)[0]) for f in found])

    def _of(self, loss: Loss, prediction: State, x: State, y: State) -> Tensor:
        return loss.each(prediction, loss.targets(x, y), x)

    def metrics(self, means: Tensor, count: int) -> dict[str, Any]:
        """The mean loss, what else is measured, and how many examples."""
        return {**dict(zip(("loss", *self.also), means.tolist(), strict=True)), "examples": count}

    def penalty(self, model: nn.Module) -> Tensor | None:
        """The weighted penalty on leaving a symmetry."""
        alpha = self.settings.relaxation
        return None if alpha is None else relaxation_penalty(model, alpha)

    def noted(self, model: nn.Module) -> dict[str, float]:
        """The penalty without its weight."""
        return {} if self.settings.relaxation is None else {"relaxation": relaxation_penalty(model).item()}

    def config(self, seed: int) -> dict[str, Any]:
        """What the run depends on, as far as it can be written down."""
        augment = None if self.augment is None else str(getattr(self.augment, "name", type(self.augment).__name__))
        known = {**self.settings.to_dict(), "loss": self.compared.name, "seed": seed, "augment": augment}
        return known if self.recipe is None else {**known, "recipe": self.recipe}

    def about(self, seed: int, model: nn.Module) -> dict[str, Any]:
        """The config, and which examples."""
        counts = {part: len(some) for part, some in self.by_part.items()}
        return {"config": self.config(seed), "model": type(model).__name__, "data": {"fingerprint": self.fingerprint, "examples": counts}}

    def title(self, seed: int) -> str:
        """The model's class."""
        return type(self.made).__name__

    def summary(self, kept: dict[str, Any], folder: Path, seed: int) -> str:
        """The best loss."""
        best = min(kept["history"], key=lambda row: row["validation"])
        kind = "validation" if "validation" in kept["metrics"] else "training"
        return f"{self.title(seed)}: {kind} loss {best['validation']:.2e} after epoch {best['epoch']}; {kept['parameters']:,} parameters"


def _made(model: nn.Module | Callable[[], nn.Module], seed: int, config: FitConfig) -> nn.Module:
    if isinstance(model, nn.Module):
        made = model
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "init"))
            made = model()
        if not isinstance(made, nn.Module):
            raise OrbitscopeError(f"fit: `model` should be a torch.nn.Module or make one when called; it made a {type(made).__name__}.")
    double = next((n for n, p in made.named_parameters() if p.dtype == torch.float64), None)
    if double is not None and config.precision != "64":
        raise OrbitscopeError(
            f"fit: the model is in float64 ({double}) and the training in precision {config.precision!r}. Say precision='64', or call "
            "model.float() first."
        )
    if config.relaxation is not None:
        penalised_layers(made)  # raises where there is nothing to relax
    return to_precision(made, torch.float64) if config.precision == "64" else made
