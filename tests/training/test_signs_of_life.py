"""Who of several processes is silent, and that none outlives its launcher."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from orbitscope.training.devices import _pulse


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
