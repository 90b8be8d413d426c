"""A training of emulators for processes of their own: what is handed to them, and what each of them does with it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ..._errors import OrbitscopeError
from ...data import WINDOWS, LazyArray, Trajectories, load
from ...symmetry import Grid, Layout
from ...training import MetricsLogger, ProgressOption, Reporter, TrainProgress, run_seeds
from ...training.devices import job_folder, launch
from ...training.files import plain, seed_folders
from ..networks import built_in
from ._config import TrainConfig
from ._task import EmulatorTask

WORKER = "orbitscope.emulators.training._worker"


def launch_training(
    data: Trajectories,
    config: TrainConfig,
    out: Path,
    seeds: list[int],
    progress: ProgressOption,
    loggers: Sequence[str | MetricsLogger],
) -> None:
    """Train `seeds` in `config.devices` processes; progress and errors come back here, and a stop here stops them."""
    if not built_in(config.model) and ":" not in config.model:
        raise OrbitscopeError(
            f"train: the registered model {config.model!r} exists in this process only; "
            "with `devices` > 1 name it 'package.module:callable'."
        )
    if objects := [one for one in loggers if not isinstance(one, str)]:
        raise OrbitscopeError(
            f"train: the logger {objects[0]!r} lives in this process, and `devices` > 1 trains in others. Use 'csv' or 'tensorboard', or "
            "start the script itself with torchrun."
        )
    with job_folder(out) as folder:
        job = {"config": config.to_dict(), "out": str(out), "seeds": seeds, "loggers": list(loggers), "data": _pack(data, folder)}
        with Reporter(progress, f"{config.model} {config.preset} on {config.devices} devices", "smse") as reporter:
            launch(WORKER, folder, job, config.devices, out, reporter)


def run_job(job: dict[str, Any], folder: Path, tell: Callable[[TrainProgress], None]) -> None:
    """What one process of the launch does."""
    config = TrainConfig.from_dict(job["config"])
    if not torch.cuda.is_available() or config.device == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // config.devices))
    task = EmulatorTask.of(_unpack(job["data"], folder), config)
    run_seeds(task, seed_folders(Path(job["out"]), config.seeds), job["seeds"], tell, False, logger=job["loggers"])


def _pack(data: Trajectories, folder: Path) -> dict[str, Any]:
    about = {"layout": data.layout.to_dict(), "grid": data.grid.to_dict(), "dt": data.dt, "provenance": plain(data.provenance)}
    about["notes"] = list(data.notes)
    if isinstance(data.values, LazyArray):
        if WINDOWS in data.provenance:
            raise OrbitscopeError("devices: every process reads the file for itself, and would not cut it into windows. Give the series.")
        axes = {str(i): torch.from_numpy(np.ascontiguousarray(axis)) for i, axis in enumerate(data.values._axes)}
        save_file(axes, folder / "axes.safetensors")
        return {**about, "file": str(data.values.source.path)}
    save_file({"values": data.values.detach().cpu().contiguous()}, folder / "values.safetensors")
    return {**about, "file": None}


def _unpack(about: dict[str, Any], folder: Path) -> Trajectories:
    if about["file"]:
        found = load(about["file"])
        values = found.values
        if not isinstance(values, LazyArray) or (about["notes"] and list(found.notes) != about["notes"][: len(found.notes)]):
            raise OrbitscopeError(
                f"devices: every process reads {about['file']} for itself, and it was loaded with options or as several files, which "
                "they would not repeat. Make one file of it first, save(data, 'one.nc'), and train on that."
            )
        axes = load_file(folder / "axes.safetensors")
        values = LazyArray(values.source, tuple(axes[str(i)].numpy() for i in range(len(axes))))
    else:
        values = load_file(folder / "values.safetensors")["values"]
    return Trajectories(values, Layout.from_dict(about["layout"]), Grid.from_dict(about["grid"]), about["dt"], about["provenance"])
