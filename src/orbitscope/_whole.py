"""Files that are there whole or not at all."""

import contextlib
import os
import shutil
import socket
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from ._errors import OrbitscopeError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then put it in place in one step; on any failure `path` stays as it was.

    Several processes may write the same `path` at once: each fills a file of its own, and the last to finish stays.
    Raises `OrbitscopeError` where the system refuses (full disk, no permission); what `write` itself raises goes through.
    """
    write_together({path: write})


def write_together(files: Mapping[Path, Callable[[Path], object]]) -> None:
    """`write_whole` for several files that belong together: all are filled before the first is put in place."""
    parts = {path: own_part(path) for path in files}
    path = next(iter(files))
    try:
        for path, write in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_orphans(path)
            write(parts[path])
            with parts[path].open("rb+") as stream:
                os.fsync(stream.fileno())
        for path, part in parts.items():
            os.replace(part, path)
    except BaseException as error:
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OrbitscopeError(f"out: cannot write {path}: {error.strerror or error}. What was there before is untouched.") from error
        raise


def own_part(path: Path) -> Path:
    """A name beside `path` that no other process uses, and no other call of this one: NAME.<process>-<machine>-<random>.part."""
    return path.with_name(f"{path.name}.{os.getpid()}-{machine()}-{os.urandom(4).hex()}.part")


def remove_orphans(path: Path) -> None:
    """Remove the parts of `path` that processes of this machine left behind when they were killed."""
    for part in path.parent.iterdir():
        if not part.name.startswith(f"{path.name}.") or not part.name.endswith(".part"):
            continue
        words = part.name.removeprefix(f"{path.name}.").removesuffix(".part").split("-")
        if len(words) == 3 and words[0].isdecimal() and words[1] == machine() and not alive(int(words[0])):
            with contextlib.suppress(OSError):
                shutil.rmtree(part) if part.is_dir() and not part.is_symlink() else part.unlink()


def alive(process: int) -> bool:
    """Whether there is a process of that number on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's, or no number of a process
        return True
    return True


def machine() -> str:
    """A short name of this machine, for the names of files that only it may remove."""
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"
