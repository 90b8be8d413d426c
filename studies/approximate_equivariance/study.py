"""What the study consists of: its settings, its runs, and where each of their files lies."""

import hashlib
import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness import Folder

import orbitscope as osc

DATA = {
    "ramp": "sides 1 : 1+m : 1+2m : 1+3m",
    "one": "one side stronger",
    "axis": "bottom and top stronger",
    "rotation": "smoke-R",
    "translation": "smoke-T",
    "scale": "smoke-S",
}
MODELS = {
    "plain": "plain",
    "strict": "strict",
    "single": "strict, one kernel a layer",
    "group": "relaxed by element",
    "steerable": "relaxed by cell",
    "translation": "relaxed by place",
    "residual": "residual pathway",
}
RELAXED = ("group", "steerable", "translation", "residual")
PAST = 2  # states before the first one of the window, stored for the forecasts that cost nothing


@dataclass(frozen=True)
class Settings:
    """One TOML file.

    `dt`: time between stored states, {rounds, rotation, translation, scale}. `window`: `first` stored time (in units of dt), `train`
    transitions per trajectory, `rollout` steps of a forecast. `models` are those of the rotation sets; `others` those of the translation
    and scale sets, as {data: {model: options}}; `alphas` of a relaxed one are the weights of the penalty between which validation chooses.
    `plan`: blocks {data, levels, models, alphas, group, seeds, last}, where `alphas` are measured beside those and never chosen, `seeds`
    are in place of those of the study, and `last` ones are for the end. `train.epochs_<data>` is for one data set.
    """

    name: str
    resolution: int
    dt: dict[str, float]
    seeds: list[int]
    window: dict[str, int]
    rounds: dict[str, int]
    initial: dict[str, float]
    train: dict[str, Any]
    models: dict[str, dict[str, Any]]
    others: dict[str, dict[str, dict[str, Any]]]
    plan: list[dict[str, Any]]
    probe: dict[str, int]
    device: str = "cpu"

    def time_step(self, data: str) -> float:
        """Time between two stored states."""
        return self.dt.get(data, self.dt["rounds"])

    def options(self, data: str, model: str) -> dict[str, Any]:
        """Name of the emulator, its options, and alphas (none: nothing to relax)."""
        return self.others.get(data, self.models)[model]


@dataclass(frozen=True)
class DataSet:
    """One set: which plumes, how much their symmetry is broken, which puffs."""

    data: str
    level: float
    seed: int

    @property
    def key(self) -> str:
        return f"{self.data}_{self.level:g}_{self.seed}"


@dataclass(frozen=True)
class Run:
    """One training and everything measured on it."""

    data: str
    level: float
    model: str
    alpha: float | None
    group: str
    seed: int

    @property
    def key(self) -> str:
        alpha = "" if self.alpha is None else f"_{self.alpha:g}"
        return f"{self.data}_{self.level:g}_{self.model}_{self.group}{alpha}_{self.seed}"

    @property
    def label(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def set(self) -> DataSet:
        return DataSet(self.data, self.level, self.seed)


def runs(settings: Settings) -> list[Run]:
    """All runs, seed by seed, so that a study that is cut short has fewer seeds and not fewer experiments; then those that come last."""
    found: list[Run] = []
    seeds = sorted({*settings.seeds, *(seed for block in settings.plan for seed in block.get("seeds", []))})
    for last, seed in itertools.product((False, True), seeds):
        for block in (b for b in settings.plan if b.get("last", False) is last and seed in b.get("seeds", settings.seeds)):
            for level in block["levels"]:
                for model in block["models"]:
                    options = settings.options(block["data"], model)
                    group = block.get("group", options.get("group", ""))
                    candidates = options.get("alphas")
                    for alpha in [None] if candidates is None else list(dict.fromkeys([*candidates, *block.get("alphas", [])])):
                        found.append(Run(block["data"], float(level), model, alpha, group, seed))
    return list(dict.fromkeys(found))


def sets(settings: Settings) -> list[DataSet]:
    """The data sets of all runs, in their order."""
    return list(dict.fromkeys(r.set for r in runs(settings)))


class Place(Folder):
    """The folder of the study: data/, runs/, cases/."""

    settings: Settings

    def data_file(self, one: DataSet) -> Path:
        return self.out / "data" / f"{one.key}.nc"

    def run_folder(self, run: Run) -> Path:
        # A digest, not the key: an interrupted study with other settings is refused by its folder, and names stay short.
        return self.out / "runs" / hashlib.sha256(json.dumps(run.label, sort_keys=True).encode()).hexdigest()[:16]


def train_config(settings: Settings, run: Run) -> osc.TrainConfig:
    """The same optimiser, batches and number of steps for all models. No validation part: which weights are kept is not chosen."""
    options = settings.options(run.data, run.model)
    overrides = dict(options["overrides"])
    if run.group and "group" in options:
        overrides["group"] = run.group
        overrides["width"] = options.get("width", {}).get(run.group, overrides.get("width"))
    epochs = settings.train.get(f"epochs_{run.data}", settings.train["epochs"])
    return osc.TrainConfig(
        model=options["emulator"], overrides=overrides, epochs=epochs, batch=settings.train["batch"],
        learning_rate=settings.train["learning_rate"], seeds=(run.seed,), split=(1.0, 0.0, 0.0), relaxation=run.alpha,
        device=settings.device,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
