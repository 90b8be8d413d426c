"""How much to compute at a time, as numbers; and sizes of memory as words."""

import re
from dataclasses import dataclass

from ..._errors import OrbitscopeError

_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "k": 2**10,
    "m": 2**20,
    "g": 2**30,
}


@dataclass(frozen=True)
class Plan:
    """How much an influence computes at a time, and the memory that it is expected to take.

    * `chunk`: examples whose gradients are taken at a time.
    * `push_chunk`: examples whose directional derivatives are taken at a time.
    * `together`: directions of such a derivative at a time.
    * `kept`: bytes of gradients, directional derivatives and probes that are kept.
    * `working`: bytes of the largest batch of gradients and of the largest one of directional derivatives together: what an allocator has
      got from the system for the first it keeps, in pieces that the second cannot always use.
    * `budget`: bytes that were allowed; None: no limit was given.
    """

    chunk: int = 8
    push_chunk: int = 32
    together: int = 8
    kept: int = 0
    working: int = 0
    budget: int | None = None

    @property
    def peak(self) -> int:
        """Expected bytes at the most, beside the program itself."""
        return self.kept + self.working

    def __str__(self) -> str:
        whole = f"{in_words(self.peak)} expected ({in_words(self.kept)} kept, {in_words(self.working)} at work)"
        budget = f" of {in_words(self.budget)}" if self.budget is not None else ""
        return f"{whole}{budget}; gradients {self.chunk} examples at a time, directions {self.together} on {self.push_chunk} examples"


def memory_bytes(text: str | int) -> int:
    """Bytes from "4GiB", "500 MB" or a number.

    * `text`: a number of bytes, or a number with a unit.

    Raises `OrbitscopeError` for what is no size of a memory.

    >>> memory_bytes("4GiB"), memory_bytes("500 MB")
    (4294967296, 500000000)
    """
    found = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]*)\s*", str(text).lower())
    if not found or found[2] not in _UNITS or found[1].count(".") > 1 or found[1] == ".":
        raise OrbitscopeError(f"memory: expected a size such as 4GiB or 500MB, got {text!r}.")
    size = float(found[1]) * _UNITS[found[2]]
    if not 0 < size < 2**63:
        raise OrbitscopeError(f"memory: {str(text)[:40]} is no size of a memory. Say one such as 4GiB.")
    return int(size)


def in_words(count: int) -> str:
    """A size for a message."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 2**10:.0f} KiB"
