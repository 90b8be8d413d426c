"""How much words may ask for: a mistyped number is an error, not an hour."""

import re

from .._errors import OrbitscopeError

MOST = 2**14
"""Elements of a finite group, and the largest whole number in words."""

SIZE = 64
"""Largest size of a group of matrices or words."""

_LENGTH, _DEPTH = 1000, 32
_WHOLE = re.compile(r"(?<![\d.])\d+(?![\d.])", re.ASCII)


def readable(words: object, what: str) -> str:
    """The words as they are; raises `OrbitscopeError` for what is no text, longer than 1,000 letters, in more than 32 brackets, or holds a
    whole number above 16,384."""
    if not isinstance(words, str):
        raise OrbitscopeError(
            f"{what}: expected words such as {'d4' if what == 'group' else 'vector'}, got {type(words).__name__} {words!r}."
        )
    if len(words) > _LENGTH or words.count("(") + words.count("<") > _DEPTH:
        raise OrbitscopeError(f"{what}: {words[:40]!r}... is longer than {_LENGTH} letters, or in more than {_DEPTH} brackets.")
    for digits in _WHOLE.findall(words):
        if len(digits) > 9 or int(digits) > MOST:
            raise OrbitscopeError(f"{what}: {digits[:20]} in {words[:80]!r} is more than {MOST:,}, the largest number here. Was it meant?")
    return words


def few_elements(count: int, who: str) -> None:
    """Raise where a finite group would have more elements than anybody can wait for."""
    if count > MOST:
        raise OrbitscopeError(f"{who}: {count:,} elements are more than {MOST:,}. Take a smaller group, or sample it.")
