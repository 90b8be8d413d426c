"""What the study consists of: its settings, its data, its runs, and where each of their files lies."""

from dataclasses import asdict, dataclass, field
from itertools import zip_longest
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

    A model may have `schedules` of its own, and under `families` other options for one family of data; `extra` may hold
    `swapped_schedules`, where not every one is worth its time. `units`: of states and loss (`TrainConfig.units`): the classes of a family
    differ 60-fold in energy, and in one unit for all only the largest is learnt. `datasets`, `experiments`: those that there are at all.
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
    units: str = "state"
    datasets: list[str] = field(default_factory=lambda: list(DATASETS))
    experiments: list[str] = field(default_factory=list)
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
    """All runs: the main rate of every seed, then the other rates, then the small models."""
    found = []
    for schedule in sorted(settings.schedules, key=lambda name: name != settings.main_schedule):
        for seed in settings.seeds:
            for dataset in settings.datasets:
                for model in settings.swapped_models if dataset == SWAPPED else settings.models:
                    asked = settings.models[model].get("schedules", settings.schedules)
                    if dataset == SWAPPED:
                        asked = [name for name in asked if name in settings.extra.get("swapped_schedules", asked)]
                    found += [Run(dataset, model, schedule, seed)] * (schedule in asked)
    return [*found, *(Run(name, "small", settings.main_schedule, settings.seeds[0]) for name in settings.small_model_data)]


TABLES = {
    "history": ("history", "runs"), "skill": ("skill",), "d4": ("d4", "damping", "matrix"), "times": ("lag", "classes", "rollout"),
    "epochs": ("epochs",), "translations": ("shift_error", "shift_coherence", "shift_period"), "losses": ("losses",), "steps": ("steps",),
    "metrics": ("metrics",),
}  # fmt: skip
"""The tables that an experiment fills; `basin` has rows of the experiment of that name and of `seeds`."""


def owner(table: str, row: dict[str, Any]) -> tuple[str, str]:
    """Key and experiment of the case that a row of a table of results came from."""
    if table == "audit":
        return f"audit_{row['dataset']}", "audit"
    key = Run(row["dataset"], row["model"], row["schedule"], row["seed"]).key
    if table == "basin":
        return key, "seeds" if row["kind"] == "seeds" else "basin"
    return key, next(name for name, tables in TABLES.items() if table in tables)


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
        """`each` test trajectories of every class (fewer where the split has fewer), one of each class in turn, and the class of each."""
        family = "euler" if "density" in {f.name for f in data.layout.fields} else "navier-stokes"
        mine = [[i for i in test if self.class_of(i) == k][:each] for k in range(len(CLASSES[family]))]
        picked = [i for turn in zip_longest(*mine) for i in turn if i is not None]
        return data[np.array(picked)], [CLASSES[family][self.class_of(i)] for i in picked]

    def class_of(self, trajectory: int) -> int:
        """The class of initial conditions that a trajectory of `dataset` belongs to."""
        return trajectory // self.settings.data["per_class"]


def train_config(settings: Settings, run: Run) -> osc.TrainConfig:
    """Same peak rate, same split, same batches for both schedules: only the rate differs. A seed decides weights, order and split.

    A model, or a family of it, may have a `batch` of its own.
    """
    options = settings.small_model if run.model == "small" else settings.models[run.model]
    family = "navier-stokes" if run.dataset == SWAPPED else run.dataset
    options = options | options.get("families", {}).get(family, {})
    return osc.TrainConfig(
        model="unet" if run.model == "small" else run.model, preset=options.get("preset", "small"), overrides=options.get("overrides", {}),
        epochs=options["epochs"], learning_rate=options["learning_rate"], batch=options.get("batch", settings.batch), schedule=run.schedule,  # pyright: ignore[reportArgumentType]
        seeds=(run.seed,), split=SPLIT, split_seed=run.seed, units=settings.units, keep="all", device=settings.device,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
