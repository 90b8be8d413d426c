"""The training loop of one seed."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError, reading
from .._seed import derive
from ..symmetry import State, called
from ._block_adam import adamw
from ._loggers import Loggers
from ._progress import TrainProgress
from ._states import floats_to
from ._task import Task
from ._trainable import channels_last, versions
from .devices import Peers, pulse
from .files import BEST, LAST, SIDECAR, STATE, Metadata, load_weights, read_state, read_weights, write_json, write_state, write_weights

if TYPE_CHECKING:
    import lightning_fabric

FORMAT = 1
PARTS = ("train", "validation", "test")
OnEpoch = Callable[[int, int, nn.Module], None]
"""(seed, epoch, model) after every epoch, and before the first with epoch 0."""


@dataclass
class _Progressed:
    """What changes from epoch to epoch beside weights and optimiser."""

    epoch: int = 0
    best: float = float("inf")
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


class Trainer:
    """One seed of a training: steps, checkpoints, exact resume. All randomness comes from (seed, purpose, epoch), none is carried over.

    * `fabric`: the devices, from Lightning Fabric (`make_fabric`).
    * `task`: which model, examples and loss.
    * `seed`: of weights, order and dropout.
    * `out`: the run folder; what is in it is gone on with.
    * `report`: called with a `TrainProgress` after every step.
    * `on_epoch(seed, epoch, model)`: called after every epoch, and before the first with epoch 0; None: nobody looks.

    `run()` trains. Raises `OrbitscopeError` for a model without parameters, and while running for a loss that is not finite.
    """

    def __init__(
        self,
        fabric: "lightning_fabric.Fabric",
        task: Task,
        seed: int,
        out: Path,
        report: Callable[[TrainProgress], None],
        on_epoch: "OnEpoch | None" = None,
    ) -> None:
        self.fabric, self.task, self.settings, self.seed, self.out, self.report = fabric, task, task.settings, seed, out, report
        self.on_epoch, self.peers = on_epoch, Peers(fabric)
        settings = self.settings
        self.bare = channels_last(task.model(seed))
        self.parameters = sum(p.numel() for p in self.bare.parameters())
        if not self.parameters:
            raise OrbitscopeError(f"{task.verb}: the model {task.title(seed)!r} has no parameters; there is nothing to train.")
        fused = not any(p.is_complex() for p in self.bare.parameters())  # torch's fused AdamW knows real numbers only
        optimiser = adamw(self.bare, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=fused)
        # Layers that do something of their own after a step, such as stages of their training (`nn.RelaxedWeights`).
        self.staged: list[Any] = [m for m in self.bare.modules() if hasattr(m, "after_step")]
        self.stepper = optimiser
        self.model, self.optimiser = fabric.setup(task.stepped(self.bare), optimiser)
        self.dtype = torch.float64 if settings.precision == "64" else torch.float32
        found = {part: task.examples(part, self.dtype, fabric.device) for part in PARTS}
        self.parts = {part: examples for part, examples in found.items() if examples is not None}
        self.at = _Progressed()

    def run(self, loggers: Loggers | None = None) -> None:
        """Train to the last epoch from wherever the folder stands, then measure on the test split; `loggers` are told the numbers."""
        self.task.check(self.bare)
        self._resume()
        self._main(self._introduce)
        if loggers is not None:
            loggers.begin(self.task.about(self.seed, self.bare)["config"], self.at.history)
        if self.task.keeps_start and not self.at.epoch:
            self._main(lambda: write_state(self.out / STATE, self._state()))
        if self.at.epoch == 0 and self.settings.keep == "all":
            self._main(lambda: write_weights(self._checkpoint(0), self.bare, self._metadata()))
        if self.at.epoch == 0:
            self._show()
        for epoch in range(self.at.epoch + 1, self.settings.epochs + 1):
            last = self._epoch(epoch)
            self._save()
            self._show()
            if loggers is not None:
                loggers.epoch(self.at.history[-1])
            self.report(last)
        metrics = self._finish()
        if loggers is not None:
            loggers.result(metrics, self.at.best_epoch)

    def _introduce(self) -> None:
        """A folder with anything of a run in it always says which run."""
        if not (self.out / SIDECAR).exists():
            write_json(self.out / SIDECAR, self._sidecar(None))

    def _show(self) -> None:
        """Let the caller look at the model, in evaluation mode and with random numbers of its own: training goes on as if it had not."""
        if self.on_epoch is None or not self.fabric.is_global_zero:
            return
        self.bare.eval()
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            self.on_epoch(self.seed, self.at.epoch, self.bare)
        self.optimiser.zero_grad()

    def _epoch(self, epoch: int) -> TrainProgress:
        started, training = time.perf_counter(), self.parts["train"]
        batches = training.shuffled(self.seed, epoch, self.settings.batch)
        steps, total = len(batches), 0.0
        self.model.train()
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(derive(self.seed, "noise", epoch * 4096 + self.fabric.global_rank))  # for models with dropout
            read = training.read([self._share(index) for index in batches])
            for step, (index, (x, y)) in enumerate(zip(batches, read, strict=True), start=1):
                if (augment := self.task.augment) is not None:
                    # Drawn for the whole batch, so that what is drawn does not depend on the number of devices.
                    x, y = augment(self._share(augment.draw(len(index), self.seed, epoch, step)), x, y)
                loss = self._step(index, x, y, (epoch - 1) * steps + step - 1, steps, epoch, step)
                total += loss * len(index)
                if step < steps:
                    self.report(
                        TrainProgress(self.seed, epoch, self.settings.epochs, step, steps, loss, None, time.perf_counter() - started)
                    )
        share = torch.tensor([total / len(training)], dtype=torch.float64)
        mean = self.peers.sum(share, f"epoch {epoch}, its loss")[0].item() / self.fabric.world_size
        validation = self.measure("validation", epoch)[self.task.criterion] if "validation" in self.parts else mean
        seconds = time.perf_counter() - started
        rate = self.settings.rate(epoch * steps - 1, self.settings.epochs * steps)
        self.at.epoch = epoch
        self.at.history.append({"epoch": epoch, "train": mean, "validation": validation, "learning_rate": rate, "seconds": seconds})
        self.at.history[-1].update(self.task.noted(self.bare))
        return TrainProgress(self.seed, epoch, self.settings.epochs, steps, steps, mean, validation, seconds)

    def _share(self, index: Tensor) -> Tensor:
        """This device's part of a batch; one example, to be weighted with 0, where there are fewer than devices."""
        own = index[self.fabric.global_rank :: self.fabric.world_size]
        return own if len(own) else index[:1]

    def _step(self, index: Tensor, x: State, y: State, number: int, steps: int, epoch: int, step: int) -> float:
        """One update; the mean over the whole batch whatever the number of devices. Returns this device's share of the loss."""
        rank, world = self.fabric.global_rank, self.fabric.world_size
        rate = self.settings.rate(number, self.settings.epochs * steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        pulse.beat(place := f"epoch {epoch}, step {step}")
        found = self.task.loss(called(self.model, x), x, y)
        own = 1 if found.ndim else len(index[rank::world])  # a number per example, or the mean over this device's
        # A device without a share still takes part, with weight 0: the gradient exchange waits for everybody.
        loss = found.sum() * (own * world / len(index) if rank < len(index) else 0.0)
        value = loss.item()
        if (penalty := self.task.penalty(self.bare)) is not None:
            loss = loss + penalty  # the same on every device, and the mean over devices is taken: it counts once
        if self.peers.any(not math.isfinite(value), place):  # all stop, or all go on to exchange gradients
            where = "" if not math.isfinite(value) else " on another device"
            raise OrbitscopeError(
                f"{self.task.verb}: the loss is {'not finite' if where else value}{where} at epoch {epoch}, step {step} (learning rate "
                f"{rate:.1e}, seed {self.seed}). The state after epoch {epoch - 1} is kept in {self.out}. Lower `learning_rate` or set "
                "`clip`."
            )
        with pulse.waiting(place, pulse.COMPUTES):
            self.fabric.backward(loss)
        if self.settings.clip:
            self.fabric.clip_gradients(self.model, self.optimiser, max_norm=self.settings.clip, error_if_nonfinite=False)
        self.optimiser.step()
        for layer in self.staged:
            layer.after_step((number + 1) / (self.settings.epochs * steps), self.stepper)
        return value

    @torch.no_grad()
    def measure(self, part: str, epoch: int) -> dict[str, Any]:
        """What the task measures on `part` after `epoch`, means over its examples. Raises `OrbitscopeError` where one is not finite."""
        examples, rank, world = self.parts[part], self.fabric.global_rank, self.fabric.world_size
        self.model.eval()
        sums = torch.zeros(self.task.measured, dtype=torch.float64)
        shares = [own for index in examples.ordered(self.settings.batch) if len(own := index[rank::world])]
        for number, (x, y) in enumerate(examples.read(shares), start=1):
            pulse.beat(f"the {part} error after epoch {epoch}, batch {number}")
            # The bare module: the data-parallel wrapper would wait for devices that have no share of this batch.
            with self.fabric.autocast():
                prediction = floats_to(called(self.bare, x), self.dtype)
            sums += self.task.errors(prediction, x, y).cpu()
        means = self.peers.sum(sums, f"the {part} error after epoch {epoch}") / len(examples)
        metrics = self.task.metrics(means, len(examples))
        if not all(math.isfinite(metrics[name]) for name in self.task.finite):
            raise OrbitscopeError(
                f"{self.task.verb}: the {part} loss is {metrics[self.task.criterion]} after epoch {epoch} (seed {self.seed}): the model "
                "gives NaN or infinity, or values too large to square, on examples that it was not trained on. What was saved before is "
                f"kept in {self.out}. Lower `learning_rate` or set `clip`."
            )
        return metrics

    def _main(self, write: Callable[[], None]) -> None:
        self.peers.decide(write, f"writing files after epoch {self.at.epoch}")

    def _save(self) -> None:
        """Weights first, then the state that a resume trusts, then the sidecar: a kill in between repeats the epoch, bit for bit."""
        last = self.at.history[-1]
        improved = last["validation"] < self.at.best
        if improved:
            self.at.best, self.at.best_epoch = last["validation"], self.at.epoch

        def write() -> None:
            if self.settings.keep == "all":
                write_weights(self._checkpoint(self.at.epoch), self.bare, self._metadata())
            if improved:
                write_weights(self.out / BEST, self.bare, self._metadata())
            write_weights(self.out / LAST, self.bare, self._metadata())
            write_state(self.out / STATE, self._state())
            write_json(self.out / SIDECAR, self._sidecar(None))

        self._main(write)

    def _state(self) -> dict[str, Any]:
        return {
            "epoch": self.at.epoch,
            "best": self.at.best,
            "best_epoch": self.at.best_epoch,
            "history": self.at.history,
            "model": self.bare.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def _resume(self) -> None:
        if not self.peers.decide(lambda: (self.out / STATE).exists(), "looking for a state to go on from"):
            return
        state = read_state(self.out / STATE)
        load_weights(self.bare, state["model"], str(self.out / STATE))
        with reading(self.out / STATE, "out", "Train again with force=True (--force)."):
            self._check_optimiser(state["optimiser"])
            self.optimiser.load_state_dict(state["optimiser"])
        self.at = _Progressed(state["epoch"], state["best"], state["best_epoch"], list(state["history"]))

    def _check_optimiser(self, state: dict[str, Any]) -> None:
        """Raise where the moments of a state are not those of this model's parameters; torch would take them, and fail in a step."""
        shapes = [p.shape for group in self.optimiser.param_groups for p in group["params"]]
        for index, moments in state["state"].items():
            for name in ("exp_avg", "exp_avg_sq"):
                if moments[name].shape != shapes[index]:
                    raise ValueError(f"{name} of parameter {index} has shape {list(moments[name].shape)}")
        fresh = self.optimiser.state_dict()["param_groups"]
        for mine, theirs in zip(fresh, state["param_groups"], strict=True):
            for name, value in mine.items():
                # The rate is set anew before every step; all others follow from the settings of the run, which are those it was begun with.
                same = isinstance(theirs[name], float) if name == "lr" else type(theirs[name]) is type(value) and theirs[name] == value
                if not same:
                    raise ValueError(f"its setting {name!r} is {theirs[name]!r} and not {value!r}")

    def _finish(self) -> dict[str, Any]:
        if not self.at.best_epoch:
            raise OrbitscopeError(
                f"{self.task.verb}: no epoch had a finite validation error. Lower `learning_rate`. The run is in {self.out}."
            )
        weights, _ = read_weights(self.out / BEST)
        load_weights(self.bare, weights, str(self.out / BEST))
        metrics = {part: self.measure(part, self.at.best_epoch) for part in self.parts if part != "train"}
        self._main(lambda: write_json(self.out / SIDECAR, self._sidecar(metrics)))
        return metrics

    def _checkpoint(self, epoch: int) -> Path:
        return self.out / "checkpoints" / f"epoch-{epoch:04d}.safetensors"

    def _metadata(self) -> Metadata:
        validation = self.at.history[-1]["validation"] if self.at.history else None
        return {"epoch": self.at.epoch, "seed": self.seed, f"validation_{self.task.criterion}": validation}

    def _sidecar(self, metrics: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "finished": metrics is not None,
            "epoch": self.at.epoch,
            "best_epoch": self.at.best_epoch,
            "metrics": metrics or {},
            "parameters": self.parameters,
            "seed": self.seed,
            **self.task.about(self.seed, self.bare),
            "versions": versions(),
            "history": self.at.history,
        }
