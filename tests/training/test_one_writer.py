"""One writer at a time, parts of one's own, workers that end with their parent, and states that were changed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from torch import nn

from orbitscope import OrbitscopeError, TrainConfig, train
from orbitscope._lock import Lock, locked
from orbitscope._whole import own_part, write_whole
from orbitscope.data import Trajectories
from orbitscope.symmetry import Grid, Layout
from orbitscope.training import FitConfig, fit
from orbitscope.training.devices import job_folder
from orbitscope.training.files import read_state, read_weights, write_state, write_weights

SOURCE = Path(__file__).parents[2] / "src" / "orbitscope"


def test_a_lock_names_its_holder_and_falls_with_it(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with locked(path), pytest.raises(OrbitscopeError, match=r"out is being written by this process since \d{4}-.*Wait"):
        Lock(path)
    with locked(path), locked(tmp_path / "other"):
        pass
    assert not list(tmp_path.iterdir())
    (tmp_path / ".out.lock").write_text("left by a process that was killed")  # the system's lock fell with it
    Lock(path).release()
    assert not list(tmp_path.iterdir())


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    x = torch.linspace(-1, 1, 16)[:, None]
    data = Trajectories(torch.randn(4, 3, 2, 8, 8), Layout.of("velocity:vector"), Grid.square(8), 0.1)
    config = TrainConfig(model="resnet", overrides={"width": 2, "depth": 1}, epochs=1)
    with locked(tmp_path / "run"):
        for force in (False, True):
            with pytest.raises(OrbitscopeError, match="run is being written by this process"):
                train(data, config, tmp_path / "run", progress=None, tensorboard=False, force=force)
            with pytest.raises(OrbitscopeError, match="run is being written by this process"):
                fit(nn.Linear(1, 1), (x, x), FitConfig(epochs=1), loss="mse", out=tmp_path / "run", progress=None, force=force)
    assert not list(tmp_path.iterdir())


def test_every_write_of_a_whole_file_has_a_part_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.json"

    def outer(part: Path) -> None:
        part.write_text("outer")
        write_whole(path, lambda inner: inner.write_text("inner"))  # another process, while this one is at it
        assert path.read_text() == "inner" and part.read_text() == "outer"

    write_whole(path, outer)
    assert path.read_text() == "outer" and [p.name for p in tmp_path.iterdir()] == ["a.json"]
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine, dead = own_part(path), Path(str(own_part(path)).replace(f".{os.getpid()}-", f".{gone.pid}-"))
    for part in (mine, dead, tmp_path / "a.json.other.part"):
        part.write_text("half")
    write_whole(path, lambda part: part.write_text("new"))
    assert {p.name for p in tmp_path.iterdir()} == {"a.json", mine.name, "a.json.other.part"}


def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    code = SOURCE.joinpath("_parent.py").read_text() + "\nend_with_parent()\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n"
    (tmp_path / "worker.py").write_text(code)
    start = f"import subprocess, sys, time; subprocess.Popen([sys.executable, {str(tmp_path / 'worker.py')!r}]); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert parent.stdout.read() == ""  # ends when the last process that holds the pipe has ended
    parent.stdout.close()
    with contextlib.suppress(ProcessLookupError):
        for _ in range(100):
            os.kill(worker, 0)
            time.sleep(0.05)
        pytest.fail("the worker lives on")


def test_what_a_killed_launch_left_is_removed_by_the_next(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with job_folder(tmp_path / "run") as folder:
        name = folder.name
    (tmp_path / name.replace(f"-{os.getpid()}-", f"-{gone.pid}-")).mkdir()
    (tmp_path / name.replace(f"-{os.getpid()}-", "-1-")).mkdir()  # of a process that lives
    with job_folder(tmp_path / "run") as folder:
        assert {p.name for p in tmp_path.iterdir()} == {folder.name, name.replace(f"-{os.getpid()}-", "-1-")}


def test_a_changed_state_is_refused(tmp_path: Path) -> None:
    x = torch.linspace(-1, 1, 16)[:, None]

    class Stop(Exception):
        pass

    def stop(seed: int, epoch: int, model: nn.Module) -> None:
        if epoch == 2:
            raise Stop

    def go(**more: Any) -> Any:
        torch.manual_seed(0)
        return fit(nn.Linear(1, 1), (x, 2 * x), FitConfig(epochs=3), loss="mse", out=tmp_path / "run", progress=None, **more)

    with pytest.raises(Stop):
        go(on_epoch=stop)
    file = tmp_path / "run" / "state.pt"
    clean = file.read_bytes()
    state = torch.load(file, weights_only=True)
    optimiser = state["optimiser"]
    changes: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
        lambda s: {k: v for k, v in s.items() if k != "best_epoch"}, lambda s: {k: v for k, v in s.items() if k != "model"},
        lambda s: s | {"epoch": "2"}, lambda s: s | {"epoch": torch.tensor(2)}, lambda s: s | {"epoch": 1}, lambda s: s | {"optimiser": []},
        lambda s: s | {"history": torch.ones(2)}, lambda s: s | {"model": True}, lambda s: s | {"model": {"weight": [], "bias": []}},
        lambda s: s | {"best": None}, lambda s: s | {"optimiser": {**optimiser, "param_groups": []}},
        lambda s: s | {"optimiser": {**optimiser, "state": {0: {"exp_avg": torch.ones(7)}}}},
        lambda s: s | {"optimiser": {**optimiser, "param_groups": [{**optimiser["param_groups"][0], "betas": None}]}},
        lambda s: s | {"history": [{**s["history"][0], "train": 9.0}, s["history"][1]]},
    ]  # fmt: skip
    for k, change in enumerate(changes):
        for signed in (True, False):  # older states have no checksum, and what fits every type is then believed
            changed = change(dict(state))
            if not signed:
                changed.pop("checksum", None)
            if signed or k < len(changes) - 1:
                torch.save(changed, file)
                with pytest.raises(OrbitscopeError, match=r"state\.pt"):
                    go()
    torch.save([1, 2], file)
    with pytest.raises(OrbitscopeError, match=r"state\.pt should hold named entries"):
        go()
    file.write_bytes(clean)
    assert read_state(file)["epoch"] == 2 and go().epoch in (1, 2, 3)


def test_damaged_weights_are_refused_and_older_ones_are_read(tmp_path: Path) -> None:
    model, path = nn.Linear(3, 2), tmp_path / "model.safetensors"
    write_weights(path, model, {"epoch": 3, "validation": 0.25})
    weights, about = read_weights(path)
    assert about == {"epoch": 3, "validation": 0.25} and torch.equal(weights["weight"], model.weight)
    content = path.read_bytes()
    for old, new in ((content[-5:-4], bytes([content[-5] ^ 1])), (b"0.25", b"0.20"), (b"weight", b"wEight")):
        at = len(content) - 5 if len(old) == 1 else content.index(old)
        path.write_bytes(content[:at] + new + content[at + len(new) :])
        with pytest.raises(OrbitscopeError, match=r"model\.safetensors is damaged"):
            read_weights(path)
    path.write_bytes(save({"weight": model.weight.detach()}, {"orbitscope": "{}"}))  # no checksum, as files of others
    assert read_weights(path)[1] == {}


@pytest.mark.parametrize(("name", "value"), [("maximize", 0.5), ("amsgrad", True), ("betas", (0.9, 0.5)), ("lr", "1"), ("eps", 1)])
def test_a_state_with_other_settings_of_its_optimiser_is_refused(tmp_path: Path, name: str, value: object) -> None:
    x = torch.linspace(-1, 1, 16)[:, None]
    fit(nn.Linear(1, 1), (x, x), FitConfig(epochs=2), loss="mse", out=tmp_path, progress=None)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    state["optimiser"]["param_groups"][0][name] = value
    write_state(tmp_path / "state.pt", {k: v for k, v in state.items() if k != "checksum"})
    said = json.loads((tmp_path / "run.json").read_text())
    said["config"]["epochs"], said["finished"] = 3, False
    (tmp_path / "run.json").write_text(json.dumps(said))
    with pytest.raises(OrbitscopeError, match=f"its setting '{name}' is"):
        fit(nn.Linear(1, 1), (x, x), FitConfig(epochs=3), loss="mse", out=tmp_path, progress=None)
