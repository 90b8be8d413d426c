"""One process for each device, started here.

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
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import torch

from ..._errors import OrbitscopeError
from ..._json import json_text
from ..._parent import end_with_parent
from ..._whole import alive, machine
from .._progress import Reporter, TrainProgress
from ..files import read_json, write_json
from . import _pulse as pulse
from ._watch import Watch, stop

_MARK = "@orbitscope "
_JOB = "job.json"

Run = Callable[[dict[str, Any], Path, Callable[[TrainProgress], None]], None]
"""(job, folder of the job, where to tell progress): what one process does."""


@contextlib.contextmanager
def job_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` for what is handed to the processes; it goes when they have ended, or when the next training starts here."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for left in out.parent.glob(".launch-*-*-*"):
        _, process, place, *_ = left.name.removeprefix(".").split("-")
        if place == machine() and process.isdecimal() and not alive(int(process)):  # its process was killed
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f".launch-{os.getpid()}-{machine()}-", dir=out.parent))
    try:
        with _stoppable():
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Within the block SIGTERM ends the program in order, as Ctrl-C does; where it cannot be caught (a thread), nothing is changed."""

    def stop_now(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    before = signal.signal(signal.SIGTERM, stop_now)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def launch(worker: str, folder: Path, job: Mapping[str, Any], count: int, out: Path, reporter: Reporter) -> None:
    """Start `count` processes of the module `worker` on a job; progress and errors come back here, and a stop here stops them.

    The module is run as `python -m worker FOLDER RANK` and should call `work`. `out` is where the run is written, for messages.
    """
    write_json(folder / _JOB, {**job, "path": sys.path})
    with _processes(worker, folder, count) as processes:
        watch = Watch(processes, folder, pulse.PATIENCE)
        watch.start()
        _listen(processes[0].stdout, reporter)
        codes = [process.wait() for process in processes]
        watch.join()
    if watch.silent or any(codes):
        raise OrbitscopeError(_silence(watch, count, out) if watch.silent else _failure(folder, codes))


def work(folder: Path, rank: int, run: Run) -> int:
    """One process of a launch; returns its exit code."""
    end_with_parent()
    pulse.start(folder, rank)
    job = read_json(folder / _JOB)
    sys.path[:] = [*sys.path, *(p for p in job["path"] if p not in sys.path)]
    try:
        pulse.beat("reading the data")
        run(job, folder, _tell)
    except OrbitscopeError as error:
        (folder / f"error-{rank}.txt").write_text(str(error), encoding="utf-8")
        return 2
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return 0


@contextlib.contextmanager
def _processes(worker: str, folder: Path, count: int) -> Iterator[list["subprocess.Popen[str]"]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count), "NODE_RANK": "0"}
    command = [sys.executable, "-m", worker, str(folder)]
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


def _silence(watch: Watch, count: int, out: Path) -> str:
    who = "; ".join(f"process {rank} at {words}" for rank, words in watch.silent.items())
    return (
        f"train: of {count} processes no sign of life for {watch.judge.patience:g} s: {who}. All were stopped; the state after "
        f"the last whole epoch is in {out}, and the same command goes on from there. A disk that does not answer, a machine out of "
        "memory or a model that waits for something may be the cause; devices=1 needs no other process."
    )
