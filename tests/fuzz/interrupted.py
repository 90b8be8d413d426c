"""Kills, full disks and two writers: what is there afterwards is whole, and the same call goes on."""

import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from orbitscope import Grid, Layout, OrbitscopeError, Trajectories, load, save
from orbitscope._whole import write_whole
from orbitscope.data import Writer

COUNT = 12
LAYOUT, GRID = Layout.of("velocity:vector"), Grid.square(16)


def _values(seed: int) -> torch.Tensor:
    return torch.randn(COUNT, 5, 2, 16, 16, generator=torch.Generator().manual_seed(seed))


def _write(path: Path, seed: int, force: bool = False, pause: float = 0.0) -> None:
    values = _values(seed)
    with Writer(path, LAYOUT, GRID, 0.1, COUNT, 5, {"seed": seed}, force=force) as writer:
        for i in writer.missing:
            writer.write(i, values[i])
            time.sleep(pause)


def _forked(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except OrbitscopeError:
            os._exit(10)
        except BaseException:
            os._exit(11)
    return child


def _code(child: int) -> int:
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def kills(folder: Path, seeds: Iterable[int]) -> list[str]:
    """kill -9 while a file is written, again and again; finished afterwards, it has the bytes of the uninterrupted one."""
    whole, faults = folder / "whole.nc", []
    _write(whole, 0)
    for seed in seeds:
        path = folder / "killed.nc"
        child = _forked(lambda path=path: _write(path, 0, pause=0.002))
        time.sleep(random.Random(seed).uniform(0.0, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if seed % 3 == 2:  # every third time it is finished
            if not path.exists():
                _write(path, 0)
            if path.read_bytes() != whole.read_bytes():
                faults.append(f"kill {seed}: other bytes")
            path.unlink()
        elif path.exists():
            path.unlink()
    for leftover in folder.glob("*.part"):
        leftover.unlink()
    return faults


def full_disks(folder: Path, seeds: Iterable[int]) -> list[str]:
    """No file may grow beyond a size: the old file stays as it was, nothing half-written has its name, and the error says so."""
    faults, data = [], Trajectories(_values(1), LAYOUT, GRID, 0.1)
    old = save(data[:2], folder / "full.nc").read_bytes()
    for seed in seeds:
        limit = int(random.Random(seed).uniform(0, 1.2) * data.nbytes)
        path = folder / "full.nc"
        note = folder / "note.json"
        note.write_text("old")

        def work(seed: int = seed, limit: int = limit, path: Path = path, note: Path = note) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            if seed % 2:
                write_whole(note, lambda part: part.write_bytes(b"n" * data.nbytes))
            else:
                save(data, path, force=True)

        code = _code(_forked(work))
        target, before = (note, b"old") if seed % 2 else (path, old)
        if code not in (0, 10):
            faults.append(f"full disk {seed}: ended with {code}")
        elif code == 10 and target.read_bytes() != before:
            faults.append(f"full disk {seed}: the old file is gone")
        elif code == 0 and not seed % 2 and not torch.equal(load(path).tensor(), data.tensor()):
            faults.append(f"full disk {seed}: not what was written")
        path.write_bytes(old)
        if left := [p.name for p in folder.iterdir() if p.name.endswith(".part")]:
            faults.append(f"full disk {seed}: {left} stays")
    shutil.rmtree(folder / "none", ignore_errors=True)
    return faults


def two_writers(folder: Path, seeds: Iterable[int]) -> list[str]:
    """Two processes write one file at once, with --force and without: one is refused or comes later; the file is that of one."""
    faults = []
    for seed in seeds:
        path, rng = folder / "two.nc", random.Random(seed)
        force = rng.random() < 0.7
        first = _forked(lambda path=path, force=force: _write(path, 1, force=force, pause=0.001))
        time.sleep(rng.uniform(0.0, 0.03))
        second = _forked(lambda path=path, force=force: _write(path, 2, force=force, pause=0.001))
        codes = {1: _code(first), 2: _code(second)}
        done = [s for s, code in codes.items() if code == 0]
        if not done or set(codes.values()) - {0, 10}:
            faults.append(f"two writers {seed}: {codes}")
            continue
        found = load(path)
        if found.provenance["seed"] not in done or not torch.equal(found.tensor(), _values(found.provenance["seed"])):
            faults.append(f"two writers {seed}: the file is of neither")
        for name in folder.glob("*two.nc*"):
            name.unlink()
    return faults


INTERRUPTIONS: dict[str, Callable[[Path, Iterable[int]], list[str]]] = {
    "kill -9": kills, "full disk": full_disks, "two writers": two_writers,
}  # fmt: skip
