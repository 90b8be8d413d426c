"""What the study consists of: its settings, its runs, and where each of their files lies."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import Folder

import orbitscope as osc
from orbitscope.data import split_indices
from orbitscope.emulators import models

TITLES = {"rayleigh-benard": "Rayleigh-Benard", "heat": "Heat", "ocean": "Ocean currents", "sst": "Sea surface temperature"}
#: Data sets of one scalar; all others are velocities.
SCALARS = ("heat", "sst")
BACKBONES = {"resnet": "ResNet", "unet": "U-Net", "vit": "ViT", "fno": "FNO"}
SYMMETRIES = {"motion": "uniform motion", "magnitude": "magnitude", "rotation": "rotation", "scale": "scale"}
#: Test sets that a symmetry is meant for.
OWN = {"motion": ("motion",), "magnitude": ("magnitude",), "rotation": ("rotation",), "scale": ("scale 1/2", "scale 2")}
#: The scale factor of a test set.
FACTORS = {"scale 1/2": 1 / 2, "scale 2/3": 2 / 3, "original": 1.0, "scale 3/2": 3 / 2, "scale 2": 2.0}
#: Test sets in the order of the page.
TESTS = ("original", "translation", "rotation", "motion", "boost", "magnitude", "scale 1/2", "scale 2/3", "scale 3/2", "scale 2")
TESTS += ("future", "domain")
VARIANTS = ("plain", *(f"augmented {s}" for s in SYMMETRIES), *SYMMETRIES)
SHORT = {"plain": "plain"} | {f"augmented {s}": f"augmented, {w}" for s, w in SYMMETRIES.items()}
SHORT |= {"motion": "Equ-UM", "magnitude": "Equ-Mag", "rotation": "Equ-Rot", "scale": "Equ-Scale"}


@dataclass(frozen=True)
class Settings:
    """One TOML file. `data` by data set, `models` by backbone and kind; `files` are ocean files, which replace the simulations.

    `differences`: the networks are given the state and its differences, and go on with the last increment. `limited`: backbone -> the only
    variants that it is trained as. `complexity`: how many training windows (`sizes`), for which `backbones` and `seeds`.
    """

    name: str
    seeds: list[int]
    frames: int
    steps: int
    windows: int
    data: dict[str, dict[str, Any]]
    models: dict[str, dict[str, dict[str, Any]]]
    training: dict[str, Any]
    variants: list[str] = field(default_factory=lambda: list(VARIANTS))
    files: list[str] = field(default_factory=list)
    differences: bool = False
    limited: dict[str, list[str]] = field(default_factory=dict)
    complexity: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def datasets(self) -> list[str]:
        """The data sets, simulated or read."""
        return ["ocean"] if self.files else [name for name in self.data if name != "ocean"]

    @property
    def span(self) -> int:
        """States of a test window."""
        return self.frames + self.steps


@dataclass(frozen=True)
class Run:
    """One training and everything measured on it; `windows`: on so many training windows only, 0 for all."""

    dataset: str
    backbone: str
    variant: str
    seed: int
    windows: int = 0

    @property
    def key(self) -> str:
        few = f"-of-{self.windows}" * bool(self.windows)
        return f"{self.dataset}_{self.backbone}_{self.variant.replace(' ', '-')}{few}_{self.seed}"

    @property
    def label(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def kind(self) -> str:
        """Which architecture: an augmented network is the plain one."""
        return "plain" if self.variant.startswith("augmented") else self.variant


def runs(settings: Settings) -> list[Run]:
    """All runs, seed by seed, so that a study that is cut short has fewer seeds and not fewer experiments."""
    known = set(models())
    found = []
    for seed in settings.seeds:
        for dataset in settings.datasets:
            chosen = settings.data[dataset].get("variants", settings.variants)
            for backbone, kinds in settings.models.items():
                for variant in [v for v in chosen if v in settings.limited.get(backbone, chosen)]:
                    run = Run(dataset, backbone, variant, seed)
                    if run.kind in kinds and kinds[run.kind]["model"] in known:
                        found.append(run)
    few = settings.complexity
    for run in list(found) if few else []:
        if (
            run.seed in few["seeds"]
            and run.backbone in few["backbones"]
            and run.variant in few["variants"]
            and run.dataset in few["datasets"]
        ):
            found += [replace(run, windows=count) for count in few["sizes"]]
    last = max((settings.seeds.index(seed) for seed in few.get("seeds", [])), default=0)
    # Fewer windows come after the seeds that they are compared with, before further seeds.
    return sorted(found, key=lambda run: last + 0.5 if run.windows else settings.seeds.index(run.seed))


class Place(Folder):
    """The folder of the study: data/<data set>/<set>.nc, runs/, cases/."""

    settings: Settings

    def set_file(self, dataset: str, name: str) -> Path:
        return self.out / "data" / dataset / f"{name.replace(' ', '_').replace('/', '-')}.nc"

    def sets(self, dataset: str, name: str) -> osc.Trajectories:
        """The windows of a set, in memory."""
        return osc.load(self.set_file(dataset, name)).load()

    def has(self, dataset: str, name: str) -> bool:
        return self.set_file(dataset, name).exists()

    def run_folder(self, run: Run) -> Path:
        return self.out / "runs" / run.key


def train_config(settings: Settings, run: Run, windows: tuple[int, int], epochs: int) -> osc.TrainConfig:
    """`windows`: how many train and how many validate. All kinds see the same number of transitions at the same rate."""
    chosen = settings.models[run.backbone][run.kind]
    total = sum(windows)
    options = {k: v for k, v in settings.training.items() if k not in ("epochs", "copies", "augment")}
    # Equ-Scale takes the differences of the frames itself: the same is seen by all.
    options["differences"] = settings.differences and run.kind != "scale"
    if "learning_rate" in chosen:
        options["learning_rate"] = chosen["learning_rate"]
    return osc.TrainConfig(
        model=chosen["model"], preset="small", overrides=chosen.get("overrides", {}), epochs=epochs, seeds=(run.seed,),
        augment=settings.training["augment"] if run.variant == "augmented rotation" else None, frames=settings.frames,
        split=(windows[0] / total, windows[1] / total, 0.0), **options,
    )  # fmt: skip


def together(training: osc.Trajectories, validation: osc.Trajectories) -> osc.Trajectories:
    """One data set in the order in which `train` splits it again: its random split by trajectory gives back these two parts."""
    sizes = (len(training), len(validation))
    total = sum(sizes)
    parts = split_indices(total, (sizes[0] / total, sizes[1] / total, 0.0))
    if tuple(len(p) for p in parts[:2]) != sizes:
        raise osc.OrbitscopeError(f"together: a split into {sizes} came out as {[len(p) for p in parts]}.")
    values = torch.empty(total, *training.shape[1:])
    for part, source in zip(parts, (training, validation), strict=False):
        values[torch.from_numpy(np.asarray(part))] = source.tensor(torch.float32)
    return training.replace(values=values)
