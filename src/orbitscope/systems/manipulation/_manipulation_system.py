"""The table top as a system: scenarios are its tasks, examples are keyframes of demonstrations."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from torch import nn

from ..._errors import OrbitscopeError
from ...data import Examples
from ...symmetry import FieldAction, Group, Invariant, Layout, LieGroup, PartsAction, Points, Rigid, Symmetry, Values
from ...training import Augment, Loss
from .._runs import SystemRun
from .._system import Progress, Story, System, SystemModel, SystemScenario
from ._audit import audit_task
from ._episode import Episode
from ._files import SETTINGS, checked_settings, examples_of, read_episodes, record, recorded, scene_for
from ._hep import HierarchicalPolicy, hep_for
from ._hep_policy import ChunkPolicy
from ._keypose_mlp import keypose_mlp_for
from ._played import check_played, story, write_played
from ._policy import Evaluation, ModelPolicy, NearestDemonstration, Policy, evaluate
from ._poses import about
from ._tasks import TASKS, task
from ._transporter_training import FingerError, KeyframeLoss, PlaceError, TurnError, WithAnswer, goals_of, transporter_for


def _made(name: str, count: int, seed: int, progress: Progress | None, **parameters: Any) -> Examples:
    """Examples of demonstrations, without a file."""
    chosen = checked_settings(parameters)
    scene, tables = scene_for(name, chosen), []
    for k in range(count):
        tables.append(recorded(scene, seed + k, chosen))
        if progress is not None:
            progress("episodes", k + 1, count)
    return examples_of(tables, {"system": "manipulation", "scenario": f"manipulation.{name}", "parameters": chosen, "seed": seed})


_OPTIONS = {"spacing": 45, "width": 3, "features": 8, "order": 4, "lift": True, "held": True, "turn_prior": False, "search": "two"}
_TRAINING = {"epochs": 30, "batch": 4, "learning_rate": 1e-2, "weight_decay": 1e-5}
_HEP_OPTIONS = {
    "hierarchy": True, "frame_transfer": "translation", "equivariant": True, "stacked_voxels": True, "control": "open", "grid": "world",
    "cells": 32, "edge": 0.02, "near": 0.015, "width": 3, "hidden": 32, "steps": 18, "predicts": "sample", "levels": 100, "sampler": 10,
    "jitter": 0.01, "votes": 1, "turns": 4, "draws": 8,
}  # fmt: skip
_HEP_TRAINING = {"epochs": 40, "batch": 8, "learning_rate": 4e-3, "weight_decay": 5e-4}


def policy_of(model: nn.Module) -> Policy:
    """A trained `model` as a policy: of chunks for a hierarchical one, else of keyframes."""
    return ChunkPolicy(model) if isinstance(model, HierarchicalPolicy) else ModelPolicy(model)


class ManipulationSystem(System):
    """Tasks of a hand on a table top; what is learnt are the keyframes of demonstrations."""

    name: ClassVar[str] = "manipulation"
    scenarios: ClassVar[Mapping[str, SystemScenario]] = {
        f"manipulation.{name}": SystemScenario(
            f"manipulation.{name}", f"demonstrations: {kind.description}", partial(_made, name), SETTINGS,
            "A floating hand on real contacts; tasks of this package, not a published suite.",
        )
        for name, kind in TASKS.items()
    }  # fmt: skip
    models: ClassVar[Mapping[str, SystemModel]] = {
        "transporter": SystemModel(
            "transporter", "scores hand poses by correlating scene and hand, coarse to fine, bi-equivariant", transporter_for,
            {"small": _OPTIONS, "wide": {**_OPTIONS, "width": 6, "features": 16}}, _TRAINING,
        ),
        "keypose_mlp": SystemModel(
            "keypose_mlp", "a place by voxels, then Euler angles by an MLP: a baseline of the transporter", keypose_mlp_for,
            {"small": {"width": 3, "features": 8, "order": 1}, "wide": {"width": 6, "features": 16, "order": 1}}, _TRAINING,
        ),
        "hep": SystemModel(
            "hep", "a keypose on voxels, and equivariant diffusion of a chunk of actions in its frame", hep_for,
            {"small": {**_HEP_OPTIONS, "cells": 16, "edge": 0.04, "near": 0.03, "width": 2, "hidden": 24}, "grid32": _HEP_OPTIONS,
             "grid64": {**_HEP_OPTIONS, "cells": 64, "edge": 0.01, "near": 0.008, "width": 6, "hidden": 64, "turns": 8}}, _HEP_TRAINING,
        ),
    }  # fmt: skip

    def simulate(
        self, scenario: str, out: Path, *, count: int, seed: int = 0, parameters: Mapping[str, Any] | None = None, force: bool = False,
        progress: Progress | None = None, executor: Any = None,
    ) -> Path:  # fmt: skip
        """Record demonstrations, see `record`; interrupted, the same call goes on.

        * `scenario`: such as manipulation.peg. `out`: the file, .nc. `count`: episodes. `seed`: of the first layout.
        * `parameters`: settings of the recording. `force`, `progress(stage, done, total)`: as of `record`.
        * `executor`: None; one process makes them.
        """
        if executor is not None:
            raise OrbitscopeError(f"simulate: {scenario} is made by one process. Leave --workers and --cluster out.")
        name = self.scenario(scenario).name.partition(".")[2]
        return record(name, out, count=count, seed=seed, settings=parameters, force=force, progress=progress)

    def view(self, path: Path, chosen: Sequence[int], fix: bool = False) -> tuple[Any, list[str]]:
        """Film strips of the episodes in the file at `path`: those with the numbers `chosen`, or the first four; nothing is for `fix`."""
        from ._view import strip  # matplotlib

        if fix:
            raise OrbitscopeError(f"view: --fix mends meshes, and {path} holds demonstrations. Leave it out.")
        return strip(read_episodes(path), chosen), []

    def probed(self, examples: Examples) -> Examples:
        """The `examples` without the poses that are as good as the demonstrated ones: a motion of the scene is held against one answer."""
        if not isinstance(examples.y, tuple) or len(examples.y) < 3:
            return examples
        return Examples(examples.x, examples.y[:2], examples.unit, examples.slot, examples.name, examples.about)

    def story(self, path: Path) -> Story:
        """What policies did in the episodes in the file at `path`, with film strips of successes and failures."""
        return story(path)

    def movie(self, path: Path, chosen: Sequence[int]) -> bytes:
        """An animation (GIF) of the episodes in the file at `path` with the numbers `chosen`, or of the first two."""
        from ._view import film

        return film(read_episodes(path), chosen)

    def loss(self, model: str, examples: Examples) -> str | Loss:
        """`KeyframeLoss` for every `model` and all `examples`."""
        return KeyframeLoss()

    def metrics(self, model: str, examples: Examples) -> dict[str, Loss]:
        """Place, orientation and fingers of the next keyframe, for every `model` and all `examples`."""
        return {"place": PlaceError(), "turn": TurnError(), "fingers": FingerError()}

    def every_step(self, model: str, examples: Examples) -> Augment | None:
        """Scenes turned and shifted in the plane, the answer handed to the `model` (`WithAnswer`), for all `examples`."""
        return WithAnswer()

    def augment(self, model: str, examples: Examples, word: str) -> Augment:
        """The answer handed over alone for the `word` "none": `model` sees the `examples` as they were recorded; "one-answer": they are
        moved, but only the demonstrated pose is right, and none that is as good."""
        if word not in ("none", "one-answer"):
            raise OrbitscopeError(
                f"train: --augment of {model} should be none (scenes are turned and shifted without it) or one-answer (poses that are as "
                f"good as the demonstrated one count as wrong), got {word!r}."
            )
        return WithAnswer(modulo=False) if word == "one-answer" else WithAnswer(turn=False, shift=0.0)

    def symmetries(self, examples: Examples, model: nn.Module | None = None) -> dict[str, Symmetry]:
        """Quarter turns about the vertical ("c4"), all turns about it ("so2") and small shifts ("shifts") of scene, hand and answer.

        * `examples`: keyframes. `model`: is not looked at.
        """
        goals_of(examples)
        poses = FieldAction(Layout.of("place:point", "x:vector", "y:vector", "z:vector", ndim=3), Values())
        points, paint = FieldAction(Layout.of("place:point", ndim=3), Points()), FieldAction(Layout.of("r", "g", "b", ndim=3), Points())
        into = PartsAction(points, paint, Invariant(("seen",)), poses, Invariant(("open",)))
        out = PartsAction(poses, Invariant(("open",)))
        turn = np.zeros((1, 3, 3))
        turn[0, 1, 0], turn[0, 0, 1] = 1.0, -1.0
        quarter = [Rigid(about(2, np.pi / 2 * k).round(), name="e" if k == 0 else f"r{k}") for k in range(4)]
        moves = np.zeros((3, 4, 4))
        moves[[0, 1, 2], [0, 1, 2], 3] = 1.0
        groups: dict[str, Group] = {
            "c4": Group("C4 about z", quarter), "so2": LieGroup("SO(2) about z", turn, Rigid, scale=np.pi),
            "shifts": LieGroup("shifts of 8 cm", moves, Rigid, scale=0.08, homogeneous=True),
        }  # fmt: skip
        return {name: Symmetry(group, into, out, name=name) for name, group in groups.items()}

    def audited(self, scenario: str, *, episodes: int, seed: int, progress: Progress | None = None) -> xr.Dataset:
        """Whether the simulator has the symmetry of the table top, SE(2) times vertical shifts, see `audit_task`.

        * `scenario`: such as manipulation.peg. `episodes`: demonstrations that are played again in moved scenes. `seed`: of the first
          layout. `progress(stage, done, total)`: called as it goes.
        """
        name = self.scenario(scenario).name.partition(".")[2]
        full = audit_task(task(name), range(seed, seed + episodes), progress=progress).table
        words = sorted(set(map(str, full["verdict"].values)), key=("broken", "undecided", "holds").index)
        gap, floor = float(full["gap"].max()), float(full["floor"].max())
        said = {
            "holds": "moved scenes with moved actions do what the scene did, moved, as nearly as rounding lets them",
            "undecided": "contacts make rounding so large that nothing finer can be asked",
            "broken": "moved scenes do something else",
        }[words[0]]
        table = full[["verdict"]].assign(gap=full["gap"].max("seed"), floor=("element", np.full(full.sizes["element"], floor)))
        explanation = f"{said[0].upper()}{said[1:]}: at most {gap:.1e} m apart, and {floor:.1e} m for a hand that begins a nanometre off."
        return table.assign_attrs(full.attrs, verdict=words[0], explanation=explanation, episodes=episodes, seed=seed)

    def evaluate(
        self, run: SystemRun, episodes: int, seed: int = 1000, progress: Progress | None = None, played: Path | None = None
    ) -> dict[str, Evaluation]:  # fmt: skip
        """How often the policy of a run does its task, and the nearest demonstration in its place.

        * `run`: a trained model. `episodes`: how many. `seed`: of the first layout. `progress(stage, done, total)`: called as it goes.
        * `played`: a file that gets the episodes, see `write_played`.
        """
        if played is not None:
            check_played(played)
        about_ = run.examples["train"].about
        name = str(about_.get("scenario", "")).partition(".")[2]
        settings = checked_settings(about_.get("parameters"))
        scene, seeds = scene_for(name, settings), range(seed, seed + episodes)
        rivals: dict[str, Policy] = {run.kind: policy_of(run.model), "nearest demonstration": NearestDemonstration(run.examples["train"])}
        found: dict[str, Evaluation] = {}
        kept: dict[str, tuple[Evaluation, list[Episode]]] = {}
        for k, policy in rivals.items():
            there: list[Episode] = []
            found[k] = evaluate(policy, scene, seeds, settings=settings, progress=progress, played=there)
            kept[k] = found[k], there
        if played is not None:
            write_played(played, kept, {"scenario": f"manipulation.{name}", "run": str(run.path)})
        return found


SYSTEM = ManipulationSystem()
