"""Several processes: the gradient of one, errors that come back, decisions that all take alike, and a peer that falls silent."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_train import PAIR, quiet, same, toy, weights

from orbitscope import OrbitscopeError
from orbitscope.data import load, save
from orbitscope.emulators import TrainConfig, load_run
from orbitscope.training import FitConfig, fit, load_fit
from orbitscope.training._progress import Reporter
from orbitscope.training.devices import _launch, _pulse, _watch

from ..cases import CloudNet, clouds

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
from orbitscope.training import FitConfig, _loop, fit
from orbitscope.training.files import _files, _folder

RANK = int(os.environ["RANK"])
random.seed(7 + RANK)
torch.set_num_threads(1)

from tests.cases import CloudNet, clouds

quick = FitConfig(epochs=2, batch=4, learning_rate=1e-2, precision="64", devices=2, device="cpu")
for out, loss in (("rows", "mse"), ("mean", lambda p, t: sum((a - b).square().mean() for a, b in zip(p, t)))):
    fit(CloudNet, clouds(), quick, loss=loss, validation=clouds(5), out=out, progress=None)


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


@pytest.fixture(scope="module")
def peers(tmp_path_factory):
    """Two processes of another launcher, which fit, and then train, each late at random at every turn; and what they printed."""
    folder = tmp_path_factory.mktemp("peers")
    save(toy(dtype=torch.float64), folder / "toy.nc")
    (folder / "script.py").write_text(LATE.replace("CONFIG", repr(PAIR.to_dict())))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "NODE_RANK": "0"}
    shared |= {"LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "x", "GROUP_RANK": "0"}
    shared["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    processes = [
        subprocess.Popen(
            [sys.executable, "script.py"], cwd=folder, env={**shared, "RANK": rank, "LOCAL_RANK": rank},
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
    return folder, [out for out, _ in answers]


def test_two_processes_fit_with_the_gradient_of_one(peers):
    """Also where the loss is a mean over the examples of each process, whose numbers differ (21 in batches of 4: 1 and 0 in the last)."""
    config = FitConfig(epochs=2, batch=4, learning_rate=1e-2, precision="64")
    one = fit(CloudNet, clouds(), config, loss="mse", validation=clouds(5), progress=None)
    for out in ("rows", "mean"):
        two = load_fit(peers[0] / out, CloudNet().double())
        assert [h["train"] for h in two.history] == pytest.approx([h["train"] for h in one.history], rel=1e-6)
        assert [h["validation"] for h in two.history] == pytest.approx([h["validation"] for h in one.history], rel=1e-6)
        for p, q in zip(two.model.parameters(), one.model.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-9)


def test_start_resume_and_failure_with_late_peers(peers):
    """They end, alike, with the bits of one another."""
    folder, said = peers
    for out in said:
        lines = dict(line.split(" | ", 1) for line in out.splitlines() if " | " in line)
        assert list(lines) == ["late:Fails", "run.json", "state.pt", "foreign"]
        assert "not finite" in lines["late:Fails"] or "inf" in lines["late:Fails"]
        assert "no space for run.json" in lines["run.json"] and "no space for state.pt" in lines["state.pt"]
        assert "thesis.txt" in lines["foreign"]
    for k in range(3):
        assert load_run(folder / f"run-{k}").finished and same(weights(folder / f"run-{k}"), weights(folder / "run-0"))


# ---------------------------------------------------------------------------------------------------------------- failing, silent

DEAF = """
import os, signal, time
import torch


class Deaf(torch.nn.Conv2d):
    def __init__(self, channels_in):
        super().__init__(channels_in, channels_in, 1)

    def forward(self, x):
        if os.environ.get("RANK") == "1":
            time.sleep(1.5)  # its last sign is written by a thread, which must come to it
            os.kill(os.getpid(), signal.SIGSTOP)
        return super().forward(x)
"""

FAILING = """
import os, signal, sys
from pathlib import Path

from orbitscope import OrbitscopeError
from orbitscope.training.devices import _launch


def run(job, folder, tell):
    if os.environ["RANK"] == "1":
        if job["what"] == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OrbitscopeError("the loss is inf at epoch 1, step 1")
    signal.pause()  # waits for the other, for ever


if __name__ == "__main__":
    sys.exit(_launch.work(Path(sys.argv[1]), int(sys.argv[2]), run))
"""


class Hasty(_pulse.Judge):
    """Patient until the training has begun: a busy machine may take long to import what it needs."""

    def silent(self, running):
        self.patience = 3.0 if any(sign is not None and sign.words.startswith("epoch") for sign in self.last) else 120.0
        return super().silent(running)


@pytest.fixture
def started(tmp_path, monkeypatch):
    """The processes that a test starts, which see modules of its folder; none is left at the end."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    started, real = [], subprocess.Popen

    def popen(*arguments, **more):
        started.append(real(*arguments, **more))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    yield started
    assert len(started) == 2 and all(process.returncode is not None for process in started)
    assert not list(tmp_path.glob(".launch-*"))


def test_a_process_that_stands_still_and_is_deaf_to_signals_is_named(tmp_path, monkeypatch, started):
    (tmp_path / "deaf_model.py").write_text(DEAF)
    monkeypatch.setattr(_watch, "Judge", Hasty)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "deaf_model", raising=False)
    config = TrainConfig(model="deaf_model:Deaf", epochs=1, batch=4, devices=2, device="cpu")
    words = r"no sign of life for 3 s: .*process 1 at (epoch 1, step 1|reading the data)\. All were stopped"
    with pytest.raises(OrbitscopeError, match=words):
        quiet(toy(), config, tmp_path / "run")


@pytest.mark.parametrize(("what", "words"), [("fails", "^the loss is inf at epoch 1"), ("dies", r"process 1 of 2 was killed by signal 9")])
def test_what_goes_wrong_in_a_process_comes_back(tmp_path, monkeypatch, started, what, words):
    """An error of ours, and a sudden death, while the other process waits; what a training of several processes raises: `LATE`."""
    (tmp_path / "failing.py").write_text(FAILING)
    monkeypatch.setattr(_watch, "_GRACE", 0.5)
    with _launch.job_folder(tmp_path / "run") as folder, pytest.raises(OrbitscopeError, match=words):
        _launch.launch("failing", folder, {"what": what}, 2, tmp_path / "run", Reporter(None, "a test"))
