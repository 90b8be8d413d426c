"""Signs of life of the processes of a launch: each says where it is and how much it has computed; the launcher reads and judges.

A collective that one process does not enter keeps all others waiting, without an error, for as long as the process group allows (half an
hour with gloo). So a process that neither moves on nor computes for a minute ends the launch with a message that says where it was.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

PATIENCE = 60.0
"""Seconds without a sign of life after which a process counts as silent."""

_START = 300.0  # seconds until the first sign: a cold disk may take minutes to import torch
_INTERVAL = 0.5
_IDLE = 0.01  # less than this share of the time on a processor is none

WORKS, COMPUTES, WAITS = "works", "computes", "waits"
"""On its own; on its own and for others, together (a backward pass); for others."""


@dataclass(frozen=True)
class Sign:
    """Where a process is: how many signs its main thread has given, processor seconds so far, WORKS, COMPUTES or WAITS, in words."""

    count: int
    cpu: float
    state: str
    words: str


_now = Sign(0, 0.0, WAITS, "the start")


def beat(words: str, state: str = WORKS) -> None:
    """The main thread of this process has come to `words`."""
    global _now
    _now = Sign(_now.count + 1, 0.0, state, words)


@contextlib.contextmanager
def waiting(words: str, state: str = WAITS) -> Iterator[None]:
    """Around everything that returns only when the other processes come to it too."""
    before = _now
    beat(words, state)
    try:
        yield
    finally:
        beat(before.words, before.state)


def start(folder: Path, rank: int) -> None:
    """Write the signs of this process into `folder` from now on, in a thread; end the process when its launcher is gone."""
    threading.Thread(target=_write, args=(folder / f"sign-{rank}.txt", os.getppid()), daemon=True).start()


def _write(path: Path, launcher: int) -> None:
    part = path.with_suffix(".part")
    while os.getppid() == launcher:
        sign = replace(_now, cpu=time.process_time())
        with contextlib.suppress(OSError):  # the folder goes when the launch ends
            part.write_text(f"{sign.count}\n{sign.cpu}\n{sign.state}\n{sign.words}", encoding="utf-8")
            os.replace(part, path)
        time.sleep(_INTERVAL)
    os._exit(3)  # whoever started this is dead: nobody would ever collect the result


def _read(path: Path) -> Sign | None:
    try:
        count, cpu, state, words = path.read_text(encoding="utf-8").split("\n", 3)
    except (OSError, ValueError):
        return None
    return Sign(int(count), float(cpu), state, words)


class Judge:
    """Says which of the processes of a launch are silent, from the signs in `folder`.

    Silent is who has given no new sign for `patience` seconds and has not computed meanwhile, unless it waits for another. If all that
    still run wait, for each other then, all are silent.
    """

    def __init__(self, folder: Path, count: int, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder, self.patience, self.clock = folder, patience, clock
        self.last: list[Sign | None] = [None] * count
        self.since = [clock()] * count

    def silent(self, running: Sequence[int]) -> dict[int, str]:
        """The silent ones of the processes `running`, and where they were."""
        now = self.clock()
        stuck: dict[int, Sign | None] = {}
        for rank in running:
            sign, last = _read(self.folder / f"sign-{rank}.txt"), self.last[rank]
            fresh = sign is not None and (
                last is None or sign.count != last.count or (sign.state != WAITS and sign.cpu - last.cpu > _IDLE * self.patience)
            )
            if fresh:
                self.last[rank], self.since[rank] = sign, now
            if now - self.since[rank] > (_START if sign is None else self.patience):
                stuck[rank] = sign
        blamed = {rank: sign for rank, sign in stuck.items() if sign is None or sign.state == WORKS}
        if not blamed and running and len(stuck) == len(running):
            blamed = stuck
        return {rank: "its start" if sign is None else sign.words for rank, sign in blamed.items()}
