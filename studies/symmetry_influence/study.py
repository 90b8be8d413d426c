"""What the study consists of: its settings, its data, its runs, and where each of their files lies."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import Folder

import orbitscope as osc

CLASSES = {"navier-stokes": ("brownian", "gauss", "sines"), "euler": ("riemann", "curved", "uncertain")}
SWAPPED = "navier-stokes-swapped"
DATASETS = ("navier-stokes", SWAPPED, "euler")
TITLES = {"navier-stokes": "Navier-Stokes", SWAPPED: "Navier-Stokes, components swapped", "euler": "Euler"}
MODELS = {"unet": "UNet", "vit": "ViT", "small": "small UNet"}
SCHEDULES = {"constant": "constant rate", "cosine": "annealed rate"}
SPLIT = (0.6, 0.1, 0.3)
V4 = ("e", "r2", "sr", "sr3")


@dataclass(frozen=True)
class Settings:
    """One TOML file. `checkpoints` are parts of the epochs, from 0 (untrained) to 1.

    A model may have `schedules` of its own, and `extra` may hold `swapped_schedules`, where not every one is worth its time.
    """

    name: str
    data: dict[str, int]
    models: dict[str, dict[str, Any]]
    schedules: list[str]
    main_schedule: str
    swapped_models: list[str]
    seeds: list[int]
    checkpoints: list[float]
    small_model: dict[str, Any]
    small_model_data: list[str]
    probe: dict[str, Any]
    batch: int = 32
    device: str = "cpu"
    extra: dict[str, Any] = field(default_factory=dict)

    def epochs_at(self, epochs: int) -> list[int]:
        """The epochs whose weights are probed."""
        return sorted({round(c * epochs) for c in self.checkpoints})


@dataclass(frozen=True)
class Run:
    """One training and everything measured on it."""

    dataset: str
    model: str
    schedule: str
    seed: int

    @property
    def key(self) -> str:
        return f"{self.dataset}_{self.model}_{self.schedule}_{self.seed}"

    @property
    def label(self) -> dict[str, Any]:
        return asdict(self)


def runs(settings: Settings) -> list[Run]:
    """All runs, seed by seed, so that a study that is cut short has fewer seeds and not fewer experiments."""
    found = []
    for n, seed in enumerate(settings.seeds):
        for dataset in DATASETS:
            for model in settings.swapped_models if dataset == SWAPPED else settings.models:
                schedules = settings.models[model].get("schedules", settings.schedules)
                if dataset == SWAPPED:
                    schedules = [name for name in schedules if name in settings.extra.get("swapped_schedules", schedules)]
                found += [Run(dataset, model, schedule, seed) for schedule in schedules]
        if n == 0:
            found += [Run(dataset, "small", settings.main_schedule, seed) for dataset in settings.small_model_data]
    return found


class Place(Folder):
    """The folder of the study: data/, runs/, cases/."""

    settings: Settings

    def data_file(self, family: str, law: str) -> Path:
        return self.out / "data" / f"{family}.{law}.nc"

    def run_folder(self, run: Run) -> Path:
        return self.out / "runs" / run.key

    def dataset(self, name: str) -> osc.Trajectories:
        """The three classes of a family in one: trajectory i belongs to class i // per_class."""
        family = "navier-stokes" if name == SWAPPED else name
        parts = [osc.load(self.data_file(family, law)) for law in CLASSES[family]]
        whole = parts[0].replace(
            values=torch.cat([p.tensor() for p in parts]),
            provenance={"equation": parts[0].provenance["equation"], "parameters": parts[0].provenance.get("parameters", {})},
        )
        return whole.swap_components() if name == SWAPPED else whole

    def tested(self, data: osc.Trajectories, test: list[int], each: int) -> tuple[osc.Trajectories, list[str]]:
        """`each` test trajectories of every class (fewer where the split has fewer), and the class of each."""
        family = "euler" if "density" in {f.name for f in data.layout.fields} else "navier-stokes"
        picked, names = [], []
        for k, law in enumerate(CLASSES[family]):
            mine = [i for i in test if i // self.settings.data["per_class"] == k][:each]
            picked += mine
            names += [law] * len(mine)
        return data[np.array(picked)], names


def train_config(settings: Settings, run: Run) -> osc.TrainConfig:
    """Same peak rate, same split, same batches for both schedules: only the rate differs."""
    options = settings.small_model if run.model == "small" else settings.models[run.model]
    return osc.TrainConfig(
        model="unet" if run.model == "small" else run.model, preset=options.get("preset", "small"), overrides=options.get("overrides", {}),
        epochs=options["epochs"], learning_rate=options["learning_rate"], batch=settings.batch, schedule=run.schedule,  # pyright: ignore[reportArgumentType]
        seeds=(run.seed,), split=SPLIT, keep="all", device=settings.device,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
