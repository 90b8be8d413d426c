"""One writer at a time: a lock beside what is written, which says who holds it and falls with its process.

The lock is the system's own (flock), so a process that was killed leaves none behind, whatever file remains. The package filelock, which
comes with torch, keeps its file for ever after, and its older versions empty the file of another holder, which is where the name stands.
"""

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ._errors import OrbitscopeError

try:
    import fcntl
except ImportError:  # Windows: no lock, as before there was one
    fcntl = None


class Lock:
    """Held from its making to `release`, or to the end of the process.

    Raises `OrbitscopeError` where another process (or another part of this one) holds it, naming that process, and where the folder cannot
    be written. A file system without locks gives none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.with_name(f".{path.name}.lock")
        self._process = os.getpid()
        self._stream = _locked(self.file, path)

    def release(self) -> None:
        """Let others write; twice does nothing."""
        stream, self._stream = self._stream, None
        if stream is not None and self._process == os.getpid():  # a process that was forked off does not hold it
            with contextlib.suppress(OSError):
                self.file.unlink()  # while it is held: whoever opened it meanwhile sees that it is gone, and opens anew
            os.close(stream)

    def __del__(self) -> None:
        if getattr(self, "_stream", None) is not None:
            self.release()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """A `Lock` for the length of a block."""
    lock = Lock(path)
    try:
        yield
    finally:
        lock.release()


def _locked(file: Path, path: Path) -> int | None:
    if fcntl is None:
        return None
    while True:
        try:
            stream = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            raise OrbitscopeError(f"out: cannot write beside {path}: {error.strerror or error}.") from error
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            with os.fdopen(stream) as text:
                said = text.read(4096)
            raise OrbitscopeError(f"out: {path} is being written by {_who(said)}. Wait until it has finished, or stop it.") from error
        except OSError:  # a file system without locks
            os.close(stream)
            return None
        if _still_there(stream, file):
            with contextlib.suppress(OSError):  # a full disk: the lock holds all the same, only without a name
                os.ftruncate(stream, 0)
                os.write(stream, json.dumps(_myself()).encode())
            return stream
        os.close(stream)


def _still_there(stream: int, file: Path) -> bool:
    """Whether the file that was locked still has its name, and was not removed by the last holder in between."""
    try:
        return os.path.samestat(os.fstat(stream), os.stat(file))
    except OSError:
        return False


def _myself() -> dict[str, Any]:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"process": os.getpid(), "machine": socket.gethostname(), "since": since, "command": " ".join(sys.argv)[:200]}


def _who(said: str) -> str:
    try:
        about = json.loads(said)
        mine = about["process"] == os.getpid() and about["machine"] == socket.gethostname()
        who = "this process" if mine else f"process {about['process']} on {about['machine']} ({about['command']})"
        return f"{who} since {about['since']}"
    except (ValueError, LookupError, TypeError):
        return "another process"
