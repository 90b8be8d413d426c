"""Files that are there whole or not at all."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from ._errors import OrbitscopeError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then put it in place in one step; on any failure `path` stays as it was.

    Raises `OrbitscopeError` where the system refuses (full disk, no permission); what `write` itself raises goes through.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(part, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OrbitscopeError(f"out: cannot write {path}: {error.strerror or error}. What was there before is untouched.") from error
        raise
