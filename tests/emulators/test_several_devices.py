"""Several processes: the gradient of one, errors that come back, decisions that all take alike, and peers that fall silent."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from test_train import PAIR, quiet, same, toy, weights

from orbitscope import OrbitscopeError
from orbitscope.data import load, save
from orbitscope.emulators import TrainConfig, load_run
from orbitscope.training.devices import _pulse, _watch

SCRIPT = """
from orbitscope.data import load
from orbitscope.emulators import TrainConfig, train
config = TrainConfig.from_dict(CONFIG).replace(devices=2)
seen = []
train(load("toy.nc")[[9, 2, 3, 4, 5, 6, 7]], config, "two", progress=seen.append, tensorboard=False)
print(len(seen), "steps seen")
"""


def test_two_processes_give_the_gradient_of_one(tmp_path):
    """From a script without a __main__ guard, on data that stay in their file; float64, so that only the order of sums differs."""
    save(toy(dtype=torch.float64), tmp_path / "toy.nc")
    (tmp_path / "script.py").write_text(SCRIPT.replace("CONFIG", repr(PAIR.to_dict())))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    quiet(load(tmp_path / "toy.nc")[[9, 2, 3, 4, 5, 6, 7]], PAIR, tmp_path / "one")
    one, two = load_run(tmp_path / "one"), load_run(tmp_path / "two")
    assert f"{2 * -(-3 * len(one.split['train']) // 5)} steps seen" in done.stdout
    for name, value in weights(tmp_path / "one").items():
        torch.testing.assert_close(weights(tmp_path / "two")[name], value, rtol=1e-6, atol=1e-9, msg=name)
    assert two.metrics["test"]["smse"] == pytest.approx(one.metrics["test"]["smse"], rel=1e-6)
    assert [h["train"] for h in two.history] == pytest.approx([h["train"] for h in one.history], rel=1e-6)
    assert not list(tmp_path.glob(".launch-*"))


# ---------------------------------------------------------------------------------------------------------------- late peers

LATE = """
import os, random, sys, time
from pathlib import Path

import torch

from orbitscope import OrbitscopeError
from orbitscope.data import load
from orbitscope.emulators import TrainConfig, train
from orbitscope.emulators.training import _train
from orbitscope.training import _loop
from orbitscope.training.files import _files, _folder

RANK = int(os.environ["RANK"])
random.seed(7 + RANK)
torch.set_num_threads(1)


def late(owner, name):
    real = getattr(owner, name)

    def wrapped(*arguments, **more):
        time.sleep(random.choice((0.0, 0.0, 0.05, 0.15)))
        return real(*arguments, **more)

    setattr(owner, name, wrapped)


for name in ("__init__", "run", "_resume", "_save", "_finish", "_main", "measure"):
    late(_loop.Trainer, name)
for name in ("_finished", "_clear"):
    late(_folder, name)
for name in ("check_folder", "unfinished"):
    late(_train, name)


class Fails(torch.nn.Conv2d):
    def __init__(self, channels_in):
        super().__init__(channels_in, channels_in, 1)

    def forward(self, x):
        return super().forward(x) * (float("inf") if RANK == 1 else 1.0)


class Stop(Exception):
    pass


def stopping(self, real=_loop.Trainer._save):
    real(self)
    if self.at.epoch == 1:
        raise Stop


def refused(path, write, real=_files.write_whole):
    if path.name == refuse:
        raise OrbitscopeError(f"no space for {path.name}")  # the first process alone ever writes
    real(path, write)


data = load("toy.nc").load()
config = TrainConfig.from_dict(CONFIG).replace(devices=2, device="cpu", keep="all")
quiet = dict(progress=None, tensorboard=False)
sys.modules["late"] = sys.modules["__main__"]
whole = _loop.Trainer._save
for k in range(3):
    _loop.Trainer._save = stopping
    try:
        train(data, config, f"run-{k}", force=k == 2, **quiet)  # k = 2: over the finished run that all found a moment ago
    except Stop:
        pass
    _loop.Trainer._save = whole
    train(data, config, f"run-{k}", **quiet)
    train(data, config, f"run-{k}", **quiet)  # finished
    if k == 1:
        os.path.exists("run-2") or RANK or os.symlink("run-1", "run-2")
for wrong in ("late:Fails", "run.json", "state.pt", "foreign"):
    refuse = wrong
    _files.write_whole = refused
    if wrong == "foreign" and RANK == 0:
        Path(wrong).mkdir()
        Path(wrong, "thesis.txt").write_text("mine")
    try:
        train(data, config.replace(model="late:Fails", overrides={}) if ":" in wrong else config, wrong, **quiet)
    except OrbitscopeError as error:
        print(wrong, "|", error)
torch.distributed.destroy_process_group()
"""


def test_start_resume_and_failure_with_late_peers(tmp_path):
    """Two processes of another launcher, each late at random at every turn: they end, alike, with the bits of one another."""
    save(toy(dtype=torch.float64), tmp_path / "toy.nc")
    (tmp_path / "script.py").write_text(LATE.replace("CONFIG", repr(PAIR.to_dict())))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "NODE_RANK": "0"}
    shared |= {"LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "x", "GROUP_RANK": "0"}
    processes = [
        subprocess.Popen(
            [sys.executable, "script.py"], cwd=tmp_path, env={**shared, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in "01"
    ]  # fmt: skip
    try:
        answers = [process.communicate(timeout=180) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], [error[-2000:] for _, error in answers]
    for out, _ in answers:
        lines = dict(line.split(" | ", 1) for line in out.splitlines() if " | " in line)
        assert list(lines) == ["late:Fails", "run.json", "state.pt", "foreign"]
        assert "not finite" in lines["late:Fails"] or "inf" in lines["late:Fails"]
        assert "no space for run.json" in lines["run.json"] and "no space for state.pt" in lines["state.pt"]
        assert "thesis.txt" in lines["foreign"]
    for k in range(3):
        assert load_run(tmp_path / f"run-{k}").finished and same(weights(tmp_path / f"run-{k}"), weights(tmp_path / "run-0"))


# ---------------------------------------------------------------------------------------------------------------- failing, silent

BAD = """
import os, signal, time
import torch

RANK = int(os.environ.get("RANK", -1))


class Bad(torch.nn.Conv2d):
    def __init__(self, channels_in, what):
        super().__init__(channels_in, channels_in, 1)
        self.what = what

    def forward(self, x):
        if RANK == 1 and self.what in ("stops", "dies"):
            time.sleep(1.5)  # its last sign is written by a thread, which must come to it
            os.kill(os.getpid(), {"stops": signal.SIGSTOP, "dies": signal.SIGKILL}[self.what])
        return super().forward(x) * float("inf")
"""


class Hasty(_pulse.Judge):
    """Patient until the training has begun, and in every test but the one of silence: a busy machine may take long for anything."""

    hasty = False

    def silent(self, running):
        self.patience = 3.0 if self.hasty and any(sign is not None and sign.words.startswith("epoch") for sign in self.last) else 120.0
        return super().silent(running)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("overflows", r"loss is .* at epoch 1, step 1"),
        ("dies", r"process 1 of 2 was killed by signal 9"),
        ("stops", r"no sign of life for 3 s: .*process 1 at (epoch 1, step 1|reading the data)\. All were stopped"),
    ],
)
def test_what_goes_wrong_in_a_process_comes_back(tmp_path, monkeypatch, what, words):
    """An error, a sudden death, a process that stands still and is deaf to signals; and nothing stays behind."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    monkeypatch.setattr(_watch, "Judge", Hasty)
    monkeypatch.setattr(Hasty, "hasty", what == "stops")
    (tmp_path / "bad_model.py").write_text(BAD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "bad_model", raising=False)
    started, real = [], subprocess.Popen

    def popen(*arguments, **more):
        started.append(real(*arguments, **more))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    config = TrainConfig(model="bad_model:Bad", overrides={"what": what}, epochs=1, batch=4, devices=2, device="cpu")
    with pytest.raises(OrbitscopeError, match=words):
        quiet(toy(), config, tmp_path / "run")
    assert len(started) == 2 and all(process.returncode is not None for process in started)
    assert not list(tmp_path.glob(".launch-*"))


def test_who_is_silent(tmp_path):
    """The rule, with a clock of its own: nothing new and not computing; who waits is blamed only where nobody works."""
    now = 0.0
    judge = _pulse.Judge(tmp_path, 2, patience=60.0, clock=lambda: now)

    def sign(rank, count, cpu, state, words="step 1"):
        (tmp_path / f"sign-{rank}.txt").write_text(f"{count}\n{cpu}\n{state}\n{words}")

    def after(seconds):
        nonlocal now
        now += seconds
        return judge.silent([0, 1])

    assert after(200.0) == {} and after(200.0) == {0: "its start", 1: "its start"}
    sign(0, 1, 1.0, "waits")
    sign(1, 1, 1.0, "works")
    assert after(0.0) == {} and after(50.0) == {}
    sign(1, 1, 30.0, "works")  # one long step
    assert after(20.0) == {} and after(50.0) == {}
    assert after(20.0) == {1: "step 1"}  # the other waits for it, and is not blamed
    sign(1, 2, 30.0, "waits", "files")
    assert after(0.0) == {} and after(61.0) == {0: "step 1", 1: "files"}  # each waits for the other
    sign(0, 2, 1.0, "computes")
    sign(1, 3, 30.0, "computes")
    assert after(0.0) == {}
    sign(0, 2, 40.0, "computes")  # a long backward pass
    assert after(61.0) == {} and after(61.0) == {0: "step 1", 1: "step 1"}
    sign(0, 3, 99.0, "waits")
    sign(1, 4, 99.0, "works")
    assert judge.silent([0]) == {}  # the other has ended
    sign(0, 3, 200.0, "waits")  # a processor that spins while it waits does not move on
    assert (after(61.0), judge.silent([0]))[1] == {0: "step 1"}


CHILD = """
import importlib.util, sys, time
from pathlib import Path
spec = importlib.util.spec_from_file_location("pulse", sys.argv[1])
pulse = importlib.util.module_from_spec(spec)
sys.modules["pulse"] = pulse
spec.loader.exec_module(pulse)
pulse.start(Path(sys.argv[2]), 0)
time.sleep(600)
"""


def test_a_process_whose_launcher_is_killed_ends(tmp_path):
    assert importlib.util.find_spec("orbitscope.training.devices._pulse") is not None
    parent = "import subprocess, sys, time; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); time.sleep(600)"
    command = [sys.executable, "-c", parent, sys.executable, "-c", CHILD, str(_pulse.__file__), str(tmp_path)]
    launcher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    child = int(launcher.stdout.readline())
    try:
        end = time.monotonic() + 60
        while not (tmp_path / "sign-0.txt").exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert (tmp_path / "sign-0.txt").exists()
        launcher.send_signal(signal.SIGKILL)
        launcher.communicate()
        while _runs(child) and time.monotonic() < end:
            time.sleep(0.05)
        assert not _runs(child)
    finally:
        launcher.kill()
        if _runs(child):
            os.kill(child, signal.SIGKILL)


def _runs(pid):
    """Whether a process is there and not a zombie that nobody collects."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
