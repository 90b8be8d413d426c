"""Saying what something costs before it is done."""

import os
from pathlib import Path

from .._errors import OrbitscopeError


def size_text(count: int) -> str:
    """Bytes for people.

    >>> size_text(3 * 2**30)
    '3.0 GiB'
    """
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def require_memory(count: int, who: str) -> None:
    """Raise where `count` bytes exceed the physical memory of this machine."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system can tell
        return
    if count > total:
        raise OrbitscopeError(
            f"{who}: {size_text(count)} do not fit the {size_text(total)} of memory here. Take some trajectories (`data[:100]`), "
            "or go through `data.blocks()` or `data.pairs(...)`, which read in pieces."
        )


def reserve(path: Path, size: int) -> None:
    """Take `size` bytes of disk for a file (made if need be) where the system can; raises OSError where the disk has less."""
    with path.open("ab") as stream:
        if hasattr(os, "posix_fallocate") and size:
            os.posix_fallocate(stream.fileno(), 0, size)
