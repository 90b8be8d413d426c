"""Changed, hostile and interrupted inputs for every door: how they are made, and what became of each.

Every input is tried in a process that is forked off this one, with limits on memory and time, so that a crash or a hang is counted and not
suffered. `accepted`: a value or exit code 0 or 1; `refused`: an `OrbitscopeError` or exit code 2. Everything else is a fault: `traceback`,
`memory` (MemoryError), `hang` (over the limit), `signal` (a crash), `silent` (read without a word, and not what was written), `outside`
(another file changed).
"""

import os
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from orbitscope import OrbitscopeError

OUTCOMES = ("accepted", "refused", "traceback", "memory", "hang", "signal", "silent", "outside")
FAULTS = OUTCOMES[2:]
_CODES = {0: "accepted", 10: "refused", 11: "traceback", 12: "memory", 13: "silent", 14: "outside"}
_HEADROOM = 3 * 2**30


class Silent(Exception):
    """Damage that was read without a word."""


class Outside(Exception):
    """A file that has nothing to do with the input was changed."""


class Refused(Exception):
    """Exit code 2."""


def outcome(work: Callable[[], object], log: Path, label: str, seconds: int = 20) -> str:
    """What became of one input."""
    child = os.fork()
    if child == 0:
        os._exit(_inside(work, log, label, seconds))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        found = "hang" if number in (signal.SIGALRM, signal.SIGXCPU) else "signal"
        with log.open("a") as stream:
            stream.write(f"== {label}: {found} {number}\n")
        return found
    return _CODES.get(os.WEXITSTATUS(status), "signal")


def tally(inputs: Callable[[int], tuple[str, Callable[[], object]]], count: int, log: Path, seconds: int = 20) -> Counter[str]:
    """How often each outcome came, over the inputs of seeds 0 .. count - 1."""
    found: Counter[str] = Counter()
    for seed in range(count):
        label, work = inputs(seed)
        found[outcome(work, log, label, seconds)] += 1
    return found


def _inside(work: Callable[[], object], log: Path, label: str, seconds: int) -> int:
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") if sys.platform == "linux" else 0
        resource.setrlimit(resource.RLIMIT_AS, (used + _HEADROOM, used + _HEADROOM))
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        work()
        return 0
    except (OrbitscopeError, Refused):
        return 10
    except BaseException as error:
        with log.open("a") as stream:
            stream.write(f"== {label}\n{traceback.format_exc()}\n")
        kinds = {MemoryError: 12, Silent: 13, Outside: 14}
        return next((code for kind, code in kinds.items() if isinstance(error, kind)), 11)
