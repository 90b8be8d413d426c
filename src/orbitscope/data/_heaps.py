"""The one damage of an HDF5 file that its library does not survive: it is looked for before the library is asked.

Texts of variable length lie in global heaps: collections of objects one after the other, the last of which (number 0) is the free rest and
says how long it is. Where that length has become 0, HDF5 (1.14 and 2.0 were seen) walks on by nothing for ever, inside C, where Python
cannot stop it.
"""

import mmap
import struct
from pathlib import Path

_SIGNATURE = b"GCOL\x01\x00\x00\x00"
_HEADER, _OBJECT = struct.Struct("<8sQ"), struct.Struct("<HHIQ")
_LOOKED_AT = 2**24
"""Bytes at either end of a file that are searched: what describes a file stands there, and a large one is not read for it."""


def has_endless_heap(path: Path) -> bool:
    """Whether a global heap at the beginning or the end of a file would never be walked through."""
    size = path.stat().st_size
    if not size:
        return False
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        parts = [(0, min(size, _LOOKED_AT))] + ([(max(_LOOKED_AT, size - _LOOKED_AT), size)] if size > _LOOKED_AT else [])
        return any(_endless(content, at, size) for start, end in parts for at in _found(content, start, end))


def _found(content: mmap.mmap, start: int, end: int) -> list[int]:
    places, at = [], content.find(_SIGNATURE, start, end)
    while at >= 0:
        places.append(at)
        at = content.find(_SIGNATURE, at + len(_SIGNATURE), end)
    return places


def _endless(content: mmap.mmap, at: int, size: int) -> bool:
    if at + _HEADER.size > size:
        return False
    end = min(at + _HEADER.unpack_from(content, at)[1], size)
    place = at + _HEADER.size
    while place + _OBJECT.size <= end:
        number, _, _, length = _OBJECT.unpack_from(content, place)
        if number == 0:
            return length == 0
        place += _OBJECT.size + (length + 7) // 8 * 8
    return False
