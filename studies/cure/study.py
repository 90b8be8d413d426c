"""What the study consists of: its settings, its treatments, its runs, and where each of their files lies."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import Folder
from models import FRAMED, GROUP

import orbitscope as osc

NETWORKS = {"unet": "UNet", "vit": "ViT"}


@dataclass(frozen=True)
class Treatment:
    """One way to deal with a network that fails on an element.

    `how` completes "To mend it, ..." in a report; `strict`: commutes by construction, whatever the weights; `trained`: a training of its
    own, otherwise the plain run's weights are used again.
    """

    title: str
    how: str
    strict: bool = False
    trained: bool = True


TREATMENTS = {
    "plain": Treatment("plain", "leave it as it is"),
    "more": Treatment("more data of the same kind", "simulate more data of the same kind"),
    "augmented": Treatment("augmentation", "augment with the group (TrainConfig.augment)"),
    "framed": Treatment("frame averaging in training", "put it into orbitscope.nn.FrameAveraged with one frame", strict=True),
    "averaging": Treatment("group averaging in training", "put it into orbitscope.symmetrize", strict=True),
    "strict": Treatment("strict: equivariant_unet", "take an equivariant_unet", strict=True),
    "relaxed": Treatment("relaxed, penalty by validation: relaxed_unet", "take a relaxed_unet with a penalty chosen by validation"),
    "free": Treatment("relaxed, no penalty: relaxed_unet", "take a relaxed_unet without penalty"),
    "averaged": Treatment("group averaging afterwards", "average it over the group (orbitscope.symmetrize)", strict=True, trained=False),
    "framed_after": Treatment(
        "frame averaging afterwards", "put it into orbitscope.nn.FrameAveraged with one frame", strict=True, trained=False
    ),
}
AFTER = tuple(name for name, t in TREATMENTS.items() if not t.trained)


@dataclass(frozen=True)
class Settings:
    """One TOML file. Trajectories: `train` of them in a training, `more` in that of the control, the first `train` among them.

    `models[network]` has epochs (of the smaller set; the control makes the same number of steps), learning_rate, overrides, treatments,
    `reach`: the validation error, in parts of persistence's, whose first reaching measures the speed. `alphas`: weights of the penalty
    on leaving the symmetry, of which validation chooses one. `unseen`: what a training is watched on.
    """

    name: str
    data: dict[str, Any]
    models: dict[str, dict[str, Any]]
    strict: dict[str, Any]
    alphas: list[float]
    seeds: list[int]
    probe: dict[str, Any]
    batch: int = 32
    unseen: str = "r"
    device: str = "cpu"

    def steps(self, network: str) -> int:
        """Steps of every training of a network."""
        return self.models[network]["epochs"] * self.steps_per_epoch("plain")

    def steps_per_epoch(self, treatment: str) -> int:
        transitions = self.data["more" if treatment == "more" else "train"] * (self.data["frames"] - 1)
        return -(-transitions // self.batch)


@dataclass(frozen=True)
class Run:
    """One training and everything measured on it."""

    network: str
    treatment: str
    seed: int

    @property
    def key(self) -> str:
        return f"{self.network}_{self.treatment}_{self.seed}"

    @property
    def label(self) -> dict[str, Any]:
        return asdict(self)


def runs(settings: Settings) -> list[Run]:
    """All trainings, seed by seed, so that a study that is cut short has fewer seeds and not fewer treatments."""
    return [Run(net, t, seed) for seed in settings.seeds for net, options in settings.models.items() for t in options["treatments"]]


class Place(Folder):
    """The folder of the study: data/, runs/, cases/."""

    settings: Settings

    def data_file(self, part: str, seed: int | None = None) -> Path:
        return self.out / "data" / (f"{part}.nc" if seed is None else f"{part}-{seed}.nc")

    def run_folder(self, run: Run, alpha: float | None = None) -> Path:
        return self.out / "runs" / (run.key if alpha is None else f"{run.key}_{alpha:g}")

    def trained(self, run: Run) -> Path:
        """The folder of a finished training; of several, of that which validation chose."""
        case = json.loads(self.case_file(run.key, "training").read_text(encoding="utf-8"))
        return self.run_folder(run, case["tables"]["runs"][0]["alpha"])

    def training_data(self, seed: int, treatment: str) -> osc.Trajectories:
        """Drawn anew with every seed; the smaller set is the beginning of the larger one."""
        whole = osc.load(self.data_file("train", seed))
        return whole if treatment == "more" else whole[np.arange(self.settings.data["train"])]


def penalties(settings: Settings, run: Run) -> list[float | None]:
    """The weights of the penalty that a treatment tries; None where there is none to weigh."""
    return list(settings.alphas) if run.treatment == "relaxed" else [0.0 if run.treatment == "free" else None]


def train_config(settings: Settings, run: Run, alpha: float | None = None) -> osc.TrainConfig:
    """Same number of steps, same batch size, same constant rate for all treatments of a network."""
    options, each = settings.models[run.network], settings.steps_per_epoch(run.treatment)
    model, overrides = run.network, dict(options.get("overrides", {}))
    if run.treatment in FRAMED:
        model = f"{run.treatment}_{run.network}"
    elif run.treatment in ("strict", "relaxed", "free"):
        model = "equivariant_unet" if run.treatment == "strict" else "relaxed_unet"
        overrides = {**settings.strict, "group": GROUP}
    return osc.TrainConfig(
        model=model, preset=options.get("preset", "small"), overrides=overrides, epochs=max(1, settings.steps(run.network) // each),
        learning_rate=options["learning_rate"], batch=settings.batch, schedule="constant", seeds=(run.seed,), split=(1.0, 0.0, 0.0),
        augment=GROUP if run.treatment == "augmented" else None, relaxation=alpha, device=settings.device,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
