"""Runs of systems: trained by `fit`, opened again from their folder alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .._errors import OrbitscopeError
from ..data import Examples
from ..training import Fit, FitConfig, LoggerOption, ProgressOption, derive, fit, load_fit
from ..training.files import SIDECAR, entries, read_json, seed_folders
from ._lookup import load_system, of_model
from ._system import System, SystemModel

_RECIPE = {"system": str, "model": str, "options": dict, "preset": str, "split": int, "data": str}


@dataclass(frozen=True, eq=False)
class SystemRun:
    """A trained model of a system with the examples that it was split from.

    * `path`: the run folder. `system`: whose model it is. `model`: the module, in evaluation mode. `kind`: its name.
    * `examples`: by part: "train", "validation", "test". `seed`: of the training. `fit`: how it went.
    """

    path: Path
    system: System
    kind: str
    model: nn.Module
    examples: Mapping[str, Examples]
    seed: int
    fit: Fit[Any]

    def __str__(self) -> str:
        kind = "validation" if "validation" in self.fit.metrics else "train"
        found = {k: v for k, v in self.fit.metrics.get(kind, {}).items() if k != "examples"}
        return f"{self.kind}: " + ", ".join(f"{kind} {k} {v:.3g}" for k, v in found.items()) + f"; {self.fit.parameters:,} parameters"


def train_system(
    data: str | Path,
    model: str,
    out: str | Path,
    config: FitConfig | None = None,
    *,
    seeds: Sequence[int] = (0,),
    preset: str = "small",
    options: Mapping[str, Any] | None = None,
    augment: str | None = None,
    force: bool = False,
    progress: ProgressOption = "auto",
    logger: LoggerOption = None,
) -> list[SystemRun]:
    """Train a model of a system on a file of its examples; a run folder for each seed, which `open_run` reads again.

    * `data`: the file. `model`: a name in the `models` of a system. `out`: folder; several seeds make seed-0, seed-1, ... in it.
    * `config`: settings of the training; None: `FitConfig()` with what suits the model. `seeds`: of first weights and order.
    * `preset`, `options`: size of the model, and single options of it by name. `augment`: what moves the examples of every step, in words.
    * `force`, `progress`, `logger`: as of `fit`. The split into train, validation and test is drawn once, with seed 0, for all `seeds`.

    Interrupted, the same call goes on where it was. Raises `OrbitscopeError` for unknown names and options, and what `fit` raises.
    """
    name = of_model(model)
    if name is None:
        raise OrbitscopeError(f"train_system: no system has a model {model!r}.")
    system = load_system(name)
    plan, chosen, path = system.model(model, preset), dict(options or {}), Path(data)
    config = config or FitConfig(**plan.defaults)
    examples = system.read(path)
    parts = _parts(system, examples, 0)
    recipe = {
        "system": name, "model": model, "preset": preset, "options": chosen, "split": 0, "data": str(path.absolute()), "augment": augment,
    }  # fmt: skip
    moves = system.every_step(model, parts["train"]) if augment is None else system.augment(model, parts["train"], augment)
    runs = []
    for seed, folder in seed_folders(Path(out), seeds).items():
        module = _made(plan, parts["train"], preset, chosen, seed)
        found = fit(
            module, parts["train"], config, loss=system.loss(model, examples), metrics=system.metrics(model, examples),
            validation=parts["validation"], out=folder, seed=seed, augment=moves, force=force, progress=progress, logger=logger,
            recipe=recipe,
        )  # fmt: skip
        runs.append(SystemRun(folder, system, model, found.model, parts, seed, found))
    return runs


def is_system_run(path: str | Path, kind: str = "recipe") -> bool:
    """Whether a run of a system, or the runs of several seeds, lie in the folder `path`.

    * `kind`: "recipe" for a model trained on a file of examples, "agent" for an agent trained in an environment.
    """
    folders = _folders(Path(path))
    return bool(folders) and kind in read_json(folders[0] / SIDECAR).get("config", {})


def open_runs(path: str | Path, data: str | Path | None = None) -> list[SystemRun]:
    """The runs of all seeds in the folder `path`, one for the folder of a single run.

    * `data`: the file of examples; None: that which the runs were trained on.

    Raises `OrbitscopeError` where there is no run of a system, where its data are missing or hold other shapes, and for weights that do
    not fit.
    """
    folders = _folders(Path(path))
    if not folders:
        raise OrbitscopeError(f"open_runs: {path} holds no run.")
    return [_opened(folder, None if data is None else Path(data)) for folder in folders]


def _opened(folder: Path, data: Path | None) -> SystemRun:
    kept = read_json(folder / SIDECAR)
    if "recipe" not in kept.get("config", {}):
        raise OrbitscopeError(f"open_runs: {folder} holds a run of `fit` or `train`, not of a system.")
    recipe = entries(kept["config"]["recipe"], folder / SIDECAR, _RECIPE, "Train again with force=True (--force).")
    system = load_system(recipe["system"])
    plan = system.model(recipe["model"], recipe["preset"])
    file = Path(recipe["data"]) if data is None else data
    if not file.exists():
        raise OrbitscopeError(f"open_runs: the data of {folder}, {file}, are not there. Give the file that they are in now.")
    parts = _parts(system, system.read(file), recipe["split"])
    module = _made(plan, parts["train"], recipe["preset"], recipe["options"], int(kept["seed"]))
    if kept["config"].get("precision") == "64":
        module = module.double()
    found = load_fit(folder, module)
    return SystemRun(folder, system, recipe["model"], found.model, parts, found.seed, found)


def _parts(system: System, examples: Examples, seed: int) -> dict[str, Examples]:
    return {part: examples.take(chosen) for part, chosen in system.split(examples, seed).items()}


def _made(plan: SystemModel, examples: Examples, preset: str, options: Mapping[str, Any], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "init"))
        try:
            return plan.make(examples, **{**plan.presets[preset], **options})
        except TypeError as error:
            known = ", ".join(plan.presets[preset]) or "none in this preset"
            raise OrbitscopeError(f"train: {plan.name} does not take {dict(options)} ({error}). Options: {known}.") from error


def _folders(path: Path) -> list[Path]:
    if (path / SIDECAR).is_file():
        return [path]
    found = [p for p in path.glob("seed-*") if (p / SIDECAR).is_file() and p.name.removeprefix("seed-").isdigit()]
    return sorted(found, key=lambda p: int(p.name.removeprefix("seed-")))
