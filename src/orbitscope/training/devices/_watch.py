"""Watching the processes of a launch, and stopping them."""

import contextlib
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ._pulse import Judge

_GRACE = 5.0  # seconds in which the others may fail by themselves, with a message of their own
_LOOK = 0.5


class Watch(threading.Thread):
    """Stops all processes as soon as one has failed, or is silent: the others may wait for it for ever."""

    def __init__(self, processes: Sequence["subprocess.Popen[str]"], folder: Path, patience: float) -> None:
        super().__init__(daemon=True)
        self.processes, self.judge = processes, Judge(folder, len(processes), patience)
        self.silent: dict[int, str] = {}
        """Who was silent, and where."""

    def run(self) -> None:
        """Until all have ended."""
        while running := [rank for rank, process in enumerate(self.processes) if process.poll() is None]:
            if any(process.poll() for process in self.processes):
                self._wait(_GRACE)
                return stop(self.processes)
            self.silent = self.judge.silent(running)
            if self.silent:
                return stop(self.processes)
            time.sleep(_LOOK)
        return None

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(process.poll() is None for process in self.processes):
            time.sleep(0.05)


def stop(processes: Sequence["subprocess.Popen[str]"], patience: float = 5.0) -> None:
    """Ask all to end; end those that do not."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
        if process.poll() is None:  # a stopped process does not even hear that it should end
            process.kill()
            process.wait()
