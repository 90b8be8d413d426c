"""The parts of a quickstart, in worker processes: files simulated and audited, models trained and probed on them.

One thread per process: at these sizes two threads on one small network gain little, and lose a factor of fifty when another program
wants one of the cores (measured with torch 2.13's OpenMP barriers), while two processes share the machine with anybody.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._executor import run_parts
from .._part import tell
from .._workers import cores

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[str, float, float, str], None]
# Epochs as a multiple of `epochs`, and settings: what came nearest to the error of the small presets in a minute of one core.
TRAINING: dict[str, tuple[int, dict[str, Any]]] = {
    "unet": (1, {"learning_rate": 5e-3, "batch": 16, "overrides": {"width": 8}}),
    "vit": (3, {"learning_rate": 1e-2, "overrides": {"depth": 2, "position": "waves"}}),
}


@dataclass(frozen=True)
class Case:
    """One file: simulated, if a `scenario` is named; with a `model`, something trained and probed on it; else audited."""

    title: str
    data: Path
    audit: Path
    groups: tuple[str, ...]
    seed: int
    scenario: str = ""
    trajectories: int = 0
    resolution: int = 0
    swapped: Path | None = None
    """Where the same file goes with its velocity components exchanged."""
    device: str = "cpu"
    model: str = ""
    epochs: int = 1
    run: Path = Path()
    probe: Path = Path()

    @property
    def made(self) -> bool:
        """Whether all its files are there."""
        if self.scenario:
            return self.data.exists() and (self.swapped is None or self.swapped.exists())
        return (self.probe if self.model else self.audit).exists()


def run_all(cases: Sequence[Case], progress: Progress, workers: int) -> None:
    """Work through the cases that are not made, in order, `workers` at a time. The first failure, or Ctrl-C, ends all."""
    left = [case for case in cases if not case.made]  # none: no process is started, which would import torch and find nothing to do
    for _ in run_parts(workers, left, _work, _nothing, name=lambda case: case.title, hear=progress):
        pass


def _nothing() -> None:
    """What a case needs beside itself."""


def _work(_: None, case: Case) -> None:
    work(case)


def work(case: Case) -> None:
    """Simulate, audit, or train and probe; what exists already is kept."""
    if case.scenario:
        _simulate(case)
        return
    _wait_for(case.data)
    if case.model:
        _train_and_probe(case)
    elif not case.audit.exists():
        _audit(case)


def _wait_for(path: Path) -> None:
    """Until the file is there. The cases are taken up in their order, so whoever makes it has begun, and where it fails all are ended."""
    while not path.exists():  # files are written beside and renamed: what exists is whole
        time.sleep(0.1)


def _simulate(case: Case) -> None:
    from ..data import load, save
    from ._actions import simulate_to_file

    if not case.data.exists():
        simulate_to_file(
            case.scenario, case.data, trajectories=case.trajectories, resolution=case.resolution, seed=case.seed, progress=tell
        )
    if case.swapped is not None and not case.swapped.exists():
        save(load(case.data).swap_components(), case.swapped)


def _audit(case: Case) -> "dict[str, xr.Dataset]":
    import xarray as xr

    from .. import load, parse_group
    from ..probe import KIND, audit, save_probe

    data = load(case.data)
    results = {}
    for words in case.groups:
        group = parse_group(words, points=data.grid.shape)
        label = f"audit {case.title}: {group.name}"
        results[group.name] = audit(data, group, seed=case.seed, progress=lambda done, total, label=label: tell(label, done, total))
    nodes = {f"/{name}/audit": result for name, result in results.items()}
    save_probe(xr.DataTree.from_dict({"/": xr.Dataset(attrs={"kind": KIND, "title": case.title}), **nodes}), case.audit, force=True)
    return results


def _train_and_probe(case: Case) -> None:
    from .. import ProbeConfig, TrainConfig, load, load_run, parse_group, train
    from ..probe import examine, open_probe, save_probe
    from ._actions import run_case, tested_on

    data = load(case.data)
    times, settings = TRAINING[case.model]
    config = TrainConfig(model=case.model, epochs=times * case.epochs, seeds=(case.seed,), device=case.device, **settings)  # pyright: ignore[reportArgumentType]
    train(data, config, case.run, progress=lambda p: tell(f"train {case.title}", round(p.fraction * 100), 100, f"loss {p.loss:.1e}"))
    if case.probe.exists():
        return
    run = load_run(case.run, device=case.device)
    # The audit does not depend on the model. It comes first in the queue, so the file is there unless something went wrong with it.
    audits = {k: v["audit"].to_dataset() for k, v in open_probe(case.audit).children.items()} if case.audit.exists() else _audit(case)
    tree = examine(
        run.model,
        tested_on(run, data),
        [parse_group(words, points=data.grid.shape) for words in case.groups],
        ProbeConfig(trajectories=8, times=2, influence_elements=8, seed=case.seed),
        audits=audits,
        progress=lambda stage, done, total: tell(f"probe {case.title}: {stage}", done, total),
        title=case.title,
        data_path=str(case.data),
        **run_case(run),
    )
    save_probe(tree, case.probe, force=True)


def default_workers(device: str) -> int:
    """As many as there are cores to use; one where a GPU does the work."""
    return 1 if device == "cuda" else min(cores(), 5)
