"""Several devices: one process each, started here.

Lightning's own launchers either run the caller's script again or need its main module to be importable; a library call from a
notebook, a test or a script without a `__main__` guard has neither. So each process is a fresh interpreter that reads a job from a file.
Under torchrun or another launcher (LOCAL_RANK is set) this is not used.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from .._errors import OrbitscopeError
from .._json import json_text
from ..data import LazyArray, Trajectories, load
from ..symmetry import Grid, Layout
from . import _files as files
from . import _pulse as pulse
from ._build import built_in
from ._config import TrainConfig
from ._progress import ProgressOption, Reporter, TrainProgress
from ._watch import Watch, stop

_MARK = "@orbitscope "


def launch(data: Trajectories, config: TrainConfig, out: Path, seeds: list[int], progress: ProgressOption, tensorboard: bool) -> None:
    """Train `seeds` in `config.devices` processes; progress and errors come back here, and a stop here stops them."""
    if not built_in(config.model) and ":" not in config.model:
        raise OrbitscopeError(
            f"train: the registered model {config.model!r} exists in this process only; "
            "with `devices` > 1 name it 'package.module:callable'."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".launch-", dir=out.parent))
    try:
        job = {"config": config.to_dict(), "out": str(out), "seeds": seeds, "tensorboard": tensorboard, "path": sys.path}
        files.write_json(folder / "job.json", {**job, "data": _pack(data, folder)})
        title = f"{config.model} {config.preset} on {config.devices} devices"
        with Reporter(progress, title) as reporter, _processes(folder, config.devices) as processes:
            watch = Watch(processes, folder, pulse.PATIENCE)
            watch.start()
            _listen(processes[0].stdout, reporter)
            codes = [process.wait() for process in processes]
            watch.join()
        if watch.silent or any(codes):
            raise OrbitscopeError(_silence(watch, config, out) if watch.silent else _failure(folder, codes))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def work(folder: Path, rank: int) -> int:
    """One process of a launch; returns its exit code."""
    pulse.start(folder, rank)
    job = files.read_json(folder / "job.json")
    sys.path[:] = [*sys.path, *(p for p in job["path"] if p not in sys.path)]
    from ._train import Prepared, run_seeds  # the two modules need each other

    config = TrainConfig.from_dict(job["config"])
    if not torch.cuda.is_available() or config.device == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // config.devices))
    try:
        pulse.beat("reading the data")
        run_seeds(Prepared.of(_unpack(job["data"], folder), config), Path(job["out"]), job["seeds"], _tell, job["tensorboard"])
    except OrbitscopeError as error:
        (folder / f"error-{rank}.txt").write_text(str(error), encoding="utf-8")
        return 2
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return 0


def _pack(data: Trajectories, folder: Path) -> dict[str, Any]:
    about = {"layout": data.layout.to_dict(), "grid": data.grid.to_dict(), "dt": data.dt, "provenance": files.plain(data.provenance)}
    about["notes"] = list(data.notes)
    if isinstance(data.values, LazyArray):
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


@contextlib.contextmanager
def _processes(folder: Path, count: int) -> Iterator[list["subprocess.Popen[str]"]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count), "NODE_RANK": "0"}
    command = [sys.executable, "-m", "orbitscope.emulators._worker", str(folder)]
    started: list[subprocess.Popen[str]] = []
    try:
        with contextlib.ExitStack() as stack:
            for rank in range(count):
                log = stack.enter_context((folder / f"log-{rank}.txt").open("w"))
                environment = {**shared, "LOCAL_RANK": str(rank), "RANK": str(rank)}
                output = subprocess.PIPE if rank == 0 else log
                started.append(subprocess.Popen([*command, str(rank)], env=environment, stdout=output, stderr=log, text=True))
            yield started
    finally:
        stop(started)
        for process in started:
            with process:  # closes its pipe and collects its exit code
                pass


def _tell(progress: TrainProgress) -> None:
    print(_MARK + json_text(progress.__dict__, what="progress"), flush=True)


def _listen(stream: IO[str] | None, reporter: Reporter) -> None:
    for line in stream or ():
        if line.startswith(_MARK):
            reporter(TrainProgress(**json.loads(line.removeprefix(_MARK))))


def _failure(folder: Path, codes: list[int]) -> str:
    for rank in range(len(codes)):
        with contextlib.suppress(OSError):
            return (folder / f"error-{rank}.txt").read_text(encoding="utf-8")
    logs = [(folder / f"log-{rank}.txt").read_text(errors="replace").strip() for rank in range(len(codes))]
    failed = [rank for rank, code in enumerate(codes) if code]
    # Not who lost its peer, and not who was stopped for it (-SIGTERM), but who began.
    rank = min(failed, key=lambda r: (codes[r] == -signal.SIGTERM, "closed by peer" in logs[r] or "reset by peer" in logs[r], r))
    how = f"was killed by signal {-codes[rank]}" if codes[rank] < 0 else f"ended with code {codes[rank]}"
    return f"train: process {rank} of {len(codes)} {how}: {' | '.join(logs[rank].splitlines()[-5:])}"


def _silence(watch: Watch, config: TrainConfig, out: Path) -> str:
    who = "; ".join(f"process {rank} at {words}" for rank, words in watch.silent.items())
    return (
        f"train: of {config.devices} processes no sign of life for {watch.judge.patience:g} s: {who}. All were stopped; the state after "
        f"the last whole epoch is in {out}, and the same command goes on from there. A disk that does not answer, a machine out of "
        "memory or a model that waits for something may be the cause; devices=1 needs no other process."
    )
