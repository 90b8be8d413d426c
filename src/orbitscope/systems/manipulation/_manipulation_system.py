"""The table top as a system: scenarios are its tasks, examples are keyframes of demonstrations."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from ..._errors import OrbitscopeError
from ...data import Examples
from ...symmetry import Symmetry
from .._system import Progress, System, SystemModel, SystemScenario
from ._files import SETTINGS, checked_settings, examples_of, read_episodes, record, recorded
from ._scene import Scene
from ._tasks import TASKS, task


def _made(name: str, count: int, seed: int, progress: Progress | None, **parameters: Any) -> Examples:
    """Examples of demonstrations, without a file."""
    chosen = checked_settings(parameters)
    scene, tables = Scene(task(name), cone=chosen["cone"]), []
    for k in range(count):
        tables.append(recorded(scene, seed + k, chosen))
        if progress is not None:
            progress("episodes", k + 1, count)
    return examples_of(tables, {"system": "manipulation", "scenario": f"manipulation.{name}", "parameters": chosen, "seed": seed})


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
    models: ClassVar[Mapping[str, SystemModel]] = {}

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

    def movie(self, path: Path, chosen: Sequence[int]) -> bytes:
        """An animation (GIF) of the episodes in the file at `path` with the numbers `chosen`, or of the first two."""
        from ._view import film

        return film(read_episodes(path), chosen)

    def symmetries(self, examples: Examples, model: nn.Module | None = None) -> dict[str, Symmetry]:
        """None yet of the `examples`; `audit_task` measures those of the simulator, and no `model` is asked."""
        return {}


SYSTEM = ManipulationSystem()
