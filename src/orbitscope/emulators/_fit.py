"""The training loop of one seed."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..nn import relaxation_penalty
from . import _files as files
from . import _pulse as pulse
from ._loss import relative_l2, smse
from ._peers import Peers
from ._prepare import PARTS, Prepared, Transitions
from ._progress import TrainProgress
from ._seed import derive
from ._trainable import channels_last, check_trainable, versions

if TYPE_CHECKING:
    from lightning_fabric import Fabric

FORMAT = 1
OnEpoch = Callable[[int, int, nn.Module], None]
"""(seed, epoch, model) after every epoch, and before the first with epoch 0."""


@dataclass
class _Progressed:
    """What changes from epoch to epoch beside weights and optimiser."""

    epoch: int = 0
    best: float = float("inf")
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


class _Unrolled(nn.Module):
    """An emulator fed with its own predictions: [B, frames C, X, Y] -> [B, steps C, X, Y], the steps one after the other."""

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


class Trainer:
    """One seed of a training: steps, checkpoints, exact resume. All randomness comes from (seed, purpose, epoch), none is carried over."""

    def __init__(
        self,
        fabric: "Fabric",
        prepared: Prepared,
        seed: int,
        out: Path,
        report: Callable[[TrainProgress], None],
        on_epoch: "OnEpoch | None" = None,
    ) -> None:
        self.fabric, self.prepared, self.config, self.seed, self.out, self.report = fabric, prepared, prepared.config, seed, out, report
        self.on_epoch, self.peers = on_epoch, Peers(fabric)
        config = self.config
        self.emulator = channels_last(prepared.model(seed))
        self.parameters = sum(p.numel() for p in self.emulator.parameters())
        if not self.parameters:
            raise OrbitscopeError(f"train: the model {config.model!r} has no parameters; there is nothing to train.")
        optimiser = torch.optim.AdamW(self.emulator.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
        self.model, self.optimiser = fabric.setup(
            _Unrolled(self.emulator, config.rollout) if config.rollout > 1 else self.emulator, optimiser
        )
        dtype = torch.float64 if config.precision == "64" else torch.float32
        limit = config.in_memory_gib * 2**30
        self.parts = {
            part: Transitions(
                prepared.data, prepared.split[part], dtype, fabric.device, limit, config.frames, config.rollout if part == "train" else 1
            )
            for part in PARTS
            if prepared.split[part]
        }
        self.at = _Progressed()

    def run(self, writer: Any = None) -> None:
        """Train to the last epoch from wherever the folder stands, then measure on the test split."""
        check_trainable(self.emulator)
        self._resume()
        self._main(self._introduce)
        if self.at.epoch == 0 and self.config.keep == "all":
            self._main(lambda: files.write_weights(self._checkpoint(0), self.emulator, self._metadata()))
        if self.at.epoch == 0:
            self._show()
        for epoch in range(self.at.epoch + 1, self.config.epochs + 1):
            last = self._epoch(epoch)
            self._save()
            self._show()
            if writer is not None:
                self._log(writer)
            self.report(last)
        self._finish()

    def _introduce(self) -> None:
        """A folder with anything of a run in it always says which run."""
        if not (self.out / files.SIDECAR).exists():
            files.write_json(self.out / files.SIDECAR, self._sidecar(None))

    def _show(self) -> None:
        """Let the caller look at the model, in evaluation mode and with random numbers of its own: training goes on as if it had not."""
        if self.on_epoch is None or not self.fabric.is_global_zero:
            return
        self.emulator.eval()
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            self.on_epoch(self.seed, self.at.epoch, self.emulator)
        self.optimiser.zero_grad()

    def _epoch(self, epoch: int) -> TrainProgress:
        started, training = time.perf_counter(), self.parts["train"]
        batches = training.shuffled(self.seed, epoch, self.config.batch)
        steps, total = len(batches), 0.0
        self.model.train()
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(derive(self.seed, "noise", epoch * 4096 + self.fabric.global_rank))  # for models with dropout
            read = training.read([self._share(index) for index in batches])
            for step, (index, (x, y)) in enumerate(zip(batches, read, strict=True), start=1):
                if (augmentation := self.prepared.augmentation) is not None:
                    # Drawn for the whole batch, so that the elements do not depend on the number of devices.
                    x, y = augmentation(self._share(augmentation.draw(len(index), self.seed, epoch, step)), x, y)
                loss = self._step(index, x, y, (epoch - 1) * steps + step - 1, steps, epoch, step)
                total += loss * len(index)
                if step < steps:
                    self.report(TrainProgress(self.seed, epoch, self.config.epochs, step, steps, loss, None, time.perf_counter() - started))
        share = torch.tensor([total / len(training)], dtype=torch.float64)
        mean = self.peers.sum(share, f"epoch {epoch}, its loss")[0].item() / self.fabric.world_size
        validation = self.measure("validation", epoch)["smse"] if "validation" in self.parts else mean
        seconds = time.perf_counter() - started
        rate = self.config.rate(epoch * steps - 1, self.config.epochs * steps)
        self.at.epoch = epoch
        self.at.history.append({"epoch": epoch, "train": mean, "validation": validation, "learning_rate": rate, "seconds": seconds})
        if self.config.relaxation is not None:
            self.at.history[-1]["relaxation"] = relaxation_penalty(self.emulator).item()
        return TrainProgress(self.seed, epoch, self.config.epochs, steps, steps, mean, validation, seconds)

    def _share(self, index: Tensor) -> Tensor:
        """This device's part of a batch; one transition, to be weighted with 0, where there are fewer than devices."""
        own = index[self.fabric.global_rank :: self.fabric.world_size]
        return own if len(own) else index[:1]

    def _step(self, index: Tensor, x: Tensor, y: Tensor, number: int, steps: int, epoch: int, step: int) -> float:
        """One update; the mean over the whole batch whatever the number of devices. Returns this device's share of the loss."""
        rank, world = self.fabric.global_rank, self.fabric.world_size
        rate = self.config.rate(number, self.config.epochs * steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        pulse.beat(place := f"epoch {epoch}, step {step}")
        errors = smse(self.model(x), y, "none")  # several steps are so many more channels: their mean
        # A device without a share still takes part, with weight 0: the gradient exchange waits for everybody.
        loss = errors.sum() * (world / len(index) if rank < len(index) else 0.0)
        value = loss.item()
        if self.config.relaxation is not None:
            # The same on every device, and the mean over devices is taken: it counts once.
            loss = loss + relaxation_penalty(self.emulator, self.config.relaxation)
        if self.peers.any(not math.isfinite(value), place):  # all stop, or all go on to exchange gradients
            where = "" if not math.isfinite(value) else " on another device"
            raise OrbitscopeError(
                f"train: the loss is {'not finite' if where else value}{where} at epoch {epoch}, step {step} (learning rate {rate:.1e}, "
                f"seed {self.seed}). The state after epoch {epoch - 1} is kept in {self.out}. Lower `learning_rate` or set `clip`."
            )
        with pulse.waiting(place, pulse.COMPUTES):
            self.fabric.backward(loss)
        if self.config.clip:
            self.fabric.clip_gradients(self.model, self.optimiser, max_norm=self.config.clip, error_if_nonfinite=False)
        self.optimiser.step()
        return value

    @torch.no_grad()
    def measure(self, part: str, epoch: int) -> dict[str, Any]:
        """SMSE and relative L2 of one step on a split, and those of persistence (prediction = input), each the mean over transitions.

        A relative L2 that does not exist, because a target is 0 throughout, is None. Raises where an SMSE is not finite.
        """
        transitions, rank, world = self.parts[part], self.fabric.global_rank, self.fabric.world_size
        self.model.eval()
        sums = torch.zeros(4, self.prepared.data.channels, dtype=torch.float64)
        shares = [own for index in transitions.ordered(self.config.batch) if len(own := index[rank::world])]
        for number, (x, y) in enumerate(transitions.read(shares), start=1):
            pulse.beat(f"the {part} error after epoch {epoch}, batch {number}")
            last = x[:, -self.prepared.data.channels :]
            # The bare module: the data-parallel wrapper would wait for devices that have no share of this batch.
            with self.fabric.autocast():
                prediction = self.emulator(x).to(y.dtype)
            rows = (smse(prediction, y, "channel"), smse(last, y, "channel"), relative_l2(prediction, y), relative_l2(last, y))
            sums += torch.stack([r.double().sum(0) for r in rows]).cpu()
        means = self.peers.sum(sums, f"the {part} error after epoch {epoch}") / len(transitions)
        if not means[:2].isfinite().all():
            raise OrbitscopeError(
                f"train: the {part} loss is {means[0].mean().item()} after epoch {epoch} (seed {self.seed}): the model gives NaN or "
                f"infinity, or values too large to square, on states that it was not trained on. What was saved before is kept in "
                f"{self.out}. Lower `learning_rate` or set `clip`."
            )
        return {
            "smse": means[0].mean().item(),
            "smse_persistence": means[1].mean().item(),
            "smse_per_channel": means[0].tolist(),
            "smse_persistence_per_channel": means[1].tolist(),
            "relative_l2_per_channel": _where_finite(means[2]),
            "relative_l2_persistence_per_channel": _where_finite(means[3]),
            "transitions": len(transitions),
        }

    def _main(self, write: Callable[[], None]) -> None:
        self.peers.decide(write, f"writing files after epoch {self.at.epoch}")

    def _save(self) -> None:
        """Weights first, then the state that a resume trusts, then the sidecar: a kill in between repeats the epoch, bit for bit."""
        last = self.at.history[-1]
        improved = last["validation"] < self.at.best
        if improved:
            self.at.best, self.at.best_epoch = last["validation"], self.at.epoch

        def write() -> None:
            if self.config.keep == "all":
                files.write_weights(self._checkpoint(self.at.epoch), self.emulator, self._metadata())
            if improved:
                files.write_weights(self.out / files.BEST, self.emulator, self._metadata())
            files.write_weights(self.out / files.LAST, self.emulator, self._metadata())
            files.write_state(self.out / files.STATE, self._state())
            files.write_json(self.out / files.SIDECAR, self._sidecar(None))

        self._main(write)

    def _state(self) -> dict[str, Any]:
        return {
            "epoch": self.at.epoch,
            "best": self.at.best,
            "best_epoch": self.at.best_epoch,
            "history": self.at.history,
            "model": self.emulator.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def _resume(self) -> None:
        if not self.peers.decide(lambda: (self.out / files.STATE).exists(), "looking for a state to go on from"):
            return
        state = files.read_state(self.out / files.STATE)
        files.load_weights(self.emulator, state["model"], str(self.out / files.STATE))
        self.optimiser.load_state_dict(state["optimiser"])
        self.at = _Progressed(state["epoch"], state["best"], state["best_epoch"], list(state["history"]))

    def _finish(self) -> None:
        if not self.at.best_epoch:
            raise OrbitscopeError(f"train: no epoch had a finite validation error. Lower `learning_rate`. The run is in {self.out}.")
        weights, _ = files.read_weights(self.out / files.BEST)
        files.load_weights(self.emulator, weights, str(self.out / files.BEST))
        metrics = {part: self.measure(part, self.at.best_epoch) for part in self.parts if part != "train"}
        self._main(lambda: files.write_json(self.out / files.SIDECAR, self._sidecar(metrics)))

    def _checkpoint(self, epoch: int) -> Path:
        return self.out / "checkpoints" / f"epoch-{epoch:04d}.safetensors"

    def _metadata(self) -> files.Metadata:
        validation = self.at.history[-1]["validation"] if self.at.history else None
        return {"epoch": self.at.epoch, "seed": self.seed, "validation_smse": validation}

    def _sidecar(self, metrics: dict[str, Any] | None) -> dict[str, Any]:
        data = self.prepared.data
        return {
            "format": FORMAT,
            "finished": metrics is not None,
            "epoch": self.at.epoch,
            "best_epoch": self.at.best_epoch,
            "metrics": metrics or {},
            "parameters": self.parameters,
            "seed": self.seed,
            "config": self.config.replace(seeds=(self.seed,)).to_dict(),
            "layout": data.layout.to_dict(),
            "grid": data.grid.to_dict(),
            "dt": data.dt,
            "normalisation": self.emulator.normalisation(),
            "split": self.prepared.split,
            "data": {"fingerprint": self.prepared.fingerprint, "shape": list(data.shape), "provenance": files.plain(data.provenance)},
            "versions": versions(),
            "history": self.at.history,
        }

    def _log(self, writer: Any) -> None:
        for name, value in self.at.history[-1].items():
            if name != "epoch":
                writer.add_scalar(name, value, self.at.epoch)
        writer.flush()


def _where_finite(values: Tensor) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]
