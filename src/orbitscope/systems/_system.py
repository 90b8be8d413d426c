"""What a system is: scenarios that make examples, models that are trained on them, and the symmetries that they are held against."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from torch import nn

from .._errors import OrbitscopeError
from .._expect import near
from .._seed import permutation
from ..data import Examples, load_examples, save_examples
from ..symmetry import State, Symmetry
from ..training import Augment, Loss

Progress = Callable[[str, float, float], None]


@dataclass(frozen=True)
class SystemScenario:
    """Something that a system can simulate.

    * `name`: what the command line calls it. `description`: one line.
    * `make(count, seed, progress, **parameters)`: `count` examples of the seed, as `Examples`.
    * `parameters`: the parameters of `make` with their defaults. `notes`: what a published description leaves open.
    """

    name: str
    description: str
    make: Callable[..., Examples]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""


@dataclass(frozen=True)
class SystemModel:
    """A model of a system.

    * `name`: what the command line calls it. `description`: one line.
    * `make(examples, **options)`: the module for examples like these, with first weights drawn from torch's generator.
    * `presets`: options by the names of sizes. `defaults`: settings of the training that suit the model, by the names of `FitConfig`.
    """

    name: str
    description: str
    make: Callable[..., nn.Module]
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"small": {}})
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Inferred:
    """What was inferred from data: `lines` for people, `numbers` for programs, and `figure`, a function that draws it."""

    lines: Sequence[str]
    numbers: Mapping[str, Any]
    figure: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Story:
    """What policies did, for a page.

    * `answer`: one sentence. `known`: pairs of a term and a sentence. `header`, `rows`: a table, one row per policy.
    * `pictures`: title, words below it, and PNG of each picture.
    """

    answer: str
    known: Sequence[tuple[str, str]]
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    pictures: Sequence[tuple[str, str, bytes]]


class System(ABC):
    """One system on the rooms above: its scenarios, models and symmetries by name; the verbs of the command line do the rest.

    A subclass lists `scenarios` and `models` and says which symmetries its maps should have. It may read files of its own (`read`),
    split them in another way (`split`) and compare in another way (`loss`, `metrics`).
    """

    name: ClassVar[str]
    scenarios: ClassVar[Mapping[str, SystemScenario]]
    models: ClassVar[Mapping[str, SystemModel]]
    parted: ClassVar[tuple[str, ...]] = ()
    """Scenarios that are made in parts, by several processes if wanted (`in_parts`)."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.scenarios)})"

    def simulate(
        self, scenario: str, out: Path, *, count: int, seed: int = 0, parameters: Mapping[str, Any] | None = None, force: bool = False,
        progress: Progress | None = None, executor: Any = None,
    ) -> Path:  # fmt: skip
        """Make the examples of a scenario and write them to one file, whole or not at all.

        * `scenario`: one of `scenarios`. `out`: the file, .npz or .nc. `count`: how many examples, at least 1. `seed`: of all draws.
        * `parameters`: of the scenario, by name. `force`: whether a file that exists is replaced. `progress(stage, done, total)`: called
          now and then. `executor`: of several processes, for scenarios that are made in parts (see `parted`).

        Raises `OrbitscopeError` for an unknown scenario or parameter, for a file that exists, and for an executor that is of no use.
        """
        plan = self.scenario(scenario)
        given = dict(parameters or {})
        if executor is not None and scenario not in self.parted:
            raise OrbitscopeError(f"simulate: {scenario} is made by one process. Leave --workers and --cluster out.")
        if unknown := set(given) - set(plan.parameters):
            known = ", ".join(f"{k}={v}" for k, v in plan.parameters.items()) or "none"
            raise OrbitscopeError(f"simulate: {scenario} has no parameter {sorted(unknown)[0]!r}. It has: {known}.")
        if count < 1:
            raise OrbitscopeError(f"simulate: the number of examples should be at least 1, got {count}.")
        if out.exists() and not force:
            raise OrbitscopeError(f"out: {out} exists. Give another --out, or --force to replace it.")
        given = {**plan.parameters, **given}
        if scenario in self.parted:
            examples = self.in_parts(scenario, parts_of(out), count, seed, given, force=force, progress=progress, executor=executor)
        else:
            examples = plan.make(count, seed, progress, **given)
        about = {**examples.about, "system": self.name, "scenario": scenario, "parameters": given, "seed": seed}
        path = save_examples(_about(examples, scenario, about), out, force=force)
        if scenario in self.parted:
            shutil.rmtree(parts_of(out), ignore_errors=True)
        return path

    def in_parts(
        self, scenario: str, folder: Path, count: int, seed: int, given: Mapping[str, Any], *, force: bool, progress: Progress | None,
        executor: Any,
    ) -> Examples:  # fmt: skip
        """The examples of one of `parted`, by way of files in a folder that is gone on with after an interruption.

        * `scenario`: which. `folder`: of the files; it is removed when the set is written. `count`, `seed`: as of `simulate`.
        * `given`: all parameters. `force`: whether files of other settings are thrown away. `progress`, `executor`: as of `simulate`.
        """
        raise OrbitscopeError(f"simulate: {self.name} makes nothing in parts.")

    def scenario(self, name: str) -> SystemScenario:
        """The scenario of that `name`; raises `OrbitscopeError`, with those that there are, for another."""
        if name not in self.scenarios:
            raise OrbitscopeError(
                f"simulate: there is no scenario {name!r}.{near(name, self.scenarios)} {self.name} has {', '.join(self.scenarios)}."
            )
        return self.scenarios[name]

    def model(self, name: str, preset: str = "small") -> SystemModel:
        """The model of that `name`; raises `OrbitscopeError` where it is unknown or has no `preset` of that name."""
        if name not in self.models:
            raise OrbitscopeError(f"train: there is no model {name!r}.{near(name, self.models)} {self.name} has {', '.join(self.models)}.")
        if preset not in self.models[name].presets:
            raise OrbitscopeError(f"train: {name} has the presets {', '.join(self.models[name].presets)}, not {preset!r}.")
        return self.models[name]

    def read(self, path: Path) -> Examples:
        """The examples in the file at `path`; raises `OrbitscopeError` for a file that holds none."""
        return load_examples(path)

    def split(self, examples: Examples, seed: int) -> dict[str, np.ndarray]:
        """Numbers of the `examples` of "train", "validation" and "test": whole units, 70, 15 and 15 of a hundred, drawn with `seed`."""
        units = examples.units
        if len(units) < 3:
            raise OrbitscopeError(f"train: `examples` should be of at least 3 units, one for each part of a split; got {len(units)}.")
        order = units[permutation(len(units), seed, "system split").numpy()]
        held = max(1, round(0.15 * len(units)))
        parts = {"test": order[:held], "validation": order[held : 2 * held], "train": order[2 * held :]}
        return {part: np.flatnonzero(np.isin(examples.unit, chosen)) for part, chosen in parts.items()}

    def loss(self, model: str, examples: Examples) -> str | Loss:
        """What the training of `model` minimises on `examples`."""
        return "mse"

    def metrics(self, model: str, examples: Examples) -> dict[str, Loss]:
        """What else of `model` is measured on `examples` that were held out, by name."""
        return {}

    def augment(self, model: str, examples: Examples, word: str) -> Augment:
        """What moves the `examples` of every training step of `model`, named by `word`; raises `OrbitscopeError` for what there is not."""
        raise OrbitscopeError(f"train: {model} of {self.name} knows no --augment, got {word!r}.")

    def every_step(self, model: str, examples: Examples) -> Augment | None:
        """What moves the `examples` of every training step of `model` where no word asks for something else; None for nothing."""
        return None

    def readings(self, examples: Examples, model: nn.Module) -> dict[str, xr.Dataset]:
        """What else a probe of `model` says, at `examples`: tables for its file by the name of
        their node; none unless a system has some."""
        return {}

    def answer(
        self, task: str, model: nn.Module, examples: Examples, training: Examples, options: Mapping[str, Any] | None = None
    ) -> xr.Dataset:
        """What `model` says of `examples` in a `task` of the system, with what it was trained on in `training`, and `options` of the task.

        Raises `OrbitscopeError` where a system has no tasks, and for an unknown one.
        """
        raise OrbitscopeError(f"forecast: {self.name} has no tasks, got {task!r}. Its models are asked by `orbitscope probe`.")

    def probed(self, examples: Examples) -> Examples:
        """The `examples` as instruments see them, with room for what a motion adds, say."""
        return examples

    def seen(self, model: nn.Module) -> nn.Module:
        """What instruments see of a `model`: the part of its answer that the symmetries speak of; the model itself unless a system says
        otherwise."""
        return model

    def law(self, examples: Examples) -> Callable[[State], State] | None:
        """The true map x -> y behind the `examples`, which the audit moves; None where nobody knows it."""
        return None

    def infer(
        self, model: nn.Module, examples: Examples, data: Path, out: Path, *, settings: Mapping[str, int], fixed: Mapping[str, float],
        emulator_error: bool = True, correlated: bool = False, force: bool = False, progress: Progress | None = None,
    ) -> Inferred:  # fmt: skip
        """The parameters behind the measurements in the file `data`, by the trained `model`, written to `out`.

        * `examples`: of the training. `settings`: draws, warmup, chains and seed. `fixed`: parameters that are held, by name.
        * `emulator_error`: whether it is in the likelihood. `correlated`: whether the noise of measured numbers goes together as it does
          over the training; without it they are independent. `force`: replace what is there.
        * `progress`: called with (stage, done, total), or None.

        Raises `OrbitscopeError` where a system infers nothing.
        """
        raise OrbitscopeError(f"infer: {self.name} has no parameters to infer. Systems that have: galaxies.")

    def view(self, path: Path, chosen: Sequence[int], fix: bool = False) -> tuple[Any, list[str]]:
        """A figure of matplotlib of what is in the file at `path`, the examples with the numbers `chosen` or the first few; with `fix`
        faults are mended, and said in words beside it. Raises `OrbitscopeError` where a system has no pictures."""
        raise OrbitscopeError(f"view: {self.name} has no picture of {path}.")

    def movie(self, path: Path, chosen: Sequence[int]) -> bytes:
        """An animation (GIF) of what is in the file at `path`, the parts with the numbers `chosen` or the first few. Raises
        `OrbitscopeError` where a system has none."""
        raise OrbitscopeError(f"animation: {self.name} has no animation of {path}. Give --out sheet.png alone.")

    def story(self, path: Path) -> Story:
        """What policies did in the episodes in the file at `path`, which `evaluate` wrote. Raises `OrbitscopeError` where a system has no
        policies."""
        raise OrbitscopeError(f"report: {self.name} tells nothing of {path}.")

    def audited(self, scenario: str, *, episodes: int, seed: int, progress: Progress | None = None) -> xr.Dataset:
        """Has the simulator of a scenario the symmetry that is declared for it?

        * `scenario`: its name. `episodes`: how many are made twice. `seed`: of the first layout. `progress(stage, done, total)`: called as
          it goes.

        A table over "element" with `gap` and `floor` [element], the largest difference and what rounding alone makes of it, `verdict`
        [element], and attrs "verdict", "explanation" and "unit". Raises `OrbitscopeError` where a system has no simulator that can be
        moved.
        """
        self.scenario(scenario)  # its name first
        raise OrbitscopeError(
            f"audit: the simulator of {scenario} cannot be moved. Audit a file of `orbitscope simulate {scenario}` instead."
        )

    def evaluate(
        self, run: Any, episodes: int, seed: int, progress: Progress | None = None, played: Path | None = None
    ) -> Mapping[str, Any]:  # fmt: skip
        """What comes of it when the policy of a `run` acts in so many `episodes`, from the layout of `seed` on, by the names of policies:
        dataclasses that print themselves. `progress(stage, done, total)` is called as it goes; the file `played` gets the episodes.
        Raises `OrbitscopeError` where a system has no policies."""
        raise OrbitscopeError(f"evaluate: the models of {self.name} are no policies. `orbitscope probe` measures them.")

    @abstractmethod
    def symmetries(self, examples: Examples, model: nn.Module | None = None) -> dict[str, Symmetry]:
        """The symmetries that maps of `examples` should have, or that `model` is held against, by the names that `--group` takes."""


def parts_of(out: Path) -> Path:
    """The folder beside the file `out` in which its parts are until it is whole."""
    return out.with_name(f"{out.name}.parts")


def _about(examples: Examples, name: str, about: dict[str, Any]) -> Examples:
    return Examples(examples.x, examples.y, examples.unit, examples.slot, name, about)
