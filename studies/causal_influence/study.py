"""What the study consists of: its settings, its runs, its subsets of elements, and where each of their files lies."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import Folder

import orbitscope as osc

GROUP = "d4"
ELEMENTS = tuple(g.name for g in osc.parse_group(GROUP))
NETWORKS = {"resnet": "ResNet", "vit": "ViT", "unet": "UNet"}
FAMILIES = {"navier-stokes": "Navier-Stokes", "euler": "Euler"}
PHASES = ("early", "late")
OPTIMISERS = {"sgd": "SGD", "fresh": "fresh Adam", "kept": "Adam, kept moments"}


@dataclass(frozen=True)
class Settings:
    """One TOML file.

    `families[family]`: a scenario. `cells`: pairs (family, network), the most important first. `models[network]`: learning_rate, overrides.
    `epochs`: of the training on the originals; `early`: the epoch of the early checkpoint. Trainings on more have as many steps.
    `triples`: how many random sets of three elements, beside the single ones, are trained on from scratch. `tune`: batch and rate of the
    fine-tuning, `steps` after which it is looked at, `fall`: what one step of SGD takes away of a loss, to first order, at the most;
    `optimisers`: all where nothing is said.
    `probe`: trajectories and times.
    """

    name: str
    data: dict[str, Any]
    families: dict[str, str]
    cells: list[list[str]]
    models: dict[str, dict[str, Any]]
    seeds: list[int]
    epochs: int
    early: int
    triples: int
    tune: dict[str, Any]
    probe: dict[str, Any]
    batch: int = 8


@dataclass(frozen=True)
class Run:
    """One family, one network, one seed: all trainings on it and everything measured."""

    family: str
    network: str
    seed: int

    @property
    def key(self) -> str:
        return f"{self.family}_{self.network}_{self.seed}"

    @property
    def label(self) -> dict[str, Any]:
        return asdict(self)


def runs(settings: Settings) -> list[Run]:
    """All runs, seed by seed, so that a study that is cut short has fewer seeds and not fewer networks."""
    return [Run(family, network, seed) for seed in settings.seeds for family, network in settings.cells]


def jobs(settings: Settings) -> list[tuple[Run, bool]]:
    """All runs with what matters most, then what is left of each."""
    return [(run, rest) for rest in (False, True) for run in runs(settings)]


def subsets(settings: Settings, run: Run) -> list[tuple[str, ...]]:
    """Every element by itself, then random sets of three; drawn by the seed."""
    rng, others = np.random.default_rng([run.seed, 0xCA]), ELEMENTS[1:]
    found: list[tuple[str, ...]] = [(g,) for g in others]
    while len(found) < len(others) + settings.triples:
        drawn = tuple(others[k] for k in sorted(rng.choice(len(others), 3, replace=False)))
        if drawn not in found:
            found.append(drawn)
    return found


def owner(table: str, row: dict[str, Any]) -> tuple[str, str]:
    """Key and experiment of the case that a row of a table of results came from."""
    key = Run(row["family"], row["network"], row["seed"]).key
    if table == "cost":
        return key, row["case"]
    if table == "tuned":
        return key, f"tuned-{row['phase']}-{row['optimiser']}"
    return key, "retrained-" + row["added"].replace(" ", "-") if table == "retrained" else "base"


class Place(Folder):
    """The folder of the study: data/, runs/, cases/."""

    settings: Settings

    def data_file(self, family: str, seed: int | None = None) -> Path:
        return self.out / "data" / (f"{family}-test.nc" if seed is None else f"{family}-train-{seed}.nc")

    def run_folder(self, run: Run, what: str) -> Path:
        return self.out / "runs" / run.key / what


def with_copies(data: osc.Trajectories, elements: tuple[str, ...]) -> osc.Trajectories:
    """The trajectories, and behind them their copies under each of the elements."""
    values, action, group = data.tensor(), osc.GridAction(data.layout, data.grid), osc.parse_group(GROUP)
    flat = values.flatten(0, 1)
    copies = [action(group[g], flat).unflatten(0, values.shape[:2]) for g in elements]
    return osc.Trajectories(torch.cat([values, *copies]), data.layout, data.grid, dt=data.dt, provenance=data.provenance)


def train_config(settings: Settings, run: Run, copies: int = 0, early: bool = False) -> osc.TrainConfig:
    """As many steps whatever is in the training set; constant rate without warm-up, so that the early training begins the late one."""
    options, epochs = settings.models[run.network], settings.early if early else settings.epochs
    return osc.TrainConfig(
        model=run.network, preset=options.get("preset", "small"), overrides=dict(options.get("overrides", {})),
        epochs=max(1, epochs // (1 + copies)), batch=settings.batch, learning_rate=options["learning_rate"], schedule="constant",
        warmup=0.0, seeds=(run.seed,), split=(1.0, 0.0, 0.0), device="cpu",
    )  # fmt: skip
